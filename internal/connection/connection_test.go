package connection_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/connection"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/secret"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

const (
	agency   = "GNb7aIv4rQFVb9iwNl5K"
	north    = "ve9EPM428h8vShlRW1KT"
	south    = "HjiMUOsCCHCjtxzEf8PR"
	clientID = "6878cec452e7c8d29d4dd3d9-test"
	secretOf = "client-secret-of-the-test"
)

// clock is a time that the test moves.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// bundle is a fake HighLevel with an app, and the processes that are connected to it.
type bundle struct {
	t     *testing.T
	hl    *hlfake.Server
	url   string
	ring  *secret.Ring
	clock *clock
	log   *strings.Builder
	logTo io.Writer // the log, for any number of processes at once
	open  func() *store.Store
}

// onEachBackend runs a test on SQLite and on PostgreSQL.
func onEachBackend(t *testing.T, test func(t *testing.T, b *bundle)) {
	t.Helper()
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		dir := testdb.DataDir(t)
		test(t, setup(t, func() (*store.Store, error) { return store.OpenSQLite(t.Context(), dir) }))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		url := testdb.Postgres(t)
		test(t, setup(t, func() (*store.Store, error) { return store.OpenPostgres(t.Context(), url) }))
	})
}

func setup(t *testing.T, open func() (*store.Store, error)) *bundle {
	t.Helper()
	ring, err := secret.ParseRing(secret.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{t: t, ring: ring, clock: &clock{}, log: &strings.Builder{}}
	b.logTo = zerolog.SyncWriter(b.log)
	b.hl = hlfake.New(hlfake.Config{Clock: b.clock.now})
	t.Cleanup(b.hl.Close)
	b.hl.AddApp(hlfake.OAuthApp{ClientID: clientID, ClientSecret: secretOf})
	for _, id := range []string{north, south} {
		b.hl.SeedLocation(hlfake.Location{ID: id, CompanyID: agency, Name: "Northwind", TimeZone: "America/New_York"}, nil, nil)
	}
	server := httptest.NewServer(b.hl)
	t.Cleanup(server.Close)
	b.url = server.URL
	b.open = func() *store.Store {
		st, err := open()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = st.Close() })
		if _, err := st.NewQueue(store.QueueConfig{Logger: slog.New(slog.DiscardHandler)}); err != nil {
			t.Fatal(err)
		}
		return st
	}
	return b
}

// process opens the registry as a process of its own does.
func (b *bundle) process(change ...func(*connection.Config)) *connection.Registry {
	b.t.Helper()
	cfg := connection.Config{
		Store: b.open(), Ring: b.ring,
		App: highlevel.NewApp(highlevel.AppConfig{
			ClientID: clientID, ClientSecret: secretOf, BaseURL: b.url, Now: b.clock.now,
			RetryWait: func(int) time.Duration { return 0 },
		}),
		HighLevel: highlevel.Config{BaseURL: b.url, RetryWait: func(int) time.Duration { return 0 }, Now: b.clock.now},
		Settings:  connection.Settings{CalendarHeroToken: "calendarhero"},
		Logger:    zerolog.New(b.logTo), Now: b.clock.now,
	}
	for _, c := range change {
		c(&cfg)
	}
	r := connection.Open(cfg)
	b.must(r.CheckKeys(b.t.Context()))
	return r
}

// authorize installs the app as a person does and gives the grant to a process.
func (b *bundle) authorize(r *connection.Registry, i hlfake.Installation) (locations []string, follow []store.Entity) {
	b.t.Helper()
	i.ClientID = clientID
	code, err := b.hl.Install(i)
	b.must(err)
	grant, err := r.App.Exchange(b.t.Context(), code, highlevel.UserTypeLocation)
	b.must(err)
	connections, follow, err := r.Authorized(b.t.Context(), grant)
	b.must(err)
	log, err := r.Store.AuditPage(b.t.Context(), 0, 1)
	b.must(err)
	if len(log) == 0 || log[0].What != "connected by OAuth" {
		b.t.Errorf("the audit log does not say that somebody connected: %+v", log)
	}
	for _, c := range connections {
		locations = append(locations, c.LocationID)
	}
	return locations, follow
}

func (b *bundle) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// call reads the location by its own connection.
func (b *bundle) call(r *connection.Registry, location string) error {
	conn, err := r.Lookup(b.t.Context(), location)
	if err != nil {
		return err
	}
	_, err = conn.HighLevel.Location(b.t.Context(), location)
	return err
}

func (b *bundle) state(r *connection.Registry, location string) store.Connection {
	b.t.Helper()
	c, _, err := r.Store.Connection(b.t.Context(), location)
	b.must(err)
	return c
}

