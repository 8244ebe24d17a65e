package store_test

import (
	"testing"
	"time"

	"milepost/internal/store"
	"milepost/internal/testenv"
)

// callBundle is a store with calls.
type callBundle struct {
	*bundle
	t   *testing.T
	now time.Time
}

func contactOf(id string) store.Entity {
	return store.Entity{LocationID: "loc", Kind: "contact", ID: id}
}

// begin begins a call of an item, for a record of a contact if one is given.
func (b *callBundle) begin(e store.Entity, contact string, generation int64) (store.Call, time.Time) {
	b.t.Helper()
	l := store.Link{Entity: e, Item: "a/1", ItemKind: "request", State: store.LinkCreating, Generation: generation, Content: "x"}
	call, until, err := b.BeginCall(b.t.Context(), store.Call{Entity: e, Item: "a/1", Generation: generation, Automation: "a", Operation: "highlevel.create_note"}, contact, l, b.now)
	if err != nil {
		b.t.Fatal(err)
	}
	return call, until
}

func (b *callBundle) end(c store.Call, state store.CallState, made string) {
	b.t.Helper()
	link := b.link(c.Entity)
	link.State = store.LinkLive
	if state == store.CallUnclear {
		link.State = store.LinkUnanswered
	}
	if err := b.EndCall(b.t.Context(), c, state, made, link, b.now); err != nil {
		b.t.Fatal(err)
	}
}

func (b *callBundle) link(e store.Entity) store.Link {
	b.t.Helper()
	return must(b.Links(b.t.Context(), e))(b.t)["a/1"]
}

func (b *callBundle) open() []store.Call {
	b.t.Helper()
	return must(b.OpenCalls(b.t.Context(), b.now))(b.t)
}

func (b *callBundle) wanted(e store.Entity) int64 {
	b.t.Helper()
	return must(b.EntityState(b.t.Context(), e))(b.t).Wanted
}

func onCalls(t *testing.T, test func(b *callBundle)) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		test(&callBundle{setup(t, open, nil), t, time.UnixMicro(1_900_000_000_000_000).UTC()})
	})
}

func TestAnUnclearCallIsSettledOnce(t *testing.T) {
	onCalls(t, func(b *callBundle) {
		e := contactOf("c1")
		for i, tc := range []struct {
			again   bool
			state   store.LinkState
			content string
		}{{false, store.LinkLive, "x"}, {true, store.LinkGone, ""}} {
			call, _ := b.begin(e, "c1", int64(i+1))
			if known, ok, err := b.CallOf(b.t.Context(), b.link(e)); err != nil || !ok || known.ID != call.ID || known.State != store.CallSending {
				b.t.Errorf("of the link it knows %+v, %v, %v", known, ok, err)
			}
			b.end(call, store.CallUnclear, "")
			if open := b.open(); len(open) != 1 || open[0].ID != call.ID || open[0].Entity != e || open[0].Operation != "highlevel.create_note" {
				b.t.Fatalf("open are %+v", open)
			}
			before := b.wanted(e)
			if _, superseded, ok, err := b.SettleCall(b.t.Context(), call.ID, tc.again, b.now); err != nil || !ok || superseded {
				b.t.Fatalf("settled: %v %v %v", superseded, ok, err)
			}
			if link := b.link(e); link.State != tc.state || link.Content != tc.content {
				b.t.Errorf("again = %v: the link is %q with %q", tc.again, link.State, link.Content)
			}
			if b.wanted(e) != before+1 || len(b.open()) != 0 {
				b.t.Errorf("again = %v: no sync is wanted, or it is still open", tc.again)
			}
			if _, _, ok, err := b.SettleCall(b.t.Context(), call.ID, tc.again, b.now); err != nil || ok {
				b.t.Errorf("it was settled twice: %v", err)
			}
		}
		unclear, _ := b.begin(e, "c1", 3)
		b.end(unclear, store.CallUnclear, "")
		later, _ := b.begin(e, "c1", 4)
		b.end(later, store.CallSent, "")
		if _, superseded, ok, err := b.SettleCall(b.t.Context(), unclear.ID, true, b.now); err != nil || !ok || !superseded || b.link(e).State != store.LinkLive {
			b.t.Errorf("one that another follows was taken up again: %v %v %v", superseded, ok, err)
		}
	})
}

func TestTooManyCallsAreStoppedForAnHourOrUntilAPersonReleasesThem(t *testing.T) {
	testenv.Long(t)
	onCalls(t, func(b *callBundle) {
		// A contact, its note, and a contact that its call created are one chain.
		jane, note, made := contactOf("jane"), store.Entity{LocationID: "loc", Kind: "note", ID: "n1"}, contactOf("made")
		first := b.now
		send := func(e store.Entity, contact string, generation int64) store.Call {
			b.t.Helper()
			call, until := b.begin(e, contact, generation)
			if !until.IsZero() {
				b.t.Fatalf("call %d of %s is stopped until %s", generation, e, until)
			}
			b.now = b.now.Add(time.Second)
			return call
		}
		b.end(send(jane, "jane", 1), store.CallSent, "made")
		for i := range int64(9) {
			b.end(send(note, "jane", i+1), store.CallSent, "")
		}
		for i := range int64(10) {
			b.end(send(made, "made", i+1), store.CallSent, "")
		}
		stopped, until := b.begin(made, "made", 11)
		if stopped.State != store.CallStopped || !until.Equal(first.Add(store.CallsWindow)) || b.link(made).Generation != 10 {
			b.t.Errorf("call 21 is %s until %s, its link %+v", stopped.State, until, b.link(made))
		}
		send(contactOf("other"), "other", 1) // has its own chain
		if again, _ := b.begin(made, "made", 11); len(b.open()) != 1 || b.open()[0].ID != again.ID {
			b.t.Errorf("open are %+v", b.open())
		}
		b.begin(note, "jane", 10)

		now := b.now
		b.now = until
		if call, until := b.begin(jane, "jane", 2); call.State != store.CallSending || !until.IsZero() {
			b.t.Errorf("after an hour it is %s", call.State)
		}
		b.now = now
		id := b.open()[0].ID
		if list := must(b.ReleaseCalls(b.t.Context(), id))(b.t); len(list) != 2 || len(b.open()) != 0 || b.wanted(made) != 1 || b.wanted(note) != 1 {
			b.t.Errorf("%d were released, open are %+v", len(list), b.open())
		}
		send(made, "made", 11)
		if list := must(b.ReleaseCalls(b.t.Context(), id))(b.t); len(list) != 0 {
			b.t.Error("it was released twice")
		}
	})
}

func TestPruneKeepsCallsThatAPersonMustSettle(t *testing.T) {
	onCalls(t, func(b *callBundle) {
		sent, _ := b.begin(contactOf("a"), "a", 1)
		b.end(sent, store.CallSent, "")
		unclear, _ := b.begin(contactOf("b"), "b", 1)
		b.end(unclear, store.CallUnclear, "")
		b.begin(contactOf("c"), "c", 1)
		if n := must(b.PruneCalls(b.t.Context(), b.now.Add(time.Second)))(b.t); n != 1 || len(b.open()) != 1 {
			b.t.Errorf("%d were deleted, open are %+v", n, b.open())
		}
		if _, ok, err := b.CallOf(b.t.Context(), b.link(contactOf("c"))); err != nil || !ok {
			b.t.Errorf("one that is being sent was deleted: %v", err)
		}
	})
}
