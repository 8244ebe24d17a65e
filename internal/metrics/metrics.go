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
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"milepost/internal/catalog"
	"milepost/internal/httpjson"
	"milepost/internal/version"
)

// Metrics are those of one process. A nil *Metrics measures nothing.
type Metrics struct {
	webhooks, ack, syncs, syncTook, reminders, calls, callTook *family

	state func(context.Context) (State, error) // nil = nobody watches

	accepted, rejected atomic.Int64 // webhooks of HighLevel, by their signature
}

// New returns the metrics of this process.
func New() *Metrics {
	return &Metrics{
		webhooks: newFamily("milepost_webhooks_total", "Webhooks by the status of the answer.", nil, "code", "source"),
		ack: newFamily("milepost_webhook_answer_seconds", "Time to the answer of a webhook.",
			[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}, "source"),
		syncs: newFamily("milepost_syncs_total", "Syncs of records that ended, by kind and outcome.", nil, "kind", "outcome"),
		syncTook: newFamily("milepost_sync_seconds", "Duration of the sync of a record.",
			[]float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}, "kind"),
		reminders: newFamily("milepost_reminder_lag_seconds", "How much later than planned a reminder was sent.",
			[]float64{1, 5, 15, 60, 300, 900, 3600}),
		calls: newFamily("milepost_vendor_requests_total", "Requests to the vendors by operation of the catalogue and status; code 0 is no answer.",
			nil, "code", "operation", "vendor"),
		callTook: newFamily("milepost_vendor_request_seconds", "Duration of a request to a vendor.",
			[]float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10}, "vendor"),
	}
}

// Watch adds the gauges that say how things stand. read is asked at each scrape.
func (m *Metrics) Watch(read func(context.Context) (State, error)) { m.state = read }

// Handler answers Prometheus.
func (m *Metrics) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var p page
		for _, f := range []*family{m.webhooks, m.ack, m.syncs, m.syncTook, m.reminders, m.calls, m.callTook} {
			f.write(&p)
		}
		info := version.Get()
		p.head("milepost_build_info", "The version of Milepost and of Go.", "gauge")
		p.sample("milepost_build_info", 1, "goversion", info.Go, "version", info.Version)
		if m.state != nil {
			p.state(r.Context(), m.state)
		}
		p.runtime()
		p.process()
		p.answer(w, r)
	})
}

// Webhooks measures a handler of webhooks. source names the kind of webhooks.
func (m *Metrics) Webhooks(source string, next http.Handler) http.Handler {
	if m == nil {
		return next
	}
	m.ack.at(values{source}) // so that it is there before the first webhook
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		ww := &httpjson.Recorder{ResponseWriter: w}
		status := http.StatusInternalServerError // if next panics
		defer func() {
			m.ack.observe(time.Since(start).Seconds(), values{source})
			m.webhooks.inc(values{strconv.Itoa(status), source})
		}()
		next.ServeHTTP(ww, r)
		status = cmp.Or(ww.Status(), http.StatusOK)
		switch {
		case source != "highlevel":
		case status == http.StatusUnauthorized:
			m.rejected.Add(1)
		case status == http.StatusOK: // another answer may come before the signature is checked
			m.accepted.Add(1)
		}
	})
}

// Signatures is how many of HighLevel's webhooks were accepted since this process started,
// and how many had no valid signature. Those that another fault stopped count as neither.
func (m *Metrics) Signatures() (accepted, rejected int64) {
	return m.accepted.Load(), m.rejected.Load()
}

// Synced counts the sync of a record that ended.
func (m *Metrics) Synced(kind, outcome string, took time.Duration) {
	if m != nil {
		m.syncs.inc(values{kind, outcome})
		m.syncTook.observe(took.Seconds(), values{kind})
	}
}

// Reminded measures how late a reminder was sent.
func (m *Metrics) Reminded(late time.Duration) {
	if m != nil {
		m.reminders.observe(max(0, late.Seconds()), values{})
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
		t.metrics.calls.inc(values{strconv.Itoa(code), operation, vendor})
		t.metrics.callTook.observe(time.Since(start).Seconds(), values{vendor})
	}
	return res, err
}
