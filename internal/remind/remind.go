// Package remind has CalendarHero remind the invitees of open meeting requests.
//
// It guarantees that a reminder is sent at most once, and never for a request that was
// replaced, removed, moved or answered since. It does not know how requests are made.
package remind

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/rs/zerolog"

	"milepost/clients"
	"milepost/internal/account"
	"milepost/internal/connection"
	"milepost/internal/jobs"
	"milepost/internal/lane"
	"milepost/internal/meeting"
	"milepost/internal/outcome"
	"milepost/internal/store"
	"milepost/mapping"
)

// onTime is by how much a reminder may be late and still is what was asked for.
const onTime = time.Minute

// Reminders works the reminders.
type Reminders struct {
	// Sent hears how late a reminder was sent; it may be nil.
	Sent func(late time.Duration)

	store    *store.Store
	live     func() *mapping.Set // the automations
	sessions *account.Sessions
	jobs     *jobs.Runner
	logger   zerolog.Logger
	now      func() time.Time
}

// New makes Reminders. automations are the live ones: what one made that is not on is
// left as it is, without a reminder.
func New(st *store.Store, automations func() *mapping.Set, sessions *account.Sessions, runner *jobs.Runner) *Reminders {
	return &Reminders{store: st, live: automations, sessions: sessions, jobs: runner, logger: runner.Logger, now: runner.Now}
}

// Register adds the worker.
func (r *Reminders) Register(workers *river.Workers) {
	jobs.Add(r.jobs, workers, lane.Live, func(a store.RemindArgs) string { return a.LocationID }, r.work)
}

// work works one reminder: CalendarHero reminds the invitees who have not answered yet.
// Milepost notes that it is about to send it, and a run that finds the note sends nothing.
func (r *Reminders) work(ctx context.Context, job *river.Job[store.RemindArgs]) error {
	told, err := r.Remind(ctx, job)
	if err != nil {
		return err
	}
	ctx, cancel := jobs.Detached(ctx)
	defer cancel()
	return r.store.FinishReminder(ctx, job, told...)
}

// reminder is one whose meeting request is the one that it was made for.
type reminder struct {
	*Reminders
	*river.Job[store.RemindArgs]
	link      store.Link
	contactID string
}

