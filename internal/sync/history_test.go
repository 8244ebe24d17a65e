package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/internal/connection"
	"milepost/internal/reconcile"
	chfake "milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/mapping"
)

// history is a made-up story of a location and its CalendarHero account. It decides what
// people do on both sides, what happens to the webhooks, how the vendors fail and when
// Milepost dies. It replaces River: it runs one job after another with its own clock. So
// the same seed always gives the same story.
type history struct {
	*bundle
	rng   *rand.Rand
	story []string
	tally tally
	rule  mapping.ConflictRule
	cfg   workersConfig
	mort  *mortality
	wire  map[string]*wire // by vendor

	began     time.Time
	people    []string // contact ids by place; "" = nobody
	untold    []webhook
	sent      map[string]int // webhooks of a vendor that are seen
	past      []webhook      // told, to be told again
	unheard   int            // how many of those an older database was not told
	needCheck bool           // something was lost that only the daily recheck finds
	due       map[store.Entity]time.Time
	fails     map[store.Entity]int
	polled    time.Time
	swept     time.Time
	armed     []*fakehttp.Armed
	lying     []lying
	meetings  int // made by people in CalendarHero
	asked     int // times that a clash asked for
	expected  *expected

	deals     deals
	moves     moves
	stage     *stage
	database  string // the one in use
	stores    []*store.Store
	copies    []snapshot
	unpolled  bool          // the database was lost, and no poll was made since
	backfills bool          // a backfill is to be run: the database was lost
	skew      atomic.Int64  // how far Milepost's clock is ahead, in nanoseconds
	ahead     time.Duration // the furthest that it was
}

// webhook is one that waits to be told, or never is.
type webhook struct {
	vendor, kind string
	body         []byte
	fate         string
}

// stage is what the histories of a test share.
type stage struct {
	shelf shelf
	// survives are the kinds of what happens beyond faults and crashes.
	survives []string
}

// survives are the kinds of what happens beyond faults and crashes: all of them,
// unless the environment chooses.
func survives() []string {
	if kinds, ok := os.LookupEnv("MILEPOST_SURVIVE"); ok {
		return strings.Fields(kinds)
	}
	return []string{"lie", "restore", "jump"}
}

// newStage prepares for histories: each begins with a copy of one database, for
// its schema takes longer to make than a history to play.
func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{survives: survives()}
	if os.Getenv("MILEPOST_HISTORIES_ON") == "postgres" {
		s.shelf = newServer(t)
	} else {
		s.shelf = newFiles(t)
	}
	return s
}

