//go:build unix

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	chfake "milepost/internal/sandbox/calendarhero"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

// pair is two processes that share a PostgreSQL database, between the two fakes.
type pair struct {
	t         *testing.T
	url       string // of the database
	hl        *hlfake.Server
	ch        *chfake.Server
	contacts  []string
	processes [2]*process

	stop    chan struct{}
	senders sync.WaitGroup
	acked   sync.Map // ids of webhooks that were answered 200
	sent    atomic.Int64
	again   atomic.Int64 // requests that the other process had to take
}

const pairLocation, pairApp = "rollingLocation000001", "6878cec452e7c8d29d4dd3d9"

// setupPair prepares both processes, and starts none.
func setupPair(t *testing.T, url string) *pair {
	t.Helper()
	p := &pair{t: t, url: url, stop: make(chan struct{})}
	p.hl = hlfake.New(hlfake.Config{AppID: pairApp, Token: "pit-crash", LocationIDs: []string{pairLocation}})
	t.Cleanup(p.hl.Close)
	p.hl.SeedLocation(hlfake.Location{ID: pairLocation, Name: "Rolling", TimeZone: "Europe/Berlin"}, nil, []hlfake.CustomField{
		{Name: "Milestone", DataType: "TEXT"}, {Name: "Milestone Date", DataType: "DATE"},
	})
	p.ch = chfake.New(chfake.Config{Token: "ch-crash", User: chfake.User{Email: "owner@example.com", TimeZone: "UTC"}})
	t.Cleanup(p.ch.Close)
	hl, ch := httptest.NewServer(p.hl), httptest.NewServer(p.ch)
	t.Cleanup(hl.Close)
	t.Cleanup(ch.Close)
	for i := range p.processes {
		one := &process{t: t, addr: freeAddress(t)}
		one.between(p.hl, hl.URL, ch.URL, t.TempDir(), pairLocation, pairApp)
		one.env = append(one.env, "DATABASE_URL="+url, "MILEPOST_RECONCILE_EVERY=0",
			"MILEPOST_ENCRYPTION_KEYS=k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
		p.processes[i] = one
		t.Cleanup(func() { // where the test gave up
			if one.cmd != nil && one.cmd.ProcessState == nil {
				_ = one.end(syscall.SIGKILL)
			}
		})
	}
	for i := range testenv.Rounds(60, 20) {
		c, err := p.hl.SeedContact(hlfake.Contact{LocationID: pairLocation, FirstName: fmt.Sprintf("C%03d", i), LastName: "Rolling", Email: fmt.Sprintf("c%d@example.com", i)})
		if err != nil {
			t.Fatal(err)
		}
		p.contacts = append(p.contacts, c.ID)
		p.milestone(i, "2030-05-02")
	}
	return p
}

// milestone dates the milestone of a contact.
func (p *pair) milestone(contact int, date string) {
	p.t.Helper()
	if err := p.hl.SetCustomFields(p.contacts[contact], map[string]any{"contact.milestone": "Closing", "contact.milestone_date": date}); err != nil {
		p.t.Fatal(err)
	}
}

// load sends webhooks through a load balancer, until settle.
func (p *pair) load() {
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	client := &http.Client{Timeout: 5 * time.Second, Transport: transport}
	p.t.Cleanup(transport.CloseIdleConnections)
	var ready [2]atomic.Bool
	for i, one := range p.processes {
		p.senders.Go(func() {
			p.every(100*time.Millisecond, func() {
				res, err := client.Get("http://" + one.addr + "/readyz")
				if err == nil {
					res.Body.Close()
				}
				ready[i].Store(err == nil && res.StatusCode == http.StatusOK)
			})
		})
	}
	post := func(to *process, body string) bool {
		req, _ := http.NewRequest(http.MethodPost, "http://"+to.addr+"/webhooks/highlevel", strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-GHL-Signature", p.hl.Sign([]byte(body)))
		res, err := client.Do(req)
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	}
	for range 4 {
		p.senders.Go(func() {
			p.every(time.Duration(testenv.Rounds(20, 100))*time.Millisecond, func() {
				n := p.sent.Add(1)
				id := fmt.Sprint("rolling-", n)
				body := fmt.Sprintf(`{"type":"ContactUpdate","locationId":%q,"id":%q,"appId":%q,"webhookId":%q}`, pairLocation, p.contacts[int(n)%len(p.contacts)], pairApp, id)
				deadline := time.Now().Add(30 * time.Second)
				for i := int(n); time.Now().Before(deadline); i++ {
					if !ready[i%2].Load() && ready[(i+1)%2].Load() {
						continue
					}
					if post(p.processes[i%2], body) {
						p.acked.Store(id, true)
						return
					}
					p.again.Add(1)
				}
				p.t.Errorf("no process took webhook %s within 30 s", id)
			})
		})
	}
}

// every calls do again and again until settle.
func (p *pair) every(pause time.Duration, do func()) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		do()
		select {
		case <-p.stop:
			return
		case <-ticker.C:
		}
	}
}

