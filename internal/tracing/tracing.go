// Package tracing follows webhooks to the calls of the vendors, for OpenTelemetry.
//
// Guarantees: the ids of a webhook's span follow from its number and its time, so that
// nothing of a trace is stored. No personal data is in a span, nor in the log of a call.
// Nobody outside chooses the id of a trace. Switched off, it is not there at all.
//
// It knows nothing of how anything is done.
package tracing

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"milepost/internal/version"
)

// Tracer makes the spans of one process. A nil *Tracer makes none.
type Tracer struct {
	sample  sampler
	about   resourceOf
	out     *exporter
	queue   chan span
	stop    chan struct{}
	stopped chan struct{} // closed when all is exported
	cancel  context.CancelFunc
}

// New returns a tracer as the standard OTEL_ variables ask for, or nil if they ask for
// none: unless one of them names a receiver, or OTEL_TRACES_EXPORTER is otlp. The log warns
// of a value that is ignored.
func New(ctx context.Context, getenv func(string) string, logger zerolog.Logger) (*Tracer, error) {
	env := variables{getenv, logger}
	out, err := exporterOf(env)
	if out == nil {
		return nil, err
	}
	batches := batchesOf(env)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // Close ends it
	t := &Tracer{
		sample: samplerOf(env), about: resourceOfEnv(env, version.Get().Version), out: out,
		queue: make(chan span, batches.queue), stop: make(chan struct{}), stopped: make(chan struct{}), cancel: cancel,
	}
	go t.run(ctx, batches)
	return t, nil
}

// Close exports what is left, for as long as ctx lasts.
func (t *Tracer) Close(ctx context.Context) {
	if t == nil {
		return
	}
	defer t.cancel()
	close(t.stop)
	select {
	case <-t.stopped:
	case <-ctx.Done():
	}
}

// Webhook is an accepted webhook.
type Webhook struct {
	ID         int64 // its number in the inbox
	ReceivedAt time.Time
}

// Record is what a webhook or a sync is about.
type Record struct{ Location, Kind, ID string }

func (r Record) attributes() []keyValue {
	return []keyValue{text("milepost.location", r.Location), text("milepost.kind", r.Kind), text("milepost.id", r.ID)}
}

// ids derives the ids of the webhook's span.
func (w Webhook) ids() (i ids) {
	sum := sha256.Sum256(fmt.Appendf(nil, "milepost webhook %d %d", w.ID, w.ReceivedAt.UnixMicro()))
	copy(i.trace[:], sum[:16])
	copy(i.span[:], sum[16:])
	return i
}

// root returns the ids of the span of a webhook, and whether it is exported. Both follow from
// the webhook alone.
func (t *Tracer) root(w Webhook) ids {
	i := w.ids()
	i.sampled = t.sample(i.trace, false, false)
	return i
}

// Moved makes the span of a webhook: from its arrival until it is handed to the workers.
// To call it again for the same webhook makes the same span.
func (t *Tracer) Moved(_ context.Context, w Webhook, event string, of Record, skip string) {
	s := t.begin(t.root(w), "webhook "+event, consumerKind, w.ReceivedAt, append(of.attributes(), number("milepost.delivery", w.ID)))
	if skip != "" {
		s.set(text("milepost.skipped", skip))
	}
	s.end()
}

// Sync starts the span of a sync that takes these webhooks, the oldest first. It belongs to
// the trace of the first, and has links to the others. The lines of Log name the sync and
// its first webhook, also if t is nil.
func (t *Tracer) Sync(ctx context.Context, of Record, webhooks []Webhook) (context.Context, func(outcome string, err error)) {
	note := noted{}
	if len(webhooks) > 0 {
		note.delivery = webhooks[0].ID
	}
	if t == nil {
		_, _ = rand.Read(note.ids.span[:]) // it never fails
		return context.WithValue(ctx, notedKey{}, note), func(string, error) {}
	}
	if len(webhooks) > 0 {
		ctx = context.WithValue(ctx, parentKey{}, t.root(webhooks[0]))
	}
	ctx, s := t.start(ctx, cmp.Or("sync "+of.Kind, "sync"), internalKind, of.attributes()...)
	if len(webhooks) > 0 {
		s.set(number("milepost.delivery", note.delivery), number("milepost.deliveries", int64(len(webhooks))))
		for _, w := range webhooks[1:] {
			s.link(t.root(w), number("milepost.delivery", w.ID))
		}
	}
	note.ids = s.ids
	return context.WithValue(ctx, notedKey{}, note), func(outcome string, err error) {
		s.set(text("milepost.outcome", outcome))
		if err != nil {
			s.failed() // its text may quote a record
		}
		s.end()
	}
}

type notedKey struct{}

// noted is what the log says of a sync.
type noted struct {
	delivery int64 // 0 = no webhook asked for it
	ids      ids   // of the sync
}

// Log returns a logger whose lines name the sync that ctx belongs to, the first webhook that
// it takes, and its trace.
func Log(ctx context.Context, logger zerolog.Logger) *zerolog.Logger {
	n, ok := ctx.Value(notedKey{}).(noted)
	if !ok {
		return &logger
	}
	with := logger.With()
	if n.delivery != 0 {
		with = with.Int64("delivery", n.delivery)
	}
	with = with.Str("sync", n.ids.spanText())
	if n.ids.trace != (ids{}).trace {
		with = with.Str("trace", n.ids.traceText())
	}
	logger = with.Logger()
	return &logger
}
