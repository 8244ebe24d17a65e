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
	"strings"
	"time"

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

// exporterOf reads where spans go; nil = nowhere. The error is that of an endpoint or of
// headers, for which nothing can stand in.
func exporterOf(env variables) (*exporter, error) {
	kind, endpoint := env.word("OTEL_TRACES_EXPORTER"), env.exporting("ENDPOINT")
	if kind != "" && kind != "otlp" && kind != "none" {
		env.ignore("OTEL_TRACES_EXPORTER", "be otlp or none")
		kind = ""
	}
	off := env.word("OTEL_SDK_DISABLED")
	if off != "" && off != "true" && off != "false" {
		env.ignore("OTEL_SDK_DISABLED", "be true or false")
	}
	if off == "true" || kind == "none" || kind == "" && env.get(endpoint) == "" {
		return nil, nil
	}
	protocol := env.exporting("PROTOCOL")
	if p := env.word(protocol); p != "" && !strings.HasPrefix(p, "http/") {
		env.ignore(protocol, "be http/json, and the endpoint that of OTLP over HTTP, often port 4318")
	}
	to, like := env.get(endpoint), "http://host:4318/v1/traces"
	if endpoint == "OTEL_EXPORTER_OTLP_ENDPOINT" {
		to, like = strings.TrimRight(cmp.Or(to, "http://localhost:4318"), "/")+"/v1/traces", "http://host:4318"
	}
	if u, err := url.Parse(to); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%s must look like %s", endpoint, like)
	}
	headers := env.exporting("HEADERS")
	given, err := pairs(env.get(headers))
	if err != nil {
		return nil, fmt.Errorf("%s %w", headers, err)
	}
	header := http.Header{"Content-Type": {"application/json"}}
	for name, value := range given {
		header.Set(name, value)
	}
	return &exporter{endpoint: to, header: header, outages: outage.New(env.logger, "exporting traces", time.Now), client: &http.Client{
		Timeout:       env.timeout(env.exporting("TIMEOUT"), 10000),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// pairs reads name=value,name=value.
func pairs(text string) (map[string]string, error) {
	found := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || err != nil || name == "" {
			return nil, errors.New("must look like name=value,name=value")
		}
		found[name] = value
	}
	return found, nil
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
