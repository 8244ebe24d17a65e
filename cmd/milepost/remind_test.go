//go:build unix

package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	chfake "milepost/internal/sandbox/calendarhero"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

// TestKilledWhileAReminderIsMailedItIsNotMailedAgain kills Milepost between
// CalendarHero's mail and its answer.
func TestKilledWhileAReminderIsMailedItIsNotMailedAgain(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	const location, app = "crashLocation00000001", "6878cec452e7c8d29d4dd3d9"
	p := &process{t: t, addr: freeAddress(t)}
	hl := hlfake.New(hlfake.Config{
		AppID: app, Token: "pit-crash", LocationIDs: []string{location}, WebhookURL: "http://" + p.addr + "/webhooks/highlevel",
	})
	defer hl.Close()
	hl.SeedLocation(hlfake.Location{ID: location, Name: "Crash", TimeZone: "Europe/Berlin"}, nil, nil)
	ch := chfake.New(chfake.Config{Token: "ch-crash", User: chfake.User{Email: "owner@example.com", TimeZone: "UTC"}})
	defer ch.Close()
	mailed, once := make(chan struct{}), sync.Once{}
	chServer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/remind") {
			ch.ServeHTTP(w, r)
			return
		}
		ch.ServeHTTP(httptest.NewRecorder(), r)
		once.Do(func() { close(mailed) })
		<-r.Context().Done()
	}))
	hlServer := httptest.NewServer(hl)
	defer hlServer.Close()
	defer chServer.Close()
	contact, err := hl.SeedContact(hlfake.Contact{LocationID: location, FirstName: "Jane", LastName: "Doe", Email: "jane@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	dir := testdb.DataDir(t)
	p.between(hl, hlServer.URL, chServer.URL, dir, location, app)
	p.start()
	// Time enough for the request to be made before the reminder's moment.
	if _, err := hl.CreateTask(hlfake.Task{ContactID: contact.ID, Title: "Call", DueDate: time.Now().Add(time.Hour + 6*time.Second)}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-mailed:
	case <-time.After(3 * time.Minute):
		t.Error("the reminder's moment came and nothing was sent")
	}
	_ = p.end(syscall.SIGKILL) // its error is that it was killed
	if t.Failed() {
		return
	}
	p.start()
	st, err := store.OpenSQLite(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var told store.TimelineEntry
	for deadline := time.Now().Add(3 * time.Minute); !strings.HasPrefix(told.What, "reminder") && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		list, err := st.Timeline(context.Background(), location, contact.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range list {
			told = entry
		}
	}
	if told.What != "reminder perhaps sent" || !strings.Contains(told.Detail, "Milepost was interrupted") {
		t.Errorf("the timeline ends with %+v", told)
	}
	if err := p.end(syscall.SIGTERM); err != nil {
		t.Errorf("milepost did not drain well: %v", err)
	}
	if n := ch.Calls()["PUT /meeting/tasks/{id}/remind"]; n != 1 {
		t.Errorf("CalendarHero was asked %d times", n)
	}
}