// begin starts a history.
func (s *stage) begin(t *testing.T, seed uint64) *history {
	t.Helper()
	cryptotest.SetGlobalRandom(t, seed) // the vendors' ids
	h := &history{
		bundle: &bundle{t: t}, stage: s, rng: rand.New(rand.NewPCG(seed, 1)), mort: &mortality{frozen: make(chan struct{}), over: make(chan struct{})},
		sent: map[string]int{}, due: map[store.Entity]time.Time{}, fails: map[store.Entity]int{},
	}
	h.tally = newTally()
	h.tally.histories = 1
	h.began = time.Date(2030, 10, 30, 12, 0, 0, 0, time.UTC) // the clocks change on the 3rd of November
	h.set(h.began)
	clock := func() time.Time { return time.UnixMicro(h.micros.Load()).UTC() }
	h.hl = hlfake.New(hlfake.Config{Clock: clock, Token: "pit-test", LocationIDs: []string{location}})
	h.hl.SeedLocation(hlfake.Location{ID: location, Name: "Northwind Realty", TimeZone: "America/New_York"}, nil, []hlfake.CustomField{
		{Name: "Milestone", DataType: "TEXT"}, {Name: "Milestone Date", DataType: "DATE"},
	})
	h.hl.SeedPipeline(location, hlfake.Pipeline{ID: salesPipeline, Name: "Sales", Stages: dealStages})
	h.deals = deals{visits: map[string]string{}, deals: map[string]*deal{}}
	h.ch = chfake.New(chfake.Config{
		Clock: clock, Token: "ch-test", User: chfake.User{Name: "Olivia Owner", Email: ownerMail, TimeZone: "America/Toronto"},
	})
	for _, event := range calendarhero.Events {
		h.must(h.ch.SetHook(event, "")) // remembered, and sent by the history
	}
	hl, ch := httptest.NewServer(h.hl), httptest.NewServer(h.ch)

	h.rule = choose(h, mapping.NewestWins, mapping.HighLevelWins, mapping.CalendarHeroWins)
	set, err := mapping.Load("automations.yaml", []byte(automationsOf(h.rule)))
	h.must(err)
	noWait := func(int) time.Duration { return 0 }
	transport := &http.Transport{}
	h.wire = map[string]*wire{}
	client := func(vendor string) *http.Client {
		h.wire[vendor] = &wire{next: transport, mort: h.mort, note: func(r *http.Request) { h.tell("    %s %s", r.Method, r.URL.Path) }, pass: h.pass}
		return &http.Client{Transport: h.wire[vendor]}
	}
	h.cfg = workersConfig{
		Automations: func() *mapping.Set { return set }, Every: 15 * time.Minute, Quiet: time.Duration(seed%2) * 5 * time.Minute,
		Now:    func() time.Time { return clock().Add(time.Duration(h.skew.Load())) },
		Real:   func(time.Duration) time.Duration { return 0 },
		Spread: func(d time.Duration) time.Duration { return d },
		Connections: only{&connection.Connection{
			LocationID:   location,
			HighLevel:    highlevel.New(highlevel.Config{BaseURL: hl.URL, Tokens: highlevel.StaticTokens("pit-test"), RetryWait: noWait, HTTP: client("HighLevel")}),
			CalendarHero: calendarhero.New(calendarhero.Config{BaseURL: ch.URL, Token: "ch-test", RetryWait: noWait, HTTP: client("CalendarHero")}),
		}},
	}
	h.useCopyOf(s.shelf.empty())
	h.expected = newExpected(h)
	t.Cleanup(func() {
		close(h.mort.over)
		h.mort.all.Wait()
		transport.CloseIdleConnections()
		hl.Close()
		ch.Close()
		h.hl.Close()
		h.ch.Close()
		for _, st := range h.stores {
			_ = st.Close()
		}
	})
	h.sweepAll() // what was there before is no news
	h.pollAll()
	return h
}

// automationsOf are the recipes with the whole way back switched on, and a rule
// for conflicts. What CalendarHero contacts become in HighLevel is another matter.
func automationsOf(rule mapping.ConflictRule) string {
	all, _, found := strings.Cut(string(mapping.Recipes()), "- id: new-calendarhero-contact-to-highlevel-contact")
	if !found {
		panic("the recipe of new CalendarHero contacts is gone")
	}
	all = strings.ReplaceAll(all, "enabled: false", "enabled: true")
	for _, id := range []string{"milestone-to-calendar-event", "task-to-calendar-task"} {
		all = strings.Replace(all, "- id: "+id+"\n", "- id: "+id+"\n  conflict: "+string(rule)+"\n", 1)
	}
	return all + dealAutomations + requestAutomations
}

// tell adds a line to the story.
func (h *history) tell(format string, args ...any) {
	h.story = append(h.story, h.now().Format("02 15:04:05 ")+fmt.Sprintf(format, args...))
}

// fail ends the history, and tells it.
func (h *history) fail(format string, args ...any) {
	h.t.Helper()
	h.t.Fatalf("%s\n\nThe history, whose conflicts end by %q:\n  %s", fmt.Sprintf(format, args...), h.rule, strings.Join(h.story, "\n  "))
}

// choose draws one of the options.
func choose[T any](h *history, options ...T) T { return options[h.rng.IntN(len(options))] }

var errDied = errors.New("the process died")

