package sync

import (
	"slices"
	"strings"
	"testing"
	"time"

	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/testenv"
)

// askDue does what the App does every second.
func (b *bundle) askDue() {
	b.t.Helper()
	for {
		n, err := b.store.AskDue(b.t.Context(), b.now())
		b.must(err)
		if n == 0 {
			return
		}
		b.workAll()
	}
}

// liveDays lets days pass as they do for a running Milepost.
func (b *bundle) liveDays(n int) {
	b.t.Helper()
	for range n * 4 {
		b.pass(6 * time.Hour)
		b.askDue()
	}
}

func TestAnApproachingMilestone(t *testing.T) {
	b := setup(t, `
- name: A
  on: milestone.approaching
  before: 3d
  milestone: { name: contact.milestone, date: contact.milestone_date }
  do:
    - highlevel_note: { text: "{{ milestone.name }} on {{ milestone.date }}" }
    - event: { title: "{{ milestone.name }}", start: "{{ milestone.date }}", at: "15:00" }
`)
	contact := b.jane("").ID // it is the 1st of May
	b.hear(0)
	set := func(date string) {
		t.Helper()
		sent := len(b.hl.Sent())
		b.must(b.hl.SetCustomField(contact, "contact.milestone_date", date))
		b.hear(sent)
		b.hear(sent)
	}
	expect := func(when string, requests int, notes ...string) {
		t.Helper()
		if got := b.left(contact); !slices.Equal(got, notes) || len(b.ch.Requests()) != requests {
			t.Errorf("%s there are %d requests and the notes %q, want %d and %q", when, len(b.ch.Requests()), got, requests, notes)
		}
	}
	set("2030-05-10")
	expect("nine days before", 0)
	b.set(time.Date(2030, 5, 7, 3, 59, 0, 0, time.UTC)) // a minute before the 7th in New York
	b.askDue()
	expect("a minute too early", 0)
	b.pass(time.Minute)
	b.askDue()
	expect("three days before", 1, "Closing on 2030-05-10")
	b.liveDays(1)
	expect("a day later", 1, "Closing on 2030-05-10")
	set("2030-05-20")
	expect("moved away", 0, "Closing on 2030-05-10")
	b.liveDays(8)
	expect("not yet again", 0, "Closing on 2030-05-10")
	b.liveDays(2)
	expect("near again", 1, "Closing on 2030-05-10", "Closing on 2030-05-20")
	b.liveDays(10)
	expect("when it is over", 0, "Closing on 2030-05-10", "Closing on 2030-05-20") // the past stays as it is
	posts := b.posts()
	set("2030-05-11")
	b.liveDays(2)
	expect("moved into the past", 0, "Closing on 2030-05-10", "Closing on 2030-05-20")
	if n := b.ch.Calls()["DELETE /meeting/tasks/{id}"]; n != 1 {
		t.Errorf("%d requests were deleted, want that of the first date", n)
	}
	if b.posts() != posts {
		t.Errorf("%d requests were made for what is over", b.posts()-posts)
	}
	t.Run("a clock that is put back asks again", func(t *testing.T) {
		set("2030-06-20")
		b.pass(100 * 24 * time.Hour) // by a clock that is ahead
		sent := len(b.hl.Sent())
		b.must(b.hl.AddTags(contact, "x"))
		b.hear(sent)
		b.set(time.Date(2030, 6, 10, 12, 0, 0, 0, time.UTC))
		b.must(b.store.SyncedAhead(t.Context(), b.now()))
		b.workAll()
		b.liveDays(9)
		if got := b.left(contact); !slices.Contains(got, "Closing on 2030-06-20") {
			t.Errorf("the notes are %q", got)
		}
	})
}

