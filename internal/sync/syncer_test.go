package sync

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river/rivertype"
	"github.com/rs/zerolog"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/internal/account"
	"milepost/internal/connection"
	"milepost/internal/jobs"
	"milepost/internal/outcome"
	"milepost/internal/reconcile"
	"milepost/internal/remind"
	chfake "milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/secret"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
	"milepost/mapping"
)

const (
	location  = "ve9EPM428h8vShlRW1KT"
	ownerMail = "olivia@agency.example"

	profileFresh = time.Hour // of the account's location
)

// bundle is a Syncer between the two fakes, on a clock that the test moves.
// No job runs: the test does the syncs, one by one.
type bundle struct {
	workers
	cfg    workersConfig
	t      *testing.T
	hl     *hlfake.Server
	ch     *chfake.Server
	micros atomic.Int64 // the time
	ahead  atomic.Int64 // by which Milepost's clock is wrong
	state  string       // the directory of the database

	deliveries int64 // that were heard
	heard      int   // webhooks of HighLevel, where a test counts them
}

// setup takes automations as YAML; "" = the recipes.
func setup(t *testing.T, automations string, configure ...func(*chfake.Config)) *bundle {
	t.Helper()
	b := &bundle{t: t}
	b.set(time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC))
	clock := func() time.Time { return time.UnixMicro(b.micros.Load()).UTC() }
	b.hl = hlfake.New(hlfake.Config{Clock: clock, Token: "pit-test", LocationIDs: []string{location}})
	t.Cleanup(b.hl.Close)
	b.hl.SeedLocation(hlfake.Location{ID: location, Name: "Northwind Realty", TimeZone: "America/New_York"}, nil, []hlfake.CustomField{
		{Name: "Milestone", DataType: "TEXT"},
		{Name: "Milestone Date", DataType: "DATE"},
		{Name: "Handover", DataType: "DATE", Model: "opportunity"},
	})
	chConfig := chfake.Config{
		Clock: clock, Token: "ch-test", User: chfake.User{Name: "Olivia Owner", Email: ownerMail, TimeZone: "America/Toronto"},
	}
	for _, c := range configure {
		c(&chConfig)
	}
	b.ch = chfake.New(chConfig)
	t.Cleanup(b.ch.Close)
	hl, ch := httptest.NewServer(b.hl), httptest.NewServer(b.ch)
	t.Cleanup(hl.Close)
	t.Cleanup(ch.Close)
	b.state = testdb.DataDir(t)
	st, err := store.OpenSQLite(t.Context(), b.state)
	b.must(err)
	t.Cleanup(func() { _ = st.Close() })
	_, err = st.NewQueue(store.QueueConfig{Logger: slog.New(slog.DiscardHandler)})
	b.must(err)
	yaml := []byte(automations)
	if automations == "" {
		yaml = mapping.Recipes()
	}
	set, err := mapping.Load("automations.yaml", yaml)
	b.must(err)
	noWait := func(int) time.Duration { return 0 }
	b.cfg = workersConfig{
		Store: st, Automations: func() *mapping.Set { return set }, Now: func() time.Time { return clock().Add(time.Duration(b.ahead.Load())) },
		Connections: only{&connection.Connection{
			LocationID:   location,
			HighLevel:    highlevel.New(highlevel.Config{BaseURL: hl.URL, Tokens: highlevel.StaticTokens("pit-test"), RetryWait: noWait}),
			CalendarHero: calendarhero.New(calendarhero.Config{BaseURL: ch.URL, Token: "ch-test", RetryWait: noWait}),
		}},
	}
	b.start()
	return b
}

// start has the process start again, with its memory empty.
func (b *bundle) start() { b.workers = newWorkers(b.cfg) }

// workers are what works jobs in a process.
type workers struct {
	*Syncer
	reconciler *reconcile.Reconciler
	reminders  *remind.Reminders
}

type workersConfig struct {
	Store       *store.Store
	Automations func() *mapping.Set
	Connections interface {
		Connections
		account.Connections
	}
	Logger *zerolog.Logger // nil = none
	Now    func() time.Time
	Real   func(time.Duration) time.Duration
	Spread func(time.Duration) time.Duration
	Every  time.Duration
	Quiet  time.Duration
}

