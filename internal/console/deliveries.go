package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"milepost/clients"
	"milepost/internal/operate"
	"milepost/internal/store"
	"milepost/mapping"
)

// option is one of a select.
type option struct {
	Value, Name string
	Selected    bool
}

type deliveriesData struct {
	Q, From, To  string
	Location     string // typed, where there are too many to choose from
	Filter       string // the query of the address, without its page
	Views        []jobGroup
	Automations  []option
	Outcomes     []option
	Types        []option
	Locations    []option
	Within       []option
	Since, Until time.Time
	Exact        bool // since or until is a moment of a link
	Contact      *store.Contact
	ContactOff   string // the same page without the contact
	Hidden       url.Values
	Rows         []deliveryRow
	About        []store.Contact
	More, NoSuch bool
	Filtered     bool
	First        bool
	Newest       int64 // id of the first row of the first page
	NewestURL    string
	OlderURL     string
	Reached      time.Time // how far back an empty page has looked
}

type deliveryRow struct {
	store.Delivery
	Contact store.Contact // zero = not known
}

// mostChoices is how many locations a select offers.
const mostChoices = 200

// within are lengths of time that deliveries are looked for in.
var within = []struct {
	value, name string
	length      time.Duration
}{
	{"1h", "the last hour", time.Hour},
	{"24h", "the last 24 hours", 24 * time.Hour},
	{"7d", "the last 7 days", 7 * 24 * time.Hour},
	{"30d", "the last 30 days", 30 * 24 * time.Hour},
}

// groups of outcomes are what they are called in words, by their name in the address.
var groups = map[string]string{
	operate.Open:   "Waiting: all that is not synced yet",
	operate.Failed: "Needs attention: all that failed",
	operate.Manual: "By hand: goes on only if you do something",
}

// contactOf is a contact with what is known of it, which may be no more than its ids.
func (c *Console) contactOf(ctx context.Context, locationID, id string) (*store.Contact, error) {
	known, ok, err := c.Desk.Store.ContactOf(ctx, locationID, id)
	if !ok {
		known = store.Contact{LocationID: locationID, ID: id}
	}
	return &known, err
}

func (c *Console) deliveriesPage(r *http.Request, v *view) error {
	v.Title, v.Section = "Deliveries", "deliveries"
	in := r.URL.Query()
	q, data := queryOf(in, c.Now())
	q.Before, q.Limit = number(r, "before"), pageSize
	data.Views = views(in)
	if err := c.choices(r.Context(), in, &data); err != nil {
		return err
	}
	found, err := c.Desk.Deliveries(r.Context(), q)
	if err != nil {
		return err
	}
	if data.Rows, err = c.deliveryRows(r.Context(), found.List); err != nil {
		return err
	}
	if q.ContactID != "" {
		if data.Contact, err = c.contactOf(r.Context(), q.LocationID, q.ContactID); err != nil {
			return err
		}
		data.ContactOff = deliveriesURL(in, "contact", "")
	}
	data.About, data.More, data.NoSuch = found.About, found.More, found.NoSuch
	data.First = q.Before == 0
	data.Filtered = data.Q != "" || q.Type != "" || data.Location != "" || len(q.Outcomes) > 0 || q.Automation != "" || q.Replayed || !q.Since.IsZero() || !q.Until.IsZero() || q.ContactID != ""
	data.NewestURL = deliveriesURL(in, "before", "")
	if found.Next > 0 {
		data.OlderURL = deliveriesURL(in, "before", strconv.FormatInt(found.Next, 10))
		if len(data.Rows) == 0 {
			reached, _, err := c.Desk.Store.Delivery(r.Context(), found.Next)
			if err != nil {
				return err
			}
			data.Reached = reached.ReceivedAt
		}
	}
	if data.First {
		newest, err := c.Desk.Store.Deliveries(r.Context(), 0, 1)
		if err != nil {
			return err
		}
		if len(newest) > 0 {
			data.Newest = newest[0].ID
		}
	}
	v.Data = data
	return nil
}

// queryOf reads the filters of an address.
func queryOf(in url.Values, now time.Time) (operate.Query, deliveriesData) {
	data := deliveriesData{Q: in.Get("q"), From: in.Get("from"), To: in.Get("to"), Location: in.Get("location")}
	q := operate.Query{
		Text: data.Q, Type: in.Get("type"), LocationID: data.Location, ContactID: in.Get("contact"), Automation: in.Get("automation"), Replayed: in.Get("replayed") != "",
	}
	q.Outcomes, _ = operate.Outcomes(in.Get("outcome"))
	data.times(&q, in, now)
	if q.Replayed {
		data.Hidden.Set("replayed", "yes")
	}
	if q.ContactID != "" && q.LocationID == "" {
		q.RecordID, q.ContactID = q.ContactID, "" // a hand-written address
	}
	data.Filter = deliveriesFilter(in)
	return q, data
}

