package operate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"milepost/internal/automation"
	"milepost/internal/order"
	"milepost/internal/store"
)

// Selection says which deliveries are replayed.
type Selection struct {
	IDs    []int64 // these; empty = all that match
	Query  Query
	Except []int64 // but not these
	Cause  string  // or the records of a concern that failed, by its key
}

// String says in words what is selected, without personal data.
func (s Selection) String() string {
	if s.Cause != "" {
		return "what needs attention as " + s.Cause
	}
	if len(s.IDs) == 1 {
		return fmt.Sprintf("webhook %d", s.IDs[0])
	}
	if len(s.IDs) > 1 {
		return fmt.Sprintf("%d selected webhooks", len(s.IDs))
	}
	var parts []string
	q := s.Query
	if len(q.Outcomes) > 0 {
		parts = append(parts, "outcome "+strings.Join(q.Outcomes, " or "))
	}
	for _, p := range []struct{ name, value string }{{"type", q.Type}, {"location", q.LocationID}, {"contact", q.ContactID}, {"record", q.RecordID}} {
		if p.value != "" {
			parts = append(parts, p.name+" "+p.value)
		}
	}
	if q.Automation != "" {
		parts = append(parts, "automation "+q.Automation)
	}
	if q.Text != "" {
		parts = append(parts, "a search")
	}
	if !q.Since.IsZero() {
		parts = append(parts, "since "+q.Since.UTC().Format(time.RFC3339))
	}
	if !q.Until.IsZero() {
		parts = append(parts, "until "+q.Until.UTC().Format(time.RFC3339))
	}
	text := "all webhooks"
	if len(parts) > 0 {
		text += " with " + strings.Join(parts, ", ")
	}
	if len(s.Except) > 0 {
		text += fmt.Sprintf(", but %d", len(s.Except))
	}
	return text
}

// selected are the records that a selection is about.
type selected struct {
	records    []store.ApplyRecord // each once, in order
	deliveries []int64
	leftOut    int // deliveries that are about no record that can be synced again

	except []int64
	known  map[store.Entity]bool
}

// record adds a record, and reports whether there may be others.
func (v *selected) record(e store.Entity, contactID string) bool {
	if !v.known[e] {
		v.known[e] = true
		v.records = append(v.records, store.ApplyRecord{Entity: e, ContactID: contactID})
	}
	return len(v.records) <= MostReplayed
}

// delivery adds the record of a delivery, unless it is excepted or about none.
func (v *selected) delivery(d store.Delivery) {
	e := d.Entity
	switch {
	case slices.Contains(v.except, d.ID):
	case e.Kind == "" || e.ID == "" || e.LocationID == "" || e.Kind == store.KindInstall || e.Kind == store.KindCalendarContact:
		v.leftOut++
	default:
		v.deliveries = append(v.deliveries, d.ID)
		v.record(e, d.ContactID)
	}
}

// MostReplayed is how many records one replay may sync.
const MostReplayed = 5_000

// ErrTooMany means that a selection is about more than MostReplayed records.
var ErrTooMany = fmt.Errorf("more than %d records match; narrow the filter, for example by location or time", MostReplayed)

// evaluate finds the records that a selection is about now.
func (d *Desk) evaluate(ctx context.Context, s Selection) (out selected, err error) {
	out.except, out.known = s.Except, map[store.Entity]bool{}
	switch {
	case s.Cause != "":
		err = d.eachWith(ctx, s.Cause, func(v store.EntityState) bool { return out.record(v.Entity, v.ContactID) })
	case len(s.IDs) > 0:
		err = d.eachOf(ctx, s.IDs, &out)
	default:
		err = d.eachMatching(ctx, s.Query, &out)
	}
	order.By(out.records, func(a, b store.ApplyRecord) int { return a.Compare(b.Entity) })
	if err == nil && len(out.records) > MostReplayed {
		err = ErrTooMany
	}
	return out, err
}

// eachOf adds deliveries by their ids.
func (d *Desk) eachOf(ctx context.Context, ids []int64, out *selected) error {
	for _, id := range ids {
		v, ok, err := d.Store.Delivery(ctx, id)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("delivery %d: %w", id, ErrUnknown)
		}
		out.delivery(v)
	}
	return nil
}

// eachMatching adds the deliveries that match a query, until there are too many.
func (d *Desk) eachMatching(ctx context.Context, q Query, out *selected) error {
	q.Before, q.Limit = 0, 500
	for len(out.records) <= MostReplayed {
		page, err := d.Deliveries(ctx, q)
		if err != nil {
			return err
		}
		for _, v := range page.List {
			out.delivery(v)
		}
		if q.Before = page.Next; q.Before == 0 {
			return nil
		}
	}
	return nil
}

// eachWith calls do with the records of a cause, until it returns false.
func (d *Desk) eachWith(ctx context.Context, key string, do func(store.EntityState) bool) error {
	const page = 500
	for last := (store.Entity{}); ; {
		list, err := d.Store.RecordsWith(ctx, key, last, page)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, s := range list {
			if !do(s) {
				return nil
			}
			last = s.Entity
		}
	}
}

// ReplayPlan says what a replay would do. It holds for a quarter of an hour.
type ReplayPlan struct {
	Token      string
	Selection  Selection
	Deliveries int // that match
	LeftOut    int // of them about no record that can be synced again
	Begun      time.Time
	Ended      time.Time // zero = it is under way
	Done, Of   int64     // records
	Plan       *automation.ApplyPlan
	Failed     error

	records []store.ApplyRecord
}

