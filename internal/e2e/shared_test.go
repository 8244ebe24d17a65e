package e2e_test

import (
	"net/url"
	"testing"

	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
)

// sharedAccount is a world whose two locations have one CalendarHero account.
func sharedAccount(t *testing.T) *world {
	t.Helper()
	w := oauthWorld(t)
	for _, id := range []string{location, otherPlace} {
		w.install(browser(t), url.Values{"location": {id}})
	}
	return w
}

// janeAt makes a contact in a location; both have one address.
func (w *world) janeAt(locationID string) (id string) {
	w.t.Helper()
	c, err := w.hl.CreateContact(hlfake.Contact{LocationID: locationID, FirstName: "Jane", LastName: "Doe", Email: "jane@example.com"})
	w.must(err)
	return c.ID
}

func TestAContactThatTwoLocationsShareStaysUntilTheLastIsDeleted(t *testing.T) {
	w := sharedAccount(t)
	first := w.janeAt(location)
	w.settle()
	second := w.janeAt(otherPlace)
	w.settle()
	w.must(w.hl.DeleteContact(first))
	w.settle()
	if n := len(w.contacts("jane@example.com")); n != 1 {
		t.Fatalf("after the first location's is deleted there are %d, want the one of the second", n)
	}
	w.must(w.hl.DeleteContact(second))
	w.settle()
	if n := len(w.contacts("jane@example.com")); n != 0 {
		t.Errorf("after both are deleted there are %d", n)
	}
}

func TestTwoLocationsThatShareAnAccountMakeOneContact(t *testing.T) {
	w := sharedAccount(t)
	hold := make(chan struct{})
	armed := w.ch.Faults().Next("POST /contact", 1, fakehttp.HoldUntil(hold))
	first := w.janeAt(location)
	<-armed.Hit()
	second := w.janeAt(otherPlace)
	w.eventually("the second was looked at", func() bool {
		state, err := w.app.Store().EntityState(t.Context(), store.Entity{LocationID: otherPlace, Kind: "contact", ID: second})
		return err == nil && state.Outcome != ""
	})
	close(hold)
	w.settle()
	if n := len(w.contacts("jane@example.com")); n != 1 {
		t.Errorf("%d contacts have the address of %s and %s, want 1", n, first, second)
	}
}
