package sync

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/riverqueue/river/rivertype"

	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/mapping"
)

// people makes contacts with a milestone each, which are synced.
func (b *bundle) people(n int) (all []store.Entity) {
	b.t.Helper()
	for i := range n {
		c, err := b.hl.SeedContact(hlfake.Contact{
			LocationID: location, FirstName: "Jane", LastName: fmt.Sprint("Doe", i), Email: fmt.Sprintf("jane%d@example.com", i),
			CustomFields: map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"},
		})
		b.must(err)
		e := store.Entity{LocationID: location, Kind: string(mapping.KindContact), ID: c.ID}
		b.known(e)
		all = append(all, e)
	}
	return all
}

// round syncs each entity once, as jobs do, and returns how many ended.
func (b *bundle) round(all []store.Entity) (ended int) {
	b.t.Helper()
	for _, e := range all {
		res, err := b.run(e)
		var snooze *rivertype.JobSnoozeError
		switch {
		case err == nil:
			ended++
			_, err := b.store.FinishSync(b.t.Context(), nil, store.Finish{Entity: e, Wanted: 1, Fingerprint: res.fingerprint, Outcome: res.outcome(), Now: b.now()})
			b.must(err)
		case errors.As(err, &snooze), strings.Contains(err.Error(), "HighLevel"), strings.Contains(err.Error(), "CalendarHero"):
		default:
			b.t.Fatal(err)
		}
	}
	return ended
}

func (b *bundle) waits() int {
	b.t.Helper()
	list, err := b.store.WaitingRemovals(b.t.Context())
	b.must(err)
	return len(list)
}

// vanish has HighLevel say in its own words that no contact exists.
func (b *bundle) vanish() *fakehttp.Armed {
	return b.hl.Faults().Next("GET /contacts/{contactId}", -1, fakehttp.Say(400, `{"statusCode":400,"message":"Contact not found"}`))
}

func TestFewRecordsThatVanishedWithoutAnEventAreRemovedAfterASecondLook(t *testing.T) {
	b := setup(t, toOwner)
	all := b.people(6)
	for _, e := range all[:store.RemovalsAtOnce] {
		b.must(b.hl.DeleteContact(e.ID))
	}
	if n := b.round(all); n != 3 || len(b.ch.Requests()) != 6 {
		t.Errorf("after one look %d ended and %d requests are left", n, len(b.ch.Requests()))
	}
	b.pass(time.Minute)
	if n := b.round(all); n != 6 || len(b.ch.Requests()) != 3 || b.waits() != 0 {
		t.Errorf("after the second look %d ended, %d requests are left, %d wait", n, len(b.ch.Requests()), b.waits())
	}
}

func TestManyRecordsThatVanishWithoutAnEventWaitForAPerson(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	all := b.people(6)
	gone := all[:store.RemovalsAtOnce+1]
	for _, e := range gone {
		b.must(b.hl.DeleteContact(e.ID))
	}
	for range 10 {
		b.round(gone)
		b.pass(15 * time.Minute)
	}
	if len(b.ch.Requests()) != 6 || b.waits() != len(gone) {
		t.Errorf("%d requests are left of 6, %d records wait", len(b.ch.Requests()), b.waits())
	}
	state, err := b.store.EntityState(t.Context(), gone[0])
	b.must(err)
	if state.Outcome != store.Waiting || !strings.Contains(state.Detail, "milepost removals allow "+location) {
		t.Errorf("it is %q: %s", state.Outcome, state.Detail)
	}
	n, err := b.store.AllowRemovals(t.Context(), location, b.now())
	b.must(err)
	if ended := b.round(gone); n != len(gone) || ended != n || len(b.ch.Requests()) != 2 || b.waits() != 0 {
		t.Errorf("%d were allowed, %d ended, %d requests are left", n, ended, len(b.ch.Requests()))
	}
}

func TestTheBrakeEndsWhereTheRecordsExistAgain(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	all := b.people(6)
	b.must(b.hl.DeleteContact(all[0].ID))
	lie := b.vanish()
	for range 5 {
		b.round(all)
		b.pass(15 * time.Minute)
	}
	if b.round(all[1:]); b.nextTry(all[1]) > time.Minute {
		t.Errorf("a few that wait are looked at again after %s", b.nextTry(all[1]))
	}
	if len(b.ch.Requests()) != 6 || b.waits() == 0 {
		t.Errorf("meanwhile %d requests are left of 6, %d records wait", len(b.ch.Requests()), b.waits())
	}
	b.hl.Faults().Disarm(lie)
	for range 2 {
		b.round(all)
		b.pass(15 * time.Minute)
	}
	if len(b.ch.Requests()) != 5 || b.waits() != 0 {
		t.Errorf("in the end %d requests are left of 5, %d records wait", len(b.ch.Requests()), b.waits())
	}
}

