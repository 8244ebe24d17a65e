package adminapi_test

import (
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/internal/account"
	"milepost/internal/connection"
	"milepost/internal/jobs"
	"milepost/internal/operate"
	chfake "milepost/internal/sandbox/calendarhero"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/secret"
	"milepost/internal/sync"
)

// location is the one location that is connected.
const location = "ve9EPM428h8vShlRW1KT"

// vendors are fakes of both.
type vendors struct {
	t                       *testing.T
	highLevel, calendarHero string // their addresses
	jane                    string // the id of the location's contact
}

// connect serves a HighLevel in which the location has one contact and nothing else, and
// a CalendarHero.
func connect(t *testing.T) *vendors {
	t.Helper()
	hl := hlfake.New(hlfake.Config{Token: "pit-test", LocationIDs: []string{location}})
	t.Cleanup(hl.Close)
	hl.SeedLocation(hlfake.Location{ID: location, TimeZone: "America/New_York"}, nil, nil)
	jane, err := hl.SeedContact(hlfake.Contact{LocationID: location, FirstName: "Jane", LastName: "Doe", Email: "jane@acme.example"})
	must(t, err)
	ch := chfake.New(chfake.Config{Token: "ch-test", User: chfake.User{Name: "Olivia Owner", Email: "owner@acme.example", TimeZone: "America/Toronto"}})
	t.Cleanup(ch.Close)
	servers := [2]*httptest.Server{httptest.NewServer(hl), httptest.NewServer(ch)}
	for _, s := range servers {
		t.Cleanup(s.Close)
	}
	return &vendors{t, servers[0].URL, servers[1].URL, jane.ID}
}

// connect gives a desk the connection of the location.
func (v *vendors) connect(cfg *operate.Config) {
	v.t.Helper()
	ring, err := secret.OpenRing(filepath.Join(v.t.TempDir(), "keys"))
	must(v.t, err)
	wait := func(int) time.Duration { return 0 }
	cfg.Connections = connection.Open(connection.Config{
		Store: cfg.Store, Ring: ring, Logger: zerolog.Nop(), PublicURL: "https://milepost.example",
		HighLevel: highlevel.Config{BaseURL: v.highLevel, RetryWait: wait}, CalendarHero: calendarhero.Config{BaseURL: v.calendarHero, RetryWait: wait},
	})
	must(v.t, cfg.Connections.Set(v.t.Context(), location, "pit-test", "ch-test"))
}

// rehearsing gives a desk the connection, and the means to run syncs without effect.
func (v *vendors) rehearsing(cfg *operate.Config) {
	v.connect(cfg)
	set := cfg.Automations.Set
	cfg.Rehearsals = sync.New(sync.Config{
		Store: cfg.Store, Automations: set, Connections: cfg.Connections,
		Sessions: account.New(account.Config{Store: cfg.Store, Automations: set, Connections: cfg.Connections, Logger: zerolog.Nop(), Now: cfg.Now}),
		Jobs:     jobs.New(jobs.Config{Connections: cfg.Connections, Logger: zerolog.Nop(), Now: cfg.Now}),
	})
}