func newWorkers(cfg workersConfig) (w workers) {
	keys, err := secret.ParseRing("test:" + base64.StdEncoding.EncodeToString(make([]byte, 32))) // which no database holds
	if err != nil {
		panic(err)
	}
	logger := zerolog.Nop()
	if cfg.Logger != nil {
		logger = *cfg.Logger
	}
	runner := jobs.New(jobs.Config{Connections: cfg.Connections, Logger: logger, Now: cfg.Now, Real: cfg.Real})
	sessions := account.New(account.Config{Store: cfg.Store, Automations: cfg.Automations, Connections: cfg.Connections, Logger: logger, Now: cfg.Now})
	w.Syncer = New(Config{
		Store: cfg.Store, Automations: cfg.Automations, Connections: cfg.Connections, Sessions: sessions, Jobs: runner, Quiet: cfg.Quiet, Spread: cfg.Spread,
		Checks: func(text string) []string { return keys.Checks(text, "test") },
	})
	w.reconciler = reconcile.New(reconcile.Config{
		Store: cfg.Store, Automations: cfg.Automations, Connections: cfg.Connections, Sessions: sessions, Jobs: runner, Every: cfg.Every,
	})
	w.reminders = remind.New(cfg.Store, cfg.Automations, sessions, runner)
	return w
}

// set and pass move the clock of all three.
func (b *bundle) set(at time.Time)     { b.micros.Store(at.UnixMicro()) }
func (b *bundle) pass(d time.Duration) { b.micros.Add(d.Microseconds()) }

// only is the one connection there is.
type only struct{ conn *connection.Connection }

func (o only) Lookup(_ context.Context, id string) (*connection.Connection, error) {
	if id != o.conn.LocationID {
		return nil, &connection.NotConnected{Why: "location " + id + " is not connected"}
	}
	return o.conn, nil
}

func (o only) Installed(context.Context, store.Entity, highlevel.Event) (connection.Outcome, error) {
	return connection.Outcome{}, connection.ErrPending
}

func (o only) Accounts(context.Context) ([]connection.Account, error) {
	return []connection.Account{{ID: o.conn.Account, Locations: []string{o.conn.LocationID}}}, nil
}

func (b *bundle) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// jane makes a contact with a milestone; "" leaves the date out.
func (b *bundle) jane(date string) store.Entity {
	b.t.Helper()
	c, err := b.hl.SeedContact(hlfake.Contact{
		LocationID: location, FirstName: "Jane", LastName: "Doe", Email: "jane@example.com",
		CustomFields: map[string]any{"contact.milestone": "Closing", "contact.milestone_date": date},
	})
	b.must(err)
	return store.Entity{LocationID: location, Kind: string(mapping.KindContact), ID: c.ID}
}

// setDate moves the milestone.
func (b *bundle) setDate(e store.Entity, date string) {
	b.t.Helper()
	b.must(b.hl.SetCustomField(e.ID, "contact.milestone_date", date))
}

// sync syncs an entity apart from the others of its contact.
func (b *bundle) sync(ctx context.Context, state *store.EntityState) (*result, error) {
	return b.syncWith(ctx, state, &reads{})
}

// try syncs an entity once, as a job does up to its end.
func (b *bundle) try(e store.Entity) (*result, error) {
	b.t.Helper()
	state, err := b.store.EntityState(b.t.Context(), e)
	b.must(err)
	return b.sync(b.t.Context(), &state)
}

// run is a try with, where it fails, the note for the next one.
func (b *bundle) run(e store.Entity) (*result, error) {
	b.t.Helper()
	state, err := b.store.EntityState(b.t.Context(), e)
	b.must(err)
	res, err := b.sync(b.t.Context(), &state)
	if err != nil {
		_, _, noteErr := b.postpone(b.t.Context(), state, err)
		b.must(noteErr)
	}
	return res, err
}

// nextTry is how long an entity waits for its next try.
func (b *bundle) nextTry(e store.Entity) time.Duration {
	b.t.Helper()
	state, err := b.store.EntityState(b.t.Context(), e)
	b.must(err)
	return state.NextTry.Sub(b.now())
}

// do is a try that must succeed.
func (b *bundle) do(e store.Entity) *result {
	b.t.Helper()
	res, err := b.try(e)
	b.must(err)
	return res
}

