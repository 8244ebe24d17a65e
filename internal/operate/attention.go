package operate

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"milepost/internal/automation"
	"milepost/internal/order"
	"milepost/internal/outcome"
	"milepost/internal/store"
)

// ConcernKind is what kind of thing needs attention.
type ConcernKind string

// The kinds, in the order in which they are listed.
const (
	ConcernConnection ConcernKind = "connection" // a location that is not served
	ConcernInbox      ConcernKind = "inbox"      // its file did not match the database
	ConcernRemovals   ConcernKind = "removals"   // records vanished, and a person says whether they are deleted
	ConcernFailing    ConcernKind = "failing"    // records whose last sync failed
	ConcernStuck      ConcernKind = "stuck"      // webhooks that wait for too long
	ConcernQuota      ConcernKind = "quota"      // a location has few of its calls of the day left
	ConcernSignatures ConcernKind = "signatures" // most webhooks have no valid signature
	ConcernBackup     ConcernKind = "backup"     // the last backup is too old
)

// ConcernKinds lists all kinds in their order.
var ConcernKinds = []ConcernKind{ConcernConnection, ConcernInbox, ConcernRemovals, ConcernFailing, ConcernStuck, ConcernQuota, ConcernSignatures, ConcernBackup}

// ConcernState says who is to do something about a concern.
type ConcernState string

// The states. A concern that is over is listed no more. If it comes back, it is open.
const (
	ConcernOpen         ConcernState = "open"
	ConcernRetrying     ConcernState = "retrying" // Milepost has retried it for a few minutes only
	ConcernAcknowledged ConcernState = "acknowledged"
	ConcernSnoozed      ConcernState = "snoozed"
)

// Concern is something that needs attention: all that has one cause.
type Concern struct {
	Key        string
	Kind       ConcernKind
	State      ConcernState
	What       string // it is, in a sentence without its full stop
	Todo       string // what a person can do about it
	LocationID string // "" = none's
	Location   string // its name; "" = not known
	Cause      store.Cause
	Count      int64 // records, or webhooks; no further than Most
	FirstAt    time.Time
	LastAt     time.Time    // zero = it lasts
	Sample     store.Entity // one of the records; zero = it is about none
	Delivery   int64        // id of the sample's newest delivery, as far as it is read; 0 = none
	Detail     string       // of the sample; may quote a record
	Hush       store.Hush   // who acknowledged or snoozed it
}

// Retries reports whether it helps to have the records of a concern synced again.
func (c Concern) Retries() bool { return c.Kind == ConcernFailing && !c.Settles() }

// Settles reports whether a person has to say what became of the requests of a concern.
func (c Concern) Settles() bool {
	return c.Kind == ConcernFailing && (c.Cause.Outcome == store.Unclear || c.Cause.Outcome == store.Stopped)
}

// Attention is all that needs attention.
type Attention struct {
	At       time.Time // when it was looked for
	Concerns []Concern
	More     bool // there are others, which are not looked for
}

// In lists the concerns in some states.
func (a Attention) In(states ...ConcernState) (list []Concern) {
	for _, c := range a.Concerns {
		if slices.Contains(states, c.State) {
			list = append(list, c)
		}
	}
	return list
}

// Open counts the open concerns.
func (a Attention) Open() int { return len(a.In(ConcernOpen)) }

// ByKind counts the open concerns of each kind.
func (a Attention) ByKind() map[ConcernKind]int {
	counts := map[ConcernKind]int{}
	for _, kind := range ConcernKinds {
		counts[kind] = 0
	}
	for _, c := range a.In(ConcernOpen) {
		counts[c.Kind]++
	}
	return counts
}

const (
	// mostConcerns bounds how many causes are looked for.
	mostConcerns = 500
	// retriesAlone is for how long Milepost retries before somebody has to know.
	retriesAlone = 5 * time.Minute
	// stuckAfter is how long a webhook may wait.
	stuckAfter = 15 * time.Minute
	// mismatchShown is for how long it needs attention that the inbox did not match.
	mismatchShown = 7 * 24 * time.Hour
)

