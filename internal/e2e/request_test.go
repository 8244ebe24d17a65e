package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"milepost/internal/operate"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
)

// TestARequestIsSentOnceAndItsLostAnswerIsSettledByAPerson goes from a webhook to a POST,
// and on from a lost answer to a person's word.
func TestARequestIsSentOnceAndItsLostAnswerIsSettledByAPerson(t *testing.T) {
	together(t)
	w := setup(t, func(w *world, _ *hlfake.Config) {
		w.cfg.Automations = filepath.Join(t.TempDir(), "automations.yaml")
		w.must(os.WriteFile(w.cfg.Automations, []byte(`
- name: Firm
  on: contact.changed
  if: not empty(contact.city)
  do: [request: { operation: highlevel.create_business, fields: { name: "{{ contact.name }} in {{ contact.city }}" } }]
`), 0o600))
	})
	nora := w.contact("Nora", "Quist", "nora@example.com")
	moves := func(city string) (made string) {
		w.must(w.hl.UpdateContact(nora, func(c *hlfake.Contact) { c.City = city }))
		w.settle()
		for _, b := range w.hl.Businesses(location) {
			made += b.Fields["name"] + "; "
		}
		return made
	}
	if got := moves("Oslo"); got != "Nora Quist in Oslo; " {
		t.Errorf("after a webhook there are %s", got)
	}
	w.hl.Faults().Next("POST /businesses/", 1, fakehttp.LoseAnswer())
	if got := moves("Rome"); got != "Nora Quist in Oslo; Nora Quist in Rome; " {
		t.Errorf("after a lost answer there are %s", got)
	}
	last := w.deliveries()[0]
	if last.Outcome != store.Unclear || !strings.Contains(last.Detail, "milepost requests settle") {
		t.Errorf("the webhook became %s: %s", last.Outcome, last.Detail)
	}
	state, _ := w.operator()
	w.must(state.OpenQueue())
	desk := operate.New(operate.Config{Store: state.Store, Now: w.now})
	open, err := desk.OpenCalls(t.Context())
	w.must(err)
	if len(open) != 1 || open[0].State != store.CallUnclear || open[0].Entity.ID != nora {
		t.Fatalf("open are %+v", open)
	}
	if superseded, err := desk.SettleCall(t.Context(), "dana", open[0].ID, false); superseded || err != nil {
		t.Error(superseded, err)
	}
	w.settle()
	if now, err := state.Store.EntityState(t.Context(), store.Entity{LocationID: location, Kind: "contact", ID: nora}); err != nil || now.Outcome != store.Unchanged {
		t.Errorf("once it is settled the contact is %s, %v", now.Outcome, err)
	}
	if got := moves("Rome"); got != "Nora Quist in Oslo; Nora Quist in Rome; " {
		t.Errorf("once it is settled there are %s", got)
	}
}