// deliveriesFilter is the query of an address without its page.
func deliveriesFilter(in url.Values) string {
	_, query, _ := strings.Cut(deliveriesURL(in, "before", ""), "?")
	return query
}

// views are lists of deliveries that people look at often.
func views(in url.Values) []jobGroup {
	now := deliveriesFilter(in)
	var list []jobGroup
	for _, v := range []struct{ title, query string }{
		{"All", ""}, {"Failed in 24 hours", "outcome=failed&within=24h"}, {"Waiting", "outcome=open"}, {"By hand", "outcome=manual"}, {"Replayed", "replayed=yes"},
	} {
		list = append(list, jobGroup{Title: v.title, Link: strings.TrimSuffix(Path+"deliveries?"+v.query, "?"), Current: now == v.query})
	}
	return list
}

// times reads from when to when deliveries are asked for.
func (data *deliveriesData) times(q *operate.Query, in url.Values, now time.Time) {
	chosen := in.Get("within")
	data.Within = []option{{"", "any time", chosen == ""}}
	for _, w := range within {
		data.Within = append(data.Within, option{w.value, w.name, w.value == chosen})
		if w.value == chosen {
			q.Since = now.Add(-w.length)
		}
	}
	if day, err := time.Parse(time.DateOnly, data.From); err == nil {
		q.Since = day
	} else {
		data.From = ""
	}
	if day, err := time.Parse(time.DateOnly, data.To); err == nil {
		q.Until = day.AddDate(0, 0, 1)
	} else {
		data.To = ""
	}
	data.Hidden = url.Values{}
	for name, at := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		if moment, err := time.Parse(time.RFC3339, in.Get(name)); err == nil {
			*at, data.Exact = moment, true
			data.Hidden.Set(name, in.Get(name))
		}
	}
	if data.Exact {
		data.Since, data.Until = q.Since, q.Until
	}
	if contact := in.Get("contact"); contact != "" {
		data.Hidden.Set("contact", contact)
	}
}

// choices fills in what the filters offer.
func (c *Console) choices(ctx context.Context, in url.Values, data *deliveriesData) error {
	outcome := in.Get("outcome")
	data.Outcomes = []option{{"", "Any", outcome == ""}, {operate.Failed, groups[operate.Failed], outcome == operate.Failed}, {operate.Manual, groups[operate.Manual], outcome == operate.Manual}, {operate.Open, groups[operate.Open], outcome == operate.Open}}
	for _, o := range store.AllOutcomes {
		data.Outcomes = append(data.Outcomes, option{o, operate.OutcomeName(o), o == outcome})
	}
	if err := c.offerAutomations(ctx, in, data); err != nil {
		return err
	}
	types, err := c.Desk.Store.DeliveryTypes(ctx)
	if err != nil {
		return err
	}
	data.Types = []option{{"", "Any", in.Get("type") == ""}}
	for _, t := range types {
		data.Types = append(data.Types, option{t, t, t == in.Get("type")})
	}
	connections, err := c.Desk.Store.Connections(ctx)
	if err != nil || len(connections) > mostChoices {
		return err
	}
	data.Locations = []option{{"", "Any", data.Location == ""}}
	known := data.Location == ""
	for _, l := range connections {
		name := l.Name
		if name == "" {
			name = l.LocationID
		}
		known = known || l.LocationID == data.Location
		data.Locations = append(data.Locations, option{l.LocationID, name, l.LocationID == data.Location})
	}
	if !known {
		data.Locations = append(data.Locations, option{data.Location, data.Location, true})
	}
	return nil
}

// offerAutomations fills in the filter by automation.
func (c *Console) offerAutomations(ctx context.Context, in url.Values, data *deliveriesData) error {
	chosen := in.Get("automation")
	entries, err := c.Desk.Automations.List(ctx)
	if err != nil {
		return err
	}
	data.Automations = []option{{"", "Any", chosen == ""}}
	known := chosen == ""
	for _, e := range entries[:min(len(entries), mostChoices)] {
		known = known || e.ID == chosen
		data.Automations = append(data.Automations, option{e.ID, cmp.Or(e.Name, e.ID), e.ID == chosen})
	}
	if !known {
		data.Automations = append(data.Automations, option{chosen, chosen, true})
	}
	return nil
}

