package store

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"
)

// Reminder is a time to remind of a link's object.
type Reminder struct {
	At     time.Time
	Before time.Duration // time before the event or due date
	Of     time.Time     // the start of the event, or the due date
}

// remindJobs returns the jobs of a link's reminders, soonest first. River uses the
// machine's clock, which may differ from the clock of now.
func remindJobs(l Link, now time.Time, reminders []Reminder) []river.InsertManyParams {
	jobs := make([]river.InsertManyParams, len(reminders))
	for i, r := range reminders {
		args := RemindArgs{
			LocationID: l.Entity.LocationID, RecordKind: l.Entity.Kind, EntityID: l.Entity.ID,
			Item: l.Item, Generation: l.Generation, Before: r.Before, At: r.At.UTC(), Of: r.Of.UTC(),
		}
		if i+1 < len(reminders) {
			args.Next, args.NextBefore = reminders[i+1].At.UTC(), reminders[i+1].Before
		}
		jobs[i] = river.InsertManyParams{
			Args: args, InsertOpts: &river.InsertOpts{ScheduledAt: time.Now().Add(r.At.Sub(now))},
		}
	}
	return jobs
}

// QueueReminders queues those reminders of a link that are not queued yet.
func (s *Store) QueueReminders(ctx context.Context, l Link, now time.Time, reminders []Reminder) error {
	if len(reminders) == 0 {
		return nil
	}
	err := s.InTx(ctx, func(tx *Tx) error { return s.queue.insert(ctx, tx, remindJobs(l, now, reminders)) })
	if err != nil {
		return fmt.Errorf("queue the reminders of item %s of %s: %w", l.Item, l.Entity, err)
	}
	return nil
}

// NoteReminder stores in a reminder's job that it is about to be sent, or that it was not
// sent. If a run finds the former, the end of an earlier run is unknown.
func (s *Store) NoteReminder(ctx context.Context, job *river.Job[RemindArgs], sending bool) error {
	err := s.InTx(ctx, func(tx *Tx) error { return s.queue.note(ctx, tx, job.ID, sending) })
	if err != nil {
		return fmt.Errorf("save the progress of the reminder of %s: %w", job.Args.Entity(), err)
	}
	return nil
}

// ReminderNoted reports whether an earlier run of the job was about to send.
func ReminderNoted(job *river.Job[RemindArgs]) bool { return string(job.Output()) == "true" }

// FinishReminder completes a reminder's job and adds to the timeline, in one transaction.
// Call it from River's workers only, with their ctx.
func (s *Store) FinishReminder(ctx context.Context, job *river.Job[RemindArgs], timeline ...TimelineEntry) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		if err := tx.appendTimeline(ctx, timeline); err != nil {
			return err
		}
		return s.queue.complete(ctx, tx, job.JobRow)
	})
	if err != nil {
		return fmt.Errorf("record the end of the reminder of %s: %w", job.Args.Entity(), err)
	}
	return nil
}