// known does a sync and records its end, with another one already wanted.
func (b *bundle) known(e store.Entity) {
	b.t.Helper()
	for range 2 {
		b.must(b.store.Requeue(b.t.Context(), []store.Entity{e}, false))
	}
	res := b.do(e)
	_, err := b.store.FinishSync(b.t.Context(), nil, store.Finish{
		Entity: e, Wanted: 1, Fingerprint: res.fingerprint, Outcome: res.outcome(), Now: b.now(),
	})
	b.must(err)
}

// posts counts the meeting requests that were asked for.
func (b *bundle) posts() int { return b.ch.Calls()["POST /meeting/tasks"] }

const toOwner = `
- name: Milestone
  on: milestone.changed
  milestone: { name: contact.milestone, date: contact.milestone_date }
  if: milestone.name != "" and milestone.date != nil
  do:
    - event: { title: "{{ milestone.name }}", start: "{{ milestone.date }}", attach: [notes, tags] }
`

func TestAnItemOfThePast(t *testing.T) {
	b := setup(t, toOwner)
	e := b.jane("2030-04-30")
	if res := b.do(e); res.outcome() != store.Skipped || !strings.Contains(res.detail(), "its time has passed") || b.posts() != 0 {
		t.Errorf("it became %s: %s", res.outcome(), res.detail())
	}
	b.setDate(e, "2030-05-02")
	b.do(e)
	if n := len(b.ch.Requests()); n != 1 {
		t.Fatalf("%d requests for a day to come", n)
	}
	t.Run("that was moved there is removed, and not made again", func(t *testing.T) {
		b.setDate(e, "2030-04-30")
		if res := b.do(e); !strings.Contains(res.detail(), "event removed; Milestone: its time has passed") || b.posts() != 1 {
			t.Errorf("it became %s: %s, after %d POSTs", res.outcome(), res.detail(), b.posts())
		}
	})
	t.Run("that is over stays as it was", func(t *testing.T) {
		b.setDate(e, "2030-05-02")
		b.do(e)
		b.set(time.Date(2030, 5, 3, 0, 0, 0, 0, time.UTC))
		b.must(b.hl.AddTags(e.ID, "vip"))
		if res := b.do(e); res.outcome() != store.Unchanged || b.posts() != 2 {
			t.Errorf("it became %s: %s, after %d POSTs", res.outcome(), res.detail(), b.posts())
		}
	})
}

func TestAGuestIsNotMailedForADescription(t *testing.T) {
	testenv.Long(t)
	b := setup(t, strings.Replace(toOwner, "attach:", "invite: contact, attach:", 1))
	e := b.jane("2030-05-02")
	b.do(e)
	b.must(b.hl.AddTags(e.ID, "vip"))
	res := b.do(e)
	if n := len(b.ch.Mails()); n != 1 || !strings.Contains(res.detail(), "waits for the next change") {
		t.Errorf("%d mails, and the outcome says %q", n, res.detail())
	}
	b.setDate(e, "2030-05-03")
	b.do(e)
	requests := b.ch.Requests()
	if len(requests) != 1 || !strings.Contains(requests[0].Description, "vip") {
		t.Errorf("a material change does not bring the description along: %+v", requests)
	}
	b.must(b.hl.UpdateContact(e.ID, func(c *hlfake.Contact) { c.Email = "doe@example.com" }))
	b.do(e)
	if requests := b.ch.Requests(); len(requests) != 1 || requests[0].Invitees[0] != "doe@example.com" {
		t.Errorf("another invitee does not replace the request: %+v", requests)
	}
}

func TestAnUnclearCreateIsLookedForBeforeItIsRepeated(t *testing.T) {
	testenv.Long(t)
	for _, c := range []struct {
		name    string
		fault   fakehttp.Fault
		posts   int
		becomes string
	}{
		{"it arrived", fakehttp.LoseAnswer(), 1, "event adopted"},
		{"it never arrived", fakehttp.FailWith(502), 2, "event created"},
		{"its answer was cut off", fakehttp.MalformedAnswer(), 1, "event adopted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t, toOwner)
			e := b.jane("2030-05-02")
			b.ch.Faults().Next("POST /meeting/tasks", 1, c.fault)
			if res, err := b.try(e); err == nil {
				t.Fatalf("a create without answer ended as %s", res.outcome())
			}
			b.pass(outcome.UnclearSettle - time.Second)
			var w *outcome.Wait
			if _, err := b.try(e); !errors.As(err, &w) || w.For != time.Second {
				t.Errorf("before it has settled: %v", err)
			}
			b.pass(time.Second)
			res := b.do(e)
			if got := b.ch.Requests(); len(got) != 1 || b.posts() != c.posts || !strings.Contains(res.detail(), c.becomes) {
				t.Errorf("%d requests after %d POSTs: %s", len(got), b.posts(), res.detail())
			}
		})
	}
	t.Run("the record no longer wants it", func(t *testing.T) {
		b := setup(t, toOwner)
		e := b.jane("2030-05-02")
		b.ch.Faults().Next("POST /meeting/tasks", 1, fakehttp.LoseAnswer())
		_, _ = b.try(e)
		b.setDate(e, "")
		b.pass(outcome.UnclearSettle)
		b.do(e)
		if n := len(b.ch.Requests()); n != 0 {
			t.Errorf("%d requests are left of a create whose answer was lost", n)
		}
	})
}

