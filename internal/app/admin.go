package app

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"milepost/api"
	"milepost/internal/adminapi"
	"milepost/internal/console"
	"milepost/internal/erase"
	"milepost/internal/operate"
	"milepost/internal/people"
)

// auditKept is how long it can be looked up who did what.
const auditKept = 400 * 24 * time.Hour

// adminRoutes completes the routes of the admin listener.
func (a *App) adminRoutes(cfg Config, routes api.Routes) (http.Handler, error) {
	a.adminURL = strings.TrimSuffix(cfg.AdminURL, "/")
	a.people = people.Open(people.Config{Store: a.store, AdminToken: strings.TrimSpace(cfg.AdminToken), Now: cfg.Clock.Now})
	closing := make(chan struct{})
	a.endStreams = sync.OnceFunc(func() { close(closing) })
	counting := a.state.newWorkers(cfg, zerolog.Nop(), erase.Config{}) // registers no job
	counting.jobs.WaitAtLimit(func(time.Duration) {})                  // a person waits for the end of the count
	alerter, err := cfg.Alerter(a.store)
	if err != nil {
		return nil, err
	}
	desk := operate.New(operate.Config{
		Alerts: alerter, BackupAge: cfg.BackupAge,
		Store: a.store, Bodies: a.inbox, Preview: a.workers.syncer, Now: cfg.Clock.Now,
		Automations: a.automations, Connections: a.connections, Rehearsals: counting.syncer, Search: counting.reconciler, Counting: counting.syncer, Closing: closing,
	})
	cfg.metrics.Watch(a.stateOf(desk))
	a.tasks = append(a.tasks, a.countSignatures(cfg.metrics.Signatures))
	if len(alerter.Channels) > 0 {
		a.tasks = append(a.tasks, a.tell(alerter, desk))
	}
	pages, err := console.New(console.Config{
		Desk: desk, Closing: closing,
		People: a.people, HighLevel: cfg.highLevelApp(), Secure: strings.HasPrefix(a.adminURL, "https:"), Sandbox: cfg.SandboxPage,
		Logger: a.logger, Refused: rejections(a.logger), Now: cfg.Clock.Now,
	})
	if err != nil {
		return nil, err
	}
	endpoints := adminapi.New(adminapi.Config{Desk: desk, People: a.people, Logger: a.logger})
	routes.People, routes.AdminURL, routes.Console, routes.API, routes.MCP = a.people, cfg.AdminURL, pages, endpoints, cfg.MCP
	return api.Admin(routes)
}

// Links that sign in are valid for a day, and once.
const linkValid = 24 * time.Hour

// FirstRunLink is a link that signs in once, while nobody can sign in otherwise;
// else it is "".
func (a *App) FirstRunLink(ctx context.Context) (string, error) {
	if empty, err := a.people.Empty(ctx); err != nil || !empty || a.people.HasToken() {
		return "", err
	}
	return a.SignInLink(ctx, people.FirstRunName)
}

// SignInLink is a link to the console that signs in once, as an operator of that name.
func (a *App) SignInLink(ctx context.Context, name string) (string, error) {
	code, err := a.people.NewLink(ctx, name, linkValid)
	return cmp.Or(a.adminURL, a.AdminURL()) + console.LinkPath(code), err
}

// highLevelApp is where people use HighLevel; "" if its API is another's.
func (c *Config) highLevelApp() string {
	if c.HighLevelBaseURL == "https://services.leadconnectorhq.com" {
		return "https://app.gohighlevel.com"
	}
	return ""
}
