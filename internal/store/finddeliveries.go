package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"milepost/internal/order"
)

// These are the outcomes of deliveries that are still owed, and of those that need a
// person.
var (
	OpenOutcomes   = []string{Pending, Retry, Waiting, Auth}
	FailedOutcomes = []string{Retry, Auth, Invalid, Conflict, Unclear, Stopped}
	AllOutcomes    = []string{Done, Unchanged, Skipped, Gone, Pending, Waiting, Retry, Auth, Invalid, Conflict, Unclear, Stopped}
)

// DeliveryFilter selects deliveries. A zero field selects all.
type DeliveryFilter struct {
	Outcomes   []string
	Type       string
	LocationID string
	About      []Subject // any of these; an empty list other than nil finds nothing
	Replayed   bool      // only replayed deliveries
	// Automation is the id of an automation that made something for the record.
	// AutomationName is the name of an automation that failed to. "" = any.
	Automation, AutomationName string
	Since                      time.Time
	Until                      time.Time
	Before                     int64 // only deliveries with a smaller id
	Limit                      int
}

// Subject is what deliveries are about. LocationID and Kind of a record may be "": then
// only its id counts.
type Subject struct {
	Record    Entity
	ContactID string // the event named this contact; then Record.ID is ""
}

// mostScanned limits how many deliveries one search reads, because a rare combination must
// not read a million.
const mostScanned = 5_000

// scanned is how many deliveries one walk reads. With an automation in the filter, each of
// them costs several look-ups.
func (f DeliveryFilter) scanned() int {
	if f.Automation != "" {
		return mostScanned / 4
	}
	return mostScanned
}

// FindDeliveries lists the newest matching deliveries, newest first. If it did not read all
// deliveries, next is the id from which the search can continue, as the filter's Before; 0
// = there are no others.
func (s *Store) FindDeliveries(ctx context.Context, f DeliveryFilter) (list []Delivery, next int64, err error) {
	fail := func(err error) ([]Delivery, int64, error) { return nil, 0, fmt.Errorf("find deliveries: %w", err) }
	if f.Before <= 0 {
		f.Before = 1<<63 - 1
	}
	least := int64(0)
	for _, end := range []struct {
		at    time.Time
		query string
		take  func(id int64)
		none  func()
	}{
		{f.Since, firstDeliverySince, func(id int64) { least = id }, func() { f.About = []Subject{} }},
		{f.Until, lastDeliveryUntil, func(id int64) { f.Before = min(f.Before, id+1) }, func() { f.About = []Subject{} }},
	} {
		if end.at.IsZero() {
			continue
		}
		id, ok, err := s.deliveryID(ctx, end.query, micros(end.at))
		if err != nil {
			return fail(err)
		}
		if ok {
			end.take(id)
		} else {
			end.none()
		}
	}
	ways := f.ways()
	for _, w := range ways {
		found, stopped, err := s.walk(ctx, f, w, least)
		if err != nil {
			return fail(err)
		}
		list = append(list, found...)
		next = max(next, stopped)
	}
	order.By(list, func(a, b Delivery) int { return cmp.Compare(b.ID, a.ID) })
	list = slices.CompactFunc(list, func(a, b Delivery) bool { return a.ID == b.ID })
	// Beyond the place where a walk stopped, the result is incomplete.
	list = slices.DeleteFunc(list, func(d Delivery) bool { return d.ID < next })
	if len(list) > f.Limit {
		list = list[:f.Limit]
		next = list[f.Limit-1].ID
	}
	return list, next, nil
}

const (
	firstDeliverySince = `SELECT id FROM deliveries WHERE received_at >= $1 ORDER BY received_at LIMIT 1`
	lastDeliveryUntil  = `SELECT id FROM deliveries WHERE received_at < $1 ORDER BY received_at DESC LIMIT 1`
)

func (s *Store) deliveryID(ctx context.Context, query string, args ...any) (id int64, ok bool, err error) {
	rows, err := s.Query(ctx, query, args...)
	ids, err := collect(rows, err, func(r Rows) (id int64, err error) { return id, r.Scan(&id) })
	if err != nil || len(ids) == 0 {
		return 0, false, err
	}
	return ids[0], true, nil
}

// way is one index to walk in the order of id, and what to check in each row.
type way struct {
	indexed conditions
	rest    conditions
	sorted  bool // the index is not in the order of id, so the result is sorted
	partial bool // the index holds only rows with a contact_id
	replays bool // the index holds only replayed rows
}

// id is the expression by which a way orders and limits its rows. With the bare column,
// SQLite would walk all deliveries of a location instead of sorting the few of a record.
func (w way) id() string {
	if w.sorted {
		return `id + 0`
	}
	return `id`
}

// among limits the rows of a way by id, and by the contents of its index.
func (w way) among() string {
	text := w.id() + ` >= $1 AND ` + w.id() + ` < $2`
	if w.partial {
		text += ` AND contact_id <> ''`
	}
	if w.replays {
		text += ` AND replay <> 0`
	}
	return text
}

