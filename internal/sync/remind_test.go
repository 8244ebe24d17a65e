package sync

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/rs/zerolog"

	"milepost/internal/connection"
	"milepost/internal/meeting"
	chfake "milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/fakehttp"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/mapping"
)

const withReminders = `
- name: Milestone
  on: milestone.changed
  milestone: { name: contact.milestone, date: contact.milestone_date }
  if: milestone.name != "" and milestone.date != nil
  do:
    - event: { title: "{{ milestone.name }}", start: "{{ milestone.date }}", reminders: [1d, 1h] }
`

// A meeting on 6 May 2030 at 9:00 in New York, with its two reminders.
var (
	meetsAt    = time.Date(2030, 5, 6, 13, 0, 0, 0, time.UTC)
	dayBefore  = meetsAt.Add(-24 * time.Hour)
	hourBefore = meetsAt.Add(-time.Hour)
)

// jobs reads the reminders' jobs, by their moment.
func (b *bundle) jobs() (jobs []*river.Job[store.RemindArgs]) {
	b.t.Helper()
	b.must(b.store.InTx(b.t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Query(b.t.Context(), `SELECT id, json(args), json(metadata) FROM river_job WHERE kind = 'remind'`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			job := &river.Job[store.RemindArgs]{JobRow: &rivertype.JobRow{}}
			var args, metadata string
			if err := rows.Scan(&job.ID, &args, &metadata); err != nil {
				return err
			}
			job.Metadata = []byte(metadata)
			if err := json.Unmarshal([]byte(args), &job.Args); err != nil {
				return err
			}
			jobs = append(jobs, job)
		}
		return rows.Err()
	}))
	slices.SortFunc(jobs, func(a, b *river.Job[store.RemindArgs]) int { return a.Args.At.Compare(b.Args.At) })
	return jobs
}

// nudges counts the reminders that were mailed.
func (b *bundle) nudges() (n int) {
	for _, m := range b.ch.Mails() {
		if m.Kind == chfake.MailRemind {
			n++
		}
	}
	return n
}

// reminded works the nth reminder and returns what is told of it, "" for nothing.
func (b *bundle) reminded(n int) (string, error) {
	b.t.Helper()
	told, err := b.reminders.Remind(b.t.Context(), b.jobs()[n])
	var said []string
	for _, entry := range told {
		said = append(said, entry.What+": "+entry.Detail)
	}
	return strings.Join(said, "\n"), err
}

func (b *bundle) wantReminded(n int, told string, nudges int) {
	b.t.Helper()
	said, err := b.reminded(n)
	b.must(err)
	if said != told {
		b.t.Errorf("it says %q, want %q", said, told)
	}
	if n := b.nudges(); n != nudges {
		b.t.Errorf("%d reminders were mailed, want %d", n, nudges)
	}
}

// wantSnooze fails unless the nth reminder sleeps on, for about d.
func (b *bundle) wantSnooze(n int, d time.Duration) {
	b.t.Helper()
	_, err := b.reminded(n)
	snooze, ok := errors.AsType[*rivertype.JobSnoozeError](err)
	if !ok || snooze.Duration < d || snooze.Duration > d+d/5 {
		b.t.Errorf("it ended with %v, want a snooze for %s", err, d)
	}
}

// reminding begins with a meeting request that has two reminders.
func reminding(t *testing.T) (*bundle, store.Entity) {
	b := setup(t, withReminders)
	e := b.jane("2030-05-06")
	b.do(e)
	return b, e
}

func TestAReminderIsMailedAtItsMoment(t *testing.T) {
	b, _ := reminding(t)
	for n, want := range []time.Time{dayBefore, hourBefore} {
		if args := b.jobs()[n].Args; !args.At.Equal(want) || !args.Of.Equal(meetsAt) {
			t.Errorf("reminder %d is for %s of %s, want %s", n, args.At, args.Of, want)
		}
	}
	b.set(dayBefore)
	b.wantReminded(0, "reminder sent: 1d before Closing", 1)
	b.set(hourBefore.Add(59 * time.Second))
	b.wantReminded(1, "reminder sent: 1h before Closing", 2)
}

