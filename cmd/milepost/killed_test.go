//go:build unix

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	chfake "milepost/internal/sandbox/calendarhero"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv/testdb"
)

// TestWhatAKilledProcessOnPostgreSQLHeldIsDoneWithin30s kills one of two processes
// while CalendarHero works its calls: the one that started first, whose River
// schedules the jobs that wait.
func TestWhatAKilledProcessOnPostgreSQLHeldIsDoneWithin30s(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: a process is found dead after 17 s")
	}
	t.Parallel()
	url := testdb.Postgres(t)
	const location, app, contacts = "crashLocation00000001", "6878cec452e7c8d29d4dd3d9", 3
	hl := hlfake.New(hlfake.Config{AppID: app, Token: "pit-crash", LocationIDs: []string{location}})
	defer hl.Close()
	hl.SeedLocation(hlfake.Location{ID: location, Name: "Crash", TimeZone: "Europe/Berlin"}, nil, nil)
	ch := chfake.New(chfake.Config{Token: "ch-crash", User: chfake.User{Email: "owner@example.com", TimeZone: "UTC"}})
	defer ch.Close()
	held, killed := make(chan struct{}, contacts), make(chan struct{})
	chServer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/contact" {
			select {
			case <-killed:
			default: // the contact is made, and the answer never arrives
				ch.ServeHTTP(httptest.NewRecorder(), r)
				held <- struct{}{}
				<-r.Context().Done()
				return
			}
		}
		ch.ServeHTTP(w, r)
	}))
	hlServer := httptest.NewServer(hl)
	defer hlServer.Close()
	defer chServer.Close()
	var processes [2]*process
	for i := range processes {
		p := &process{t: t, addr: freeAddress(t)}
		p.between(hl, hlServer.URL, chServer.URL, testdb.DataDir(t), location, app)
		p.env = append(p.env, "DATABASE_URL="+url, "MILEPOST_RECONCILE_EVERY=0",
			"MILEPOST_ENCRYPTION_KEYS=k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
		processes[i] = p
	}
	processes[0].start()
	for i := range contacts {
		c, err := hl.CreateContact(hlfake.Contact{LocationID: location, FirstName: fmt.Sprint("C", i), LastName: "Crash", Email: fmt.Sprintf("c%d@example.com", i)})
		if err != nil {
			t.Fatal(err)
		}
		body := fmt.Sprintf(`{"type":"ContactUpdate","locationId":%q,"id":%q,"appId":%q,"webhookId":"w%d"}`, location, c.ID, app, i)
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+processes[0].addr+"/webhooks/highlevel", strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-GHL-Signature", hl.Sign([]byte(body)))
		res, err := http.DefaultClient.Do(req)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(res, err)
		}
		res.Body.Close()
	}
	for range contacts {
		<-held
	}
	processes[1].start()
	_ = processes[0].end(syscall.SIGKILL) // its error is that it was killed
	at := time.Now()
	close(killed)
	st, err := store.OpenPostgres(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for {
		left, err := st.Backlog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if left == 0 {
			break
		}
		if time.Since(at) > 90*time.Second {
			t.Fatalf("after %s %d contacts wait", time.Since(at), left)
		}
		time.Sleep(100 * time.Millisecond) // between looks; the test waits for real time
	}
	took := time.Since(at)
	t.Logf("took %s", took.Round(100*time.Millisecond))
	if took >= 30*time.Second {
		t.Errorf("what the killed process held was done after %s, want less than 30 s", took)
	}
	if err := processes[1].end(syscall.SIGTERM); err != nil {
		t.Errorf("the other process did not drain well: %v", err)
	}
	if n := len(ch.Contacts()); n != contacts {
		t.Errorf("CalendarHero has %d contacts, want %d", n, contacts)
	}
}
