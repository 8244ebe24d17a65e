package highlevel_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"milepost/clients/highlevel"
	"milepost/internal/testenv/reference"
)

func parseWorkflow(t *testing.T, body string) highlevel.WorkflowEvent {
	t.Helper()
	e, err := highlevel.ParseWorkflowEvent([]byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return e
}

func TestWorkflowBodiesAreReadWithTolerance(t *testing.T) {
	type values = map[string]any
	for _, tc := range []struct {
		name, body string
		want       highlevel.WorkflowEvent
	}{
		{
			"a snapshot", `{"id":"of-the-trigger","contact_id":"c1","tags":"client, closing,,null","Closing Date":"2026-12-01","Empty":"","Nothing":"null","date_of_birth":null,
				"location":{"id":"l1"},"workflow":{"id":"w1","name":"Closing"},"customData":{"Milestone Title":" Closing ","milestone_date":"12/01/2026","size":2,"old":"null"}}`,
			highlevel.WorkflowEvent{
				ContactID: "c1", LocationID: "l1", WorkflowID: "w1", WorkflowName: "Closing", Tags: []string{"client", "closing"},
				CustomData: values{"Milestone Title": " Closing ", "milestone_title": " Closing ", "milestone_date": "12/01/2026", "size": 2.0},
				Fields:     values{"id": "of-the-trigger", "contact_id": "c1", "tags": "client, closing,,null", "Closing Date": "2026-12-01"},
			},
		},
		{
			"a snapshot whose Custom Data names the contact", `{"contact_id":"null","customData":{"contactId":"c1","milestone_id":7}}`,
			highlevel.WorkflowEvent{ContactID: "c1", MilestoneID: "7", CustomData: values{"contactId": "c1", "contactid": "c1", "milestone_id": 7.0}, Fields: values{}},
		},
		{
			"a body of one's own", `{"contact_id":"c1","locationId":"l1","workflow_id":"w1","Milestone Title":"Closing","milestone_title":"Exact wins","Milestone ID":"first"}`,
			highlevel.WorkflowEvent{
				ContactID: "c1", LocationID: "l1", WorkflowID: "w1", MilestoneID: "first",
				CustomData: values{
					"contact_id": "c1", "locationId": "l1", "locationid": "l1", "workflow_id": "w1", "Milestone Title": "Closing",
					"milestone_title": "Exact wins", "Milestone ID": "first", "milestone_id": "first",
				},
			},
		},
		{"a contact of its own shape", `{"contact":{"id":"c1"},"customData":{}}`, highlevel.WorkflowEvent{ContactID: "c1", CustomData: values{}, Fields: values{"contact": values{"id": "c1"}}}},
		{"an id that is nobody's", `{"id":"x","customData":{"id":"y"}}`, highlevel.WorkflowEvent{CustomData: values{"id": "y"}, Fields: values{"id": "x"}}},
		{"ids that cannot be ids", `{"contact_id":"a/b","workflow":{"id":"../w"},"location":"l1","customData":{}}`, highlevel.WorkflowEvent{CustomData: values{}, Fields: values{"contact_id": "a/b"}}},
		{"nothing", `{}`, highlevel.WorkflowEvent{CustomData: values{}}},
	} {
		got := parseWorkflow(t, tc.body)
		if tc.want.Fields == nil {
			tc.want.Fields = tc.want.CustomData
		}
		if diff := gocmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tc.name, diff)
		}
	}
	for _, body := range []string{"", "null", "[]", "milestone_title=x", `{"a":`, "{\"a\":\"\xff\"}"} {
		if _, err := highlevel.ParseWorkflowEvent([]byte(body)); err == nil {
			t.Errorf("%q was taken for a body", body)
		}
	}
}

