//go:build unix

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"milepost/internal/inbox"
	chfake "milepost/internal/sandbox/calendarhero"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

// process is a milepost of its own, with the fakes in this one.
type process struct {
	t    *testing.T
	env  []string
	exe  string // "" = this test program
	addr string
	log  io.Writer // nil = standard error
	cmd  *exec.Cmd
}

// between sets it up between the two fakes, for one location.
func (p *process) between(hl *hlfake.Server, hlURL, chURL, dir, location, app string) {
	p.env = []string{
		"MILEPOST_TEST_AS_MAIN=1", "MILEPOST_LISTEN=" + p.addr, "MILEPOST_ADMIN_LISTEN=127.0.0.1:0", "MILEPOST_DATA_DIR=" + dir, "MILEPOST_LOCK_DIR=" + filepath.Join(dir, "locks"),
		"MILEPOST_HIGHLEVEL_BASE_URL=" + hlURL, "MILEPOST_HIGHLEVEL_TOKEN=pit-crash", "MILEPOST_HIGHLEVEL_LOCATION_ID=" + location,
		"MILEPOST_HIGHLEVEL_APP_ID=" + app, "MILEPOST_HIGHLEVEL_WEBHOOK_KEYS=" + hl.PublicKeyPEM(),
		"MILEPOST_CALENDARHERO_BASE_URL=" + chURL, "MILEPOST_CALENDARHERO_TOKEN=ch-crash",
		"MILEPOST_LOG_LEVEL=error", "DATABASE_URL=",
	}
}

// start runs `milepost serve` and waits until it is ready.
func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.Command(cmp.Or(p.exe, os.Args[0]), "serve")
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.Stderr = cmp.Or[io.Writer](p.log, os.Stderr)
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		res, err := http.Get("http://" + p.addr + "/readyz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("milepost is not ready after 2 minutes: %v", err)
		}
	}
}

// end sends a signal and waits for the end.
func (p *process) end(signal syscall.Signal) error {
	if err := p.cmd.Process.Signal(signal); err != nil {
		return err
	}
	stuck := time.AfterFunc(2*time.Minute, func() { _ = p.cmd.Process.Signal(syscall.SIGQUIT) }) // it says where
	defer stuck.Stop()
	return p.cmd.Wait()
}

