package catalog_test

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"milepost/internal/catalog"
)

func find(t *testing.T, name string) catalog.Entry {
	t.Helper()
	e, ok := catalog.Find(name)
	if !ok {
		t.Fatalf("there is no %s", name)
	}
	return e
}

func TestEveryExampleIsAcceptedAndMakesARequest(t *testing.T) {
	for _, e := range append(operations(t, catalog.HighLevel), operations(t, catalog.CalendarHero)...) {
		own := catalog.Own{Vendor: e.Vendor, LocationID: "loc1", CompanyID: "comp1"}
		if err := e.Check(e.Example); err != nil && e.Reserved == "" {
			t.Errorf("%s: %v", e.Name, err)
		}
		r, err := e.Request(own, e.Example)
		if err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
		if strings.Count(r.Path, "%s") != len(r.IDs) {
			t.Errorf("%s: %s with %v", e.Name, r.Path, r.IDs)
		}
	}
}

func TestARequestHasItsFieldsInTheirPlaces(t *testing.T) {
	own := catalog.Own{Vendor: catalog.HighLevel, LocationID: "loc1", CompanyID: "comp1"}
	for name, tc := range map[string]struct {
		fields map[string]any
		want   catalog.Request
	}{
		"highlevel.list_custom_fields": {
			map[string]any{"model": "contact"},
			catalog.Request{Path: "/locations/%s/customFields", IDs: []string{"loc1"}, Query: url.Values{"model": {"contact"}}},
		},
		"highlevel.list_free_slots": {
			map[string]any{"calendarId": "cal1", "startDate": float64(1796083200000), "endDate": "1796688000000", "userIds": []any{"u1", "u2"}},
			catalog.Request{
				Path: "/calendars/%s/free-slots", IDs: []string{"cal1"},
				Query: url.Values{"startDate": {"1796083200000"}, "endDate": {"1796688000000"}, "userIds": {"u1", "u2"}},
			},
		},
		"highlevel.remove_followers_from_opportunity": {
			map[string]any{"id": "o1", "followers": []any{"u1"}, "isRemoveAllFollowers": false},
			catalog.Request{
				Path: "/opportunities/%s/followers", IDs: []string{"o1"}, Query: url.Values{"isRemoveAllFollowers": {"false"}},
				Body: map[string]any{"followers": []any{"u1"}},
			},
		},
		"highlevel.search_users": {
			map[string]any{},
			catalog.Request{Path: "/users/search", Query: url.Values{"companyId": {"comp1"}, "locationId": {"loc1"}}},
		},
		"highlevel.delete_calendar_event": {
			map[string]any{"eventId": "e1"},
			catalog.Request{Path: "/calendars/events/%s", IDs: []string{"e1"}, Query: url.Values{}, Body: map[string]any{}},
		},
		"highlevel.create_opportunity": {
			map[string]any{"pipelineId": "p1", "name": "House", "status": "open", "contactId": "c1", "monetaryValue": " 1250.50 "},
			catalog.Request{Path: "/opportunities/", Query: url.Values{}, Body: map[string]any{
				"locationId": "loc1", "pipelineId": "p1", "name": "House", "status": "open", "contactId": "c1", "monetaryValue": json.Number("1250.50"),
			}},
		},
	} {
		if tc.want.Query == nil {
			tc.want.Query = url.Values{}
		}
		tc.want.Method = find(t, name).Method
		got, err := find(t, name).Request(own, tc.fields)
		if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
	}
}

