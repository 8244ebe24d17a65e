package handlers_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	parser "github.com/emersion/go-ical"
	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"milepost/handlers"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

// feedKey opens the location's feed in these tests; "c" and "u" in its place,
// those of contact c7 and user u1.
const feedKey = "all"

// calendars serves the feeds of a store on SQLite with n events, spread over ten
// contacts and two users.
func calendars(t testing.TB, n int) (*store.Store, *httptest.Server, func(time.Time)) {
	t.Helper()
	st, err := store.OpenSQLite(t.Context(), testdb.DataDir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	fill(t, st, "loc", n)
	var now atomic.Int64
	set := func(at time.Time) { now.Store(at.UnixNano()) }
	set(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
	logger := zerolog.Nop()
	feed := &handlers.Feed{
		Store: st, Logger: logger, Rejections: logger, Now: func() time.Time { return time.Unix(0, now.Load()) },
		Feed: func(_ context.Context, key string) (store.Feed, string, bool, error) {
			feed, ok := map[string]store.Feed{feedKey: {LocationID: "loc"}, "c": {LocationID: "loc", ContactID: "c7"}, "u": {LocationID: "loc", AssignedTo: "u1"}}[key]
			return feed, "Northwind Realty", ok, nil
		},
	}
	router := chi.NewRouter()
	router.Method(http.MethodGet, handlers.CalendarPath+"{key}.ics", feed)
	router.Method(http.MethodHead, handlers.CalendarPath+"{key}.ics", feed)
	server := httptest.NewServer(router)
	t.Cleanup(server.Close)
	return st, server, set
}

// changed is when the items of these tests changed.
var changed = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// fill notes n events of a location, a contact's at once.
func fill(t testing.TB, st *store.Store, location string, n int) {
	t.Helper()
	const contacts = 10
	for c := range min(contacts, n) {
		noted := store.Noted{Entity: store.Entity{LocationID: location, Kind: "contact", ID: fmt.Sprint("c", c)}, ContactID: fmt.Sprint("c", c), AssignedTo: fmt.Sprint("u", c%2), AssigneeKnown: true, Now: changed}
		for i := c; i < n; i += contacts {
			noted.Items = append(noted.Items, item(i))
		}
		if err := st.NoteItems(t.Context(), noted); err != nil {
			t.Fatal(err)
		}
	}
}

func item(i int) store.Item {
	start := time.Date(2026, 1, 1, 14, 0, 0, 0, time.UTC).Add(time.Duration(i%8000) * time.Hour)
	return store.Item{
		Key: fmt.Sprint("a/", i), Kind: store.ItemEvent, Status: store.StatusConfirmed, Start: start, End: start.Add(time.Hour), Zone: "America/New_York",
		Content: store.Content{
			Title: fmt.Sprint("Inspection: Nora Quist ", i), Description: "Bring the key, and ask for the report of last year.",
			Notes: []string{"Prefers mornings, has a dog."}, Tags: []string{"buyer", "vip"}, Reminders: []time.Duration{24 * time.Hour, time.Hour},
		},
	}
}

// ask asks for a calendar with headers, in pairs.
func ask(t testing.TB, method, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "identity")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func TestACalendarHoldsAllItemsOfItsFeed(t *testing.T) {
	testenv.Long(t)
	_, server, _ := calendars(t, 1234) // three pages
	for key, want := range map[string]int{feedKey: 1234, "c": 123, "u": 617} {
		res, body := ask(t, "GET", server.URL+handlers.CalendarPath+key+".ics")
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/calendar; charset=utf-8" || !strings.HasPrefix(res.Header.Get("Cache-Control"), "private") {
			t.Fatalf("%s: %d, %v", key, res.StatusCode, res.Header)
		}
		calendar, err := parser.NewDecoder(strings.NewReader(body)).Decode()
		if err != nil {
			t.Fatal(err)
		}
		uids, zones := map[string]bool{}, 0
		for _, c := range calendar.Children {
			if c.Name == "VTIMEZONE" {
				zones++
				continue
			}
			uids[c.Props.Get("UID").Value] = true
			if alarms := len(c.Children); alarms != 2 || c.Props.Get("DTSTART").Params.Get("TZID") != "America/New_York" {
				t.Fatalf("an event has %d alarms and starts at %+v", alarms, c.Props.Get("DTSTART"))
			}
			if text, _ := c.Props.Text("DESCRIPTION"); !strings.HasSuffix(text, "year.\n\nNotes:\n- Prefers mornings, has a dog.") {
				t.Fatalf("a description is %q", text)
			}
		}
		if len(uids) != want || zones != 1 {
			t.Errorf("%s has %d events and %d zones, want %d and 1", key, len(uids), zones, want)
		}
	}
	if res, body := ask(t, "GET", server.URL+handlers.CalendarPath+"other.ics"); res.StatusCode != 404 || res.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("an unknown key: %d %s", res.StatusCode, body)
	}
}

