package budget_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/connection"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/secret"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

// realTime makes the measurement over real HTTP and a real clock, e.g.
//
//	go test ./internal/budget -run Allowance -v -real 20s
var realTime = flag.Duration("real", 0, "measure the allowance for so long in real time; 0 = 20 s of simulated time")

const location = "ve9EPM428h8vShlRW1KT"

// vendor is a HighLevel that counts its responses by status.
type vendor struct {
	ring *secret.Ring
	*hlfake.Server
	contact string
	client  *http.Client
	baseURL string

	mu      sync.Mutex
	served  []time.Time
	refused int
}

func (v *vendor) count(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(10*time.Millisecond + rand.N(60*time.Millisecond)) // the way to the vendor
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		v.mu.Lock()
		if answer.Code == http.StatusTooManyRequests {
			v.refused++
		} else {
			v.served = append(v.served, time.Now())
		}
		v.mu.Unlock()
		for key, values := range answer.Header() {
			w.Header()[key] = values
		}
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes())
	})
}

// inProcess answers requests without a network, for simulated time.
type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	r = r.Clone(r.Context())
	if r.Body == nil {
		r.Body = http.NoBody
	}
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

func newVendor(t *testing.T, configure func(*hlfake.Config)) *vendor {
	t.Helper()
	cfg := hlfake.Config{Token: "pit", LocationIDs: []string{location}, RateLimit: true, RateSliding: true}
	if configure != nil {
		configure(&cfg)
	}
	v := &vendor{Server: hlfake.New(cfg), baseURL: "http://highlevel.test"}
	v.SeedLocation(hlfake.Location{ID: location, TimeZone: "UTC"}, nil, nil)
	contact, err := v.SeedContact(hlfake.Contact{LocationID: location, Email: "a@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	v.contact = contact.ID
	if *realTime > 0 {
		server := httptest.NewServer(v.count(v.Server))
		t.Cleanup(server.Close)
		v.baseURL = server.URL
	} else {
		v.client = &http.Client{Transport: inProcess{v.count(v.Server)}}
	}
	return v
}

// process is one Milepost's client of the location.
func (v *vendor) process(t *testing.T, s *store.Store) *highlevel.Client {
	t.Helper()
	if v.ring == nil { // processes that share a database share the keys
		var err error
		if v.ring, err = secret.ParseRing(secret.GenerateKey()); err != nil {
			t.Fatal(err)
		}
	}
	registry := connection.Open(connection.Config{
		Store: s, Ring: v.ring, Logger: zerolog.New(zerolog.NewTestWriter(t)),
		HighLevel: highlevel.Config{BaseURL: v.baseURL, HTTP: v.client},
		Settings:  connection.Settings{LocationID: location, HighLevelTokens: []string{"pit"}, CalendarHeroToken: "ch"},
	})
	if err := registry.ConnectBySettings(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn, err := registry.Lookup(t.Context(), location)
	if err != nil {
		t.Fatal(err)
	}
	return conn.HighLevel
}

// work calls again and again until ctx ends. If it must come back, it does so at the given
// time. It returns how long each call took, from the first request for a turn.
func (v *vendor) work(ctx context.Context, t *testing.T, client *highlevel.Client, pause time.Duration) (took []time.Duration) {
	for ctx.Err() == nil {
		begun := time.Now()
		hl := client
		for {
			_, err := hl.Contact(ctx, v.contact)
			if ctx.Err() != nil {
				return took
			}
			var failed *clients.Error
			if err == nil {
				break
			}
			if !errors.As(err, &failed) || failed.Reason != clients.RateLimited {
				t.Errorf("a call failed: %v", err)
				return took
			}
			sleep(ctx, failed.RetryAfter)
			hl = client.With(clients.Waited)
		}
		took = append(took, time.Since(begun))
		sleep(ctx, pause)
	}
	return took
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// simulate runs a test in simulated time, or in real time if -real is set.
func simulate(t *testing.T, test func(t *testing.T, length time.Duration)) {
	if *realTime > 0 {
		test(t, *realTime)
		return
	}
	synctest.Test(t, func(t *testing.T) { test(t, 20*time.Second) })
}

func TestSteadyBackfillGetsNineTenthsOfTheAllowanceWithoutA429(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	backends := map[string]func(t *testing.T) func(context.Context) (*store.Store, error){
		"SQLite": func(t *testing.T) func(context.Context) (*store.Store, error) {
			dir := testdb.DataDir(t)
			return func(ctx context.Context) (*store.Store, error) { return store.OpenSQLite(ctx, dir) }
		},
		"PostgreSQL": func(t *testing.T) func(context.Context) (*store.Store, error) {
			url := testdb.Postgres(t)
			return func(ctx context.Context) (*store.Store, error) { return store.OpenPostgres(ctx, url) }
		},
	}
	for _, tc := range []struct {
		backend   string
		processes int
		limit     int
	}{
		{"SQLite", 1, 100},
		{"SQLite", 1, 25},
		{"PostgreSQL", 1, 100},
		{"PostgreSQL", 3, 100},
	} {
		t.Run(fmt.Sprintf("%s, %d processes, %d in 10 s", tc.backend, tc.processes, tc.limit), func(t *testing.T) {
			open := backends[tc.backend](t)
			simulate(t, func(t *testing.T, length time.Duration) {
				v := newVendor(t, func(c *hlfake.Config) { c.RateMax = tc.limit })
				defer v.Close()
				var processes []*highlevel.Client
				for range tc.processes {
					s, err := open(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					defer s.Close()
					processes = append(processes, v.process(t, s).Backfill())
				}
				ctx, cancel := context.WithTimeout(t.Context(), length)
				defer cancel()
				var work sync.WaitGroup
				began := time.Now()
				for _, client := range processes {
					for range 8 {
						work.Go(func() { v.work(ctx, t, client, 0) })
					}
				}
				work.Wait()
				allowed := float64(tc.limit) * time.Since(began).Seconds() / 10
				share := float64(len(v.served)) / allowed
				t.Logf("%d calls in %s, %.1f %% of the allowance, %d refused", len(v.served), time.Since(began).Round(time.Millisecond), 100*share, v.refused)
				if v.refused > 0 {
					t.Errorf("%d calls were refused", v.refused)
				}
				if share < 0.9 {
					t.Errorf("%.1f %% of the allowance, want at least 90", 100*share)
				}
			})
		})
	}
}

func TestWebhooksGoAheadOfABackfillOfThreeProcesses(t *testing.T) {
	t.Parallel()
	url := testdb.Postgres(t)
	simulate(t, func(t *testing.T, length time.Duration) {
		v := newVendor(t, nil)
		defer v.Close()
		ctx, cancel := context.WithTimeout(t.Context(), length)
		defer cancel()
		var work sync.WaitGroup
		var took []time.Duration
		for i := range 3 {
			s, err := store.OpenPostgres(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			client := v.process(t, s)
			for range 8 {
				work.Go(func() { v.work(ctx, t, client.Backfill(), 0) })
			}
			if i == 0 {
				work.Go(func() {
					sleep(ctx, 4*time.Second) // until the calls from before the limit was known no longer count
					took = v.work(ctx, t, client, 700*time.Millisecond)
				})
			}
		}
		work.Wait()
		longest := slices.Max(took)
		t.Logf("%d webhooks beside a backfill, the slowest %s, %d calls in all, %d refused", len(took), longest, len(v.served), v.refused)
		if longest > 250*time.Millisecond { // one call's 70 ms, one turn's 108 ms, and the database
			t.Errorf("a webhook's call took %s", longest)
		}
		if v.refused > 0 {
			t.Errorf("%d calls were refused", v.refused)
		}
	})
}
