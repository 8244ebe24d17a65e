package highlevel_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/testenv"
)

func TestAWriteHoldsWhatIsSetAndNothingElse(t *testing.T) {
	var body string
	client, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		body = r.Method + " " + string(raw)
		io.WriteString(w, `{"contact":{"id":"c1"},"task":{"id":"t1"},"note":{"id":"n1"}}`)
	})
	ctx := t.Context()
	update := func(fields highlevel.ContactFields) func() error {
		return func() error { return only(client.UpdateContact(ctx, "c1", fields)) }
	}
	for _, tc := range []struct {
		name string
		call func() error
		want string
	}{
		{"nothing", update(highlevel.ContactFields{}), `PUT {}`},
		{"a text set, one cleared and one emptied", update(highlevel.ContactFields{FirstName: highlevel.Set("Jane"), City: highlevel.Clear(), State: highlevel.Set("")}), `PUT {"firstName":"Jane","city":null,"state":""}`},
		{"what HighLevel does not clear", update(highlevel.ContactFields{PostalCode: new(""), Country: new("US"), DND: new(false)}), `PUT {"postalCode":"","country":"US","dnd":false}`},
		{"no tags at all", update(highlevel.ContactFields{Tags: []string{}}), `PUT {"tags":[]}`},
		{"custom fields by id and by key, one cleared", update(highlevel.ContactFields{CustomFields: []highlevel.CustomFieldWrite{{ID: "f1", Value: "2026-12-01"}, {Key: "budget", Value: 0}, {ID: "f2"}}}), `PUT {"customFields":[{"id":"f1","field_value":"2026-12-01"},{"key":"budget","field_value":0},{"id":"f2","field_value":""}]}`},
		{"a new contact", func() error {
			return only(client.CreateContact(ctx, highlevel.NewContact{LocationID: "l1", Gender: "female", ContactFields: highlevel.ContactFields{Name: highlevel.Set("A B")}}))
		}, `POST {"locationId":"l1","gender":"female","name":"A B"}`},
		{"an upsert that may duplicate", func() error {
			return third(client.UpsertContact(ctx, highlevel.UpsertContact{NewContact: highlevel.NewContact{LocationID: "l1"}, AllowDuplicate: true}))
		}, `POST {"locationId":"l1","createNewIfDuplicateAllowed":true}`},
		{"a new task", func() error {
			return only(client.CreateTask(ctx, "c1", highlevel.NewTask{Title: "t", DueDate: time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)}))
		}, `POST {"title":"t","dueDate":"2026-12-01T10:00:00Z","completed":false}`},
		{"a task that is opened again", func() error {
			return only(client.UpdateTask(ctx, "c1", "t1", highlevel.TaskFields{Completed: new(false)}))
		}, `PUT {"completed":false}`},
		{"a note that is unpinned", func() error {
			return only(client.UpdateNote(ctx, "c1", "n1", highlevel.NoteFields{Pinned: new(false)}))
		}, `PUT {"pinned":false}`},
		{"no business", func() error { return client.SetBusiness(ctx, "l1", "", []string{"c1"}) }, `POST {"locationId":"l1","ids":["c1"],"businessId":null}`},
		{"a workflow without a time", func() error { return client.AddToWorkflow(ctx, "c1", "w1", time.Time{}) }, `POST {}`},
		{"the end of a workflow", func() error { return client.RemoveFromWorkflow(ctx, "c1", "w1") }, `DELETE {}`},
	} {
		if err := tc.call(); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		} else if body != tc.want {
			t.Errorf("%s: sent %s, want %s", tc.name, body, tc.want)
		}
	}
}

func TestAFlagIsReadInEverySpelling(t *testing.T) {
	for _, tc := range []struct {
		body   string
		reason clients.Reason
	}{
		{`{"succeded":true}`, ""},
		{`{"succeeded":true}`, ""},
		{`{"succeeded":"true","succeded":true}`, ""},
		{`{"message":"ok"}`, ""},
		{`"ok"`, ""},
		{`{"succeded":false}`, clients.Unavailable},
		{`{"succeeded":false}`, clients.Unavailable},
		{`{"success":false,"ids":[]}`, clients.Unavailable},
	} {
		client, _ := setup(t, answer(200, tc.body))
		ctx := t.Context()
		for name, err := range map[string]error{
			"delete": client.DeleteContact(ctx, "c1"), "workflow": client.AddToWorkflow(ctx, "c1", "w1", time.Time{}),
			"business": client.SetBusiness(ctx, "l1", "b1", []string{"c1"}),
		} {
			if clients.ReasonOf(err) != tc.reason {
				t.Errorf("%s answered %s: %v, want %q", name, tc.body, err, tc.reason)
			}
		}
	}
}

