package console_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"milepost/internal/automation"
	"milepost/internal/connection"
	"milepost/internal/console"
	"milepost/internal/operate"
	"milepost/internal/people"
	"milepost/internal/secret"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

// desk is the console's pages on a store, without the gate before them.
type desk struct {
	t       *testing.T
	store   *store.Store
	people  *people.Registry
	handler http.Handler
	operate *operate.Desk
	now     time.Time
	bodies  bodies
	log     *strings.Builder

	registry *connection.Registry
}

type bodies map[int64]string

func (b bodies) Body(_ context.Context, id int64) ([]byte, bool, error) {
	body, ok := b[id]
	return []byte(body), ok, nil
}

func (b bodies) Find(_ context.Context, webhookID string) (int64, bool, error) {
	var id int64
	_, err := fmt.Sscanf(webhookID, "w-%d", &id)
	return id, err == nil, nil
}

// preview is a dry run that was made before.
type preview struct {
	lines []string
	err   error
}

func (p *preview) Changes(context.Context, store.Entity, string) ([]string, error) {
	return p.lines, p.err
}

func setup(t *testing.T, configure ...func(*console.Config)) *desk {
	t.Helper()
	d, _ := setupConsole(t, configure...)
	return d
}

func setupConsole(t *testing.T, configure ...func(*console.Config)) (*desk, *console.Console) {
	t.Helper()
	t.Parallel()
	st, err := store.OpenSQLite(t.Context(), testdb.DataDir(t))
	if err != nil {
		t.Fatal(err)
	}
	return setupOn(t, st, configure...)
}

