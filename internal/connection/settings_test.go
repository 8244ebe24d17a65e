package connection_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"milepost/clients/highlevel"
	"milepost/internal/connection"
	"milepost/internal/testenv"
)

// A process looks again and again for settings that another one changed. A look that began
// before somebody saved new ones must not put the former ones into use again.
func TestSettingsThatAreSavedDuringALookAreInUse(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		named := map[*highlevel.App]string{}
		var r *connection.Registry
		var looked atomic.Bool
		saved := make(chan error, 1)
		meanwhile := func() {
			go func() {
				saved <- r.SaveSettings(t.Context(), connection.AppSettings{ClientID: "new", ClientSecret: "s"})
			}()
			for range 100 { // as much of the database's time as the other needs, if it does not wait
				if _, err := r.Store.Secret(t.Context(), "none"); err != nil {
					t.Error(err)
				}
			}
		}
		var mu sync.Mutex
		r = b.process(func(c *connection.Config) {
			c.App = nil
			c.NewApp = func(id, _ string) *highlevel.App {
				app := &highlevel.App{}
				mu.Lock()
				named[app] = id
				mu.Unlock()
				if id == "former" && !looked.Swap(true) {
					meanwhile()
				}
				return app
			}
		})
		b.must(b.process(func(c *connection.Config) { c.App = nil }).SaveSettings(t.Context(), connection.AppSettings{ClientID: "former", ClientSecret: "s"}))
		b.must(r.ReadSettings(t.Context()))
		b.must(<-saved)
		if got := named[r.MarketplaceApp()]; got != "new" {
			t.Errorf("the app in use is the %s one", got)
		}
	})
}
