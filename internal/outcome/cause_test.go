package outcome

import (
	"errors"
	"strings"
	"testing"

	"milepost/clients"
	"milepost/internal/store"
)

func TestEachCauseIsSaidInWordsWithWhatToDo(t *testing.T) {
	vendor := func(reason clients.Reason, status int) *clients.Error {
		return &clients.Error{API: "HighLevel", Operation: "get contact", Subject: "c1", Reason: reason, Status: status, Message: "Jane Doe"}
	}
	foreign := vendor(clients.Unavailable, 502)
	foreign.Foreign = true
	for _, c := range []struct {
		outcome    string
		err        error
		automation string
		what       string
	}{
		{store.Auth, vendor(clients.Unauthorized, 401), "", "HighLevel rejects the token"},
		{store.Auth, vendor(clients.Forbidden, 403), "", "HighLevel does not allow the token to get contact"},
		{store.Auth, vendor(clients.Inactive, 403), "", "HighLevel does not serve the location: it is paused or not paid"},
		{store.Retry, vendor(clients.Unavailable, 503), "", "HighLevel fails to get contact (503)"},
		{store.Retry, vendor(clients.Unavailable, 0), "", "HighLevel does not answer to get contact"},
		{store.Retry, foreign, "", "Something else answers in HighLevel's place"},
		{store.Retry, errors.New("nil map of Jane Doe"), "", "Milepost made a mistake of its own"},
		{store.Invalid, vendor(clients.Invalid, 422), "", "HighLevel refuses to get contact (422)"},
		{store.Invalid, vendor(clients.Invalid, 422), "A", "HighLevel rejects what the automation A asks for: get contact (422)"},
		{store.Invalid, errors.New("unknown kind"), "A", "The automation A cannot be carried out as the record is"},
	} {
		cause := CauseOf(c.err)
		cause.Outcome, cause.Automation = c.outcome, c.automation
		what, todo := Advice(cause)
		if what != c.what || todo == "" || !strings.HasSuffix(todo, ".") || strings.Contains(what+todo, "Jane") {
			t.Errorf("%s, %v: %q; %q", c.outcome, c.err, what, todo)
		}
	}
	if CauseOf(vendor(clients.Unauthorized, 401)) != CauseOf(&clients.Error{API: "HighLevel", Operation: "list tasks", Reason: clients.Unauthorized, Status: 401}) {
		t.Error("a rejected token has a cause for each operation")
	}
	for _, outcome := range []string{store.Retry, store.Auth, store.Invalid, store.Unclear, store.Stopped} {
		if what, todo := Advice(store.Cause{Outcome: outcome}); what == "" || todo == "" {
			t.Errorf("of an earlier %s nothing is said", outcome)
		}
	}
}