// mortality is when the process dies: at the nth write to its database, or the nth
// call of a vendor, before it is sent or after it took effect.
type mortality struct {
	mu     sync.Mutex
	mortal bool // a job is under way; what the history itself writes kills nobody
	place  string
	left   int
	dead   bool
	frozen chan struct{} // a call of the dead process
	over   chan struct{}
	all    sync.WaitGroup
}

const (
	atWrite    = "at a write"
	beforeCall = "before a call"
	afterCall  = "after a call"
)

// write reports whether the process died at this write.
func (m *mortality) write() bool { return m.strikes(atWrite) }

// strikes reports whether the process is dead once it is at a place.
func (m *mortality) strikes(place string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case !m.mortal:
		return false
	case m.dead:
		return true
	case m.place != place || m.left == 0:
		return false
	}
	m.left--
	m.dead = m.left == 0
	return m.dead
}

// freeze holds the goroutine of a dead process, locks and leases and all, until
// the history is over.
func (m *mortality) freeze() {
	select {
	case m.frozen <- struct{}{}:
	case <-m.over:
	}
	<-m.over
	runtime.Goexit()
}

// wire carries the calls of one vendor.
type wire struct {
	next http.RoundTripper
	mort *mortality
	note func(*http.Request)
	pass func(time.Duration)

	mu       sync.Mutex
	writes   int // that were sent, without reminders
	requests int // of them those of meeting requests
	timeouts int // so many of the next writes take effect and time out
	timedOut int
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.mort.strikes(beforeCall) {
		w.mort.freeze()
	}
	w.pass(40 * time.Millisecond) // no two calls are at one time
	write := r.Method != http.MethodGet && !strings.HasSuffix(r.URL.Path, "/search") && !strings.HasSuffix(r.URL.Path, "/remind")
	request := write && strings.HasPrefix(r.URL.Path, "/meeting/")
	w.mu.Lock()
	late := false
	if write {
		w.writes++
		if request {
			w.requests++
		}
		w.note(r)
		if late = w.timeouts > 0; late {
			w.timeouts--
			w.timedOut++
		}
	}
	w.mu.Unlock()
	res, err := w.next.RoundTrip(r)
	if w.mort.strikes(afterCall) {
		w.mort.freeze()
	}
	if late && err == nil {
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		return nil, os.ErrDeadlineExceeded
	}
	return res, err
}

// written counts the writes that were sent to both vendors.
func (h *history) written() (n int) {
	for _, w := range h.wire {
		n += w.writes
	}
	return n
}

// live has the process do something. died is true where it died meanwhile; then
// another one is there, with the same database.
func (h *history) live(do func(ctx context.Context) error) (err error, died bool) {
	h.mortal(true)
	done := make(chan error, 1)
	h.mort.all.Go(func() { done <- do(context.Background()) })
	select {
	case err = <-done:
	case <-h.mort.frozen:
	}
	h.mortal(false)
	h.mort.mu.Lock()
	defer h.mort.mu.Unlock()
	if !h.mort.dead {
		return err, false
	}
	h.tell("  Milepost dies %s, and is started", h.mort.place)
	h.tally.crashes[h.mort.place]++
	h.mort.dead, h.mort.place = false, ""
	h.workers = newWorkers(h.cfg)
	return nil, true
}

// carryOut works a sync job.
func (h *history) carryOut(job store.Entity) {
	h.t.Helper()
	noNotes := h.noNotes()
	var owed []store.Entity
	for _, s := range h.owedStates() {
		if jobOf(s) == job && s.Ready(h.cfg.Now()) {
			owed = append(owed, s.Entity)
		}
	}
	err, died := h.live(func(ctx context.Context) error {
		run := h.newRun(job, nil)
		run.ends = run.ends.Add(time.Hour) // not by the machine's clock
		return run.do(ctx)
	})
	delete(h.due, job)
	var rests *river.JobSnoozeError
	switch {
	case died:
	case errors.As(err, &rests):
		h.due[job] = h.now().Add(pauseAfterSync)
	case err != nil: // as River hands it out again, without the chance that it adds
		h.fails[job]++
		h.due[job] = h.now().Add(store.BackoffAfter(h.fails[job]))
		h.tell("  job of %s: %v; again in %s", h.name(job), err, h.due[job].Sub(h.now()))
	default:
		delete(h.fails, job)
	}
	for _, e := range owed {
		h.tally.syncs++
		state, err := h.store.EntityState(h.t.Context(), e)
		h.must(err)
		h.tell("  sync of %s: %s %s", h.name(e), state.Outcome, state.Detail)
		if h.noNotes() > noNotes {
			h.expected.missedNotes(e)
		}
	}
	h.look()
}

