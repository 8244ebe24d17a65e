package claim_test

import (
	"bytes"
	"context"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/claim"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

const (
	location = "loc00000000000000001"
	account  = "0123456789abcdef"
	list     = "GET /locations/{locationId}/customValues"
	create   = "POST /locations/{locationId}/customValues"
)

// world is HighLevel with one location, on which several Mileposts may work.
type world struct {
	*testing.T
	hl  *hlfake.Server
	url string
}

func setup(t *testing.T) *world {
	hl := hlfake.New(hlfake.Config{Token: "pit", LocationIDs: []string{location}})
	t.Cleanup(hl.Close)
	hl.SeedLocation(hlfake.Location{ID: location, Name: "Here"}, nil, nil)
	server := httptest.NewServer(hl)
	t.Cleanup(server.Close)
	return &world{t, hl, server.URL}
}

// milepost is one Milepost with its database and its machine.
type milepost struct {
	*claim.Keeper
	*world
	log *bytes.Buffer
}

// new returns a Milepost on a machine and a database; configure may be nil.
func (w *world) new(st *store.Store, machine string, configure func(*claim.Config)) *milepost {
	w.Helper()
	m := &milepost{world: w, log: &bytes.Buffer{}}
	client := highlevel.New(highlevel.Config{BaseURL: w.url, Tokens: highlevel.StaticTokens("pit"), RetryWait: func(int) time.Duration { return 0 }})
	cfg := claim.Config{
		Store: st, Dir: machine, Vendors: w.url, Home: filepath.Dir(machine), Place: machine, Logger: zerolog.New(m.log),
		Pairs: func(context.Context) ([]claim.Pair, error) {
			return []claim.Pair{{Location: location, Account: account}}, nil
		},
		Client: func(context.Context, claim.Pair) (*highlevel.Client, error) { return client, nil },
	}
	if configure != nil {
		configure(&cfg)
	}
	k, err := claim.New(w.Context(), cfg)
	if err != nil {
		w.Fatal(err)
	}
	m.Keeper = k
	w.Cleanup(func() { runtime.KeepAlive(m) }) // the garbage collector would close the lock file, and so unlock it
	return m
}

// database returns a new database.
func (w *world) database() *store.Store {
	w.Helper()
	st, err := store.OpenSQLite(w.Context(), testdb.DataDir(w))
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { st.Close() })
	return st
}

func takeOver(c *claim.Config) { c.TakeOver = true }

// starts starts a Milepost, which must then be allowed to write.
func (m *milepost) starts() {
	m.Helper()
	if err := m.Start(m.Context()); err != nil {
		m.Fatal(err)
	}
	if err := m.may(); err != nil {
		m.Fatalf("it may not write: %v", err)
	}
}

func (m *milepost) may() error { return m.Permit(m.Context(), location, account) }

// isRefused starts a Milepost, which must report the other one.
func (m *milepost) isRefused() {
	m.Helper()
	err := m.Start(m.Context())
	if err == nil {
		m.Fatal("it starts beside another Milepost")
	}
	for _, text := range []string{location, "on host ", " since 20", "--take-over"} {
		if !strings.Contains(err.Error(), text) {
			m.Errorf("the error %q lacks %q", err, text)
		}
	}
	if err := m.may(); clients.ReasonOf(err) != clients.RateLimited {
		m.Errorf("it may write nevertheless: %v", err)
	}
}

func TestASecondMilepostOnAnotherMachineMustNotStart(t *testing.T) {
	testenv.Long(t)
	w := setup(t)
	first := w.new(w.database(), t.TempDir(), nil)
	first.starts()
	w.new(w.database(), t.TempDir(), nil).isRefused()
	w.new(w.database(), "", nil).isRefused() // a Milepost without a lock directory
	first.Later(2 * time.Minute)
	if err := first.may(); err != nil {
		t.Errorf("the first may not write any more: %v", err)
	}
}

func TestAMilepostStopsWhenAnotherMachineTakesOver(t *testing.T) {
	w := setup(t)
	first := w.new(w.database(), t.TempDir(), nil)
	first.starts()
	second := w.new(w.database(), t.TempDir(), takeOver)
	if err := second.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := second.may(); err == nil {
		t.Error("the second writes before the first must have noticed")
	}
	first.Later(61 * time.Second)
	if err := first.may(); err == nil || !first.Elsewhere(location, account) || first.Lost() == nil {
		t.Errorf("a minute later the first still writes: %v", err)
	}
	if !strings.Contains(first.log.String(), "another Milepost took over") {
		t.Errorf("it does not say why: %s", first.log)
	}
	second.Later(71 * time.Second)
	if err := second.may(); err != nil {
		t.Errorf("then the second does not write: %v", err)
	}
	// TakeOver applies once: nobody takes over without it.
	third := w.new(w.database(), t.TempDir(), takeOver)
	if err := third.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	second.Later(2 * time.Minute)
	if err := second.may(); err == nil {
		t.Error("the second took over once more from the third")
	}
	if n := len(w.hl.CustomValues(location)); n != 1 {
		t.Errorf("%d custom values are there, want 1", n)
	}
}