// replayPlans are the newest plans, by token. They are lost when Milepost ends.
type replayPlans struct {
	mu   sync.Mutex
	list []*ReplayPlan
}

const mostReplayPlans = 20

// ErrNothingToReplay means that a selection is about no record.
var ErrNothingToReplay = errors.New("nothing matches that could be replayed")

// PlanReplay rehearses a replay, and changes nothing. It reads the records from
// HighLevel. progress is told how many of how many are done.
func (d *Desk) PlanReplay(ctx context.Context, r automation.Rehearsals, s Selection, progress func(done, of int64)) (*ReplayPlan, error) {
	p, err := d.newReplayPlan(ctx, s)
	if err != nil {
		return nil, err
	}
	p.Plan, err = d.Automations.PlanReplay(ctx, r, p.records, progress)
	p.Ended = d.Now()
	return p, err
}

func (d *Desk) newReplayPlan(ctx context.Context, s Selection) (*ReplayPlan, error) {
	found, err := d.evaluate(ctx, s)
	switch {
	case err != nil:
		return nil, err
	case len(found.records) == 0:
		return nil, ErrNothingToReplay
	}
	return &ReplayPlan{
		Token: rand.Text(), Selection: s, Deliveries: len(found.deliveries), LeftOut: found.leftOut, Begun: d.Now(), Of: int64(len(found.records)), records: found.records,
	}, nil
}

// StartReplayPlan begins to rehearse a replay, and returns the plan's token.
func (d *Desk) StartReplayPlan(ctx context.Context, s Selection) (string, error) {
	p, err := d.newReplayPlan(ctx, s)
	if err != nil {
		return "", err
	}
	ctx, cancel := d.background(ctx)
	d.replays.mu.Lock()
	defer d.replays.mu.Unlock()
	d.replays.list = append(d.replays.list, p)
	d.replays.list = d.replays.list[max(0, len(d.replays.list)-mostReplayPlans):]
	go func() {
		defer cancel()
		plan, err := d.Automations.PlanReplay(ctx, d.Rehearsals, p.records, func(done, _ int64) {
			d.replays.mu.Lock()
			defer d.replays.mu.Unlock()
			p.Done = done
		})
		d.replays.mu.Lock()
		defer d.replays.mu.Unlock()
		p.Plan, p.Failed, p.Ended = plan, err, d.Now()
	}()
	return p.Token, nil
}

// ReplayPlan returns a plan; ok is false if there is none of this token, or if it does
// not hold any more.
func (d *Desk) ReplayPlan(token string) (p ReplayPlan, ok bool) {
	d.replays.mu.Lock()
	defer d.replays.mu.Unlock()
	for _, v := range d.replays.list {
		if v.Token == token && (v.Ended.IsZero() || d.Now().Sub(v.Ended) <= planHolds) {
			return *v, true
		}
	}
	return p, false
}

// StartReplay begins a replay that was rehearsed, and returns its number. The selection
// is evaluated once more: what no longer matches is left out, and what is new as well,
// because nobody was told what its replay does.
func (d *Desk) StartReplay(ctx context.Context, who string, p ReplayPlan) (int64, error) {
	if p.Plan == nil {
		return 0, ErrNoPlan
	}
	now, err := d.evaluate(ctx, p.Selection)
	if err != nil {
		return 0, err
	}
	planned := map[store.Entity]bool{}
	for _, r := range p.records {
		planned[r.Entity] = true
	}
	var records []store.Entity
	for _, r := range now.records {
		if planned[r.Entity] {
			records = append(records, r.Entity)
		}
	}
	if len(records) == 0 {
		return 0, ErrNothingToReplay
	}
	id, err := d.Store.StartReplay(ctx, store.Replay{What: p.Selection.String(), Apply: store.Apply{By: who, AskedAt: d.Now()}}, records, now.deliveries)
	if err != nil {
		return 0, err
	}
	d.replays.mu.Lock()
	d.replays.list = slices.DeleteFunc(d.replays.list, func(v *ReplayPlan) bool { return v.Token == p.Token })
	d.replays.mu.Unlock()
	return id, d.note(ctx, who, "began", fmt.Sprintf("replay %d of %d records", id, len(records)))
}

// ReplayRun is a replay and what became of its records.
type ReplayRun struct {
	store.Replay
	Outcomes map[string]int64 // of the records; pending = not synced yet
}

// ReplayRun reads one, or returns ErrUnknown.
func (d *Desk) ReplayRun(ctx context.Context, id int64) (run ReplayRun, err error) {
	var ok bool
	if run.Replay, ok, err = d.Store.Replay(ctx, id); err != nil {
		return run, err
	}
	if !ok {
		return run, ErrUnknown
	}
	run.Outcomes, err = d.Store.ReplayOutcomes(ctx, run.Replay)
	return run, err
}

// CancelReplay ends a replay, and reports whether it was running. What it has queued is
// synced.
func (d *Desk) CancelReplay(ctx context.Context, who string, id int64) (was bool, err error) {
	if was, err = d.Store.CancelReplay(ctx, id, d.Now()); err != nil || !was {
		return was, err
	}
	return true, d.note(ctx, who, "cancelled", fmt.Sprintf("replay %d", id))
}
