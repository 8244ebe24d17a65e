package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"milepost/internal/app"
	"milepost/internal/inbox"
)

// readyz returns the status of /readyz.
func (w *world) readyz() int {
	w.t.Helper()
	res, err := http.Get(w.app.AdminURL() + "/readyz")
	if err != nil {
		w.t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

func (w *world) remove(names ...string) {
	w.t.Helper()
	for _, name := range names {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(filepath.Join(w.cfg.DataDir, name+suffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
				w.t.Fatal(err)
			}
		}
	}
}

// dispatched reports whether there is a delivery of each webhook.
func (w *world) dispatched(ids []string) bool {
	there := map[string]bool{}
	for _, d := range w.deliveries() {
		there[d.Entity.ID] = true
	}
	for _, id := range ids {
		if !there[id] {
			return false
		}
	}
	return true
}

// burst sends n webhooks, and returns the contacts of those that were acknowledged.
func (w *world) burst(name string, n int) (acknowledged []string) {
	w.t.Helper()
	for i := range n {
		id := fmt.Sprint(name, i)
		if status, _ := w.postSigned(event("ContactUpdate", id, "webhookId", id)); status == http.StatusOK {
			acknowledged = append(acknowledged, id)
		}
	}
	return acknowledged
}

func TestAFileThatIsDeletedWhileMilepostRunsStopsTheAcknowledging(t *testing.T) {
	together(t)
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not let an open file be deleted")
	}
	for _, files := range [][]string{{"inbox.db"}, {"milepost.db"}, {"inbox.db", "milepost.db"}} {
		t.Run(strings.Join(files, " and "), func(t *testing.T) {
			w := setup(t, logged)
			before := w.burst("before", 10)
			w.eventually("all is dispatched", func() bool { return w.dispatched(before) })
			w.remove(files...)
			acknowledged := w.burst("meanwhile", 10) // the inbox may be as it was
			w.eventually("readyz says so", func() bool { return w.readyz() == http.StatusServiceUnavailable })
			w.eventually("the workers have stopped", func() bool { return len(w.log.lines(`"outage began"`, "webhook storage")) > 0 })
			if late := w.burst("late", 20); len(late) != 0 {
				t.Errorf("%d webhooks were acknowledged after the file was missed", len(late))
			}
			if files[0] == "inbox.db" && len(acknowledged) != 0 {
				t.Errorf("%d webhooks were acknowledged by an inbox that was deleted", len(acknowledged))
			}
			if n := len(w.log.lines(`"level":"error"`, "webhook storage")); n != 1 {
				t.Errorf("the outage was logged %d times, want once:\n%s", n, strings.Join(w.log.lines(`"level":"error"`), ""))
			}
			told, outages := map[string]bool{}, 0 // the slower the machine, the more parts of River notice before they stop
			for _, line := range w.log.lines(`"level":"error"`) {
				var said struct{ Of, Message string }
				w.must(json.Unmarshal([]byte(line), &said))
				about := said.Of + said.Message
				if told[about] {
					t.Errorf("this is logged again: %s", line)
				}
				told[about] = true
				if said.Of != "" { // Milepost's own
					outages++
				}
			}
			if outages > 3 {
				t.Errorf("%d outages were logged:\n%s", outages, strings.Join(w.log.lines(`"level":"error"`), ""))
			}
			w.stop()

			if files[0] == "milepost.db" { // empty now, beside an inbox that is not
				if _, err := app.New(t.Context(), w.cfg, zerolog.Nop()); !errors.Is(err, inbox.ErrEmptyState) || !strings.Contains(err.Error(), "milepost recover --replay") {
					t.Fatalf("it started with %v, want ErrEmptyState and what to do", err)
				}
				if n, err := app.Recover(t.Context(), w.cfg, inbox.Replay); err != nil || n < 10 {
					t.Fatalf("%d webhooks are worked again (%v), want 10 or more", n, err)
				}
				if _, err := app.Recover(t.Context(), w.cfg, inbox.Skip); err == nil {
					t.Error("the decision can be made twice")
				}
			}
			w.start()
			again := w.burst("again", 10)
			if len(again) != 10 {
				t.Errorf("%d of 10 webhooks were acknowledged after the restart", len(again))
			}
			w.eventually("all that was acknowledged is dispatched", func() bool {
				return w.dispatched(again) && (files[0] != "milepost.db" || w.dispatched(acknowledged))
			})
		})
	}
}

func TestADamagedFileDoesNotStart(t *testing.T) {
	together(t)
	for _, name := range []string{"inbox.db", "milepost.db"} {
		t.Run(name, func(t *testing.T) {
			w := setup(t)
			before := w.burst("before", 100)
			w.eventually("all is dispatched", func() bool { return w.dispatched(before) })
			w.stop()
			path := filepath.Join(w.cfg.DataDir, name)
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for page := 2 * 4096; page+4096 < len(content); page += 2 * 4096 {
				copy(content[page:], make([]byte, 100))
			}
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			a, err := app.New(t.Context(), w.cfg, zerolog.Nop())
			if err == nil || !strings.Contains(err.Error(), name+" cannot be read") {
				t.Errorf("it started with %v, want an error that names the file (%v)", err, a)
			}
		})
	}
}

func TestAnInboxThatDoesNotBelongToTheStateIsWorkedAndLogged(t *testing.T) {
	w := setup(t, logged)
	before := w.burst("before", 20)
	w.eventually("all is dispatched", func() bool { return w.dispatched(before) })
	w.stop()
	w.remove("inbox.db")
	w.start()
	w.wantLine(`"level":"warn"`, "inbox.db and milepost.db do not match", "inbox.db is new or empty")
	after := w.burst("after", 10)
	w.eventually("all is dispatched", func() bool { return w.dispatched(after) })
	w.stop()
	w.start()
	if n := len(w.log.lines("do not match")); n != 1 {
		t.Errorf("the mismatch was logged %d times, want once", n)
	}
}
