package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"milepost/internal/app"
	"milepost/internal/meeting"
	"milepost/internal/order"
	"milepost/internal/sandbox"
	chfake "milepost/internal/sandbox/calendarhero"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
)

// scenario is a short day of one contact, played through real signed webhooks.
type scenario struct {
	out      io.Writer
	world    *sandbox.World
	milepost *app.App
	printed  map[string]chfake.MeetingRequest // requests told of, by id
	tags     []string
	notes    []string // bodies
	due      time.Time
	task     string // id of the one that moves
	contact  hlfake.Contact
}

// play runs the scenario and tells, line by line, what arrived. It fails at the
// first step whose end state does not come. quiet is how long a new description alone
// waits; if it is negative, it never goes out.
func play(ctx context.Context, out io.Writer, world *sandbox.World, milepost *app.App, quiet time.Duration) error {
	s := &scenario{out: out, world: world, milepost: milepost, printed: map[string]chfake.MeetingRequest{}}
	hl, zone := world.HighLevel, world.TimeZone
	today := time.Now().In(zone)
	day := func(days, hour int) time.Time {
		return time.Date(today.Year(), today.Month(), today.Day()+days, hour, 0, 0, 0, zone)
	}
	at := func(t time.Time) func(chfake.MeetingRequest) bool {
		return func(r chfake.MeetingRequest) bool { return r.Start.Equal(t) }
	}
	ending := func(t time.Time) func(chfake.MeetingRequest) bool {
		return func(r chfake.MeetingRequest) bool { return r.End.Equal(t) }
	}
	saying := func(text string) func(chfake.MeetingRequest) bool {
		return func(r chfake.MeetingRequest) bool { return strings.Contains(r.Description, text) }
	}
	var err error
	if s.contact, err = hl.SeedContact(hlfake.Contact{
		LocationID: world.Location.ID, FirstName: "Nora", LastName: "Quist", Email: "nora.quist@mail.example", Phone: "+12125550177",
	}); err != nil {
		return err
	}
	var task hlfake.Task
	steps := []struct {
		say  string
		do   func() error
		want func() bool
	}{
		{
			"Milepost looks once at what the location already has", func() error { return s.lookAtAll(ctx) },
			func() bool { return s.inStep(ctx) && len(world.CalendarHero.Requests()) > 0 },
		},
		{
			"HighLevel: somebody sets Nora's milestone: Inspection, " + day(10, 9).Format("Mon 2 Jan"),
			func() error {
				return world.SetMilestone(s.contact.ID, "Inspection", day(10, 9).Format(time.DateOnly))
			},
			s.one("Inspection: Nora Quist", at(day(10, 9))),
		},
		{
			"HighLevel: the milestone moves to " + day(12, 9).Format("Mon 2 Jan"),
			func() error {
				return world.SetMilestone(s.contact.ID, "Inspection", day(12, 9).Format(time.DateOnly))
			},
			s.one("Inspection: Nora Quist", at(day(12, 9))),
		},
		{
			"HighLevel: somebody creates a task: Order the survey, due " + day(5, 15).Format("Mon 2 Jan 15:04"),
			func() (err error) {
				task, err = hl.CreateTask(hlfake.Task{ContactID: s.contact.ID, Title: "Order the survey", DueDate: day(5, 15)})
				s.task, s.due = task.ID, day(5, 15)
				return err
			},
			s.one("Order the survey", ending(day(5, 15))),
		},
		{
			"HighLevel: the task is now due " + day(6, 11).Format("Mon 2 Jan 15:04") + ". HighLevel sends no webhook for that,\n   so it arrives with the next event of the contact: her phone number changes",
			func() error {
				s.due = day(6, 11)
				if err := hl.UpdateTask(task.ID, func(t *hlfake.Task) { t.DueDate = s.due }); err != nil {
					return err
				}
				return hl.UpdateContact(s.contact.ID, func(c *hlfake.Contact) { c.Phone = "+12125550178" })
			},
			s.one("Order the survey", ending(day(6, 11))),
		},
		{
			"CalendarHero: somebody moves it to " + day(7, 14).Format("Mon 2 Jan 15:04"),
			func() error {
				return world.CalendarHero.Reschedule(s.named("Order the survey")[0].ID, day(7, 14).Add(-15*time.Minute), day(7, 14))
			},
			func() bool {
				now, _ := hl.Task(task.ID)
				return now.DueDate.Equal(day(7, 14)) && s.one("Order the survey", ending(day(7, 14)))()
			},
		},
		{
			"HighLevel: somebody completes the task", func() error { return hl.CompleteTask(task.ID) },
			s.none("Order the survey"),
		},
		{
			"HighLevel: somebody writes a note: Prefers mornings, has a dog. #VIP" + quietly(quiet),
			func() error {
				_, err := hl.CreateNote(hlfake.Note{ContactID: s.contact.ID, Body: "<p>Prefers mornings, has a dog. #VIP</p>"})
				return err
			},
			func() bool {
				return slices.Contains(hl.Tags(s.contact.ID), "vip") && (quiet < 0 ||
					s.one("Inspection: Nora Quist", saying("Prefers mornings, has a dog."))() && s.one("Inspection: Nora Quist", saying("Tags: vip"))())
			},
		},
		{
			"CalendarHero: Nora books a consultation through a scheduling link, " + day(9, 10).Format("Mon 2 Jan 15:04"),
			func() error {
				_, err := world.CalendarHero.BookByLink(chfake.Contact{Name: s.contact.Name(), Email: []string{s.contact.Email}},
					"Consultation", day(9, 10), day(9, 10).Add(time.Hour))
				return err
			},
			func() bool {
				return slices.ContainsFunc(hl.Notes(s.contact.ID), func(n hlfake.Note) bool { return strings.HasPrefix(n.Body, "Meeting booked: Consultation") })
			},
		},
	}
	for i, step := range steps {
		fmt.Fprintf(out, "%d. %s\n", i+1, step.say)
		if err := step.do(); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
		err := within(ctx, stepLimit+max(quiet, 0), step.want)
		s.printChanges()
		if err != nil {
			return fmt.Errorf("step %d did not finish: %w", i+1, err)
		}
	}
	// Late effects of the last steps must not change the end state either.
	if err := within(ctx, stepLimit, func() bool { return s.inStep(ctx) }); err != nil {
		return err
	}
	for i, step := range steps[len(steps)-2:] {
		if !step.want() {
			return fmt.Errorf("the end state of step %d did not last", len(steps)-1+i)
		}
	}
	fmt.Fprintf(out, "\nEverything arrived: %d meeting requests and %d contacts in CalendarHero, nothing twice.\n",
		len(world.CalendarHero.Requests()), len(world.CalendarHero.Contacts()))
	return nil
}