func TestALateReminderIsSentOnlyWhereItIsStillOfUse(t *testing.T) {
	testenv.Long(t)
	for _, c := range []struct {
		name   string
		at     time.Time
		first  string
		second string // "" = it waits for its moment
		mails  int
	}{
		{
			name: "before the next", at: hourBefore.Add(-3 * time.Hour), mails: 1,
			first: "reminder sent: 1d before Closing: 20h late",
		},
		{
			name: "after the next", at: hourBefore.Add(30 * time.Minute), mails: 1,
			first:  "reminder dropped: 1d before Closing: it was 23h30m late, and the one 1h before follows",
			second: "reminder sent: 1h before Closing: 30m late",
		},
		{
			name: "after the start", at: meetsAt,
			first:  "reminder dropped: 1d before Closing: it was 1d late, and the one 1h before follows",
			second: "reminder dropped: 1h before Closing: it was 1h late, and the meeting has begun",
		},
		{
			name: "after the end", at: meetsAt.Add(25 * time.Hour),
			first:  "reminder dropped: 1d before Closing: it was 2d1h late, and the one 1h before follows",
			second: "reminder dropped: 1h before Closing: it was 1d2h late, and the meeting is over",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, _ := reminding(t)
			b.set(c.at)
			if c.second != "" {
				b.wantReminded(1, c.second, c.mails)
			}
			b.wantReminded(0, c.first, c.mails)
		})
	}
}

func TestAReminderNudgesOnlyWhatIsStillOpen(t *testing.T) {
	testenv.Long(t)
	const closed = "reminder dropped: 1h before Closing: CalendarHero says that the meeting request is no longer open"
	seen := func(state mapping.MeetingState) func(*bundle, store.Entity) {
		return func(b *bundle, e store.Entity) {
			link := b.item(e)
			link.Meeting = string(state)
			b.must(b.store.SaveLink(b.t.Context(), link, b.now(), nil))
		}
	}
	for _, c := range []struct {
		name   string
		before func(*bundle, store.Entity)
		told   string
		mails  int
	}{
		{name: "seen pending", before: seen(mapping.MeetingPending), told: "reminder sent: 1h before Closing", mails: 1},
		{name: "seen booked", before: seen(mapping.MeetingBooked), told: "reminder dropped: 1h before Closing: the meeting is booked, so nobody is left to remind"},
		{name: "seen moved", before: seen(mapping.MeetingRescheduled), told: "reminder dropped: 1h before Closing: the meeting is booked, so nobody is left to remind"},
		{name: "seen cancelled", before: seen(mapping.MeetingCancelled), told: "reminder dropped: 1h before Closing: the meeting request is no longer open (cancelled)"},
		{name: "booked", before: func(b *bundle, _ store.Entity) { b.must(b.ch.Accept(b.ch.Requests()[0].ID)) }, told: closed},
		{name: "deleted by a person", before: func(b *bundle, _ store.Entity) { b.must(b.ch.Cancel(b.ch.Requests()[0].ID)) }, told: closed},
		{name: "replaced", before: func(b *bundle, e store.Entity) {
			b.must(b.hl.SetCustomField(e.ID, "contact.milestone", "Opening"))
			b.do(e)
		}},
		{name: "removed", before: func(b *bundle, e store.Entity) { b.must(b.hl.SetCustomField(e.ID, "contact.milestone", "")); b.do(e) }},
		{
			name:   "of a location that is no longer connected",
			before: func(b *bundle, _ store.Entity) { b.cfg.Connections = only{&connection.Connection{}}; b.start() },
			told:   "reminder dropped: 1h before Closing: location " + location + " is not connected",
		},
		{
			name:   "whose answer is lost",
			before: func(b *bundle, _ store.Entity) { b.ch.Faults().Next("PUT *", 1, fakehttp.LoseAnswer()) }, mails: 1,
			told: "reminder perhaps sent: 1h before Closing: CalendarHero's answer is lost; it is not sent again, since it may have mailed",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, e := reminding(t)
			b.set(hourBefore.Add(-time.Minute))
			c.before(b, e)
			b.set(hourBefore)
			b.wantReminded(1, c.told, c.mails)
		})
	}
}

func TestAReminderThatWasRefusedIsSentWhileItIsOfUse(t *testing.T) {
	testenv.Long(t)
	for _, c := range []struct {
		name  string
		fault fakehttp.Fault
	}{
		{"limited", fakehttp.RateLimited(time.Minute)},
		{"a token that is refused", fakehttp.FailWith(401)},
		{"no way to CalendarHero's account", fakehttp.FailWith(403)},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, _ := reminding(t)
			b.set(hourBefore)
			b.ch.Faults().Next("PUT *", 1, c.fault)
			if said, err := b.reminded(1); err == nil {
				t.Errorf("it ended with %q", said)
			}
			b.pass(2 * time.Minute)
			b.wantReminded(1, "reminder sent: 1h before Closing: 2m late", 1)
		})
	}
	t.Run("and then no more", func(t *testing.T) {
		b, _ := reminding(t)
		b.set(meetsAt)
		job := b.jobs()[1]
		job.Errors = make([]rivertype.AttemptError, 5)
		told, err := b.reminders.Remind(t.Context(), job)
		b.must(err)
		if len(told) != 1 || !strings.HasSuffix(told[0].Detail, "it was 1h late after failures, and the meeting has begun") {
			t.Errorf("it says %+v", told)
		}
	})
	t.Run("the others of the location wait, too", func(t *testing.T) {
		b, _ := reminding(t)
		b.set(dayBefore)
		b.ch.Faults().Next("PUT *", 1, fakehttp.RateLimited(time.Minute))
		b.wantSnooze(0, time.Minute)
		b.wantSnooze(0, time.Minute)
		if n := b.ch.Calls()["PUT /meeting/tasks/{id}/remind"]; n != 1 {
			t.Errorf("CalendarHero was asked %d times", n)
		}
	})
}

