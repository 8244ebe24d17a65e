package tracing

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// TestTracesAreSampledAsTheSDKDoes compares with the samplers of OpenTelemetry's SDK, since
// other programs may decide about the same trace.
func TestTracesAreSampledAsTheSDKDoes(t *testing.T) {
	for name, theirs := range map[string]sdk.Sampler{
		"":                         sdk.ParentBased(sdk.AlwaysSample()),
		"always_on":                sdk.AlwaysSample(),
		"always_off":               sdk.NeverSample(),
		"traceidratio":             sdk.TraceIDRatioBased(.3),
		"parentbased_always_on":    sdk.ParentBased(sdk.AlwaysSample()),
		"parentbased_always_off":   sdk.ParentBased(sdk.NeverSample()),
		"parentbased_traceidratio": sdk.ParentBased(sdk.TraceIDRatioBased(.3)),
	} {
		ours := samplerOf(variables{env(map[string]string{"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": "0.3"}), zerolog.Nop()})
		for n := range 400 {
			var id trace.TraceID
			for i := range id {
				id[i] = byte(rand.Uint32())
			}
			child, sampled := n%2 == 0, n%4 == 0
			ctx := t.Context()
			if child {
				config := trace.SpanContextConfig{TraceID: id, SpanID: trace.SpanID{1}, Remote: true}
				if sampled {
					config.TraceFlags = trace.FlagsSampled
				}
				ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(config))
			}
			want := theirs.ShouldSample(sdk.SamplingParameters{ParentContext: ctx, TraceID: id}).Decision == sdk.RecordAndSample
			if got := ours(id, child, child && sampled); got != want {
				t.Fatalf("%s: the trace %s (child %t, sampled %t) is sampled: %t", name, id, child, sampled, got)
			}
		}
	}
}

// TestAllSpansAreSentAtTheEnd ends more spans than a batch holds.
func TestAllSpansAreSentAtTheEnd(t *testing.T) {
	var sizes []int
	got := map[string]span{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var sent request
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			t.Error(err)
			return
		}
		spans := sent.ResourceSpans[0].ScopeSpans[0].Spans
		sizes = append(sizes, len(spans))
		for _, s := range spans {
			got[s.Name] = s
		}
	}))
	defer server.Close()
	tracer, err := New(t.Context(), env(map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": server.URL, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "3", "OTEL_BSP_SCHEDULE_DELAY": "3600000",
	}), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	webhooks := make([]Webhook, 200)
	for i := range webhooks {
		webhooks[i] = Webhook{ID: int64(i + 1), ReceivedAt: time.Unix(1_800_000_000, 0)}
	}
	for i, w := range webhooks[:7] {
		tracer.Moved(t.Context(), w, fmt.Sprint("W", i), Record{ID: "c"}, "")
	}
	_, ended := tracer.Sync(t.Context(), Record{Kind: "contact"}, webhooks)
	ended("done", nil)
	tracer.Close(t.Context())

	if !slices.Equal(sizes, []int{3, 3, 2}) {
		t.Errorf("batches of %v spans were sent", sizes)
	}
	first, sync := got["webhook W0"], got["sync contact"]
	if sync.TraceID != first.TraceID || sync.ParentSpanID != first.SpanID || len(sync.TraceID) != 32 || len(sync.SpanID) != 16 {
		t.Errorf("the sync is %+v, of the webhook %+v", sync, first)
	}
	if len(sync.Links) != 128 || sync.DroppedLinksCount != 71 || sync.Links[0].TraceID != got["webhook W1"].TraceID {
		t.Errorf("the sync has %d links, and %d are left out", len(sync.Links), sync.DroppedLinksCount)
	}
}
