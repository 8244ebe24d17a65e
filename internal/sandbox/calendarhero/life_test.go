package calendarhero

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"milepost/internal/sandbox/fakehttp/fakehttptest"
)

// hooked is a CalendarHero all of whose events are heard.
func hooked(t *testing.T, changes ...func(*Config)) (*fakeTest, *fakehttptest.Receiver) {
	t.Helper()
	r := &fakehttptest.Receiver{}
	c := setup(t, append(changes, func(c *Config) { c.HookClient = &http.Client{Transport: r} })...)
	for _, event := range events {
		fakehttptest.Must(t, c.SetHook(event, "http://hooks.example/"+event))
	}
	return c, r
}

// raised are the events so far, in the order in which they happened.
func (c *fakeTest) raised() []string {
	c.t.Helper()
	c.Settle()
	var events []string
	for _, s := range c.Sent() {
		events = append(events, s.Type)
	}
	return events
}

func (c *fakeTest) wantRaised(want ...string) {
	c.t.Helper()
	if got := c.raised(); !slices.Equal(got, want) {
		c.t.Errorf("raised %v, want %v", got, want)
	}
}

func TestABookedMeetingStartsOnceForEachTimeItHas(t *testing.T) {
	c, _ := hooked(t)
	start := c.clock.Now().Add(time.Hour)
	r, err := c.BookByLink(Contact{Name: "Jane", Email: []string{"jane@doe.example"}}, "Viewing", start, start.Add(time.Hour))
	fakehttptest.Must(t, err)
	waiting, err := c.Request("Nobody answers", []string{"jane@doe.example"}, start, start.Add(30*time.Minute))
	fakehttptest.Must(t, err)
	c.clock.Advance(time.Hour)
	c.wantRaised("new_contact_added", "meeting_request_success", "new_meeting_request", "meeting_started")
	c.wantRaised("new_contact_added", "meeting_request_success", "new_meeting_request", "meeting_started")
	fakehttptest.Must(t, c.Cancel(waiting.ID))
	fakehttptest.Must(t, c.Reschedule(r.ID, start.Add(2*time.Hour), start.Add(3*time.Hour)))
	c.clock.Advance(5 * time.Hour)
	c.wantRaised("new_contact_added", "meeting_request_success", "new_meeting_request", "meeting_started",
		"meeting_request_cancelled", "meeting_rescheduled", "meeting_started", "meeting_completed")
}

func TestSomebodyWhoBooksByALinkIsAddedOnce(t *testing.T) {
	c, _ := hooked(t)
	start := c.clock.Now().Add(time.Hour)
	person := Contact{Name: "Jane Doe", Email: []string{"jane@doe.example", "j@doe.example"}, DefaultEmail: "j@doe.example", Telephone: []string{"+12125550199"}}
	for range 2 {
		_, err := c.BookByLink(person, "Viewing", start, start.Add(time.Hour))
		fakehttptest.Must(t, err)
	}
	c.wantRaised("new_contact_added", "meeting_request_success", "meeting_request_success")
	var body map[string]any
	fakehttptest.Must(t, json.Unmarshal(c.Sent()[0].Body, &body))
	contacts := c.Contacts()
	if len(body) != 3 || body["id"] != contacts[0].ID || body["name"] != "Jane Doe" || len(body["email"].([]any)) != 2 || len(contacts) != 1 {
		t.Errorf("told %v of %v", body, contacts)
	}
	for _, r := range c.Requests() {
		if r.State != StateUpcoming || r.Status != "scheduled" || !slices.Equal(r.Invitees, []string{"j@doe.example"}) || strings.Contains(r.Subject, "[") {
			t.Errorf("booked is %+v", r)
		}
	}
	if len(c.Mails()) != 0 {
		t.Errorf("mails: %v", c.Mails())
	}
	for _, bad := range []Contact{{Name: "no address"}, person} {
		if _, err := c.BookByLink(bad, "", start, start); err == nil {
			t.Error("a booking without a subject, an address or a time was taken")
		}
	}
}

func TestTheHolderRequestsByHand(t *testing.T) {
	c, _ := hooked(t)
	start := c.clock.Now().Add(time.Hour)
	r, err := c.Request("Lunch", []string{"jane@doe.example", "bob@doe.example"}, start, start.Add(time.Hour))
	fakehttptest.Must(t, err)
	c.wantRaised("new_meeting_request")
	if mails := c.Mails(); r.State != StateActive || len(mails) != 2 || mails[1].To != "bob@doe.example" || len(c.Contacts()) != 2 {
		t.Errorf("%+v, mails %v, contacts %v", r, c.Mails(), c.Contacts())
	}
	if _, err := c.Request("Lunch", nil, start, start.Add(time.Hour)); err == nil {
		t.Error("a request without invitees was taken")
	}
}