// deliveriesURL is the address of the list with one parameter changed; "" drops it.
func deliveriesURL(in url.Values, name, value string) string {
	out := url.Values{}
	for k, list := range in {
		if len(list) > 0 && list[0] != "" && k != "said" && k != name {
			out.Set(k, list[0])
		}
	}
	if value != "" {
		out.Set(name, value)
	}
	if len(out) == 0 {
		return Path + "deliveries"
	}
	return Path + "deliveries?" + out.Encode()
}

func (c *Console) deliveryRows(ctx context.Context, list []store.Delivery) ([]deliveryRow, error) {
	contacts, err := c.Desk.ContactsOf(ctx, list)
	if err != nil {
		return nil, err
	}
	rows := make([]deliveryRow, len(list))
	for i, d := range list {
		rows[i] = deliveryRow{d, contacts[i]}
	}
	return rows, nil
}

type deliveryData struct {
	operate.Delivery
	Timing  timing
	Where   string // the location
	Means   string
	Replay  bool // it can be replayed
	Changed bool // the record was synced again since
}

// OfMeetings lists the automations about meetings that did not apply to the meetings of the
// record. They say nothing about the record itself.
func (d deliveryData) OfMeetings() []operate.Considered {
	return slices.DeleteFunc(slices.Clone(d.Considered), func(c operate.Considered) bool { return !d.ofMeeting(c) })
}

// Own lists the other automations.
func (d deliveryData) Own() []operate.Considered {
	return slices.DeleteFunc(slices.Clone(d.Considered), d.ofMeeting)
}

func (d deliveryData) ofMeeting(c operate.Considered) bool {
	return c.Meeting != "" && c.Wants == 0 && d.Entity.Kind != string(mapping.KindMeeting)
}

func (c *Console) deliveryPage(r *http.Request, v *view) error {
	v.Section = "deliveries"
	id, err := strconv.ParseInt(chi.URLParam(r, "id"), 10, 64)
	if err != nil {
		return errNotFound
	}
	v.Title = "Delivery " + strconv.FormatInt(id, 10)
	d, ok, err := c.Desk.Delivery(r.Context(), id)
	if err != nil {
		return err
	}
	if !ok {
		return errNotFound
	}
	where, err := c.called(r.Context(), d.Entity.LocationID)
	if err != nil {
		return err
	}
	v.Data = deliveryData{
		Delivery: d, Where: where, Timing: newTiming(d, c.Now()), Means: operate.OutcomeMeans(d.Outcome),
		Replay: d.Replayable(), Changed: d.AskedSince(),
	}
	return nil
}

type replayData struct {
	ID      int64
	Changes []string
	Failed  string // why there is no dry run
}

// dryRun is how long a page waits for the vendors.
const dryRun = 10 * time.Second

func (c *Console) replayPage(r *http.Request, v *view) error {
	v.Section, v.Title = "deliveries", "Replay delivery "+chi.URLParam(r, "id")
	if !v.Operator() {
		return errForbidden
	}
	id, err := strconv.ParseInt(chi.URLParam(r, "id"), 10, 64)
	if err != nil {
		return errNotFound
	}
	ctx, cancel := context.WithTimeout(r.Context(), dryRun)
	defer cancel()
	data := replayData{ID: id}
	data.Changes, err = c.Desk.ReplayPreview(ctx, id)
	switch failed, isVendors := errors.AsType[*clients.Error](err); {
	case errors.Is(err, operate.ErrUnknown):
		return errNotFound
	case isVendors:
		data.Failed = "The record could not be read: " + failed.Error()
	case errors.Is(err, errors.ErrUnsupported):
		data.Failed = "There is no dry run for this kind of record."
	case errors.Is(err, operate.ErrNoReplay):
		return problemPage(v, sentence(err))
	case errors.Is(err, context.DeadlineExceeded) && r.Context().Err() == nil:
		data.Failed = "HighLevel or CalendarHero did not answer within " + took(dryRun) + ". Try again."
	case err != nil:
		return err
	}
	v.Data = data
	return nil
}

// problemPage shows a page with a problem and nothing else.
func problemPage(v *view, why string) error {
	v.Problem, v.Data = why, replayData{}
	return nil
}

func (c *Console) replay(r *http.Request, v *view) (string, error) {
	id, err := strconv.ParseInt(chi.URLParam(r, "id"), 10, 64)
	if err != nil {
		return "", errNotFound
	}
	err = c.Desk.Replay(r.Context(), v.Me.Name, id)
	switch {
	case errors.Is(err, operate.ErrUnknown):
		return "", errNotFound
	case errors.Is(err, operate.ErrNoReplay):
		return "", problem(sentence(err))
	}
	return Path + "deliveries/" + strconv.FormatInt(id, 10) + "?said=replayed", err
}
