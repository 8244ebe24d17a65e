package e2e_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"milepost/internal/app"
	chfake "milepost/internal/sandbox/calendarhero"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/reference"
	"milepost/internal/testenv/testdb"
)

const (
	location  = "ve9EPM428h8vShlRW1KT"
	hlToken   = "pit-test"
	chToken   = "calendarhero-test"
	ownerMail = "olivia@agency.example"
)

// world is Milepost between the two fakes, over real HTTP on loopback.
type world struct {
	t    testing.TB
	hl   *hlfake.Server
	ch   *chfake.Server
	cfg  app.Config
	app  *app.App
	stop func() // drains the running Milepost

	contract *reference.Contract // holds every request to HighLevel, where it is set
	alone    bool                // no other test runs beside this one
	posted   atomic.Int64        // webhooks that post sent and Milepost stored
	log      *logbook            // receives the log, where it is set
	ahead    atomic.Int64        // how far the world's clock is ahead of the machine's

	// seed fills the fakes before Milepost starts, where it is set.
	seed func()
	// before is called with each request to HighLevel or CalendarHero; true = it answered.
	before func(http.ResponseWriter, *http.Request) (answered bool)
}

// now is the time for Milepost and both fakes.
func (w *world) now() time.Time { return w.cfg.Clock.Now() }

// mainJob is the test that a short run has of the whole.
const mainJob = "TestAMilestoneBecomesOneMeetingRequestHoweverOftenItIsTold"

// setup starts the fakes and Milepost on SQLite. configure may change either.
func setup(t *testing.T, configure ...func(*world, *hlfake.Config)) *world {
	t.Helper()
	if !strings.HasPrefix(t.Name(), mainJob) {
		testenv.Long(t)
	}
	hlConfig := hlfake.Config{
		AppID: "6878cec452e7c8d29d4dd3d9", Token: hlToken, LocationIDs: []string{location},
		WebhookBackoff: func(int) time.Duration { return 50 * time.Millisecond },
	}
	w := &world{t: t, cfg: app.Config{
		Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", DataDir: testdb.DataDir(t), LockDir: t.TempDir(),
		HighLevelAppID: hlConfig.AppID, HighLevelToken: hlToken, HighLevelLocationID: location,
		CalendarHeroToken: chToken, CalendarHeroAuth: "raw",
	}}
	if !testenv.Raced { // where SQLite is too slow to be asked so often
		w.cfg.Poll = 100 * time.Millisecond // a job that advance makes due is worked soon
	}
	hlConfig.Clock = w.now
	w.cfg.Clock.Ahead = func() time.Duration { return time.Duration(w.ahead.Load()) }
	for _, c := range configure {
		c(w, &hlConfig)
	}
	if !w.alone {
		together(t)
	}
	w.hl = hlfake.New(hlConfig)
	t.Cleanup(w.hl.Close)
	w.hl.SeedLocation(hlfake.Location{ID: location, Name: "Northwind Realty", TimeZone: "America/New_York"}, nil, []hlfake.CustomField{
		{Name: "Milestone", DataType: "TEXT"}, {Name: "Milestone Date", DataType: "DATE"},
	})
	w.ch = chfake.New(chfake.Config{
		Clock: w.now, Token: chToken, User: chfake.User{Name: "Olivia Owner", Email: ownerMail, TimeZone: "America/Toronto"},
	})
	t.Cleanup(w.ch.Close)
	hl, ch := httptest.NewServer(w.hl), httptest.NewServer(w.ch)
	if w.before != nil {
		hl, ch = httptest.NewServer(w.past(w.hl)), httptest.NewServer(w.past(w.ch))
	}
	if w.contract != nil {
		hl = httptest.NewServer(through(w.contract, hl))
	}
	t.Cleanup(hl.Close)
	t.Cleanup(ch.Close)
	w.cfg.HighLevelBaseURL, w.cfg.CalendarHeroBaseURL = hl.URL, ch.URL
	w.cfg.HighLevelAuthorizeURL = hl.URL + "/v2/oauth/chooselocation"
	w.cfg.HighLevelWebhookKeys = w.hl.PublicKeyPEM()
	if w.seed != nil {
		w.seed()
	}
	w.start()
	return w
}