// conditions are column-value pairs joined by AND.
type conditions []struct {
	column string
	value  any
}

func (c *conditions) add(column string, value any) {
	*c = append(*c, struct {
		column string
		value  any
	}{column, value})
}

// ways lists the indexes that together find everything that a filter selects.
func (f DeliveryFilter) ways() (list []way) {
	var outcomes []string // outcomes that have an index
	rare := len(f.Outcomes) > 0 && !slices.ContainsFunc(f.Outcomes, func(o string) bool { return o == Done || o == Unchanged || o == Skipped })
	if f.About == nil && (rare || len(f.Outcomes) > 0 && f.LocationID == "" && f.Type == "") {
		outcomes = f.Outcomes
	}
	switch {
	case f.Replayed && f.About == nil:
		w := way{replays: true}
		f.restOf(&w, "")
		list = append(list, w)
	case f.About != nil:
		for _, about := range f.About {
			list = append(list, f.wayOf(about))
		}
	case outcomes != nil:
		for _, o := range outcomes {
			var w way
			w.indexed.add("outcome", o)
			f.restOf(&w, "outcome")
			list = append(list, w)
		}
	case f.LocationID != "":
		var w way
		w.indexed.add("location_id", f.LocationID)
		f.restOf(&w, "location_id")
		list = append(list, w)
	case f.Type != "":
		var w way
		w.indexed.add("type", f.Type)
		f.restOf(&w, "type")
		list = append(list, w)
	default:
		var w way
		f.restOf(&w, "")
		list = append(list, w)
	}
	return list
}

func (f DeliveryFilter) wayOf(about Subject) way {
	w := way{replays: f.Replayed}
	if about.ContactID != "" {
		w.indexed.add("contact_id", about.ContactID)
		w.partial = true
		if about.Record.LocationID != "" {
			w.rest.add("location_id", about.Record.LocationID)
		}
	} else {
		w.sorted = true
		w.indexed.add("entity_id", about.Record.ID)
		if about.Record.Kind != "" {
			w.indexed.add("location_id", about.Record.LocationID)
			w.indexed.add("kind", about.Record.Kind)
		}
	}
	f.restOf(&w, "")
	return w
}

func (f DeliveryFilter) restOf(w *way, indexed string) {
	if f.LocationID != "" && indexed != "location_id" {
		w.rest.add("location_id", f.LocationID)
	}
	if f.Type != "" && indexed != "type" {
		w.rest.add("type", f.Type)
	}
	if len(f.Outcomes) > 0 && indexed != "outcome" {
		w.rest.add("outcome", f.Outcomes)
	}
	if f.Automation != "" {
		w.rest.add("", byAutomation{f.Automation, f.AutomationName})
	}
}

// byAutomation is the condition that an automation made something for the record, or failed
// to.
type byAutomation struct{ id, name string }

// query returns the SELECT of a way. $1 and $2 limit the id, $3 the rows read, and $4 the
// rows returned.
func (w way) query() (text string, args []any) {
	where := func(c conditions) string {
		var b strings.Builder
		for _, one := range c {
			if a, ok := one.value.(byAutomation); ok {
				n := len(args) + 5
				args = append(args, a.id+"/", int64(len([]rune(a.id))+1), a.name)
				fmt.Fprintf(&b, ` AND (EXISTS (SELECT 1 FROM links l WHERE l.location_id = looked_at.location_id AND l.kind = looked_at.kind AND l.entity_id = looked_at.entity_id
					AND substr(l.item, 1, CAST($%d AS INTEGER)) = $%d) OR EXISTS (SELECT 1 FROM entities e JOIN causes c ON c.key = e.trouble
					WHERE e.location_id = looked_at.location_id AND e.kind = looked_at.kind AND e.id = looked_at.entity_id AND c.automation = $%d))`, n+1, n, n+2)
				continue
			}
			if list, ok := one.value.([]string); ok {
				b.WriteString(" AND " + one.column + " IN (" + parameters(len(args)+5, len(list)) + ")")
				for _, v := range list {
					args = append(args, v)
				}
				continue
			}
			args = append(args, one.value)
			b.WriteString(" AND " + one.column + " = $" + strconv.Itoa(len(args)+4))
		}
		return b.String()
	}
	inner := `SELECT ` + deliveryRead + ` FROM deliveries WHERE ` + w.among() + where(w.indexed) + ` ORDER BY ` + w.id() + ` DESC LIMIT $3`
	return `SELECT ` + deliveryRead + ` FROM (` + inner + `) AS looked_at WHERE TRUE` + where(w.rest) + ` ORDER BY ` + w.id() + ` DESC LIMIT $4`, args
}

