package sync

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"milepost/clients/highlevel"
	"milepost/internal/meeting"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/mapping"
)

// The histories have automations of other triggers too. Each leaves a note in
// HighLevel, so what is right is what the notes should say.
const dealAutomations = `
- id: created
  name: Created
  on: contact.created
  do: [highlevel_note: { text: "Created {{ contact.last_name }}" }]
- id: near
  name: Near
  on: milestone.approaching
  before: 2d
  milestone: { name: contact.milestone, date: contact.milestone_date }
  if: not empty(milestone.name)
  do: [highlevel_note: { text: "Near: {{ milestone.name }} on {{ milestone.date }}" }]
- id: visit
  name: Visit
  on: appointment.changed
  do: [highlevel_note: { text: "{{ appointment.title }} at {{ appointment.start }}, {{ appointment.status }}" }]
- id: stage
  name: Stage
  on: opportunity.stage_changed
  do: [highlevel_note: { text: "{{ opportunity.name }} is in {{ opportunity.stage }}" }]
- id: lost-deal
  name: Lost deal
  on: opportunity.deleted
  do: [highlevel_note: { text: "{{ opportunity.name }} was deleted" }]
`

// deals are what a history knows of appointments and opportunities.
type deals struct {
	made   int
	came   []string          // contacts
	visits map[string]string // contact by id
	deals  map[string]*deal
}

type deal struct {
	contact, name string
	at            string // its stage at the last quiet point; "" = it was not there
	noted         bool   // its stage changed since it is known
	deleted       bool
}

var dealStages = []hlfake.Stage{{ID: "stage-new", Name: "New"}, {ID: "stage-sent", Name: "Sent"}, {ID: "stage-signed", Name: "Signed"}}

// dealEdits are the edits of a contact's appointments and opportunities that are
// possible.
func (h *history) dealEdits(contactID string) []string {
	options := []string{"new visit", "new deal", "new deal"}
	for _, of := range h.deals.visits {
		if of == contactID {
			options = append(options, "move visit", "delete visit")
			break
		}
	}
	for _, d := range h.deals.deals {
		if d.contact == contactID && !d.deleted {
			options = append(options, "move deal", "move deal", "move deal", "move deal", "delete deal")
			break
		}
	}
	return options
}

// dealEdit does one of them; false if it is none.
func (h *history) dealEdit(what, contactID string) bool {
	visits, open := []string{}, []string{}
	for id, of := range h.deals.visits {
		if of == contactID {
			visits = append(visits, id)
		}
	}
	for id, d := range h.deals.deals {
		if d.contact == contactID && !d.deleted {
			open = append(open, id)
		}
	}
	slices.Sort(visits)
	slices.Sort(open)
	h.deals.made++
	switch what {
	case "new visit":
		a, err := h.hl.CreateAppointment(hlfake.Appointment{ContactID: contactID, CalendarID: "cal", Title: fmt.Sprint("Visit ", h.deals.made), Start: h.dueDate()})
		h.must(err)
		h.deals.visits[a.ID] = contactID
	case "move visit":
		start := h.dueDate()
		h.must(h.hl.UpdateAppointment(choose(h, visits...), func(a *hlfake.Appointment) { a.Start, a.End = start, start.Add(time.Hour) }))
	case "delete visit":
		id := choose(h, visits...)
		h.must(h.hl.DeleteAppointment(id))
		delete(h.deals.visits, id)
	case "new deal":
		name := fmt.Sprint("Deal ", h.deals.made)
		o, err := h.hl.CreateOpportunity(hlfake.Opportunity{ContactID: contactID, PipelineID: salesPipeline, Name: name})
		h.must(err)
		h.deals.deals[o.ID] = &deal{contact: contactID, name: name}
	case "move deal":
		stage := choose(h, dealStages...).ID
		h.must(h.hl.UpdateOpportunity(choose(h, open...), func(o *hlfake.Opportunity) { o.StageID = stage }))
	case "delete deal":
		id := choose(h, open...)
		h.must(h.hl.DeleteOpportunity(id))
		h.deals.deals[id].deleted = true
	default:
		return false
	}
	return true
}