func TestAReminderSleepsOnWhereTheClockWasPutBack(t *testing.T) {
	b, _ := reminding(t)
	b.set(hourBefore.Add(-40 * time.Minute))
	b.wantSnooze(1, 40*time.Minute)
	if n := b.nudges(); n != 0 {
		t.Errorf("%d were mailed early", n)
	}
	b.set(hourBefore)
	b.wantReminded(1, "reminder sent: 1h before Closing", 1)
}

func TestAReminderIsMailedOnceWhereverMilepostDies(t *testing.T) {
	testenv.Long(t)
	for _, c := range []struct {
		name  string
		fault func(until <-chan struct{}) fakehttp.Fault
	}{
		{"before CalendarHero mailed", func(<-chan struct{}) fakehttp.Fault { return fakehttp.DropBefore() }},
		{"after CalendarHero mailed", func(<-chan struct{}) fakehttp.Fault { return fakehttp.LoseAnswer() }},
		{"while CalendarHero was at it", fakehttp.HoldUntil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, _ := reminding(t)
			b.set(hourBefore)
			until := make(chan struct{})
			armed := b.ch.Faults().Next("PUT *", 1, c.fault(until))
			ctx, kill := context.WithCancel(t.Context())
			job, ended := b.jobs()[1], make(chan struct{})
			go func() {
				defer close(ended)
				_, _ = b.reminders.Remind(ctx, job) // nobody hears how it ends
			}()
			<-armed.Hit()
			kill()
			<-ended
			close(until)
			before := b.nudges()
			said, err := b.reminded(1) // as it is handed out again
			b.must(err)
			if !strings.HasPrefix(said, "reminder perhaps sent: 1h before Closing: Milepost was interrupted") {
				t.Errorf("it says %q", said)
			}
			if n := b.ch.Calls()["PUT /meeting/tasks/{id}/remind"]; n != 1 || before > 1 {
				t.Errorf("CalendarHero was asked %d times and mailed %d", n, before)
			}
		})
	}
}

func TestAMovedMeetingIsRemindedOfByItsNewTime(t *testing.T) {
	b, e := reminding(t)
	b.set(dayBefore.Add(-3 * time.Hour))
	link := b.item(e)
	link.Start, link.End = link.Start.Add(-2*time.Hour), link.End.Add(-2*time.Hour)
	zone, err := time.LoadLocation("America/New_York")
	b.must(err)
	item := mapping.Item{Zone: zone, Reminders: []time.Duration{24 * time.Hour, time.Hour}}
	for range 2 { // as after a crash in between
		b.must(b.store.SaveLink(t.Context(), link, b.now(), meeting.Reminders(link, item, b.now())))
	}
	steps := []struct {
		at    time.Time
		told  string
		mails int
	}{
		{dayBefore.Add(-2 * time.Hour), "reminder sent: 1d before Closing", 1},
		{dayBefore, "", 1},
		{hourBefore.Add(-2 * time.Hour), "reminder sent: 1h before Closing", 2},
		{hourBefore, "", 2},
	}
	if n := len(b.jobs()); n != len(steps) {
		t.Fatalf("%d reminders, want two for each of the times", n)
	}
	for n, step := range steps {
		b.set(step.at)
		b.wantReminded(n, step.told, step.mails)
	}
}

func TestAReminderOfAnEarlierVersionIsStillSent(t *testing.T) {
	b, _ := reminding(t)
	b.set(hourBefore)
	job := b.jobs()[1]
	job.Args.At, job.Args.Of = time.Time{}, time.Time{}
	told, err := b.reminders.Remind(t.Context(), job)
	b.must(err)
	if len(told) != 1 || told[0].What != "reminder sent" {
		t.Errorf("it says %+v", told)
	}
}

func TestTheLogOfAReminderTellsNoTitle(t *testing.T) {
	b, e := reminding(t)
	var log bytes.Buffer
	logger := zerolog.New(&log)
	b.cfg.Logger = &logger
	b.start()
	b.set(hourBefore.Add(30 * time.Minute))
	b.wantReminded(0, "reminder dropped: 1d before Closing: it was 23h30m late, and the one 1h before follows", 0)
	b.wantReminded(1, "reminder sent: 1h before Closing: 30m late", 1)
	for _, want := range []string{
		`"automation":"Milestone","before":"1d","late":"23h30m","why":"it was 23h30m late, and the one 1h before follows","message":"reminder dropped"`,
		`"before":"1h","late":"30m","message":"reminder sent"`, e.ID,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, &log)
		}
	}
	if strings.Contains(log.String(), "Closing") {
		t.Errorf("the log tells the title:\n%s", &log)
	}
}

