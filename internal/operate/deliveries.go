package operate

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"milepost/internal/order"
	"milepost/internal/store"
)

// Query says which deliveries are asked for. A zero field asks for all. Of Text,
// ContactID and RecordID, the first that is set counts.
type Query struct {
	Outcomes   []string
	Type       string
	LocationID string
	ContactID  string // deliveries about this contact and its records; needs a LocationID
	RecordID   string // deliveries about records with this id, or about the records of the contact with it
	Text       string // the id of a delivery, webhook or record, or a contact's name, e-mail address or telephone number
	Automation string // the id of one that made something for the record, or failed to
	Replayed   bool   // only those that were replayed
	Since      time.Time
	Until      time.Time
	Before     int64 // only those with a smaller id
	Limit      int
}

// Names of groups of outcomes.
const (
	Open   = "open"   // deliveries that are not synced yet
	Failed = "failed" // deliveries that somebody has to look at
	Manual = "manual" // of these, those that go on only if a person does something
)

// manualOutcomes are those of Manual.
var manualOutcomes = []string{store.Auth, store.Invalid, store.Unclear, store.Stopped}

// Outcomes are the outcomes that a name stands for: that of a group, or its own. ok is
// false if it stands for none.
func Outcomes(name string) (list []string, ok bool) {
	switch {
	case name == Open:
		return store.OpenOutcomes, true
	case name == Failed:
		return store.FailedOutcomes, true
	case name == Manual:
		return manualOutcomes, true
	case slices.Contains(store.AllOutcomes, name):
		return []string{name}, true
	}
	return nil, false
}

// Deliveries are some deliveries, newest first.
type Deliveries struct {
	List []store.Delivery
	// Next is the Before of the query for older ones; 0 = there are none. The list may
	// be empty all the same: a search looks at some deliveries at a time.
	Next int64
	// About are the contacts that the text of the query found, whose deliveries these
	// are; More reports that it found others too.
	About []store.Contact
	More  bool
	// NoSuch reports that nothing is known by the text of the query.
	NoSuch bool
}

// mostContacts bounds of how many contacts that a text finds the deliveries are listed.
const mostContacts = 10

// Deliveries lists deliveries.
func (d *Desk) Deliveries(ctx context.Context, q Query) (out Deliveries, err error) {
	f := store.DeliveryFilter{
		Outcomes: q.Outcomes, Type: q.Type, LocationID: q.LocationID, Replayed: q.Replayed, Since: q.Since, Until: q.Until, Before: q.Before, Limit: q.Limit,
	}
	if q.Automation != "" {
		f.Automation, f.AutomationName = q.Automation, d.automationName(ctx, q.Automation)
	}
	text := strings.TrimSpace(q.Text)
	switch {
	case text != "":
		one, err := d.find(ctx, text, q.LocationID, &f, &out)
		if one != nil {
			out.List = []store.Delivery{*one}
		}
		if one != nil || err != nil {
			return out, err
		}
	case q.ContactID != "":
		if f.About, err = d.about(ctx, q.LocationID, q.ContactID); err != nil {
			return out, err
		}
	case q.RecordID != "":
		f.About = byID(q.RecordID)
	}
	out.List, out.Next, err = d.Store.FindDeliveries(ctx, f)
	out.NoSuch = text != "" && len(out.About) == 0 && len(out.List) == 0 && out.Next == 0 && q.Before == 0
	return out, err
}

// automationName is what the automation of an id is called; the id if it is not known.
func (d *Desk) automationName(ctx context.Context, id string) string {
	if d.Automations != nil {
		if e, err := d.Automations.Show(ctx, id); err == nil {
			return cmp.Or(e.Name, id)
		}
	}
	return id
}

// byID are the deliveries about a record, or a contact, with an id.
func byID(id string) []store.Subject {
	return []store.Subject{{Record: store.Entity{ID: id}}, {ContactID: id}}
}