func TestACrashAnywhereInACreateLeavesOneRequest(t *testing.T) {
	b := setup(t, toOwner)
	e := b.jane("2030-05-02")
	hold := make(chan struct{})
	armed := b.ch.Faults().Next("POST /meeting/tasks", 1, fakehttp.HoldUntil(hold))
	ctx, kill := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := b.sync(ctx, &store.EntityState{Entity: e})
		ended <- err
	}()
	<-armed.Hit()
	kill()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("a sync that was killed ended with %v", err)
	}
	close(hold)
	for deadline := time.Now().Add(time.Minute); len(b.ch.Requests()) == 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond) // CalendarHero goes on with what nobody waits for
	}
	b.pass(outcome.UnclearSettle)
	b.do(e)
	if n := len(b.ch.Requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestOnlyTheRecordItselfCanBeGone(t *testing.T) {
	testenv.Long(t)
	for _, c := range []struct {
		name string
		arm  func(b *bundle)
	}{
		{"custom fields", func(b *bundle) {
			b.hl.Faults().Next("GET /locations/{locationId}/customFields", -1, fakehttp.FailWith(404))
		}},
		{"the owner of the calendar", func(b *bundle) {
			b.startsOn(b.backedUp()) // or the zone is still known
			b.hl.Faults().Next("GET /locations/{locationId}", -1, fakehttp.FailWith(403))
			b.ch.Faults().Next("GET /user", -1, fakehttp.FailWith(404))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t, toOwner)
			e := b.jane("2030-05-02")
			b.known(e)
			b.pass(profileFresh)
			c.arm(b)
			for range 2 {
				if res, err := b.run(e); err == nil {
					t.Errorf("it ended as %s: %s", res.outcome(), res.detail())
				}
				b.pass(2 * time.Minute)
			}
			if n := len(b.ch.Requests()); n != 1 {
				t.Errorf("%d requests are left", n)
			}
		})
	}
}

func TestGoneIsBelievedTheSecondTime(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	e := b.jane("2030-05-02")
	b.known(e)
	notFound := func() *fakehttp.Armed {
		return b.hl.Faults().Next("GET /contacts/{contactId}", 1, fakehttp.Say(400, `{"statusCode":400,"message":"Contact with id `+e.ID+` not found"}`))
	}
	run := func() (*result, error) { return b.run(e) }
	var waits *outcome.Wait
	notFound()
	if _, err := run(); !errors.As(err, &waits) || b.nextTry(e) < time.Minute {
		t.Fatalf("not found for the first time: %v", err)
	}
	// It is there again, but cannot be carried over: what was believed before counts no more.
	b.setDate(e, "2030-05-03")
	b.pass(time.Minute)
	b.ch.Faults().Next("DELETE /meeting/tasks/{id}", 3, fakehttp.FailWith(503))
	if _, err := run(); err == nil {
		t.Fatal("a failing vendor was not noticed")
	}
	notFound()
	if _, err := run(); !errors.As(err, &waits) || len(b.ch.Requests()) != 1 {
		t.Fatalf("not found for the first time since it was there: %v, %d requests", err, len(b.ch.Requests()))
	}
	notFound()
	b.pass(time.Minute)
	if res, err := run(); err != nil || res.outcome() != store.Gone || len(b.ch.Requests()) != 0 {
		t.Errorf("not found twice: %v, %d requests", err, len(b.ch.Requests()))
	}
}