func TestAnInviteeWhoPicksAnotherTimeBooks(t *testing.T) {
	c, _ := hooked(t)
	id := c.make(aRequest)
	fakehttptest.Must(t, c.Reschedule(id, c.clock.Now().Add(time.Hour), c.clock.Now().Add(90*time.Minute)))
	upcoming := c.want(200, "GET", "/meeting/tasks?state=upcoming", "").([]any)
	if len(upcoming) != 1 || upcoming[0].(map[string]any)["taskStatus"] != "rescheduled" {
		t.Errorf("upcoming: %v", upcoming)
	}
	c.clock.Advance(2 * time.Hour)
	c.wantRaised("new_meeting_request", "meeting_rescheduled", "meeting_started", "meeting_completed")
}

func TestSomebodyEditsAContactInCalendarHero(t *testing.T) {
	c, _ := hooked(t)
	made, err := c.SeedContact(Contact{Name: "Jane", Email: []string{"jane@doe.example"}})
	fakehttptest.Must(t, err)
	fakehttptest.Must(t, c.EditContact(made.ID, func(contact *Contact) {
		contact.ID, contact.Name, contact.Organization = "x", "Jane Roe", "Roe & Co"
	}))
	if got := c.Contacts()[0]; got.ID != made.ID || got.Name != "Jane Roe" || got.Organization != "Roe & Co" {
		t.Errorf("edited: %+v", got)
	}
	if c.EditContact(made.ID, func(contact *Contact) { contact.Email = nil }) == nil || c.EditContact("x", func(*Contact) {}) == nil {
		t.Error("an edit that cannot be was taken")
	}
	c.wantRaised()
}

func TestAHookVanishesOrIsTakenOver(t *testing.T) {
	c, r := hooked(t)
	c.DropHook("new_meeting_request")
	fakehttptest.Must(t, c.SetHook("meeting_request_success", "http://other.example/hook"))
	if c.SetHook("contact_updated", "http://other.example/hook") == nil {
		t.Error("an event that does not exist was registered")
	}
	fakehttptest.Must(t, c.Accept(c.make(aRequest)))
	c.wantRaised("meeting_request_success")
	fakehttptest.Idle(t, c)
	fakehttptest.Must(t, c.Resend(c.Sent()[0].ID))
	fakehttptest.Idle(t, c)
	if got := len(r.Events(t)); got != 2 || c.Sent()[0].Attempts != 2 {
		t.Errorf("%d deliveries, %+v", got, c.Sent())
	}
	if c.Resend("x") == nil {
		t.Error("a webhook that was never sent was sent again")
	}
}

func TestWhatIsNotKnownOfCalendarHeroCanBeSwitched(t *testing.T) {
	c, _ := hooked(t, func(c *Config) {
		c.ForgetDeleted, c.NoHook404, c.MergeContacts = true, true, true
		c.Word = strings.ToUpper
	})
	gone, there := c.make(aRequest), c.make(aRequest)
	c.want(204, "DELETE", "/meeting/tasks/"+gone, "")
	if got := c.want(200, "GET", "/meeting/tasks?state=closed", "").([]any); len(got) != 0 || len(c.Closed()) != 1 {
		t.Errorf("closed: %v", got)
	}
	if got := c.want(200, "GET", "/meeting/tasks", "").([]any); len(got) != 1 || got[0].(map[string]any)["id"] != there || got[0].(map[string]any)["taskStatus"] != "PENDING" {
		t.Errorf("listed: %v", got)
	}
	if body := string(c.Sent()[0].Body); !strings.Contains(body, `"PENDING"`) {
		t.Errorf("told %s", body)
	}
	c.DropHook("meeting_started")
	c.want(404, "GET", "/webhook/meeting_started", "")
	id := c.want(200, "POST", "/contact", `{"name":"Jane","email":["a@b.example"],"title":"Buyer"}`).(map[string]any)["id"].(string)
	c.want(200, "PUT", "/contact/"+id, `{"email":["c@d.example"],"organization":"Doe"}`)
	got := c.Contacts()[1]
	if got.Title != "Buyer" || got.Organization != "Doe" || got.Email[0] != "c@d.example" || got.Name != "Jane" {
		t.Errorf("merged: %+v", got)
	}
}
