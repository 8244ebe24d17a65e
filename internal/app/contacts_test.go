package app_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"milepost/internal/sandbox"
)

// bothWays are contacts in step both ways, looked at often.
func bothWays(w *world, _ *sandbox.HighLevelConfig) {
	path := filepath.Join(w.t.TempDir(), "automations.yaml")
	if err := os.WriteFile(path, []byte("- name: Contacts\n  on: contact.changed\n  do: [contact: { two_way: true }]\n"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.cfg.Automations, w.cfg.ReconcileEvery = path, time.Second
}

func TestAContactEditedInCalendarHeroIsEditedInHighLevelAndThatIsTheEnd(t *testing.T) {
	w := setup(t, bothWays)
	id := w.janeAt(location)
	w.settle()
	hero := w.contacts("jane@example.com")[0]
	w.must(w.ch.EditContact(hero.ID, func(c *sandbox.CalendarContact) { c.Name, c.Telephone = "Joan Doe", []string{"+1 555 123-4567"} }))
	w.eventually("HighLevel has it", func() bool {
		c, _ := w.hl.Contact(id)
		return c.Name() == "Joan Doe" && c.Phone == "+15551234567"
	})
	w.must(w.hl.UpdateContact(id, func(c *sandbox.Contact) { c.LastName = "Smith" }))
	w.eventually("CalendarHero has it", func() bool { return w.contacts("jane@example.com")[0].Name == "Joan Smith" })
	w.settle()
	looks := w.ch.Calls()["GET /contact/{id}"]
	w.eventually("it was looked at again", func() bool { return w.ch.Calls()["GET /contact/{id}"] > looks+1 })
	w.settle()
	if hl, ch := w.hl.Calls()["PUT /contacts/{contactId}"], w.ch.Calls()["PUT /contact/{id}"]; hl != 1 || ch != 1 {
		t.Errorf("%d writes to HighLevel and %d to CalendarHero for an edit on each side", hl, ch)
	}
	if n := len(w.ch.Contacts()); n != 1 {
		t.Errorf("CalendarHero has %d contacts", n)
	}
}