func TestHowASyncThatFailedIsTriedAgain(t *testing.T) {
	testenv.Long(t)
	for _, c := range []struct {
		name    string
		fault   fakehttp.Fault
		on      string
		outcome string
		wait    time.Duration // 0 = the back-off, which counts
	}{
		{"limited, for a time", fakehttp.RateLimited(40 * time.Second), "POST /meeting/tasks", store.Waiting, 40 * time.Second},
		{"limited, without a word", fakehttp.RateLimited(0), "POST /meeting/tasks", store.Waiting, outcome.RateLimitWait},
		{"limited for longer than a job may wait", fakehttp.RateLimited(5 * time.Hour), "POST /meeting/tasks", store.Waiting, outcome.LongestWait},
		{"refused a token", fakehttp.FailWith(401), "GET /contacts/{contactId}", store.Auth, 0},
		{"refused a scope", fakehttp.FailWith(403), "GET /contacts/{contactId}", store.Auth, 0},
		{"down", fakehttp.FailWith(503), "GET /contacts/{contactId}", store.Retry, 0},
		{"unclear", fakehttp.LoseAnswer(), "POST /meeting/tasks", store.Retry, outcome.UnclearSettle},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t, toOwner)
			e := b.jane("2030-05-02")
			b.must(b.store.Requeue(t.Context(), []store.Entity{e}, false))
			b.hl.Faults().Next(c.on, -1, c.fault)
			b.ch.Faults().Next(c.on, -1, c.fault)
			state, err := b.store.EntityState(t.Context(), e)
			b.must(err)
			_, err = b.sync(t.Context(), &state)
			_, _, err = b.postpone(t.Context(), state, err)
			b.must(err)
			want, counts := c.wait, int64(0)
			if want == 0 {
				want, counts = store.BackoffAfter(0), 1
			}
			if got := b.nextTry(e); got < want || got > want*6/5 {
				t.Errorf("it waits for %s, want %s", got, want)
			}
			after, err := b.store.EntityState(t.Context(), e)
			b.must(err)
			if after.Tries != counts {
				t.Errorf("%d failures are counted, want %d", after.Tries, counts)
			}
			if after.Outcome != c.outcome || after.Done != 0 || after.Detail == "" {
				t.Errorf("the entity is noted as %q (%s), done %d; want %q", after.Outcome, after.Detail, after.Done, c.outcome)
			}
			calls := b.hl.Calls()["GET /contacts/{contactId}"]
			var w *outcome.Wait
			if _, err := b.try(e); c.outcome == store.Waiting && (!errors.As(err, &w) || b.hl.Calls()["GET /contacts/{contactId}"] != calls) {
				t.Errorf("the next job asks a vendor that wants to be left alone: %v", err)
			}
		})
	}
	t.Run("a token that is refused for some minutes", func(t *testing.T) {
		b := setup(t, toOwner)
		state := store.EntityState{Entity: b.jane("2030-05-02")}
		for _, c := range []struct {
			tries int64
			soon  bool
		}{{8, true}, {24, true}, {30, false}} {
			state.Tries = c.tries
			p, _, err := b.postpone(t.Context(), state, &clients.Error{API: highLevelAPI, Reason: clients.Forbidden})
			b.must(err)
			if wait := p.NextTry.Sub(b.now()); (wait < time.Minute) != c.soon {
				t.Errorf("after %d tries it waits for %s", c.tries, wait)
			}
		}
	})
	t.Run("no wait is the longer for a clock that was put back", func(t *testing.T) {
		b := setup(t, toOwner)
		state := store.EntityState{Entity: b.jane("2030-05-02")}
		p, _, err := b.postpone(t.Context(), state, &outcome.Wait{For: 6 * time.Hour, Why: "it settles"})
		b.must(err)
		if p.NextTry.Sub(b.now()) > outcome.LongestWait*6/5 {
			t.Errorf("it waits until %s", p.NextTry)
		}
		state.GoneAt = b.now().Add(6 * time.Hour)
		var w *outcome.Wait
		if err := b.unconfirmed(state, true); !errors.As(err, &w) || w.For > time.Minute || w.Unconfirmed.After(b.now()) {
			t.Errorf("%+v", w)
		}
	})
	t.Run("a shutdown hands the job back at once and notes nothing", func(t *testing.T) {
		b := setup(t, toOwner)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		state := store.EntityState{Entity: b.jane("2030-05-02")}
		_, err := b.sync(ctx, &state)
		var snooze *rivertype.JobSnoozeError
		if _, _, err = b.postpone(ctx, state, err); !errors.As(err, &snooze) || snooze.Duration != 0 {
			t.Errorf("%v", err)
		}
	})
}