// keys are the items that Milepost may write notes for.
func (d *deals) keys(h *history, known map[itemID]bool) {
	for _, id := range d.came {
		known[itemID{"contact", id, "created/1"}] = true
		for day := h.began.AddDate(0, 0, -30); day.Before(h.now().AddDate(0, 0, 60)); day = day.AddDate(0, 0, 1) {
			known[itemID{"contact", id, "near/1#" + day.Format(time.DateOnly)}] = true
		}
	}
	for _, s := range h.hl.Sent() {
		for kind, items := range map[string][]string{"appointment": {"visit/1"}, "opportunity": {"stage/1", "lost-deal/1"}} {
			if event, err := highlevel.ParseEvent(s.Body); err == nil && event.Kind == kind {
				for _, item := range items {
					known[itemID{kind, event.EntityID, item}] = true
				}
			}
		}
	}
}

// audit tells what is wrong with the notes at a quiet point.
func (d *deals) audit(h *history) (wrong []string) {
	if h.expected.forgotten {
		return nil // what happened before is forgotten, and no news
	}
	want := func(kind, entity, item, contact, text string, exactly bool) {
		if _, there := h.hl.Contact(contact); !there {
			return
		}
		for generation := int64(1); generation < 20; generation++ {
			if h.expected.touched[meeting.Marker(store.Entity{LocationID: location, Kind: kind, ID: entity}, item, generation)] {
				return
			}
		}
		n := 0
		for _, note := range h.hl.Notes(contact) {
			if ours(note.Body) && strings.HasPrefix(note.Body, text+"\n") {
				n++
			}
		}
		if n > 1 || exactly && n == 0 {
			wrong = append(wrong, fmt.Sprintf("%d notes say %q, of %s %s", n, text, kind, entity))
		}
	}
	for _, id := range h.people {
		if id == "" {
			continue
		}
		c, _ := h.hl.Contact(id)
		want("contact", id, "created/1", id, fmt.Sprint("Created ", c.LastName), true)
		fields := h.hl.CustomFields(location)
		name, _ := c.CustomFields[fields[0].ID].(string)
		date, _ := c.CustomFields[fields[1].ID].(string)
		day, err := time.ParseInLocation(time.DateOnly, date, h.expected.zone)
		if err == nil && name != "" && !h.now().Before(mapping.Before(day, 48*time.Hour, h.expected.zone)) && h.now().Before(day.AddDate(0, 0, 1)) {
			want("contact", id, "near/1#"+date, id, fmt.Sprintf("Near: %s on %s", name, date), true)
		}
	}
	for id, contact := range d.visits {
		a, _ := h.hl.Appointment(id)
		want("appointment", id, "visit/1", contact, fmt.Sprintf("%s at %s, %s", a.Title, a.Start.In(h.expected.zone).Format("2006-01-02 15:04"), a.Status), true)
	}
	for id, one := range d.deals {
		if one.deleted {
			want("opportunity", id, "lost-deal/1", one.contact, one.name+" was deleted", one.at != "")
			continue
		}
		o, _ := h.hl.Opportunity(id)
		one.noted = one.noted || one.at != "" && one.at != o.StageID // else it went and came back, perhaps unseen
		for _, stage := range dealStages {
			if stage.ID == o.StageID {
				want("opportunity", id, "stage/1", one.contact, one.name+" is in "+stage.Name, one.noted)
			}
		}
		one.at = o.StageID
	}
	return wrong
}

// askDue does what the App does every second.
func (h *history) askDue() {
	h.t.Helper()
	for {
		n, err := h.store.AskDue(h.t.Context(), h.cfg.Now())
		h.must(err)
		if n == 0 {
			return
		}
	}
}