// Attention looks for what needs attention. Its cost does not grow with what is stored,
// and it looks at most once in a few seconds.
func (d *Desk) Attention(ctx context.Context) (Attention, error) {
	d.attention.mu.Lock()
	defer d.attention.mu.Unlock()
	now := d.Now()
	if age := now.Sub(d.attention.last.At); 0 <= age && age < countedFor {
		return d.attention.last, nil
	}
	v := Attention{At: now}
	connections, err := d.Store.Connections(ctx)
	if err != nil {
		return v, err
	}
	for _, look := range []func(context.Context, *Attention) error{d.failing, d.removals, d.stuck, d.mismatch, d.signatures} {
		if err := look(ctx, &v); err != nil {
			return v, err
		}
	}
	v.addConnections(connections)
	if err := errors.Join(d.reconciliations(ctx, &v, connections), d.quota(ctx, &v, connections), d.backup(ctx, &v, connections)); err != nil {
		return v, err
	}
	hushes, err := d.Store.Hushes(ctx)
	if err != nil {
		return v, err
	}
	names := map[string]string{}
	for _, c := range connections {
		names[c.LocationID] = c.Name
	}
	for i := range v.Concerns {
		c := &v.Concerns[i]
		c.Location = names[c.LocationID]
		c.State = stateOf(*c, hushes[c.Key], now)
		if c.State == ConcernAcknowledged || c.State == ConcernSnoozed {
			c.Hush = hushes[c.Key]
		}
	}
	order.By(v.Concerns, func(a, b Concern) int {
		return cmp.Or(slices.Index(ConcernKinds, a.Kind)-slices.Index(ConcernKinds, b.Kind), b.FirstAt.Compare(a.FirstAt), cmp.Compare(a.Key, b.Key))
	})
	d.attention.last = v
	return v, nil
}

// stateOf is the state of a concern, of which somebody may have said something. What was
// said of an earlier one, which is over, does not count.
func stateOf(c Concern, h store.Hush, now time.Time) ConcernState {
	switch {
	case h.Key != "" && !h.At.Before(c.FirstAt) && h.Until.IsZero():
		return ConcernAcknowledged
	case h.Key != "" && !h.At.Before(c.FirstAt) && now.Before(h.Until):
		return ConcernSnoozed
	case c.Kind == ConcernFailing && c.Cause.Outcome == store.Retry && now.Sub(c.FirstAt) < retriesAlone:
		return ConcernRetrying
	}
	return ConcernOpen
}

func (d *Desk) failing(ctx context.Context, v *Attention) error {
	groups, err := d.Store.Causes(ctx, mostConcerns+1, Most)
	v.More = len(groups) > mostConcerns
	for _, g := range groups[:min(len(groups), mostConcerns)] {
		v.Concerns = append(v.Concerns, failingConcern(g))
	}
	return err
}

func failingConcern(g store.CauseGroup) Concern {
	c := Concern{
		Key: g.Key, Kind: ConcernFailing, LocationID: g.LocationID, Cause: g.Cause, Count: g.Count, FirstAt: g.FirstAt, LastAt: g.LastAt, Sample: g.Sample,
	}
	c.What, c.Todo = outcome.Advice(g.Cause)
	return c
}

func (d *Desk) removals(ctx context.Context, v *Attention) error {
	groups, err := d.Store.RemovalsByVendor(ctx)
	for _, g := range groups {
		v.Concerns = append(v.Concerns, Concern{
			Key: keyOf(ConcernRemovals, g.LocationID, g.Vendor), Kind: ConcernRemovals, LocationID: g.LocationID, Count: g.Count, FirstAt: g.Since,
			Cause: store.Cause{LocationID: g.LocationID, Vendor: g.Vendor},
			What:  fmt.Sprintf("Many records vanished at %s within an hour, and no webhook says that they were deleted", g.Vendor),
			Todo: fmt.Sprintf("Look at some of them in %s. If they are really deleted, allow their removal. If they exist, do nothing: Milepost looks every 15 minutes, and goes on by itself.",
				g.Vendor),
		})
	}
	return err
}

func (d *Desk) stuck(ctx context.Context, v *Attention) error {
	list, err := d.Store.StuckDeliveries(ctx, v.At.Add(-stuckAfter))
	for _, s := range list {
		c := Concern{
			Key: keyOf(ConcernStuck, s.LocationID, s.Outcome), Kind: ConcernStuck, LocationID: s.LocationID, Count: s.Count, FirstAt: s.Since, Delivery: s.Oldest,
			Cause: store.Cause{LocationID: s.LocationID, Outcome: s.Outcome},
			What:  "Webhooks have waited for more than 15 minutes for a worker",
			Todo:  "Look whether `milepost serve` runs, and what the jobs do. A large backfill or many webhooks at once take their time: HighLevel allows 100 calls in 10 seconds.",
		}
		if s.Outcome == store.Waiting {
			c.What = "Webhooks have waited for more than 15 minutes for their next try"
			c.Todo = "The detail of the sample says what it waits for. If HighLevel's quota of the day is used up, it goes on tomorrow. There is nothing to do, unless another app uses up the quota."
		}
		v.Concerns = append(v.Concerns, c)
	}
	return err
}

