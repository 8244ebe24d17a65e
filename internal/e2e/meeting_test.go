package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	chfake "milepost/internal/sandbox/calendarhero"
	hlfake "milepost/internal/sandbox/highlevel"
)

// hooked has CalendarHero tell Milepost by webhooks, and never polls.
func hooked(w *world, _ *hlfake.Config) { w.cfg.VendorsHere = true }

// registered waits until CalendarHero knows where to send every event.
func (w *world) registered() {
	w.t.Helper()
	w.eventually("all eight webhooks are registered", func() bool { return len(w.ch.Hooks()) == 8 })
}

// request is the one live request with that subject.
func (w *world) request(subject string) (r chfake.MeetingRequest) {
	w.t.Helper()
	w.eventually("there is a request "+subject, func() bool {
		n := 0
		for _, q := range w.ch.Requests() {
			if strings.HasPrefix(q.Subject, subject) {
				r = q
				n++
			}
		}
		return n == 1
	})
	return r
}

func TestWhatHappensInCalendarHeroComesBackByWebhooks(t *testing.T) {
	together(t)
	for name, backend := range map[string]func(*world, *hlfake.Config){
		"SQLite": func(*world, *hlfake.Config) {}, "PostgreSQL": onPostgres,
	} {
		t.Run(name, func(t *testing.T) {
			w := setup(t, hooked, backend)
			w.registered()
			jane := w.contact("Jane", "Doe", "jane@example.com")
			due := time.Date(2030, 6, 3, 19, 0, 0, 0, time.UTC)
			task, err := w.hl.CreateTask(hlfake.Task{ContactID: jane, Title: "Call", DueDate: due})
			w.must(err)
			r := w.request("Call")
			w.settle()
			to := due.AddDate(0, 0, 2)
			w.must(w.ch.Reschedule(r.ID, to.Add(-15*time.Minute), to))
			w.eventually("the task is moved", func() bool {
				now, _ := w.hl.Task(task.ID)
				return now.DueDate.Equal(to)
			})
			_, err = w.ch.BookByLink(chfake.Contact{Name: "Jane Doe", Email: []string{"jane@example.com"}}, "Consultation", due, due.Add(time.Hour))
			w.must(err)
			w.eventually("the note is there", func() bool { return len(w.hl.Notes(jane)) == 1 })
			w.settle()
			w.advance(time.Minute)
			w.settle()
			if n := w.calls("POST /meeting/tasks"); n != 1 || len(w.hl.Notes(jane)) != 1 {
				t.Errorf("%d requests were made, and there are %d notes", n, len(w.hl.Notes(jane)))
			}
			for _, s := range w.ch.Sent() {
				if s.LastStatus != http.StatusOK {
					t.Errorf("%s was answered %d", s.Type, s.LastStatus)
				}
			}
		})
	}
}
