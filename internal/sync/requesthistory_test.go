package sync

import (
	"fmt"
	"slices"

	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
)

// The histories have an automation whose request must not run twice: it creates a
// business in HighLevel for each city that a contact moves to.
const requestAutomations = `
- id: business
  name: Business
  on: contact.changed
  if: not empty(contact.city)
  do:
    - request:
        operation: highlevel.create_business
        fields: { name: "{{ contact.city }} of {{ contact.id }}" }
`

// moves are what a history knows of the cities of contacts: none is lived in twice.
type moves struct {
	made     int
	restores map[string]int // by business: how often the database was restored before the move
}

// restores counts how often the database was restored or lost. What it does not know
// that it sent, Milepost sends again.
func (h *history) restores() int {
	return h.tally.survived["an empty database"] + h.tally.survived["an older copy of the database"]
}

func businessOf(city, contact string) string { return fmt.Sprintf("%s of %s", city, contact) }

// movesHouse gives a contact another city.
func (h *history) movesHouse(contact string) {
	h.moves.made++
	city := fmt.Sprint("City ", h.moves.made)
	h.tell("  to %s", city)
	h.must(h.hl.UpdateContact(contact, func(c *hlfake.Contact) { c.City = city }))
	if h.moves.restores == nil {
		h.moves.restores = map[string]int{}
	}
	h.moves.restores[businessOf(city, contact)] = h.restores()
}

// businesses counts those that exist, by name.
func (h *history) businesses() map[string]int {
	all := map[string]int{}
	for _, b := range h.hl.Businesses(location) {
		all[b.Fields["name"]]++
	}
	return all
}

// settleCalls has a person settle the requests whose effect is not known: the person
// looks in HighLevel. It reports whether there was one.
func (h *history) settleCalls() (was bool) {
	h.t.Helper()
	list, err := h.store.OpenCalls(h.t.Context(), h.cfg.Now())
	h.must(err)
	there := h.businesses()
	for _, q := range list {
		if q.State != store.CallUnclear {
			continue
		}
		was = true
		c, _ := h.hl.Contact(q.Entity.ID)
		again := there[businessOf(c.City, c.ID)] == 0
		_, superseded, ok, err := h.store.SettleCall(h.t.Context(), q.ID, again, h.cfg.Now())
		h.must(err)
		h.tally.survived["requests settled"]++
		h.tell("a person settles request %d of %s, again: %v, superseded: %v", q.ID, h.name(q.Entity), again, superseded)
		if !ok {
			h.fail("request %d could not be settled", q.ID)
		}
	}
	return was
}

// auditCalls tells what is wrong with the requests at a quiet point: each was sent once
// for each change of its fields.
func (h *history) auditCalls() (wrong []string) {
	there := h.businesses()
	for name, n := range there {
		if most := 1 + h.restores() - h.moves.restores[name]; n > most {
			wrong = append(wrong, fmt.Sprintf("the request that makes %q was sent %d times", name, n))
		}
	}
	lied := slices.ContainsFunc(h.lying, func(l lying) bool { return l.pattern == "*" && l.body == "{}" && l.armed.Hits() > 0 })
	for _, id := range h.people {
		if c, ok := h.hl.Contact(id); ok && c.City != "" && there[businessOf(c.City, id)] == 0 && !lied { // a lie said that it was made
			wrong = append(wrong, fmt.Sprintf("the request that makes %q was never sent", businessOf(c.City, id)))
		}
	}
	return wrong
}
