package operate_test

import (
	"context"
	"fmt"
	"testing"

	"milepost/internal/operate"
	"milepost/internal/store"
	"milepost/internal/testenv"
)

func TestARetryOfManyRecordsIsARunThatCanBeCancelled(t *testing.T) {
	testenv.Long(t)
	r := setup(t)
	const n = 501
	list := make([]store.Delivery, n)
	for i := range list {
		id := fmt.Sprintf("c%03d", i)
		list[i] = store.Delivery{ID: int64(i + 1), Type: "ContactUpdate", Entity: contact(id), ContactID: id, ReceivedAt: r.now}
	}
	_, err := r.Store.Dispatch(t.Context(), func(context.Context, *store.Tx) ([]store.Delivery, error) { return list, nil })
	r.must(err)
	for _, d := range list {
		_, err := r.Store.FinishSync(t.Context(), nil, store.Finish{Entity: d.Entity, Wanted: 1, Outcome: store.Invalid, Cause: rejected, Now: r.now})
		r.must(err)
	}
	key := r.concerns(1, operate.ConcernOpen)[0].Key
	done, err := r.Retry(t.Context(), "dana", key)
	r.must(err)
	if done.Records != n || done.Replay == 0 {
		t.Fatalf("the retry began %+v", done)
	}
	run, err := r.ReplayRun(t.Context(), done.Replay)
	r.must(err)
	if run.Total != n || run.Queued != 0 || run.State != store.ApplyRunning || run.By != "dana" {
		t.Errorf("the run is %+v", run)
	}
	if was, err := r.CancelReplay(t.Context(), "dana", done.Replay); err != nil || !was {
		t.Errorf("it cannot be cancelled: %v, %v", was, err)
	}
}
