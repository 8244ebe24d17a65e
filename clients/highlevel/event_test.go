package highlevel_test

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/testenv/reference"
)

func TestEventsAreReadWithTolerance(t *testing.T) {
	at := time.Date(2026, 11, 24, 10, 0, 0, 5e6, time.UTC)
	for _, tc := range []struct {
		name, body string
		want       highlevel.Event
	}{
		{
			"a real contact event", `{"type":"ContactUpdate","locationId":"l1","companyId":null,"appId":"a1","versionId":"v1","webhookId":"w1","timestamp":"2026-11-24T10:00:00.005Z","id":"c1","tags":null}`,
			highlevel.Event{Type: "ContactUpdate", LocationID: "l1", AppID: "a1", VersionID: "v1", WebhookID: "w1", Timestamp: at, Kind: "contact", EntityID: "c1", ContactID: "c1"},
		},
		{"a deleted contact", `{"type":"ContactDelete","id":"c1"}`, highlevel.Event{Type: "ContactDelete", Kind: "contact", EntityID: "c1", ContactID: "c1", Deleted: true}},
		{"a task as it really comes", `{"type":"TaskCreate","locationId":"l1","id":"t1"}`, highlevel.Event{Type: "TaskCreate", LocationID: "l1", Kind: "task", EntityID: "t1"}},
		{"a finished task", `{"type":"TaskComplete","id":"t1","contactId":"c1"}`, highlevel.Event{Type: "TaskComplete", Kind: "task", EntityID: "t1", ContactID: "c1", Completed: true}},
		{"a task event that no catalogue lists", `{"type":"TaskUpdate","id":"t1","contact_id":"c1"}`, highlevel.Event{Type: "TaskUpdate", Kind: "task", EntityID: "t1", ContactID: "c1"}},
		{"an appointment", `{"type":"AppointmentDelete","locationId":"l1","appointment":{"id":"p1","contactId":"c1"}}`, highlevel.Event{Type: "AppointmentDelete", LocationID: "l1", Kind: "appointment", EntityID: "p1", ContactID: "c1", Deleted: true}},
		{"a flat appointment", `{"type":"AppointmentCreate","id":"p1","appointment":null}`, highlevel.Event{Type: "AppointmentCreate", Kind: "appointment", EntityID: "p1"}},
		{"a data wrapper", `{"type":"NoteCreate","id":null,"locationId":"l1","data":{"type":"X","id":"n1","contactId":"c1","locationId":"l2"}}`, highlevel.Event{Type: "NoteCreate", LocationID: "l1", Kind: "note", EntityID: "n1", ContactID: "c1"}},
		{"data that is a text", `{"type":"NoteCreate","id":"n1","data":"x"}`, highlevel.Event{Type: "NoteCreate", Kind: "note", EntityID: "n1"}},
		{"numbers for ids", `{"type":"OpportunityStageUpdate","id":12,"contactId":7}`, highlevel.Event{Type: "OpportunityStageUpdate", Kind: "opportunity", EntityID: "12", ContactID: "7"}},
		{"ids that cannot be ids", `{"type":"TaskDelete","id":"../x","contactId":{"a":1},"locationId":"a\nb","webhookId":"` + strings.Repeat("w", 129) + `","appId":true,"companyId":" x"}`, highlevel.Event{Type: "TaskDelete", Kind: "task", Deleted: true}},
		{"an unknown type", `{"type":"InvoicePaid","id":"i1","contactId":"c1"}`, highlevel.Event{Type: "InvoicePaid", ContactID: "c1"}},
		{"a longer word is another word", `{"type":"Notebook","id":"i1"}`, highlevel.Event{Type: "Notebook"}},
		{"a byte order mark", "\ufeff" + `{"type":"NoteCreate","id":"n1"}`, highlevel.Event{Type: "NoteCreate", Kind: "note", EntityID: "n1"}},
		{"no type", `{}`, highlevel.Event{}},
		{"a time in milliseconds", `{"type":"INSTALL","timestamp":1795514400005}`, highlevel.Event{Type: "INSTALL", Timestamp: at, Kind: "install"}},
		{"an install at a location", `{"type":"INSTALL","locationId":"l1","companyId":"g1"}`, highlevel.Event{Type: "INSTALL", LocationID: "l1", CompanyID: "g1", Kind: "install", EntityID: "l1"}},
		{"an uninstall at an agency", `{"type":"UNINSTALL","companyId":"g1"}`, highlevel.Event{Type: "UNINSTALL", CompanyID: "g1", Kind: "install", EntityID: "g1", Deleted: true}},
		{"a time with an offset", `{"timestamp":"2026-11-24T15:30:00.005+05:30"}`, highlevel.Event{Timestamp: at}},
		{"a time that is none", `{"timestamp":"yesterday"}`, highlevel.Event{}},
	} {
		got, err := highlevel.ParseEvent([]byte(tc.body))
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		if diff := gocmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tc.name, diff)
		}
	}
}