func TestACallIsCheckedBeforeItRuns(t *testing.T) {
	contact := map[string]any{"contactId": "c1"}
	with := func(more map[string]any) map[string]any {
		all := map[string]any{"contactId": "c1"}
		for key, value := range more {
			all[key] = value
		}
		return all
	}
	for _, tc := range []struct {
		name   string
		fields map[string]any
		want   string // "" = nothing is wrong
	}{
		{"highlevel.get_contact", contact, ""},
		{"highlevel.get_contact", map[string]any{"contactId": "{{ contact.id }}"}, ""},
		{"highlevel.get_contact", nil, "contactId is required"},
		{"highlevel.get_contact", with(map[string]any{"id": "c1"}), "id is unknown; known are contactId"},
		{"highlevel.get_contact", map[string]any{"contactId": 7}, "contactId must be a text; put it in quotes"},
		{"highlevel.get_contact", map[string]any{"contactId": nil}, "contactId must not be null"},
		{"highlevel.get_contact", map[string]any{"contactId": " "}, "contactId must be a text that is not empty"},
		{"highlevel.get_location", map[string]any{"locationId": "other"}, "locationId is filled in by Milepost with the id of the location; leave it out"},
		{"highlevel.search_opportunities", map[string]any{"location_id": "other"}, "location_id is filled in by Milepost with the id of the location; leave it out"},
		{"highlevel.list_templates", map[string]any{"originId": "other"}, "originId is filled in by Milepost with the id of the location; leave it out"},
		{"highlevel.update_contact", with(map[string]any{"email": nil, "dnd": "{{ contact.dnd }}"}), ""},
		{"highlevel.update_contact", with(map[string]any{"dnd": "yes", "tags": "a"}), "dnd must be true or false; tags must be a list of texts"},
		{"highlevel.update_contact", with(map[string]any{"customFields": []any{map[string]any{"key": "a", "value": 1}}}), "customFields.1.value is unknown; known are id, key, field_value"},
		{"highlevel.update_contact", with(map[string]any{"dndSettings": map[string]any{"Email": map[string]any{"status": "off"}}}), "dndSettings.Email.status must be one of active, inactive, permanent"},
		{"highlevel.set_opportunity_status", map[string]any{"id": "o1", "status": "gone"}, "status must be one of open, won, lost, abandoned, all"},
		{"highlevel.set_business_of_contacts", map[string]any{"ids": []any{"c1"}, "businessId": nil}, ""},
		{"highlevel.list_calendar_events", map[string]any{"startTime": "1", "endTime": "2"}, "one of calendarId, userId, groupId is required"},
		{"highlevel.find_users_by_email", map[string]any{"emails": "a@b.example"}, "an automation cannot call highlevel.find_users_by_email: it takes an agency's token only, and an automation has the one of its location"},
		{"calendarhero.delete_webhook", map[string]any{"event": "meeting_started"}, "an automation cannot call calendarhero.delete_webhook: it would end the webhooks that Milepost itself needs; `milepost hooks` manages them"},
		{"contact.changed", nil, "contact.changed is no operation"},
	} {
		got := ""
		if err := find(t, tc.name).Check(tc.fields); err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s %v:\n got %s\nwant %s", tc.name, tc.fields, got, tc.want)
		}
	}
}

func TestNoIDLeadsToAnotherOperation(t *testing.T) {
	for _, tc := range []struct {
		name   string
		fields map[string]any
	}{
		{"calendarhero.get_user", nil}, // by the other vendor's client
		{"highlevel.get_opportunity", map[string]any{"id": "pipelines"}},
		{"highlevel.get_contact", map[string]any{"contactId": "../locations/loc2"}},
		{"highlevel.get_contact", map[string]any{"contactId": `c1\tasks`}},
		{"highlevel.remove_contact_from_campaign", map[string]any{"contactId": "c1", "campaignId": "removeAll"}},
		{"highlevel.complete_task", map[string]any{"contactId": "{taskId}", "taskId": "", "completed": true}},
		{"highlevel.create_opportunity", map[string]any{"pipelineId": "p1", "name": "n", "status": "open", "contactId": "c1", "monetaryValue": "NaN"}},
	} {
		if r, err := find(t, tc.name).Request(catalog.Own{Vendor: catalog.HighLevel, LocationID: "loc1"}, tc.fields); err == nil {
			t.Errorf("%s %v became %s %v", tc.name, tc.fields, r.Path, r.IDs)
		}
	}
	if _, err := find(t, "calendarhero.get_contact").Request(catalog.Own{Vendor: catalog.CalendarHero}, map[string]any{"id": "count"}); err == nil {
		t.Error("the id count became another operation of CalendarHero")
	}
}

