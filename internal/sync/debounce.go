package sync

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"milepost/internal/meeting"
	"milepost/internal/store"
	"milepost/mapping"
)

// wasQuiet reports whether a new description may replace its request now: it has waited
// long enough, and did not change since.
func (s requests) wasQuiet(link store.Link, want meeting.Request) bool {
	return s.quiet == 0 || s.quiet > 0 && link.Debounced == want.Content && s.debounceLeft(link) <= 0
}

// debounceLeft returns how long a new description still has to wait. If its start lies in
// the future, because the clock was put back, it waits no longer.
func (r *Syncer) debounceLeft(link store.Link) time.Duration {
	ago := r.now().Sub(link.DebouncedSince)
	if ago < 0 {
		return 0
	}
	return r.quiet - ago
}

// debounce makes a new description wait. Each change restarts the wait, so a burst of
// changes costs one replacement.
func (s requests) debounce(ctx context.Context, link store.Link, item mapping.Item, want meeting.Request) error {
	if s.quiet < 0 {
		s.notes = append(s.notes, item.Automation+": a new description alone does not replace the request (MILEPOST_DESCRIPTION_AFTER=never); the calendar feed has it")
		return s.endDebounce(ctx, link)
	}
	queued := link.Debounced == want.Content
	if !queued {
		link.Debounced, link.DebouncedSince = want.Content, s.now().Truncate(time.Microsecond)
	}
	zone := cmp.Or(item.Zone, time.UTC)
	s.notes = append(s.notes, fmt.Sprintf("%s: the new description waits until the record has been quiet for %s: until %s, if nothing more changes",
		item.Automation, meeting.Span(s.quiet), link.DebouncedSince.Add(s.quiet).In(zone).Format("Mon 2 Jan 15:04:05 MST")))
	if queued {
		return nil
	}
	return s.store.Debounce(ctx, link, s.now(), s.real(s.quiet))
}

// endDebounce ends the wait of a description that no item wants any more.
func (s requests) endDebounce(ctx context.Context, link store.Link) error {
	if link.Debounced == "" {
		return nil
	}
	link.Debounced, link.DebouncedSince = "", time.Time{}
	return s.store.SaveLink(ctx, link, s.now(), nil)
}

// debounceJob queues a sync of a record whose new description has waited long enough.
func (r *Syncer) debounceJob(ctx context.Context, job *river.Job[store.DebounceArgs]) error {
	links, err := r.store.Links(ctx, job.Args.Entity())
	if err != nil {
		return err
	}
	link := links[job.Args.Item]
	if link.State != store.LinkLive || link.Debounced == "" || !link.DebouncedSince.Equal(job.Args.Since) {
		return nil // it was replaced or removed, or a later change has a job of its own
	}
	if left := r.debounceLeft(link); left > 0 {
		return r.Snooze(left)
	}
	return r.store.RequeueLater(ctx, []store.Entity{job.Args.Entity()})
}
