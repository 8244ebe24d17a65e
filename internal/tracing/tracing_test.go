package tracing

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func env(of map[string]string) func(string) string {
	return func(name string) string { return of[name] }
}

func TestTracesAreOffUnlessAVariableAsksForThem(t *testing.T) {
	for _, c := range []struct {
		env map[string]string
		on  bool
	}{
		{nil, false},
		{map[string]string{"OTEL_SERVICE_NAME": "x"}, false},
		{map[string]string{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, false},
		{map[string]string{"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, false},
		{map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, true},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, true},
		{map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x/v1/traces"}, true},
	} {
		tracer, err := New(t.Context(), env(c.env), zerolog.Nop())
		if err != nil || (tracer != nil) != c.on {
			t.Errorf("%v: traces are on: %v (%v), want %v", c.env, tracer != nil, err, c.on)
		}
		tracer.Close(t.Context())
	}
}

// What OpenTelemetry says of wrong values: sdk-environment-variables.md of its specification,
// and resource/sdk.md of the attributes.
func TestAMistakeInAVariableIsIgnoredWithAWarning(t *testing.T) {
	for name, value := range map[string]string{
		"OTEL_TRACES_EXPORTER": "jaeger", "OTEL_SDK_DISABLED": "1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "10s",
		"OTEL_TRACES_SAMPLER": "some", "OTEL_RESOURCE_ATTRIBUTES": "a=1,key", "OTEL_BSP_SCHEDULE_DELAY": "5s", "OTEL_BSP_MAX_QUEUE_SIZE": "0",
		"OTEL_BSP_EXPORT_TIMEOUT": "-1", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "99999999999",
	} {
		var log bytes.Buffer
		of := env(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", name: value})
		tracer, err := New(t.Context(), of, zerolog.New(&log))
		if err != nil || tracer == nil {
			t.Errorf("%s=%s stops the start or the traces: %v", name, value, err)
			continue
		}
		defer tracer.Close(t.Context())
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"level":"warn","variable":"`+name+`"`) || strings.Contains(got, value) && len(value) > 3 {
			t.Errorf("%s=%s: the log says %s", name, value, got)
		}
		if got := batchesOf(variables{of, zerolog.Nop()}); got != (batches{2048, 512, 5 * time.Second, 30 * time.Second}) {
			t.Errorf("%s=%s: spans are collected by %+v", name, value, got)
		}
		if len(tracer.about.Attributes) != 2 || tracer.out.client.Timeout != 10*time.Second || !tracer.sample([16]byte{8: 255}, false, false) {
			t.Errorf("%s=%s: the tracer is %+v", name, value, tracer)
		}
	}
	var log bytes.Buffer
	samplerOf(variables{env(map[string]string{"OTEL_TRACES_SAMPLER": "TraceIDRatio", "OTEL_TRACES_SAMPLER_ARG": "NaN"}), zerolog.New(&log)})
	if !strings.Contains(log.String(), "OTEL_TRACES_SAMPLER_ARG") {
		t.Errorf("of a share that is no number the log says %q", log.String())
	}
}

func TestAReceiverThatCannotBeReadIsAnError(t *testing.T) {
	for name, value := range map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "key", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "=x", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "collector:4318"} {
		of := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", name: value}
		if _, err := New(t.Context(), env(of), zerolog.Nop()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
}

func TestATimeoutOfZeroIsNone(t *testing.T) {
	got := batchesOf(variables{env(map[string]string{"OTEL_BSP_EXPORT_TIMEOUT": "0", "OTEL_BSP_SCHEDULE_DELAY": "0"}), zerolog.Nop()})
	if got.timeout < 24*time.Hour || got.delay <= 0 {
		t.Errorf("spans are collected by %+v", got)
	}
}

// The sampler decides by the id of the trace, so it says the same of a webhook and, maybe in
// another process, of its sync.
func TestAWebhookAndItsSyncAreSampledTogether(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	tracer, err := New(t.Context(), env(map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": server.URL, "OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5",
	}), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer tracer.Close(t.Context())
	sampled := 0
	for n := range 200 {
		w := Webhook{ID: int64(n + 1), ReceivedAt: time.UnixMicro(1_800_000_000_000_000)}
		root := tracer.root(w)
		ctx, ended := tracer.Sync(t.Context(), Record{Kind: "contact"}, []Webhook{w})
		sync := ctx.Value(notedKey{}).(noted).ids
		ended("done", nil)
		if sync.sampled != root.sampled || sync.trace != root.trace {
			t.Fatalf("the webhook is %+v, its sync %+v", root, sync)
		}
		if root.sampled {
			sampled++
		}
	}
	if sampled < 50 || sampled > 150 {
		t.Errorf("%d of 200 are sampled, want about half", sampled)
	}
}

func TestTheFormOfABodyShowsNoValue(t *testing.T) {
	for body, want := range map[string]string{
		``:  ``,
		`x`: `1 bytes that are not JSON`,
		`{"contact":{"email":"a@example.com","dnd":true,"age":7,"tags":["x","y"],"none":null,"empty":[]}}`: `{"contact":{"age":"number","dnd":"true or false","email":"text","empty":[],"none":null,"tags":["text","2 in all"]}}`,
		`{"a@example.com":1}`: `{"(a name)":"number"}`,
		`{"4930123456":1}`:    `{"(a name)":"number"}`,
	} {
		if got := form([]byte(body)); got != want {
			t.Errorf("%s has the form %s, want %s", body, got, want)
		}
	}
}

func TestSwitchedOffNothingIsInTheWay(t *testing.T) {
	var tracer *Tracer
	if got := tracer.Transport(http.DefaultTransport, nil, zerolog.Nop()); got != http.DefaultTransport {
		t.Errorf("calls go through %T", got)
	}
}

func TestTheLogNamesTheSyncAndItsDeliveryAlsoWithoutTraces(t *testing.T) {
	var tracer *Tracer
	var out bytes.Buffer
	logger := zerolog.New(&out)
	ctx, ended := tracer.Sync(t.Context(), Record{"loc", "contact", "c1"}, []Webhook{{ID: 7}})
	Log(ctx, logger).Info().Msg("synced")
	ended("done", nil)
	if got := out.String(); !regexp.MustCompile(`"delivery":7,"sync":"[0-9a-f]{16}","message":"synced"`).MatchString(got) {
		t.Errorf("the line is %s", got)
	}
	out.Reset()
	Log(t.Context(), logger).Info().Msg("started")
	if got := out.String(); got != `{"level":"info","message":"started"}`+"\n" {
		t.Errorf("outside of a sync the line is %s", got)
	}
}
