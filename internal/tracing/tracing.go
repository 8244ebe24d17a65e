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
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"milepost/internal/version"
)

// Tracer makes the spans of one process. A nil *Tracer makes none.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// New returns a tracer as the standard OTEL_ variables ask for, or nil if they ask for
// none: unless one of them names a receiver, or OTEL_TRACES_EXPORTER is otlp.
func New(ctx context.Context, getenv func(string) string, logger zerolog.Logger) (*Tracer, error) {
	out, err := exporterOf(getenv, logger)
	if out == nil {
		return nil, err
	}
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "milepost"), attribute.String("service.version", version.Get().Version)),
		resource.WithFromEnv()) // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go first
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	// The provider reads OTEL_TRACES_SAMPLER and the limits of spans, the batcher OTEL_BSP_….
	provider := sdk.NewTracerProvider(sdk.WithResource(about), sdk.WithIDGenerator(generator{}), sdk.WithBatcher(out))
	return &Tracer{provider: provider, tracer: provider.Tracer("milepost")}, nil
}

// Close exports what is left, for as long as ctx lasts.
func (t *Tracer) Close(ctx context.Context) {
	if t != nil {
		_ = t.provider.Shutdown(ctx) // the exporter logs it
	}
}

// Webhook is an accepted webhook.
type Webhook struct {
	ID         int64 // its number in the inbox
	ReceivedAt time.Time
}

// Record is what a webhook or a sync is about.
type Record struct{ Location, Kind, ID string }

func (r Record) attributes(more ...attribute.KeyValue) trace.SpanStartEventOption {
	return trace.WithAttributes(append(more, attribute.String("milepost.location", r.Location),
		attribute.String("milepost.kind", r.Kind), attribute.String("milepost.id", r.ID))...)
}

// ids are those of a span that is known from elsewhere.
type ids struct {
	trace trace.TraceID
	span  trace.SpanID
}

// ids derives the ids of the webhook's span.
func (w Webhook) ids() (i ids) {
	sum := sha256.Sum256(fmt.Appendf(nil, "milepost webhook %d %d", w.ID, w.ReceivedAt.UnixMicro()))
	copy(i.trace[:], sum[:16])
	copy(i.span[:], sum[16:])
	return i
}

type idsKey struct{}

// generator makes random ids, unless the context has some.
type generator struct{}

func (generator) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if i, ok := ctx.Value(idsKey{}).(ids); ok {
		return i.trace, i.span
	}
	var i ids
	_, _ = rand.Read(i.trace[:]) // it never fails
	return i.trace, generator{}.NewSpanID(ctx, i.trace)
}

func (generator) NewSpanID(context.Context, trace.TraceID) (s trace.SpanID) {
	_, _ = rand.Read(s[:])
	return s
}

// root starts the span of a webhook.
func (t *Tracer) root(ctx context.Context, w Webhook, name string, options ...trace.SpanStartOption) trace.Span {
	_, span := t.tracer.Start(context.WithValue(ctx, idsKey{}, w.ids()), name,
		append(options, trace.WithNewRoot(), trace.WithTimestamp(w.ReceivedAt), trace.WithSpanKind(trace.SpanKindConsumer))...)
	return span
}

// Moved makes the span of a webhook: from its arrival until it is handed to the workers.
// To call it again for the same webhook makes the same span.
func (t *Tracer) Moved(ctx context.Context, w Webhook, event string, of Record, skip string) {
	span := t.root(ctx, w, "webhook "+event, of.attributes(attribute.Int64("milepost.delivery", w.ID)))
	if skip != "" {
		span.SetAttributes(attribute.String("milepost.skipped", skip))
	}
	span.End()
}

// Sync starts the span of a sync that takes these webhooks, the oldest first. It belongs to
// the trace of the first, and has links to the others.
func (t *Tracer) Sync(ctx context.Context, of Record, webhooks []Webhook) (context.Context, func(outcome string, err error)) {
	options := []trace.SpanStartOption{of.attributes()}
	note := noted{}
	for i, w := range webhooks {
		// Whether a webhook is sampled follows from the id of its trace. This span is not
		// ended, and so not exported: Moved does that.
		at := t.root(ctx, w, "").SpanContext()
		if i == 0 {
			note.delivery = w.ID
			ctx = trace.ContextWithRemoteSpanContext(ctx, at)
			continue
		}
		options = append(options, trace.WithLinks(trace.Link{SpanContext: at, Attributes: []attribute.KeyValue{attribute.Int64("milepost.delivery", w.ID)}}))
	}
	if note.delivery != 0 {
		options = append(options, trace.WithAttributes(attribute.Int64("milepost.delivery", note.delivery), attribute.Int("milepost.deliveries", len(webhooks))))
	}
	ctx, span := t.tracer.Start(ctx, cmp.Or("sync "+of.Kind, "sync"), options...)
	note.trace = span.SpanContext()
	return context.WithValue(ctx, notedKey{}, note), func(outcome string, err error) {
		span.SetAttributes(attribute.String("milepost.outcome", outcome))
		if err != nil {
			span.SetStatus(codes.Error, "") // its text may quote a record
		}
		span.End()
	}
}

type notedKey struct{}

// noted is what the log says of a sync.
type noted struct {
	delivery int64 // 0 = no webhook asked for it
	trace    trace.SpanContext
}

// Note adds to a line the ids of the sync that ctx belongs to: its trace, its own, and that
// of the first webhook it takes.
func Note(ctx context.Context, line *zerolog.Event) *zerolog.Event {
	n, ok := ctx.Value(notedKey{}).(noted)
	if !ok {
		return line
	}
	if n.delivery != 0 {
		line.Int64("delivery", n.delivery)
	}
	return line.Stringer("sync", n.trace.SpanID()).Stringer("trace", n.trace.TraceID())
}