func TestWhatIsNoObjectIsNoEvent(t *testing.T) {
	for _, body := range []string{
		"", " ", "null", "[]", `"x"`, "1", "true", "{", `{"a":}`, `{} {}`, `{}x`, "\xff", "{\"a\":\"\xff\"}", strings.Repeat(`{"a":`, 20000), strings.Repeat("[", 1<<20),
	} {
		if e, err := highlevel.ParseEvent([]byte(body)); !errors.Is(err, highlevel.ErrNotEvent) {
			t.Errorf("%.20q: got %v, %v", body, e, err)
		}
	}
	_, err := highlevel.ParseEvent([]byte(`["jane@example.com"]`))
	if strings.Contains(err.Error(), "jane") {
		t.Errorf("the error shows the body: %v", err)
	}
}

// TestHighLevelsPublishedExamplesAreUnderstood reads every example that HighLevel
// publishes, and expects the kind and ids for its type.
func TestHighLevelsPublishedExamplesAreUnderstood(t *testing.T) {
	dir := reference.Shared(t, "highlevel-webhooks")
	for _, file := range []string{"events.jsonl", "events-enveloped.jsonl"} {
		f, err := os.Open(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		n := 0
		for ; lines.Scan(); n++ {
			var raw struct {
				Type, LocationID, CompanyID, ID, ContactID, WebhookID string
				Appointment                                           struct{ ID, ContactID string }
			}
			if err := json.Unmarshal(lines.Bytes(), &raw); err != nil {
				t.Fatal(err)
			}
			e, err := highlevel.ParseEvent(lines.Bytes())
			if err != nil {
				t.Errorf("%s line %d: %v", file, n+1, err)
			}
			want := highlevel.Event{Type: raw.Type, LocationID: raw.LocationID, WebhookID: raw.WebhookID, EntityID: raw.ID, ContactID: raw.ContactID}
			for _, kind := range []string{"contact", "task", "note", "appointment", "opportunity"} {
				if strings.HasPrefix(strings.ToLower(raw.Type), kind) {
					want.Kind = kind
				}
			}
			switch {
			case raw.Type == "INSTALL" || raw.Type == "UNINSTALL":
				want.Kind, want.EntityID = "install", cmp.Or(raw.LocationID, raw.CompanyID)
			case want.Kind == "contact":
				want.ContactID = raw.ID
			case want.Kind == "appointment":
				want.EntityID, want.ContactID = raw.Appointment.ID, raw.Appointment.ContactID
			}
			want.Deleted = strings.HasSuffix(raw.Type, "Delete") && want.Kind != "" || raw.Type == "UNINSTALL"
			want.Completed = raw.Type == "TaskComplete"
			want.CompanyID, want.AppID, want.VersionID, want.Timestamp = e.CompanyID, e.AppID, e.VersionID, e.Timestamp
			if diff := gocmp.Diff(want, e); diff != "" {
				t.Errorf("%s line %d: (-want +got)\n%s", file, n+1, diff)
			}
			if want.Kind != "" && (e.EntityID == "" || e.ContactID == "" && e.Kind != "install") {
				t.Errorf("%s line %d: an id is missing: %+v", file, n+1, e)
			}
			if file == "events-enveloped.jsonl" && (e.WebhookID == "" || e.AppID == "" || e.Timestamp.IsZero()) {
				t.Errorf("%s line %d: the envelope is missing: %+v", file, n+1, e)
			}
		}
		if n == 0 {
			t.Errorf("%s: no line was read", file)
		}
	}
}

func FuzzParseEvent(f *testing.F) {
	f.Add([]byte(`{"type":"TaskCreate","locationId":"l1","id":"t1","data":{"contactId":"c1"},"timestamp":1795514400005}`))
	f.Add([]byte(`{"type":"AppointmentCreate","appointment":{"id":1,"contact_id":"c"}}`))
	f.Add([]byte(`{"data":{"data":{}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := highlevel.ParseEvent(body)
		if err != nil {
			if !errors.Is(err, highlevel.ErrNotEvent) || e != (highlevel.Event{}) {
				t.Errorf("got %+v and %v", e, err)
			}
			return
		}
		if !json.Valid(body) {
			t.Errorf("%q is no JSON", body)
		}
		for _, id := range []string{e.LocationID, e.CompanyID, e.AppID, e.VersionID, e.WebhookID, e.EntityID, e.ContactID} {
			if _, err := clients.PathID(id); id != "" && err != nil {
				t.Errorf("the id %q passed: %v", id, err)
			}
		}
	})
}