func TestNothingIsBelievedToBeGoneWhileTheLocationDoesNotAnswer(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	e := b.people(1)[0]
	b.must(b.hl.DeleteContact(e.ID))
	for range 5 { // HighLevel says that the contact is gone, and not where it is
		b.hl.Faults().Next("GET /locations/{locationId}", -1, fakehttp.GatewayAnswer{Status: 404}.Fault())
		b.round([]store.Entity{e})
		b.pass(time.Hour)
	}
	if len(b.ch.Requests()) != 1 {
		t.Error("the request was removed")
	}
	b.hl.Faults().Clear()
	if n := b.round([]store.Entity{e}); n != 1 || len(b.ch.Requests()) != 0 {
		t.Errorf("%d ended, %d requests are left", n, len(b.ch.Requests()))
	}
}

func TestContactsThatVanishInCalendarHeroAreNotMadeAgain(t *testing.T) {
	testenv.Long(t)
	b := setup(t, `
- name: Contacts
  on: contact.changed
  do:
    - contact: { name: "{{ contact.name }}", emails: ["{{ contact.email }}"], phones: ["{{ contact.phone }}"] }
`)
	all := b.people(6)
	b.ch.Faults().Next("GET /contact/{id}", -1, fakehttp.Say(404, `{"statusCode":404,"error":"Not Found","message":"Contact not found"}`))
	b.ch.Faults().Next("GET /contact", -1, fakehttp.Say(200, `[]`))
	for _, e := range all {
		b.must(b.hl.UpdateContact(e.ID, func(c *hlfake.Contact) { c.FirstName = "Joan" }))
	}
	for range 5 {
		b.round(all)
		b.pass(15 * time.Minute)
	}
	if len(b.ch.Contacts()) != 6 || b.waits() != 6 {
		t.Errorf("%d contacts, want 6; %d wait", len(b.ch.Contacts()), b.waits())
	}
	b.ch.Faults().Clear()
	if n := b.round(all); n != 6 || len(b.ch.Contacts()) != 6 || b.ch.Contacts()[0].Name[:4] != "Joan" || b.waits() != 0 {
		t.Errorf("%d ended: %+v, %d wait", n, b.ch.Contacts(), b.waits())
	}
}

func TestADeleteThatAGatewayAnswersIsNotDone(t *testing.T) {
	testenv.Long(t)
	for _, a := range []fakehttp.GatewayAnswer{
		{Status: 404, Body: `{"statusCode":404,"error":"Not Found","message":"Not Found"}`}, {Status: 404}, {Status: 200, Body: `{}`}, {Status: 200, Body: "<html>"},
	} {
		b := setup(t, toOwner)
		e := b.people(1)[0]
		gateway := b.ch.Faults().Next("DELETE /meeting/tasks/{id}", -1, a.Fault())
		b.setDate(e, "2030-06-03")
		b.round([]store.Entity{e})
		if n := len(b.ch.Requests()); n != 1 || gateway.Hits() == 0 {
			t.Errorf("%d %s: %d requests", a.Status, a.Body, n)
		}
		b.ch.Faults().Clear()
		if n := b.round([]store.Entity{e}); n != 1 || len(b.ch.Requests()) != 1 || b.ch.Requests()[0].Start.Month() != time.June {
			t.Errorf("%d %s: then %d ended: %+v", a.Status, a.Body, n, b.ch.Requests())
		}
	}
}

