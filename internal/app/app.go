// Package app wires the parts to one running Milepost.
//
// Guarantee: main and the end-to-end tests start the same App.
//
// It knows no signals and has no globals.
package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/rs/zerolog"

	"milepost/api"
	"milepost/handlers"
	"milepost/internal/automation"
	"milepost/internal/claim"
	"milepost/internal/connection"
	"milepost/internal/erase"
	"milepost/internal/guard"
	"milepost/internal/inbox"
	"milepost/internal/metrics"
	"milepost/internal/outage"
	"milepost/internal/people"
	"milepost/internal/store"
	"milepost/internal/tracing"
)

// App is one Milepost process. New opens it, Run works it.
type App struct {
	state       *State // whose parts the next ones are
	store       *store.Store
	inbox       *inbox.Inbox
	queue       store.Queue
	connections *connection.Registry
	workers     workers
	tracer      *tracing.Tracer
	automations *automation.Library
	lock        *flock.Flock // of the data directory; nil on PostgreSQL
	claims      *claim.Keeper
	people      *people.Registry
	endStreams  func() // of the console, so that they do not hold up a shutdown
	adminURL    string // at which people reach the admin listener; "" = at its address
	public      *http.Server
	admin       *http.Server
	publicLn    net.Listener
	adminLn     net.Listener
	logger      zerolog.Logger
	clock       Clock
	every       time.Duration // between two reconciliations of a location; 0 = never
	started     chan struct{} // closed when webhooks and workers run
	draining    atomic.Bool
	pruning     *outage.Log // and the other tasks, each
	queueing    *outage.Log
	asking      *outage.Log
	hooking     *outage.Log
	watching    *outage.Log

	watchingSettings   *outage.Log
	alerting           *outage.Log
	countingSignatures *outage.Log
	tasks              []func(context.Context) time.Duration // of alerts

	verifying     sync.WaitGroup
	stopVerifying context.CancelFunc // nil where nothing is verified
	stopping      sync.Once          // of the workers
}

// How a shutdown goes. Together well under the 30 s that service managers and
// orchestrators allow.
const (
	drainNotice = time.Second      // between readyz failing and the listener closing
	httpGrace   = 8 * time.Second  // for requests under way
	jobGrace    = 10 * time.Second // for jobs under way; then they are handed back
	claimGrace  = 3 * time.Second  // for what tells other Mileposts that this one has stopped
)

// What strangers can take of the memory: connections of some 20 KiB each, and
// bodies that are larger than a webhook should be.
const (
	maxConnections   = 1024 // unless MILEPOST_MAX_CONNECTIONS says otherwise
	adminConnections = 100
	bodyBytes        = 4 << 20
	calendarsAtOnce  = 16
)

// How often an OAuth code is exchanged. Anyone can send one, and each is a call
// to HighLevel.
var (
	installsEach  = guard.Limit{Burst: 10, Every: 6 * time.Second}
	installsInAll = guard.Limit{Burst: 30, Every: 2 * time.Second}
)

// inboxKept is how long a webhook is known again. HighLevel's log offers a
// manual resend for 30 days.
const inboxKept = 35 * 24 * time.Hour

// removedKept is how long calendars are told that an item is gone.
const removedKept = 90 * 24 * time.Hour

// timelineKept is how long it can be looked up what happened to a contact's items.
const timelineKept = 400 * 24 * time.Hour

// alertsKept is how long it can be looked up what people were told.
const alertsKept = 30 * 24 * time.Hour

// deliveriesKept is how long it can be looked up what became of a webhook.
const deliveriesKept = 90 * 24 * time.Hour