func (d *Desk) mismatch(ctx context.Context, v *Attention) error {
	what, at, err := d.Store.InboxMismatch(ctx)
	if err != nil || what == "" || v.At.Sub(at) > mismatchShown {
		return err
	}
	v.Concerns = append(v.Concerns, Concern{
		Key: keyOf(ConcernInbox), Kind: ConcernInbox, FirstAt: at, What: "inbox.db and milepost.db did not match when Milepost started", Detail: what,
		Todo: "Milepost processed every webhook that was not processed. If you restored a backup, acknowledge this. If not, find out who replaced or deleted one of the files.",
	})
	return nil
}

func (v *Attention) addConnections(list []store.Connection) {
	for _, l := range list {
		c := Concern{Key: keyOf(ConcernConnection, l.LocationID, string(l.State)), Kind: ConcernConnection, LocationID: l.LocationID, FirstAt: l.UpdatedAt, Detail: l.Problem}
		switch l.State {
		case store.ConnectionBroken:
			c.What, c.Todo = "The location is not served: HighLevel rejects its authorization", "Connect the location again. Its links and its history are kept."
		case store.ConnectionSuspended:
			c.What, c.Todo = "The location is not served: HighLevel paused it", "Activate the location at HighLevel. Milepost goes on by itself then."
		case store.ConnectionPending:
			c.What, c.Todo = "The app is installed, but nobody authorized it for the location", "Connect the location."
		default:
			continue
		}
		v.Concerns = append(v.Concerns, c)
	}
}

// keyOf names a concern that is no cause of the store.
func keyOf(kind ConcernKind, parts ...string) string {
	sum := sha256.Sum256([]byte(string(kind) + "\x00" + strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:6])
}

// Concern reads one with its sample, as it is now; or ErrUnknown if it is over.
func (d *Desk) Concern(ctx context.Context, key string) (Concern, error) {
	v, err := d.Attention(ctx)
	if err != nil {
		return Concern{}, err
	}
	for _, c := range v.Concerns {
		if c.Key == key {
			return c, d.ReadSample(ctx, &c)
		}
	}
	g, ok, err := d.Store.CauseOf(ctx, key, Most) // if there are more than are looked for, or it is new
	if err == nil && !ok {
		err = ErrUnknown
	}
	if err != nil {
		return Concern{}, err
	}
	c := failingConcern(g)
	c.State = stateOf(c, store.Hush{}, d.Now())
	return c, d.ReadSample(ctx, &c)
}

// ReadSample reads the detail and the newest delivery of a concern's sample.
func (d *Desk) ReadSample(ctx context.Context, c *Concern) error {
	switch {
	case c.Delivery != 0:
		sample, ok, err := d.Store.Delivery(ctx, c.Delivery)
		if ok {
			c.Sample, c.Detail = sample.Entity, sample.Detail
		}
		return err
	case c.Sample.ID == "":
		return nil
	}
	state, err := d.Store.EntityState(ctx, c.Sample)
	if err != nil {
		return err
	}
	c.Detail = state.Detail
	newest, _, err := d.Store.FindDeliveries(ctx, store.DeliveryFilter{About: []store.Subject{{Record: c.Sample}}, Limit: 1})
	if len(newest) > 0 {
		c.Delivery = newest[0].ID
	}
	return err
}

// lookAgain has the next one look anew, after a change.
func (d *Desk) lookAgain() {
	d.attention.mu.Lock()
	defer d.attention.mu.Unlock()
	d.attention.last = Attention{}
}

// Snoozes are the lengths of time for which a concern can be snoozed.
var Snoozes = map[string]time.Duration{"1h": time.Hour, "1d": 24 * time.Hour, "1w": 7 * 24 * time.Hour}

// Acknowledge notes that somebody knows of a concern: it is open no more until it is
// over and comes back.
func (d *Desk) Acknowledge(ctx context.Context, who, key string) error {
	return d.hush(ctx, who, key, 0, "acknowledged")
}

// Snooze has a concern open no more for a time. If it is over and comes back before, it
// is open then.
func (d *Desk) Snooze(ctx context.Context, who, key string, length time.Duration) error {
	return d.hush(ctx, who, key, length, fmt.Sprintf("snoozed for %s", length))
}

func (d *Desk) hush(ctx context.Context, who, key string, length time.Duration, what string) error {
	c, err := d.Concern(ctx, key)
	if err != nil {
		return err
	}
	now := d.Now()
	h := store.Hush{Key: key, By: who, At: later(now, c.FirstAt)}
	if length > 0 {
		h.Until = now.Add(length)
	}
	if err := d.Store.Hush(ctx, h); err != nil {
		return err
	}
	d.lookAgain()
	return d.note(ctx, who, what, c.subject())
}

