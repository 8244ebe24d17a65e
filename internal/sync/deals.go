package sync

import (
	"context"
	"time"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/facts"
	"milepost/internal/outcome"
	"milepost/mapping"
)

// readOpportunity fetches the opportunity and the names of its pipeline and stage.
func (s *entitySync) readOpportunity(ctx context.Context, needs mapping.Needs) (mapping.Opportunity, error) {
	o, err := call(s, func(hl *highlevel.Client) (highlevel.Opportunity, error) { return hl.Opportunity(ctx, s.entity.ID) })
	if err != nil {
		return mapping.Opportunity{}, err
	}
	if s.contactID = o.ContactID; o.ContactID == "" {
		return mapping.Opportunity{}, &clients.Error{
			API: "HighLevel", Operation: "get opportunity", Subject: s.entity.ID, Reason: clients.Invalid, Message: "the opportunity has no contact",
		}
	}
	s.mark = o.UpdatedAt
	s.changedAt, _ = time.Parse(time.RFC3339, o.UpdatedAt) // else it is not told
	pipelines, err := s.conn.Pipelines(ctx, o.PipelineStageID)
	if err != nil {
		return mapping.Opportunity{}, outcome.NonRecord(err)
	}
	var definitions []highlevel.CustomField
	if needs.OpportunityFields {
		if definitions, err = s.conn.OpportunityFields(ctx); err != nil {
			return mapping.Opportunity{}, outcome.NonRecord(err)
		}
	}
	return facts.Opportunity(o, pipelines, definitions), nil
}

// readAppointment fetches the appointment.
func (s *entitySync) readAppointment(ctx context.Context) (mapping.Appointment, error) {
	a, err := call(s, func(hl *highlevel.Client) (highlevel.Appointment, error) { return hl.Appointment(ctx, s.entity.ID) })
	if err != nil {
		return mapping.Appointment{}, err
	}
	if s.contactID = a.ContactID; a.ContactID == "" {
		return mapping.Appointment{}, &clients.Error{
			API: "HighLevel", Operation: "get appointment", Subject: s.entity.ID, Reason: clients.Invalid, Message: "the appointment has no contact",
		}
	}
	location, _, err := s.conn.Location(ctx)
	if err != nil {
		return mapping.Appointment{}, outcome.NonRecord(err)
	}
	s.mark = facts.AppointmentMark(a, location.Zone)
	s.changedAt, _ = time.Parse(time.RFC3339, a.DateUpdated) // else it is not told
	calendar := ""
	if a.CalendarID != "" {
		if calendar, err = s.conn.CalendarName(ctx, a.CalendarID); err != nil {
			return mapping.Appointment{}, outcome.NonRecord(err)
		}
	}
	return facts.Appointment(a, calendar, location.Zone), nil
}
