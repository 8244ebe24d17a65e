package account

import (
	"context"

	"milepost/clients"
	"milepost/clients/highlevel"
)

// Pipelines returns the location's pipelines. If they do not contain the stage, it reads
// them again, once for each such stage.
func (s *Session) Pipelines(ctx context.Context, stage string) ([]highlevel.Pipeline, error) {
	now := s.cfg.Now()
	s.profile.mu.Lock()
	defer s.profile.mu.Unlock()
	load := func() (pipelineAnswer, error) {
		list, err := s.HighLevel.With(clients.Begun).Pipelines(ctx, s.LocationID)
		known := map[string]bool{}
		for _, p := range list {
			for _, stage := range p.Stages {
				known[stage.ID] = true
			}
		}
		return pipelineAnswer{list, known}, err
	}
	a, err := s.profile.pipelines.get(now, profileFresh, load)
	if err != nil || stage == "" {
		return a.list, err
	}
	if _, looked := a.known[stage]; looked {
		return a.list, nil
	}
	if a, err = load(); err != nil {
		return nil, err
	}
	if !a.known[stage] {
		a.known[stage] = false // looked for, and not there
	}
	s.profile.pipelines.value, s.profile.pipelines.at = a, now
	return a.list, nil
}

// pipelineAnswer holds a location's pipelines. known says for each stage that was searched
// whether a pipeline has it.
type pipelineAnswer struct {
	list  []highlevel.Pipeline
	known map[string]bool
}

// OpportunityFields returns the definitions of the location's opportunity fields.
func (s *Session) OpportunityFields(ctx context.Context) ([]highlevel.CustomField, error) {
	now := s.cfg.Now()
	s.profile.mu.Lock()
	defer s.profile.mu.Unlock()
	return s.profile.opportunityFields.get(now, profileFresh, func() ([]highlevel.CustomField, error) {
		return s.HighLevel.With(clients.Begun).CustomFieldsOf(ctx, s.LocationID, highlevel.OpportunityModel)
	})
}

// CalendarName returns the name of a calendar; "" if it is unknown, or if the token may not
// read calendars.
func (s *Session) CalendarName(ctx context.Context, id string) (string, error) {
	list, err := s.Calendars(ctx)
	for _, c := range list {
		if c.ID == id {
			return c.Name, nil
		}
	}
	return "", err
}

// Calendars returns the calendars of the location, or none if the token may not read them.
func (s *Session) Calendars(ctx context.Context) ([]highlevel.Calendar, error) {
	s.profile.mu.Lock()
	defer s.profile.mu.Unlock()
	return s.profile.calendars.get(s.cfg.Now(), profileFresh, func() ([]highlevel.Calendar, error) {
		list, err := s.HighLevel.With(clients.Begun).Calendars(ctx, s.LocationID)
		if clients.ReasonOf(err) == clients.Forbidden {
			return nil, nil
		}
		return list, err
	})
}
