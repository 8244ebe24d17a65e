package app

import (
	"context"
	"time"

	"milepost/internal/store"
	"milepost/internal/tracing"
)

// mostLinked is how many webhooks the trace of one sync names. OpenTelemetry keeps as many
// links by default.
const mostLinked = 128

// tracesGrace is how long a shutdown waits for the receiver of the last spans.
const tracesGrace = 2 * time.Second

// traceWebhooks makes a span of each webhook that is moved to the workers. If the move
// fails, the webhook is judged again, and its span is the same.
func traceWebhooks(t *tracing.Tracer, judge func(context.Context, *store.Delivery)) func(context.Context, *store.Delivery) {
	if t == nil {
		return judge
	}
	return func(ctx context.Context, d *store.Delivery) {
		judge(ctx, d)
		t.Moved(ctx, tracing.Webhook{ID: d.ID, ReceivedAt: d.ReceivedAt}, d.Type, recordOf(d.Entity), d.Skip)
	}
}

// traceSyncs returns what makes a span of each sync, and has the log name it. If traces are
// off, it does only the latter.
func (s *State) traceSyncs(t *tracing.Tracer) func(context.Context, store.EntityState) (context.Context, func(string, error)) {
	most := mostLinked
	if t == nil {
		most = 1
	}
	return func(ctx context.Context, state store.EntityState) (context.Context, func(string, error)) {
		taken, err := s.Store.OpenDeliveries(ctx, state.Entity, state.Wanted, most)
		if err != nil {
			taken = nil // the sync fails, too, and says so
		}
		var webhooks []tracing.Webhook
		for _, d := range taken {
			webhooks = append(webhooks, tracing.Webhook{ID: d.ID, ReceivedAt: d.ReceivedAt})
		}
		return t.Sync(ctx, recordOf(state.Entity), webhooks)
	}
}

func recordOf(e store.Entity) tracing.Record {
	return tracing.Record{Location: e.LocationID, Kind: e.Kind, ID: e.ID}
}

// closeTracer exports what is left.
func (a *App) closeTracer(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tracesGrace)
	defer cancel()
	a.tracer.Close(ctx)
}
