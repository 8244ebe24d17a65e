package sync

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"milepost/clients"
	"milepost/internal/outcome"
	chfake "milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/mapping"
)

const byLink = `
- name: By link
  on: calendarhero.new_contact_added
  do: [upsert_contact: {}]
- name: Contacts
  on: contact.changed
  do: [contact: { two_way: true }]
`

// newcomer is a contact that came to CalendarHero by a scheduling link.
func newcomer(b *bundle, contact chfake.Contact) store.Entity {
	b.t.Helper()
	c, err := b.ch.SeedContact(contact)
	b.must(err)
	e := store.Entity{LocationID: location, Kind: string(mapping.KindCalendarContact), ID: c.ID}
	b.must(b.store.InTx(b.t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(b.t.Context(), `INSERT INTO records (location_id, kind, id, contact_id, received_at, body, delivery_id, told_at) VALUES ($1, $2, $3, '', 1, $4, 1, 0)`,
			e.LocationID, e.Kind, e.ID, []byte(fmt.Sprintf(`{"id":%q,"email":[%q]}`, e.ID, c.Email[0])))
		return err
	}))
	return e
}

// of begins a sync of an entity, up to its reading.
func (b *bundle) of(e store.Entity) *entitySync {
	b.t.Helper()
	conn, err := b.session(b.t.Context(), e.LocationID)
	b.must(err)
	s := &entitySync{Syncer: b.Syncer, conn: conn, entity: e, reads: &reads{}, result: &result{}, startClient: conn.HighLevel, followUpClient: conn.HighLevel}
	s.links, err = b.store.Links(b.t.Context(), e)
	b.must(err)
	return s
}

// upsert does what a sync does for the items of a CalendarHero contact.
func (b *bundle) upsert(e store.Entity) (*result, error) {
	b.t.Helper()
	s := b.of(e)
	contact, err := s.readCalendarContact(b.t.Context())
	if err != nil {
		return s.result, err
	}
	zone := mapping.Location{ID: location, Zone: time.UTC}
	for _, item := range b.live().Plan(mapping.KindCalendarContact, mapping.Facts{Location: zone, CalendarContact: contact}).Items {
		if err := (newContacts{highLevelWrites{s}}).apply(b.t.Context(), item); err != nil {
			return s.result, err
		}
	}
	return s.result, nil
}

var anna = chfake.Contact{Name: "Anna Lee", Email: []string{"Anna@example.com"}, Telephone: []string{"+1 (555) 123-4567"}, Organization: "Acme", Title: "Buyer"}

func TestAContactOfALinkIsAddedOnceInHighLevelAndLinked(t *testing.T) {
	b := setup(t, byLink)
	e := newcomer(b, anna)
	b.ch.Faults().Next("GET /contact/{id}", 1, fakehttp.FailWith(404)) // then what the webhook said is searched for
	b.hl.Faults().Next("POST /contacts/upsert", 1, fakehttp.LoseAnswer())
	if _, err := b.upsert(e); clients.ReasonOf(err) != clients.Unclear {
		t.Fatalf("a lost answer: %v", err)
	}
	b.pass(outcome.UnclearSettle)
	res, err := b.upsert(e)
	b.must(err)
	for range 3 {
		if again, err := b.upsert(e); err != nil || again.outcome() != store.Unchanged {
			t.Errorf("%v: %s", err, again.detail())
		}
	}
	all := b.hl.Contacts()
	if len(all) != 1 || b.hl.Calls()["POST /contacts/upsert"] != 1 {
		t.Fatalf("HighLevel has %+v", all)
	}
	if c := all[0]; c.Name() != "Anna Lee" || c.Email != "anna@example.com" || c.Phone != "+15551234567" || c.CompanyName != "Acme" || c.Source != "CalendarHero" {
		t.Errorf("it became %+v", c)
	}
	if len(res.requeue) != 1 || res.requeue[0].ID != all[0].ID {
		t.Fatalf("it asks for %v", res.requeue)
	}
	b.do(res.requeue[0])
	if n := len(b.ch.Contacts()); n != 1 || b.item(res.requeue[0]).ObjectID != e.ID {
		t.Errorf("CalendarHero has %d, linked is %s", n, b.item(res.requeue[0]).ObjectID)
	}
	b.must(b.ch.EditContact(e.ID, func(c *chfake.Contact) { c.Name = "Anna Wu" }))
	if res, err := b.upsert(e); err != nil || !strings.Contains(res.detail(), "already") {
		t.Errorf("one that is linked ended as %s: %v", res.detail(), err)
	}
}