func TestNoFieldOfACallReachesAnotherLocation(t *testing.T) {
	own := catalog.Own{Vendor: catalog.HighLevel, LocationID: "own-location", CompanyID: "own-company"}
	for _, e := range operations(t, catalog.HighLevel) {
		r, err := e.Request(own, e.Example)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range e.Fields {
			names := strings.ToLower(strings.ReplaceAll(f.Name, "_", ""))
			isLocation := names == "locationid" || names == "originid" || names == "altid" || names == "companyid"
			if isLocation != (f.Filled != "") {
				t.Errorf("%s: %s is filled in with %q", e.Name, f.Name, f.Filled)
			}
			if f.Filled == "" {
				continue
			}
			with := map[string]any{f.Name: "another"}
			maps.Copy(with, e.Example)
			if _, err := e.Request(own, with); err == nil {
				t.Errorf("%s takes another %s", e.Name, f.Name)
			}
			want := map[string]string{catalog.Location: own.LocationID, catalog.Company: own.CompanyID}[f.Filled]
			switch f.Where {
			case catalog.InPath:
				if !slices.Contains(r.IDs, want) {
					t.Errorf("%s: %v lacks the %s", e.Name, r.IDs, f.Filled)
				}
			case catalog.InQuery:
				if r.Query.Get(f.Name) != want {
					t.Errorf("%s: the query %v lacks the %s", e.Name, r.Query, f.Filled)
				}
			case catalog.InBody:
				if r.Body[f.Name] != want {
					t.Errorf("%s: the body %v lacks the %s", e.Name, r.Body, f.Filled)
				}
			}
		}
	}
}

// FuzzACallIsCheckedOrSentWhole takes any JSON as the fields of any operation: what
// Request accepts has no field that the operation does not have, and Check accepts it too.
func FuzzACallIsCheckedOrSentWhole(f *testing.F) {
	all := slices.DeleteFunc(catalog.Entries(), func(e catalog.Entry) bool { return e.Kind != catalog.Operation })
	for i, e := range all {
		text, err := json.Marshal(e.Example)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(i, string(text))
	}
	for _, hostile := range []string{
		`{"contactId":"../x"}`, `{"contactId":"%2e%2e%2f"}`, `{"id":"a\u0000b"}`, `{"limit":1e999}`, `{"limit":"1e999"}`, `{"filters":[[[[]]]]}`,
		`{"locationId":"x"}`, `{"contactId":{"$ne":1}}`, `{"":""}`, `null`,
	} {
		for i := range all {
			f.Add(i, hostile)
		}
	}
	f.Fuzz(func(t *testing.T, i int, text string) {
		e := all[uint(i)%uint(len(all))]
		var fields map[string]any
		if json.Unmarshal([]byte(text), &fields) != nil {
			return
		}
		r, err := e.Request(catalog.Own{Vendor: e.Vendor, LocationID: "own-location", CompanyID: "own-company"}, fields)
		if err != nil {
			return
		}
		if err := e.Check(fields); err != nil && e.Reserved == "" {
			t.Errorf("%s: Request takes what Check does not: %v", e.Name, err)
		}
		if strings.Count(r.Path, "%s") != len(r.IDs) || strings.Count(e.Path, "/") != strings.Count(r.Path, "/") {
			t.Errorf("%s: %s with %v", e.Name, r.Path, r.IDs)
		}
		for name := range fields {
			if !slices.ContainsFunc(e.Fields, func(f catalog.Field) bool { return f.Name == name && f.Filled == "" }) {
				t.Errorf("%s took the field %q", e.Name, name)
			}
		}
		if _, err := json.Marshal(r.Body); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
	})
}
