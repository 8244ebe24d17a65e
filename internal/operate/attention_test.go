package operate_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"milepost/internal/operate"
	"milepost/internal/store"
	"milepost/internal/testenv/testdb"
)

// room is a desk on a store, with a clock that stands.
type room struct {
	*operate.Desk
	t   *testing.T
	now time.Time
	ids int64
}

func setup(t *testing.T) *room {
	t.Helper()
	t.Parallel()
	st, err := store.OpenSQLite(t.Context(), testdb.DataDir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	if _, err := st.NewQueue(store.QueueConfig{Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	r := &room{t: t, now: time.Date(2026, 11, 20, 12, 30, 0, 0, time.UTC)}
	r.Desk = operate.New(operate.Config{Store: st, Now: func() time.Time { return r.now }})
	r.connect(store.ConnectionActive)
	return r
}

func (r *room) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *room) connect(state store.ConnectionState) {
	r.t.Helper()
	r.must(r.Store.SaveConnection(r.t.Context(), store.Connection{LocationID: "loc", Name: "Northwind", Source: "token", State: state}, r.now))
}

func contact(id string) store.Entity { return store.Entity{LocationID: "loc", Kind: "contact", ID: id} }

// dispatch has a webhook come.
func (r *room) dispatch(d store.Delivery) {
	r.t.Helper()
	_, err := r.Store.Dispatch(r.t.Context(), func(context.Context, *store.Tx) ([]store.Delivery, error) { return []store.Delivery{d}, nil })
	r.must(err)
}

// ends has a webhook about a contact come, and its sync end so.
func (r *room) ends(id, outcome string, cause store.Cause) {
	r.t.Helper()
	r.ids++
	d := store.Delivery{ID: r.ids, Type: "ContactUpdate", Entity: contact(id), ContactID: id, ReceivedAt: r.now}
	r.dispatch(d)
	state, err := r.Store.EntityState(r.t.Context(), contact(id))
	r.must(err)
	if outcome == store.Retry || outcome == store.Auth || outcome == store.Waiting {
		r.must(r.Store.Postpone(r.t.Context(), store.Postponed{Entity: contact(id), Wanted: state.Wanted, Outcome: outcome, Cause: cause, Detail: "of " + id, Now: r.now, NextTry: r.now.Add(time.Minute), Tries: 1}))
		return
	}
	_, err = r.Store.FinishSync(r.t.Context(), nil, store.Finish{Entity: contact(id), Wanted: state.Wanted, Outcome: outcome, Cause: cause, Detail: "of " + id, Now: r.now})
	r.must(err)
}

// later lets time pass.
func (r *room) later(d time.Duration) { r.now = r.now.Add(d) }

// concerns lists those in a state, of which there must be so many.
func (r *room) concerns(want int, state operate.ConcernState) []operate.Concern {
	r.t.Helper()
	r.later(time.Minute) // it looks again
	v, err := r.Attention(r.t.Context())
	r.must(err)
	list := v.In(state)
	if len(list) != want {
		r.t.Fatalf("%d concerns are %s, want %d: %+v", len(list), state, want, v.Concerns)
	}
	return list
}

var rejected = store.Cause{Vendor: "CalendarHero", Status: 422, Reason: "invalid", Operation: "create meeting request", Automation: "Milestones"}

func TestWhatFailsIsGroupedByItsCauseAndClosesItself(t *testing.T) {
	r := setup(t)
	r.concerns(0, operate.ConcernOpen)
	r.ends("c1", store.Invalid, rejected)
	r.ends("c2", store.Invalid, rejected)
	r.ends("c3", store.Auth, store.Cause{Vendor: "HighLevel", Status: 401, Reason: "unauthorized"})
	list := r.concerns(2, operate.ConcernOpen)
	var key string
	for _, c := range list {
		if c.Cause.Outcome == store.Invalid {
			key = c.Key
			if c.Count != 2 || c.Location != "Northwind" || c.What != "CalendarHero rejects what the automation Milestones asks for: create meeting request (422)" {
				t.Errorf("two records that are rejected are %+v", c)
			}
		} else if c.What != "HighLevel rejects the token" {
			t.Errorf("a token that is rejected is %q", c.What)
		}
	}
	c, err := r.Concern(t.Context(), key)
	if err != nil || c.Sample != contact("c1") || c.Detail != "of c1" || c.Delivery != 1 {
		t.Errorf("with its sample it is %+v, %v", c, err)
	}
	counts := func(want int) {
		t.Helper()
		v, err := r.Attention(t.Context())
		if got := v.ByKind(); err != nil || got[operate.ConcernFailing] != want || len(got) != len(operate.ConcernKinds) {
			t.Errorf("counted are %v, %v", got, err)
		}
	}
	counts(2)
	done, err := r.Retry(t.Context(), "ann", key)
	if err != nil || done.Records != 2 || done.Replay != 0 {
		t.Errorf("retried are %+v, %v", done, err)
	}
	if s, err := r.Store.EntityState(t.Context(), contact("c1")); err != nil || s.Wanted != s.Done+1 {
		t.Errorf("after the retry c1 is %+v, %v", s, err)
	}
	for _, id := range []string{"c1", "c2", "c3"} {
		r.ends(id, store.Done, store.Cause{})
	}
	r.concerns(0, operate.ConcernOpen)
	counts(0)
	if _, err := r.Retry(t.Context(), "ann", key); !errors.Is(err, operate.ErrUnknown) {
		t.Errorf("what is over is retried: %v", err)
	}
}

func TestWhatPeopleSaidCountsUntilItIsOver(t *testing.T) {
	r := setup(t)
	r.ends("c1", store.Invalid, rejected)
	key := r.concerns(1, operate.ConcernOpen)[0].Key
	r.must(r.Acknowledge(t.Context(), "ann", key))
	if c := r.concerns(1, operate.ConcernAcknowledged)[0]; c.Hush.By != "ann" {
		t.Errorf("it was acknowledged by %+v", c.Hush)
	}
	r.must(r.Reopen(t.Context(), "ann", key))
	r.concerns(1, operate.ConcernOpen)
	r.must(r.Snooze(t.Context(), "bob", key, time.Hour))
	r.concerns(1, operate.ConcernSnoozed)
	r.later(time.Hour)
	r.concerns(1, operate.ConcernOpen)

	r.must(r.Acknowledge(t.Context(), "ann", key))
	r.ends("c2", store.Invalid, rejected) // one more with the same cause
	r.concerns(1, operate.ConcernAcknowledged)
	r.ends("c1", store.Done, store.Cause{})
	r.ends("c2", store.Done, store.Cause{})
	r.concerns(0, operate.ConcernAcknowledged)
	r.ends("c1", store.Invalid, rejected)
	r.concerns(1, operate.ConcernOpen)
	log, err := r.Store.AuditPage(t.Context(), 0, 10)
	if err != nil || len(log) != 4 || log[0].What != "acknowledged" || log[0].Who != "ann" {
		t.Errorf("the audit log says %+v, %v", log, err)
	}
}

func TestMilepostRetriesForAWhileBeforeItAsksAPerson(t *testing.T) {
	r := setup(t)
	r.ends("c1", store.Retry, store.Cause{Vendor: "HighLevel", Status: 503, Reason: "unavailable", Operation: "get contact"})
	r.concerns(1, operate.ConcernRetrying)
	r.later(5 * time.Minute)
	if c := r.concerns(1, operate.ConcernOpen)[0]; c.What != "HighLevel fails to get contact (503)" {
		t.Errorf("an outage is %q", c.What)
	}
}

func TestWhatWaitsForAPersonNeedsAttention(t *testing.T) {
	r := setup(t)
	for _, id := range []string{"c1", "c2", "c3", "c4"} {
		r.ends(id, store.Done, store.Cause{})
		if _, err := r.Store.DecideRemoval(t.Context(), contact(id), "HighLevel", r.now); err != nil {
			t.Fatal(err)
		}
	}
	gone := r.concerns(1, operate.ConcernOpen)[0]
	if gone.Kind != operate.ConcernRemovals || gone.Count != 1 {
		t.Errorf("records that vanished are %+v", gone)
	}
	if list, err := r.RemovalsOf(t.Context(), gone, 10); err != nil || len(list) != 1 || list[0].ID != "c4" {
		t.Errorf("it is about %+v, %v", list, err)
	}
	if _, err := r.Retry(t.Context(), "ann", gone.Key); !errors.Is(err, operate.ErrNoRetry) {
		t.Errorf("it is retried: %v", err)
	}
	if n, err := r.AllowRemovals(t.Context(), "ann", "loc"); err != nil || n != 1 {
		t.Errorf("allowed are %d, %v", n, err)
	}
	r.concerns(0, operate.ConcernOpen)

	r.connect(store.ConnectionBroken)
	if c := r.concerns(1, operate.ConcernOpen)[0]; c.Kind != operate.ConcernConnection || c.Location != "Northwind" {
		t.Errorf("a broken connection is %+v", c)
	}
	r.must(r.Acknowledge(t.Context(), "ann", r.concerns(1, operate.ConcernOpen)[0].Key))
	r.connect(store.ConnectionActive)
	r.concerns(0, operate.ConcernAcknowledged)
	r.connect(store.ConnectionBroken)
	r.concerns(1, operate.ConcernOpen)
	r.connect(store.ConnectionActive)

	r.ends("c5", store.Waiting, store.Cause{})
	r.concerns(0, operate.ConcernOpen)
	r.later(15 * time.Minute)
	if c := r.concerns(1, operate.ConcernOpen)[0]; c.Kind != operate.ConcernStuck || c.Count != 1 {
		t.Errorf("a webhook that waits is %+v", c)
	}
}

func TestARejectedTokenOfAQuietLocationIsFoundByItsReconciliation(t *testing.T) {
	r := setup(t)
	fails := func(outcome string, status int, reason string) {
		t.Helper()
		r.must(r.Store.NoteReconciliationFailure(t.Context(), store.ReconciliationFailure{
			Cause:  store.Cause{LocationID: "loc", Outcome: outcome, Vendor: "HighLevel", Status: status, Reason: reason, Operation: "search contacts of location"},
			Detail: "HighLevel: search contacts of location", Last: r.now,
		}))
	}
	fails(store.Auth, 401, "unauthorized")
	c := r.concerns(1, operate.ConcernOpen)[0]
	if c.What != "HighLevel rejects the token" || c.Kind != operate.ConcernConnection || c.Location != "Northwind" || c.Detail == "" {
		t.Errorf("it is %+v", c)
	}
	if v, err := r.Overview(t.Context()); err != nil || v.Concerns != 1 || v.Standing() == operate.InStep {
		t.Errorf("the overview says %q of %d concerns: %v", v.Standing(), v.Concerns, err)
	}
	r.ends("c1", store.Auth, store.Cause{Vendor: "HighLevel", Status: 401, Reason: "unauthorized"})
	if c := r.concerns(1, operate.ConcernOpen)[0]; c.Kind != operate.ConcernFailing {
		t.Errorf("beside a sync that fails by it, it is %+v", c)
	}
	r.ends("c1", store.Done, store.Cause{})
	r.connect(store.ConnectionActive) // again
	r.concerns(0, operate.ConcernOpen)
	fails(store.Auth, 401, "unauthorized")
	r.concerns(1, operate.ConcernOpen)
	r.must(r.Store.ReconciliationSucceeded(t.Context(), "loc"))
	r.concerns(0, operate.ConcernOpen)
	t.Run("and an outage after half an hour", func(t *testing.T) {
		fails(store.Retry, 503, "unavailable")
		r.concerns(0, operate.ConcernOpen)
		r.later(30 * time.Minute)
		fails(store.Retry, 503, "unavailable")
		if c := r.concerns(1, operate.ConcernOpen)[0]; c.What != "Milepost cannot look for changes in the location: HighLevel fails to search contacts of location (503)" {
			t.Errorf("it is %q", c.What)
		}
	})
}