// together lets a test run beside others: it mostly waits.
func together(t *testing.T) {
	if _, twice := parallel.LoadOrStore(t, true); !twice {
		t.Parallel()
	}
}

var parallel sync.Map // of *testing.T: those that were said to

func TestMain(m *testing.M) { testenv.Main(m) }

// alone keeps other tests of this program from the processors meanwhile.
func alone(w *world, _ *hlfake.Config) { w.alone = true }

// onPostgres makes setup use a PostgreSQL database.
func onPostgres(w *world, _ *hlfake.Config) {
	w.cfg.DatabaseURL = testdb.Postgres(w.t)
}

// through passes requests on to a server, past HighLevel's published contract.
func through(contract *reference.Contract, server *httptest.Server) http.Handler {
	target, err := url.Parse(server.URL)
	if err != nil {
		panic(err)
	}
	return &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: contract.Transport(http.DefaultTransport),
	}
}

// past asks before first.
func (w *world) past(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !w.before(rw, r) {
			next.ServeHTTP(rw, r)
		}
	})
}

// start runs Milepost; it drains at the end of the test, or when stop is called.
func (w *world) start() {
	w.t.Helper()
	logger := zerolog.New(zerolog.NewTestWriter(w.t)).Level(zerolog.WarnLevel)
	if w.log != nil {
		logger = zerolog.New(w.log).Level(zerolog.InfoLevel)
	}
	a, err := app.New(context.Background(), w.cfg, logger)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stopped := false
	w.app, w.stop = a, func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	}
	w.t.Cleanup(w.stop)
	w.hl.SetWebhookURL(a.PublicURL() + "/webhooks/highlevel")
	w.must(a.WaitReady(w.t.(*testing.T).Context()))
}

// settle waits until every webhook sent is worked.
func (w *world) settle() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.hl.WaitIdle(ctx); err != nil {
		w.t.Fatalf("webhooks are still being sent: %v", err)
	}
	w.eventually("every delivery has its outcome", func() bool { return w.worked() })
}

// accepted counts the webhooks that Milepost stored.
func (w *world) accepted() int {
	accepted := int(w.posted.Load())
	for _, s := range w.hl.Sent() {
		if s.LastStatus == http.StatusOK {
			accepted++
		}
	}
	return accepted
}

// worked reports whether all that was accepted has been dispatched and synced,
// the echoes included.
func (w *world) worked() bool {
	list := w.deliveries()
	for _, d := range list {
		if d.FinishedAt.IsZero() {
			return false
		}
	}
	n, err := w.app.Store().Backlog(context.Background())
	return err == nil && n == 0 && len(list) >= w.accepted()
}

// jobs counts Milepost's jobs that run or are due within a second, as those are
// whose entity rests after a sync.
func (w *world) jobs() int {
	return w.count(`SELECT count(*) FROM river_job WHERE state = 'running'
		OR state IN ('available', 'scheduled', 'retryable') AND scheduled_at <= ` + w.sqlTime("now", time.Second))
}

// count asks Milepost's database for a number.
func (w *world) count(query string) (n int) {
	w.must(w.app.Store().InTx(context.Background(), func(tx *store.Tx) error {
		rows, err := tx.Query(context.Background(), query)
		if err != nil {
			return err
		}
		defer rows.Close()
		rows.Next()
		return rows.Scan(&n)
	}))
	return n
}

// sqlTime is a time later than another one, in the form of River's tables;
// "now" is the machine's.
func (w *world) sqlTime(from string, later time.Duration) string {
	seconds := strconv.FormatFloat(later.Seconds(), 'f', 3, 64)
	switch {
	case w.cfg.DatabaseURL == "" && from == "now":
		from = "'now'"
	case from == "now":
		from = "now()"
	}
	if w.cfg.DatabaseURL != "" {
		return from + " + interval '" + seconds + " seconds'"
	}
	return "strftime('%Y-%m-%d %H:%M:%f', " + from + ", '" + seconds + " seconds')"
}

