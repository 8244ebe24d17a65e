package reconcile

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"milepost/clients"
	"milepost/internal/connection"
	"milepost/internal/store"
	"milepost/mapping"
)

// remindJob sends one reminder, if its meeting request is still the one it was
// made for and its time has not passed. CalendarHero then nudges who has not
// answered yet.
func (r *Reconciler) remindJob(ctx context.Context, job *river.Job[store.RemindArgs]) error {
	e := job.Args.Entity()
	links, err := r.store.Links(ctx, e)
	if err != nil {
		return err
	}
	conn, err := r.connections.Lookup(ctx, e.LocationID)
	if _, absent := errors.AsType[*connection.Absent](err); absent {
		return nil // no longer connected
	} else if err != nil {
		return err
	}
	link := links[job.Args.Item]
	if link.State != store.LinkLive || link.Generation != job.Args.Generation || !link.End.After(r.now()) {
		return nil // replaced, removed or over
	}
	err = conn.CalendarHero.Remind(ctx, link.ObjectID)
	var failed *clients.Error
	switch {
	case err == nil:
		naming(r.logger.Info(), e).Msg("reminder sent")
		return nil
	case clients.ReasonOf(err) == clients.Unclear:
		naming(r.logger.Warn(), e).Err(err).Msg("it is not known whether a reminder was sent; it is not sent again, since it may have mailed")
		return nil
	case errors.As(err, &failed) && failed.Reason == clients.NotFound, errors.As(err, &failed) && failed.Reason == clients.Invalid:
		naming(r.logger.Info(), e).Err(err).Msg("reminder not sent: the meeting request is no longer open")
		return nil
	case errors.As(err, &failed) && failed.Reason == clients.RateLimited:
		return r.snooze(jitter(max(failed.RetryAfter, rateLimitWait)))
	}
	return err
}

// reminders lists the reminders of a link that still lie ahead.
func reminders(link store.Link, before []time.Duration, now time.Time) []store.Reminder {
	var out []store.Reminder
	for _, d := range before {
		at := link.Start.Add(-d)
		if link.ItemKind == string(mapping.ItemTask) {
			at = link.End.Add(-d)
		}
		if at.After(now) {
			out = append(out, store.Reminder{At: at, Before: d})
		}
	}
	return out
}
