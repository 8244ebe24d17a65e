package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/rs/zerolog"

	"milepost/clients"
	"milepost/internal/connection"
	"milepost/internal/meeting"
	"milepost/internal/store"
	"milepost/mapping"
)

// onTime is by how much a reminder may be late and still is what was asked for.
const onTime = time.Minute

// remindJob works one reminder: CalendarHero nudges who has not answered yet.
// It is sent at most once: that it is about to be sent is noted before, and a
// run that finds the note sends nothing.
func (r *Reconciler) remindJob(ctx context.Context, job *river.Job[store.RemindArgs]) error {
	told, err := r.remind(ctx, job)
	if err != nil {
		return err
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	return r.store.FinishReminder(ctx, job, told...)
}

// reminder is one whose meeting request is the one that it was made for.
type reminder struct {
	*Reconciler
	*river.Job[store.RemindArgs]
	link      store.Link
	contactID string
}

// remind sends a reminder or drops it, and returns what the timeline says of it:
// nothing of one that was made for a request since replaced, removed or moved,
// which has reminders of its own.
func (r *Reconciler) remind(ctx context.Context, job *river.Job[store.RemindArgs]) ([]store.TimelineEntry, error) {
	e := job.Args.Entity()
	links, err := r.store.Links(ctx, e)
	if err != nil {
		return nil, err
	}
	m := reminder{Reconciler: r, Job: job, link: links[job.Args.Item], contactID: e.ID}
	if m.link.State != store.LinkLive || m.link.Generation != m.Args.Generation {
		return nil, nil
	}
	of := meeting.RemindedOf(m.link)
	if m.Args.At.IsZero() {
		m.Args.At, m.Args.Of = of.Add(-m.Args.Before), of
	}
	if !m.Args.Of.Equal(of) {
		return nil, nil
	}
	if early := m.Args.At.Sub(r.now()); early > 0 {
		return nil, r.snooze(early) // the clock was put back
	}
	if e.Kind != string(mapping.KindContact) {
		state, err := r.store.EntityState(ctx, e)
		if err != nil {
			return nil, err
		}
		m.contactID = state.ContactID
	}
	if store.ReminderNoted(job) {
		return m.tell(zerolog.WarnLevel, "reminder perhaps sent", "Milepost was interrupted when it sent it; it is not sent again, since it may have mailed"), nil
	}
	if why := m.useless(); why != "" {
		return m.tell(zerolog.InfoLevel, "reminder dropped", why), nil
	}
	conn, err := r.session(ctx, e.LocationID)
	if absent, ok := errors.AsType[*connection.Absent](err); ok {
		return m.tell(zerolog.InfoLevel, "reminder dropped", absent.Why), nil
	} else if err != nil {
		return nil, err
	}
	return m.send(ctx, conn)
}

// useless says why a reminder that is due is not to be sent, or "".
func (m *reminder) useless() string {
	now := m.now()
	late := now.Sub(m.Args.At)
	behind := fmt.Sprintf("it was %s late", span(late))
	if len(m.Errors) > 0 {
		behind += " after failures"
	}
	switch state := mapping.MeetingState(m.link.Meeting); {
	case state == mapping.MeetingBooked, state == mapping.MeetingRescheduled:
		return "the meeting is booked, so nobody is left to remind"
	case state != "" && state != mapping.MeetingPending:
		return fmt.Sprintf("the meeting request is no longer open (%s)", state)
	case !m.Args.Next.IsZero() && !m.Args.Next.After(now):
		return fmt.Sprintf("%s, and the one %s before follows", behind, span(m.Args.NextBefore))
	case !m.link.End.After(now):
		return behind + ", and the meeting is over"
	case late >= onTime && !m.Args.Of.After(now):
		return behind + ", and the meeting has begun"
	}
	return ""
}

// send sends a reminder. It fails where it surely was not sent, for River to
// try again.
func (m *reminder) send(ctx context.Context, conn *session) ([]store.TimelineEntry, error) {
	if left := conn.parked.left(m.now()); left > 0 {
		return nil, m.snooze(jitter(min(left, longestWait)))
	}
	if err := m.store.NoteReminder(ctx, m.Job, true); err != nil {
		return nil, err
	}
	cause := conn.CalendarHero.Remind(ctx, m.link.ObjectID)
	failed, _ := errors.AsType[*clients.Error](cause)
	switch {
	case cause == nil:
		return m.tell(zerolog.InfoLevel, "reminder sent", ""), nil
	case failed == nil, failed.Reason == clients.Unclear && !failed.Foreign:
		m.naming(zerolog.WarnLevel).Err(cause).Msg("unknown whether CalendarHero mailed a reminder; Milepost does not send it again")
		return m.entry("reminder perhaps sent", "CalendarHero's answer is lost; it is not sent again, since it may have mailed"), nil
	case (failed.Reason == clients.NotFound || failed.Reason == clients.Invalid) && m.answers(ctx, conn) == nil:
		m.naming(zerolog.InfoLevel).Str("why", silent(cause)).Msg("reminder dropped: CalendarHero says that the meeting request is no longer open")
		return m.entry("reminder dropped", "CalendarHero says that the meeting request is no longer open"), nil
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	if err := m.store.NoteReminder(ctx, m.Job, false); err != nil {
		return nil, errors.Join(cause, err)
	}
	switch {
	case errors.Is(cause, context.Canceled):
		return nil, river.JobSnooze(0) // shutting down: handed back
	case failed.Reason == clients.RateLimited:
		d := rateLimitWait
		if failed.RetryAfter > 0 {
			d = min(failed.RetryAfter, longestWait)
		}
		if conn.parked.set(m.now(), m.now().Add(d)) {
			m.naming(zerolog.InfoLevel).Str("vendor", failed.API).Str("for", d.Round(time.Second).String()).Msg("rate limited; other jobs of this location wait too")
		}
		return nil, m.snooze(jitter(d))
	}
	if attempt := len(m.Errors) + 1; attempt&(attempt-1) == 0 {
		m.naming(zerolog.WarnLevel).Int("attempt", attempt).Err(failed).Msg("reminder not sent; retrying while it is useful")
	}
	return nil, m.whenItAnswers(m.JobRow, cause)
}

// tell notes what became of the reminder, in the log and for the timeline; why
// holds no personal data.
func (m *reminder) tell(level zerolog.Level, what, why string) []store.TimelineEntry {
	line := m.naming(level)
	if why != "" {
		line = line.Str("why", why)
	}
	line.Msg(what)
	return m.entry(what, why)
}

func (m *reminder) naming(level zerolog.Level) *zerolog.Event {
	line := naming(m.logger.WithLevel(level), m.link.Entity).Str("automation", m.link.Automation).Str("before", span(m.Args.Before))
	if late := m.now().Sub(m.Args.At); late >= onTime {
		line = line.Str("late", span(late))
	}
	return line
}

func (m *reminder) entry(what, why string) []store.TimelineEntry {
	detail := span(m.Args.Before) + " before " + m.link.Title
	if late := m.now().Sub(m.Args.At); why == "" && late >= onTime {
		why = span(late) + " late"
	}
	if why != "" {
		detail += ": " + why
	}
	return []store.TimelineEntry{{At: m.now(), Entity: m.link.Entity, ContactID: m.contactID, What: what, Detail: detail}}
}

// span writes a duration in days, hours and minutes: "1d", "1h30m".
func span(d time.Duration) string {
	var b strings.Builder
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if n := d / u.unit; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d %= u.unit
		}
	}
	if b.Len() == 0 {
		return "less than 1m"
	}
	return b.String()
}
