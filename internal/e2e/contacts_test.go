package e2e_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	chfake "milepost/internal/sandbox/calendarhero"
	hlfake "milepost/internal/sandbox/highlevel"
)

// bothWays are contacts in step both ways, looked at often, and those of links.
func bothWays(w *world, _ *hlfake.Config) {
	path := filepath.Join(w.t.(*testing.T).TempDir(), "automations.yaml")
	w.must(os.WriteFile(path, []byte(`
- name: Contacts
  on: contact.changed
  do: [contact: { two_way: true }]
- name: Of links
  on: calendarhero.new_contact_added
  do: [upsert_contact: {}]
`), 0o600))
	w.cfg.Automations, w.cfg.ReconcileEvery = path, time.Second
}

func TestAContactEditedInCalendarHeroIsEditedInHighLevelAndThatIsTheEnd(t *testing.T) {
	together(t)
	for name, backend := range map[string]func(*world, *hlfake.Config){
		"SQLite": func(*world, *hlfake.Config) {}, "PostgreSQL": onPostgres,
	} {
		t.Run(name, func(t *testing.T) {
			w := setup(t, bothWays, backend)
			id := w.janeAt(location)
			w.settle()
			hero := w.contacts("jane@example.com")[0]
			w.must(w.ch.EditContact(hero.ID, func(c *chfake.Contact) { c.Name, c.Telephone = "Joan Doe", []string{"+1 555 123-4567"} }))
			w.eventually("HighLevel has it", func() bool {
				c, _ := w.hl.Contact(id)
				return c.Name() == "Joan Doe" && c.Phone == "+15551234567"
			})
			w.must(w.hl.UpdateContact(id, func(c *hlfake.Contact) { c.LastName = "Smith" }))
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
		})
	}
}

func TestSomebodyWhoBooksByALinkIsOneContactOnBothSides(t *testing.T) {
	together(t)
	for name, backend := range map[string]func(*world, *hlfake.Config){
		"SQLite": func(*world, *hlfake.Config) {}, "PostgreSQL": onPostgres,
	} {
		t.Run(name, func(t *testing.T) {
			w := setup(t, bothWays, hooked, backend)
			w.registered()
			nina := chfake.Contact{Name: "Nina New", Email: []string{"nina@example.com"}, Organization: "Acme"}
			start := w.now().Add(48 * time.Hour)
			for i := range 2 {
				at := start.AddDate(0, 0, i)
				_, err := w.ch.BookByLink(nina, "Tour", at, at.Add(time.Hour))
				w.must(err)
			}
			w.eventually("she is in HighLevel", func() bool { return len(w.hl.Contacts()) == 1 })
			w.settle()
			c := w.hl.Contacts()[0]
			if c.Name() != "Nina New" || c.Email != "nina@example.com" || c.CompanyName != "Acme" || c.Source != "CalendarHero" {
				t.Errorf("she is %+v", c)
			}
			w.must(w.ch.EditContact(w.contacts("nina@example.com")[0].ID, func(c *chfake.Contact) { c.Name = "Nina Newton" }))
			w.eventually("she is linked", func() bool {
				c, _ := w.hl.Contact(c.ID)
				return c.Name() == "Nina Newton"
			})
			w.settle()
			if n, m := len(w.hl.Contacts()), len(w.ch.Contacts()); n != 1 || m != 1 {
				t.Errorf("HighLevel has %d contacts, CalendarHero %d", n, m)
			}
		})
	}
}