// movesTo has HighLevel state another time zone for the location.
func (b *bundle) movesTo(zone string) {
	b.hl.SeedLocation(hlfake.Location{ID: location, Name: "Northwind Realty", TimeZone: zone}, nil, []hlfake.CustomField{
		{ID: "fieldMilestone000001", Name: "Milestone", DataType: "TEXT"}, {ID: "fieldMilestone000002", Name: "Milestone Date", DataType: "DATE"},
	})
}

func TestWhatIsReadBesideTheRecord(t *testing.T) {
	testenv.Long(t)
	t.Run("the calendar's time zone stands in for one that HighLevel will not tell", func(t *testing.T) {
		b := setup(t, toOwner)
		b.hl.Faults().Next("GET /locations/{locationId}", -1, fakehttp.FailWith(403))
		res := b.do(b.jane("2030-05-02"))
		if r := b.ch.Requests(); len(r) != 1 || r[0].Start != time.Date(2030, 5, 2, 13, 0, 0, 0, time.UTC) {
			t.Errorf("9:00 in Toronto became %+v", r)
		}
		if !strings.Contains(res.detail(), "America/Toronto") {
			t.Errorf("the outcome does not say so: %s", res.detail())
		}
	})
	for _, name := range []string{" ", "Local", "UTC+5", "Eastern Standard Time", "../../etc/passwd"} {
		t.Run("the calendar's time zone stands in for the zone "+strconv.Quote(name), func(t *testing.T) {
			b := setup(t, toOwner)
			b.hl.SeedLocation(hlfake.Location{ID: location, Name: "Northwind Realty", TimeZone: name}, nil, []hlfake.CustomField{
				{Name: "Milestone", DataType: "TEXT"}, {Name: "Milestone Date", DataType: "DATE"},
			})
			res := b.do(b.jane("2030-05-02"))
			if r := b.ch.Requests(); len(r) != 1 || r[0].Start != time.Date(2030, 5, 2, 13, 0, 0, 0, time.UTC) {
				t.Errorf("9:00 in Toronto became %+v", r)
			}
			if want := fmt.Sprintf("Milepost reads dates in America/Toronto, the time zone of the CalendarHero account: location %s has no known time zone (%q)", location, name); !strings.Contains(res.detail(), want) {
				t.Errorf("the outcome is %q, want %q in it", res.detail(), want)
			}
		})
		t.Run("UTC stands in where the account has the zone "+strconv.Quote(name)+" too", func(t *testing.T) {
			b := setup(t, toOwner, func(c *chfake.Config) { c.User.TimeZone = name })
			b.hl.SeedLocation(hlfake.Location{ID: location, Name: "Northwind Realty", TimeZone: "Local"}, nil, []hlfake.CustomField{
				{Name: "Milestone", DataType: "TEXT"}, {Name: "Milestone Date", DataType: "DATE"},
			})
			res := b.do(b.jane("2030-05-02"))
			if r := b.ch.Requests(); len(r) != 1 || r[0].Start != time.Date(2030, 5, 2, 9, 0, 0, 0, time.UTC) || !strings.Contains(res.detail(), "Milepost reads dates in UTC") {
				t.Errorf("9:00 in UTC became %+v: %s", r, res.detail())
			}
		})
	}
	t.Run("a time zone that HighLevel stated once stays, also after a restart", func(t *testing.T) {
		b := setup(t, toOwner)
		b.must(b.cfg.Store.SaveConnection(t.Context(), store.Connection{LocationID: location, Source: "settings", State: store.ConnectionActive}, b.cfg.Now()))
		b.movesTo("America/Denver")
		e := b.jane("2030-05-02")
		b.do(e)
		b.movesTo("Local")
		for _, restart := range []bool{false, true} {
			if restart {
				b.start()
			}
			b.pass(profileFresh)
			res := b.do(e)
			if r := b.ch.Requests(); len(r) != 1 || r[0].Start != time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC) {
				t.Errorf("9:00 in Denver became %+v", r)
			}
			if want := "Milepost reads dates in America/Denver, the last time zone that HighLevel stated: location "; !strings.Contains(res.detail(), want) {
				t.Errorf("the outcome is %q, want %q in it", res.detail(), want)
			}
		}
	})
	t.Run("after the location's time zone changed, a sync moves what exists", func(t *testing.T) {
		b := setup(t, toOwner)
		b.movesTo("America/New_York")
		e := b.jane("2030-05-02")
		b.do(e)
		b.movesTo("America/Denver")
		b.pass(profileFresh)
		b.do(e)
		if r := b.ch.Requests(); len(r) != 1 || r[0].Start != time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC) {
			t.Errorf("9:00 in Denver became %+v", r)
		}
	})
	t.Run("a meeting type that the account does not have gives way to its default", func(t *testing.T) {
		b := setup(t, strings.Replace(toOwner, "attach:", "type: brunch, attach:", 1))
		res := b.do(b.jane("2030-05-02"))
		if r := b.ch.Requests(); len(r) != 1 || r[0].Type != "" || !strings.Contains(res.detail(), `no meeting type "brunch"`) {
			t.Errorf("%+v: %s", r, res.detail())
		}
	})
	t.Run("the definitions of custom fields are read once in a while", func(t *testing.T) {
		b := setup(t, toOwner)
		e := b.jane("2030-05-02")
		definitions := func() int { return b.hl.Calls()["GET /locations/{locationId}/customFields"] }
		b.do(e)
		b.do(e)
		if n := definitions(); n != 1 {
			t.Errorf("%d reads for two syncs, want 1", n)
		}
		b.pass(profileFresh)
		b.do(e)
		if n := definitions(); n != 2 {
			t.Errorf("%d reads after they went stale, want 2", n)
		}
	})
}