// jobOf is the entity whose job works a record.
func jobOf(s store.EntityState) store.Entity {
	if s.SyncContact == "" {
		return s.Entity
	}
	return store.Entity{LocationID: s.LocationID, Kind: string(mapping.KindContact), ID: s.SyncContact}
}

// mortal says whether the process can die now.
func (h *history) mortal(yes bool) {
	h.must(h.stage.shelf.mortal(h.store, h.mort, yes))
	h.mort.mu.Lock()
	defer h.mort.mu.Unlock()
	h.mort.mortal = yes
}

func (h *history) pollAll() {
	h.t.Helper()
	h.polled = h.now()
	found := 0
	err, _ := h.live(func(ctx context.Context) error {
		accounts, err := h.connections.Accounts(ctx)
		if err != nil {
			return err
		}
		if found, err = h.reconciler.PollMeetings(ctx, accounts[0]); err == nil {
			h.unpolled = false
		}
		return err
	})
	h.tell("  poll: %d found, %v", found, err)
	h.look()
}

// contactsAll looks at the contacts in CalendarHero.
func (h *history) contactsAll() {
	h.t.Helper()
	found := 0
	err, _ := h.live(func(ctx context.Context) (err error) {
		_, found, err = h.reconciler.PollContacts(ctx, location, 100)
		return err
	})
	h.tell("  contacts: %d found, %v", found, err)
	h.look()
}

// sweepAll carries on with the sweep of the location to its end, or until it fails.
func (h *history) sweepAll() {
	h.t.Helper()
	h.swept = h.now()
	found := int64(0)
	err, _ := h.live(func(ctx context.Context) error {
		at, err := h.store.Reconciliation(ctx, location)
		if err != nil {
			return err
		}
		since := at.Until
		if since.IsZero() {
			since = h.began
		}
		at, err = h.reconciler.Sweep(ctx, location, location, since.Add(-reconcile.Overlap), false, nil)
		found = at.Differing
		return err
	})
	h.tell("  sweep: %d found, %v", found, err)
	h.look()
}

// debounceAll works the ends of the waits of new descriptions, and reports whether any
// waits still.
func (h *history) debounceAll() (waits bool) {
	h.t.Helper()
	type row struct {
		id   int64
		args string
	}
	var rows []row
	h.must(h.store.InTx(h.t.Context(), func(tx *store.Tx) error {
		list, err := tx.Query(h.t.Context(), `SELECT id, `+h.stage.shelf.text("args")+` FROM river_job WHERE kind = 'rest' ORDER BY id`)
		if err != nil {
			return err
		}
		defer list.Close()
		for list.Next() {
			var r row
			if err := list.Scan(&r.id, &r.args); err != nil {
				return err
			}
			rows = append(rows, r)
		}
		return list.Err()
	}))
	for _, r := range rows {
		job := &river.Job[store.DebounceArgs]{JobRow: &rivertype.JobRow{ID: r.id}}
		h.must(json.Unmarshal([]byte(r.args), &job.Args))
		if err, died := h.live(func(ctx context.Context) error { return h.debounceJob(ctx, job) }); err != nil || died {
			waits = true // it is not over, or tried again
			continue
		}
		h.must(h.store.InTx(h.t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(h.t.Context(), `DELETE FROM river_job WHERE id = $1`, r.id)
			return err
		}))
	}
	return waits
}

