package automation

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"milepost/internal/store"
	"milepost/mapping"
)

// Explanation says what became of a webhook or record, and why, for an operator.
type Explanation struct {
	Delivery   *Delivered         `json:"delivery,omitempty"` // nil if a record was asked about
	Location   string             `json:"location"`
	Kind       string             `json:"kind"`
	ID         string             `json:"id"`
	Contact    string             `json:"contact,omitempty"`
	Outcome    string             `json:"outcome"`
	Detail     string             `json:"detail"`
	SyncedAt   time.Time          `json:"synced_at,omitzero"`
	NextTry    time.Time          `json:"next_try,omitzero"`
	What       string             `json:"what"` // in a sentence
	Considered []store.Considered `json:"automations"`
	More       int                `json:"more,omitempty"` // automations beside those
	Why        []string           `json:"why"`            // a sentence of each
	Next       []string           `json:"next"`           // what to do
}

// Delivered is a webhook.
type Delivered struct {
	ID   int64     `json:"id"`
	Type string    `json:"type"`
	At   time.Time `json:"at"`
}

// Explain explains a delivery, by its number, or the last sync of a record, by its id.
// location may be "".
func (l *Library) Explain(ctx context.Context, what, location string) (*Explanation, error) {
	if id, err := strconv.ParseInt(what, 10, 64); err == nil && id > 0 {
		d, ok, err := l.store.Delivery(ctx, id)
		if err != nil {
			return nil, err
		}
		if ok {
			return l.ExplainDelivery(ctx, d)
		}
	}
	states, err := l.records(ctx, what, location)
	if err != nil {
		return nil, err
	}
	switch {
	case len(states) == 0:
		return nil, fmt.Errorf("no delivery has the number %q, and Milepost knows no record with this id; `milepost deliveries` lists the webhooks", what)
	case len(states) > 1 && states[0].LocationID != states[1].LocationID:
		return nil, fmt.Errorf("%d records have the id %s; give --location", len(states), what)
	}
	s := states[0]
	x := &Explanation{
		Location: s.LocationID, Kind: s.Kind, ID: s.ID, Contact: s.ContactID, Outcome: s.Outcome, Detail: s.Detail, SyncedAt: s.SyncedAt, NextTry: s.NextTry,
	}
	if s.Outcome == "" || s.Wanted > s.Done && s.Outcome != store.Waiting && s.Outcome != store.Retry && s.Outcome != store.Auth {
		x.Outcome = store.Pending
	}
	return x, l.explain(ctx, x, 0)
}