// A gateway in a vendor's place may refuse everything in the vendor's own form, or
// answer everything with the status of a success.
func TestWhatAGatewayAnswersToEverythingIsNeitherDoneNorRefused(t *testing.T) {
	testenv.Long(t)
	for _, a := range []struct {
		vendor string
		fakehttp.GatewayAnswer
		date string // "" removes the request
	}{
		{"CalendarHero", fakehttp.GatewayAnswer{Status: 204}, ""},
		{"CalendarHero", fakehttp.GatewayAnswer{Status: 400, Body: `{"statusCode":400,"error":"Bad Request","message":"Bad Request"}`}, ""},
		{"CalendarHero", fakehttp.GatewayAnswer{Status: 400, Body: `{"statusCode":400,"error":"Bad Request","message":"Bad Request"}`}, "2030-06-03"},
		{"CalendarHero", fakehttp.GatewayAnswer{Status: 422, Body: `{"message":"Request blocked by policy 17"}`}, "2030-06-03"},
		{"HighLevel", fakehttp.GatewayAnswer{Status: 400, Body: `{"message":"Request blocked by policy 17"}`}, "2030-06-03"},
		{"HighLevel", fakehttp.GatewayAnswer{Status: 422, Body: `{"statusCode":422,"message":["blocked"],"error":"Unprocessable Entity"}`}, ""},
	} {
		b := setup(t, toOwner)
		all := b.people(1)
		faults := b.ch.Faults()
		if a.vendor == highLevelAPI {
			faults = b.hl.Faults()
		}
		gateway := faults.Gateway(a.Status, a.Body)
		b.setDate(all[0], a.date)
		if n := b.round(all); n != 0 || gateway.Hits() == 0 || len(b.ch.Requests()) != 1 {
			t.Errorf("%s %d %s: %d ended, %d requests are open", a.vendor, a.Status, a.Body, n, len(b.ch.Requests()))
		}
		faults.Clear()
		b.pass(time.Minute)
		if n := b.round(all); n != 1 || (a.date == "") != (len(b.ch.Requests()) == 0) {
			t.Errorf("%s %d %s: then %d ended: %+v", a.vendor, a.Status, a.Body, n, b.ch.Requests())
		}
	}
}

func TestAnEmptyListOfCustomFieldsRemovesNothing(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	all := b.people(2)
	b.startsOn(b.backedUp()) // the list is read again
	b.hl.Faults().Next("GET /locations/{locationId}/customFields", -1, fakehttp.Say(200, `{"customFields":[]}`))
	for range 3 {
		if n := b.round(all); n != 0 || len(b.ch.Requests()) != 2 {
			t.Errorf("%d ended, %d requests are left of 2", n, len(b.ch.Requests()))
		}
		b.pass(9 * time.Minute)
	}
	b.pass(30 * time.Minute)
	if n := b.round(all); n != 2 || len(b.ch.Requests()) != 0 {
		t.Errorf("a list that stays empty is true: %d ended, %d requests are left", n, len(b.ch.Requests()))
	}
	b.hl.Faults().Clear()
	b.pass(profileFresh)
	if n := b.round(all); n != 2 || len(b.ch.Requests()) != 2 {
		t.Errorf("with fields again: %d ended, %d requests are open", n, len(b.ch.Requests()))
	}
}

func TestALocationThatIsRefusedForAWhileKeepsItsTimeZone(t *testing.T) {
	testenv.Long(t)
	for _, a := range []fakehttp.Fault{
		fakehttp.Say(403, `{"statusCode":403,"message":"Forbidden resource","error":"Forbidden"}`),
		fakehttp.Say(200, `{"location":{"id":"`+location+`","name":"Northwind"}}`),
	} {
		b := setup(t, toOwner)
		all := b.people(1)
		b.ch.Faults().Next("GET /user", -1, fakehttp.Say(200, `{"id":"0123456789abcdef01234567","email":"`+ownerMail+`","name":"Olivia","timezone":"Asia/Tokyo"}`))
		b.pass(profileFresh)
		refused := b.hl.Faults().Next("GET /locations/{locationId}", -1, a)
		b.setDate(all[0], "2030-06-09")
		if n := b.round(all); n != 1 || b.ch.Requests()[0].Start.UTC().Hour() != 13 || refused.Hits() == 0 {
			t.Errorf("%d ended: %+v", n, b.ch.Requests())
		}
		b.startsOn(b.backedUp()) // now the zone is not known
		e := b.jane("2030-06-02")
		b.round([]store.Entity{e})
		if at := b.ch.Requests()[1].Start.UTC(); at.Hour() != 0 {
			t.Errorf("without a known zone the account's counts: %s", at)
		}
		b.hl.Faults().Clear()
		b.pass(time.Minute)
		b.round([]store.Entity{e})
		if at := b.ch.Requests()[1].Start.UTC(); at.Hour() != 13 {
			t.Errorf("a minute after it is told: %s", at)
		}
	}
}