// Remind sends a reminder or drops it, and returns what the timeline says of it:
// nothing of one that was made for a request since replaced, removed or moved,
// which has reminders of its own.
func (r *Reminders) Remind(ctx context.Context, job *river.Job[store.RemindArgs]) ([]store.TimelineEntry, error) {
	e := job.Args.Entity()
	links, err := r.store.Links(ctx, e)
	if err != nil {
		return nil, err
	}
	m := reminder{Reminders: r, Job: job, link: links[job.Args.Item], contactID: e.ID}
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
		return nil, r.jobs.Snooze(early) // the clock was put back
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
	conn, err := r.sessions.Of(ctx, e.LocationID)
	if absent, ok := errors.AsType[*connection.NotConnected](err); ok {
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
	behind := fmt.Sprintf("it was %s late", meeting.Span(late))
	if len(m.Errors) > 0 {
		behind += " after failures"
	}
	switch state := mapping.MeetingState(m.link.Meeting); {
	case m.live().Leaves(m.link.Item):
		return "its automation is not on"
	case !m.live().Reminds(m.link.Item, m.Args.Before):
		return "its automation no longer asks for it"
	case state == mapping.MeetingBooked, state == mapping.MeetingRescheduled:
		return "the meeting is booked, so nobody is left to remind"
	case state != "" && state != mapping.MeetingPending:
		return fmt.Sprintf("the meeting request is no longer open (%s)", state)
	case !m.Args.Next.IsZero() && !m.Args.Next.After(now):
		return fmt.Sprintf("%s, and the one %s before follows", behind, meeting.Span(m.Args.NextBefore))
	case !m.link.End.After(now):
		return behind + ", and the meeting is over"
	case late >= onTime && !m.Args.Of.After(now):
		return behind + ", and the meeting has begun"
	}
	return ""
}

// send sends a reminder. It fails where it surely was not sent, for River to
// try again.
func (m *reminder) send(ctx context.Context, conn *account.Session) ([]store.TimelineEntry, error) {
	if left := conn.Cooldown.Left(m.now()); left > 0 {
		return nil, m.jobs.Snooze(outcome.Jitter(min(left, outcome.LongestWait)))
	}
	if err := m.store.NoteReminder(ctx, m.Job, true); err != nil {
		return nil, err
	}
	cause := conn.CalendarHero.Remind(ctx, m.link.ObjectID)
	failed, _ := errors.AsType[*clients.Error](cause)
	switch {
	case cause == nil:
		if m.Sent != nil {
			m.Sent(m.now().Sub(m.Args.At))
		}
		return m.tell(zerolog.InfoLevel, "reminder sent", ""), nil
	case failed == nil, failed.Reason == clients.Unclear && !failed.Foreign:
		m.line(zerolog.WarnLevel).Err(cause).Msg("unknown whether CalendarHero mailed a reminder; Milepost does not send it again")
		return m.entry("reminder perhaps sent", "CalendarHero's answer is lost; it is not sent again, since it may have mailed"), nil
	case (failed.Reason == clients.NotFound || failed.Reason == clients.Invalid) && conn.Answers(ctx) == nil:
		m.line(zerolog.InfoLevel).Str("why", outcome.Redacted(cause)).Msg("reminder dropped: CalendarHero says that the meeting request is no longer open")
		return m.entry("reminder dropped", "CalendarHero says that the meeting request is no longer open"), nil
	}
	ctx, cancel := jobs.Detached(ctx)
	defer cancel()
	if err := m.store.NoteReminder(ctx, m.Job, false); err != nil {
		return nil, errors.Join(cause, err)
	}
	switch {
	case errors.Is(cause, context.Canceled):
		return nil, river.JobSnooze(0) // shutting down: handed back
	case failed.Reason == clients.RateLimited:
		d := outcome.Of(cause, 0).After
		if conn.Cooldown.Begin(m.now(), m.now().Add(d)) {
			m.line(zerolog.InfoLevel).Str("vendor", failed.API).Str("for", d.Round(time.Second).String()).Msg("rate limited; other jobs of this location wait too")
		}
		return nil, m.jobs.Snooze(outcome.Jitter(d))
	}
	if attempt := len(m.Errors) + 1; attempt&(attempt-1) == 0 {
		m.line(zerolog.WarnLevel).Int("attempt", attempt).Err(failed).Msg("reminder not sent; retrying while it is useful")
	}
	return nil, m.jobs.WhenItAnswers(m.JobRow, cause)
}

// tell notes what became of the reminder, in the log and for the timeline; why
// holds no personal data.
func (m *reminder) tell(level zerolog.Level, what, why string) []store.TimelineEntry {
	line := m.line(level)
	if why != "" {
		line = line.Str("why", why)
	}
	line.Msg(what)
	return m.entry(what, why)
}

func (m *reminder) line(level zerolog.Level) *zerolog.Event {
	line := jobs.WithEntity(m.logger.WithLevel(level), m.link.Entity).Str("automation", m.link.Automation).Str("before", meeting.Span(m.Args.Before))
	if late := m.now().Sub(m.Args.At); late >= onTime {
		line = line.Str("late", meeting.Span(late))
	}
	return line
}

func (m *reminder) entry(what, why string) []store.TimelineEntry {
	detail := meeting.Span(m.Args.Before) + " before " + m.link.Title
	if late := m.now().Sub(m.Args.At); why == "" && late >= onTime {
		why = meeting.Span(late) + " late"
	}
	if why != "" {
		detail += ": " + why
	}
	return []store.TimelineEntry{{At: m.now(), Entity: m.link.Entity, ContactID: m.contactID, What: what, Detail: detail}}
}
