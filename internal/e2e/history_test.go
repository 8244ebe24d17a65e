package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"milepost/internal/app"
	chfake "milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
)

// speed is how much faster than real time Milepost runs: the 5 s that an unclear
// create settles take 50 ms, the minute before "not found" is believed 600 ms.
const speed = 100

// history is one made-up story of a location: what people do in HighLevel, what
// becomes of the webhooks, how the vendors fail and how often Milepost dies.
type history struct {
	rt    *rapid.T
	hl    *hlfake.Server
	ch    *chfake.Server
	relay *relay
	told  []string // the steps, for whoever has to understand a failure

	cfg     app.Config
	app     *app.App
	proxies [2]*crashProxy
	cancel  context.CancelFunc
	ended   chan error
	log     bytes.Buffer

	people [3]string // ids of the contacts; "" = deleted
	nudges sync.WaitGroup
	nudged int
	route  route // of the webhooks of the next change
	armed  []*fakehttp.Armed
	over   context.Context

	expected expectations
	tally    tally
}

// tally counts what a test run went through.
type tally struct {
	histories, changes, webhooks, refused, faults, drains, crashes int
	creates, deletes, mails                                        int
}

func (a *tally) add(b tally) {
	a.histories += b.histories
	a.changes += b.changes
	a.webhooks += b.webhooks
	a.refused += b.refused
	a.faults += b.faults
	a.drains += b.drains
	a.crashes += b.crashes
	a.creates += b.creates
	a.deletes += b.deletes
	a.mails += b.mails
}

func (a tally) String() string {
	return fmt.Sprintf("histories=%d changes=%d webhooks=%d refused=%d faults=%d drains=%d crashes=%d creates=%d deletes=%d mails=%d",
		a.histories, a.changes, a.webhooks, a.refused, a.faults, a.drains, a.crashes, a.creates, a.deletes, a.mails)
}

// begin starts both fakes and Milepost, on a copy of the data directory empty.
func begin(rt *rapid.T, empty, dir string) *history {
	h := &history{rt: rt, relay: newRelay(), route: normally, expected: expectations{}}
	rt.Cleanup(h.relay.server.Close)
	var over context.CancelFunc
	h.over, over = context.WithCancel(context.Background())
	rt.Cleanup(h.nudges.Wait)
	rt.Cleanup(over)
	clock := app.Clock{Start: time.Now(), Speed: speed}
	h.hl = hlfake.New(hlfake.Config{
		Clock: clock.Now,
		Token: hlToken, LocationIDs: []string{location}, WebhookURL: h.relay.server.URL,
		WebhookRetries: 1 << 20, WebhookBackoff: func(int) time.Duration { return 50 * time.Millisecond },
	})
	rt.Cleanup(h.hl.Close)
	h.hl.SeedLocation(hlfake.Location{ID: location, Name: "Northwind Realty", TimeZone: "America/New_York"}, nil, []hlfake.CustomField{
		{Name: "Milestone", DataType: "TEXT"}, {Name: "Milestone Date", DataType: "DATE"},
	})
	h.ch = chfake.New(chfake.Config{
		Clock: clock.Now,
		Token: chToken, User: chfake.User{Name: "Olivia Owner", Email: ownerMail, TimeZone: "America/Toronto"},
	})
	rt.Cleanup(h.ch.Close)
	h.cfg = app.Config{
		Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", DataDir: dir,
		HighLevelAppID: h.hl.AppID(), HighLevelToken: hlToken, HighLevelLocationID: location, HighLevelWebhookKeys: h.hl.PublicKeyPEM(),
		CalendarHeroToken: chToken, CalendarHeroAuth: "raw",
		Clock: clock, ReconcileEvery: choose(h, "reconcile every", 0, time.Minute),
	}
	h.tell("locations are looked through every %s", h.cfg.ReconcileEvery)
	h.must(os.CopyFS(dir, os.DirFS(empty)))
	h.start()
	rt.Cleanup(h.end)
	return h
}

func (h *history) must(err error) {
	if err != nil {
		h.fail("%v", err)
	}
}

// fail ends the history and tells it from its beginning.
func (h *history) fail(format string, args ...any) {
	var all bytes.Buffer
	fmt.Fprintf(&all, format, args...)
	all.WriteString("\nthe history:")
	for i, step := range h.told {
		fmt.Fprintf(&all, "\n%3d %s", i+1, step)
	}
	h.rt.Fatal(all.String())
}

func (h *history) tell(format string, args ...any) {
	h.told = append(h.told, fmt.Sprintf(format, args...))
}

