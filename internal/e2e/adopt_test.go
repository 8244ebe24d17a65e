package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"milepost/internal/app"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/testenv/testdb"
)

// backfill looks at all records of the location, as the command does.
func (w *world) backfill() {
	w.t.Helper()
	state, err := app.OpenState(w.t.Context(), w.cfg, zerolog.Nop())
	w.must(err)
	defer state.Store.Close()
	backfill, err := state.Backfill(w.cfg)
	w.must(err)
	_, err = backfill.Reconciler.Sweep(w.t.Context(), "backfill/all", location, time.Time{}, false, nil)
	w.must(err)
	w.eventually("all that was found is synced", func() bool {
		n, err := w.app.Store().Backlog(w.t.Context())
		return err == nil && n == 0
	})
}

func TestADatabaseThatIsLostRestoredOrReplacedMakesNothingTwice(t *testing.T) {
	together(t)
	const people = 10
	for name, start := range map[string]func(w *world, old string){
		"an empty database":            func(w *world, _ string) { w.cfg.DataDir = w.t.TempDir() },
		"an older copy":                func(w *world, old string) { w.cfg.DataDir = old },
		"PostgreSQL instead of SQLite": func(w *world, _ string) { w.cfg.DatabaseURL = testdb.Postgres(w.t) },
	} {
		t.Run(name, func(t *testing.T) {
			w := setup(t)
			var ids []string
			var tasks []hlfake.Task
			for i := range people {
				id := w.contact("Jane", fmt.Sprint("Doe", i), fmt.Sprintf("jane%d@example.com", i))
				w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": fmt.Sprintf("2030-05-%02d", i+1)}))
				task, err := w.hl.CreateTask(hlfake.Task{ContactID: id, Title: "Call", DueDate: time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC)})
				w.must(err)
				_, err = w.hl.CreateNote(hlfake.Note{ContactID: id, Body: "Parks behind the house #keys"})
				w.must(err)
				ids, tasks = append(ids, id), append(tasks, task)
			}
			w.settle()
			w.stop()
			old := t.TempDir()
			w.must(os.CopyFS(filepath.Join(old, "data"), os.DirFS(w.cfg.DataDir)))
			w.start()
			// What the copy does not know: dates and titles that changed, tasks that were
			// done, meetings that were moved, accepted and called off.
			w.must(w.hl.SetCustomFields(ids[0], map[string]any{"contact.milestone_date": "2030-06-01"}))
			w.must(w.hl.SetCustomFields(ids[1], map[string]any{"contact.milestone": "Inspection"}))
			w.must(w.hl.SetCustomFields(ids[2], map[string]any{"contact.milestone_date": ""}))
			w.must(w.hl.CompleteTask(tasks[3].ID))
			w.settle()
			moved := time.Date(2030, 7, 1, 15, 0, 0, 0, time.UTC)
			w.must(w.ch.Accept(w.request("Closing: Jane Doe4").ID))
			w.must(w.ch.Reschedule(w.request("Closing: Jane Doe5").ID, moved, moved.Add(30*time.Minute)))
			w.must(w.ch.Cancel(w.request("Closing: Jane Doe6").ID))
			w.settle()
			w.stop()
			state := func() (open []string) {
				for _, r := range w.ch.Requests() {
					open = append(open, fmt.Sprint(r.ID, r.Subject, r.Start, r.State))
				}
				slices.Sort(open)
				return open
			}
			before, mails, contacts, lists := state(), len(w.ch.Mails()), len(w.ch.Contacts()), w.calls("GET /meeting/tasks")

			start(w, filepath.Join(old, "data"))
			w.start()
			w.backfill()
			if after := state(); !slices.Equal(after, before) {
				t.Errorf("open requests before:\n%s\nand after:\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
			}
			if n := len(w.ch.Mails()) - mails; n != 0 || len(w.ch.Contacts()) != contacts {
				t.Errorf("%d mails, and %d contacts instead of %d", n, len(w.ch.Contacts()), contacts)
			}
			// Three lists, each in two calls, are read once for all; again if a known meeting is looked for, and
			// to make sure where a DELETE is answered by 404. A slow machine shares fewer of them: one
			// read for each record would be 120.
			if calls := w.calls("GET /meeting/tasks") - lists; calls > 60 || calls > 6 && name != "an older copy" {
				t.Errorf("the lists were read with %d calls for %d records", calls, 2*people)
			}
			// From then on changes arrive as always.
			w.must(w.hl.SetCustomFields(ids[7], map[string]any{"contact.milestone_date": "2030-06-07"}))
			w.eventually("a change moves the request", func() bool {
				return w.request("Closing: Jane Doe7").Start.Format(time.DateOnly) == "2030-06-07"
			})
		})
	}
}