// restart stops a process as a service manager does, and starts it again.
func (p *pair) restart(one *process) {
	p.t.Helper()
	if err := one.end(syscall.SIGTERM); err != nil {
		p.t.Errorf("a process did not drain well: %v", err)
	}
	one.start()
}

// move waits until each contact has its request, and moves the milestones.
func (p *pair) move() {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); len(p.ch.Requests()) < len(p.contacts); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("after a minute there are %d requests, want %d", len(p.ch.Requests()), len(p.contacts))
		}
	}
	for i := range p.contacts {
		p.milestone(i, "2030-06-03")
	}
}

// settle ends the load, waits until nothing is owed, stops both processes, and looks for each webhook.
func (p *pair) settle() {
	t := p.t
	t.Helper()
	close(p.stop)
	p.senders.Wait()
	st, err := store.OpenPostgres(t.Context(), p.url)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	there, worked := map[string]int{}, false
	for deadline := time.Now().Add(90 * time.Second); !worked && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		list, err := st.Deliveries(t.Context(), 0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		clear(there)
		worked = true
		for _, d := range list {
			there[d.WebhookID]++
			worked = worked && !d.FinishedAt.IsZero()
		}
		p.acked.Range(func(id, _ any) bool { worked = worked && there[id.(string)] > 0; return worked })
	}
	if !worked {
		t.Error("after 90 s not all webhooks are worked")
	}
	for _, one := range p.processes {
		if err := one.end(syscall.SIGTERM); err != nil {
			t.Errorf("a process did not drain well: %v", err)
		}
	}
	acked := 0
	p.acked.Range(func(id, _ any) bool {
		acked++
		if n := there[id.(string)]; n != 1 {
			t.Errorf("webhook %s was answered 200 and is there %d times", id, n)
		}
		return true
	})
	t.Logf("webhooks=%d sent again=%d fetches=%d mails=%d", acked, p.again.Load(), p.hl.Calls()["GET /contacts/{contactId}"], len(p.ch.Mails()))
}

// mailed checks that each contact has one request for its milestone, and that CalendarHero
// sent these mails for it.
func (p *pair) mailed(want ...chfake.MailKind) {
	p.t.Helper()
	requests, mails := map[string]int{}, map[string][]chfake.MailKind{}
	for _, r := range p.ch.Requests() {
		subject, _, _ := strings.Cut(r.Subject, " [mp-")
		requests[subject]++
	}
	for _, m := range p.ch.Mails() {
		subject, _, _ := strings.Cut(m.Subject, " [mp-")
		mails[subject] = append(mails[subject], m.Kind)
	}
	for i := range p.contacts {
		subject := fmt.Sprintf("Closing: C%03d Rolling", i)
		if requests[subject] != 1 {
			p.t.Errorf("%q has %d requests, want 1", subject, requests[subject])
		}
		if got := fmt.Sprint(mails[subject]); got != fmt.Sprint(want) {
			p.t.Errorf("%q was mailed %s, want %s", subject, got, fmt.Sprint(want))
		}
	}
	// The account's owner, who is invited, is a contact too.
	if n := len(p.ch.Contacts()); n != len(p.contacts)+1 {
		p.t.Errorf("CalendarHero has %d contacts, want %d", n, len(p.contacts)+1)
	}
}

// TestARollingRestartLosesAndDoublesNothing restarts both processes in turn while webhooks
// arrive through a load balancer, up to 200 a second in CI and 40 in a plain run, and the
// milestones move.
func TestARollingRestartLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	p := setupPair(t, testdb.Postgres(t))
	for _, one := range p.processes {
		one.start()
	}
	p.load()
	for _, one := range p.processes {
		p.restart(one)
	}
	p.move()
	for _, one := range p.processes {
		p.restart(one)
	}
	p.settle()
	p.mailed(chfake.MailInvite, chfake.MailCancel, chfake.MailInvite)
}

// TestAnOlderVersionServesBesideANewer upgrades two processes one by one under load.
// MILEPOST_TEST_OLDER names the program of the older version; `make upgrade-check` builds
// it from the history.
func TestAnOlderVersionServesBesideANewer(t *testing.T) {
	older := os.Getenv("MILEPOST_TEST_OLDER")
	if older == "" {
		t.Skip("MILEPOST_TEST_OLDER is not set; make upgrade-check builds an older version and sets it")
	}
	t.Parallel()
	testdb.Postgres(t) // skips the test if there is none
	server, err := testdb.PostgresServer()
	if err != nil {
		t.Fatal(err)
	}
	url, drop, err := testdb.CreateDatabase(context.Background(), server) // the older version makes the tables
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := drop(); err != nil {
			t.Error(err)
		}
	})
	p := setupPair(t, url)
	for _, one := range p.processes {
		one.exe = older
		one.start()
	}
	p.load()
	p.processes[0].exe = ""
	p.restart(p.processes[0])
	p.move()
	p.restart(p.processes[1]) // the older one starts on the newer tables
	p.processes[1].exe = ""
	p.restart(p.processes[1])
	p.settle()
	p.mailed(chfake.MailInvite, chfake.MailCancel, chfake.MailInvite)
}
