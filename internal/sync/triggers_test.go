package sync

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/testenv"
	"milepost/mapping"
)

const salesPipeline = "pipeline-sales"

// ofTrigger is a location with one automation, that leaves a note.
func ofTrigger(t *testing.T, trigger mapping.Trigger, text string, more ...string) *bundle {
	t.Helper()
	b := setup(t, fmt.Sprintf("- name: A\n  on: %s\n  %s\n  do: [highlevel_note: { text: %q }]\n", trigger, strings.Join(more, "\n  "), text))
	b.hl.SeedPipeline(location, hlfake.Pipeline{ID: salesPipeline, Name: "Sales", Stages: []hlfake.Stage{{ID: "stage-new", Name: "New"}, {ID: "stage-proposal", Name: "Proposal"}}})
	b.hl.SeedCalendar(location, hlfake.Calendar{ID: "cal", Name: "Showings"})
	return b
}

// left are the texts that Milepost left as notes of a contact, without their last line.
func (b *bundle) left(contactID string) (texts []string) {
	for _, n := range b.hl.Notes(contactID) {
		if text, _, ours := strings.Cut(n.Body, "\n\n[ref: mp-"); ours {
			texts = append(texts, text)
		}
	}
	return texts
}

// TestEachTriggerOfARecord plays each trigger of HighLevel's records, from what a person
// does to the note that the automation writes. It does so with webhooks, with each webhook
// twice, and without webhooks if Milepost can find the record without one.
func TestEachTriggerOfARecord(t *testing.T) {
	testenv.Long(t)
	type place struct {
		contact, task, note, appointment, opportunity string
	}
	silent := func(b *bundle, p *place) { // what was there before
		b.must(b.hl.UpdateContact(p.contact, func(c *hlfake.Contact) { c.City = "Boston" }))
		b.hear(0)
		b.sweepAll(t)
	}
	// Those that hold while the record is as it is, and those of milestones, workflows and
	// CalendarHero, have tests of their own.
	played := map[mapping.Trigger]bool{
		mapping.ContactChanged: true, mapping.ContactDeleted: true, mapping.ContactTagged: true, mapping.TaskChanged: true, mapping.TaskCompleted: true,
		mapping.NoteChanged: true, mapping.WorkflowReceived: true, mapping.MilestoneChanged: true, mapping.MilestoneApproaching: true,
	}
	for _, c := range []struct {
		trigger mapping.Trigger
		text    string // the template
		more    string
		before  func(b *bundle, p *place) // what is there before, and known
		happens func(b *bundle, p *place) error
		want    string // in the note; "" = none before, and none after
		found   bool   // also without the webhook
	}{
		{
			trigger: mapping.ContactCreated, text: "{{ contact.first_name }} is new", want: "Ann is new", found: true,
			happens: func(b *bundle, p *place) error {
				c, err := b.hl.CreateContact(hlfake.Contact{LocationID: location, FirstName: "Ann", Email: "ann@example.com"})
				p.contact = c.ID
				return err
			},
		},
		{
			trigger: mapping.ContactDNDChanged, text: "DND is {{ contact.dnd }}", want: "DND is true", found: true, before: silent,
			happens: func(b *bundle, p *place) error {
				return b.hl.UpdateContact(p.contact, func(c *hlfake.Contact) { c.DND = true })
			},
		},
		{
			trigger: mapping.TaskEdited, text: "{{ task.title }} was edited", want: "Call back was edited", found: true, before: silent,
			happens: func(b *bundle, p *place) error {
				b.sweepAll(t)
				return b.hl.UpdateTask(p.task, func(t *hlfake.Task) { t.Title = "Call back" })
			},
		},
		{
			trigger: mapping.TaskDeleted, text: "{{ task.title }} was deleted", want: "Call was deleted", before: silent, found: true,
			happens: func(b *bundle, p *place) error { return b.hl.DeleteTask(p.task) },
		},
		{
			trigger: mapping.NoteCreated, text: "A note: {{ note.body }}", want: "A note: Likes tea", before: silent, found: true,
			happens: func(b *bundle, p *place) error {
				_, err := b.hl.CreateNote(hlfake.Note{ContactID: p.contact, Body: "Likes tea"})
				return err
			},
		},
		{
			trigger: mapping.NoteDeleted, text: "Gone: {{ note.body }}", want: "Gone: Prefers mornings", before: silent, found: true,
			happens: func(b *bundle, p *place) error { return b.hl.DeleteNote(p.note) },
		},
		{
			trigger: mapping.AppointmentCreated, text: "{{ appointment.title }} on {{ appointment.start }} in {{ appointment.calendar }}", want: "Showing on 2030-05-09 10:00 in Showings", before: silent, found: true,
			happens: func(b *bundle, p *place) error {
				_, err := b.hl.CreateAppointment(hlfake.Appointment{ContactID: p.contact, CalendarID: "cal", Title: "Showing", Start: b.day(9, 14)})
				return err
			},
		},
		{
			trigger: mapping.AppointmentChanged, text: "{{ appointment.status }}", want: "cancelled", before: silent, found: true, more: `if: appointment.status == "cancelled"`,
			happens: func(b *bundle, p *place) error {
				return b.hl.UpdateAppointment(p.appointment, func(a *hlfake.Appointment) { a.Status = "cancelled" })
			},
		},
		{
			trigger: mapping.AppointmentDeleted, text: "{{ appointment.title }} is off", want: "Visit is off", before: silent, found: true,
			happens: func(b *bundle, p *place) error { return b.hl.DeleteAppointment(p.appointment) },
		},
		{
			trigger: mapping.OpportunityCreated, text: "{{ opportunity.name }} in {{ opportunity.pipeline }}", want: "Garden in Sales", before: silent, found: true,
			happens: func(b *bundle, p *place) error {
				_, err := b.hl.CreateOpportunity(hlfake.Opportunity{ContactID: p.contact, PipelineID: salesPipeline, Name: "Garden"})
				return err
			},
		},
		{
			trigger: mapping.OpportunityChanged, text: "{{ opportunity.name }}", want: "Big house", before: silent, found: true, more: `if: opportunity.name == "Big house"`,
			happens: func(b *bundle, p *place) error {
				return b.hl.UpdateOpportunity(p.opportunity, func(o *hlfake.Opportunity) { o.Name = "Big house" })
			},
		},
		{
			trigger: mapping.OpportunityStage, text: "Now in {{ opportunity.stage }}", want: "Now in Proposal", before: silent, found: true,
			happens: func(b *bundle, p *place) error {
				return b.hl.UpdateOpportunity(p.opportunity, func(o *hlfake.Opportunity) { o.StageID = "stage-proposal" })
			},
		},
		{
			trigger: mapping.OpportunityStatus, text: "Now {{ opportunity.status }}", want: "Now won", before: silent, found: true,
			happens: func(b *bundle, p *place) error {
				return b.hl.UpdateOpportunity(p.opportunity, func(o *hlfake.Opportunity) { o.Status = "won" })
			},
		},
		{
			trigger: mapping.OpportunityValue, text: "Worth {{ opportunity.value }}", want: "Worth 1250.5", before: silent, found: true,
			happens: func(b *bundle, p *place) error {
				return b.hl.UpdateOpportunity(p.opportunity, func(o *hlfake.Opportunity) { o.MonetaryValue = 1250.5 })
			},
		},
		{
			trigger: mapping.OpportunityAssignee, text: "Assigned to {{ opportunity.assigned_to }}", want: "Assigned to user-2", before: silent, found: true,
			happens: func(b *bundle, p *place) error {
				return b.hl.UpdateOpportunity(p.opportunity, func(o *hlfake.Opportunity) { o.AssignedTo = "user-2" })
			},
		},
		{
			trigger: mapping.OpportunityDeleted, text: "{{ opportunity.name }} is gone", want: "House is gone", before: silent, found: true,
			happens: func(b *bundle, p *place) error { return b.hl.DeleteOpportunity(p.opportunity) },
		},
	} {
		played[c.trigger] = true
		for _, told := range []bool{true, false} {
			if !told && !c.found || told && c.trigger == mapping.TaskEdited { // which has no event
				continue
			}
			t.Run(fmt.Sprintf("%s/told=%v", c.trigger, told), func(t *testing.T) {
				t.Parallel()
				b := ofTrigger(t, c.trigger, c.text, c.more)
				var p place
				if c.before != nil {
					p.contact = b.jane("").ID
					task, err := b.hl.SeedTask(hlfake.Task{ContactID: p.contact, Title: "Call", DueDate: b.day(9, 14)})
					b.must(err)
					note, err := b.hl.SeedNote(hlfake.Note{ContactID: p.contact, Body: "Prefers mornings", DateAdded: b.now().Add(-72 * time.Hour)})
					b.must(err)
					visit, err := b.hl.SeedAppointment(hlfake.Appointment{ContactID: p.contact, CalendarID: "cal", Title: "Visit", Start: b.day(8, 14), DateAdded: b.now().Add(-72 * time.Hour)})
					b.must(err)
					house, err := b.hl.SeedOpportunity(hlfake.Opportunity{ContactID: p.contact, PipelineID: salesPipeline, Name: "House", CreatedAt: b.now().Add(-72 * time.Hour)})
					b.must(err)
					p.task, p.note, p.appointment, p.opportunity = task.ID, note.ID, visit.ID, house.ID
					b.backfillAll(t)
					if texts := b.left(p.contact); len(texts) > 0 {
						t.Fatalf("before anything happens, it leaves %q", texts)
					}
				}
				sent := len(b.hl.Sent())
				b.pass(time.Minute)
				b.must(c.happens(b, &p))
				if told {
					b.hear(sent)
					b.hear(sent) // and again
				} else {
					b.findAll(t)
				}
				if texts := b.left(p.contact); !slices.Equal(texts, []string{c.want}) {
					t.Errorf("it leaves %q, want %q", texts, c.want)
				}
				b.findAll(t)
				if texts := b.left(p.contact); !slices.Equal(texts, []string{c.want}) {
					t.Errorf("later it leaves %q, want %q", texts, c.want)
				}
			})
		}
	}
	for _, trigger := range mapping.Triggers() {
		if !played[trigger] && !strings.HasPrefix(string(trigger), "calendarhero.") {
			t.Errorf("no case plays %s", trigger)
		}
	}
}

