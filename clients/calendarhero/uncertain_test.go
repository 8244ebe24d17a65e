package calendarhero_test

import (
	"testing"

	"milepost/clients"
	"milepost/clients/calendarhero"
)

func TestACountIsReadInAnyForm(t *testing.T) {
	for body, want := range map[string]int{`3`: 3, `"3"`: 3, `{"count":3}`: 3, `{"total":"3","page":1}`: 3, `{"contacts":3}`: 3, `0`: 0} {
		client, _ := setup(t, answer(200, body))
		if n, err := client.ContactCount(t.Context()); err != nil || n != want {
			t.Errorf("%s: %d, %v", body, n, err)
		}
	}
	for _, body := range []string{``, `null`, `{}`, `[]`, `-1`, `{"a":1,"b":2}`} {
		client, _ := setup(t, answer(200, body))
		if n, err := client.ContactCount(t.Context()); clients.ReasonOf(err) != clients.Unavailable {
			t.Errorf("%s: %d, %v", body, n, err)
		}
	}
}

func TestADirectoryIsReadWrappedOrBare(t *testing.T) {
	for _, body := range []string{`{"directory":{"uuid":"u1","directoryName":"Sales"}}`, `{"id":"u1","directoryName":"Sales"}`, `{"id":"x","uuid":"u1","directoryName":"Sales"}`} {
		client, _ := setup(t, answer(200, body))
		if d, err := client.Directory(t.Context(), "u1"); err != nil || d.ID != "u1" || d.Name != "Sales" {
			t.Errorf("%s: %+v, %v", body, d, err)
		}
	}
	client, _ := setup(t, answer(200, ``))
	if _, err := client.Directory(t.Context(), "u1"); clients.ReasonOf(err) != clients.Unavailable {
		t.Error(err)
	}
}

func TestAListThatIsNoneIsNoEmptyList(t *testing.T) {
	for _, body := range []string{``, `null`, `{}`, `"x"`} {
		client, _ := setup(t, answer(200, body))
		for name, err := range map[string]error{
			"contacts": only(client.Contacts(t.Context(), calendarhero.ContactQuery{})), "directories": only(client.Directories(t.Context())),
			"providers": only(client.Providers(t.Context(), false)), "meetings": only(client.Meetings(t.Context(), pinned.Start, pinned.End)),
		} {
			if clients.ReasonOf(err) != clients.Unavailable {
				t.Errorf("%s of %q: %v", name, body, err)
			}
		}
	}
	for body, fails := range map[string]bool{``: false, `null`: false, `{}`: false, `[]`: true} {
		client, _ := setup(t, answer(200, body))
		if _, err := client.Org(t.Context()); (err != nil) != fails {
			t.Errorf("organisation %q: %v", body, err)
		}
	}
}
