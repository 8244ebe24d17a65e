package sync

import (
	"strings"
	"testing"

	"milepost/internal/store"
	"milepost/internal/testenv"
)

func TestTheCallsOfASyncAndItsMailsAreKept(t *testing.T) {
	testenv.Long(t)
	b := setup(t, "")
	e := b.jane("2030-06-01")
	kept := func() store.SyncCalls {
		t.Helper()
		b.must(b.store.Requeue(t.Context(), []store.Entity{e}, false))
		state, err := b.store.EntityState(t.Context(), e)
		b.must(err)
		b.must(b.newRun(e, nil).do(t.Context()))
		sync, ok, err := b.store.SyncOf(t.Context(), e, state.Wanted)
		if b.must(err); !ok {
			t.Fatal("nothing is kept")
		}
		b.pass(pauseAfterSync)
		return sync.Made
	}
	first := kept()
	var read, write *store.SyncCall
	for i, c := range first.Calls {
		switch {
		case c.Operation == "get contact":
			read = &first.Calls[i]
		case c.Method == "POST" && c.Path == "/meeting/tasks":
			write = &first.Calls[i]
		}
		if strings.Contains(c.Request+c.Answer, "pit-test") || strings.Contains(c.Answer, "ch-test") {
			t.Errorf("%s %s shows a token", c.Method, c.Path)
		}
	}
	switch {
	case read == nil || write == nil:
		t.Fatalf("the calls are %+v", first.Calls)
	case !strings.Contains(read.Answer, "jane@example.com") || read.Writes || read.Status != 200:
		t.Errorf("the read is %+v", *read)
	case !strings.Contains(write.Request, "Closing") || !write.Writes || write.Answer == "":
		t.Errorf("the write is %+v", *write)
	}
	if len(first.Mailed) != 1 || first.Mailed[0].To != ownerMail || first.Mailed[0].What != "invitation" {
		t.Errorf("mailed were %+v", first.Mailed)
	}
	again := kept()
	if len(again.Calls) == 0 || len(again.Mailed) != 0 {
		t.Errorf("a sync that changes nothing made %+v", again)
	}
	for _, c := range again.Calls {
		if c.Request+c.Answer != "" {
			t.Errorf("a sync that changes nothing keeps the bodies of %s", c.Path)
		}
	}
	b.setDate(e, "2030-07-01")
	if moved := kept().Mailed; len(moved) != 2 || moved[0].What != "cancellation" || moved[0].To != ownerMail || moved[1].What != "invitation" {
		t.Errorf("a move mailed %+v", moved)
	}
}
