package inbox

import (
	"context"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"milepost/internal/store"
)

const (
	dispatchBatch = 500
	dispatchWait  = 10 * time.Millisecond // after a wake-up, so that a burst on one entity costs one job
	dispatchPoll  = time.Second           // finds what another process stored and could not dispatch
	dispatchRetry = time.Second           // after a failure
)

// Dispatch moves stored webhooks to the workers until ctx ends. skip says why
// nothing is to be done for a delivery, or "" where its entity is to be synced.
func (in *Inbox) Dispatch(ctx context.Context, st *store.Store, skip func(context.Context, store.Delivery) string, logger zerolog.Logger) {
	for wait := time.Duration(0); ; {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		moved, err := st.Dispatch(ctx, func(ctx context.Context, tx *store.Tx) ([]store.Delivery, error) {
			deliveries, err := in.log.claim(ctx, tx, dispatchBatch)
			// In the order of arrival, which the claim need not keep.
			slices.SortFunc(deliveries, func(a, b store.Delivery) int { return int(a.ID - b.ID) })
			for i := range deliveries {
				deliveries[i].Skip = skip(ctx, deliveries[i])
			}
			return deliveries, err
		})
		switch {
		case err != nil && ctx.Err() == nil:
			logger.Error().Err(err).Msg("stored webhooks wait; trying again")
			wait = dispatchRetry
		case moved == dispatchBatch:
			wait = 0 // there is more
		default:
			if !in.awaitStored(ctx) {
				return
			}
			wait = dispatchWait
		}
	}
}

// awaitStored returns when something was stored, or dispatchPoll has passed;
// false when ctx has ended.
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