func TestABirthdayComesEveryYear(t *testing.T) {
	testenv.Long(t)
	b := setup(t, `
- name: Party
  on: milestone.changed
  milestone: { name: Birthday, date: contact.date_of_birth, yearly: true }
  do: [event: { title: "{{ milestone.name }} of {{ contact.first_name }}", start: "{{ milestone.date }}" }]
- name: Card
  on: milestone.approaching
  before: 7d
  milestone: { name: Birthday, date: contact.date_of_birth, yearly: true }
  do: [highlevel_note: { text: "{{ milestone.name }} on {{ milestone.date }}" }]
`)
	c, err := b.hl.CreateContact(hlfake.Contact{LocationID: location, FirstName: "Ann", Email: "ann@example.com", DateOfBirth: "1984-02-29"})
	b.must(err)
	b.hear(0)
	starts := func() (days []string) {
		for _, r := range slices.Concat(b.ch.Requests(), b.ch.Closed()) {
			days = append(days, r.Start.UTC().Format(time.DateOnly))
		}
		slices.Sort(days)
		return days
	}
	want := []string{"2031-02-28"}
	if got := starts(); !slices.Equal(got, want) {
		t.Fatalf("the events are on %q, want %q", got, want)
	}
	for _, year := range []int{2031, 2032} {
		b.set(time.Date(year, 2, 20, 12, 0, 0, 0, time.UTC))
		b.askDue()
		b.liveDays(12)
	}
	want = []string{"2031-02-28", "2032-02-29", "2033-02-28"}
	if got := starts(); !slices.Equal(got, want) {
		t.Errorf("two years later the events are on %q, want %q", got, want)
	}
	if got, want := b.left(c.ID), []string{"Birthday on 2031-02-28", "Birthday on 2032-02-29"}; !slices.Equal(got, want) {
		t.Errorf("the notes are %q, want %q", got, want)
	}
	if n := b.posts(); n != 3 || b.ch.Calls()["DELETE /meeting/tasks/{id}"] != 0 {
		t.Errorf("%d requests were made, want one for each birthday, and none deleted", n)
	}
}