// orphanAll works the looks for requests that should not exist.
func (h *history) orphanAll() {
	h.t.Helper()
	rows, err := h.store.Query(h.t.Context(), `SELECT id, `+h.stage.shelf.text("args")+` FROM river_job WHERE kind = 'stray' ORDER BY id`)
	h.must(err)
	var jobs []*river.Job[store.OrphanArgs]
	for rows.Next() {
		job, args := &river.Job[store.OrphanArgs]{JobRow: &rivertype.JobRow{}}, ""
		h.must(rows.Scan(&job.ID, &args))
		h.must(json.Unmarshal([]byte(args), &job.Args))
		jobs = append(jobs, job)
	}
	h.must(rows.Err())
	rows.Close()
	for _, job := range jobs {
		err, died := h.live(func(ctx context.Context) error { return h.orphanJob(ctx, job) })
		if err != nil || died {
			continue // it is not over, or tried again
		}
		h.must(h.store.InTx(h.t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(h.t.Context(), `DELETE FROM river_job WHERE id = $1`, job.ID)
			return err
		}))
	}
	h.look()
}

// remindAll works the reminders that are due.
func (h *history) remindAll() {
	h.t.Helper()
	type row struct {
		id       int64
		args     string
		metadata string
	}
	var rows []row
	h.must(h.store.InTx(h.t.Context(), func(tx *store.Tx) error {
		list, err := tx.Query(h.t.Context(), `SELECT id, `+h.stage.shelf.text("args")+`, `+h.stage.shelf.text("metadata")+` FROM river_job WHERE kind = 'remind' ORDER BY id`)
		if err != nil {
			return err
		}
		defer list.Close()
		for list.Next() {
			var r row
			if err := list.Scan(&r.id, &r.args, &r.metadata); err != nil {
				return err
			}
			rows = append(rows, r)
		}
		return list.Err()
	}))
	for _, r := range rows {
		job := &river.Job[store.RemindArgs]{JobRow: &rivertype.JobRow{ID: r.id, Metadata: []byte(r.metadata), State: rivertype.JobStateRunning}}
		h.must(json.Unmarshal([]byte(r.args), &job.Args))
		if job.Args.At.After(h.now()) {
			continue
		}
		var told []store.TimelineEntry
		err, died := h.live(func(ctx context.Context) (err error) {
			told, err = h.reminders.Remind(ctx, job)
			return err
		})
		if died || err != nil {
			continue
		}
		for _, entry := range told {
			h.tell("  %s", entry.What)
		}
		h.must(h.store.InTx(h.t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(h.t.Context(), `DELETE FROM river_job WHERE id = $1`, r.id)
			return err
		}))
	}
}

// owedAll lists the entities that are to be synced.
func (h *history) owedAll() (list []store.Entity) {
	h.t.Helper()
	for _, s := range h.owedStates() {
		list = append(list, s.Entity)
	}
	return list
}

func (h *history) owedStates() (list []store.EntityState) {
	h.t.Helper()
	h.must(h.store.InTx(h.t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Query(h.t.Context(), `SELECT location_id, kind, id, sync_contact, next_try FROM entities WHERE wanted > done ORDER BY kind, id`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var s store.EntityState
			var next int64
			if err := rows.Scan(&s.LocationID, &s.Kind, &s.ID, &s.SyncContact, &next); err != nil {
				return err
			}
			if next != 0 {
				s.NextTry = time.UnixMicro(next)
			}
			list = append(list, s)
		}
		return rows.Err()
	}))
	return list
}

