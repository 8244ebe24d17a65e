package reconcile

import (
	"context"
	"errors"

	"github.com/riverqueue/river"

	"milepost/clients"
	"milepost/internal/connection"
	"milepost/internal/contactmerge"
	"milepost/internal/jobs"
	"milepost/internal/outcome"
	"milepost/internal/store"
)

const (
	contactsRound = 200 // contacts that are looked at in one interval, at most
	contactsNoted = 20  // so many looks are noted at once
)

// contactsJob reads, once in an interval, contacts of a location that are kept in
// step both ways, because CalendarHero sends no webhook when one changes.
func (r *Reconciler) contactsJob(ctx context.Context, job *river.Job[store.ContactsArgs]) error {
	if r.every <= 0 {
		return nil // switched off
	}
	id := job.Args.LocationID
	slice, cancel := context.WithTimeout(ctx, sweepSlice)
	defer cancel()
	looked, differ, err := r.PollContacts(slice, id, contactsRound)
	if looked > 0 {
		r.logger.Info().Str("location", id).Int("contacts", looked).Int("differ", differ).Msg("contacts read in CalendarHero")
	}
	_, absent := errors.AsType[*connection.NotConnected](err)
	wait, limited := outcome.RateLimit(err, outcome.RateLimitWait)
	switch {
	case absent:
		return nil // no longer connected: its job comes back with it
	case err == nil, slice.Err() != nil && ctx.Err() == nil && looked > 0:
		return r.jobs.Snooze(outcome.Jitter(r.every)) // the others come first then
	case limited:
		return r.jobs.Snooze(outcome.Jitter(wait))
	}
	r.logger.Warn().Err(err).Str("location", id).Msg("reading contacts in CalendarHero interrupted; continuing later")
	return r.jobs.Snooze(outcome.Jitter(min(r.every, outcome.LongestWait)))
}

// PollContacts reads at most limit linked contacts of a location in CalendarHero, those
// first that it did not read for the longest time. It queues the syncs of those that differ
// from what both sides last had, or that are missing. It stores its progress as it goes, so
// it can be interrupted anywhere. It stops if CalendarHero asks it to wait.
func (r *Reconciler) PollContacts(ctx context.Context, locationID string, limit int) (looked, differing int, err error) {
	session, err := r.sessions.Of(ctx, locationID)
	if err != nil || session.Cooldown.Left(r.now()) > 0 {
		return 0, 0, err
	}
	links, err := r.store.ContactsToLookAt(ctx, locationID, r.now().Add(-r.every/2), limit)
	if err != nil {
		return 0, 0, err
	}
	var same, differ []store.Link
	note := func() error {
		noted, cancel := jobs.Detached(ctx) // the calls are made
		defer cancel()
		n, d := len(same)+len(differ), len(differ)
		if err := r.store.NoteLooks(noted, same, differ, r.now()); err != nil {
			return err
		}
		looked, differing, same, differ = looked+n, differing+d, same[:0], differ[:0]
		return nil
	}
	for _, link := range links {
		have, failed := session.Contact(ctx, link.ObjectID, link.Title)
		switch {
		case clients.ReasonOf(failed) == clients.NotFound: // the sync looks for it by its addresses, too
			differ = append(differ, link)
		case failed != nil:
			if wait, limited := outcome.RateLimit(failed, outcome.RateLimitWait); limited {
				session.Cooldown.Begin(r.now(), r.now().Add(wait))
			}
			err := errors.Join(failed, note())
			return looked, differing, err
		case contactmerge.Parse(link.BaseOf(have.ID)).ChangedThere(have):
			differ = append(differ, link)
		default:
			same = append(same, link)
		}
		if len(same)+len(differ) >= contactsNoted {
			if err := note(); err != nil {
				return looked, differing, err
			}
		}
	}
	err = note()
	return looked, differing, err
}
