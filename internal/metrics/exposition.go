package metrics

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"milepost/internal/httpjson"
)

// This file writes the text format of Prometheus, version 0.0.4. Prometheus' own client
// brings Protocol Buffers and two MiB along: see docs/decisions/16-small-binary.md.

// family is all series of one name: a counter, or a histogram if it has buckets.
type family struct {
	name, help string
	labels     []string  // at most three, sorted
	buckets    []float64 // upper bounds, in order

	mu     sync.Mutex
	series map[values]*series
}

// values are those of the labels of a family, in their order.
type values [3]string

// series is what was counted, or observed, with the same values.
type series struct {
	count  int64
	sum    float64
	within []int64 // by the smallest bucket that holds it
}

func newFamily(name, help string, buckets []float64, labels ...string) *family {
	f := &family{name: name, help: help, labels: labels, buckets: buckets, series: map[values]*series{}}
	if len(labels) == 0 {
		f.at(values{})
	}
	return f
}

// at returns a series, which is there from then on.
func (f *family) at(v values) *series {
	s := f.series[v]
	if s == nil {
		s = &series{within: make([]int64, len(f.buckets))}
		f.series[v] = s
	}
	return s
}

// inc adds one to a counter.
func (f *family) inc(v values) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at(v).count++
}

// observe adds a value to a histogram.
func (f *family) observe(x float64, v values) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.at(v)
	s.count++
	s.sum += x
	if i, _ := slices.BinarySearch(f.buckets, x); i < len(s.within) {
		s.within[i]++
	}
}

// write adds the family to a scrape, unless it has no series yet.
func (f *family) write(to *page) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.series) == 0 {
		return
	}
	kind := "counter"
	if f.buckets != nil {
		kind = "histogram"
	}
	to.head(f.name, f.help, kind)
	for _, v := range slices.SortedFunc(maps.Keys(f.series), func(a, b values) int { return slices.Compare(a[:], b[:]) }) {
		s := f.series[v]
		labels := make([]string, 0, 8)
		for i, name := range f.labels {
			labels = append(labels, name, v[i])
		}
		if f.buckets == nil {
			to.sample(f.name, float64(s.count), labels...)
			continue
		}
		below := int64(0)
		for i, bound := range f.buckets {
			below += s.within[i]
			to.sample(f.name+"_bucket", float64(below), append(labels, "le", number(bound))...)
		}
		to.sample(f.name+"_bucket", float64(s.count), append(labels, "le", "+Inf")...)
		to.sample(f.name+"_sum", s.sum, labels...)
		to.sample(f.name+"_count", float64(s.count), labels...)
	}
}

// page is the answer to a scrape.
type page struct{ bytes.Buffer }

func (p *page) head(name, help, kind string) {
	fmt.Fprintf(p, "# HELP %s %s\n# TYPE %[1]s %[3]s\n", name, help, kind)
}

// sample adds one value. labels are names and their values in turn.
func (p *page) sample(name string, x float64, labels ...string) {
	p.WriteString(name)
	separator := "{"
	for pair := range slices.Chunk(labels, 2) {
		p.WriteString(separator + pair[0] + `="` + escaped.Replace(pair[1]) + `"`)
		separator = ","
	}
	if len(labels) > 0 {
		p.WriteString("}")
	}
	p.WriteString(" " + number(x) + "\n")
}

// gauge adds a gauge with one value and no label.
func (p *page) gauge(name, help string, x float64) {
	p.head(name, help, "gauge")
	p.sample(name, x)
}

var escaped = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func number(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// answer sends a scrape, packed if it may be.
func (p *page) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	if !httpjson.AcceptsGzip(r.Header.Get("Accept-Encoding")) {
		_, _ = w.Write(p.Bytes())
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	packed := gzip.NewWriter(w)
	_, _ = packed.Write(p.Bytes())
	_ = packed.Close()
}