// work works at most n sync jobs that are due, in any order, and reports whether
// nothing is owed any more. next is when the next one is due.
func (h *history) work(n int) (idle bool, next time.Time) {
	h.t.Helper()
	for range n {
		owed := h.owedStates()
		var ready []store.Entity
		next = time.Time{}
		for _, s := range owed {
			job := jobOf(s)
			at := h.due[job]
			if !s.Ready(h.cfg.Now()) {
				if next := s.NextTry.Add(-time.Duration(h.skew.Load())); next.After(at) {
					at = next
				}
			}
			switch {
			case !at.After(h.now()):
				ready = append(ready, job)
			case next.IsZero() || at.Before(next):
				next = at
			}
		}
		if len(ready) == 0 {
			return len(owed) == 0, next
		}
		h.carryOut(choose(h, slices.Compact(ready)...))
	}
	return false, time.Time{}
}

// hear takes up the webhooks that the vendors have sent, and decides what becomes
// of each.
func (h *history) hear() {
	for _, vendor := range []string{"HighLevel", "CalendarHero"} {
		sent := h.hl.Sent()
		if vendor == "CalendarHero" {
			sent = h.ch.Sent()
		}
		for _, s := range sent[h.sent[vendor]:] {
			w := webhook{vendor: vendor, kind: s.Type, body: s.Body, fate: choose(h, "soon", "soon", "soon", "soon", "twice", "late", "late", "lost")}
			if w.fate == "lost" {
				h.tally.lost++
				h.tell("  %s %s is lost", vendor, s.Type)
				// Neither changes the dateUpdated of a contact that is there.
				h.needCheck = h.needCheck || strings.HasPrefix(s.Type, "Note") || strings.HasPrefix(s.Type, "Appointment") || s.Type == "ContactDelete"
				continue
			}
			h.untold = append(h.untold, w)
			if w.fate == "twice" {
				h.untold = append(h.untold, w)
				h.tally.duplicated++
			}
		}
		h.sent[vendor] = len(sent)
	}
}

// deliver tells one of the webhooks that wait; which says of which fates.
func (h *history) deliver(fates string) bool {
	var which []int
	for i, w := range h.untold {
		if strings.Contains(fates, w.fate) {
			which = append(which, i)
		}
	}
	if len(which) == 0 {
		return false
	}
	i := choose(h, which...)
	w := h.untold[i]
	h.untold = append(h.untold[:i:i], h.untold[i+1:]...)
	h.past = append(h.past, w)
	h.arrive(w)
	return true
}

// arrive has Milepost take a webhook, as its handlers and its inbox do.
func (h *history) arrive(w webhook) {
	h.t.Helper()
	h.tally.told++
	d := store.Delivery{ID: int64(h.tally.told), ReceivedAt: h.now()}
	if w.vendor == "HighLevel" {
		event, err := highlevel.ParseEvent(w.body)
		h.must(err)
		d.WebhookID, d.Type, d.ContactID, d.Deleted = fmt.Sprint(d.ID), event.Type, event.ContactID, event.Deleted
		d.Entity = store.Entity{LocationID: event.LocationID, Kind: event.Kind, ID: event.EntityID}
	} else {
		id, err := calendarhero.ParseEvent(w.body)
		h.must(err)
		d.Type, d.Entity = "calendarhero."+w.kind, store.Entity{LocationID: location, Kind: string(mapping.KindMeeting), ID: id}
		if w.kind == calendarhero.NewContactAdded {
			d.Entity.Kind, d.Body = store.KindCalendarContact, w.body
		}
	}
	if d.Deleted {
		d.Body = w.body
	}
	h.Judge(h.t.Context(), &d)
	_, err := h.store.Dispatch(h.t.Context(), func(context.Context, *store.Tx) ([]store.Delivery, error) { return []store.Delivery{d}, nil })
	h.must(err)
	h.tell("  %s is told: %s %s %s", w.vendor, d.Type, h.name(d.Entity), d.Skip)
}

// look takes up what a job did on both sides.
func (h *history) look() {
	h.hear()
	h.expected.revise(false)
}

// name is an entity in the story.
func (h *history) name(e store.Entity) string {
	for i, id := range h.people {
		if id != "" && e.ID == id {
			return fmt.Sprintf("person %d", i)
		}
	}
	return e.Kind + " " + e.ID[:min(4, len(e.ID))]
}