// New opens the databases and the listeners. On an error nothing stays open.
func New(ctx context.Context, cfg Config, logger zerolog.Logger) (_ *App, err error) {
	settings, err := cfg.parse()
	if err != nil {
		return nil, err
	}
	a := &App{
		logger: logger, clock: cfg.Clock, every: cfg.ReconcileEvery, started: make(chan struct{}),
		pruning: outage.New(logger, "deleting expired data", time.Now), queueing: outage.New(logger, "queueing reconciliations", time.Now),
		hooking: outage.New(logger, "checking the webhooks at CalendarHero", time.Now), watching: outage.New(logger, "looking for changed automations", time.Now),
		asking: outage.New(logger, "queueing what the clock changes", time.Now),
	}
	a.watchingSettings = outage.New(logger, "looking for changed settings", time.Now)
	a.alerting = outage.New(logger, "sending alerts", time.Now)
	a.countingSignatures = outage.New(logger, "counting the signatures of webhooks", time.Now)
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	cfg.metrics = metrics.New()
	if a.tracer, err = tracing.New(ctx, os.Getenv, logger); err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	cfg.tracer = a.tracer
	cfg.HTTP = measured(cfg, logger)
	if err := a.openStorage(ctx, cfg, settings); err != nil {
		return nil, err
	}
	a.workers = a.state.newWorkers(cfg, logger, erase.Config{EraseBodies: a.inbox.Erase, ScrubFiles: a.scrubFiles})
	a.connections.Ended = a.workers.jobs.Ended
	if err := a.claim(ctx, cfg); err != nil {
		return nil, err
	}
	riverLog := outage.Thin(zerolog.NewSlogHandler(logger.Level(max(logger.GetLevel(), zerolog.WarnLevel))), time.Now)
	if a.queue, err = a.store.NewQueue(store.QueueConfig{
		Workers: a.workers.register(a.automations, cfg.Clock.Real), Logger: slog.New(riverLog), Real: cfg.Clock.Real, Poll: cfg.Poll,
	}); err != nil {
		return nil, fmt.Errorf("job queue: %w", err)
	}
	public, admin := guard.New(cmp.Or(int(cfg.MaxConnections), maxConnections), bodyBytes), guard.New(adminConnections, bodyBytes)
	lookups := outage.New(logger, "looking up the keys in URLs", time.Now)
	routes := api.Routes{
		Metrics: cfg.metrics,
		HighLevelWebhooks: &handlers.HighLevelWebhooks{
			Keys: settings.keys, AppID: cfg.appID(a.connections), Outages: lookups, Inbox: a.inbox, Logger: logger, Rejections: rejections(logger), Now: cfg.Clock.Now, Guard: public,
		},
		WorkflowWebhooks: &handlers.WorkflowWebhooks{
			Location: a.connections.WorkflowLocation, Outages: lookups, Inbox: a.inbox, Logger: logger, Rejections: rejections(logger), Now: cfg.Clock.Now, Guard: public,
		},
		CalendarHero: &handlers.CalendarHeroWebhooks{
			Location: a.connections.HookLocation, Outages: lookups, Inbox: a.inbox, Logger: logger, Rejections: rejections(logger), Now: cfg.Clock.Now, Guard: public,
		},
		Calendars: &handlers.Feed{
			Streams: make(chan struct{}, calendarsAtOnce),
			Feed:    a.connections.Feed, Outages: outage.New(logger, "reading calendars", time.Now), Store: a.store, Logger: logger, Rejections: rejections(logger), Now: cfg.Clock.Now,
		},
		Ready: a.ready, TrustedProxies: settings.proxies, Guard: public, AdminGuard: admin, Logger: logger,
	}
	if a.publicLn, err = net.Listen("tcp", cfg.Listen); err != nil {
		return nil, fmt.Errorf("public listener (MILEPOST_LISTEN): %w", err)
	}
	if cfg.VendorsHere {
		a.connections.PublicURL = a.PublicURL()
	}
	if a.adminLn, err = net.Listen("tcp", cfg.AdminListen); err != nil {
		return nil, fmt.Errorf("admin listener (MILEPOST_ADMIN_LISTEN): %w", err)
	}
	if cfg.app() != nil && a.connections.Address() == "" {
		logger.Warn().Msg("OAuth without MILEPOST_PUBLIC_URL: the redirect URL uses the request's Host and http. Behind a proxy with TLS, it does not match the one in your app: set MILEPOST_PUBLIC_URL")
	}
	routes.OAuth = &handlers.OAuth{
		Connections: a.connections, Logger: logger, Rejections: rejections(logger),
		Outages: outage.New(logger, "installations by OAuth", time.Now),
		Rate:    guard.NewRate(installsEach, installsInAll, cfg.Clock.Now),
		Follow:  func(ctx context.Context, entities []store.Entity) error { return a.store.Requeue(ctx, entities, false) },
	}
	adminHandler, err := a.adminRoutes(cfg, routes)
	if err != nil {
		return nil, err
	}
	a.public, a.admin = server(api.Public(routes)), server(adminHandler)
	a.admin.RegisterOnShutdown(a.endStreams)
	a.publicLn, a.adminLn = public.Listener(a.publicLn), admin.Listener(a.adminLn)
	return a, errors.Join(a.logConnections(ctx), a.logInvites(ctx))
}

