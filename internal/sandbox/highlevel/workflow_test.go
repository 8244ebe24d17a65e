package highlevel

import (
	"net/http"
	"slices"
	"testing"

	"milepost/internal/sandbox/fakehttp/fakehttptest"
)

func TestAWorkflowSendsASnapshotOnceAndUnsigned(t *testing.T) {
	r := &fakehttptest.Receiver{Statuses: []int{http.StatusServiceUnavailable}}
	h := New(Config{LocationIDs: []string{testLocation}, WebhookClient: &http.Client{Transport: r}})
	t.Cleanup(h.Close)
	h.SeedLocation(Location{ID: testLocation, Name: "Northwind"}, nil, []CustomField{{Name: "Closing Date", DataType: "DATE"}, {Name: "Room", DataType: "TEXT"}})
	c, err := h.SeedContact(Contact{
		FirstName: "Jane", LastName: "Doe", Email: "jane@example.com", Tags: []string{"buyer", "vip"},
		CustomFields: map[string]any{"contact.closing_date": "2026-12-01"},
	})
	if err != nil {
		t.Fatal(err)
	}
	action := WorkflowAction{URL: "http://receiver.example/workflow/key", WorkflowID: "w1", WorkflowName: "Closing", CustomData: map[string]string{"a": "b"}}
	if err := h.RunWorkflow(c.ID, action); err != nil {
		t.Fatal(err)
	}
	fakehttptest.Idle(t, h)
	if r.Count() != 1 {
		t.Fatalf("%d tries, want 1 whatever the answer", r.Count())
	}
	if sign := r.Headers[0].Get("X-GHL-Signature") + r.Headers[0].Get("X-WH-Signature"); sign != "" {
		t.Errorf("it is signed %q", sign)
	}
	body := r.Events(t)[0]
	for key, want := range map[string]any{
		"contact_id": c.ID, "full_name": "Jane Doe", "tags": "buyer,vip", "Closing Date": "2026-12-01", "type": nil, "webhookId": nil, "Room": nil,
	} {
		if body[key] != want {
			t.Errorf("%s is %v, want %v", key, body[key], want)
		}
	}
	for key, want := range map[string]string{"location": testLocation, "workflow": "w1"} {
		if got := body[key].(map[string]any)["id"]; got != want {
			t.Errorf("%s.id is %v, want %s", key, got, want)
		}
	}
	if got := body["customData"].(map[string]any)["a"]; got != "b" {
		t.Errorf("customData.a is %v", got)
	}
	sent := h.Sent()
	if types := []string{sent[0].Type}; len(sent) != 1 || !slices.Equal(types, []string{"workflow"}) || !sent[0].Done {
		t.Errorf("it is remembered as %+v", sent)
	}
	if err := h.Resend(sent[0].ID); err == nil {
		t.Error("it was sent again by hand")
	}
	for _, bad := range []error{h.RunWorkflow("nobody", action), h.RunWorkflow(c.ID, WorkflowAction{})} {
		if bad == nil {
			t.Error("a workflow for nobody, or without a URL, was run")
		}
	}
}
