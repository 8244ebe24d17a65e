package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"milepost/handlers"
	"milepost/internal/app"
	"milepost/internal/people"
	"milepost/internal/sandbox"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
)

type sandboxCmd struct {
	Once        bool   `help:"Exit after the scenario; the status says whether the end state is right."`
	Automations string `help:"Use the automations of this YAML file instead of the recipes, and show what they create for the records in the fake HighLevel. Skips the scenario." placeholder:"FILE" type:"path"`
	FakesOnly   bool   `help:"Run only the fakes and the page, and print the settings for your own Milepost."`
	WebhookURL  string `help:"With --fakes-only: where the fake HighLevel sends its webhooks; by default http://127.0.0.1:8080/webhooks/highlevel, of a Milepost on this machine." placeholder:"URL"`
	Addresses   string `help:"Write a JSON object with all addresses and tokens to this file when everything is ready." placeholder:"FILE" type:"path"`

	Listen             string   `default:"127.0.0.1:0" help:"Milepost's public listener."`
	AdminListen        string   `default:"127.0.0.1:0" help:"Milepost's admin listener."`
	HighLevelListen    string   `name:"highlevel-listen" default:"127.0.0.1:0" help:"The fake HighLevel."`
	CalendarHeroListen string   `name:"calendarhero-listen" default:"127.0.0.1:0" help:"The fake CalendarHero."`
	PageListen         string   `default:"127.0.0.1:0" help:"The page that shows and changes both."`
	DescriptionAfter   app.Wait `default:"15s" help:"How long a record must be quiet before a new description alone replaces its meeting request: up to 24h, 0 = at once, or never. Shorter than the 5m of serve, so that you see it happen." placeholder:"TIME"`
	DataDir            string   `help:"Keep Milepost's files here; a temporary folder by default." type:"path"`
	LogLevel           string   `default:"warn" enum:"debug,info,warn,error" help:"Lowest level to log: ${enum}."`
}

// Run starts the fakes and Milepost, plays the scenario, and stays up.
func (c *sandboxCmd) Run(ctx context.Context) error {
	return c.run(ctx, os.Stdout)
}