// bound returns the SELECT of the last row that a walk reads, if it does not reach the end.
func (w way) bound() (text string, args []any) {
	text = `SELECT id FROM deliveries WHERE ` + w.among()
	for i, one := range w.indexed {
		text += ` AND ` + one.column + ` = $` + strconv.Itoa(i+4)
		args = append(args, one.value)
	}
	return text + ` ORDER BY ` + w.id() + ` DESC LIMIT 1 OFFSET $3`, args
}

// walk returns what one index finds, and the id at which it stopped; 0 = it reached the
// end.
func (s *Store) walk(ctx context.Context, f DeliveryFilter, w way, least int64) (list []Delivery, stopped int64, err error) {
	text, args := w.query()
	rows, err := s.Query(ctx, text, append([]any{least, f.Before, f.scanned(), f.Limit + 1}, args...)...)
	if list, err = collect(rows, err, scanDelivery); err != nil {
		return nil, 0, err
	}
	if len(list) > f.Limit || len(w.rest) == 0 {
		return list, 0, nil
	}
	text, args = w.bound()
	stopped, _, err = s.deliveryID(ctx, text, append([]any{least, f.Before, f.scanned() - 1}, args...)...)
	return list, stopped, err
}

func scanDelivery(r Rows) (d Delivery, err error) {
	var received, finished int64
	err = r.Scan(&d.ID, &d.WebhookID, &d.Type, &d.Entity.LocationID, &d.Entity.Kind, &d.Entity.ID,
		&received, &d.Wanted, &d.Outcome, &d.Detail, &finished, &d.ContactID, &d.Replay)
	d.ReceivedAt, d.FinishedAt = fromMicros(received), fromMicros(finished)
	return d, err
}

// Delivery reads one; ok is false if it is not stored (any more).
func (s *Store) Delivery(ctx context.Context, id int64) (d Delivery, ok bool, err error) {
	rows, err := s.Query(ctx, `SELECT `+deliveryRead+` FROM deliveries WHERE id = $1`, id)
	list, err := collect(rows, err, scanDelivery)
	if err != nil {
		return Delivery{}, false, fmt.Errorf("read delivery %d: %w", id, err)
	}
	if len(list) == 0 {
		return Delivery{}, false, nil
	}
	return list[0], true, nil
}

// SettledWith counts the deliveries that were settled by the same sync as this one.
func (s *Store) SettledWith(ctx context.Context, d Delivery) (int64, error) {
	rows, err := s.Query(ctx, countSettledWith, d.Entity.LocationID, d.Entity.Kind, d.Entity.ID, micros(d.FinishedAt))
	n, err := collect(rows, err, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
	if err != nil {
		return 0, fmt.Errorf("count what was settled with delivery %d: %w", d.ID, err)
	}
	return n[0] - 1, nil
}

const countSettledWith = `SELECT count(*) FROM deliveries WHERE location_id = $1 AND kind = $2 AND entity_id = $3 AND finished_at = $4`

// DeliveryTypes lists the types of the stored deliveries.
func (s *Store) DeliveryTypes(ctx context.Context) (list []string, err error) {
	for last := ""; ; { // jumps from type to type on the index
		rows, err := s.Query(ctx, nextDeliveryType, last)
		next, err := collect(rows, err, func(r Rows) (v string, err error) { return v, r.Scan(&v) })
		if err != nil {
			return nil, fmt.Errorf("list the types of deliveries: %w", err)
		}
		if len(next) == 0 || len(list) == 200 {
			return list, nil
		}
		last = next[0]
		list = append(list, last)
	}
}

const nextDeliveryType = `SELECT type FROM deliveries WHERE type > $1 ORDER BY type LIMIT 1`

// CountDeliveries counts the deliveries with an outcome, up to most.
func (s *Store) CountDeliveries(ctx context.Context, outcome string, most int64) (int64, error) {
	rows, err := s.Query(ctx, countDeliveries, outcome, most)
	n, err := collect(rows, err, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
	if err != nil {
		return 0, fmt.Errorf("count the deliveries that are %s: %w", outcome, err)
	}
	return n[0], nil
}

const countDeliveries = `SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE outcome = $1 LIMIT $2) AS counted`

// HourCount is the number of an hour's deliveries with an outcome.
type HourCount struct {
	Hour    int // 0 is the first
	Outcome string
	Count   int64
}

// CountByHour counts the deliveries received since a time, by hour and outcome.
func (s *Store) CountByHour(ctx context.Context, since time.Time) ([]HourCount, error) {
	rows, err := s.Query(ctx, countByHour, micros(since), time.Hour.Microseconds())
	list, err := collect(rows, err, func(r Rows) (c HourCount, err error) { return c, r.Scan(&c.Hour, &c.Outcome, &c.Count) })
	if err != nil {
		return nil, fmt.Errorf("count the deliveries since %s: %w", since.Format(time.RFC3339), err)
	}
	return list, nil
}

const countByHour = `SELECT (received_at - $1) / $2, outcome, count(*) FROM deliveries WHERE received_at >= $1 GROUP BY 1, 2`
