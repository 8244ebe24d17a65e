package tracing

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// This file does what of OpenTelemetry's SDK Milepost needs; the SDK is more than one MiB of
// the binary: see docs/decisions/16-small-binary.md.

// ids name a span, and say whether its trace is exported.
type ids struct {
	trace   [16]byte
	span    [8]byte
	sampled bool
}

func (i ids) traceText() string { return hex.EncodeToString(i.trace[:]) }
func (i ids) spanText() string  { return hex.EncodeToString(i.span[:]) }

// parentKey is the context's key of the ids of the span that new ones belong to.
type parentKey struct{}

// The kinds of spans, numbered as in OTLP.
const (
	internalKind = 1
	clientKind   = 3
	consumerKind = 5
)

// mostLinks is how many links a span may have.
const mostLinks = 128

// running is a span that has not ended. One goroutine uses it.
type running struct {
	span

	tracer *Tracer
	ids    ids
}

// start starts a span now, which belongs to that of ctx. What is called with the context that
// it returns belongs to it.
func (t *Tracer) start(ctx context.Context, name string, kind int, attributes ...keyValue) (context.Context, *running) {
	parent, child := ctx.Value(parentKey{}).(ids)
	i := parent
	if !child {
		_, _ = rand.Read(i.trace[:]) // it never fails
	}
	_, _ = rand.Read(i.span[:])
	i.sampled = t.sample(i.trace, child, parent.sampled)
	s := t.begin(i, name, kind, time.Now(), attributes)
	if child {
		s.ParentSpanID = parent.spanText()
	}
	return context.WithValue(ctx, parentKey{}, i), s
}

func (t *Tracer) begin(i ids, name string, kind int, at time.Time, attributes []keyValue) *running {
	return &running{tracer: t, ids: i, span: span{
		TraceID: i.traceText(), SpanID: i.spanText(), Name: name, Kind: kind, Start: at.UnixNano(), Attributes: attributes,
	}}
}

func (r *running) set(attributes ...keyValue) { r.Attributes = append(r.Attributes, attributes...) }

func (r *running) failed() { r.Status = &status{Code: 2} }

// link adds links, of which too many are only counted.
func (r *running) link(to ids, attributes ...keyValue) {
	if len(r.Links) == mostLinks {
		r.DroppedLinksCount++
		return
	}
	r.Links = append(r.Links, link{to.traceText(), to.spanText(), attributes})
}

// end ends the span, and queues it if it is exported. If the queue is full, it is lost.
func (r *running) end() {
	if !r.ids.sampled {
		return
	}
	r.End = time.Now().UnixNano()
	select {
	case r.tracer.queue <- r.span:
	default:
	}
}

// sampler decides whether a trace is exported. child reports that it began elsewhere, and
// sampled what was decided there.
type sampler func(trace [16]byte, child, sampled bool) bool

func samplerOf(env variables) sampler {
	name := cmp.Or(env.word("OTEL_TRACES_SAMPLER"), "parentbased_always_on")
	kind, parentBased := strings.CutPrefix(name, "parentbased_")
	share := 1.0
	switch kind {
	case "always_on":
	case "always_off":
		share = 0
	case "traceidratio":
		if text := env.get("OTEL_TRACES_SAMPLER_ARG"); text != "" {
			x, err := strconv.ParseFloat(text, 64)
			if err == nil && x >= 0 && x <= 1 {
				share = x
			} else {
				env.ignore("OTEL_TRACES_SAMPLER_ARG", "be a number from 0 to 1")
			}
		}
	default:
		env.ignore("OTEL_TRACES_SAMPLER", "be always_on, always_off or traceidratio, or one of them with parentbased_ before it")
		parentBased = true
	}
	below := uint64(share * (1 << 63))
	return func(trace [16]byte, child, sampled bool) bool {
		if child && parentBased {
			return sampled
		}
		return binary.BigEndian.Uint64(trace[8:])>>1 < below // as the SDKs of OpenTelemetry decide
	}
}

// resourceOfEnv returns what the spans say of the process.
func resourceOfEnv(env variables, version string) (out resourceOf) {
	about := map[string]string{"service.name": "milepost", "service.version": version}
	given, err := pairs(env.get("OTEL_RESOURCE_ATTRIBUTES"))
	if err != nil {
		env.ignore("OTEL_RESOURCE_ATTRIBUTES", "look like name=value,name=value")
	}
	maps.Copy(about, given)
	if name := env.get("OTEL_SERVICE_NAME"); name != "" {
		about["service.name"] = name
	}
	for _, name := range slices.Sorted(maps.Keys(about)) {
		out.Attributes = append(out.Attributes, text(name, about[name]))
	}
	return out
}

// batches says how spans are collected before they are sent.
type batches struct {
	queue, most    int // spans
	delay, timeout time.Duration
}

func batchesOf(env variables) batches {
	return batches{
		queue: env.number("OTEL_BSP_MAX_QUEUE_SIZE", 1, 2048), most: env.number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 1, 512),
		delay: env.delay("OTEL_BSP_SCHEDULE_DELAY", 5000), timeout: env.timeout("OTEL_BSP_EXPORT_TIMEOUT", 30000),
	}
}

// run exports spans until stop is closed, and then those that are left.
func (t *Tracer) run(ctx context.Context, of batches) {
	defer close(t.stopped)
	tick := time.NewTicker(of.delay)
	defer tick.Stop()
	var batch []span
	send := func() {
		if len(batch) > 0 {
			ctx, cancel := context.WithTimeout(ctx, of.timeout)
			defer cancel()
			t.out.export(ctx, t.about, batch)
			batch = nil
		}
	}
	for {
		select {
		case s := <-t.queue:
			if batch = append(batch, s); len(batch) == of.most {
				send()
			}
		case <-tick.C:
			send()
		case <-t.stop:
			for len(t.queue) > 0 {
				if batch = append(batch, <-t.queue); len(batch) == of.most {
					send()
				}
			}
			send()
			return
		}
	}
}

func text(name, value string) keyValue {
	return keyValue{name, map[string]any{"stringValue": value}}
}

func number(name string, value int64) keyValue {
	return keyValue{name, map[string]any{"intValue": strconv.FormatInt(value, 10)}}
}
