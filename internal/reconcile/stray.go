package reconcile

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
	"milepost/internal/store"
)

// strayJob looks for the object of a create that was given up, several times
// in the hours after, and removes it where CalendarHero made it late: by then
// another was made in its place, or none is wanted.
func (r *Reconciler) strayJob(ctx context.Context, job *river.Job[store.StrayArgs]) error {
	e := job.Args.Entity()
	conn, err := r.connections.Lookup(ctx, e.LocationID)
	if _, absent := errors.AsType[*connection.Absent](err); absent {
		return nil // no longer connected
	} else if err != nil {
		return err
	}
	since := r.now().Sub(job.Args.GivenUpAt)
	if since < 0 { // the clock was put back: the time is not known, so it looks now and then until it is
		since = 5 * time.Minute
	}
	next, more := nextLook(since,
		15*time.Second, time.Minute, 5*time.Minute, 30*time.Minute, 2*time.Hour)
	lost := meeting.Marker(e, job.Args.Item, job.Args.Generation)
	id, err := listed(ctx, conn.CalendarHero, func(q calendarhero.ListedRequest) bool { return strings.Contains(q.Title, lost) })
	if err == nil && id != "" {
		if err = conn.CalendarHero.DeleteMeetingRequest(ctx, id); clients.ReasonOf(err) == clients.NotFound {
			err, id = nil, "" // or a gateway says so; the next look shows it
		}
	}
	var failed *clients.Error
	switch {
	case errors.As(err, &failed) && failed.Reason == clients.RateLimited:
		return r.snooze(jitter(max(failed.RetryAfter, rateLimitWait)))
	case err != nil:
		return fmt.Errorf("look for the object of a lost create of %s: %w", e, err)
	case id != "":
		r.logger.Warn().Str("location", e.LocationID).Str("kind", e.Kind).Str("id", e.ID).Str("object", id).
			Msg("late meeting request appeared after its create was given up; removing it")
	case more:
		return r.snooze(next)
	}
	return nil
}