func (c *sandboxCmd) run(ctx context.Context, out io.Writer) (err error) {
	if err := c.usable(); err != nil {
		return err
	}
	var running atomic.Pointer[app.App]
	// The fakes outlive Milepost, which ends its work with them first.
	world, err := sandbox.Start(context.WithoutCancel(ctx), sandbox.WorldConfig{
		Did:           c.did(&running),
		HighLevelAddr: c.HighLevelListen, CalendarHeroAddr: c.CalendarHeroListen, PageAddr: c.PageListen,
		HighLevel: func(cfg *hlfake.Config) { cfg.RateLimit = true },
	})
	if err != nil {
		return err
	}
	defer world.Close()
	if c.FakesOnly {
		return c.fakes(ctx, out, world)
	}
	if c.DataDir == "" {
		if c.DataDir, err = os.MkdirTemp("", "milepost-sandbox-"); err != nil {
			return err
		}
		defer os.RemoveAll(c.DataDir)
	}
	adminToken := rand.Text()
	milepost, err := app.New(ctx, app.Config{
		Automations: c.Automations, AdminToken: adminToken, SandboxPage: world.PageURL,
		Listen: c.Listen, AdminListen: c.AdminListen, DataDir: c.DataDir,
		HighLevelBaseURL: world.HighLevelURL, HighLevelAppID: world.HighLevel.AppID(),
		HighLevelToken: world.HighLevelToken, HighLevelLocationID: world.Location.ID,
		HighLevelWebhookKeys: world.HighLevel.PublicKeyPEM(),
		HighLevelClientID:    world.App.ClientID, HighLevelClientSecret: world.App.ClientSecret,
		HighLevelAuthorizeURL: world.HighLevelURL + "/v2/oauth/chooselocation", ReconcileEvery: 5 * time.Second, DescriptionAfter: c.DescriptionAfter, VendorsHere: true,
		CalendarHeroBaseURL: world.CalendarHeroURL, CalendarHeroToken: world.CalendarHeroToken, CalendarHeroAuth: "raw",
	}, newLogger(c.LogLevel, "auto"))
	if err != nil {
		return err
	}
	work, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- milepost.Run(work) }()
	defer func() {
		running.Store(nil)
		stop()
		err = errors.Join(err, <-done)
	}()
	starting, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	if err := milepost.WaitReady(starting); err != nil {
		if ctx.Err() != nil {
			return nil // stopped
		}
		return fmt.Errorf("milepost did not become ready: %w", err)
	}
	running.Store(milepost)
	world.HighLevel.SetWebhookURL(milepost.PublicURL() + "/webhooks/highlevel")

	console, err := milepost.SignInLink(starting, people.SandboxName)
	if err != nil {
		return err
	}
	world.SetConsole(milepost.AdminURL() + "/console/")

	fmt.Fprintf(out, "Milepost      %s   (admin %s)\nConsole       %s   signs in once\nHighLevel     %s   fake, location %s\nCalendarHero  %s   fake\nPage          %s   change a record, watch the calendar\nInstall       %s   connect a location as a HighLevel user does\n\n",
		milepost.PublicURL(), milepost.AdminURL(), console, world.HighLevelURL, world.Location.Name, world.CalendarHeroURL, world.PageURL,
		milepost.PublicURL()+handlers.InstallPath)
	if c.Addresses != "" {
		if err := writeAddresses(c.Addresses, world, map[string]string{
			"public": milepost.PublicURL(), "admin": milepost.AdminURL(), "admin_token": adminToken, "console": console,
		}); err != nil {
			return err
		}
	}
	if err := c.show(ctx, out, world, milepost); err != nil {
		return err
	}
	if c.Once || ctx.Err() != nil {
		return nil
	}
	fmt.Fprintf(out, "\nNow it is your turn: open %s and change something. Press Ctrl-C to stop.\n", world.PageURL)
	select {
	case <-ctx.Done():
		return nil
	case err := <-done:
		done <- nil // for the deferred wait
		return err
	}
}

// show plays the scenario, or shows what one's own automations create. With Once, it fails
// if the end state is wrong.
func (c *sandboxCmd) show(ctx context.Context, out io.Writer, world *sandbox.World, milepost *app.App) (err error) {
	if c.Automations == "" {
		err = play(ctx, out, world, milepost, time.Duration(c.DescriptionAfter))
	} else {
		fmt.Fprintf(out, "Milepost uses your automations from %s, so there is no scenario.\n", c.Automations)
		err = syncSeeded(ctx, out, world, milepost)
	}
	if c.Once || err == nil {
		return err
	}
	if ctx.Err() == nil { // nobody stopped it
		fmt.Fprintln(out, "The end state is wrong:", err)
	}
	return nil
}

// usable rejects flags that would do nothing, and sets the default of the webhooks' address.
func (c *sandboxCmd) usable() error {
	const anyPort, rest = "127.0.0.1:0", app.Wait(15 * time.Second) // by default
	switch {
	case c.FakesOnly && (cmp.Or(c.Listen, anyPort) != anyPort || cmp.Or(c.AdminListen, anyPort) != anyPort || cmp.Or(c.DescriptionAfter, rest) != rest):
		return usageError("--fakes-only runs no Milepost; leave out --listen, --admin-listen and --description-after, and give them to your own Milepost")
	case c.FakesOnly && (c.Once || c.Automations != "" || c.DataDir != ""):
		return usageError("--fakes-only runs no Milepost; leave out --once, --automations and --data-dir, and set MILEPOST_AUTOMATIONS and MILEPOST_DATA_DIR for your own Milepost")
	case !c.FakesOnly && c.WebhookURL != "":
		return usageError("--webhook-url needs --fakes-only: otherwise the webhooks go to the sandbox's own Milepost")
	case c.WebhookURL == "":
		c.WebhookURL = "http://127.0.0.1:8080/webhooks/highlevel"
	}
	if u, err := url.Parse(c.WebhookURL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return usageError(fmt.Sprintf("--webhook-url: %q is not a URL such as http://127.0.0.1:8080/webhooks/highlevel", c.WebhookURL))
	}
	return nil
}