// later is the later of two times: a clock that was put back must not make what a
// person said older than what it was said of.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Reopen takes back that somebody acknowledged or snoozed a concern.
func (d *Desk) Reopen(ctx context.Context, who, key string) error {
	c, err := d.Concern(ctx, key)
	if err != nil {
		return err
	}
	if err := d.Store.Unhush(ctx, key); err != nil {
		return err
	}
	d.lookAgain()
	return d.note(ctx, who, "reopened", c.subject())
}

// subject is what a concern is called in the audit log.
func (c Concern) subject() string {
	text := fmt.Sprintf("%s %s", c.Kind, c.Key)
	if c.Cause.Outcome != "" {
		text += " (" + c.Cause.Outcome + ")"
	}
	if c.LocationID != "" {
		text += " of location " + c.LocationID
	}
	return text
}

// mostAtOnce is how many records a retry queues by itself, which takes about 0.1 s. Ten
// thousand would take 2 s of a core.
const mostAtOnce = 500

// ErrNoRetry means that a concern is about no records that would fare better now.
var ErrNoRetry = errors.New("a retry would not help here")

// Retried is what a retry began.
type Retried struct {
	Records int64 // that it is about
	Replay  int64 // the run that reaches them one after the other; 0 = all are queued
}

// Retry has the records of a concern synced at once. More than a few hundred are reached by a
// run, as a replay of many webhooks is: it can be followed and cancelled.
func (d *Desk) Retry(ctx context.Context, who, key string) (out Retried, err error) {
	c, err := d.Concern(ctx, key)
	if err != nil {
		return out, err
	}
	if !c.Retries() {
		return out, ErrNoRetry
	}
	list, err := d.Store.RecordsWith(ctx, key, store.Entity{}, mostAtOnce+1)
	if err != nil {
		return out, err
	}
	if len(list) > mostAtOnce {
		r := store.Replay{What: Selection{Cause: key}.String(), Apply: store.Apply{By: who, AskedAt: d.Now()}}
		if out.Replay, out.Records, err = d.Store.StartReplayOfCause(ctx, r, key); err != nil {
			return out, err
		}
		return out, d.note(ctx, who, "retried", fmt.Sprintf("%s by replay %d", c.subject(), out.Replay))
	}
	entities := make([]store.Entity, len(list))
	for i, s := range list {
		entities[i] = s.Entity
	}
	if err := d.Store.SyncRecordsNow(ctx, entities); err != nil {
		return out, err
	}
	out.Records = int64(len(list))
	return out, d.note(ctx, who, "retried", c.subject())
}

// RemovalsOf lists some of the records that vanished at a vendor, for a concern.
func (d *Desk) RemovalsOf(ctx context.Context, c Concern, limit int) ([]store.Removal, error) {
	if c.Kind != ConcernRemovals {
		return nil, nil
	}
	return d.Store.RemovalsOf(ctx, c.LocationID, c.Cause.Vendor, limit)
}

// AllowRemovals lets the items of the records be removed that vanished at a location,
// and returns how many records that are. Each is looked for once more before that.
func (d *Desk) AllowRemovals(ctx context.Context, who, locationID string) (int, error) {
	n, err := d.Store.AllowRemovals(ctx, locationID, d.Now())
	if err != nil || n == 0 {
		return n, err
	}
	d.lookAgain()
	return n, d.note(ctx, who, "allowed the removals of", "location "+locationID)
}

// Requests lists the requests of a concern that wait for a person.
func (d *Desk) Requests(ctx context.Context, c Concern) ([]store.Call, error) {
	if !c.Settles() {
		return nil, nil
	}
	list, err := d.OpenCalls(ctx)
	return slices.DeleteFunc(list, func(q store.Call) bool {
		return string(q.State) != c.Cause.Outcome || q.Entity.LocationID != c.LocationID || q.Operation != c.Cause.Operation
	}), err
}

// AutomationID is the id of a concern's automation; "" if it is about none, or no longer
// known.
func (d *Desk) AutomationID(ctx context.Context, c Concern) (string, error) {
	if c.Cause.Automation == "" || d.Automations == nil {
		return "", nil
	}
	entries, err := d.Automations.List(ctx)
	i := slices.IndexFunc(entries, func(e automation.Entry) bool { return e.Name == c.Cause.Automation || e.ID == c.Cause.Automation })
	if i < 0 {
		return "", err
	}
	return entries[i].ID, nil
}