// start begins a life of Milepost with proxies of its own.
func (h *history) start() {
	h.proxies = [2]*crashProxy{newCrashProxy(h.hl), newCrashProxy(h.ch)}
	h.cfg.HighLevelBaseURL, h.cfg.CalendarHeroBaseURL = h.proxies[0].server.URL, h.proxies[1].server.URL
	a, err := app.New(context.Background(), h.cfg, zerolog.New(zerolog.SyncWriter(&h.log)).Level(zerolog.Disabled))
	h.must(err)
	var ctx context.Context
	ctx, h.cancel = context.WithCancel(context.Background())
	h.app, h.ended = a, make(chan error, 1)
	go func() { h.ended <- a.Run(ctx) }()
	h.must(a.WaitReady(h.over))
	h.relay.serve(a.PublicURL() + "/webhooks/highlevel")
}

// end drains.
func (h *history) end() {
	if h.cancel == nil {
		return
	}
	h.cancel()
	err := <-h.ended
	h.cancel = nil
	h.relay.serve("")
	for _, g := range h.proxies {
		g.server.Close()
	}
	if err != nil {
		h.fail("Run: %v", err)
	}
}

// crash leaves what kill -9 would: both files as they are at one moment, calls
// that had their effect and no answer, and answers that nobody heard. The next
// life begins with a copy of the files; the old one goes on in its own, where
// it harms nobody, until it has ended.
func (h *history) crash(dir string) {
	h.relay.serve("")
	for _, g := range h.proxies {
		g.freeze()
	}
	// The state first: what is dispatched after its copy is still in the inbox's.
	for _, name := range []string{"milepost.db", "inbox.db"} {
		db, err := store.SQLiteDB(filepath.Join(h.cfg.DataDir, name), 1)
		h.must(err)
		_, err = db.Exec(`VACUUM INTO ?`, filepath.Join(dir, name))
		h.must(err)
		h.must(db.Close())
	}
	keys, err := os.ReadFile(filepath.Join(h.cfg.DataDir, "encryption.keys"))
	h.must(err)
	h.must(os.WriteFile(filepath.Join(dir, "encryption.keys"), keys, 0o600))
	h.cancel()
	for _, g := range h.proxies {
		g.cut()
	}
	<-h.ended // its errors are a dying process's
	for _, g := range h.proxies {
		g.server.Close()
	}
	h.cfg.DataDir = dir
	h.start()
}

// nudge tells of a change for which HighLevel has no event. It is sent until
// it is answered, like the others.
func (h *history) nudge(taskID, contactID string) {
	h.nudged++
	body := []byte(event("TaskComplete", taskID, "contactId", contactID, "appId", h.hl.AppID(), "webhookId", fmt.Sprint("nudge-", h.nudged)))
	header := http.Header{"Content-Type": {"application/json"}, "X-Ghl-Signature": {h.hl.Sign(body)}}
	h.nudges.Go(func() {
		for h.over.Err() == nil {
			if status, err := pass(h.relay.server.URL, header, body); err == nil && status == http.StatusOK {
				return
			}
			select {
			case <-time.After(20 * time.Millisecond): // as HighLevel would, only sooner
			case <-h.over.Done():
			}
		}
	})
}

// settle waits until everything is told and worked, the echoes included.
func (h *history) settle() {
	ctx, cancel := context.WithTimeout(h.over, time.Minute)
	defer cancel()
	h.nudges.Wait()
	for {
		if err := h.hl.WaitIdle(ctx); err != nil {
			h.fail("webhooks are still being sent after a minute: %+v", h.unsent())
		}
		sent := len(h.hl.Sent())
		if h.worked() && len(h.hl.Sent()) == sent {
			return
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			h.fail("work is left after a minute: %s", h.unfinished())
		}
	}
}

// worked reports whether all that was accepted is dispatched and synced.
func (h *history) worked() bool {
	n, err := h.app.Store().Backlog(context.Background())
	h.must(err)
	if n > 0 {
		return false
	}
	list := h.deliveries()
	for _, d := range list {
		if d.FinishedAt.IsZero() {
			return false
		}
	}
	stored, _ := h.relay.counts()
	return len(list) >= stored
}

func (h *history) deliveries() []store.Delivery {
	list, err := h.app.Store().Deliveries(context.Background(), 0, 10000)
	h.must(err)
	return list
}

func (h *history) unfinished() (found []string) {
	for _, d := range h.deliveries() {
		if d.FinishedAt.IsZero() {
			found = append(found, fmt.Sprintf("%s %s of %s: %s (%s)", d.WebhookID, d.Type, d.Entity, d.Outcome, d.Detail))
		}
	}
	return found
}

func (h *history) unsent() (found []string) {
	for _, s := range h.hl.Sent() {
		if !s.Done {
			found = append(found, fmt.Sprintf("%s %s: %d tries, last %d %s", s.ID, s.Type, s.Attempts, s.LastStatus, s.LastError))
		}
	}
	return found
}
