package reconcile

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"milepost/internal/connection"
	"milepost/internal/meeting"
	"milepost/internal/outcome"
	"milepost/internal/store"
	"milepost/mapping"
)

// pollJob reads the open meetings of a CalendarHero account, and queues the syncs of those
// that differ from the stored ones. Webhooks only make this faster: they are unsigned, may
// be lost, and another tool may have taken them.
func (r *Reconciler) pollJob(ctx context.Context, job *river.Job[store.PollArgs]) error {
	every := r.every / 3
	if every <= 0 {
		return nil // switched off
	}
	accounts, err := r.connections.Accounts(ctx)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		if a.ID != job.Args.Account {
			continue
		}
		found, err := r.PollMeetings(ctx, a)
		log := r.logger.Debug()
		if found > 0 {
			log = r.logger.Info()
		}
		_, absent := errors.AsType[*connection.NotConnected](err)
		wait, limited := outcome.RateLimit(err, outcome.RateLimitWait)
		switch {
		case absent:
			return nil
		case limited:
			return r.jobs.Snooze(outcome.Jitter(wait))
		case err != nil:
			r.logger.Warn().Err(err).Str("location", a.Home()).Msg("could not read the meetings in CalendarHero; retrying later")
		default:
			log.Str("location", a.Home()).Int("found", found).Msg("meetings read in CalendarHero")
		}
		return r.jobs.Snooze(outcome.Jitter(every))
	}
	return nil // no longer connected: its job comes back with it
}

// pollsOf names the stored time since when Milepost polls the meetings of a location.
func pollsOf(locationID string) string { return locationID + "/meetings" }

// PollMeetings queues the syncs of the meetings of an account that changed, and returns
// how many.
func (r *Reconciler) PollMeetings(ctx context.Context, a connection.Account) (found int, err error) {
	conn, err := r.sessions.Of(ctx, a.Home())
	if err != nil {
		return 0, err
	}
	if left := conn.Cooldown.Left(r.now()); left > 0 {
		return 0, nil
	}
	open, err := conn.OpenRequests(ctx, r.now())
	if err != nil {
		return 0, err
	}
	known := map[string]store.Meeting{} // of those made here, whichever location's they are
	var requeue []store.Entity
	for _, location := range a.Locations {
		of, more, err := r.pollLocation(ctx, location, open)
		if err != nil {
			return 0, err
		}
		requeue = append(requeue, more...)
		for id, m := range of {
			known[id] = m
		}
	}
	for id, listed := range open {
		if m, ok := known[id]; meeting.MarkerIn(listed.Title) != "" && (!ok || meeting.Differs(m, listed, r.now())) {
			requeue = append(requeue, store.Entity{LocationID: a.Home(), Kind: string(mapping.KindMeeting), ID: id})
		}
	}
	return len(requeue), r.store.RequeueLater(ctx, requeue)
}

// pollLocation compares the open meetings in CalendarHero with those that a
// location knows. It returns the known ones, and those to sync: all that no list
// shows any more, and the new and changed ones that people created. The first
// poll only notes the new ones, and does not return them.
func (r *Reconciler) pollLocation(ctx context.Context, location string, open map[string]meeting.Listed) (map[string]store.Meeting, []store.Entity, error) {
	list, err := r.store.OpenMeetings(ctx, location)
	if err != nil {
		return nil, nil, err
	}
	var requeue []store.Entity
	ask := func(id string) {
		requeue = append(requeue, store.Entity{LocationID: location, Kind: string(mapping.KindMeeting), ID: id})
	}
	known := make(map[string]store.Meeting, len(list))
	for _, m := range list {
		known[m.ID] = m
		if _, isListed := open[m.ID]; !isListed {
			ask(m.ID)
		}
	}
	at, err := r.store.Reconciliation(ctx, pollsOf(location))
	if err != nil {
		return nil, nil, err
	}
	looks := r.live().NeedsOfMeetings().Any
	first := looks && at.FinishedAt.IsZero()
	var noted []store.Meeting
	for id, listed := range open {
		m, ok := known[id]
		switch {
		case meeting.MarkerIn(listed.Title) != "":
		case first && !ok:
			noted = append(noted, meeting.AsFound(location, listed, r.now()))
		case ok && meeting.Differs(m, listed, r.now()), looks && !ok:
			ask(id)
		}
	}
	if err := r.store.SaveMeetings(ctx, noted, nil); err != nil {
		return nil, nil, err
	}
	if first || !looks && !at.FinishedAt.IsZero() { // what comes while nothing looks is no news later
		at.LocationID, at.FinishedAt = location, r.now()
		if !looks {
			at.FinishedAt = time.Time{}
		}
		err = r.store.SaveReconciliation(ctx, at, nil)
	}
	return known, requeue, err
}
