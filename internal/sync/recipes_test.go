package sync

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"milepost/clients/highlevel"
	chfake "milepost/internal/sandbox/calendarhero"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/mapping"
)

// TestEachRecipeFromItsEventToItsEffect plays each recipe in one location with all of
// them switched on: what a person does, on a contact of its own, must end in what the
// recipe makes.
func TestEachRecipeFromItsEventToItsEffect(t *testing.T) {
	testenv.Long(t)
	b := setup(t, strings.ReplaceAll(string(mapping.Recipes()), "enabled: false", "enabled: true"))
	b.hl.SeedPipeline(location, hlfake.Pipeline{ID: salesPipeline, Name: "Sales", Stages: []hlfake.Stage{{ID: "stage-new", Name: "New"}, {ID: "stage-sent", Name: "Proposal sent"}}})
	contacts := map[string]string{} // by recipe
	comes := func(id string, change func(*hlfake.Contact)) string {
		t.Helper()
		c := hlfake.Contact{LocationID: location, FirstName: "Ann", LastName: "Of " + id, Email: id + "@example.com"}
		if change != nil {
			change(&c)
		}
		made, err := b.hl.CreateContact(c)
		b.must(err)
		contacts[id] = made.ID
		return made.ID
	}
	person := func(id string) string { return comes(id, nil) }
	with := func(fields map[string]any) func(id string) {
		return func(id string) { comes(id, func(c *hlfake.Contact) { c.CustomFields = fields }) }
	}
	born := func(date string) func(id string) {
		return func(id string) { comes(id, func(c *hlfake.Contact) { c.DateOfBirth = date }) }
	}
	task := func(id string) string {
		t.Helper()
		made, err := b.hl.CreateTask(hlfake.Task{ContactID: person(id), Title: "Call", DueDate: b.now().Add(100 * time.Hour)})
		b.must(err)
		return made.ID
	}
	visit := func(id, status string, start time.Time) {
		t.Helper()
		_, err := b.hl.CreateAppointment(hlfake.Appointment{ContactID: person(id), CalendarID: "cal", Title: "Visit", Status: status, Start: start})
		b.must(err)
	}
	deal := func(id string) string {
		t.Helper()
		o, err := b.hl.CreateOpportunity(hlfake.Opportunity{ContactID: person(id), PipelineID: salesPipeline, Name: "House", MonetaryValue: 1200})
		b.must(err)
		return o.ID
	}
	workflow := func(id string, date string) {
		t.Helper()
		body := fmt.Sprintf(`{"contact_id":%q,"workflow":{"id":"w1","name":"Closing"},"location":{"id":%q},"customData":{"milestone_title":"Closing","milestone_date":%q}}`, person(id), location, date)
		b.toldByWorkflow([]byte(body))
	}
	books := func(id string) chfake.MeetingRequest {
		t.Helper()
		person(id)
		b.catchUp(t)
		start := b.now().Truncate(time.Hour).Add(50 * time.Hour)
		r, err := b.ch.BookByLink(chfake.Contact{Name: "Ann", Email: []string{id + "@example.com"}}, "Chat", start, start.Add(30*time.Minute))
		b.must(err)
		b.catchUp(t)
		return r
	}
	asked := func(id string) chfake.MeetingRequest { // a request of Milepost for a task
		t.Helper()
		task(id)
		b.catchUp(t)
		for _, r := range b.ch.Requests() {
			if strings.Contains(r.Subject, "Of "+id) {
				return r
			}
		}
		t.Fatalf("%s: there is no request", id)
		return chfake.MeetingRequest{}
	}
	may := func(day, hour int) time.Time { return b.day(day, hour) }
	plays := map[string]func(id string){
		"contact-to-calendarhero-contact": func(id string) { person(id) },
		"new-contact-to-highlevel-task":   func(id string) { person(id) },
		"do-not-disturb-to-tag": func(id string) {
			c := person(id)
			b.catchUp(t)
			b.must(b.hl.UpdateContact(c, func(c *hlfake.Contact) { c.DND = true }))
		},
		"milestone-to-calendar-event":             with(map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-20"}),
		"approaching-milestone-to-highlevel-task": with(map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-04"}),
		"task-to-calendar-task":                   func(id string) { task(id) },
		"edited-task-to-highlevel-note": func(id string) {
			made := task(id)
			b.catchUp(t)
			b.sweepAll(t)
			b.must(b.hl.UpdateTask(made, func(t *hlfake.Task) { t.Title = "Call back" }))
			b.pass(time.Minute)
			b.sweepAll(t)
		},
		"deleted-task-to-highlevel-note": func(id string) {
			made := task(id)
			b.catchUp(t)
			b.must(b.hl.DeleteTask(made))
		},
		"note-to-calendar-note-with-tags": func(id string) {
			_, err := b.hl.CreateNote(hlfake.Note{ContactID: person(id), Body: "Prefers mornings #vip"})
			b.must(err)
		},
		"follow-up-tag-to-calendar-task": func(id string) { b.must(b.hl.AddTags(person(id), "follow-up")) },
		"birthday-to-highlevel-task":     born("1990-05-06"),
		"birthday-to-calendar-event":     born("1990-02-28"),
		"customer-anniversary-to-highlevel-task": func(id string) {
			comes(id, func(c *hlfake.Contact) { c.Tags = []string{"customer"}; c.DateAdded = may(3, 12).AddDate(-2, 0, 0) })
		},
		"appointment-to-calendar-event":             func(id string) { visit(id, "confirmed", may(9, 14)) },
		"approaching-appointment-to-highlevel-task": func(id string) { visit(id, "confirmed", b.now().Add(20*time.Hour)) },
		"missed-appointment-to-highlevel-task":      func(id string) { visit(id, "noshow", b.now().Add(-20*time.Hour)) },
		"opportunity-stage-to-calendar-task": func(id string) {
			b.must(b.hl.UpdateOpportunity(deal(id), func(o *hlfake.Opportunity) { o.StageID = "stage-sent" }))
		},
		"opportunity-stage-to-highlevel-note": func(id string) {
			b.must(b.hl.UpdateOpportunity(deal(id), func(o *hlfake.Opportunity) { o.StageID = "stage-sent" }))
		},
		"won-opportunity-to-customer-tag": func(id string) {
			b.must(b.hl.UpdateOpportunity(deal(id), func(o *hlfake.Opportunity) { o.Status = "won" }))
		},
		"workflow-milestone-to-calendar-event":             func(id string) { workflow(id, "2030-05-20") },
		"approaching-workflow-milestone-to-highlevel-note": func(id string) { workflow(id, b.now().AddDate(0, 0, 1).Format(time.DateOnly)) },
		"rescheduled-meeting-moves-the-task": func(id string) {
			r := asked(id)
			b.must(b.ch.Accept(r.ID))
			b.must(b.ch.Reschedule(r.ID, may(20, 14), may(20, 15)))
		},
		"scheduled-meeting-to-highlevel-note": func(id string) { books(id) },
		"moved-scheduled-meeting-to-highlevel-note": func(id string) {
			b.must(b.ch.Reschedule(books(id).ID, may(21, 14), may(21, 15)))
		},
		"cancelled-scheduled-meeting-to-highlevel-note": func(id string) { b.must(b.ch.Cancel(books(id).ID)) },
		"booked-meeting-to-highlevel-note":              func(id string) { b.must(b.ch.Accept(asked(id).ID)) },
		"cancelled-meeting-to-highlevel-note":           func(id string) { b.must(b.ch.Cancel(asked(id).ID)) },
		"expired-meeting-to-highlevel-note": func(id string) {
			asked(id)
			b.pass(6 * 24 * time.Hour)
			b.ch.Settle()
		},
		"completed-meeting-completes-the-task": func(id string) {
			b.must(b.ch.Accept(asked(id).ID))
			b.settle()
			b.pass(6 * 24 * time.Hour)
			b.ch.Settle()
		},
		"new-calendarhero-contact-to-highlevel-contact": func(id string) {
			start := b.now().Truncate(time.Hour).Add(50 * time.Hour)
			_, err := b.ch.BookByLink(chfake.Contact{Name: "Neil New", Email: []string{"neil@example.com"}}, "Chat", start, start.Add(30*time.Minute))
			b.must(err)
			b.toldOfNewContact(t)
		},
	}
	names := map[string]string{}
	for _, r := range mapping.RecipeBook() { // the last ones let days pass
		names[r.ID] = r.Name
		play, ok := plays[r.ID]
		if !ok {
			t.Errorf("%s is not played", r.ID)
			continue
		}
		play(r.ID)
		b.catchUp(t)
		if made := b.madeBy(t, r.Name); made[contacts[r.ID]] == 0 {
			t.Errorf("%s made nothing of its contact %q: %v", r.ID, contacts[r.ID], made)
		}
	}
}

// catchUp has Milepost take all that is told, and look at CalendarHero.
func (b *bundle) catchUp(t *testing.T) {
	t.Helper()
	b.heard = b.take(b.heard)
	b.settleAll(t)
	accounts, err := b.connections.Accounts(t.Context())
	b.must(err)
	for _, a := range accounts {
		_, err := b.reconciler.PollMeetings(t.Context(), a)
		b.must(err)
	}
	b.settleAll(t)
}

// madeBy counts by contact what an automation made.
func (b *bundle) madeBy(t *testing.T, automation string) map[string]int {
	t.Helper()
	rows, err := b.store.Query(t.Context(), `SELECT CASE WHEN e.kind = 'contact' THEN e.id WHEN e.kind = 'calendarhero_contact' THEN '' ELSE e.contact_id END
		FROM links l JOIN entities e ON e.location_id = l.location_id AND e.kind = l.kind AND e.id = l.entity_id
		WHERE l.automation = $1 AND l.state = 'live'`, automation)
	b.must(err)
	defer rows.Close()
	made := map[string]int{}
	for rows.Next() {
		var id string
		b.must(rows.Scan(&id))
		made[id]++
	}
	return made
}

// toldByWorkflow has Milepost take the webhook of a workflow.
func (b *bundle) toldByWorkflow(body []byte) {
	b.t.Helper()
	event, err := highlevel.ParseWorkflowEvent(body)
	b.must(err)
	b.deliveries++
	b.dispatch(store.Delivery{
		ID: b.deliveries, Type: "workflow", ContactID: event.ContactID, ReceivedAt: b.now(), Body: body,
		Entity: store.Entity{LocationID: location, Kind: store.KindWorkflow, ID: event.ContactID + "/" + event.WorkflowID},
	})
}

// toldOfNewContact has Milepost take CalendarHero's webhook of the contact that is new.
func (b *bundle) toldOfNewContact(t *testing.T) {
	t.Helper()
	for _, c := range b.ch.Contacts() {
		if c.Name == "Neil New" {
			b.deliveries++
			b.dispatch(store.Delivery{
				ID: b.deliveries, Type: "calendarhero.new_contact_added", ReceivedAt: b.now(), Body: []byte(fmt.Sprintf(`{"id":%q,"name":"Neil New","email":["neil@example.com"]}`, c.ID)),
				Entity: store.Entity{LocationID: location, Kind: store.KindCalendarContact, ID: c.ID},
			})
		}
	}
}
