package highlevel

import (
	"context"
	"net/http"
	"time"

	"milepost/clients"
)

const (
	opAddToWorkflow      = "add contact to workflow"
	opRemoveFromWorkflow = "remove contact from workflow"
)

// AddToWorkflow enrols a contact in a workflow. start is the time for the workflow's event
// steps, zero = none. The client does not retry it, because a workflow may accept a contact
// twice.
func (c *Client) AddToWorkflow(ctx context.Context, contactID, workflowID string, start time.Time) error {
	return c.act(ctx, route{
		operation: opAddToWorkflow, method: http.MethodPost, path: "/contacts/%s/workflow/%s", ids: []string{contactID, workflowID},
		effect: clients.Once, body: enrolment{start},
	})
}

// RemoveFromWorkflow ends a contact's run of a workflow.
func (c *Client) RemoveFromWorkflow(ctx context.Context, contactID, workflowID string) error {
	return c.act(ctx, route{
		operation: opRemoveFromWorkflow, method: http.MethodDelete, path: "/contacts/%s/workflow/%s", ids: []string{contactID, workflowID},
		effect: clients.Idempotent, body: enrolment{}, // HighLevel requires a body here too
	})
}

type enrolment struct {
	EventStartTime time.Time `json:"eventStartTime,omitzero"`
}