func TestTheOtherWaysToKeepAMilestone(t *testing.T) {
	testenv.Long(t)
	b := setup(t, `
- name: Tag
  on: milestone.changed
  milestone: { tag: Closing, after: 2d }
  do: [event: { title: "{{ milestone.name }}", start: "{{ milestone.date }}" }]
- name: Tag with a field
  on: milestone.changed
  milestone: { tag: vip, name: VIP day, date: contact.milestone_date }
  do: [event: { title: "{{ milestone.name }}", start: "{{ milestone.date }}" }]
- name: Stage
  on: milestone.changed
  milestone: { stage: proposal, pipeline: Sales, after: 1w }
  do: [event: { title: "{{ milestone.name }} {{ opportunity.name }}", start: "{{ milestone.date }}" }]
- name: Field of an opportunity
  on: milestone.changed
  milestone: { date: opportunity.handover }
  do: [event: { title: "{{ milestone.name }}", start: "{{ milestone.date }}" }]
- name: Appointment
  on: milestone.approaching
  before: 1d
  milestone: { date: appointment.start }
  if: appointment.status == "confirmed"
  do: [highlevel_task: { title: "Prepare {{ milestone.name }}", due: "{{ milestone.date }}" }]
- name: Workflow
  on: milestone.approaching
  before: 2d
  milestone: { name: custom_data.milestone_title, date: custom_data.milestone_date }
  do: [highlevel_note: { text: "{{ milestone.name }}" }]
`)
	b.hl.SeedPipeline(location, hlfake.Pipeline{ID: salesPipeline, Name: "Sales", Stages: []hlfake.Stage{{ID: "stage-new", Name: "New"}, {ID: "stage-proposal", Name: "Proposal"}}})
	contact := b.jane("2030-05-20").ID
	titles := func() string {
		var all []string
		for _, r := range b.ch.Requests() {
			title, _, _ := strings.Cut(r.Subject, " [mp-")
			all = append(all, title+" "+r.Start.UTC().Format("01-02 15:04"))
		}
		slices.Sort(all)
		return strings.Join(all, ", ")
	}
	step := func(what, want string, do func() error) {
		t.Helper()
		sent := len(b.hl.Sent())
		b.must(do())
		b.hear(sent)
		b.pass(time.Hour)
		b.hear(sent)
		if got := titles(); got != want {
			t.Errorf("%s: the events are %s; want %s", what, got, want)
		}
	}
	closing := "closing 05-03 12:00"
	step("a tag", closing, func() error { return b.hl.AddTags(contact, "closing") })
	step("a tag with a date", "VIP day 05-20 13:00, "+closing, func() error { return b.hl.AddTags(contact, "vip") })
	step("the tag is taken away", closing, func() error { return b.hl.RemoveTags(contact, "vip") })
	var deal hlfake.Opportunity
	step("another stage", closing, func() (err error) {
		deal, err = b.hl.CreateOpportunity(hlfake.Opportunity{ContactID: contact, PipelineID: salesPipeline, Name: "House"})
		return err
	})
	at := b.now().AddDate(0, 0, 7).Format("01-02 15:04")
	step("the stage", "Proposal House "+at+", "+closing, func() error {
		return b.hl.UpdateOpportunity(deal.ID, func(o *hlfake.Opportunity) { o.StageID = "stage-proposal" })
	})
	step("the stage is left", closing, func() error {
		return b.hl.UpdateOpportunity(deal.ID, func(o *hlfake.Opportunity) { o.StageID = "stage-new" })
	})
	step("a field", "Handover 06-03 13:00, "+closing, func() (err error) {
		_, err = b.hl.CreateOpportunity(hlfake.Opportunity{ContactID: contact, PipelineID: salesPipeline, Name: "Garden", CustomFields: map[string]any{"opportunity.handover": "2030-06-03"}})
		return err
	})
	step("an appointment", "Handover 06-03 13:00, "+closing, func() error {
		_, err := b.hl.CreateAppointment(hlfake.Appointment{ContactID: contact, CalendarID: "cal", Title: "Visit", Start: b.day(9, 14)})
		return err
	})
	if tasks := b.hl.Tasks(contact); len(tasks) != 0 {
		t.Errorf("the tasks are %+v before the appointment is near", tasks)
	}
	b.set(b.day(8, 14))
	b.askDue()
	if tasks := b.hl.Tasks(contact); len(tasks) != 1 || tasks[0].Title != "Prepare Visit" {
		t.Errorf("the tasks are %+v when the appointment is near", tasks)
	}
}

func TestADeletedContact(t *testing.T) {
	b := setup(t, `
- name: A
  on: contact.deleted
  do: [event: { title: "Who was {{ contact.name }}?", start: "2030-05-09" }]
- name: B
  on: contact.changed
  do: [contact: {}]
- name: C
  on: task.deleted
  do: [event: { title: "Why not {{ task.title }}?", start: "2030-05-09" }]
`)
	contact := b.jane("").ID
	_, err := b.hl.CreateTask(hlfake.Task{ContactID: contact, Title: "Call", DueDate: b.day(9, 14)})
	b.must(err)
	b.hear(0)
	b.pass(time.Minute)
	sent := len(b.hl.Sent())
	b.must(b.hl.DeleteContact(contact))
	for range 2 {
		b.hear(sent)
		b.pass(time.Minute)
		if r := b.ch.Requests(); len(r) != 1 || !strings.HasPrefix(r[0].Subject, "Who was Jane Doe?") || b.posts() != 1 {
			t.Errorf("the requests are %+v", r)
		}
	}
	t.Run("what is forgotten leaves nothing", func(t *testing.T) {
		b.must(b.store.Forget(t.Context(), location, contact, b.now()))
		b.workAll()
		if r := b.ch.Requests(); len(r) != 0 {
			t.Errorf("the requests are %+v", r)
		}
	})
}