func TestADuplicateNamesTheOtherContactAndNobody(t *testing.T) {
	const message = `"statusCode":400,"message":"This location does not allow duplicated contacts."`
	for _, tc := range []struct {
		name, body string
		want       *highlevel.DuplicateError
	}{
		{"by e-mail", `{` + message + `,"meta":{"contactId":"c9","contactName":"Jane Private","matchingField":"email"}}`, &highlevel.DuplicateError{ContactID: "c9", Field: "email"}},
		{"by phone", `{` + message + `,"meta":{"contactId":"c9","contactName":"Jane Private","matchingField":"phone"}}`, &highlevel.DuplicateError{ContactID: "c9", Field: "phone"}},
		{"by what is no name of a field", `{` + message + `,"meta":{"contactId":"c9","matchingField":"jane@private.example"}}`, &highlevel.DuplicateError{ContactID: "c9"}},
		{"without a field", `{` + message + `,"meta":{"contactId":"c9"}}`, &highlevel.DuplicateError{ContactID: "c9"}},
		{"of an id that is none", `{` + message + `,"meta":{"contactId":"../c9"}}`, nil},
		{"without meta", `{` + message + `}`, nil},
		{"with another meta", `{` + message + `,"meta":["c9"]}`, nil},
	} {
		client, tries := setup(t, answer(400, tc.body))
		_, create := client.CreateContact(t.Context(), highlevel.NewContact{LocationID: "l1", ContactFields: highlevel.ContactFields{Email: highlevel.Set("jane@private.example")}})
		_, update := client.UpdateContact(t.Context(), "c1", highlevel.ContactFields{Phone: highlevel.Set("+12125550199")})
		for _, err := range []error{create, update} {
			got, _ := errors.AsType[*highlevel.DuplicateError](err)
			if diff := cmp.Diff(tc.want, got); diff != "" || clients.ReasonOf(err) != clients.Invalid || tries.Load() != 2 {
				t.Errorf("%s: %v after %d tries %s", tc.name, err, tries.Load(), diff)
			}
			if text := strings.ToLower(err.Error()); strings.Contains(text, "private") || strings.Contains(text, "555") {
				t.Errorf("%s: the error shows personal data: %v", tc.name, err)
			}
		}
	}
}

func TestAnErrorOfAPIv3IsUnderstood(t *testing.T) {
	const gone = `{"error":{"code":"RESOURCE_NOT_FOUND","message":"The requested opportunity does not exist","details":[{"field":"id"}],"resolution":"Check the id"},"traceId":"tr-3"}`
	for status, body := range map[int]string{404: gone, 400: gone} {
		client, _ := setup(t, answer(status, body))
		_, err := client.Opportunity(t.Context(), "o1")
		e, _ := errors.AsType[*clients.Error](err)
		if e == nil || e.Reason != clients.NotFound || e.TraceID != "tr-3" || !strings.Contains(e.Message, "opportunity does not exist") {
			t.Errorf("%d: %v", status, err)
		}
	}
	client, _ := setup(t, answer(400, `{"error":{"code":"INVALID_ARGUMENT","details":[]}}`))
	if _, err := client.Opportunity(t.Context(), "o1"); clients.ReasonOf(err) != clients.Invalid || !strings.Contains(err.Error(), "INVALID_ARGUMENT") {
		t.Error(err)
	}
}

func TestAnIDInAQueryIsCheckedToo(t *testing.T) {
	client, tries := setup(t, answer(200, `{}`))
	ctx := t.Context()
	for _, id := range []string{"", "a/b", strings.Repeat("x", 200)} {
		_, err1 := client.Pipelines(ctx, id)
		_, _, err2 := client.SearchOpportunities(ctx, id, highlevel.OpportunitySearch{})
		_, _, err3 := client.FindDuplicate(ctx, id, "a@b.example", "")
		_, err4 := client.CreateContact(ctx, highlevel.NewContact{LocationID: id})
		_, err5 := client.AddTagsToMany(ctx, id, []string{"c1"}, []string{"a"})
		err6 := client.SetBusiness(ctx, id, "b1", []string{"c1"})
		for _, err := range []error{err1, err2, err3, err4, err5, err6} {
			if clients.ReasonOf(err) != clients.Invalid {
				t.Errorf("%q: %v", id, err)
			}
		}
	}
	if tries.Load() != 0 {
		t.Errorf("%d calls", tries.Load())
	}
}