func TestALocationThatAPersonConnectsIsServed(t *testing.T) {
	onEachBackend(t, func(t *testing.T, b *bundle) {
		r := b.process()
		if err := b.call(r, north); !errors.As(err, new(*connection.NotConnected)) {
			t.Fatalf("before it is connected: %v, want Absent", err)
		}
		if locations, follow := b.authorize(r, hlfake.Installation{Locations: []string{north}}); !slices.Equal(locations, []string{north}) || len(follow) != 0 {
			t.Errorf("connected %v, to follow %v", locations, follow)
		}
		b.must(b.call(r, north))
		b.must(b.call(b.process(), north)) // another process, or the same after a restart
		if c := b.state(r, north); c.State != store.ConnectionActive || c.Source != connection.FromOAuth || c.CompanyID != agency || c.Name != "Northwind" {
			t.Errorf("the connection is %+v", c)
		}
		if g, ok, err := r.Granted(t.Context(), north); err != nil || !ok || !slices.Contains(g.Scopes, "contacts.readonly") || g.Since.IsZero() || !g.Expires.After(g.Since) {
			t.Errorf("it granted %+v, %v", g, err)
		}
		if g, ok, err := r.Granted(t.Context(), "another"); err != nil || ok {
			t.Errorf("a location that granted none granted %+v, %v", g, err)
		}
		if called, err := r.Store.LastCalls(t.Context()); err != nil || called[connection.LocationLane(north)].IsZero() {
			t.Errorf("the calls that succeeded: %v, %v", called, err)
		}
	})
}

func TestAnExpiredTokenIsRefreshedOnceByManyProcessesAtOnce(t *testing.T) {
	onEachBackend(t, func(t *testing.T, b *bundle) {
		first := b.process()
		b.authorize(first, hlfake.Installation{Locations: []string{north}})
		processes := []*connection.Registry{first, b.process(), b.process()}
		for round := 1; round <= 3; round++ {
			b.clock.advance(24 * time.Hour)
			var wg sync.WaitGroup
			for i := range 24 {
				wg.Go(func() {
					if err := b.call(processes[i%len(processes)], north); err != nil {
						t.Errorf("round %d: %v", round, err)
					}
				})
			}
			wg.Wait()
			if n := b.hl.Refreshes(north); n.Rotated != round || n.Repeated != 0 || n.Refused != 0 {
				t.Fatalf("round %d: %+v; want one refresh a round, whatever the number of processes", round, n)
			}
		}
	})
}

func TestATokenThatIsRefusedBeforeItsTimeIsRefreshedAndTheCallRepeated(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		r := b.process()
		b.authorize(r, hlfake.Installation{Locations: []string{north}})
		conn, err := r.Lookup(t.Context(), north)
		b.must(err)
		b.hl.ExpireToken(b.accessToken(r, north))
		_, err = conn.HighLevel.Location(t.Context(), north)
		b.must(err)
		if n := b.hl.Refreshes(north); n.Rotated != 1 {
			t.Errorf("%+v, want one refresh", n)
		}
	})
}

// accessToken opens what is stored, as nobody but a test does.
func (b *bundle) accessToken(r *connection.Registry, location string) string {
	b.t.Helper()
	name := "grant/location/" + location
	sealed, err := r.Store.Secret(b.t.Context(), name)
	b.must(err)
	plain, err := b.ring.Open(sealed, name)
	b.must(err)
	_, rest, _ := strings.Cut(string(plain), `"AccessToken":"`)
	token, _, _ := strings.Cut(rest, `"`)
	return token
}

func TestAPausedLocationKeepsItsGrantAndComesBack(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		r := b.process()
		b.authorize(r, hlfake.Installation{Locations: []string{north}})
		b.hl.SetLocationActive(north, false)
		b.clock.advance(25 * time.Hour)
		for range 5 {
			if err := b.call(r, north); clients.ReasonOf(err) != clients.Inactive {
				t.Fatalf("%v, want Inactive", err)
			}
		}
		if n := b.hl.Refreshes(north); n.Refused != 1 {
			t.Errorf("%d refused refreshes; many jobs must not each ask again", n.Refused)
		}
		if c := b.state(r, north); c.State != store.ConnectionSuspended || !strings.Contains(c.Problem, "not active") {
			t.Errorf("the connection is %+v", c)
		}
		b.hl.SetLocationActive(north, true)
		b.clock.advance(time.Minute)
		b.must(b.call(r, north))
		if c := b.state(r, north); c.State != store.ConnectionActive || c.Problem != "" {
			t.Errorf("the connection is %+v", c)
		}
	})
}

