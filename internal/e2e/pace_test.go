package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"milepost/internal/app"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
)

// slowPlace is a world with two connected locations. What HighLevel, or
// CalendarHero, does with requests about the first one is up to the test.
type slowPlace struct {
	*world
	mu     sync.Mutex
	broken map[string]bool // contact ids
	hangs  string          // a path that hangs; "" = none
	// hangsToken is the CalendarHero account that hangs; others are passed off as the fake's.
	hangsToken string
	release    chan struct{} // closed when requests hang no longer
	hung       atomic.Int64  // requests that hang
	most       atomic.Int64  // the most that did at once
}

func newSlowPlace(t *testing.T, answer func(http.ResponseWriter, *http.Request, *slowPlace), configure ...func(*world, *hlfake.Config)) *slowPlace {
	s := &slowPlace{broken: map[string]bool{}, release: make(chan struct{})}
	s.world = oauthWorld(t, append(configure, func(w *world, _ *hlfake.Config) {
		w.cfg.HTTP = &http.Client{Timeout: time.Hour} // nothing ends what hangs, however slow this machine is
		w.before = func(rw http.ResponseWriter, r *http.Request) bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			token := r.Header.Get("Authorization")
			if s.hangs != "" && r.URL.Path == s.hangs || s.hangsToken != "" && token == s.hangsToken {
				s.mu.Unlock()
				hang(rw, r, s)
				s.mu.Lock()
				return true
			}
			if token == "other-account" {
				r.Header.Set("Authorization", chToken)
			}
			for id := range s.broken {
				if strings.Contains(r.URL.Path, id) {
					s.mu.Unlock()
					answer(rw, r, s)
					s.mu.Lock()
					return true
				}
			}
			return false
		}
	})...)
	t.Cleanup(sync.OnceFunc(func() { close(s.release) }))
	for _, id := range []string{location, otherPlace} {
		s.install(browser(t), url.Values{"location": {id}})
	}
	s.settle()
	return s
}

func hang(_ http.ResponseWriter, r *http.Request, s *slowPlace) {
	now := s.hung.Add(1)
	defer s.hung.Add(-1)
	for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
	}
	select {
	case <-s.release:
	case <-r.Context().Done():
	}
}

func fail(rw http.ResponseWriter, _ *http.Request, _ *slowPlace) {
	http.Error(rw, `{"statusCode":500,"message":"Internal Server Error"}`, http.StatusInternalServerError)
}

// leftWorkers checks that what hangs never had most of the 32 workers. A location may
// have 6 of them and an account 12; a call that was given up may still count here.
func (s *slowPlace) leftWorkers() {
	s.t.Helper()
	if n := s.most.Load(); n > 20 {
		s.t.Errorf("%d calls hung at once", n)
	}
}

// load makes contacts in a location and returns their ids.
func (s *slowPlace) load(locationID string, n int, broken bool) (ids []string) {
	s.t.Helper()
	for i := range n {
		c, err := s.hl.SeedContact(hlfake.Contact{LocationID: locationID, FirstName: "N", LastName: fmt.Sprint(i), Email: fmt.Sprintf("%s-%d@example.com", strings.ToLower(locationID[:4]), i)})
		s.must(err)
		ids = append(ids, c.ID)
	}
	s.mu.Lock()
	for _, id := range ids {
		if broken {
			s.broken[id] = true
		}
	}
	s.mu.Unlock()
	for _, id := range ids {
		if status, body := s.postSigned(event("ContactUpdate", id, "locationId", locationID)); status != http.StatusOK {
			s.t.Fatal(status, body)
		}
	}
	return ids
}

func (w *world) allSynced(locationID string, ids []string) bool {
	for _, id := range ids {
		state, err := w.app.Store().EntityState(w.t.Context(), store.Entity{LocationID: locationID, Kind: "contact", ID: id})
		if err != nil || state.SyncedAt.IsZero() {
			return false
		}
	}
	return true
}

func TestALocationWhoseCallsHangHoldsUpNoOther(t *testing.T) {
	s := newSlowPlace(t, hang)
	s.load(location, 60, true) // nearly twice as many as there are workers
	s.eventually("calls of the first location hang", func() bool { return s.most.Load() >= 4 })
	began := time.Now()
	ids := s.load(otherPlace, 20, false)
	s.eventually("the other location is served", func() bool { return s.allSynced(otherPlace, ids) })
	t.Logf("the other location was served within %s", time.Since(began))
	s.leftWorkers()
}

func TestALocationWhoseCallsFailHoldsUpNoOther(t *testing.T) {
	s := newSlowPlace(t, fail)
	s.load(location, 60, true)
	began := time.Now()
	ids := s.load(otherPlace, 20, false)
	s.eventually("the other location is served", func() bool { return s.allSynced(otherPlace, ids) })
	t.Logf("the other location was served within %s", time.Since(began))
}