func TestACalendarIsSentOnlyWhenItChanged(t *testing.T) {
	st, server, set := calendars(t, 20)
	url := server.URL + handlers.CalendarPath + "c.ics"
	first, plain := ask(t, "GET", url)
	tag, date := first.Header.Get("ETag"), first.Header.Get("Last-Modified")
	if tag == "" || date != changed.Format(http.TimeFormat) {
		t.Fatalf("ETag %q, Last-Modified %q", tag, date)
	}
	for _, c := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"the same ETag", []string{"If-None-Match", tag}, 304},
		{"one of several", []string{"If-None-Match", `"x", ` + tag}, 304},
		{"a strong one", []string{"If-None-Match", strings.TrimPrefix(tag, "W/")}, 304},
		{"any", []string{"If-None-Match", "*"}, 304},
		{"another", []string{"If-None-Match", `W/"x"`}, 200},
		{"another, although the date is right", []string{"If-None-Match", `W/"x"`, "If-Modified-Since", date}, 200},
		{"the same date", []string{"If-Modified-Since", date}, 304},
		{"an older one", []string{"If-Modified-Since", changed.Add(-time.Second).Format(http.TimeFormat)}, 200},
		{"no date", []string{"If-Modified-Since", "yesterday"}, 200},
	} {
		if res, body := ask(t, "GET", url, c.headers...); res.StatusCode != c.status || c.status == 304 && (body != "" || res.Header.Get("ETag") != tag) {
			t.Errorf("%s: %d, want %d", c.name, res.StatusCode, c.status)
		}
	}
	if res, body := ask(t, "HEAD", url); res.StatusCode != 200 || body != "" || res.Header.Get("ETag") != tag {
		t.Errorf("HEAD: %d %q", res.StatusCode, body)
	}

	zipped, body := ask(t, "GET", url, "Accept-Encoding", "br;q=1.0, GZIP;q=0.5")
	if zipped.Header.Get("Content-Encoding") != "gzip" || zipped.Header.Get("Vary") != "Accept-Encoding" || len(body) >= len(plain) {
		t.Fatalf("with gzip: %v, %d bytes after %d", zipped.Header, len(body), len(plain))
	}
	unzip, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if unpacked, err := io.ReadAll(unzip); err != nil || string(unpacked) != plain {
		t.Errorf("unpacked it differs: %v", err)
	}
	for accept, coding := range map[string]string{"": "", "gzip;q=0": "", "br": "", "*": "gzip", "x-gzip": ""} {
		if res, _ := ask(t, "HEAD", url, "Accept-Encoding", accept); res.Header.Get("Content-Encoding") != coding {
			t.Errorf("Accept-Encoding %q is answered with %q", accept, res.Header.Get("Content-Encoding"))
		}
	}

	// A change of another contact is none of this feed.
	note := func(contact string, at time.Time) {
		t.Helper()
		n := store.Noted{Entity: store.Entity{LocationID: "loc", Kind: "contact", ID: contact}, ContactID: contact, Now: at, Items: []store.Item{item(7)}}
		if err := st.NoteItems(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	note("c3", changed.Add(time.Minute))
	if res, _ := ask(t, "GET", url, "If-None-Match", tag); res.StatusCode != 304 {
		t.Errorf("after a change of another contact: %d", res.StatusCode)
	}
	later := changed.Add(time.Hour + time.Second/2)
	set(later.Add(time.Second / 4))
	note("c7", later) // one of its two events goes
	res, body := ask(t, "GET", url, "If-None-Match", tag)
	if res.StatusCode != 200 || res.Header.Get("ETag") == tag || strings.Count(body, "STATUS:CANCELLED") != 1 || strings.Count(body, "BEGIN:VEVENT") != 2 {
		t.Errorf("after a change: %d\n%s", res.StatusCode, body)
	}
	if date := res.Header.Get("Last-Modified"); date != "" {
		t.Errorf("within the second of the change it is dated %s", date)
	}
}

// 10,000 items in under 200 ms: go test ./handlers -bench Calendar -run '^$'
func BenchmarkCalendar(b *testing.B) {
	for _, n := range []int{1000, 10_000, 50_000} {
		_, server, _ := calendars(b, n)
		url := server.URL + handlers.CalendarPath + feedKey + ".ics"
		for name, headers := range map[string][]string{"plain": nil, "gzip": {"Accept-Encoding", "gzip"}} {
			b.Run(fmt.Sprintf("%d items, %s", n, name), func(b *testing.B) {
				read := func() {
					r, _ := http.NewRequestWithContext(b.Context(), "GET", url, nil)
					r.Header.Set("Accept-Encoding", "identity")
					if headers != nil {
						r.Header.Set(headers[0], headers[1])
					}
					res, err := http.DefaultClient.Do(r)
					if err != nil {
						b.Fatal(err)
					}
					size, err := io.Copy(io.Discard, res.Body)
					if res.Body.Close(); err != nil {
						b.Fatal(err)
					}
					b.SetBytes(size)
				}
				runtime.GC()
				var before, peak runtime.MemStats
				runtime.ReadMemStats(&before)
				var most atomic.Uint64
				done := make(chan struct{})
				go func() {
					for {
						select {
						case <-done:
							return
						case <-time.After(5 * time.Millisecond):
							runtime.ReadMemStats(&peak)
							most.Store(max(most.Load(), peak.HeapInuse))
						}
					}
				}()
				for b.Loop() {
					read()
				}
				close(done)
				b.ReportMetric(float64(most.Load())/(1<<20), "peak-heap-MiB")
			})
		}
	}
}

// A million items of other locations and contacts: what is asked of them does
// not grow with it.
func BenchmarkUnchanged(b *testing.B) {
	st, server, _ := calendars(b, 10_000)
	for i := range 99 {
		fill(b, st, fmt.Sprint("other", i), 10_000)
	}
	b.Logf("%d items in the store", 1_000_000)
	for _, key := range []string{feedKey, "c", "u"} {
		url := server.URL + handlers.CalendarPath + key + ".ics"
		first, _ := ask(b, "HEAD", url)
		b.Run("304/"+key, func(b *testing.B) {
			for b.Loop() {
				if res, _ := ask(b, "GET", url, "If-None-Match", first.Header.Get("ETag")); res.StatusCode != 304 {
					b.Fatal(res.StatusCode)
				}
			}
		})
		b.Run("200/"+key, func(b *testing.B) {
			for b.Loop() {
				ask(b, "GET", url)
			}
		})
	}
}

func TestCalendarsBeyondThoseAtOnceAreAskedForAgain(t *testing.T) {
	streams := make(chan struct{}, 1)
	st, err := store.OpenSQLite(t.Context(), testdb.DataDir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	h := &handlers.Feed{
		Store: st, Logger: zerolog.Nop(), Rejections: zerolog.Nop(), Now: time.Now, Streams: streams,
		Feed: func(context.Context, string) (store.Feed, string, bool, error) {
			return store.Feed{LocationID: "loc"}, "", true, nil
		},
	}
	ask := func() *httptest.ResponseRecorder {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		req.Header.Set("Accept-Encoding", "gzip")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		return w
	}
	streams <- struct{}{}
	if w := ask(); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || w.Header().Get("Content-Encoding") != "" || !strings.Contains(w.Body.String(), "; retry") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	<-streams
	for range 2 {
		if w := ask(); w.Code != http.StatusOK {
			t.Errorf("%d %s when there is room", w.Code, w.Body)
		}
	}
}