// freeAddress returns an address that nobody listens on, nor will: on Linux all of
// 127.0.0.0/8 is this machine, so the host is one of this test's own.
func freeAddress(t *testing.T) string {
	t.Helper()
	host := "127.0.0.1"
	if runtime.GOOS == "linux" {
		host = fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestKilledAtAnyMomentNothingIsLostOrDoubled kills Milepost five times during a
// burst of 2,000 webhooks, in a plain run twice during 500. Whatever was answered 200
// must be there and worked after the last restart, and no contact may have two meeting
// requests. Time runs ten times as fast: Milepost waits half a minute before it trusts
// that a killed process's write had no effect.
func TestKilledAtAnyMomentNothingIsLostOrDoubled(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	webhooks, contacts, kills := testenv.Rounds(2000, 500), testenv.Rounds(150, 50), testenv.Rounds(5, 2)
	const location, app = "crashLocation00000001", "6878cec452e7c8d29d4dd3d9"
	clock, variable := fast(10)
	hl := hlfake.New(hlfake.Config{Clock: clock.Now, AppID: app, Token: "pit-crash", LocationIDs: []string{location}})
	defer hl.Close()
	hl.SeedLocation(hlfake.Location{ID: location, Name: "Crash", TimeZone: "Europe/Berlin"}, nil, []hlfake.CustomField{
		{Name: "Milestone", DataType: "TEXT"}, {Name: "Milestone Date", DataType: "DATE"},
	})
	ch := chfake.New(chfake.Config{Clock: clock.Now, Token: "ch-crash", User: chfake.User{Email: "owner@example.com", TimeZone: "UTC"}})
	defer ch.Close()
	hlServer, chServer := httptest.NewServer(hl), httptest.NewServer(ch)
	defer hlServer.Close()
	defer chServer.Close()
	ids := make([]string, contacts)
	for i := range ids {
		c, err := hl.SeedContact(hlfake.Contact{LocationID: location, FirstName: fmt.Sprintf("C%03d", i), LastName: "Crash", Email: fmt.Sprintf("c%d@example.com", i)})
		if err != nil {
			t.Fatal(err)
		}
		if err := hl.SetCustomFields(c.ID, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}); err != nil {
			t.Fatal(err)
		}
		ids[i] = c.ID
	}
	dir := testdb.DataDir(t)
	p := &process{t: t, addr: freeAddress(t)}
	p.between(hl, hlServer.URL, chServer.URL, dir, location, app)
	p.env = append(p.env, variable)
	p.start()

	var mu sync.Mutex
	acked := map[string]bool{}
	queue := make(chan int, webhooks)
	for i := range webhooks {
		queue <- i
	}
	client := &http.Client{Timeout: 5 * time.Second}
	send := func(i int) bool {
		id := fmt.Sprint("crash-", i)
		body, _ := json.Marshal(map[string]string{
			"type": "ContactUpdate", "locationId": location, "id": ids[i%contacts], "appId": app, "webhookId": id,
		})
		req, _ := http.NewRequest(http.MethodPost, "http://"+p.addr+"/webhooks/highlevel", bytes.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-GHL-Signature", hl.Sign(body))
		res, err := client.Do(req)
		if err != nil {
			return false
		}
		res.Body.Close()
		if res.StatusCode == http.StatusOK {
			mu.Lock()
			acked[id] = true
			mu.Unlock()
		}
		return res.StatusCode == http.StatusOK
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var senders sync.WaitGroup
	for range 16 {
		senders.Go(func() {
			for {
				select {
				case i := <-queue:
					for !send(i) && ctx.Err() == nil { // as HighLevel would, only sooner
						time.Sleep(20 * time.Millisecond)
					}
				default:
					return
				}
			}
		})
	}
	for range kills {
		mu.Lock()
		before := len(acked)
		mu.Unlock()
		// At a moment of the burst: after some more were answered, and some more time.
		for ctx.Err() == nil {
			mu.Lock()
			more := len(acked) - before
			mu.Unlock()
			if more >= webhooks/(kills+2) {
				break
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(rand.IntN(50)) * time.Millisecond)
		_ = p.end(syscall.SIGKILL) // its error is that it was killed
		p.start()
	}
	senders.Wait()
	if len(acked) != webhooks {
		t.Fatalf("%d of %d webhooks were answered 200 within 2 minutes", len(acked), webhooks)
	}
	awaitWorked(t, dir, webhooks)
	if err := p.end(syscall.SIGTERM); err != nil {
		t.Errorf("milepost did not drain well: %v", err)
	}
	checkEnd(t, dir, acked)
	bySubject := map[string]int{}
	for _, r := range ch.Requests() {
		name, _, _ := strings.Cut(r.Subject, " [mp-")
		bySubject[name]++
	}
	for name, n := range bySubject {
		if n != 1 {
			t.Errorf("%q exists %d times", name, n)
		}
	}
	if len(bySubject) != contacts {
		t.Errorf("%d contacts have a meeting request, want %d", len(bySubject), contacts)
	}
	t.Logf("webhooks=%d kills=%d requests=%d POSTs=%d fetches=%d", len(acked), kills, len(bySubject),
		ch.Calls()["POST /meeting/tasks"], hl.Calls()["GET /contacts/{contactId}"])
}

// awaitWorked waits until the running Milepost owes nothing, for at most 4 minutes.
func awaitWorked(t *testing.T, dir string, webhooks int) {
	t.Helper()
	db, err := store.SQLiteDB(filepath.Join(dir, "milepost.db"), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for deadline := time.Now().Add(4 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		var moved, owed int
		if err := db.QueryRow(`SELECT (SELECT count(*) FROM deliveries), (SELECT count(*) FROM entities WHERE wanted > done)`).Scan(&moved, &owed); err != nil {
			t.Fatal(err)
		}
		if moved == webhooks && owed == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after 4 minutes %d of %d webhooks are dispatched and %d entities are owed", moved, webhooks, owed)
		}
	}
}

// checkEnd opens the files of a stopped Milepost and looks for each webhook.
func checkEnd(t *testing.T, dir string, acked map[string]bool) {
	t.Helper()
	st, err := store.OpenSQLite(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	in, err := inbox.OpenSQLite(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	list, err := st.Deliveries(t.Context(), 0, 10*len(acked))
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]int{}
	for _, d := range list {
		there[d.WebhookID]++
		if d.FinishedAt.IsZero() {
			t.Errorf("delivery %s is not worked: %s (%s)", d.WebhookID, d.Outcome, d.Detail)
		}
	}
	for id := range acked {
		if there[id] != 1 {
			t.Errorf("webhook %s was answered 200 and is there %d times", id, there[id])
		}
	}
}

func TestAClosedTerminalDrainsAndASecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	// Where the terminal of this test may close without ending it (nohup), its children
	// would ignore that, too; a signal that is caught is not ignored by them.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	defer signal.Stop(caught)
	r := setupCommands(t)
	if err := r.end(syscall.SIGHUP); err != nil {
		t.Errorf("after SIGHUP: %v, want the end of a drain", err)
	}
	twice := func() error {
		r.start()
		if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
			if res, err := http.Get("http://" + r.addr + "/readyz"); err == nil {
				res.Body.Close()
				if res.StatusCode == http.StatusServiceUnavailable {
					break // it drains
				}
			}
		}
		return r.end(syscall.SIGTERM)
	}
	err := twice()
	for range 9 { // the drain may be over before the second signal comes
		if err != nil {
			break
		}
		err = twice()
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("a second signal: %v, want the end by that signal", err)
	}
	r.start() // for the end of setupCommands
}
