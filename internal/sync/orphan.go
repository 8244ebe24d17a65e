package sync

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/riverqueue/river"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/internal/connection"
	"milepost/internal/meeting"
	"milepost/internal/outcome"
	"milepost/internal/store"
)

// confirmAfter is how long after a delete the lists must confirm it.
const confirmAfter = 45 * time.Second

// orphanJob searches for the object of a create that Milepost gave up, several times in the
// next hours. If CalendarHero created it late, orphanJob removes it: by then Milepost has
// created another one, or no item wants one.
func (r *Syncer) orphanJob(ctx context.Context, job *river.Job[store.OrphanArgs]) error {
	e := job.Args.Entity()
	conn, err := r.session(ctx, e.LocationID)
	if _, absent := errors.AsType[*connection.NotConnected](err); absent {
		return nil // no longer connected
	} else if err != nil {
		return err
	}
	if job.Args.DeletedID != "" {
		return r.confirmDelete(ctx, conn, job.Args)
	}
	since := r.now().Sub(job.Args.GivenUpAt)
	if since < 0 { // the clock was put back: the time is not known, so it looks now and then until it is
		since = 5 * time.Minute
	}
	next, more := outcome.NextCheck(since,
		15*time.Second, time.Minute, 5*time.Minute, 30*time.Minute, 2*time.Hour)
	lost := meeting.Marker(e, job.Args.Item, job.Args.Generation)
	id, err := listed(ctx, conn.CalendarHero, func(q calendarhero.ListedRequest) bool { return strings.Contains(q.Title, lost) })
	if err == nil && id != "" {
		if err = conn.CalendarHero.DeleteMeetingRequest(ctx, id); clients.ReasonOf(err) == clients.NotFound {
			err, id = nil, "" // or a gateway says so; the next look shows it
		}
	}
	switch {
	case err != nil:
		return r.orphanLater(e, err)
	case id != "":
		r.logger.Warn().Str("location", e.LocationID).Str("kind", e.Kind).Str("id", e.ID).Str("object", id).
			Msg("late meeting request appeared after its create was given up; removing it")
	case more:
		return r.Snooze(next)
	}
	return nil
}

// orphanLater returns how to retry a failed search.
func (r *Syncer) orphanLater(e store.Entity, err error) error {
	if wait, limited := outcome.RateLimit(err, outcome.RateLimitWait); limited {
		return r.Snooze(outcome.Jitter(wait))
	}
	return fmt.Errorf("find a meeting request of %s that should not exist: %w", e, err)
}

// confirm queues the check of a delete. If endsAt is set, the request was left because it
// was over. Then confirm queues checks whether it is still over, because the clock may have
// been wrong.
func (s *entitySync) confirm(ctx context.Context, item, id string, endsAt time.Time) error {
	return s.store.Confirm(ctx, store.OrphanArgs{
		LocationID: s.entity.LocationID, RecordKind: s.entity.Kind, EntityID: s.entity.ID, Item: item,
		GivenUpAt: s.now().UTC(), DeletedID: id, EndsAt: endsAt,
	}, s.real(confirmAfter))
}

// whenTheClockIsRight are the times of the checks of a request that was over. They are two
// hours apart, because a clock that is put back makes longer waits due at once.
func whenTheClockIsRight() []time.Duration {
	at := []time.Duration{time.Minute, time.Hour}
	for h := 3 * time.Hour; h < 52*time.Hour; h += 2 * time.Hour {
		at = append(at, h)
	}
	return at
}

// confirmDelete checks that no open list shows a request whose DELETE succeeded, because a
// gateway may have answered. Any read of the lists since then is enough. If the request
// still exists, confirmDelete deletes it again and checks again.
func (r *Syncer) confirmDelete(ctx context.Context, conn *session, of store.OrphanArgs) error {
	if !of.EndsAt.IsZero() && !of.EndsAt.After(r.now()) {
		if next, more := outcome.NextCheck(r.now().Sub(of.GivenUpAt), whenTheClockIsRight()...); more {
			return r.Snooze(next)
		}
		return nil
	}
	sinceDelete := of.GivenUpAt.Add(1)
	if sinceDelete.After(r.now()) { // the clock was put back
		sinceDelete = r.now()
	}
	for _, since := range []time.Time{sinceDelete, r.now()} { // the second look if the first one shows it
		open, err := conn.OpenRequests(ctx, since)
		if err != nil {
			return r.orphanLater(of.Entity(), err)
		}
		if _, shown := open[of.DeletedID]; !shown {
			return nil
		}
	}
	links, err := r.store.LinksOfRequest(ctx, of.DeletedID, "")
	if err != nil {
		return err
	}
	for _, l := range links {
		if l.ObjectID == of.DeletedID && l.State != store.LinkGone {
			return nil // its sync has it again
		}
	}
	r.logger.Warn().Str("location", of.LocationID).Str("kind", of.RecordKind).Str("id", of.EntityID).Str("object", of.DeletedID).
		Msg("meeting request is still listed after its delete; deleting it again")
	if err := conn.CalendarHero.DeleteMeetingRequest(ctx, of.DeletedID); err != nil && clients.ReasonOf(err) != clients.NotFound {
		return r.orphanLater(of.Entity(), err)
	}
	return r.Snooze(min(max(confirmAfter, r.now().Sub(of.GivenUpAt)), outcome.LongestWait))
}
