package tracing

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"milepost/internal/outage"
	"milepost/internal/outbound"
)

// exporter sends spans to an OTLP receiver over HTTP, as JSON. OpenTelemetry's own brings
// gRPC and seven MiB along: see docs/decisions/14-traces-as-json.md.
type exporter struct {
	endpoint string
	header   http.Header
	client   *http.Client
	outages  *outage.Log
}

// exporterOf reads where spans go; nil = nowhere.
func exporterOf(getenv func(string) string, logger zerolog.Logger) (*exporter, error) {
	// The variable for traces goes before the one for all signals.
	of := func(name string) string {
		return cmp.Or(getenv("OTEL_EXPORTER_OTLP_TRACES_"+name), getenv("OTEL_EXPORTER_OTLP_"+name))
	}
	off, _ := strconv.ParseBool(getenv("OTEL_SDK_DISABLED"))
	switch kind := getenv("OTEL_TRACES_EXPORTER"); {
	case off, kind == "none", kind == "" && of("ENDPOINT") == "":
		return nil, nil
	case kind != "" && kind != "otlp":
		return nil, fmt.Errorf("OTEL_TRACES_EXPORTER=%s: Milepost exports traces by otlp only", kind)
	}
	if protocol := of("PROTOCOL"); protocol != "" && !strings.HasPrefix(protocol, "http/") {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL=%s: Milepost exports traces over HTTP as JSON; set http/json, and the endpoint of OTLP over HTTP, often port 4318", protocol)
	}
	endpoint := getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	if endpoint == "" {
		endpoint = strings.TrimRight(cmp.Or(getenv("OTEL_EXPORTER_OTLP_ENDPOINT"), "http://localhost:4318"), "/") + "/v1/traces"
	}
	if u, err := url.Parse(endpoint); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("OTEL_EXPORTER_OTLP_ENDPOINT must look like http://host:4318")
	}
	wait := 10 * time.Second
	if ms := of("TIMEOUT"); ms != "" {
		n, err := strconv.Atoi(ms)
		if err != nil || n <= 0 {
			return nil, errors.New("OTEL_EXPORTER_OTLP_TIMEOUT must be a number of milliseconds")
		}
		wait = time.Duration(n) * time.Millisecond
	}
	e := &exporter{endpoint: endpoint, header: http.Header{"Content-Type": {"application/json"}}, outages: outage.New(logger, "exporting traces", time.Now), client: &http.Client{
		Timeout:       wait,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for pair := range strings.SplitSeq(of("HEADERS"), ",") {
		name, value, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		switch {
		case strings.TrimSpace(pair) == "":
		case !ok, err != nil:
			return nil, errors.New("OTEL_EXPORTER_OTLP_HEADERS must look like name=value,name=value")
		default:
			e.header.Set(strings.TrimSpace(name), value)
		}
	}
	return e, nil
}

// export sends spans. A batch that cannot be sent is lost, and the log says so: traces
// never hold up work.
func (e *exporter) export(ctx context.Context, about resourceOf, spans []span) {
	if err := e.send(ctx, about, spans); err != nil {
		e.outages.Failed(err)
		return
	}
	e.outages.Succeeded()
}

func (e *exporter) send(ctx context.Context, about resourceOf, spans []span) error {
	body, err := json.Marshal(request{[]resourceSpans{{about, []scopeSpans{{scope{"milepost"}, spans}}}}})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.endpoint, bytes.NewReader(body))
	if err != nil {
		return errors.New("the endpoint of OTLP is no URL")
	}
	req.Header = e.header
	res, err := e.client.Do(req)
	if err != nil {
		return fmt.Errorf("send %d spans to the OTLP receiver: %w", len(spans), outbound.WithoutURL(err))
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20)) // so that the connection is used again
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("send %d spans to the OTLP receiver: it answered %d", len(spans), res.StatusCode)
	}
	return nil
}

// What follows is OTLP's JSON: ids in hex, enums as numbers, 64-bit integers as text.
type (
	request struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource   resourceOf   `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
	}
	resourceOf struct {
		Attributes []keyValue `json:"attributes"`
	}
	scopeSpans struct {
		Scope scope  `json:"scope"`
		Spans []span `json:"spans"`
	}
	scope struct {
		Name string `json:"name"`
	}
	span struct {
		TraceID           string     `json:"traceId"`
		SpanID            string     `json:"spanId"`
		ParentSpanID      string     `json:"parentSpanId,omitempty"`
		Name              string     `json:"name"`
		Kind              int        `json:"kind"`
		Start             int64      `json:"startTimeUnixNano,string"`
		End               int64      `json:"endTimeUnixNano,string"`
		Attributes        []keyValue `json:"attributes,omitempty"`
		Links             []link     `json:"links,omitempty"`
		DroppedLinksCount int        `json:"droppedLinksCount,omitempty"`
		Status            *status    `json:"status,omitempty"`
	}
	link struct {
		TraceID    string     `json:"traceId"`
		SpanID     string     `json:"spanId"`
		Attributes []keyValue `json:"attributes,omitempty"`
	}
	status struct {
		Message string `json:"message,omitempty"`
		Code    int    `json:"code"` // 2 = an error
	}
	keyValue struct {
		Key   string         `json:"key"`
		Value map[string]any `json:"value"`
	}
)