// records lists the records with an id, or those that a meeting was made for.
func (l *Library) records(ctx context.Context, id, location string) ([]store.EntityState, error) {
	states, err := l.store.EntitiesNamed(ctx, id)
	if err != nil {
		return nil, err
	}
	states = slices.DeleteFunc(states, func(s store.EntityState) bool { return location != "" && s.LocationID != location })
	if len(states) > 0 {
		return states, nil
	}
	owners, err := l.store.EntitiesWithObject(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, e := range owners {
		s, err := l.store.EntityState(ctx, e)
		if err != nil {
			return nil, err
		}
		states = append(states, s)
	}
	return states, nil
}

// ExplainDelivery explains a delivery.
func (l *Library) ExplainDelivery(ctx context.Context, d store.Delivery) (*Explanation, error) {
	x := &Explanation{
		Delivery: &Delivered{d.ID, d.Type, d.ReceivedAt}, Location: d.Entity.LocationID, Kind: d.Entity.Kind, ID: d.Entity.ID, Contact: d.ContactID,
		Outcome: d.Outcome, Detail: d.Detail, SyncedAt: d.FinishedAt,
	}
	state, err := l.store.EntityState(ctx, d.Entity)
	if err != nil {
		return nil, err
	}
	x.Contact = firstOf(state.ContactID, x.Contact)
	if d.FinishedAt.IsZero() {
		x.NextTry = state.NextTry
	}
	if d.Wanted == 0 { // it asked for no sync
		x.what()
		x.next()
		return x, nil
	}
	return x, l.explain(ctx, x, d.Wanted)
}

// explain adds what the automations made of the record.
func (l *Library) explain(ctx context.Context, x *Explanation, wanted int64) error {
	sync, ok, err := l.store.SyncOf(ctx, store.Entity{LocationID: x.Location, Kind: x.Kind, ID: x.ID}, wanted)
	if err != nil {
		return err
	}
	if ok {
		x.Considered, x.More = sync.Considered, sync.More
	}
	x.what()
	for _, c := range x.Considered {
		x.Why = append(x.Why, because(c))
	}
	if x.More > 0 {
		x.Why = append(x.Why, fmt.Sprintf("%d more automations were considered; there was no room to keep why.", x.More))
	}
	x.next()
	return nil
}

// because says in a sentence what an automation made of the record.
func because(c store.Considered) string {
	name := c.Automation
	if c.Version > 0 {
		name += fmt.Sprintf(" (version %d)", c.Version)
	}
	if c.Meeting != "" {
		name += " for meeting " + c.Meeting
	}
	switch {
	case c.Left:
		return name + ": " + c.Reason + "."
	case c.Wants > 0 && c.Reason != "":
		return fmt.Sprintf("%s applied and asked for %d items; for another one, %s.", name, c.Wants, c.Reason)
	case c.Wants == 1:
		return name + " applied and asked for 1 item."
	case c.Wants > 1:
		return fmt.Sprintf("%s applied and asked for %d items.", name, c.Wants)
	case c.Condition != "" && c.Saw != "":
		return fmt.Sprintf("%s did not apply: the condition `%s` was not met, because %s.", name, c.Condition, c.Saw)
	case c.Saw != "":
		return fmt.Sprintf("%s did not apply: %s, because %s.", name, c.Reason, c.Saw)
	}
	return name + " did not apply: " + firstOf(c.Reason, "it asks for nothing") + "."
}

// what says in a sentence what the outcome means.
func (x *Explanation) what() {
	x.What = map[string]string{
		store.Pending:   "It waits for its turn.",
		store.Done:      "Milepost wrote what had changed.",
		store.Unchanged: "Milepost had nothing to write now.",
		store.Skipped:   "No automation asked for anything, so Milepost did nothing.",
		store.Waiting:   "Milepost waits, and tries again by itself.",
		store.Retry:     "A call failed, and Milepost retries by itself.",
		store.Auth:      "A token was rejected. Milepost retries until it works.",
		store.Invalid:   "Something cannot be done as it is. Milepost tries again when the record changes.",
		store.Gone:      "The record is deleted, and what was made for it is removed.",
		store.Unclear:   "The answer to a request was lost, so it is not known whether it took effect, and Milepost does not send it again.",
		store.Stopped:   "An automation sent too many requests within an hour for this contact, so Milepost stopped it here.",
		store.Conflict:  "HighLevel and CalendarHero had both changed, and one side stood.",
	}[x.Outcome]
	if x.What == "" {
		x.What = "The outcome is " + x.Outcome + "."
	}
}

// next says what a person can do.
func (x *Explanation) next() {
	add := func(format string, args ...any) { x.Next = append(x.Next, fmt.Sprintf(format, args...)) }
	switch x.Outcome {
	case store.Pending, store.Waiting, store.Retry:
		if x.NextTry.IsZero() {
			add("Nothing, if `milepost serve` runs.")
		} else {
			add("Nothing, if `milepost serve` runs: the next try is at %s.", x.NextTry.UTC().Format(time.RFC3339))
		}
	case store.Auth:
		add("Run `milepost check`: it says which token is rejected and what to do.")
	case store.Unclear:
		add("Look at the vendor whether the request took effect. `milepost requests` lists it, and `milepost requests settle ID --sent` or `--again` settles it.")
	case store.Stopped:
		add("Change the automation, because probably two answer each other. Then run `milepost requests`, and `milepost requests release ID`. Otherwise it goes on within an hour.")
	case store.Invalid:
		add("Correct what the detail names, in the record or in the automation. Then change the record, or run `milepost automations apply ID`.")
	}
	missed, left := "", ""
	for _, c := range x.Considered {
		switch {
		case c.Left && left == "":
			left = c.Automation
		case !c.Left && c.Wants == 0 && missed == "":
			missed = c.Automation
		}
	}
	if missed != "" && x.Outcome != store.Done {
		add("If %s should have applied, change the record in HighLevel, or its condition (`milepost automations show %s`).", missed, missed)
		if flag := flagOf(x.Kind); flag != "" {
			add("To try it without sending anything: milepost automations test %s --location %s %s %s", missed, x.Location, flag, x.ID)
		}
	}
	if left != "" {
		add("To have %s follow again: milepost automations enable %s. To remove what it made, switch it off and apply that: milepost automations apply %s", left, left, left)
	}
	if x.Outcome == store.Skipped && len(x.Considered) == 0 {
		add("`milepost automations list` shows which automations are on and what they look at; `milepost recipes list` shows ready-made ones.")
	}
	if len(x.Next) == 0 {
		add("Nothing.")
	}
}

func flagOf(kind string) string {
	switch mapping.Kind(kind) {
	case mapping.KindContact, mapping.KindTask, mapping.KindNote, mapping.KindAppointment, mapping.KindOpportunity, mapping.KindMeeting:
		return "--" + kind
	case mapping.KindWorkflow:
		return "--contact"
	}
	return ""
}