func TestTheContactIsFoundMergedAndSpared(t *testing.T) {
	testenv.Long(t)
	const contacts = `
- name: Contacts
  on: contact.changed
  if: contact.email != ""
  do:
    - contact: { name: "{{ contact.name }}", emails: ["{{ contact.email }}"], phones: ["{{ contact.phone }}"] }
`
	gone := func(b *bundle, e store.Entity) *result {
		b.must(b.hl.DeleteContact(e.ID))
		res, err := b.sync(t.Context(), &store.EntityState{Entity: e, Wanted: 1, DeletedWanted: 1})
		b.must(err)
		return res
	}
	t.Run("one that was there keeps what HighLevel does not know, and stays", func(t *testing.T) {
		b := setup(t, contacts)
		_, err := b.ch.SeedContact(chfake.Contact{Name: "J. Doe", Email: []string{"old@example.com", "Jane@Example.com"}, Title: "Buyer", Telephone: []string{"+1"}})
		b.must(err)
		e := b.jane("")
		b.do(e)
		got := b.ch.Contacts()
		if len(got) != 1 || got[0].Name != "Jane Doe" || got[0].Title != "Buyer" || len(got[0].Email) != 2 || len(got[0].Telephone) != 1 {
			t.Errorf("it became %+v", got)
		}
		if res := gone(b, e); len(b.ch.Contacts()) != 1 || !strings.Contains(res.detail(), "it existed before") {
			t.Errorf("it went with the HighLevel contact: %s", res.detail())
		}
	})
	t.Run("one that was made here goes", func(t *testing.T) {
		b := setup(t, contacts)
		e := b.jane("")
		b.do(e)
		if gone(b, e); len(b.ch.Contacts()) != 0 {
			t.Errorf("%+v", b.ch.Contacts())
		}
	})
	t.Run("one that another contact shares stays", func(t *testing.T) {
		b := setup(t, contacts)
		e := b.jane("")
		b.do(e)
		b.must(b.hl.DeleteContact(e.ID)) // its event is late
		b.do(b.jane(""))
		if _, err := b.sync(t.Context(), &store.EntityState{Entity: e, Wanted: 1, DeletedWanted: 1}); err != nil || len(b.ch.Contacts()) != 1 {
			t.Errorf("%v: %+v", err, b.ch.Contacts())
		}
	})
	t.Run("one that a person deleted is made again with the next change", func(t *testing.T) {
		b := setup(t, contacts)
		e := b.jane("")
		b.do(e)
		b.must(b.conn().CalendarHero.DeleteContact(t.Context(), b.ch.Contacts()[0].ID))
		b.must(b.hl.UpdateContact(e.ID, func(c *hlfake.Contact) { c.FirstName = "Joan" }))
		if _, err := b.run(e); err == nil || len(b.ch.Contacts()) != 0 {
			t.Errorf("it was made again at once: %+v", b.ch.Contacts())
		}
		b.pass(time.Minute)
		b.do(e)
		if got := b.ch.Contacts(); len(got) != 1 || got[0].Name != "Joan Doe" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("an unclear create is looked for after it has settled", func(t *testing.T) {
		b := setup(t, contacts)
		e := b.jane("")
		b.ch.Faults().Next("POST /contact", 1, fakehttp.LoseAnswer())
		_, _ = b.try(e)
		var w *outcome.Wait
		if _, err := b.try(e); !errors.As(err, &w) {
			t.Errorf("before it has settled: %v", err)
		}
		b.pass(outcome.UnclearSettle)
		b.do(e)
		if n := b.ch.Calls()["POST /contact"]; n != 1 || len(b.ch.Contacts()) != 1 {
			t.Errorf("%d POSTs, %d contacts", n, len(b.ch.Contacts()))
		}
		if gone(b, e); len(b.ch.Contacts()) != 0 {
			t.Error("it was made here, and stayed")
		}
	})
	t.Run("one that a person made after a create failed stays", func(t *testing.T) {
		b := setup(t, contacts)
		e := b.jane("")
		b.ch.Faults().Next("POST /contact", 1, fakehttp.FailWith(500)) // without effect, which nobody can know
		_, _ = b.try(e)
		_, err := b.ch.SeedContact(chfake.Contact{Name: "Jane from the fair", Email: []string{"jane@example.com"}})
		b.must(err)
		b.pass(outcome.UnclearSettle)
		b.do(e)
		if res := gone(b, e); len(b.ch.Contacts()) != 1 || !strings.Contains(res.detail(), "it existed before") {
			t.Errorf("it went with the HighLevel contact: %s", res.detail())
		}
	})
	t.Run("a process that died with the lease holds it for its time only", func(t *testing.T) {
		b := setup(t, contacts)
		e := b.jane("")
		_, err := b.store.Lease(t.Context(), addressLease(b.conn().Account, "Jane@example.com"), "dead", b.now(), b.now().Add(contactLease))
		b.must(err)
		var w *outcome.Wait
		if _, err := b.try(e); !errors.As(err, &w) {
			t.Errorf("while it is held: %v", err)
		}
		b.pass(contactLease + time.Second)
		b.do(e)
	})
	t.Run("a lease that cannot be taken does not tell the address", func(t *testing.T) {
		b := setup(t, contacts)
		e := b.jane("")
		b.must(b.store.InTx(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(t.Context(), `DROP TABLE leases`)
			return err
		}))
		if _, err := b.try(e); err == nil || strings.Contains(err.Error(), "jane") {
			t.Errorf("it says %v", err)
		}
	})
}

func TestARecordThatWasSyncedIsNoNewOneThoughNoFingerprintWasKept(t *testing.T) {
	testenv.Long(t)
	for _, c := range []struct {
		name  string
		state store.EntityState
		after time.Duration // how long before it is believed
	}{
		{"new", store.EntityState{}, 10 * time.Minute},
		{"synced by an earlier version", store.EntityState{SyncedAt: time.Date(2030, 4, 1, 0, 0, 0, 0, time.UTC)}, time.Minute},
		{"read", store.EntityState{Fingerprint: "f"}, time.Minute},
	} {
		b := setup(t, "")
		c.state.GoneAt = b.now()
		b.pass(c.after - time.Second)
		if b.unconfirmed(c.state, true) == nil {
			t.Errorf("%s: believed before %s", c.name, c.after)
		}
		b.pass(2 * time.Second)
		if err := b.unconfirmed(c.state, true); err != nil {
			t.Errorf("%s: after %s: %v", c.name, c.after, err)
		}
	}
}

// conn is the one connection.
func (b *bundle) conn() *connection.Connection { return b.connections.(only).conn }

// item is the link of the one request of an entity.
func (b *bundle) item(e store.Entity) store.Link {
	b.t.Helper()
	links, err := b.store.Links(b.t.Context(), e)
	b.must(err)
	for _, l := range links {
		return l
	}
	b.t.Fatal("there is no link")
	return store.Link{}
}
