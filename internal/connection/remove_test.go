package connection_test

import (
	"strings"
	"testing"
	"time"

	"milepost/clients/highlevel"
	"milepost/internal/connection"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/secret"
	"milepost/internal/store"
	"milepost/internal/testenv"
)

func TestWhatTheOperatorRemovedComesBackByNoInstallAndNoCommand(t *testing.T) {
	onEachBackend(t, func(t *testing.T, b *bundle) {
		bySettings := func(c *connection.Config) {
			c.Settings.LocationID, c.Settings.HighLevelTokens = south, []string{"pit"}
		}
		r := b.process(bySettings)
		b.must(r.ConnectBySettings(t.Context()))
		b.connectAgency(r, north)
		key, err := r.NewWorkflowKey(t.Context(), north, time.Time{})
		b.must(err)
		for _, id := range []string{north, south} {
			_, err := r.Remove(t.Context(), id)
			b.must(err)
		}
		if _, ok, err := r.WorkflowLocation(t.Context(), key); ok || err != nil {
			t.Errorf("a workflow key of a removed location is valid (%v)", err)
		}
		event := highlevel.Event{Type: "INSTALL", LocationID: north, CompanyID: agency, Timestamp: b.clock.now()}
		if o, err := r.Installed(t.Context(), store.Entity{LocationID: north, Kind: store.KindInstall, ID: north}, event); err != nil || o.Did != "" {
			t.Errorf("INSTALL did %+v, %v", o, err)
		}
		b.connectAgency(r, north)
		b.process(bySettings)                                        // a command
		b.must(b.process(bySettings).ConnectBySettings(t.Context())) // the next start
		for _, id := range []string{north, south} {
			if c := b.state(r, id); c.State != store.ConnectionRemoved || !c.ByOperator {
				t.Errorf("the connection is %+v, want it removed", c)
			}
		}
		b.authorize(r, hlfake.Installation{Locations: []string{north}}) // a person connects that very location
		b.must(b.call(r, north))
	})
}

func TestANameThatWouldSteerATerminalIsPlain(t *testing.T) {
	onEachBackend(t, func(t *testing.T, b *bundle) {
		r := b.process()
		b.must(r.Store.SaveConnection(t.Context(), store.Connection{LocationID: north, Name: "North\x1b[2Jwind\u202e é", Source: connection.FromToken, State: store.ConnectionActive}, b.clock.now()))
		if c := b.state(r, north); c.Name != "North[2Jwind é" {
			t.Errorf("the name is %q", c.Name)
		}
	})
}

func TestTwoProcessesWithTwoKeysAreToldSoBeforeAnythingIsEncrypted(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		b.process() // nothing is encrypted yet
		if strings.Contains(b.log.String(), "other encryption keys") {
			t.Errorf("the first is warned: %s", b.log)
		}
		other, err := secret.ParseRing(secret.GenerateKey())
		b.must(err)
		b.ring = other
		b.process()
		if !strings.Contains(b.log.String(), "other encryption keys") {
			t.Errorf("the second is not warned: %s", b.log)
		}
	})
}
