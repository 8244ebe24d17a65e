package alert_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"milepost/internal/alert"
	"milepost/internal/store"
	"milepost/internal/testenv/testdb"
)

// desk is an alerter on a store, with a receiver of webhooks and a clock that stands.
type desk struct {
	*alert.Alerter
	t      *testing.T
	now    time.Time
	inbox  *receiver
	faults []alert.Fault
}

func setup(t *testing.T) *desk {
	t.Helper()
	t.Parallel()
	st, err := store.OpenSQLite(t.Context(), testdb.DataDir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	d := &desk{t: t, now: time.Date(2026, 11, 20, 12, 30, 0, 0, time.UTC), inbox: newReceiver(t)}
	d.Alerter = d.on(st)
	return d
}

// on is an alerter as another process has it.
func (d *desk) on(st *store.Store) *alert.Alerter {
	now := func() time.Time { return d.now }
	return alert.New(alert.Config{Store: st, Channels: []alert.Channel{d.inbox.channel(d.t, now)}, Console: "https://milepost.internal", Now: now})
}

// receiver takes webhooks, and checks their signatures as a stranger would.
type receiver struct {
	url    string
	secret string
	status int // of the answers

	mu    sync.Mutex
	taken []taken
	tries []string // the ids, those of refused ones too
}

type taken struct {
	ID, Type string
	Data     alert.Message
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{secret: alert.NewSecret(), status: http.StatusOK}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func (r *receiver) channel(t *testing.T, now func() time.Time) alert.Channel {
	t.Helper()
	to, err := url.Parse(r.url + "/hook?token=hush")
	if err != nil {
		t.Fatal(err)
	}
	secret, err := alert.ParseSecret(r.secret)
	if err != nil {
		t.Fatal(err)
	}
	return alert.NewWebhook(to, secret, true, now)
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	body, _ := io.ReadAll(req.Body)
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(r.secret, "whsec_"))
	mac := hmac.New(sha256.New, key)
	id := req.Header.Get("webhook-id")
	fmt.Fprintf(mac, "%s.%s.%s", id, req.Header.Get("webhook-timestamp"), body)
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); req.Header.Get("webhook-signature") != want || strings.Contains(id, ".") {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	r.tries = append(r.tries, id)
	w.WriteHeader(r.status)
	if r.status != http.StatusOK {
		return
	}
	var one struct {
		Type string
		Data alert.Message
	}
	if err := json.Unmarshal(body, &one); err != nil {
		panic(err)
	}
	r.taken = append(r.taken, taken{id, one.Type, one.Data})
}

// round lets time pass, has a round, and returns the statuses of the messages that came.
func (d *desk) round(after time.Duration) []string {
	d.t.Helper()
	d.now = d.now.Add(after)
	d.inbox.taken = nil
	if err := d.Round(d.t.Context(), d.faults); err != nil && d.inbox.status == http.StatusOK {
		d.t.Fatal(err)
	}
	return d.statuses()
}

func (d *desk) statuses() []string {
	statuses := []string{}
	for _, one := range d.inbox.taken {
		statuses = append(statuses, one.Data.Kind+" "+one.Data.Status)
	}
	return statuses
}

func (d *desk) expect(when string, after time.Duration, want ...string) {
	d.t.Helper()
	if got := d.round(after); !slices.Equal(got, want) {
		d.t.Errorf("%s, these messages come: %q, want %q", when, got, want)
	}
}

func broken(key string) alert.Fault {
	return alert.Fault{Key: key, Kind: "connection", What: "HighLevel rejects the token", Todo: "Connect it again.", Location: "Northwind " + key, Since: time.Unix(1e9, 0), Open: true}
}

func TestThereIsOneMessageAnHourAndOneWhenItIsOver(t *testing.T) {
	d := setup(t)
	d.expect("while nothing is wrong", 0)
	d.faults = []alert.Fault{broken("a"), broken("b")}
	d.expect("when two locations break", time.Minute, "connection firing")
	m := d.inbox.taken[0]
	if m.Type != "alert.firing" || len(m.Data.Causes) != 2 || m.Data.Causes[1].Location != "Northwind b" || m.Data.Console != "https://milepost.internal/console/attention" {
		t.Errorf("the message is %+v", m)
	}
	d.expect("while they stay broken", time.Minute)
	d.faults = append(d.faults, broken("c"))
	d.expect("when another one breaks within the hour", time.Minute)
	d.expect("an hour after the first message", 58*time.Minute, "connection firing")
	if got := len(d.inbox.taken[0].Data.Causes); got != 3 {
		t.Errorf("the second message names %d causes", got)
	}
	d.expect("with nothing new for hours", 5*time.Hour)
	d.expect("after a day", 19*time.Hour, "connection firing")
	d.faults = nil
	d.expect("when they work again", time.Minute)
	d.expect("when they have worked for a while", 5*time.Minute, "connection over")
	d.expect("afterwards", 5*time.Hour)
	d.faults = []alert.Fault{broken("a")}
	d.expect("when it breaks again", time.Minute, "connection firing")
}

func TestAFaultThatComesAndGoesSendsFewMessages(t *testing.T) {
	d := setup(t)
	var all []string
	for minute := range 120 {
		d.faults = nil
		if minute%2 == 0 {
			d.faults = []alert.Fault{broken("a")}
		}
		all = append(all, d.round(time.Minute)...)
	}
	if !slices.Equal(all, []string{"connection firing"}) {
		t.Errorf("a fault that is there every other minute for two hours sends %q", all)
	}
}

func TestWhatSomebodyTookOnIsNotRepeatedAndItsEndIsTold(t *testing.T) {
	d := setup(t)
	d.faults = []alert.Fault{broken("a")}
	d.expect("when it breaks", 0, "connection firing")
	d.faults[0].Open = false
	d.expect("two days after somebody acknowledged it", 48*time.Hour)
	d.faults = nil
	d.expect("when it is gone", time.Minute)
	d.expect("when it has been gone for a while", 6*time.Minute, "connection over")

	d.faults = []alert.Fault{broken("b")}
	d.faults[0].Open = false
	d.expect("when somebody took it on before it was told", time.Hour)
	d.faults = nil
	d.expect("when that is over", time.Hour)
}

func TestKindsAreToldApart(t *testing.T) {
	d := setup(t)
	stuck := alert.Fault{Key: "s", Kind: "stuck", What: "Webhooks wait", Count: 12, Open: true}
	d.faults = []alert.Fault{broken("a"), stuck}
	d.expect("when two kinds of things break", 0, "connection firing", "stuck firing")
	d.faults = []alert.Fault{stuck}
	d.expect("when one is gone", time.Minute)
	d.expect("when it has been gone for a while", 5*time.Minute, "connection over")
}

func TestAMessageIsRetriedUnderItsIDForADay(t *testing.T) {
	d := setup(t)
	d.inbox.status = http.StatusServiceUnavailable
	d.faults = []alert.Fault{broken("a")}
	d.round(0)
	for range 5 {
		d.round(10 * time.Minute)
	}
	if n := len(d.inbox.tries); n < 4 || len(slices.Compact(slices.Clone(d.inbox.tries))) != 1 {
		t.Errorf("within 50 minutes the receiver saw %q", d.inbox.tries)
	}
	d.inbox.status = http.StatusOK
	d.expect("when the receiver is back", time.Hour, "connection firing")
	d.expect("afterwards", time.Hour)

	d.inbox.status = http.StatusServiceUnavailable
	d.faults = []alert.Fault{broken("b")}
	d.round(time.Hour)
	d.faults = nil
	d.round(time.Minute)
	d.round(23 * time.Hour) // "over" takes the place of what was not sent
	d.inbox.status = http.StatusOK
	d.expect("when the receiver is back after the end", 2*time.Hour, "connection over")

	d.inbox.status = http.StatusServiceUnavailable
	d.faults = []alert.Fault{broken("c")}
	d.round(time.Hour)
	d.faults[0].Open = false
	d.inbox.status = http.StatusOK
	d.inbox.tries = nil
	d.expect("after more than a day", 25*time.Hour)
	messages, err := d.Store.AlertMessages(t.Context(), 10)
	if err != nil || messages[0].Problem == "" || !messages[0].NextAt.IsZero() || strings.Contains(messages[0].Problem, "hush") {
		t.Errorf("the message that was given up is %+v, %v", messages[0], err)
	}
}

func TestAReceiverThatIsGoneIsNotAskedAgain(t *testing.T) {
	d := setup(t)
	d.inbox.status = http.StatusGone
	d.faults = []alert.Fault{broken("a")}
	for range 5 {
		d.round(10 * time.Minute)
	}
	if len(d.inbox.tries) != 1 {
		t.Errorf("it was asked %d times", len(d.inbox.tries))
	}
}

func TestWhatWasToldOutlivesARestart(t *testing.T) {
	d := setup(t)
	d.faults = []alert.Fault{broken("a")}
	d.expect("when it breaks", 0, "connection firing")
	d.Alerter = d.on(d.Store)
	d.expect("after a restart", 2*time.Hour)
	d.faults = nil
	d.round(time.Minute)
	d.Alerter = d.on(d.Store)
	d.expect("after another one, when it is over", 6*time.Minute, "connection over")
}

func TestTheClockThatWasPutBackSilencesNothing(t *testing.T) {
	d := setup(t)
	d.faults = []alert.Fault{broken("a")}
	d.expect("when it breaks", 0, "connection firing")
	d.faults = append(d.faults, broken("b"))
	d.expect("when another one breaks after the clock was put back by a week", -7*24*time.Hour, "connection firing")
}

// Of several processes on one PostgreSQL one sends each message, whoever comes first.
func TestOfTwoProcessesOneSends(t *testing.T) {
	t.Parallel()
	database := testdb.Postgres(t)
	d := &desk{t: t, now: time.Date(2026, 11, 20, 12, 30, 0, 0, time.UTC), inbox: newReceiver(t)}
	var processes []*alert.Alerter
	for range 4 {
		st, err := store.OpenPostgres(t.Context(), database)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
		processes = append(processes, d.on(st))
	}
	together := func() {
		t.Helper()
		var rounds sync.WaitGroup
		for _, p := range processes {
			rounds.Go(func() {
				if err := p.Round(context.WithoutCancel(t.Context()), d.faults); err != nil {
					t.Error(err)
				}
			})
		}
		rounds.Wait()
	}
	for i := range 10 {
		d.inbox.taken = nil
		d.now = d.now.Add(2 * time.Hour)
		d.faults = []alert.Fault{broken(fmt.Sprint("f", i)), {Key: "s", Kind: "stuck", What: "Webhooks wait", Open: true}}
		together()
		d.now = d.now.Add(time.Minute)
		d.faults = nil
		together()
		d.now = d.now.Add(6 * time.Minute)
		together()
		got := d.statuses()
		slices.Sort(got)
		if want := []string{"connection firing", "connection over", "stuck firing", "stuck over"}; !slices.Equal(got, want) {
			t.Fatalf("four processes sent %q, want %q", got, want)
		}
	}
}

func TestALongListIsCutAndControlCharactersAreNotSent(t *testing.T) {
	d := setup(t)
	for i := range 25 {
		f := broken(fmt.Sprintf("%02d", i))
		f.Location = "North\r\nwind\u202e"
		d.faults = append(d.faults, f)
	}
	d.expect("when many break", 0, "connection firing")
	m := d.inbox.taken[0].Data
	if len(m.Causes) != 10 || m.More != 15 || m.Causes[0].Location != "North  wind " {
		t.Errorf("the message names %d causes and %d more; the first at %q", len(m.Causes), m.More, m.Causes[0].Location)
	}
}