func TestALostGrantIsMintedAnewFromTheAgency(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		r := b.process()
		b.connectAgency(r, north)
		b.clock.advance(366 * 24 * time.Hour) // every refresh token is too old
		b.authorize(r, hlfake.Installation{CompanyID: agency, Locations: []string{north}})
		b.must(b.call(r, north))
	})
}

// connectAgency installs the app at an agency and follows what is to be done.
func (b *bundle) connectAgency(r *connection.Registry, locations ...string) {
	b.t.Helper()
	_, follow := b.authorize(r, hlfake.Installation{CompanyID: agency, Locations: locations})
	for _, e := range follow {
		if _, err := r.Installed(b.t.Context(), e, highlevel.Event{}); err != nil {
			b.t.Fatal(err)
		}
	}
}

func TestARefusedGrantWithoutAnAgencyIsBrokenAndSaysWhatToDo(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		r := b.process()
		b.authorize(r, hlfake.Installation{Locations: []string{north}})
		b.clock.advance(366 * 24 * time.Hour)
		if err := b.call(r, north); clients.ReasonOf(err) != clients.Unauthorized {
			t.Fatalf("%v, want Unauthorized", err)
		}
		if c := b.state(r, north); c.State != store.ConnectionBroken || !strings.Contains(c.Problem, "/oauth/highlevel/install") {
			t.Errorf("the connection is %+v", c)
		}
		b.authorize(r, hlfake.Installation{Locations: []string{north}}) // the person connects it again
		b.must(b.call(r, north))
		if c := b.state(r, north); c.State != store.ConnectionActive {
			t.Errorf("the connection is %+v", c)
		}
	})
}

func TestAnAgencysLocationsAreConnectedWhicheverComesFirst(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		r := b.process()
		event := highlevel.Event{Type: "INSTALL", LocationID: north, CompanyID: agency}
		entity := store.Entity{LocationID: north, Kind: store.KindInstall, ID: north}
		if _, err := r.Installed(t.Context(), entity, event); !errors.Is(err, connection.ErrPending) {
			t.Fatalf("INSTALL before the code was exchanged: %v, want ErrPending", err)
		}
		if err := b.call(r, north); !errors.As(err, new(*connection.NotConnected)) {
			t.Errorf("while the authorization is awaited: %v", err)
		}
		locations, follow := b.authorize(r, hlfake.Installation{CompanyID: agency, Locations: []string{north, south}, Future: true})
		if !slices.Equal(locations, []string{south, north}) && !slices.Equal(locations, []string{north, south}) {
			t.Fatalf("the agency's locations are %v", locations)
		}
		for _, e := range follow {
			if o, err := r.Installed(t.Context(), e, highlevel.Event{}); err != nil || o.Did == "" {
				t.Errorf("%v: %+v, %v", e, o, err)
			}
		}
		for _, id := range []string{north, south} {
			b.must(b.call(r, id))
		}
		if o, err := r.Installed(t.Context(), entity, event); err != nil || o.Did != "" {
			t.Errorf("a repeated INSTALL did %+v, %v", o, err)
		}
		later := b.hl.AddLocation(hlfake.Location{ID: "laterLocation00000001", CompanyID: agency, Name: "Later", TimeZone: "UTC"}, nil, nil)
		e := store.Entity{LocationID: later.ID, Kind: store.KindInstall, ID: later.ID}
		if o, err := r.Installed(t.Context(), e, highlevel.Event{Type: "INSTALL", LocationID: later.ID, CompanyID: agency}); err != nil || o.Did == "" {
			t.Errorf("a location added later: %+v, %v", o, err)
		}
		b.must(b.call(r, later.ID))
	})
}