// logConnections says at the start what would otherwise be found out late.
func (a *App) logConnections(ctx context.Context) error {
	list, err := a.store.Connections(ctx)
	if err != nil {
		return err
	}
	for _, c := range list {
		if _, err := a.connections.Lookup(ctx, c.LocationID); err != nil && c.State != store.ConnectionRemoved {
			a.logger.Warn().Err(err).Str("location", c.LocationID).Msg("location not served")
		} else if c.Problem != "" {
			a.logger.Warn().Str("location", c.LocationID).Str("state", string(c.State)).Msg(c.Problem)
		}
	}
	if len(list) == 0 {
		a.logger.Warn().Msg("no location is connected: Milepost accepts and skips all webhooks (see `milepost connections --help`, or set MILEPOST_HIGHLEVEL_TOKEN, MILEPOST_HIGHLEVEL_LOCATION_ID and MILEPOST_CALENDARHERO_TOKEN)")
	}
	return nil
}

// rejections is a log of rejected requests, which anyone can send: at most 100 lines a minute.
func rejections(logger zerolog.Logger) zerolog.Logger {
	return logger.Sample(&zerolog.BurstSampler{Burst: 100, Period: time.Minute})
}

func server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, ConnContext: guard.ConnContext, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 8 << 10,
	}
}

// PublicURL is the address of the public listener.
func (a *App) PublicURL() string { return "http://" + dialable(a.publicLn) }

// AdminURL is the address of the admin listener.
func (a *App) AdminURL() string { return "http://" + dialable(a.adminLn) }

// dialable turns a listener's address into one that a client on this machine can reach.
func dialable(ln net.Listener) string {
	addr := ln.Addr().(*net.TCPAddr)
	if addr.IP.IsUnspecified() {
		return fmt.Sprintf("localhost:%d", addr.Port)
	}
	return addr.String()
}

// Store gives tests and the sandbox a look at what became of the webhooks.
func (a *App) Store() *store.Store { return a.store }

// Automations gives tests a look at the automations.
func (a *App) Automations() *automation.Library { return a.automations }

