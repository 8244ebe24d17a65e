package metrics

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// scrape reads metrics as Prometheus does.
func scrape(t *testing.T, m *Metrics) map[string]*dto.MetricFamily {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	problems, err := promlint.New(strings.NewReader(w.Body.String())).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v %v", problems, err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

func TestMetricsAreReadAsTheyWereMeasured(t *testing.T) {
	m := New()
	const odd = "a \"b\" \\ c\nd"
	m.Synced("contact", odd, 50*time.Millisecond) // on a bound
	m.Synced("contact", odd, 2*time.Hour)         // in no bucket
	families := scrape(t, m)

	count := families["milepost_syncs_total"].Metric[0]
	if got := count.Label[1].GetValue(); got != odd || count.GetCounter().GetValue() != 2 {
		t.Errorf("the outcome %q was counted as %q: %v", odd, got, count)
	}
	h := families["milepost_sync_seconds"].Metric[0].GetHistogram()
	if h.GetSampleCount() != 2 || math.Abs(h.GetSampleSum()-7200.05) > 1e-6 {
		t.Errorf("the histogram is %v", h)
	}
	for _, b := range h.Bucket {
		want := uint64(1)
		switch {
		case b.GetUpperBound() < .05:
			want = 0
		case math.IsInf(b.GetUpperBound(), 1):
			want = 2
		}
		if b.GetCumulativeCount() != want {
			t.Errorf("up to %v there are %d, not %d", b.GetUpperBound(), b.GetCumulativeCount(), want)
		}
	}
	if families["milepost_webhooks_total"] != nil || families["milepost_reminder_lag_seconds"] == nil {
		t.Error("a family with labels is there before its first series, or one without is not")
	}
}

func TestAWebhookIsCountedAlsoIfItsHandlerPanicsOrWritesNothing(t *testing.T) {
	m := New()
	for path, next := range map[string]http.HandlerFunc{
		"/panics":  func(http.ResponseWriter, *http.Request) { panic("oh") },
		"/nothing": func(http.ResponseWriter, *http.Request) {},
		"/early":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusEarlyHints); w.WriteHeader(429) },
	} {
		func() {
			defer func() { _ = recover() }() // as the router does
			m.Webhooks("highlevel", next).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", path, nil))
		}()
	}
	var codes []string
	for _, s := range scrape(t, m)["milepost_webhooks_total"].Metric {
		codes = append(codes, s.Label[0].GetValue())
	}
	if !slices.Equal(codes, []string{"200", "429", "500"}) {
		t.Errorf("the answers are counted as %v", codes)
	}
	if accepted, rejected := m.Signatures(); accepted != 1 || rejected != 0 {
		t.Errorf("%d were accepted, and %d had no valid signature", accepted, rejected)
	}
}

// TestAScrapeWhileItCounts is for the race detector, too.
func TestAScrapeWhileItCounts(t *testing.T) {
	m := New()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 500 {
				m.Synced("contact", "done", time.Second)
			}
		})
	}
	for range 20 {
		if family := scrape(t, m)["milepost_sync_seconds"]; family != nil {
			h := family.Metric[0].GetHistogram()
			if last := h.Bucket[len(h.Bucket)-1]; last.GetCumulativeCount() != h.GetSampleCount() || h.GetSampleSum() != float64(h.GetSampleCount()) {
				t.Errorf("a histogram in the middle of an observation: %v", h)
			}
		}
	}
	all.Wait()
	if got := scrape(t, m)["milepost_syncs_total"].Metric[0].GetCounter().GetValue(); got != 2000 {
		t.Errorf("%v of 2000 were counted", got)
	}
}

func TestTheStateIsReadAtEachScrape(t *testing.T) {
	m := New()
	var failed error
	m.Watch(func(context.Context) (State, error) { return State{Owed: 7, QuotaLeft: -1}, failed })
	families := scrape(t, m)
	if families["milepost_records_waiting"].Metric[0].GetGauge().GetValue() != 7 || families["milepost_quota_left_ratio"] != nil {
		t.Errorf("the state is %v", families["milepost_records_waiting"])
	}
	failed = errors.New("down")
	families = scrape(t, m)
	if families["milepost_database_up"].Metric[0].GetGauge().GetValue() != 0 || families["milepost_records_waiting"] != nil {
		t.Errorf("without a database there are %v", families)
	}
}

// TestNothingOfThePrometheusClientIsMissing compares what is said of Go and of the process
// with what Prometheus' own client says.
func TestNothingOfThePrometheusClientIsMissing(t *testing.T) {
	theirs := prometheus.NewRegistry()
	theirs.MustRegister(collectors.NewGoCollector())
	if runtime.GOOS == "linux" {
		theirs.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	}
	want, err := theirs.Gather()
	if err != nil || len(want) == 0 {
		t.Fatal(want, err)
	}
	runtime.GC() // so that there is a pause
	ours := scrape(t, New())
	for _, family := range want {
		got := ours[family.GetName()]
		if got == nil || got.GetType() != family.GetType() || got.GetHelp() == "" || got.Metric[0].String() == "" {
			t.Errorf("of %s (%s) there is %v", family.GetName(), family.GetType(), got)
		}
	}
	for _, gauge := range []string{"go_memstats_heap_alloc_bytes", "go_gc_gomemlimit_bytes", "go_gc_gogc_percent", "go_goroutines"} {
		for _, family := range want {
			theirs, ours := family.Metric[0].GetGauge().GetValue(), ours[gauge].Metric[0].GetGauge().GetValue()
			if family.GetName() == gauge && (ours < theirs/10 || ours > theirs*10) {
				t.Errorf("%s is %v, and Prometheus' client says %v", gauge, ours, theirs)
			}
		}
	}
}

func TestAScrapeIsPackedIfItMayBe(t *testing.T) {
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	New().Handler().ServeHTTP(w, r)
	unpacked, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unpacked)
	if err != nil || !strings.Contains(string(text), "go_goroutines ") || w.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("unpacked, there is %q (%v)", text, err)
	}
}

func TestAScrapeIsNotPackedAgainstARefusal(t *testing.T) {
	for _, accept := range []string{"", "gzip;q=0", "x-gzip", "br"} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics", nil)
		r.Header.Set("Accept-Encoding", accept)
		New().Handler().ServeHTTP(w, r)
		if coding := w.Header().Get("Content-Encoding"); coding != "" || !strings.Contains(w.Body.String(), "go_goroutines ") {
			t.Errorf("Accept-Encoding %q is answered in %q", accept, coding)
		}
	}
}
