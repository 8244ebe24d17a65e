package connection_test

import (
	"errors"
	"testing"
	"time"

	"milepost/clients/highlevel"
	"milepost/internal/connection"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
)

// alter changes the schema under a running process.
func (b *bundle) alter(r *connection.Registry, statement string) {
	b.t.Helper()
	b.must(r.Store.InTx(b.t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(b.t.Context(), statement)
		return err
	}))
}

func TestARenewedGrantThatCannotBeStoredIsKeptUntilItCan(t *testing.T) {
	onEachBackend(t, func(t *testing.T, b *bundle) {
		r := b.process()
		b.authorize(r, hlfake.Installation{Locations: []string{north}})
		b.clock.advance(24 * time.Hour)
		answer := make(chan struct{})
		asked := b.hl.Faults().Next("POST /oauth/token", 1, fakehttp.HoldUntil(answer))
		called := make(chan error, 1)
		go func() { called <- b.call(r, north) }()
		<-asked.Hit()
		b.alter(r, `ALTER TABLE secrets RENAME TO secrets_away`)
		close(answer)
		if err := <-called; err == nil {
			t.Fatal("a pair was used that is not stored")
		}
		b.alter(r, `ALTER TABLE secrets_away RENAME TO secrets`)
		b.clock.advance(2 * time.Minute) // HighLevel takes the old refresh token no more
		b.must(b.call(r, north))
		b.must(b.call(b.process(), north))
		if n := b.hl.Refreshes(north); n.Rotated != 1 || n.Repeated != 0 || n.Refused != 0 {
			t.Errorf("%+v, want the one refresh", n)
		}
		if c := b.state(r, north); c.State != store.ConnectionActive {
			t.Errorf("the connection is %+v", c)
		}
	})
}

func TestARefusedRenewalDoesNotBreakWhatWasRemovedMeanwhile(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		r := b.process()
		b.authorize(r, hlfake.Installation{Locations: []string{north}})
		b.clock.advance(24 * time.Hour)
		answer := make(chan struct{})
		asked := b.hl.Faults().Next("POST /oauth/token", 1, fakehttp.HoldUntil(answer))
		called := make(chan error, 1)
		go func() { called <- b.call(r, north) }()
		<-asked.Hit()
		b.must(b.hl.Uninstall(clientID, north))
		_, err := b.process().Installed(t.Context(), store.Entity{LocationID: north, Kind: store.KindInstall, ID: north},
			highlevel.Event{Type: "UNINSTALL", LocationID: north, Deleted: true, Timestamp: b.clock.now()})
		b.must(err)
		close(answer)
		if err := <-called; err == nil {
			t.Error("an uninstalled location was called")
		}
		if c := b.state(r, north); c.State != store.ConnectionRemoved {
			t.Errorf("the connection is %+v, want it removed", c)
		}
		if err := b.call(b.process(), north); !errors.As(err, new(*connection.NotConnected)) {
			t.Errorf("after the uninstall: %v", err)
		}
	})
}

func TestAConnectThatDiesMidwayIsEndedByAJob(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		r := b.process()
		b.hl.Faults().Next("GET /oauth/installedLocations", -1, fakehttp.FailWith(503))
		if err := b.tryToAuthorize(r, hlfake.Installation{CompanyID: agency, Locations: []string{north, south}}); err == nil {
			t.Fatal("it did not end midway")
		}
		b.hl.Faults().Clear()
		e := store.Entity{Kind: store.KindInstall, ID: agency}
		if state, err := r.Store.EntityState(t.Context(), e); err != nil || state.Wanted != 1 {
			t.Fatalf("the agency is not to be looked at: %+v, %v", state, err)
		}
		o, err := b.process().Installed(t.Context(), e, highlevel.Event{}) // as its job does
		if err != nil || len(o.Follow) != 2 {
			t.Errorf("%+v, %v; want both locations followed", o, err)
		}
	})
}
