// Package metrics counts and measures what Milepost does, for Prometheus.
//
// Guarantees: no label has values that grow with the number of customers; outcomes are
// the words of the deliveries; nothing that a stranger sends becomes a label. What is
// read from the database is read at most every few seconds, however often Prometheus
// asks.
//
// It knows nothing of how anything is done.
package metrics

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"milepost/internal/catalog"
	"milepost/internal/version"
)

// Metrics are those of one process. A nil *Metrics measures nothing.
type Metrics struct {
	registry  *prometheus.Registry
	webhooks  *prometheus.CounterVec
	ack       *prometheus.HistogramVec
	syncs     *prometheus.CounterVec
	syncTook  *prometheus.HistogramVec
	reminders prometheus.Histogram
	calls     *prometheus.CounterVec
	callTook  *prometheus.HistogramVec

	accepted, rejected atomic.Int64 // webhooks of HighLevel, by their signature
}

// New returns the metrics of this process.
func New() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		webhooks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "milepost_webhooks_total", Help: "Webhooks by the status of the answer.",
		}, []string{"source", "code"}),
		ack: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "milepost_webhook_answer_seconds", Help: "Time to the answer of a webhook.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"source"}),
		syncs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "milepost_syncs_total", Help: "Syncs of records that ended, by kind and outcome.",
		}, []string{"kind", "outcome"}),
		syncTook: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "milepost_sync_seconds", Help: "Duration of the sync of a record.",
			Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"kind"}),
		reminders: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "milepost_reminder_lag_seconds", Help: "How much later than planned a reminder was sent.",
			Buckets: []float64{1, 5, 15, 60, 300, 900, 3600},
		}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "milepost_vendor_requests_total", Help: "Requests to the vendors by operation of the catalogue and status; code 0 is no answer.",
		}, []string{"vendor", "operation", "code"}),
		callTook: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "milepost_vendor_request_seconds", Help: "Duration of a request to a vendor.",
			Buckets: []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"vendor"}),
	}
	info := version.Get()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "milepost_build_info", Help: "The version of Milepost and of Go.", ConstLabels: prometheus.Labels{"version": info.Version, "goversion": info.Go},
	})
	build.Set(1)
	m.registry.MustRegister(m.webhooks, m.ack, m.syncs, m.syncTook, m.reminders, m.calls, m.callTook, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Watch adds the gauges that say how things stand. read is asked at each scrape.
func (m *Metrics) Watch(read func(context.Context) (State, error)) {
	m.registry.MustRegister(&stateCollector{read: read})
}

// Handler answers Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// Webhooks measures a handler of webhooks. source names the kind of webhooks.
func (m *Metrics) Webhooks(source string, next http.Handler) http.Handler {
	if m == nil {
		return next
	}
	took := m.ack.WithLabelValues(source)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		next.ServeHTTP(ww, r)
		took.Observe(time.Since(start).Seconds())
		m.webhooks.WithLabelValues(source, strconv.Itoa(ww.Status())).Inc()
		switch {
		case source != "highlevel":
		case ww.Status() == http.StatusUnauthorized:
			m.rejected.Add(1)
		default:
			m.accepted.Add(1)
		}
	})
}

// Signatures is how many of HighLevel's webhooks had a valid signature, and how many had
// not, since this process started.
func (m *Metrics) Signatures() (accepted, rejected int64) {
	return m.accepted.Load(), m.rejected.Load()
}

// Synced counts the sync of a record that ended.
func (m *Metrics) Synced(kind, outcome string, took time.Duration) {
	if m != nil {
		m.syncs.WithLabelValues(kind, outcome).Inc()
		m.syncTook.WithLabelValues(kind).Observe(took.Seconds())
	}
}

// Reminded measures how late a reminder was sent.
func (m *Metrics) Reminded(late time.Duration) {
	if m != nil {
		m.reminders.Observe(max(0, late.Seconds()))
	}
}

// other is the operation of a request that is not in the catalogue, such as that for a
// token.
const other = "other"

// Operations returns what names the vendor of a request, and the operation of the catalogue.
// It is given the base URLs of the vendors by name. Of other requests both names are empty.
func Operations(vendors map[string]string) func(*http.Request) (vendor, operation string) {
	type base struct{ name, host, path string }
	var bases []base
	for vendor, text := range vendors {
		if u, err := url.Parse(text); err == nil {
			bases = append(bases, base{vendor, u.Host, strings.TrimSuffix(u.Path, "/")})
		}
	}
	return func(r *http.Request) (vendor, operation string) {
		for _, b := range bases {
			path, ours := strings.CutPrefix(r.URL.Path, b.path)
			if r.URL.Host != b.host || !ours {
				continue
			}
			if e, ok := catalog.Match(b.name, r.Method, path); ok {
				return b.name, e.Name
			}
			return b.name, other
		}
		return "", ""
	}
}

// Transport measures the requests to the vendors, which operation names.
func (m *Metrics) Transport(next http.RoundTripper, operation func(*http.Request) (vendor, name string)) http.RoundTripper {
	return &transport{next: next, metrics: m, operation: operation}
}

type transport struct {
	next      http.RoundTripper
	metrics   *Metrics
	operation func(*http.Request) (vendor, name string)
}

// RoundTrip sends a request and measures it until its headers are there.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	start := time.Now()
	res, err := t.next.RoundTrip(r)
	if vendor, operation := t.operation(r); vendor != "" {
		code := 0
		if err == nil {
			code = res.StatusCode
		}
		t.metrics.calls.WithLabelValues(vendor, operation, strconv.Itoa(code)).Inc()
		t.metrics.callTook.WithLabelValues(vendor).Observe(time.Since(start).Seconds())
	}
	return res, err
}
