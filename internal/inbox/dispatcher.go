package inbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"milepost/internal/order"
	"milepost/internal/outage"
	"milepost/internal/store"
)

const (
	dispatchBatch = 1000
	dispatchWait  = 10 * time.Millisecond  // after a wake-up, so that a burst on one entity costs one job
	dispatchShare = 4                      // while webhooks arrive, the dispatcher works a fourth of the time
	dispatchPause = 250 * time.Millisecond // but pauses for no longer
	dispatchPoll  = time.Second            // finds webhooks that another process stored and could not dispatch
	dispatchRetry = time.Second            // after a failure
)

// pause waits, and reports false if ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// joinOnce joins the inbox to the state database, unless that is done. A join makes
// webhooks in the inbox count as not dispatched.
func (in *Inbox) joinOnce(ctx context.Context, st *store.Store, logger zerolog.Logger) error {
	if in.joined.Load() {
		return nil
	}
	return in.Join(ctx, st, JoinConfig{Logger: logger, Now: time.Now, EmptyState: Replay})
}

// move moves a batch of webhooks, and returns how many.
func (in *Inbox) move(ctx context.Context, st *store.Store, judge func(context.Context, *store.Delivery)) (int, error) {
	return st.Dispatch(ctx, func(ctx context.Context, tx *store.Tx) ([]store.Delivery, error) {
		deliveries, err := in.log.claim(ctx, tx, dispatchBatch)
		// Sort by arrival, because claim may return another order.
		order.By(deliveries, func(a, b store.Delivery) int { return int(a.ID - b.ID) })
		for i := range deliveries {
			judge(ctx, &deliveries[i])
		}
		return deliveries, err
	})
}

// noteMove records the result of a move for the log and for readiness.
func (in *Inbox) noteMove(ctx context.Context, err error, outages *outage.Log) {
	switch {
	case err == nil:
		in.unreadable.Store(nil)
		outages.Succeeded()
	case ctx.Err() == nil:
		if unreadable, ok := errors.AsType[*unreadableError](err); ok && store.Damaged(unreadable) {
			cause := fmt.Errorf("read the stored webhooks: %w", unreadable.error)
			in.unreadable.Store(&cause)
		}
		outages.Failed(err)
	}
}

// Dispatch moves stored webhooks to the workers until ctx ends. For each delivery, judge
// says what to do: Skip, Happened and KeepLast.
func (in *Inbox) Dispatch(ctx context.Context, st *store.Store, judge func(context.Context, *store.Delivery), logger zerolog.Logger) {
	outages := outage.New(logger, "webhook dispatch", time.Now)
	for wait := time.Duration(0); ; {
		if !pause(ctx, wait) {
			return
		}
		select {
		case <-in.stored: // the move below includes all webhooks stored until now
		default:
		}
		start := time.Now()
		moved, err := 0, in.joinOnce(ctx, st, logger)
		if err == nil {
			moved, err = in.move(ctx, st, judge)
		}
		in.noteMove(ctx, err, outages)
		if err != nil && ctx.Err() == nil {
			wait = dispatchRetry
			continue
		}
		switch {
		case moved == dispatchBatch && len(in.stored) == 0:
			wait = 0 // more webhooks wait, and no request waits for an answer
		default:
			// Answers come first. Webhooks that arrive during the pause cost less in one
			// batch.
			took := time.Since(start)
			next := start.Add(took + min((dispatchShare-1)*took, dispatchPause))
			if moved < dispatchBatch && !in.awaitStored(ctx) {
				return
			}
			wait = max(dispatchWait, time.Until(next))
		}
	}
}

// awaitStored waits until a webhook is stored or dispatchPoll has passed. It returns false
// if ctx has ended.
func (in *Inbox) awaitStored(ctx context.Context) bool {
	timer := time.NewTimer(dispatchPoll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-in.stored:
	case <-timer.C:
	}
	return true
}