// quietly says what becomes of a new description.
func quietly(quiet time.Duration) string {
	switch {
	case quiet < 0:
		return "\n   It reaches no request, because --description-after=never"
	case quiet == 0:
		return ""
	}
	return fmt.Sprintf("\n   Only a description changes, so Milepost waits until the contact has been quiet for %s: more notes cost no more mails", meeting.Span(quiet))
}

// syncSeeded makes Milepost sync each record that the location already has, and prints
// what arrived.
func syncSeeded(ctx context.Context, out io.Writer, world *sandbox.World, milepost *app.App) error {
	s := &scenario{out: out, world: world, milepost: milepost}
	before := len(world.CalendarHero.Contacts())
	if err := s.lookAtAll(ctx); err != nil {
		return err
	}
	err := within(ctx, stepLimit, func() bool { return s.inStep(ctx) })
	s.printChanges()
	if err != nil {
		return fmt.Errorf("the records were not synced: %w", err)
	}
	fmt.Fprintf(out, "Meeting requests created for the records in HighLevel: %d. Contacts: %d. The page shows beside each record what Milepost did and why.\n",
		len(world.CalendarHero.Requests()), len(world.CalendarHero.Contacts())-before)
	return nil
}

// within returns when a condition of both fakes and Milepost holds.
func within(ctx context.Context, limit time.Duration, condition func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not within %s", limit))
	defer cancel()
	for !condition() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// lookAtAll asks Milepost to look at every record of the location, as if each
// had just changed.
func (s *scenario) lookAtAll(ctx context.Context) error {
	var all []store.Found
	add := func(kind, id, contact string) {
		all = append(all, store.Found{Entity: store.Entity{LocationID: s.world.Location.ID, Kind: kind, ID: id}, ContactID: contact, Differs: true})
	}
	for _, c := range s.world.HighLevel.Contacts() {
		add("contact", c.ID, c.ID)
		for _, t := range s.world.HighLevel.Tasks(c.ID) {
			add("task", t.ID, c.ID)
		}
		for _, n := range s.world.HighLevel.Notes(c.ID) {
			add("note", n.ID, c.ID) // it can only be read by its contact
		}
	}
	return s.milepost.Store().SaveReconciliation(ctx, store.Reconciliation{Name: "sandbox", LocationID: s.world.Location.ID}, all)
}

// inStep reports whether nothing is owed.
func (s *scenario) inStep(ctx context.Context) bool {
	n, err := s.milepost.Store().Backlog(ctx)
	return err == nil && n == 0
}

// one reports whether exactly one request has that subject, and is as it should be.
func (s *scenario) one(subject string, right func(chfake.MeetingRequest) bool) func() bool {
	return func() bool {
		found := s.named(subject)
		return len(found) == 1 && right(found[0])
	}
}

// none reports whether no request has that subject.
func (s *scenario) none(subject string) func() bool {
	return func() bool { return len(s.named(subject)) == 0 }
}

func (s *scenario) named(subject string) (found []chfake.MeetingRequest) {
	for _, r := range s.world.CalendarHero.Requests() {
		if strings.HasPrefix(r.Subject, subject) {
			found = append(found, r)
		}
	}
	return found
}

func (s *scenario) printRequest(r chfake.MeetingRequest) {
	fmt.Fprintf(s.out, "   CalendarHero  + %s, %s, %s, to %s\n", r.Subject,
		r.Start.In(s.world.TimeZone).Format("Mon 2 Jan 15:04 MST"), meeting.Span(r.End.Sub(r.Start)), strings.Join(r.Invitees, ", "))
	for line := range strings.Lines(r.Description) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "[ref:") {
			fmt.Fprintf(s.out, "                   | %s\n", line)
		}
	}
}