func TestNothingToDoIsNoCall(t *testing.T) {
	client, tries := setup(t, answer(500, ``))
	ctx := t.Context()
	_, err1 := client.AddTagsToMany(ctx, "l1", nil, []string{"a"})
	_, err2 := client.RemoveTagsFromMany(ctx, "l1", []string{"c1"}, nil)
	_, err3 := client.RemoveAllTags(ctx, "l1", nil)
	_, err4 := client.AddFollowers(ctx, "c1", nil)
	if err := errors.Join(err1, err2, err3, err4, client.SetBusiness(ctx, "l1", "b1", nil)); err != nil || tries.Load() != 0 {
		t.Errorf("%v after %d calls", err, tries.Load())
	}
}

func TestRecordsAreReadWithTolerance(t *testing.T) {
	get := func(body string) *highlevel.Client {
		client, _ := setup(t, answer(200, body))
		return client
	}
	ctx := t.Context()
	check(t, "an opportunity", highlevel.Opportunity{
		ID: "7", ContactID: "c1", MonetaryValue: "40", Status: "open",
		CustomFields: []highlevel.CustomFieldValue{
			{ID: "a", Value: json.RawMessage(`"x"`)},
			{ID: "b", Value: json.RawMessage(`["y"]`)},
			{ID: "c", Value: json.RawMessage(`1764547200000`)},
			{ID: "d", Value: json.RawMessage(`3`)},
			{ID: "e"},
		},
	})(get(`{"opportunity":{"id":7,"contact":{"id":"c1"},"monetaryValue":40,"status":"open","assignedTo":null,"lastStageChangeAt":null,"followers":[],"customFields":[
		{"id":"a","type":"string","fieldValueString":"x"},{"id":"b","type":"array","fieldValueArray":["y"]},{"id":"c","type":"date","fieldValueDate":1764547200000},
		{"id":"d","fieldValue":3},{"id":"e","fieldValue":null},{"fieldValue":"lost"},null]}}`).Opportunity(ctx, "7"))
	check(t, "pipelines", []highlevel.Pipeline{{ID: "p1", Name: "Sales", Stages: []highlevel.Stage{{ID: "s1", Name: "New"}}}, {ID: "p2"}})(
		get(`{"pipelines":[{"id":"p1","name":"Sales","stages":[{"id":"s1","name":"New","position":0},null,{"name":"lost"}]},{"id":"p2","stages":null},{},null]}`).Pipelines(ctx, "l1"))
	check(t, "appointments", []highlevel.Appointment{{ID: "a1", Status: "booked", Notes: "d"}, {ID: "a2", Status: "cancelled", UserIDs: []string{"u1"}}})(
		get(`{"events":[{"id":"a1","status":"booked","description":"d","users":null},{"id":"a2","appoinmentStatus":"cancelled","users":["u1",null]},{}]}`).Appointments(ctx, "c1"))
	check(t, "tags of a location", []highlevel.LocationTag{{ID: "t1"}})(get(`{"tags":[{"id":"t1","name":null},{"name":"x"}]}`).LocationTags(ctx, "l1"))
	for body, want := range map[string]bool{`{"contact":{"id":"c1"}}`: true, `{"contact":null}`: false, `null`: false} {
		if got, found, err := get(body).FindDuplicate(ctx, "l1", "a@b.example", ""); err != nil || found != want || (got.ID == "c1") != want {
			t.Errorf("a duplicate from %s: %v, %v, %v", body, got, found, err)
		}
	}
	for _, body := range []string{`{}`, `{"contact":{}}`, `{"contact":"c1"}`} {
		if _, _, err := get(body).FindDuplicate(ctx, "l1", "a@b.example", ""); clients.ReasonOf(err) != clients.Unavailable {
			t.Errorf("a duplicate from %s: %v", body, err)
		}
	}
}