// A day before is the same time of the day before, an hour is an hour.
func TestRemindersKeepTheTimeOfDayThroughDST(t *testing.T) {
	for _, c := range []struct{ name, zone, start, day, dayAndHour, hour string }{
		{"clocks go back in New York", "America/New_York", "2026-11-01T09:00:00-05:00", "2026-10-31T09:00:00-04:00", "2026-10-31T08:00:00-04:00", "2026-11-01T08:00:00-05:00"},
		{"an hour before lies in the first of two equal hours", "America/New_York", "2026-11-01T01:30:00-05:00", "2026-10-31T01:30:00-04:00", "2026-10-31T00:30:00-04:00", "2026-11-01T01:30:00-04:00"},
		{"clocks go forward in New York", "America/New_York", "2027-03-14T09:00:00-04:00", "2027-03-13T09:00:00-05:00", "2027-03-13T08:00:00-05:00", "2027-03-14T08:00:00-04:00"},
		{"an hour before leaps the gap", "America/New_York", "2027-03-14T03:15:00-04:00", "2027-03-13T03:15:00-05:00", "2027-03-13T02:15:00-05:00", "2027-03-14T01:15:00-05:00"},
		{"clocks go back in Berlin", "Europe/Berlin", "2026-10-25T09:00:00+01:00", "2026-10-24T09:00:00+02:00", "2026-10-24T08:00:00+02:00", "2026-10-25T08:00:00+01:00"},
		{"clocks go forward in Berlin", "Europe/Berlin", "2027-03-28T09:00:00+02:00", "2027-03-27T09:00:00+01:00", "2027-03-27T08:00:00+01:00", "2027-03-28T08:00:00+02:00"},
		{"clocks go back by half an hour", "Australia/Lord_Howe", "2027-04-04T09:00:00+10:30", "2027-04-03T09:00:00+11:00", "2027-04-03T08:00:00+11:00", "2027-04-04T08:00:00+10:30"},
		{"clocks go forward by half an hour", "Australia/Lord_Howe", "2026-10-04T09:00:00+11:00", "2026-10-03T09:00:00+10:30", "2026-10-03T08:00:00+10:30", "2026-10-04T08:00:00+11:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			zone, err := time.LoadLocation(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			read := func(text string) time.Time {
				at, err := time.Parse(time.RFC3339, text)
				if err != nil {
					t.Fatal(err)
				}
				return at
			}
			item := mapping.Item{Zone: zone, Reminders: []time.Duration{25 * time.Hour, 24 * time.Hour, time.Hour}}
			for _, kind := range []mapping.ItemKind{mapping.ItemEvent, mapping.ItemTask} {
				link := store.Link{ItemKind: string(kind), Start: read(c.start), End: read(c.start).Add(15 * time.Minute)}
				if kind == mapping.ItemTask {
					link.Start, link.End = link.Start.Add(-15*time.Minute), link.Start
				}
				got := meeting.Reminders(link, item, link.Start.AddDate(0, 0, -3))
				for i, want := range []string{c.dayAndHour, c.day, c.hour} {
					if len(got) != 3 || !got[i].At.Equal(read(want)) || !got[i].Of.Equal(read(c.start)) {
						t.Errorf("%s: %+v, want the times %s, %s, %s", kind, got, c.dayAndHour, c.day, c.hour)
						break
					}
				}
				if ahead := meeting.Reminders(link, item, read(c.day)); len(ahead) != 1 || ahead[0].Before != time.Hour {
					t.Errorf("%s: at the day before, these lie ahead: %+v", kind, ahead)
				}
			}
		})
	}
}

// In a night that an hour is missing from, a day before is less than 23h30m before.
func TestTheReminderThatComesFirstIsNotAlwaysTheLongestBefore(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	link := store.Link{ItemKind: string(mapping.ItemEvent), Start: time.Date(2027, 3, 14, 9, 0, 0, 0, zone)}
	item := mapping.Item{Zone: zone, Reminders: []time.Duration{24 * time.Hour, 23*time.Hour + 30*time.Minute, 23 * time.Hour}}
	var before []string
	for _, r := range meeting.Reminders(link, item, link.Start.AddDate(0, 0, -3)) {
		before = append(before, meeting.Span(r.Before))
	}
	if want := []string{"23h30m", "1d"}; !slices.Equal(before, want) { // 23h before is the same moment as the latter
		t.Errorf("%v, want %v", before, want)
	}
}