// find looks for what a text names: one delivery, or what the deliveries are about.
func (d *Desk) find(ctx context.Context, text, locationID string, f *store.DeliveryFilter, out *Deliveries) (one *store.Delivery, err error) {
	ids := []int64{}
	if id, err := strconv.ParseInt(strings.TrimPrefix(text, "#"), 10, 64); err == nil && (strings.HasPrefix(text, "#") || len(text) < 7) {
		ids = append(ids, id)
	}
	if d.Bodies != nil {
		id, ok, err := d.Bodies.Find(ctx, text)
		if err != nil {
			return nil, err
		}
		if ok {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		delivery, ok, err := d.Store.Delivery(ctx, id)
		if err != nil || ok {
			return &delivery, err
		}
	}
	contacts, more, err := d.Store.SearchContacts(ctx, store.SearchTerms(text), mostContacts)
	if err != nil {
		return nil, err
	}
	out.More = more
	for _, c := range contacts {
		if locationID != "" && c.LocationID != locationID {
			continue
		}
		of, err := d.about(ctx, c.LocationID, c.ID)
		if err != nil {
			return nil, err
		}
		out.About = append(out.About, c)
		f.About = append(f.About, of...)
	}
	if len(out.About) == 0 {
		f.About = byID(text)
	}
	return nil, nil
}

// about is what the deliveries about a contact and its records are found by.
func (d *Desk) about(ctx context.Context, locationID, contactID string) ([]store.Subject, error) {
	states, err := d.Store.RecordsOf(ctx, locationID, contactID)
	list := []store.Subject{
		{Record: store.Entity{LocationID: locationID, Kind: "contact", ID: contactID}},
		{ContactID: contactID, Record: store.Entity{LocationID: locationID}},
	}
	for _, s := range states {
		if s.Kind != "contact" {
			list = append(list, store.Subject{Record: s.Entity})
		}
	}
	return list, err
}

// NewestDeliveries lists the newest deliveries that match, however many pages that
// takes.
func (d *Desk) NewestDeliveries(ctx context.Context, q Query) (list []store.Delivery, err error) {
	const most = 500
	for limit := q.Limit; len(list) < limit; {
		q.Limit = min(most, limit-len(list))
		page, err := d.Deliveries(ctx, q)
		if err != nil {
			return nil, err
		}
		list = append(list, page.List...)
		if q.Before = page.Next; q.Before == 0 {
			break
		}
	}
	return list, nil
}

// Delivery is all that is known of one.
type Delivery struct {
	store.Delivery
	Contact  *store.Contact // whose record it is about; nil = not known
	State    store.EntityState
	Body     string // as it came, indented if it is JSON; "" if it is not there
	BodyGone string // why there is no body
	Cut      bool   // the body is longer
	Together int64  // other deliveries that the same sync settled
	Waits    []store.Wait
	Timeline []store.TimelineEntry // what its sync did, oldest first
	Links    []store.Link          // what exists, or existed, for the record

	Considered     []Considered // what the automations made of the record
	MoreConsidered int          // automations beside these, for which there was no room

	// Made are the calls of its sync and of the last tries that failed or waited, in their
	// order, and who was mailed.
	Made store.SyncCalls
}

// Replayable reports whether a delivery is about a record that can be synced again.
func (d Delivery) Replayable() bool {
	return d.Entity.Kind != "" && d.Entity.ID != "" && d.Entity.LocationID != ""
}

// AskedSince reports whether the record was synced, or asked for, after the delivery
// was settled.
func (d Delivery) AskedSince() bool {
	return !d.FinishedAt.IsZero() && (d.State.SyncedAt.After(d.FinishedAt) || d.State.Wanted > d.State.Done)
}

// longestBody bounds what is shown of a body.
const longestBody = 64 << 10

// Delivery reads one; ok is false if it is not known, or not any more.
func (d *Desk) Delivery(ctx context.Context, id int64) (out Delivery, ok bool, err error) {
	if out.Delivery, ok, err = d.Store.Delivery(ctx, id); err != nil || !ok {
		return out, false, err
	}
	e := out.Entity
	if out.State, err = d.Store.EntityState(ctx, e); err != nil {
		return out, false, err
	}
	contactID := cmp.Or(out.State.ContactID, out.ContactID)
	if e.Kind == "contact" {
		contactID = e.ID
	}
	out.ContactID = contactID
	if contactID != "" {
		contact, known, err := d.Store.ContactOf(ctx, e.LocationID, contactID)
		if err != nil {
			return out, false, err
		}
		if known {
			out.Contact = &contact
		}
	}
	if err := d.readBody(ctx, &out); err != nil {
		return out, false, err
	}
	if e.Kind == "" || out.Wanted == 0 {
		return out, true, nil
	}
	return out, true, errors.Join(d.readFate(ctx, &out))
}

// readFate reads what became of a delivery.
func (d *Desk) readFate(ctx context.Context, out *Delivery) (err error) {
	e := out.Entity
	if out.Waits, err = d.Store.Waits(ctx, e, out.Wanted); err != nil {
		return err
	}
	links, err := d.Store.Links(ctx, e)
	if err != nil {
		return err
	}
	for _, l := range links {
		out.Links = append(out.Links, l)
	}
	order.By(out.Links, func(a, b store.Link) int { return cmp.Compare(a.Item, b.Item) })
	if !out.FinishedAt.IsZero() {
		out.Waits = slices.DeleteFunc(out.Waits, func(w store.Wait) bool { return w.Began.After(out.FinishedAt) })
	}
	for _, w := range out.Waits {
		out.add(w.Made)
	}
	if out.FinishedAt.IsZero() {
		return nil
	}
	if err := d.readConsidered(ctx, out); err != nil {
		return err
	}
	if out.Together, err = d.Store.SettledWith(ctx, out.Delivery); err != nil {
		return err
	}
	if out.ContactID == "" {
		return nil
	}
	out.Timeline, err = d.Store.TimelineBetween(ctx, e, out.ContactID, out.ReceivedAt, out.FinishedAt.Add(time.Second))
	return err
}

// add adds the calls of a try.
func (d *Delivery) add(made store.SyncCalls) {
	d.Made.Calls, d.Made.Mailed, d.Made.More = append(d.Made.Calls, made.Calls...), append(d.Made.Mailed, made.Mailed...), d.Made.More+made.More
	slices.SortStableFunc(d.Made.Calls, func(a, b store.SyncCall) int { return a.Began.Compare(b.Began) })
}

func (d *Desk) readBody(ctx context.Context, out *Delivery) error {
	if d.Bodies == nil {
		out.BodyGone = "This process does not hold the webhooks."
		return nil
	}
	body, ok, err := d.Bodies.Body(ctx, out.ID)
	switch {
	case err != nil:
		return err
	case !ok:
		out.BodyGone = "Milepost keeps the bodies of webhooks for 35 days. This one is older."
	case len(body) == 0:
		out.BodyGone = "The body was erased together with the contact."
	default:
		out.Body, out.Cut = readable(body)
	}
	return nil
}

// readable is a body for people. Numbers stay as they are written.
func readable(body []byte) (text string, cut bool) {
	var b bytes.Buffer
	if json.Indent(&b, body, "", "  ") != nil {
		b.Reset()
		b.Write(body)
	}
	text = strings.ToValidUTF8(b.String(), "�")
	if len(text) <= longestBody {
		return text, false
	}
	text = text[:longestBody]
	for !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text, true
}

// ErrNoReplay means that a delivery is about nothing that could be synced again.
var ErrNoReplay = errors.New("this delivery is about no record that Milepost syncs")

// ReplayPreview says what replaying a delivery would change, a line each, and
// changes nothing. It reads the record from HighLevel.
func (d *Desk) ReplayPreview(ctx context.Context, id int64) ([]string, error) {
	delivery, err := d.replayable(ctx, id)
	if err != nil {
		return nil, err
	}
	if d.Preview == nil {
		return nil, errors.New("this process cannot read from HighLevel")
	}
	if delivery.Entity.Kind == store.KindInstall || delivery.Entity.Kind == store.KindCalendarContact {
		return nil, fmt.Errorf("%w: there is no dry run for it", errors.ErrUnsupported)
	}
	state, err := d.Store.EntityState(ctx, delivery.Entity)
	if err != nil {
		return nil, err
	}
	return d.Preview.Changes(ctx, delivery.Entity, state.ContactID)
}

// Replay has the record of a delivery synced again, as it is now.
func (d *Desk) Replay(ctx context.Context, who string, id int64) error {
	delivery, err := d.replayable(ctx, id)
	if err != nil {
		return err
	}
	if err := d.Store.SyncRecordNow(ctx, delivery.Entity); err != nil {
		return err
	}
	return d.note(ctx, who, "replayed", fmt.Sprintf("delivery %d", id))
}

// ErrUnknown means that nothing is known by an id.
var ErrUnknown = errors.New("Milepost does not know it, or not any more")

func (d *Desk) replayable(ctx context.Context, id int64) (store.Delivery, error) {
	delivery, ok, err := d.Store.Delivery(ctx, id)
	switch {
	case err != nil:
		return delivery, err
	case !ok:
		return delivery, fmt.Errorf("delivery %d: %w", id, ErrUnknown)
	case delivery.Wanted == 0: // nothing asked for a sync; an automation may ask for it now
		if delivery.Entity.Kind == "" || delivery.Entity.ID == "" || delivery.Entity.LocationID == "" {
			return delivery, ErrNoReplay
		}
	}
	return delivery, nil
}
