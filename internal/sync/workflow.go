package sync

import (
	"context"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/mapping"
)

// readWorkflow reads the last webhook of the workflow. If an automation uses the contact
// that it names, readWorkflow fetches the contact.
func (s *entitySync) readWorkflow(ctx context.Context, needs mapping.Needs) (mapping.Workflow, mapping.Needs, error) {
	record, ok, err := s.store.Record(ctx, s.entity)
	if err != nil {
		return mapping.Workflow{}, needs, err
	}
	failed := &clients.Error{API: "HighLevel", Operation: "read workflow webhook", Subject: s.entity.ID}
	if !ok {
		failed.Reason, failed.Message = clients.NotFound, "Milepost no longer keeps its body"
		return mapping.Workflow{}, needs, failed
	}
	event, err := highlevel.ParseWorkflowEvent(record.Body)
	if err != nil {
		failed.Reason, failed.Message = clients.Invalid, err.Error()
		return mapping.Workflow{}, needs, failed
	}
	s.contactID, s.changedAt = event.ContactID, record.ReceivedAt
	if s.contactID == "" { // then there is nothing to fetch; the plan says what that leaves undone
		needs = mapping.Needs{Any: needs.Any}
	}
	return mapping.Workflow{
		ID: event.WorkflowID, Name: event.WorkflowName,
		CustomData: event.CustomData, Fields: event.Fields, Tags: event.Tags,
	}, needs, nil
}