func TestAContactThatHighLevelHasIsOnlyFilled(t *testing.T) {
	testenv.Long(t)
	for _, c := range []struct {
		name string
		have hlfake.Contact
		want string // name, e-mail, phone, company
		puts int
	}{
		{"by its e-mail", hlfake.Contact{FirstName: "Annie", Email: "anna@example.com"}, "Annie anna@example.com +15551234567 ", 1},
		{"by its phone", hlfake.Contact{Phone: "+15551234567", CompanyName: "Northwind"}, "Anna Lee anna@example.com +15551234567 Northwind", 1},
		{"whole", hlfake.Contact{FirstName: "Annie", Email: "anna@example.com", Phone: "+49301234567"}, "Annie anna@example.com +49301234567 ", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t, byLink)
			c.have.LocationID = location
			_, err := b.hl.SeedContact(c.have)
			b.must(err)
			e := newcomer(b, anna)
			for range 2 {
				_, err = b.upsert(e)
				b.must(err)
			}
			all := b.hl.Contacts()
			if len(all) != 1 {
				t.Fatalf("HighLevel has %+v", all)
			}
			if got := fmt.Sprint(all[0].Name(), " ", all[0].Email, " ", all[0].Phone, " ", all[0].CompanyName); got != c.want {
				t.Errorf("it became %q, want %q", got, c.want)
			}
			if n := b.hl.Calls()["PUT /contacts/{contactId}"]; n != c.puts || b.hl.Calls()["POST /contacts/upsert"] != 0 {
				t.Errorf("%d updates, want %d", n, c.puts)
			}
		})
	}
}

func TestANumberWithoutItsCountryMatchesNobodyByAccident(t *testing.T) {
	b := setup(t, byLink)
	_, err := b.hl.SeedContact(hlfake.Contact{LocationID: location, FirstName: "Other", Phone: "5551234567"})
	b.must(err)
	local := anna
	local.Telephone = []string{"(555) 123-4567"}
	res, err := b.upsert(newcomer(b, local))
	b.must(err)
	all := b.hl.Contacts()
	if len(all) != 2 || all[0].Name() != "Other" || all[1].Email != "anna@example.com" || !strings.Contains(res.detail(), "same phone") {
		t.Errorf("%s: %+v", res.detail(), all)
	}
}

func TestTheOwnerIsNoNews(t *testing.T) {
	b := setup(t, byLink)
	res, err := b.upsert(newcomer(b, chfake.Contact{Name: "Olivia", Email: []string{strings.ToUpper(ownerMail)}}))
	if err != nil || len(b.hl.Contacts()) != 0 || !strings.Contains(res.detail(), "owner") {
		t.Errorf("%v: %s, HighLevel has %+v", err, res.detail(), b.hl.Contacts())
	}
}

func TestAContactThatIsGoneBeforeItIsReadIsNotFound(t *testing.T) {
	b := setup(t, byLink)
	e := newcomer(b, anna)
	b.must(b.conn().CalendarHero.DeleteContact(t.Context(), e.ID))
	if _, err := b.upsert(e); clients.ReasonOf(err) != clients.NotFound {
		t.Errorf("%v", err)
	}
	if err := b.unconfirmed(store.EntityState{Entity: e}, true); err == nil || !strings.HasPrefix(err.Error(), "CalendarHero does not find") {
		t.Errorf("what it waits for: %v", err)
	}
}

func TestFieldsOfAContactAreWrittenOnceAndAlone(t *testing.T) {
	b := setup(t, byLink)
	e := b.jane("2030-05-02")
	sent := b.bodies("PUT")
	update := func(fields map[string]string) *result {
		s := b.of(e)
		s.contactID = e.ID
		b.must((contactUpdates{highLevelWrites{s}}).apply(t.Context(), mapping.Item{Key: "a/1", Automation: "A", Kind: mapping.ItemUpdateContact, ContactFields: fields}))
		return s.result
	}
	if res := update(map[string]string{"first_name": "Jane", "email": "Jane@example.com", "milestone": "Closing"}); res.outcome() != store.Unchanged {
		t.Errorf("what it has already: %s", res.detail())
	}
	fields := map[string]string{"city": "Berlin", "milestone": "Signing", "postal_code": "10115", "first_name": "Jane"}
	for i, want := range []string{store.Done, store.Unchanged, store.Unchanged} {
		if res := update(fields); res.outcome() != want {
			t.Errorf("time %d: %s: %s", i+1, res.outcome(), res.detail())
		}
		b.must(b.hl.UpdateContact(e.ID, func(c *hlfake.Contact) { c.City = "Bonn" })) // a person's
	}
	got := sent()
	if len(got) != 1 || !strings.Contains(got[0], `"city":"Berlin"`) || !strings.Contains(got[0], `"postalCode":"10115"`) ||
		!strings.Contains(got[0], `"field_value":"Signing"`) || strings.Contains(got[0], "irstName") || strings.Contains(got[0], "tags") {
		t.Errorf("HighLevel got %q", got)
	}
	s := b.of(e)
	s.contactID = e.ID
	err := (contactUpdates{highLevelWrites{s}}).apply(t.Context(), mapping.Item{Key: "a/2", Automation: "A", Kind: mapping.ItemUpdateContact, ContactFields: map[string]string{"nonesuch": "x"}})
	if clients.ReasonOf(err) != clients.Invalid || !strings.Contains(err.Error(), "nonesuch") {
		t.Errorf("a field that is not there: %v", err)
	}
}