// WaitReady returns when a running App accepts webhooks, or ctx has ended.
func (a *App) WaitReady(ctx context.Context) error {
	select {
	case <-a.started:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ready says why webhooks cannot be accepted now, or nil.
func (a *App) ready(ctx context.Context) error {
	if a.draining.Load() {
		return errors.New("shutting down")
	}
	select {
	case <-a.started:
	default:
		return errors.New("the workers are not running yet")
	}
	if err := errors.Join(a.lostFile(), a.inbox.Ready(ctx)); err != nil { // the inbox logs it
		return errors.New("the inbox cannot store webhooks; the log says why")
	}
	if a.claims.Lost() != nil { // the keeper logs it
		return errors.New("another Milepost works the same accounts; the log says which")
	}
	return nil
}

// Run serves until ctx ends, then drains: readyz fails first, requests and
// jobs under way finish or are handed back, and everything accepted is kept.
// It closes the App.
func (a *App) Run(ctx context.Context) error {
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	var background sync.WaitGroup
	background.Go(func() { a.inbox.Dispatch(work, a.store, traceWebhooks(a.tracer, a.workers.syncer.Judge), a.logger) })
	if a.store.File() != nil {
		background.Go(func() { a.watchFiles(work) })
	}
	background.Go(func() { a.workers.eraser.Scrub(work) })
	background.Go(func() { a.claims.Keep(work) })
	background.Go(func() { repeat(work, time.Minute, a.prune) })
	background.Go(func() { repeat(work, 0, a.warnOfOldTokens) })
	background.Go(func() { a.warnOfNames(work) })
	background.Go(func() { repeat(work, time.Second, a.watchAutomations) })
	background.Go(func() { repeat(work, 0, a.watchClock()) })
	background.Go(func() { repeat(work, 0, a.askDue) })
	background.Go(func() { repeat(work, time.Second, a.watchSettings) })
	background.Go(func() { repeat(work, 0, a.checkHooks()) })
	for _, task := range a.tasks {
		background.Go(func() { repeat(work, 0, task) })
	}
	if a.connections.Address() == "" {
		a.logger.Info().Msg("MILEPOST_PUBLIC_URL is not set: Milepost registers no webhooks at CalendarHero and polls it instead")
	}
	if a.every > 0 {
		background.Go(func() { repeat(work, 0, a.queueReconciliations) })
	}
	if err := errors.Join(a.store.WakePeriodic(context.WithoutCancel(ctx)), a.store.QueueOwed(context.WithoutCancel(ctx)), a.queue.Start(ctx)); err != nil {
		stopWork()
		background.Wait()
		return errors.Join(fmt.Errorf("start the workers: %w", err), a.close())
	}
	failed := make(chan error, 2)
	serve := func(name string, s *http.Server, ln net.Listener) {
		if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("%s listener: %w", name, err)
		}
	}
	go serve("public", a.public, a.publicLn)
	go serve("admin", a.admin, a.adminLn)
	close(a.started)
	a.logger.Info().Str("public", a.PublicURL()).Str("admin", a.AdminURL()).Msg("milepost is ready")

	var err error
	select {
	case <-ctx.Done():
		a.draining.Store(true)
		a.logger.Info().Msg("draining")
		pause := time.NewTimer(a.clock.Real(drainNotice))
		defer pause.Stop()
		select {
		case <-pause.C:
		case err = <-failed:
		}
	case err = <-failed:
	}
	a.draining.Store(true)
	err = errors.Join(err, a.stopServing(ctx, "public", a.public, httpGrace))
	stopWork()
	background.Wait()
	err = errors.Join(err, a.stopWorkers(ctx), a.stopServing(ctx, "admin", a.admin, time.Second), a.close())
	a.closeTracer(ctx)
	a.logger.Info().Msg("stopped")
	return err
}

// stopServing lets requests under way finish, and then cuts off those that
// remain: what a client does must not make a stop fail.
func (a *App) stopServing(ctx context.Context, name string, s *http.Server, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := s.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		a.logger.Warn().Str("listener", name).Str("after", grace.String()).Msg("open connections closed")
		return s.Close()
	}
	return err
}

// stopWorkers lets jobs under way finish, or hands them back. Only the first call
// does anything.
func (a *App) stopWorkers(ctx context.Context) (err error) {
	a.stopping.Do(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), jobGrace)
		defer cancel()
		err = a.queue.Stop(ctx)
	})
	return err
}

// close closes what is open, in the order that loses nothing.
func (a *App) close() error {
	var errs []error
	for _, ln := range []net.Listener{a.publicLn, a.adminLn} {
		if ln != nil {
			if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	if a.claims != nil {
		ctx, cancel := context.WithTimeout(context.Background(), claimGrace)
		a.claims.Close(ctx)
		cancel()
	}
	if a.stopVerifying != nil {
		a.stopVerifying()
		a.verifying.Wait()
	}
	if a.inbox != nil {
		errs = append(errs, a.inbox.Close())
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	if a.lock != nil {
		errs = append(errs, a.lock.Unlock())
	}
	return errors.Join(errs...)
}