func TestAnUninstallDropsTheTokensAndAnOldOneNothing(t *testing.T) {
	onEachBackend(t, func(t *testing.T, b *bundle) {
		r := b.process()
		b.connectAgency(r, north, south)
		entity := store.Entity{LocationID: north, Kind: store.KindInstall, ID: north}
		old := highlevel.Event{Type: "UNINSTALL", LocationID: north, Deleted: true, Timestamp: b.clock.now().Add(-time.Hour)}
		if o, err := r.Installed(t.Context(), entity, old); err != nil || o.Did != "" {
			t.Errorf("an uninstall from before the installation did %+v, %v", o, err)
		}
		b.must(b.call(r, north))
		b.clock.advance(time.Second)
		now := old
		now.Timestamp = b.clock.now()
		if o, err := r.Installed(t.Context(), entity, now); err != nil || o.Did == "" {
			t.Errorf("the uninstall did %+v, %v", o, err)
		}
		if err := b.call(r, north); !errors.As(err, new(*connection.NotConnected)) || !strings.Contains(err.Error(), "uninstalled") {
			t.Errorf("after the uninstall: %v", err)
		}
		if sealed, err := r.Store.Secret(t.Context(), "grant/location/"+north); sealed != "" || err != nil {
			t.Errorf("the grant is still stored (%v)", err)
		}
		b.must(b.call(r, south)) // the other location is not concerned
		whole := highlevel.Event{Type: "UNINSTALL", CompanyID: agency, Deleted: true, Timestamp: b.clock.now()}
		if o, err := r.Installed(t.Context(), store.Entity{Kind: store.KindInstall, ID: agency}, whole); err != nil || o.Did == "" {
			t.Errorf("the agency's uninstall did %+v, %v", o, err)
		}
		if err := b.call(r, south); !errors.As(err, new(*connection.NotConnected)) {
			t.Errorf("after the agency's uninstall: %v", err)
		}
		if keys, err := r.Store.SecretKeys(t.Context()); err != nil || len(keys) != 0 {
			t.Errorf("secrets are left: %v, %v", keys, err)
		}
	})
}

func TestTokensAreRotatedWithOverlapAndTheirAgeIsTold(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		r := b.process()
		b.hl.AddToken("pit-old", north)
		b.must(r.Set(t.Context(), north, "pit-old", ""))
		b.must(b.call(r, north))
		b.clock.advance(79 * 24 * time.Hour)
		age, rotate, ok, err := r.TokenAge(t.Context(), b.state(r, north))
		if err != nil || !ok || rotate || age < 79*24*time.Hour || age > 80*24*time.Hour {
			t.Errorf("after 79 days: age %v, rotate %v, ok %v, %v", age, rotate, ok, err)
		}
		b.clock.advance(2 * 24 * time.Hour)
		if _, rotate, ok, err = r.TokenAge(t.Context(), b.state(r, north)); !ok || !rotate || err != nil {
			t.Errorf("after 81 days: rotate %v, ok %v, %v", rotate, ok, err)
		}
		b.must(r.WarnOfOldTokens(t.Context()))
		if !strings.Contains(b.log.String(), "rotate the Private Integration Token") || strings.Contains(b.log.String(), "pit-old") {
			t.Errorf("the log says %s", b.log)
		}
		b.must(r.Set(t.Context(), north, "pit-new", "")) // HighLevel does not take it yet
		b.must(b.call(r, north))
		b.hl.AddToken("pit-new", north)
		b.hl.RevokeToken("pit-old")
		b.must(b.call(r, north))
		if _, rotate, _, err = r.TokenAge(t.Context(), b.state(r, north)); rotate || err != nil {
			t.Errorf("a new token is to be rotated: %v", err)
		}
	})
}

func TestALocationHasACalendarHeroAccountOfItsOwnOrTheOneOfAll(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		r := b.process(func(c *connection.Config) { c.Settings.CalendarHeroToken = "" })
		b.hl.AddToken("pit", north)
		b.must(r.Set(t.Context(), north, "pit", ""))
		if _, err := r.Lookup(t.Context(), north); !errors.As(err, new(*connection.NotConnected)) || !strings.Contains(err.Error(), "CalendarHero") {
			t.Errorf("without any account: %v", err)
		}
		b.must(r.Set(t.Context(), north, "", "its-own"))
		first, err := r.Lookup(t.Context(), north)
		b.must(err)
		b.clock.advance(2 * time.Second)
		again, err := r.Lookup(t.Context(), north)
		if err != nil || again != first {
			t.Errorf("an unchanged connection became another: %v", err)
		}
		b.must(r.Set(t.Context(), north, "", "another"))
		if next, err := r.Lookup(t.Context(), north); err != nil || next == first {
			t.Errorf("a changed connection stayed the same: %v", err)
		}
		if err := r.Set(t.Context(), south, "", "x"); err == nil {
			t.Error("an account was given to a location that is not connected")
		}
	})
}