func TestARecordIsOneContactInOneWorkflowAndOneMilestone(t *testing.T) {
	id := func(body string) string { return parseWorkflow(t, body).RecordID() }
	base := `{"contact_id":"c1","workflow":{"id":"w1"},"customData":{"milestone_id":"a","milestone_title":"%"}}`
	if a, b := id(strings.ReplaceAll(base, "%", "A")), id(strings.ReplaceAll(base, "%", "B")); a != b {
		t.Errorf("two states of one milestone are %q and %q", a, b)
	}
	seen := map[string]string{}
	for _, body := range []string{
		base, strings.Replace(base, "c1", "c2", 1), strings.Replace(base, "w1", "w2", 1),
		strings.Replace(base, `"a"`, `"b"`, 1), strings.Replace(base, `"a"`, `""`, 1), strings.Replace(base, `"c1"`, "null", 1),
	} {
		got := id(body)
		if other, taken := seen[got]; taken || got == "" {
			t.Errorf("%s and %s are both %q", body, other, got)
		}
		if len(got) > 300 {
			t.Errorf("%q is long", got)
		}
		seen[got] = body
	}
	if got := id(`{"email":"jane@example.com","workflow":{"id":"w1"}}`); got != "" {
		t.Errorf("a body that names neither contact nor milestone is %q, as all others of its kind would be", got)
	}
}

func TestTheExamplesOfWorkflowBodiesAreRead(t *testing.T) {
	file, err := os.Open(filepath.Join(reference.Shared(t, "highlevel-webhooks"), "workflow-actions.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var got []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var example struct{ Payload json.RawMessage }
		if err := json.Unmarshal(lines.Bytes(), &example); err != nil {
			t.Fatal(err)
		}
		e := parseWorkflow(t, string(example.Payload))
		title, _ := e.CustomData["milestone_title"].(string)
		field, _ := e.Fields["Milestone Date"].(string)
		got = append(got, strings.Join([]string{e.ContactID, e.LocationID, e.WorkflowName, title, field, strings.Join(e.Tags, "+")}, "|"))
	}
	want := []string{
		"bxoY65VIdH7laJEOHB4Y|CDR4h44AJ3Ic84nDuigS|Link Payment Paid In Full|||toxins+podium trans 09-12+won",
		"bxoY65VIdH7laJEOHB4Y|CDR4h44AJ3Ic84nDuigS|Milestone changed|Closing scheduled|2026-12-01|client+closing",
		"|||||",
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAFormBecomesTheSameObject(t *testing.T) {
	body, err := highlevel.WorkflowForm([]byte("contact_id=c1&milestone_title=Closing+%26+keys&x=1&x=2\n"))
	if err != nil || string(body) != `{"contact_id":"c1","milestone_title":"Closing \u0026 keys","x":["1","2"]}` {
		t.Errorf("%s, %v", body, err)
	}
	for _, bad := range []string{"", "  ", "a=%zz", "a=%ff", "%ff=a", "a;b=c"} {
		if body, err := highlevel.WorkflowForm([]byte(bad)); err == nil {
			t.Errorf("%q became %s", bad, body)
		} else if strings.Contains(err.Error(), "zz") {
			t.Errorf("the error quotes the body: %v", err)
		}
	}
}

func FuzzParseWorkflowEvent(f *testing.F) {
	f.Add([]byte(`{"contact_id":"c1","tags":"a,b","customData":{"Milestone Title":"x","milestone_id":1},"workflow":{"id":"w","name":"n"}}`))
	f.Add([]byte(`contact_id=c1&a=b`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if form, err := highlevel.WorkflowForm(body); err == nil {
			if _, err := highlevel.ParseWorkflowEvent(form); err != nil {
				t.Errorf("the form %q became %s: %v", body, form, err)
			}
		}
		e, err := highlevel.ParseWorkflowEvent(body)
		if err != nil {
			return
		}
		again, _ := highlevel.ParseWorkflowEvent(body)
		if e.RecordID() != again.RecordID() || len(e.RecordID()) > 300 || strings.Count(e.RecordID(), "/") > 2 {
			t.Errorf("%s has the record %q", body, e.RecordID())
		}
	})
}