func TestALocationWhoseTokenRefreshHangsHoldsUpNoOther(t *testing.T) {
	s := newSlowPlace(t, func(rw http.ResponseWriter, _ *http.Request, _ *slowPlace) {
		http.Error(rw, `{"statusCode":401,"message":"Invalid JWT"}`, http.StatusUnauthorized)
	})
	s.mu.Lock()
	s.hangs = "/oauth/token"
	s.mu.Unlock()
	s.load(location, 60, true)
	s.eventually("a refresh hangs", func() bool { return s.most.Load() > 0 })
	began := time.Now()
	ids := s.load(otherPlace, 20, false)
	s.eventually("the other location is served", func() bool { return s.allSynced(otherPlace, ids) })
	t.Logf("the other location was served within %s", time.Since(began))
	s.leftWorkers()
}

func TestACalendarHeroAccountThatHangsHoldsUpNoOther(t *testing.T) {
	s := newSlowPlace(t, hang)
	s.stop()
	state, err := app.OpenState(t.Context(), s.cfg, zerolog.Nop())
	s.must(err)
	s.must(state.Connections.Set(t.Context(), otherPlace, "", "other-account"))
	s.must(state.Store.Close())
	s.start()
	s.mu.Lock()
	s.hangsToken = chToken
	s.mu.Unlock()
	s.load(location, 60, false)
	s.eventually("calls of the first account hang", func() bool { return s.most.Load() > 0 })
	began := time.Now()
	ids := s.load(otherPlace, 20, false)
	s.eventually("the other account is served", func() bool { return s.allSynced(otherPlace, ids) })
	t.Logf("the other account was served within %s", time.Since(began))
	s.leftWorkers()
}

func TestLiveWebhooksGoBeforeABackfill(t *testing.T) {
	var (
		mu   sync.Mutex
		read []string      // the contacts that were asked for, in this order
		hold chan struct{} // none is answered until it is closed; nil = at once
	)
	w := setup(t, alone, limited(30, 0), func(w *world, _ *hlfake.Config) {
		w.before = func(_ http.ResponseWriter, r *http.Request) bool {
			id, ok := strings.CutPrefix(r.URL.Path, "/contacts/")
			if r.Method != http.MethodGet || !ok || strings.Contains(id, "/") {
				return false
			}
			mu.Lock()
			read = append(read, id)
			held := hold
			mu.Unlock()
			if held != nil {
				select {
				case <-held:
				case <-r.Context().Done():
				}
			}
			return false
		}
	})
	var found []store.Found
	for i := range 400 {
		c, err := w.hl.SeedContact(hlfake.Contact{LocationID: location, FirstName: "Old", LastName: fmt.Sprint(i), Email: fmt.Sprintf("old%d@example.com", i)})
		w.must(err)
		found = append(found, store.Found{Entity: store.Entity{LocationID: location, Kind: "contact", ID: c.ID}, ContactID: c.ID, Differs: true})
	}
	live := []string{found[399].ID} // it waits as the backfill's already
	for i := range 3 {
		live = append(live, w.contact("New", fmt.Sprint(i), fmt.Sprintf("new%d@example.com", i)))
	}
	w.must(w.app.Store().SaveReconciliation(t.Context(), store.Reconciliation{Name: "backfill", LocationID: location}, found))
	w.eventually("the backfill waits for HighLevel's limit", func() bool {
		return w.count(`SELECT count(*) FROM river_job WHERE state = 'scheduled' AND kind = 'sync'`) > 300
	})

	dispatched := make(chan struct{})
	mu.Lock()
	hold = dispatched // however slow the machine, the backfill gets no further meanwhile
	mu.Unlock()
	for _, id := range live {
		w.postSigned(event("ContactUpdate", id))
	}
	w.eventually("the live webhooks are dispatched", func() bool { return w.dispatched(live) })
	mu.Lock()
	hold = nil
	before := len(read)
	mu.Unlock()
	close(dispatched)

	n := 0
	w.eventually("the live contacts are asked for", func() bool {
		mu.Lock()
		defer mu.Unlock()
		last := 0
		for _, id := range live {
			at := slices.Index(read, id)
			if at < 0 {
				return false
			}
			last = max(last, at)
		}
		for _, id := range read[min(before, last):last] {
			if !slices.Contains(live, id) {
				n++
			}
		}
		return true
	})
	t.Logf("%d contacts of the backfill went before the live ones", n)
	if n > 50 { // on a slow machine 30 calls are free again by then, and a job waits seconds for its lane
		t.Errorf("%d of 400 contacts of the backfill were asked for before the last live one", n)
	}
	w.eventually("the live webhooks are done", func() bool { return w.allSynced(location, live) })
}