func TestEverySecretIsEncryptedAgainWhileProcessesRun(t *testing.T) {
	onEachBackend(t, func(t *testing.T, b *bundle) {
		old, young := secret.GenerateKey(), secret.GenerateKey()
		ring := func(text string) *secret.Ring {
			parsed, err := secret.ParseRing(text)
			b.must(err)
			return parsed
		}
		b.ring = ring(old)
		running := b.process()
		b.authorize(running, hlfake.Installation{Locations: []string{north}})
		b.hl.AddToken("pit", south)
		b.must(running.Set(t.Context(), south, "pit", "calendar"))
		b.ring = ring(young + "," + old)
		rotating := b.process()
		n, err := rotating.EncryptAgain(t.Context())
		if err != nil || n != 3 {
			t.Errorf("%d secrets, %v; want 3", n, err)
		}
		keys, err := rotating.Store.SecretKeys(t.Context())
		if err != nil || len(keys) != 1 || keys[b.ring.Primary()] != 3 {
			t.Errorf("keys in use: %v, %v", keys, err)
		}
		b.clock.advance(25 * time.Hour)
		b.must(b.call(rotating, north))
		b.ring = ring(young)
		b.must(b.call(b.process(), north))
		// Who has the old key alone is told so, and does not start.
		err = connection.Open(connection.Config{Store: b.open(), Ring: ring(old)}).CheckKeys(t.Context())
		if !errors.Is(err, secret.ErrUnknownKey) || !strings.Contains(err.Error(), b.ring.Primary()) {
			t.Errorf("with the old key alone: %v", err)
		}
	})
}

func TestNoTokenIsReadableInTheDatabase(t *testing.T) {
	onEachBackend(t, func(t *testing.T, b *bundle) {
		r := b.process()
		b.connectAgency(r, north)
		b.hl.AddToken("pit-readable", south)
		b.must(r.Set(t.Context(), south, "pit-readable", "calendar-readable"))
		token := b.accessToken(r, north)
		if len(token) < 20 {
			t.Fatalf("the token was not found: %q", token)
		}
		for _, name := range []string{"grant/company/" + agency, "grant/location/" + north, "highlevel-tokens/" + south, "calendarhero-token/" + south} {
			sealed, err := r.Store.Secret(context.Background(), name)
			if err != nil || sealed == "" {
				t.Errorf("%s is not there: %v", name, err)
			}
			for _, plain := range []string{token, "pit-readable", "calendar-readable", "AccessToken"} {
				if strings.Contains(sealed, plain) {
					t.Errorf("%s shows %q", name, plain)
				}
			}
		}
	})
}

func TestARenewedPairThatCannotBeStoredIsKeptAndStoredLater(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		r := b.process()
		b.authorize(r, hlfake.Installation{Locations: []string{north}})
		b.clock.advance(24 * time.Hour)
		hold := make(chan struct{})
		armed := b.hl.Faults().Next("POST /oauth/token", 1, fakehttp.HoldUntil(hold))
		called := make(chan error, 1)
		go func() { called <- b.call(r, north) }()
		<-armed.Hit()
		// The database refuses what comes of it.
		rename := func(from, to string) {
			_, err := r.Store.Exec(t.Context(), "ALTER TABLE "+from+" RENAME TO "+to)
			b.must(err)
		}
		rename("secrets", "secrets_away")
		close(hold)
		if err := <-called; err == nil {
			t.Error("a token was used that could not be stored")
		}
		rename("secrets_away", "secrets")
		b.must(b.call(r, north))
		if n := b.hl.Refreshes(north); n.Rotated != 1 || n.Refused != 0 {
			t.Errorf("%+v, want the one refresh: its pair was in memory", n)
		}
		b.clock.advance(25 * time.Hour)
		b.must(b.call(b.process(), north)) // and it was stored
	})
}

func TestALocationThatIsRemovedDuringARefreshStaysRemoved(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		r := b.process()
		b.authorize(r, hlfake.Installation{Locations: []string{north}})
		b.clock.advance(366 * 24 * time.Hour)
		hold := make(chan struct{})
		armed := b.hl.Faults().Next("POST /oauth/token", 1, fakehttp.HoldUntil(hold))
		called := make(chan error, 1)
		go func() { called <- b.call(r, north) }()
		<-armed.Hit()
		_, err := r.Remove(t.Context(), north)
		b.must(err)
		close(hold)
		<-called
		if c := b.state(r, north); c.State != store.ConnectionRemoved {
			t.Errorf("the connection is %+v", c)
		}
	})
}

func TestAnInstallThatIsToldTwiceAtOnceLeavesAConnectedLocationConnected(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		r := b.process()
		b.connectAgency(r, north)
		save := store.Connection{LocationID: north, CompanyID: agency, Source: connection.FromOAuth, Problem: "waits"}
		if pending, err := r.Store.SavePending(t.Context(), save, time.Now()); err != nil || pending {
			t.Errorf("a connected location became pending: %v, %v", pending, err)
		}
		if c := b.state(r, north); c.State != store.ConnectionActive || c.Problem != "" {
			t.Errorf("the connection is %+v", c)
		}
	})
}