// day is a time of May 2030, UTC.
func (b *bundle) day(day, hour int) time.Time {
	return time.Date(2030, 5, day, hour, 0, 0, 0, time.UTC)
}

// sweepAll has Milepost look for what no webhook told.
func (b *bundle) sweepAll(t *testing.T) {
	t.Helper()
	_, err := b.reconciler.Sweep(t.Context(), location, location, b.day(1, 0).AddDate(-1, 0, 0), false, nil)
	b.must(err)
}

// backfillAll has Milepost read all that is there.
func (b *bundle) backfillAll(t *testing.T) {
	t.Helper()
	_, err := b.reconciler.Sweep(t.Context(), "backfill", location, time.Time{}, false, nil)
	b.must(err)
	b.workAll()
	b.sweepAll(t)
	b.workAll()
}

// findAll looks for what no webhook told for as long as it takes to believe it.
func (b *bundle) findAll(t *testing.T) {
	t.Helper()
	for range 4 {
		b.pass(25 * time.Hour)
		b.sweepAll(t)
		b.settleAll(t)
	}
}

// settleAll works what is owed, with the waits in between.
func (b *bundle) settleAll(t *testing.T) {
	t.Helper()
	for range 20 {
		rows, err := b.store.Query(t.Context(), `SELECT count(*) FROM entities WHERE wanted > done`)
		b.must(err)
		n := 0
		for rows.Next() {
			b.must(rows.Scan(&n))
		}
		rows.Close()
		if n == 0 {
			return
		}
		for range n {
			if e, ok := b.owed(); ok {
				state, err := b.store.EntityState(t.Context(), e)
				b.must(err)
				_ = b.newRun(jobOf(state), nil).do(t.Context())
			}
		}
		b.pass(time.Minute)
	}
	t.Fatal("the syncs do not end")
}
