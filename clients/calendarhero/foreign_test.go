package calendarhero_test

import (
	"strings"
	"testing"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/internal/sandbox/fakehttp"
)

func TestWhatIsNotCalendarHerosOwnAnswerSaysNothingOfARecord(t *testing.T) {
	reads := map[string]func(*calendarhero.Client) error{
		"contact":  func(c *calendarhero.Client) error { _, err := c.Contact(t.Context(), id1); return err },
		"contacts": func(c *calendarhero.Client) error { _, err := c.SearchContacts(t.Context(), "a@b.example"); return err },
		"requests": func(c *calendarhero.Client) error {
			_, err := c.MeetingRequests(t.Context(), calendarhero.StateActive)
			return err
		},
		"user":   func(c *calendarhero.Client) error { _, err := c.User(t.Context()); return err },
		"delete": func(c *calendarhero.Client) error { return c.DeleteMeetingRequest(t.Context(), id1) },
	}
	for name, read := range reads {
		for _, a := range fakehttp.GatewayAnswers() {
			want := clients.Unavailable
			switch list := name == "contacts" || name == "requests"; {
			case list && a.Status == 200 && a.Body == "[]":
				continue // an empty list; its readers decide whether to believe it
			case strings.Contains(a.Body, `"error":"Not Found"`) && !list && name != "user":
				want = clients.NotFound // hapi's form; an unknown route has the same answer, so it is only a hint
			}
			client, _ := setup(t, answer(a.Status, a.Body))
			if reason := clients.ReasonOf(read(client)); reason != want {
				t.Errorf("%s: %d %s: %s, want %s", name, a.Status, a.Body, reason, want)
			}
		}
	}
}

func TestOnlyCalendarHerosOwnWordsMakeARequestInvalid(t *testing.T) {
	for body, want := range map[string]clients.Reason{
		`{"statusCode":400,"error":"Bad Request","message":"\"x\" is not allowed"}`: clients.Invalid,
		`{"message":"dateStart is required"}`:                                       clients.Invalid,
		`{"message":"Bad Request"}`:                                                 clients.Unavailable,
		`{"statusCode":502,"error":"Bad Gateway","message":"no"}`:                   clients.Unavailable,
		`[]`: clients.Unavailable,
		``:   clients.Unavailable,
	} {
		client, _ := setup(t, answer(400, body))
		if reason := clients.ReasonOf(client.UpdateContact(t.Context(), id1, calendarhero.Contact{Emails: []string{"j@x.example"}})); reason != want {
			t.Errorf("%s: %s, want %s", body, reason, want)
		}
	}
}