func TestASecondMilepostOnTheSameMachineStartsOnlyByTakingOver(t *testing.T) {
	w := setup(t)
	w.hl.LimitToken("pit", "contacts.readonly") // only the lock file shows the other Milepost
	machine := t.TempDir()
	first := w.new(w.database(), machine, func(c *claim.Config) { c.Home = "/first" })
	first.starts()
	second := func(configure func(*claim.Config)) *milepost {
		return w.new(w.database(), machine, func(c *claim.Config) {
			c.Home = "/second"
			configure(c)
		})
	}
	refused := second(func(*claim.Config) {})
	refused.isRefused()
	if err := refused.Start(t.Context()); !strings.Contains(err.Error(), "/first") {
		t.Errorf("the error does not tell the other's data directory: %v", err)
	}
	heir := second(takeOver)
	if err := heir.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := first.may(); err == nil || first.Lost() == nil {
		t.Errorf("the first still writes: %v", err)
	}
	if err := heir.may(); err == nil {
		t.Error("the second writes while calls of the first may be under way")
	}
	heir.Later(12 * time.Second)
	if err := heir.may(); err != nil {
		t.Errorf("the second does not write: %v", err)
	}
	first.Close(t.Context())
	w.new(w.database(), machine, func(c *claim.Config) { c.Home = "/first" }).isRefused()
}

func TestAfterACrashMilepostContinuesAtOnceButACopyDoesNot(t *testing.T) {
	w := setup(t)
	st, machine := w.database(), t.TempDir()
	first := w.new(st, machine, nil)
	first.starts()
	first.Die()
	w.new(st, t.TempDir(), func(c *claim.Config) { c.Place = "copied" }).isRefused()
	w.new(st, t.TempDir(), func(c *claim.Config) { c.Place = machine }).starts() // a new container on the same volume
	w.new(st, machine, nil).starts()
}

func TestALostDatabaseOnTheSameMachineDoesNotLookLikeAnotherMilepost(t *testing.T) {
	w := setup(t)
	machine := t.TempDir()
	first := w.new(w.database(), machine, func(c *claim.Config) { c.Home = "/one" })
	first.starts()
	first.Die()
	next := w.new(w.database(), machine, func(c *claim.Config) { c.Home, c.Place = "/two", "new" })
	next.starts()
	next.Later(2 * time.Minute)
	if err := next.may(); err != nil {
		t.Errorf("later it takes its own claim for another's: %v", err)
	}
}

func TestAStoppedMilepostLeavesNoClaim(t *testing.T) {
	w := setup(t)
	machine := t.TempDir()
	first := w.new(w.database(), machine, nil)
	first.starts()
	first.Close(t.Context())
	if n := len(w.hl.CustomValues(location)); n != 0 {
		t.Errorf("%d custom values are left", n)
	}
	if left, _ := filepath.Glob(filepath.Join(machine, "*", "*")); len(left) > 0 {
		t.Errorf("lock files are left: %v", left)
	}
	w.new(w.database(), t.TempDir(), nil).starts()
}

func TestTheClaimOfADeadMilepostExpires(t *testing.T) {
	w := setup(t)
	first := w.new(w.database(), t.TempDir(), nil)
	first.starts()
	v := w.hl.CustomValues(location)[0]
	client := highlevel.New(highlevel.Config{BaseURL: w.url, Tokens: highlevel.StaticTokens("pit")})
	if err := client.UpdateCustomValue(t.Context(), location, v.ID, v.Name, `{"milepost":"dead","until":"2020-01-01T00:00:00Z"}`); err != nil {
		t.Fatal(err)
	}
	next := w.new(w.database(), t.TempDir(), nil)
	if err := next.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	next.Later(71 * time.Second) // in case another one took it at the same moment
	if err := next.may(); err != nil {
		t.Error(err)
	}
}