// printChanges prints what changed on either side since the last call.
func (s *scenario) printChanges() {
	now := map[string]chfake.MeetingRequest{}
	requests := s.world.CalendarHero.Requests()
	order.By(requests, func(a, b chfake.MeetingRequest) int { return a.Start.Compare(b.Start) })
	for _, r := range requests {
		now[r.ID] = r
	}
	for id, r := range s.printed {
		if _, still := now[id]; !still {
			fmt.Fprintf(s.out, "   CalendarHero  - %s\n", r.Subject)
		}
	}
	for _, r := range requests {
		if _, known := s.printed[r.ID]; !known {
			s.printRequest(r)
		}
	}
	s.printed = now
	if tags := s.world.HighLevel.Tags(s.contact.ID); !slices.Equal(tags, s.tags) {
		s.tags = tags
		fmt.Fprintf(s.out, "   HighLevel     Nora's tags: %s\n", strings.Join(tags, ", "))
	}
	if task, ok := s.world.HighLevel.Task(s.task); ok && !task.DueDate.Equal(s.due) {
		s.due = task.DueDate
		fmt.Fprintf(s.out, "   HighLevel     %s is due %s\n", task.Title, task.DueDate.In(s.world.TimeZone).Format("Mon 2 Jan 15:04 MST"))
	}
	for _, n := range s.world.HighLevel.Notes(s.contact.ID) {
		if text, _, written := strings.Cut(n.Body, "\n\n[ref:"); written && !slices.Contains(s.notes, text) {
			s.notes = append(s.notes, text)
			fmt.Fprintf(s.out, "   HighLevel     + note: %s\n", text)
		}
	}
}