func TestTheTimeOfAnAppointmentIsReadInItsZone(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"2026-07-16 11:00:00":            "2026-07-16T15:00:00Z",
		"2026-12-16 11:00:00":            "2026-12-16T16:00:00Z",
		"2026-12-16T11:00:00":            "2026-12-16T16:00:00Z",
		"2026-07-16T11:00:00+05:30":      "2026-07-16T05:30:00Z",
		"2026-07-16T11:00:00.000Z":       "2026-07-16T11:00:00Z",
		"2026-11-01 01:30:00":            "2026-11-01T05:30:00Z", // this time occurs twice that night
		"":                               "",
		"tomorrow":                       "",
		"2026-02-30 11:00:00":            "",
		strings.Repeat("9", 1000) + " x": "",
	} {
		got, err := highlevel.Appointment{StartTime: text}.Start(zone)
		if err != nil {
			if want != "" || len(err.Error()) > 200 {
				t.Errorf("%q: %v", text, err)
			}
		} else if at := got.UTC().Format(time.RFC3339); at != want {
			t.Errorf("%q is %s, want %q", text, at, want)
		}
	}
}

// contactPages serves n contacts like the contact search: by page up to 10,000, and after
// searchAfter beyond. capped limits a page.
func contactPages(t *testing.T, n, capped int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			PageLimit, Page int
			SearchAfter     []int
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		if (in.Page > 0) == (in.SearchAfter != nil) || in.Page*in.PageLimit > 10_000 {
			w.WriteHeader(400)
			return
		}
		from := (in.Page - 1) * in.PageLimit
		if in.SearchAfter != nil {
			from = in.SearchAfter[0] + 1
		}
		rows := []map[string]any{}
		for i := from; i < n && len(rows) < min(in.PageLimit, capped); i++ {
			rows = append(rows, map[string]any{"id": fmt.Sprint("c", i), "firstNameLowerCase": "jane", "searchAfter": []int{i}})
		}
		json.NewEncoder(w).Encode(map[string]any{"contacts": rows, "total": n})
	}
}

func TestAllContactsGoesOnBeyondTheReachOfPages(t *testing.T) {
	testenv.Long(t)
	for _, n := range []int{0, 1, 10_000, 10_501} {
		client, tries := setup(t, contactPages(t, n, 500))
		seen := 0
		for row, err := range client.AllContacts(t.Context(), highlevel.ContactSearch{LocationID: "l1", PageLimit: 500}) {
			if err != nil || row.ID != fmt.Sprint("c", seen) || row.FirstName != "jane" {
				t.Fatalf("contact %d of %d: %v, %v", seen, n, row, err)
			}
			seen++
		}
		if calls := int32((n+499)/500 + 1); seen != n || tries.Load() != calls {
			t.Errorf("saw %d of %d in %d calls, want %d", seen, n, tries.Load(), calls)
		}
	}
}

func TestAllContactsStopsWhenItsReaderDoes(t *testing.T) {
	client, tries := setup(t, contactPages(t, 100, 10))
	for _, err := range client.AllContacts(t.Context(), highlevel.ContactSearch{LocationID: "l1", PageLimit: 10}) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	if tries.Load() != 1 {
		t.Errorf("%d calls", tries.Load())
	}
}

func TestAllContactsPassesNoUnfinishedSearchForAWholeOne(t *testing.T) {
	row := func(i int) string { return fmt.Sprintf(`{"contacts":[{"id":"c%d"}],"total":9}`, i) }
	calls := 0
	for _, tc := range []struct {
		name    string
		handler http.HandlerFunc
		limit   int
		reason  clients.Reason
		seen    int
	}{
		{"a server that ignores page", answer(200, row(1)), 100, clients.Unavailable, 1},
		{"rows without searchAfter beyond 10,000", func(w http.ResponseWriter, _ *http.Request) { calls++; io.WriteString(w, row(calls)) }, 500, clients.Unavailable, 20},
		{"a server that fails", answer(500, ``), 100, clients.Unavailable, 0},
		{"a search that is refused", answer(422, `{"message":["Invalid field shoe in filters"]}`), 100, clients.Invalid, 0},
	} {
		client, _ := setup(t, tc.handler)
		seen, ends := 0, []error{}
		for row, err := range client.AllContacts(t.Context(), highlevel.ContactSearch{LocationID: "l1", PageLimit: tc.limit}) {
			if err != nil {
				ends = append(ends, err)
			} else if row.ID != "" {
				seen++
			}
		}
		if len(ends) != 1 || clients.ReasonOf(ends[0]) != tc.reason || seen != tc.seen {
			t.Errorf("%s: %v after %d contacts, want %s after %d", tc.name, ends, seen, tc.reason, tc.seen)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	client, _ := setup(t, contactPages(t, 10, 10))
	for _, err := range client.AllContacts(ctx, highlevel.ContactSearch{LocationID: "l1"}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled search: %v", err)
		}
	}
}