func TestWorkContinuesWithoutTheScopeForClaims(t *testing.T) {
	w := setup(t)
	w.hl.LimitToken("pit", slices.DeleteFunc(slices.Clone(hlfake.AllScopes), func(s string) bool { return s == "locations/customValues.write" })...)
	m := w.new(w.database(), t.TempDir(), nil)
	m.starts()
	m.Later(20 * time.Minute)
	if err := m.may(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(m.log.String(), "cannot check"); n != 1 {
		t.Errorf("it is logged %d times that the check cannot be made, want once: %s", n, m.log)
	}
}

func TestNothingIsWrittenBeforeTheFirstCheckAtHighLevel(t *testing.T) {
	w := setup(t)
	w.hl.Faults().Next(list, 6, fakehttp.FailWith(503)) // two calls, each tried three times
	m := w.new(w.database(), t.TempDir(), nil)
	if err := m.Start(t.Context()); err != nil {
		t.Fatal("it does not start while HighLevel is away: ", err)
	}
	if err := m.may(); clients.ReasonOf(err) != clients.RateLimited {
		t.Errorf("it writes unseen: %v", err)
	}
	if err := m.may(); err != nil {
		t.Errorf("it does not write once HighLevel answers: %v", err)
	}
	// After that, an outage stops nothing while the claim lasts.
	w.hl.Faults().Next(list, 3, fakehttp.FailWith(503))
	m.Later(2 * time.Minute)
	if err := m.may(); err != nil {
		t.Errorf("an outage stops work: %v", err)
	}
}

func TestOfTwoClaimsAtOnceOneWins(t *testing.T) {
	testenv.Long(t)
	w := setup(t)
	for range 10 {
		both := []*milepost{w.new(w.database(), t.TempDir(), nil), w.new(w.database(), t.TempDir(), nil)}
		var start sync.WaitGroup
		for _, m := range both {
			start.Go(func() { _ = m.Start(t.Context()) })
		}
		start.Wait()
		permitted := func() (n int) {
			for _, m := range both {
				if m.may() == nil {
					n++
				}
			}
			return n
		}
		if n := permitted(); n > 1 {
			t.Fatal("both write at once")
		}
		for range 2 {
			for _, m := range both {
				m.Later(71 * time.Second)
				_ = m.may() // makes the check
			}
		}
		if n := permitted(); n != 1 {
			t.Fatalf("%d of two go on, want 1", n)
		}
		for _, m := range both {
			m.Close(t.Context())
		}
	}
}

func TestALostAnswerLosesNoClaim(t *testing.T) {
	w := setup(t)
	w.hl.Faults().Next(create, 1, fakehttp.LoseAnswer())
	m := w.new(w.database(), t.TempDir(), nil)
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := m.may(); err != nil {
		t.Fatal(err)
	}
	if n := len(w.hl.CustomValues(location)); n != 1 {
		t.Errorf("%d custom values are there, want 1", n)
	}
}

func TestTheCheckCostsFewCalls(t *testing.T) {
	w := setup(t)
	m := w.new(w.database(), t.TempDir(), nil)
	m.starts()
	for range 1000 {
		if err := m.may(); err != nil {
			t.Fatal(err)
		}
	}
	calls := func() (n int) {
		for operation, times := range w.hl.Calls() {
			if strings.Contains(operation, "customValues") {
				n += times
			}
		}
		return n
	}
	if n := calls(); n > 3 {
		t.Errorf("a start and a burst of writes cost %d calls, want 3", n)
	}
	before := calls()
	for range 60 { // an hour of work without a pause
		m.Later(time.Minute)
		if err := m.may(); err != nil {
			t.Fatal(err)
		}
	}
	if n := calls() - before; n > 70 {
		t.Errorf("a busy hour costs %d calls", n)
	}
}

func TestProcessesOfOnePostgreSQLAreOneMilepost(t *testing.T) {
	w := setup(t)
	url := testdb.Postgres(t)
	open := func() *store.Store {
		st, err := store.OpenPostgres(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
		return st
	}
	one, two, three := open(), open(), open()
	place, err := one.Place(t.Context())
	if err != nil || place == "" {
		t.Fatal(place, err)
	}
	shared := func(c *claim.Config) { c.Home, c.Place = "", place }
	machine := t.TempDir()
	all := []*milepost{w.new(one, machine, shared), w.new(two, machine, shared), w.new(three, t.TempDir(), shared)}
	for range 3 {
		for _, m := range all {
			m.starts()
			m.Later(20 * time.Minute)
		}
	}
	if n := len(w.hl.CustomValues(location)); n != 1 {
		t.Errorf("%d custom values are there, want 1", n)
	}
}
