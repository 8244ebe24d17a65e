package connection_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"milepost/clients/highlevel"
	"milepost/internal/connection"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
)

const (
	strangers = "Qk1strangersAgency01"
	strange   = "strangeLocation00001"
)

// stranger seeds a location of another agency.
func (b *bundle) stranger() {
	b.hl.SeedLocation(hlfake.Location{ID: strange, CompanyID: strangers, Name: "Stranger", TimeZone: "UTC"}, nil, nil)
}

// tryToAuthorize installs the app and returns what becomes of the grant.
func (b *bundle) tryToAuthorize(r *connection.Registry, i hlfake.Installation) error {
	b.t.Helper()
	i.ClientID = clientID
	code, err := b.hl.Install(i)
	b.must(err)
	grant, err := r.App.Exchange(b.t.Context(), code, highlevel.UserTypeLocation)
	b.must(err)
	_, _, err = r.Authorized(b.t.Context(), grant)
	return err
}

func TestAnotherAgencyThanTheFirstIsRefusedUntilTheOperatorAllowsIt(t *testing.T) {
	onEachBackend(t, func(t *testing.T, b *bundle) {
		r := b.process()
		b.stranger()
		b.authorize(r, hlfake.Installation{Locations: []string{north}})
		before, err := r.Store.SecretKeys(t.Context())
		b.must(err)
		for name, i := range map[string]hlfake.Installation{
			"a location": {Locations: []string{strange}},
			"an agency":  {CompanyID: strangers, Locations: []string{strange}},
		} {
			err := b.tryToAuthorize(r, i)
			if other := (*connection.OtherAgency)(nil); !errors.As(err, &other) || other.CompanyID != strangers || !strings.Contains(err.Error(), "milepost connections allow "+strangers) {
				t.Errorf("%s of another agency: %v, want OtherAgency", name, err)
			}
		}
		if after, err := r.Store.SecretKeys(t.Context()); err != nil || after[b.ring.Primary()] != before[b.ring.Primary()] {
			t.Errorf("a grant of another agency was stored: %v, %v", after, err)
		}
		for _, e := range []store.Entity{{LocationID: strange, Kind: store.KindInstall, ID: strange}, {Kind: store.KindInstall, ID: strangers}} {
			o, err := r.Installed(t.Context(), e, highlevel.Event{Type: "INSTALL", LocationID: e.LocationID, CompanyID: strangers})
			if err != nil || o.Did != "" || !strings.Contains(o.Why, "another agency") {
				t.Errorf("INSTALL at %s: %+v, %v; want it skipped", e.ID, o, err)
			}
		}
		if _, ok, err := r.Store.Connection(t.Context(), strange); ok || err != nil {
			t.Errorf("the location of another agency is noted (%v)", err)
		}
		b.authorize(r, hlfake.Installation{Locations: []string{south}}) // the first agency goes on
		b.must(r.Store.AllowAgency(t.Context(), strangers, b.clock.now()))
		b.authorize(b.process(), hlfake.Installation{Locations: []string{strange}})
		b.must(b.call(r, strange))
	})
}

func TestOfTwoAgenciesThatComeFirstAtOnceOneIsAllowed(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		processes := []*connection.Registry{b.process(), b.process()}
		b.stranger()
		refused := make([]error, 2)
		var wg sync.WaitGroup
		for i, place := range []string{north, strange} {
			wg.Go(func() { refused[i] = b.tryToAuthorize(processes[i], hlfake.Installation{Locations: []string{place}}) })
		}
		wg.Wait()
		if (refused[0] == nil) == (refused[1] == nil) {
			t.Errorf("both or neither were refused: %v", refused)
		}
	})
}

func TestTheAgencyOfALocationThatATokenConnectsIsTheFirst(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		r := b.process()
		b.stranger()
		b.hl.AddToken("pit", north)
		b.must(r.Set(t.Context(), north, "pit", ""))
		if err := b.tryToAuthorize(r, hlfake.Installation{Locations: []string{strange}}); !errors.As(err, new(*connection.OtherAgency)) {
			t.Errorf("another agency: %v, want OtherAgency", err)
		}
		b.authorize(r, hlfake.Installation{Locations: []string{south}})
		if list, err := r.Store.Agencies(t.Context()); err != nil || !slices.Equal(list, []string{agency}) {
			t.Errorf("allowed: %v, %v", list, err)
		}
	})
}

func TestWhatWaitedForItsAuthorizationIsTakenBackWhenAnotherAgencyIsServed(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		r := b.process()
		b.stranger()
		e := store.Entity{LocationID: strange, Kind: store.KindInstall, ID: strange}
		event := highlevel.Event{Type: "INSTALL", LocationID: strange, CompanyID: strangers}
		if _, err := r.Installed(t.Context(), e, event); !errors.Is(err, connection.ErrPending) {
			t.Fatalf("while no agency is allowed: %v, want ErrPending", err)
		}
		b.authorize(r, hlfake.Installation{Locations: []string{north}})
		if o, err := r.Installed(t.Context(), e, event); err != nil || !strings.Contains(o.Why, "another agency") {
			t.Errorf("%+v, %v; want it skipped", o, err)
		}
		if c := b.state(r, strange); c.State != store.ConnectionRemoved {
			t.Errorf("the connection is %+v", c)
		}
	})
}