func setupOn(t *testing.T, st *store.Store, configure ...func(*console.Config)) (*desk, *console.Console) {
	t.Helper()
	t.Cleanup(func() { st.Close() })
	if _, err := st.NewQueue(store.QueueConfig{Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, store: st, people: people.Open(people.Config{Store: st}), now: time.Date(2026, 11, 20, 12, 30, 0, 0, time.UTC), bodies: bodies{}, log: &strings.Builder{}}
	now := func() time.Time { return d.now }
	library, err := automation.Open(t.Context(), automation.Config{Store: st, Logger: zerolog.Nop(), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := secret.OpenRing(filepath.Join(t.TempDir(), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	d.registry = connection.Open(connection.Config{Store: st, Ring: ring, Logger: zerolog.Nop(), Now: now})
	cfg := console.Config{
		Desk: operate.New(operate.Config{Store: st, Automations: library, Connections: d.registry, Bodies: d.bodies, Preview: &preview{lines: []string{`create event "Closing", which mails ann@example.com`}}, Now: now}), People: d.people,
		Logger: zerolog.New(d.log), Refused: zerolog.Nop(), Now: now,
	}
	for _, c := range configure {
		c(&cfg)
	}
	d.operate = cfg.Desk
	c, err := console.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	mux := chi.NewRouter()
	mux.Mount("/console", c.Router())
	d.handler = mux
	return d, c
}

var (
	olivia = people.Identity{Name: "olivia", Person: "olivia", Role: people.Operator}
	victor = people.Identity{Name: "victor", Person: "victor", Role: people.Viewer}
)

// page asks for a page, which must not fail.
func (d *desk) page(who people.Identity, path string) string {
	d.t.Helper()
	status, page := d.ask(who, "GET", path, nil)
	if status != http.StatusOK {
		d.t.Fatalf("%s: %d\n%s\n%s", path, status, page, d.log)
	}
	return page
}

func (d *desk) ask(who people.Identity, method, path string, form url.Values) (int, string) {
	d.t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, req.WithContext(people.With(req.Context(), who)))
	body, _ := io.ReadAll(w.Result().Body)
	if to := w.Header().Get("Location"); to != "" {
		return w.Code, to
	}
	return w.Code, string(body)
}

// connect adds a location.
func (d *desk) connect(id, name string) {
	d.t.Helper()
	if err := d.store.SaveConnection(d.t.Context(), store.Connection{LocationID: id, Name: name, Source: "token", State: store.ConnectionActive}, d.now); err != nil {
		d.t.Fatal(err)
	}
}

// deliver dispatches webhooks. Each arrives a minute after the one before.
func (d *desk) deliver(list ...store.Delivery) {
	d.t.Helper()
	for i := range list {
		if list[i].ReceivedAt.IsZero() {
			list[i].ReceivedAt = d.now.Add(time.Duration(i-len(list)) * time.Minute)
		}
	}
	_, err := d.store.Dispatch(d.t.Context(), func(context.Context, *store.Tx) ([]store.Delivery, error) { return list, nil })
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) finish(f store.Finish) {
	d.t.Helper()
	if f.Wanted == 0 {
		f.Wanted = 1
	}
	if f.Now.IsZero() {
		f.Now = d.now
	}
	if _, err := d.store.FinishSync(d.t.Context(), nil, f); err != nil {
		d.t.Fatal(err)
	}
}

var (
	jane  = store.Entity{LocationID: "loc", Kind: "contact", ID: "c1"}
	task1 = store.Entity{LocationID: "loc", Kind: "task", ID: "t1"}
)

// hostile is what a contact may be called.
const hostile = `<script>alert(1)</script>"'><img src=x onerror=alert(2)> Jane` + "\u202e\u2066"

// seed has some webhooks: done, failed, waiting and skipped.
func (d *desk) seed() {
	d.t.Helper()
	d.connect("loc", `North<b>wind`)
	d.deliver(
		store.Delivery{ID: 1, WebhookID: "w-1", Type: "ContactUpdate", Entity: jane, ContactID: "c1"},
		store.Delivery{ID: 2, WebhookID: "w-2", Type: "TaskCreate", Entity: task1, ContactID: "c1"},
		store.Delivery{ID: 3, WebhookID: "w-3", Type: "NoteCreate", Entity: store.Entity{LocationID: "loc", Kind: "note", ID: "n1"}, ContactID: "c1", Skip: "no automation asks for it"},
		store.Delivery{ID: 4, Type: "Nonsense", Skip: "unknown type Nonsense"},
	)
	d.bodies[1] = `{"name":"` + strings.ReplaceAll(hostile, `"`, `\"`) + `","n":12345678901234567890}`
	d.finish(store.Finish{
		Entity: jane, ContactID: "c1", Outcome: store.Done, Detail: "event created: " + hostile,
		Contact: &store.Contact{LocationID: "loc", ID: "c1", Name: hostile, Email: "jane@acme.example", Phone: "+14165550142", ChangedAt: d.now},
		Considered: []store.Considered{
			{Automation: "contact-to-calendarhero-contact", Version: 1, Wants: 1},
			{
				Automation: "birthdays", Reason: "the condition is not met", Condition: "contact.tags contains \"vip\"", Saw: "contact.tags is " + hostile,
				Conditions: []store.Condition{{Text: `contact.city == "Boston"`, Saw: `contact.city is "Boston"`, Held: true}, {Text: "contact.tags contains \"vip\"", Saw: "contact.tags is " + hostile}},
			},
		},
		Calls: store.SyncCalls{
			Calls: []store.SyncCall{
				{API: "HighLevel", Operation: "get contact", Method: "GET", Path: "/contacts/c1", Began: d.now.Add(-3 * time.Second), Took: 2 * time.Second, Queued: time.Second, Status: 200, Answer: `{"contact":{"firstName":"Jane"}}`},
				{API: "CalendarHero", Operation: "create meeting request", Method: "POST", Path: "/meeting/tasks", Writes: true, Began: d.now.Add(-time.Second), Took: 300 * time.Millisecond, Status: 201, Request: `{"subject":"` + "Closing" + `"}`},
			},
			Mailed: []store.Mailed{{To: "jane@acme.example", What: "invitation"}},
		}.Packed(),
		Timeline: []store.TimelineEntry{{At: d.now, Entity: jane, ContactID: "c1", What: "event created", Detail: hostile}},
	})
	if err := d.store.Postpone(d.t.Context(), store.Postponed{
		Entity: task1, Wanted: 1, Outcome: store.Retry, Detail: "HighLevel answered 500 to " + hostile, Now: d.now.Add(-time.Minute), NextTry: d.now.Add(time.Minute), Tries: 3,
	}); err != nil {
		d.t.Fatal(err)
	}
}

// wants fails for each text that a page lacks, or has though it begins with a minus.
func (d *desk) wants(page string, texts ...string) {
	d.t.Helper()
	for _, text := range texts {
		if not, ok := strings.CutPrefix(text, "-"); ok == strings.Contains(page, not) && ok {
			d.t.Errorf("the page says %q", not)
		} else if !ok && !strings.Contains(page, text) {
			d.t.Errorf("the page does not say %q:\n%s", text, page)
		}
	}
}

func TestTheOverviewSaysWhetherEverythingIsInStep(t *testing.T) {
	d := setup(t)
	d.wants(d.page(olivia, "/console/"), "No location is connected yet.", "/console/start")
	d.connect("loc", "Northwind")
	d.now = d.now.Add(time.Minute) // it is counted again
	d.wants(d.page(olivia, "/console/"), "Everything is in step.", "No webhook arrived")
	d.seed()
	d.now = d.now.Add(time.Minute)
	d.wants(d.page(olivia, "/console/"), "Not in step: 1 record failed to sync.", "/console/attention?state=retrying", "North&lt;b&gt;wind", "Received in 24 hours", "-North<b>")
}

func TestDeliveriesAreFilteredAndFound(t *testing.T) {
	d := setup(t)
	d.wants(d.page(olivia, "/console/deliveries"), "No webhook has arrived yet.", "/console/start/highlevel")
	d.seed()
	shows := func(path string, ids ...int) {
		t.Helper()
		page := d.page(olivia, path)
		for id := 1; id <= 4; id++ {
			want := false
			for _, i := range ids {
				want = want || i == id
			}
			if link := fmt.Sprintf(`href="/console/deliveries/%d"`, id); strings.Contains(page, link) != want {
				t.Errorf("%s: delivery %d is shown: %t", path, id, !want)
			}
		}
	}
	const list = "/console/deliveries?"
	shows(list, 1, 2, 3, 4)
	shows(list+"outcome=failed", 2)
	shows(list+"outcome=open", 2)
	shows(list+"outcome=skipped", 3, 4)
	shows(list+"type=TaskCreate&outcome=retry", 2)
	shows(list+"location=loc", 1, 2, 3)
	shows(list+"contact=c1&location=loc", 1, 2, 3)
	shows(list+"q=jane", 1, 2, 3)
	shows(list+"q=jane%40acme", 1, 2, 3)
	shows(list+"q=%2B1+416-555", 1, 2, 3)
	shows(list+"q=t1", 2)
	shows(list+"q=c1", 1, 2, 3)
	shows(list+"q=w-3", 3)
	shows(list+"q=%234", 4)
	shows(list+"within=1h", 1, 2, 3, 4)
	shows(list + "to=2026-11-19")
	shows(list+"before=3", 1, 2)
	for _, bytes := range []string{"location=x%00y", "contact=%ff", "q=%00"} {
		if status, _ := d.ask(olivia, "GET", list+bytes, nil); status != http.StatusNotFound {
			t.Errorf("%s: %d", bytes, status)
		}
	}
	d.wants(d.page(olivia, list+"q=nobody%22%3E%3Cb%3E"), "Nothing is known by “nobody&#34;&gt;&lt;b&gt;”")
	d.wants(d.page(olivia, list+"type=TaskCreate&outcome=done"), "No delivery matches all of these filters.")
	d.wants(d.page(olivia, list+"before=1"), "There is nothing older.")
	for _, nonsense := range []string{"before=-1", "before=x", "since=x&until=y", "outcome=nonsense", "within=99y", "from=2026-13-99", "q=" + strings.Repeat("é", 3000)} {
		d.page(olivia, list+nonsense)
	}
}

func TestADeliverySaysWhatBecameOfIt(t *testing.T) {
	d := setup(t)
	d.seed()
	d.wants(d.page(olivia, "/console/deliveries/1"), "Done", "Milepost created the event in CalendarHero", "12345678901234567890", "Replay", "-<script>alert", "-<img")
	d.wants(d.page(olivia, "/console/deliveries/1"), "What the automations made of the record", "Applied, and asked for 1 item.", "birthdays", "contact.tags contains", "It saw:")
	d.wants(d.page(olivia, "/console/deliveries/1"), "was met", "contact.city is &#34;Boston&#34;", "CalendarHero mailed an invitation to jane@acme.example", "GET /contacts/c1", "&#34;firstName&#34;: &#34;Jane&#34;",
		"Read from HighLevel, 1 call, 1.0 s of it waiting for a turn", "Wrote to CalendarHero, 1 call")
	d.wants(d.page(victor, "/console/deliveries/1"), "contact.tags contains", "GET /contacts/c1", "-contact.tags is", "-Boston&#34;. ", "-firstName", "-jane@acme", "-Closing")
	d.wants(d.page(olivia, "/console/deliveries/2"), "Will be retried", "HighLevel answered 500", "A call failed, waited before the next try", "Next try")
	d.wants(d.page(olivia, "/console/deliveries/3"), "Skipped", "no automation asks for it", "keeps the bodies of webhooks for 35 days")
	for _, path := range []string{"/console/deliveries/99", "/console/deliveries/x", "/console/nothing"} {
		if status, _ := d.ask(olivia, "GET", path, nil); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
}

func TestAReplayIsPreviewedAndThenQueued(t *testing.T) {
	testenv.Long(t)
	dry := &preview{lines: []string{`create event "Closing", which mails ann@example.com`}}
	d := setup(t, func(c *console.Config) { c.Desk.Preview = dry })
	d.seed()
	d.wants(d.page(olivia, "/console/deliveries/2/replay"), "Dry run: nothing was changed", "which mails ann@example.com")
	dry.lines = nil
	d.wants(d.page(olivia, "/console/deliveries/2/replay"), "would change nothing and mail nobody")
	if status, _ := d.ask(victor, "GET", "/console/deliveries/2/replay", nil); status != http.StatusForbidden {
		t.Errorf("a viewer's dry run: %d", status)
	}
	dry.err = errors.New("a defect")
	if status, page := d.ask(olivia, "GET", "/console/deliveries/2/replay", nil); status != http.StatusInternalServerError || strings.Contains(page, "a defect") {
		t.Errorf("a defect: %d %s", status, page)
	}
	before, err := d.store.EntityState(t.Context(), task1)
	if err != nil {
		t.Fatal(err)
	}
	if status, to := d.ask(olivia, "POST", "/console/deliveries/2/replay", url.Values{}); status != http.StatusSeeOther || to != "/console/deliveries/2?said=replayed" {
		t.Fatalf("the replay: %d to %s", status, to)
	}
	if after, err := d.store.EntityState(t.Context(), task1); err != nil || after.Wanted != before.Wanted+1 || !after.NextTry.IsZero() {
		t.Errorf("after the replay it is %+v, %v", after, err)
	}
	d.wants(d.page(olivia, "/console/settings/audit"), "replayed", "delivery 2", "olivia")
}

func TestANameCannotTurnThePageAround(t *testing.T) {
	d := setup(t)
	d.seed()
	for _, path := range []string{"/console/deliveries", "/console/deliveries/1", "/console/deliveries/2", "/console/contacts?q=jane", "/console/contacts/loc/c1", "/console/contacts/loc/c1/forget", "/console/jobs?group=retrying"} {
		if page := d.page(olivia, path); strings.ContainsAny(page, "\u202e\u2066") {
			t.Errorf("%s holds a character that turns text around", path)
		}
	}
}

func TestPersonalDataIsMaskedForViewersUntilTheyAskForIt(t *testing.T) {
	d := setup(t)
	d.seed()
	secret := []string{"acme", "Jane", "alert(1)", "answered 500", "5550142", "12345678901234567890"}
	for _, path := range []string{"/console/", "/console/deliveries", "/console/deliveries/1", "/console/deliveries/2", "/console/contacts", "/console/contacts/loc/c1", "/console/jobs", "/console/jobs?group=retrying"} {
		page := d.page(victor, path)
		for _, s := range secret {
			if strings.Contains(page, s) {
				t.Errorf("a viewer sees %q on %s", s, path)
			}
		}
	}
	page := d.page(victor, "/console/deliveries/1")
	form := regexp.MustCompile(`action="(/console/show/[^"]*)"`).FindStringSubmatch(page)
	if form == nil {
		t.Fatalf("a viewer cannot ask for it:\n%s", page)
	}
	status, shown := d.ask(victor, "POST", form[1], url.Values{})
	if status != http.StatusOK {
		t.Fatalf("asking for it: %d", status)
	}
	d.wants(shown, "Jane", "12345678901234567890", "-Show personal data")
	d.wants(d.page(olivia, "/console/settings/audit"), "victor", "looked at personal data on", "/console/deliveries/1")
	if status, list := d.ask(victor, "POST", "/console/show/deliveries?q=jane", url.Values{}); status != http.StatusOK || !strings.Contains(list, "Jane") {
		t.Errorf("asking for it on a list: %d", status)
	}
	d.wants(d.page(olivia, "/console/settings/audit"), "-q=jane")
	for _, path := range []string{"/console/settings/people", "/console/settings/sessions", "/console/settings/audit"} {
		if status, _ := d.ask(victor, "GET", path, nil); status != http.StatusForbidden {
			t.Errorf("a viewer's %s: %d", path, status)
		}
	}
	if d.log.Len() > 0 {
		t.Errorf("the log says %s", d.log)
	}
}

func TestPeopleAreManagedOnAPage(t *testing.T) {
	testenv.Long(t)
	d := setup(t)
	d.wants(d.page(olivia, "/console/settings/people"), "Nobody can sign in with a password yet.")
	add := func(form url.Values) (int, string) {
		t.Helper()
		return d.ask(olivia, "POST", "/console/settings/people", form)
	}
	good := url.Values{"name": {"ann"}, "role": {"viewer"}, "password": {"correct horse"}, "again": {"correct horse"}}
	if status, to := add(good); status != http.StatusSeeOther || to != "/console/settings/people?said=added" {
		t.Fatalf("%d %s", status, to)
	}
	for why, form := range map[string]url.Values{
		"Somebody has this name already.": good,
		"The two passwords differ.":       {"name": {"ben"}, "role": {"viewer"}, "password": {"correct horse"}, "again": {"battery staple"}},
		"A password has at least 8":       {"name": {"ben"}, "role": {"viewer"}, "password": {"short"}, "again": {"short"}},
		"The role must be operator":       {"name": {"ben"}, "role": {"king"}, "password": {"correct horse"}, "again": {"correct horse"}},
	} {
		if status, page := add(form); status != http.StatusUnprocessableEntity || !strings.Contains(page, why) || strings.Contains(page, "correct horse") {
			t.Errorf("%s: %d\n%s", why, status, page)
		}
	}
	d.wants(d.page(olivia, "/console/settings/people?said=added"), "The person can sign in now.", `href="/console/settings/people/ann"`)
	d.wants(d.page(olivia, "/console/settings/people/ann"), "Remove ann")
	if status, _ := d.ask(olivia, "POST", "/console/settings/people/ann/role", url.Values{"role": {"operator"}}); status != http.StatusSeeOther {
		t.Errorf("another role: %d", status)
	}
	ann := people.Identity{Name: "ann", Person: "ann", Role: people.Operator}
	for _, path := range []string{"remove", "role"} {
		if status, page := d.ask(ann, "POST", "/console/settings/people/ann/"+path, url.Values{"role": {"viewer"}}); status != http.StatusUnprocessableEntity || !strings.Contains(page, "yourself") {
			t.Errorf("ann locks herself out by %s: %d", path, status)
		}
	}
	if status, page := d.ask(olivia, "POST", "/console/settings/people/ann/tokens", url.Values{"label": {"<b>reports"}}); status != http.StatusOK || !strings.Contains(page, `value="mpt_`) {
		t.Errorf("a token: %d\n%s", status, page)
	}
	d.wants(d.page(olivia, "/console/settings/people/ann"), "&lt;b&gt;reports", "It was never used.", "-mpt_")
	if status, page := d.ask(olivia, "POST", "/console/settings/people/ann/tokens", url.Values{}); status != http.StatusUnprocessableEntity || !strings.Contains(page, "Say what the token is for") {
		t.Errorf("a token without a label: %d\n%s", status, page)
	}
	if status, to := d.ask(olivia, "POST", "/console/settings/people/ann/tokens/revoke", url.Values{"id": {"1"}}); status != http.StatusSeeOther || to != "/console/settings/people/ann?said=revoked" {
		t.Errorf("a token is revoked: %d %s", status, to)
	}
	if status, page := d.ask(olivia, "POST", "/console/settings/people/ann/tokens/revoke", url.Values{"id": {"1"}}); status != http.StatusUnprocessableEntity || !strings.Contains(page, "This token is revoked already.") {
		t.Errorf("a token is revoked twice: %d\n%s", status, page)
	}
	if status, to := d.ask(olivia, "POST", "/console/settings/people/ann/remove", url.Values{}); status != http.StatusSeeOther || to != "/console/settings/people?said=removed" {
		t.Errorf("the removal: %d %s", status, to)
	}
	d.wants(d.page(olivia, "/console/settings/audit"), "removed", "gave the role operator to")
}

// What html/template does not know as script, it does not escape as script; and the
// policy of the pages allows no script and no style but their own files.
func TestNoTemplateHoldsScriptOrStyle(t *testing.T) {
	t.Parallel()
	err := fs.WalkDir(os.DirFS("templates"), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		b, err := os.ReadFile("templates/" + path)
		if found := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script[^>]*>[^<]|javascript:|hx-|<base|target=|http://|https://`).Find(b); found != nil {
			t.Errorf("%s holds %q", path, found)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestContactsAreSearchedSyncedAndForgotten(t *testing.T) {
	d := setup(t)
	d.wants(d.page(olivia, "/console/contacts"), "Milepost has synced no contact yet.")
	d.seed()
	for _, q := range []string{"", "?q=jane", "?q=JANE%40", "?q=0142", "?q=c1"} {
		d.wants(d.page(olivia, "/console/contacts"+q), `href="/console/contacts/loc/c1"`, "jane@acme.example", "-<script>alert")
	}
	d.wants(d.page(olivia, "/console/contacts?q=nobody"), "No contact that Milepost has synced matches “nobody”", "/console/deliveries?q=nobody")
	d.wants(d.page(olivia, "/console/contacts/loc/c1"), "Milepost created the event in CalendarHero", "Will be retried", "Sync now", "/console/deliveries?contact=c1&amp;location=loc", "-<img")
	d.connect("loc", "Acme Realty")
	for _, path := range []string{"/console/contacts", "/console/contacts/loc/c1", "/console/deliveries/1"} {
		d.wants(d.page(olivia, path), "Acme Realty")
	}
	for _, path := range []string{"/console/contacts/loc/c2", "/console/contacts/other/c1", "/console/contacts/%2e%2e/%00"} {
		if status, _ := d.ask(olivia, "GET", path, nil); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, to := d.ask(olivia, "POST", "/console/contacts/loc/c1/sync", url.Values{}); status != http.StatusSeeOther || to != "/console/contacts/loc/c1?said=synced" {
		t.Errorf("sync now: %d %s", status, to)
	}
	if s, err := d.store.EntityState(t.Context(), jane); err != nil || s.Wanted != 2 {
		t.Errorf("after it %+v, %v", s, err)
	}
	d.wants(d.page(olivia, "/console/contacts/loc/c1/forget"), "nobody gets mail", "cannot be undone")
	if status, _ := d.ask(victor, "GET", "/console/contacts/loc/c1/forget", nil); status != http.StatusForbidden {
		t.Errorf("a viewer: %d", status)
	}
	if status, to := d.ask(olivia, "POST", "/console/contacts/loc/c1/forget", url.Values{}); status != http.StatusSeeOther || to != "/console/contacts/loc/c1?said=forgotten" {
		t.Errorf("forgetting: %d %s", status, to)
	}
	d.wants(d.page(olivia, "/console/contacts/loc/c1"), "This contact was forgotten", "Sync this contact again")
	if status, page := d.ask(olivia, "POST", "/console/contacts/loc/c1/sync", url.Values{}); status != http.StatusUnprocessableEntity || !strings.Contains(page, "was forgotten") {
		t.Errorf("a sync of a forgotten contact: %d", status)
	}
	if status, _ := d.ask(olivia, "POST", "/console/contacts/loc/c1/remember", url.Values{}); status != http.StatusSeeOther {
		t.Errorf("remembering: %d", status)
	}
	d.wants(d.page(olivia, "/console/settings/audit"), "asked for a sync of", "forgot", "let be synced again", "contact c1 of location loc")
}

func TestJobsShowWhatIsNotInStep(t *testing.T) {
	d := setup(t)
	d.wants(d.page(olivia, "/console/jobs"), "Every record is in step")
	d.seed()
	d.now = d.now.Add(time.Minute)
	d.wants(d.page(olivia, "/console/jobs"), "3 failed tries in a row", "HighLevel answered 500", `href="/console/contacts/loc/c1"`)
	d.wants(d.page(olivia, "/console/jobs?group=queued"), "Sync a record")
	d.wants(d.page(olivia, "/console/jobs?group=failed"), "No job was given up.")
	for _, nonsense := range []string{"?group=nonsense", "?group=queued&after="} {
		d.page(olivia, "/console/jobs"+nonsense)
	}
	if status, page := d.ask(olivia, "GET", "/console/jobs?group=queued&after=nonsense", nil); status != http.StatusNotFound || strings.Contains(page, "Its log says why") {
		t.Errorf("a cursor that is none: %d", status)
	}
	if status, to := d.ask(olivia, "POST", "/console/jobs/sync", url.Values{"location": {"loc"}, "kind": {"task"}, "id": {"t1"}}); status != http.StatusSeeOther || to != "/console/jobs?said=synced" {
		t.Errorf("sync now: %d %s", status, to)
	}
	if status, _ := d.ask(olivia, "POST", "/console/jobs/sync", url.Values{"location": {"loc"}, "kind": {"task"}, "id": {"t9"}}); status != http.StatusUnprocessableEntity {
		t.Errorf("an unknown record: %d", status)
	}
	if status, _ := d.ask(olivia, "POST", "/console/jobs/1/run", url.Values{}); status != http.StatusUnprocessableEntity {
		t.Errorf("a job that did not fail: %d", status)
	}
}

func TestThePagesAreTheSameOnPostgreSQL(t *testing.T) {
	t.Parallel()
	st, err := store.OpenPostgres(t.Context(), testdb.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	d, _ := setupOn(t, st)
	d.seed()
	for path, want := range map[string]string{
		"/console/":                                   "Not in step: 1 record failed to sync.",
		"/console/deliveries":                         "TaskCreate",
		"/console/deliveries?q=jane":                  "/console/contacts/loc/c1",
		"/console/deliveries?q=t1&outcome=failed":     "/console/deliveries/2",
		"/console/deliveries?q=w-3":                   "/console/deliveries/3",
		"/console/deliveries?type=Nonsense&within=1h": "/console/deliveries/4",
		"/console/deliveries?contact=c1&location=loc": "/console/deliveries/3",
		"/console/deliveries/1":                       "event created",
		"/console/deliveries/2":                       "Next try",
		"/console/deliveries/2/replay":                "which mails ann@example.com",
		"/console/contacts":                           "jane@acme.example",
		"/console/contacts?q=jane+onerror":            "jane@acme.example",
		"/console/contacts/loc/c1":                    "event created",
		"/console/contacts/loc/c1/forget":             "nobody gets mail",
		"/console/jobs":                               "task t1",
		"/console/attention?state=retrying":           "HighLevel answered 500",
		"/console/jobs?group=queued":                  "Sync a record",
		"/console/automations":                        "Changed by milepost",
		toContact:                                     "Switch off",
		toContact + "/history?from=1&to=1":            "Both have the same text.",
		"/console/recipes":                            "Birthday to calendar event",
		"/console/settings/people":                    "Nobody can sign in with a password yet.",
		"/console/settings/sessions":                  "Last used",
		"/console/settings/audit":                     "There is nothing older.",
	} {
		d.wants(d.page(olivia, path), want)
	}
	if status, _ := d.ask(olivia, "POST", "/console/contacts/loc/c1/sync", url.Values{}); status != http.StatusSeeOther {
		t.Errorf("sync now: %d", status)
	}
}
