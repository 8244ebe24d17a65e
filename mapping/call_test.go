package mapping

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milepost/internal/catalog"
)

// calling is an automation with one request.
func calling(request string) string {
	return "name: A\non: contact.changed\ndo:\n  - request:\n" + strings.ReplaceAll(request, "\t", "      ")
}

func TestTheFieldsOfARequestAreCheckedWhenItIsLoaded(t *testing.T) {
	for _, tc := range []struct{ name, request, want string }{
		{"good", "\toperation: highlevel.add_contact_to_workflow\n\tfields: { contactId: '{{ contact.id }}', workflowId: wf-1 }", ""},
		{"no operation", "\tfields: {}", "a:5: request.operation: is required"},
		{"spelling", "\toperation: highlevel.add_contact_to_workflw", `a:5: request.operation: unknown operation "highlevel.add_contact_to_workflw"; did you mean "highlevel.add_contact_to_workflow"?`},
		{"no vendor", "\toperation: create_note", `a:5: request.operation: unknown operation "create_note"; did you mean "highlevel.create_note"?`},
		{"nothing near", "\toperation: reboot", "a:5: request.operation: unknown operation \"reboot\"; `milepost catalog --search WORD` finds one"},
		{"trigger", "\toperation: contact.changed", "a:5: request.operation: contact.changed is a trigger, not an operation; `milepost catalog --search WORD` finds one"},
		{"agency", "\toperation: highlevel.find_users_by_email\n\tfields: { emails: a@b.example }", "a:5: request.operation: an automation cannot call highlevel.find_users_by_email: it takes an agency's token only, and an automation has the one of its location"},
		{"webhook", "\toperation: calendarhero.set_webhook\n\tfields: { event: meeting_started, hookUrl: 'https://x.example' }", "a:5: request.operation: an automation cannot call calendarhero.set_webhook: it would redirect the webhooks that Milepost itself needs; `milepost hooks` manages them"},
		{"hook", "\toperation: calendarhero.delete_webhook\n\tfields: { event: meeting_started }", "a:5: request.operation: an automation cannot call calendarhero.delete_webhook: it would end the webhooks that Milepost itself needs; `milepost hooks` manages them"},
		{"missing", "\toperation: highlevel.add_contact_to_workflow\n\tfields:\n\t  contactId: c1", "a:5: request.fields.workflowId: is required"},
		{"name", "\toperation: highlevel.add_contact_to_workflow\n\tfields:\n\t  contactId: c1\n\t  workflowid: wf-1\n\t  workflowId: wf-1", `a:8: request.fields.workflowid: unknown field "workflowid"; did you mean "workflowId"?`},
		{"location", "\toperation: highlevel.search_contacts\n\tfields:\n\t  pageLimit: 1\n\t  locationId: another", "a:8: request.fields.locationId: is filled in by Milepost with the id of the location; leave it out"},
		{"type", "\toperation: highlevel.create_note\n\tfields:\n\t  contactId: c1\n\t  body: 12", "a:8: request.fields.body: must be a text; put it in quotes"},
		{"list", "\toperation: highlevel.add_tags\n\tfields:\n\t  contactId: c1\n\t  tags: 5", "a:8: request.fields.tags: must be a list of texts"},
		{"nested", "\toperation: highlevel.update_contact\n\tfields:\n\t  contactId: c1\n\t  customFields:\n\t    - key: a\n\t      fieldvalue: b", `a:10: request.fields.customFields.1.fieldvalue: unknown field "fieldvalue"; did you mean "field_value"?`},
		{"expression", "\toperation: highlevel.create_note\n\tfields:\n\t  contactId: '{{ contct.id }}'\n\t  body: x", `a:7: request.fields.contactId: unknown name "contct"; did you mean "contact"?`},
		{"braces", "\toperation: highlevel.create_note\n\tfields:\n\t  contactId: {{ contact.id }}\n\t  body: x", `a:7: request.fields.contactId: YAML reads {{ … }} without quotes as a list of fields; put all of the value in quotes: contactId: "{{ … }}"`},
		{"other", "\toperation: highlevel.list_users\n\tfield: {}", `a:6: request: unknown field "field"; did you mean "fields"?`},
		{"no fields", "\toperation: highlevel.list_users\n\tfields: [a]", "a:6: request.fields: must be a list of fields (name: value), this is a list"},
		{"either", "\toperation: highlevel.list_calendar_events\n\tfields: { startTime: '1', endTime: '2' }", "a:5: request.operation: one of calendarId, userId, groupId is required"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := ""
			if _, err := Load("a", []byte(calling(tc.request))); err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("\n got %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestARequestGoesWithEveryTriggerAndEveryOperationOfAnAutomation(t *testing.T) {
	for _, trigger := range triggers {
		extra := ""
		switch trigger {
		case ContactTagged:
			extra = "tag: vip\n"
		case MilestoneApproaching:
			extra = "before: 3d\n"
			fallthrough
		case MilestoneChanged:
			extra += "milestone: { name: contact.milestone, date: contact.milestone_date }\n"
		}
		if _, err := Load("a", []byte("name: A\non: "+string(trigger)+"\n"+extra+"do: [request: { operation: highlevel.list_users }]")); err != nil {
			t.Error(err)
		}
	}
	for _, e := range catalog.Entries() {
		if e.Kind != catalog.Operation {
			continue
		}
		fields, err := json.Marshal(e.Example)
		if err != nil {
			t.Fatal(err)
		}
		set, err := Load("a", []byte(calling("\toperation: "+e.Name+"\n\tfields: "+string(fields))))
		if (err == nil) != (e.Reserved == "") {
			t.Errorf("%s: %v", e.Name, err)
		}
		if err != nil {
			continue
		}
		plan := set.Plan(KindContact, Facts{Location: Location{ID: "loc1"}, Contact: Contact{ID: "c1"}})
		if len(plan.Items) != 1 || len(plan.Problems)+len(plan.Skipped) != 0 {
			t.Errorf("%s: the plan is %+v", e.Name, plan)
			continue
		}
		r, err := plan.Items[0].Call.Request("loc1", "co1")
		if err != nil || r.Method != e.Method || strings.ContainsAny(r.Target(), "{}") {
			t.Errorf("%s: %s %s, %v", e.Name, r.Method, r.Target(), err)
		}
		if mails := set.Automations()[0].Mails(); (mails != nil) != e.Mails {
			t.Errorf("%s mails %v", e.Name, mails)
		}
	}
}

func TestTheFieldsOfARequestAreFilledIn(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	facts := Facts{Location: Location{ID: "loc1", Zone: zone}, Contact: Contact{
		ID: "c1", Fields: map[string]any{"first_name": "Jane", "email": "jane@doe.example"}, Tags: []string{"VIP", "buyer"},
		Custom: map[string]CustomField{
			"score": {Value: 7.5}, "word": {Value: "many"}, "when": {Value: "2030-05-02T13:00:00Z"}, "day": {Value: "2030-05-02", Type: "DATE"},
		},
	}}
	for _, tc := range []struct {
		name, request string
		want          map[string]any
		sends         string
		skipped, bad  string
	}{
		{
			name:    "texts, a list, a number",
			request: "\toperation: highlevel.create_opportunity\n\tfields: { pipelineId: p1, name: 'Deal of {{ contact.first_name }}', status: open, contactId: '{{ contact.id }}', monetaryValue: '{{ contact.score }}' }",
			want:    map[string]any{"pipelineId": "p1", "name": "Deal of Jane", "status": "open", "contactId": "c1", "monetaryValue": 7.5},
			sends:   `POST /opportunities/ {"contactId":"c1","locationId":"loc1","monetaryValue":7.5,"name":"Deal of Jane","pipelineId":"p1","status":"open"}`,
		},
		{
			name:    "tags",
			request: "\toperation: highlevel.add_tags\n\tfields: { contactId: '{{ contact.id }}', tags: '{{ contact.tags }}' }",
			want:    map[string]any{"contactId": "c1", "tags": []any{"buyer", "vip"}},
			sends:   `POST /contacts/c1/tags {"tags":["buyer","vip"]}`,
		},
		{
			name:    "an optional field without a value is left out, also in a list",
			request: "\toperation: highlevel.update_contact\n\tfields: { contactId: '{{ contact.id }}', city: '{{ contact.city }}', address1: '', customFields: [{ key: a, field_value: '{{ contact.nothing }}' }, { key: b, field_value: '{{ contact.word }}' }] }",
			want:    map[string]any{"contactId": "c1", "address1": "", "customFields": []any{map[string]any{"key": "a"}, map[string]any{"key": "b", "field_value": "many"}}},
			sends:   `PUT /contacts/c1 {"address1":"","customFields":[{"key":"a"},{"field_value":"many","key":"b"}]}`,
		},
		{
			name:    "a required field without a value",
			request: "\toperation: highlevel.create_note\n\tfields: { contactId: '{{ contact.id }}', body: '{{ contact.city }} ' }",
			skipped: "the field body of highlevel.create_note has no value",
		},
		{
			name:    "a number that is none",
			request: "\toperation: highlevel.create_opportunity\n\tfields: { pipelineId: p1, name: x, status: open, contactId: c1, monetaryValue: '{{ contact.word }}' }",
			bad:     "fields.monetaryValue: must be a number",
		},
		{
			name:    "an id that leads elsewhere",
			request: "\toperation: highlevel.get_opportunity\n\tfields: { id: 'pipe{{ \"lines\" }}' }",
			bad:     "fields: an id is a word of the API, not an id",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			set, err := Load("a", []byte(calling(tc.request)))
			if err != nil {
				t.Fatal(err)
			}
			plan := set.Plan(KindContact, facts)
			if tc.skipped != "" || tc.bad != "" {
				if tc.skipped != "" && (len(plan.Skipped) != 1 || plan.Skipped[0].Reason != tc.skipped) ||
					tc.bad != "" && (len(plan.Problems) != 1 || plan.Problems[0].Field+": "+plan.Problems[0].Message != tc.bad) || len(plan.Items) != 0 {
					t.Errorf("the plan is %+v", plan)
				}
				return
			}
			if len(plan.Items) != 1 {
				t.Fatalf("the plan is %+v", plan)
			}
			item := plan.Items[0]
			if item.Kind != ItemCall || item.Key != "a/1" {
				t.Errorf("the item is %+v", item)
			}
			if diff := cmp.Diff(tc.want, item.Call.Fields); diff != "" {
				t.Error(diff)
			}
			r, err := item.Call.Request("loc1", "")
			if err != nil {
				t.Fatal(err)
			}
			body, err := json.Marshal(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Method + " " + r.Target() + " " + string(body); got != tc.sends {
				t.Errorf("it sends %s\nwant     %s", got, tc.sends)
			}
		})
	}
}

func TestAMomentIsSentAsVendorsReadIt(t *testing.T) {
	set, err := Load("a", []byte("name: A\non: milestone.changed\nmilestone: { date: contact.closing }\ndo:\n- request:\n    operation: calendarhero.create_meeting_request\n"+
		"    fields: { subject: 'At {{ milestone.date }}', dateStart: '{{ milestone.date }}', dateEnd: '{{ milestone.date }}', contactEmails: ['{{ contact.email }}', '{{ contact.nobody }}'] }"))
	if err != nil {
		t.Fatal(err)
	}
	zone := time.FixedZone("", -4*60*60)
	for value, want := range map[string]string{"2030-05-02T13:00:00Z": "2030-05-02T13:00:00Z", "2030-05-02": "2030-05-02"} {
		plan := set.Plan(KindContact, Facts{Location: Location{ID: "loc1", Zone: zone}, Contact: Contact{
			ID: "c1", Fields: map[string]any{"email": "jane@doe.example"}, Custom: map[string]CustomField{"closing": {Value: value}},
		}})
		if len(plan.Items) != 1 {
			t.Fatalf("the plan is %+v", plan)
		}
		if got := plan.Items[0].Call.Fields["dateStart"]; got != want {
			t.Errorf("%s is sent as %v", value, got)
		}
		if diff := cmp.Diff([]Mailed{{Who: InviteAddress, Address: "jane@doe.example"}}, plan.Items[0].Mails()); diff != "" {
			t.Error(diff)
		}
	}
	if diff := cmp.Diff([]Mailed{{Operation: "calendarhero.create_meeting_request"}}, set.Automations()[0].Mails()); diff != "" {
		t.Error(diff)
	}
}