// pause waits until all that is accepted was looked at, and what is not settled
// waits for its time.
func (w *world) pause() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.hl.WaitIdle(ctx); err != nil {
		w.t.Fatalf("webhooks are still being sent: %v", err)
	}
	w.eventually("nothing is due", func() bool { return len(w.deliveries()) >= w.accepted() && w.jobs() == 0 })
}

// advance pauses, moves the world's clock ahead, makes due what waited for
// that, and pauses again.
func (w *world) advance(d time.Duration) {
	w.t.Helper()
	w.pause()
	d = w.cfg.Clock.Real(d)
	w.ahead.Add(int64(d))
	w.hurry(d)
	w.pause()
}

// hurry lets the jobs that wait for a time be handed out sooner by d: River's
// clock is the machine's.
func (w *world) hurry(d time.Duration) {
	w.t.Helper()
	const waiting = ` WHERE state IN ('available', 'scheduled', 'retryable') AND kind IN ('sync', 'stray', 'remind', 'rest')`
	w.must(w.app.Store().InTx(context.Background(), func(tx *store.Tx) error {
		_, err := tx.Exec(context.Background(), `UPDATE river_job SET scheduled_at = `+w.sqlTime("scheduled_at", -d)+waiting)
		if err != nil {
			return err
		}
		_, err = tx.Exec(context.Background(), `UPDATE river_job SET state = 'available'`+waiting+` AND scheduled_at <= `+w.sqlTime("now", 0))
		return err
	}))
}

func (w *world) deliveries() []store.Delivery {
	list, err := w.app.Store().Deliveries(context.Background(), 0, 10000)
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// patience is how long a test waits for what must happen: long, for a machine may be busy.
const patience = 5 * time.Minute

// eventually polls a condition, more and more seldom, until patience ends.
func (w *world) eventually(what string, condition func() bool) {
	w.t.Helper()
	pause := 4 * time.Millisecond
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(pause) {
		pause = min(pause*5/4, 60*time.Millisecond)
		if time.Now().After(deadline) {
			w.t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// post sends a webhook to Milepost and returns status and body.
func (w *world) post(body string, headers map[string]string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodPost, w.app.PublicURL()+"/webhooks/highlevel", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if strings.Contains(string(answer), `"stored"`) {
		w.posted.Add(1)
	}
	return res.StatusCode, string(answer)
}

// postSigned sends a body with a good signature.
func (w *world) postSigned(body string) (int, string) {
	w.t.Helper()
	return w.post(body, map[string]string{"X-GHL-Signature": w.hl.Sign([]byte(body)), "X-WH-Signature": "N/A"})
}

// event writes a webhook body; pairs are further keys and values.
func event(kind, id string, pairs ...string) string {
	m := map[string]string{"type": kind, "locationId": location, "id": id, "appId": "6878cec452e7c8d29d4dd3d9"}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	b, _ := json.Marshal(m)
	return string(b)
}

// contact makes a contact without telling anyone.
func (w *world) contact(first, last, email string) string {
	w.t.Helper()
	c, err := w.hl.SeedContact(hlfake.Contact{LocationID: location, FirstName: first, LastName: last, Email: email})
	if err != nil {
		w.t.Fatal(err)
	}
	return c.ID
}

// storeDate puts a text that HighLevel would not take into a contact's date fields.
func (w *world) storeDate(contactID, text string) {
	w.t.Helper()
	fields := w.hl.CustomFields(location)
	w.must(w.hl.UpdateContact(contactID, func(c *hlfake.Contact) {
		for _, f := range fields {
			if f.DataType == "DATE" {
				c.CustomFields[f.ID] = text
			}
		}
	}))
}

// contacts lists the CalendarHero contacts with an e-mail address. CalendarHero
// adds whoever is invited by itself.
func (w *world) contacts(email string) (found []chfake.Contact) {
	for _, c := range w.ch.Contacts() {
		if slices.Contains(c.Email, email) {
			found = append(found, c)
		}
	}
	return found
}

// must fails the test on an error.
func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// calls counts the calls of one CalendarHero operation.
func (w *world) calls(operation string) int { return w.ch.Calls()[operation] }