// did asks Milepost, once it runs, what it did about a record.
func (c *sandboxCmd) did(running *atomic.Pointer[app.App]) func(ctx context.Context, locationID, kind, id string) sandbox.Effect {
	if c.FakesOnly {
		return nil
	}
	return func(ctx context.Context, locationID, kind, id string) sandbox.Effect {
		milepost := running.Load()
		if milepost == nil {
			return sandbox.Effect{}
		}
		entity := store.Entity{LocationID: locationID, Kind: kind, ID: id}
		state, err := milepost.Store().EntityState(ctx, entity)
		if err != nil {
			return sandbox.Effect{}
		}
		links, err := milepost.Store().Links(ctx, entity)
		if err != nil {
			return sandbox.Effect{}
		}
		effect := sandbox.Effect{Outcome: state.Outcome, Detail: state.Detail, At: state.SyncedAt}
		for _, link := range links {
			effect.Requests = append(effect.Requests, link.ObjectID) // other objects have ids of their own
		}
		return effect
	}
}

// fakes serves the fakes until ctx ends.
func (c *sandboxCmd) fakes(ctx context.Context, out io.Writer, world *sandbox.World) error {
	world.HighLevel.SetWebhookURL(c.WebhookURL)
	fmt.Fprintf(out, `The fakes run. Start Milepost with these settings:

export MILEPOST_HIGHLEVEL_BASE_URL=%s
export MILEPOST_HIGHLEVEL_TOKEN=%s
export MILEPOST_HIGHLEVEL_LOCATION_ID=%s
export MILEPOST_HIGHLEVEL_APP_ID=%s
export MILEPOST_HIGHLEVEL_WEBHOOK_KEYS='%s'
export MILEPOST_CALENDARHERO_BASE_URL=%s
export MILEPOST_CALENDARHERO_TOKEN=%s
export MILEPOST_RECONCILE_EVERY=15s   # with the default, what you do in CalendarHero takes up to 5 minutes, an edited task 15

Webhooks go to %s (--webhook-url). The page is at %s. Press Ctrl-C to stop.
`, world.HighLevelURL, world.HighLevelToken, world.Location.ID, world.HighLevel.AppID(), strings.TrimSpace(world.HighLevel.PublicKeyPEM()),
		world.CalendarHeroURL, world.CalendarHeroToken, c.WebhookURL, world.PageURL)
	if c.Addresses != "" {
		if err := writeAddresses(c.Addresses, world, nil); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

// writeAddresses writes the file for programs that drive the sandbox. It
// appears whole: written beside and renamed. milepost holds Milepost's own; it is nil
// if only the fakes run.
func writeAddresses(path string, world *sandbox.World, milepost map[string]string) error {
	addresses := map[string]string{
		"highlevel": world.HighLevelURL, "calendarhero": world.CalendarHeroURL, "page": world.PageURL,
		"location_id":     world.Location.ID,
		"highlevel_token": world.HighLevelToken, "calendarhero_token": world.CalendarHeroToken,
		"client_id": world.App.ClientID, "client_secret": world.App.ClientSecret,
		"authorize": world.HighLevelURL + "/v2/oauth/chooselocation", "webhook_keys": world.HighLevel.PublicKeyPEM(),
	}
	maps.Copy(addresses, milepost)
	b, err := json.MarshalIndent(addresses, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the addresses: %w", err)
	}
	return os.Rename(path+".new", path)
}

// stepLimit is how long one step of the scenario may take.
const stepLimit = 2 * time.Minute
