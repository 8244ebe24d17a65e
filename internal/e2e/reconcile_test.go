package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"milepost/internal/app"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
)

// deaf makes Milepost hear of nothing but what it finds itself.
func (w *world) deaf() { w.hl.SetWebhookURL("") }

// often makes it look all the time.
func often(w *world, _ *hlfake.Config) { w.cfg.ReconcileEvery = 100 * time.Millisecond }

// subjects lists the meeting requests without their markers.
func (w *world) subjects() []string {
	var out []string
	for _, r := range w.ch.Requests() {
		subject, _, _ := strings.Cut(r.Subject, " [mp-")
		out = append(out, subject)
	}
	slices.Sort(out)
	return out
}

// reconciliation reads how far the location's own is.
func (w *world) reconciliation() store.Reconciliation {
	at, err := w.app.Store().Reconciliation(context.Background(), location)
	w.must(err)
	return at
}

// looks returns whether the end of so many reconciliations was seen.
func (w *world) looks(times int) func() bool {
	seen := time.Time{}
	return func() bool {
		if at := w.reconciliation(); at.FinishedAt.After(seen) {
			seen = at.FinishedAt
			times--
		}
		return times <= 0
	}
}

func TestWhatNoWebhookToldIsFound(t *testing.T) {
	together(t)
	for name, backend := range map[string]func(*world, *hlfake.Config){"SQLite": func(*world, *hlfake.Config) {}, "PostgreSQL": onPostgres} {
		t.Run(name, func(t *testing.T) {
			w := setup(t, backend, often)
			w.deaf()
			w.eventually("it has looked", w.looks(1))
			due := time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC)
			id := w.contact("Jane", "Doe", "jane@example.com")
			w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
			task, err := w.hl.CreateTask(hlfake.Task{ContactID: id, Title: "Call", DueDate: due})
			w.must(err)
			w.eventually("the milestone and the task are there", func() bool {
				return slices.Equal(w.subjects(), []string{"Call (Jane Doe)", "Closing: Jane Doe"})
			})
			w.must(w.hl.UpdateTask(task.ID, func(t *hlfake.Task) { t.Title, t.DueDate = "Call again", due.Add(time.Hour) }))
			w.eventually("the edited task is there", func() bool {
				return slices.Equal(w.subjects(), []string{"Call again (Jane Doe)", "Closing: Jane Doe"})
			})
			note, err := w.hl.CreateNote(hlfake.Note{ContactID: id, Body: "Prefers mornings #vip"})
			w.must(err)
			w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Handover"}))
			w.eventually("the note's hashtag is a tag", func() bool { return slices.Equal(w.hl.Tags(id), []string{"vip"}) })
			w.eventually("the milestone's new name is there", func() bool { return slices.Contains(w.subjects(), "Handover: Jane Doe") })
			w.must(w.hl.UpdateNote(note.ID, func(n *hlfake.Note) { n.Body = "Prefers evenings #owner" }))
			w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing"}))
			w.eventually("the edited note's hashtag is a tag", func() bool { return slices.Contains(w.hl.Tags(id), "owner") })
			w.must(w.hl.CompleteTask(task.ID))
			w.eventually("the completed task is gone", func() bool { return slices.Equal(w.subjects(), []string{"Closing: Jane Doe"}) })
		})
	}
}

// Nothing happens in a location whose token is rejected: its reconciliation says so.
func TestARejectedTokenOfAQuietLocationIsFound(t *testing.T) {
	w := setup(t, func(w *world, _ *hlfake.Config) { w.cfg.ReconcileEvery = 100 * time.Millisecond })
	w.eventually("it has looked", w.looks(1))
	fault := w.hl.Faults().Next("*", -1, fakehttp.FailWith(401))
	failures := func() []store.ReconciliationFailure {
		list, err := w.app.Store().ReconciliationFailures(t.Context())
		w.must(err)
		return list
	}
	w.eventually("the failure is noted", func() bool {
		list := failures()
		return len(list) == 1 && list[0].Cause.Outcome == store.Auth && list[0].Cause.LocationID == location
	})
	w.hl.Faults().Disarm(fault)
	w.eventually("the failure is over", func() bool { return len(failures()) == 0 })
}

func TestAReconciliationInStepCostsAHandfulOfCalls(t *testing.T) {
	w := setup(t, func(w *world, _ *hlfake.Config) { w.cfg.ReconcileEvery = 0 })
	due := time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC)
	for i := range 30 {
		id := w.contact("Jane", fmt.Sprint("Doe", i), fmt.Sprintf("jane%d@example.com", i))
		w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
		_, err := w.hl.CreateTask(hlfake.Task{ContactID: id, Title: "Call", DueDate: due})
		w.must(err)
	}
	w.settle()
	w.stop()
	w.cfg.ReconcileEvery = 100 * time.Millisecond
	w.start()
	w.eventually("it has looked twice", w.looks(2))
	w.settle()
	w.hl.ResetCalls()
	made := len(w.ch.Calls())
	w.eventually("it has looked once more", w.looks(2))
	var at store.Reconciliation
	w.eventually("none is under way", func() bool { at = w.reconciliation(); return !at.FinishedAt.Before(at.StartedAt) })
	if at.Calls > 4 || at.Differing != 0 || at.Tasks != 30 {
		t.Errorf("in step it cost %d calls, looked at %d contacts and %d tasks, and found %d to differ", at.Calls, at.Contacts, at.Tasks, at.Differing)
	}
	if n := w.hl.Calls()["GET /contacts/{contactId}"]; n != 0 {
		t.Errorf("%d contacts were fetched though nothing changed", n)
	}
	if n := len(w.ch.Calls()); n != made {
		t.Errorf("CalendarHero was asked though nothing changed")
	}
}

// A request mails its owner: only a backfill asks for the tasks that were there.
func TestTheTasksThatWereThereBeforeTheFirstLookAreLeftToABackfill(t *testing.T) {
	onEachBackend(t, func(t *testing.T, w *world) {
		w.deaf()
		due := time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC)
		id := w.contact("Jane", "Doe", "jane@example.com")
		var tasks []hlfake.Task
		for _, title := range []string{"Call", "Visit", "Write"} {
			task, err := w.hl.CreateTask(hlfake.Task{ContactID: id, Title: title, DueDate: due})
			w.must(err)
			tasks = append(tasks, task)
		}
		w.stop()
		w.cfg.ReconcileEvery = 100 * time.Millisecond
		w.start()
		w.deaf()
		looked := w.looks(2)
		w.eventually("it has looked twice, and synced what it found", func() bool {
			n, err := w.app.Store().Backlog(t.Context())
			return looked() && err == nil && n == 0
		})
		if len(w.ch.Requests()) != 0 {
			t.Fatalf("there are %q, though nobody asked", w.subjects())
		}
		w.must(w.hl.UpdateTask(tasks[0].ID, func(t *hlfake.Task) { t.DueDate = due.Add(time.Hour) }))
		_, err := w.hl.CreateTask(hlfake.Task{ContactID: id, Title: "Thank", DueDate: due})
		w.must(err)
		w.eventually("one that is edited or made since is there", func() bool {
			return slices.Equal(w.subjects(), []string{"Call (Jane Doe)", "Thank (Jane Doe)"})
		})
		state, err := app.OpenState(t.Context(), w.cfg, zerolog.Nop())
		w.must(err)
		defer state.Store.Close()
		backfill, err := state.Backfill(w.cfg)
		w.must(err)
		_, err = backfill.Reconciler.Sweep(t.Context(), "backfill/all", location, time.Time{}, false, nil)
		w.must(err)
		w.eventually("all are there", func() bool { return len(w.ch.Requests()) == 4 })
	})
}

// slowly makes Milepost look by itself every 15 minutes, and a day take seconds.
func slowly(w *world, _ *hlfake.Config) {
	w.cfg.Clock.Start, w.cfg.Clock.Speed, w.cfg.ReconcileEvery = time.Now(), 20000, 15*time.Minute
}

func TestWhatNoSearchShowsIsFoundByTheWalk(t *testing.T) {
	together(t)
	for name, backend := range map[string]func(*world, *hlfake.Config){"SQLite": func(*world, *hlfake.Config) {}, "PostgreSQL": onPostgres} {
		t.Run(name, func(t *testing.T) {
			w := setup(t, backend, slowly)
			var ids []string
			for i := range 3 {
				ids = append(ids, w.contact("Jane", fmt.Sprint("Doe", i), fmt.Sprintf("jane%d@example.com", i)))
				w.must(w.hl.SetCustomFields(ids[i], map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
			}
			kept, err := w.hl.CreateNote(hlfake.Note{ContactID: ids[0], Body: "Prefers mornings"})
			w.must(err)
			w.settle()
			w.deaf()
			w.must(w.hl.DeleteNote(kept.ID))
			_, err = w.hl.CreateNote(hlfake.Note{ContactID: ids[1], Body: "Has a dog #vip"})
			w.must(err)
			w.must(w.hl.DeleteContact(ids[2]))
			w.eventually("a deleted contact's request and contact are gone", func() bool {
				return len(w.ch.Requests()) == 2 && len(w.contacts("jane2@example.com")) == 0
			})
			w.eventually("a deleted note is in no description, a new one is, and has its tag", func() bool {
				descriptions := map[string]string{}
				for _, r := range w.ch.Requests() {
					descriptions[r.Subject[:len("Closing: Jane Doe0")]] = r.Description
				}
				return !strings.Contains(descriptions["Closing: Jane Doe0"], "mornings") &&
					strings.Contains(descriptions["Closing: Jane Doe1"], "Has a dog #vip") && slices.Equal(w.hl.Tags(ids[1]), []string{"vip"})
			})
		})
	}
}

func TestATaskThatIsDeletedBeforeAnySearchSawItIsFound(t *testing.T) {
	w := setup(t, slowly, func(w *world, _ *hlfake.Config) { w.cfg.ReconcileEvery = 0 })
	id := w.milestone("2030-05-03")
	task, err := w.hl.CreateTask(hlfake.Task{ContactID: id, Title: "Call", DueDate: time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC)})
	w.must(err)
	w.settle()
	w.deaf()
	w.must(w.hl.DeleteTask(task.ID))
	w.stop()
	w.cfg.ReconcileEvery = 15 * time.Minute
	w.start()
	w.eventually("its request is gone", func() bool { return slices.Equal(w.days(), []string{"2030-05-03"}) })
}

func TestATaskThatIsReopenedBeforeASearchMissedItIsFound(t *testing.T) {
	w := setup(t, slowly)
	id := w.milestone("2030-05-03")
	due := time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC)
	task, err := w.hl.CreateTask(hlfake.Task{ContactID: id, Title: "Call", DueDate: due})
	w.must(err)
	w.settle()
	began := w.now()
	w.eventually("a search has seen the task", func() bool {
		at, err := w.app.Store().Reconciliation(t.Context(), location)
		w.must(err)
		return at.Place == "" && at.StartedAt.After(began)
	})
	w.stop()
	w.cfg.ReconcileEvery = 0
	w.start()
	w.must(w.hl.CompleteTask(task.ID))
	w.settle()
	w.wantDays("2030-05-03")
	w.must(w.hl.UpdateTask(task.ID, func(t *hlfake.Task) { t.Completed = false })) // which HighLevel does not tell
	w.stop()
	w.cfg.ReconcileEvery = 15 * time.Minute
	w.start()
	w.eventually("its request is back", func() bool { return slices.Equal(w.days(), []string{"2030-05-03", "2030-05-02"}) })
}

// turns ends a context at every nth call, as a turn that is over would.
type turns struct {
	each  int
	calls int
	end   context.CancelFunc
}

func (t *turns) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.calls++; t.calls%t.each == 0 {
		t.end()
	}
	return http.DefaultTransport.RoundTrip(r)
}

// A contact or a page that a turn came by is not looked at by the next one.
func TestAReconciliationOfManyTurnsEnds(t *testing.T) {
	const contacts, tasks = 130, 450
	onEachBackend(t, func(t *testing.T, w *world) {
		w.deaf()
		var id string
		for i := range contacts {
			id = w.contact("Jane", fmt.Sprint("Doe", i), fmt.Sprintf("jane%d@example.com", i))
		}
		for i := range tasks {
			_, err := w.hl.SeedTask(hlfake.Task{ContactID: id, Title: fmt.Sprint("Call ", i), DueDate: time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC)})
			w.must(err)
		}
		turn := &turns{each: 20}
		w.cfg.HTTP = &http.Client{Transport: turn}
		state, err := app.OpenState(t.Context(), w.cfg, zerolog.Nop())
		w.must(err)
		defer state.Store.Close()
		backfill, err := state.Backfill(w.cfg)
		w.must(err)
		sweep := func() (at store.Reconciliation, took int) {
			for took = 1; ; took++ {
				ctx, end := context.WithCancel(t.Context())
				turn.end = end
				before := turn.calls
				at, err := backfill.Reconciler.Sweep(ctx, location, location, w.now().Add(-time.Hour), false, nil)
				end()
				if err == nil {
					return at, took
				}
				if !errors.Is(err, context.Canceled) || took == 1000 {
					t.Fatalf("turn %d made %d calls and ended at %s: %v", took, turn.calls-before, at.Place, err)
				}
			}
		}
		at, took := sweep()
		t.Logf("%d contacts and %d tasks: %d calls in %d turns", at.Contacts, at.Tasks, turn.calls, took)
		// One call for each contact's notes and for each page, and each turn repeats the search it was in.
		least := contacts + contacts/100 + tasks/100
		if at.Contacts != contacts || at.Tasks != tasks || at.Differing != contacts || turn.calls > least+3*took || took > 2+least/(turn.each-3) {
			t.Errorf("%d contacts and %d tasks were looked at with %d calls in %d turns, %d found to differ", at.Contacts, at.Tasks, turn.calls, took, at.Differing)
		}
		for i, task := range w.hl.Tasks(id) {
			if i < 120 {
				w.must(w.hl.CompleteTask(task.ID))
			}
		}
		if at, _ = sweep(); at.Tasks != tasks-120 || at.Differing < 120 {
			t.Errorf("120 tasks were completed: %d are open, and %d records found to differ", at.Tasks, at.Differing)
		}
	})
}

// held keeps searches for contacts from their answers until they are let go.
type held struct {
	now  atomic.Int64
	free chan struct{}
}

func (h *held) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/contacts/search" {
		h.now.Add(1)
		defer h.now.Add(-1)
		select {
		case <-h.free:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

func TestWebhooksAreWorkedWhileManyLocationsAreLookedThrough(t *testing.T) {
	h := &held{free: make(chan struct{})}
	w := oauthWorld(t, func(w *world, _ *hlfake.Config) {
		w.cfg.HTTP = &http.Client{Transport: h}
		w.cfg.ReconcileEvery = 0
	})
	choice := url.Values{"company": {agency}, "location": {location}}
	for i := range 19 {
		l := w.hl.AddLocation(hlfake.Location{ID: fmt.Sprintf("manyLocation%08d", i), CompanyID: agency, Name: "L", TimeZone: "UTC"}, nil, nil)
		choice.Add("location", l.ID)
	}
	w.install(browser(t), choice)
	for _, id := range choice["location"] {
		w.eventually(id+" is connected", func() bool { return w.connectedState(id) == store.ConnectionActive })
	}
	w.stop()
	w.cfg.ReconcileEvery = time.Hour
	w.start()
	w.eventually("four are being looked through", func() bool { return h.now.Load() == 4 })
	w.arrives(location, "Meanwhile")
	if n := h.now.Load(); n != 4 {
		t.Errorf("%d locations are looked through at once", n)
	}
	close(h.free)
	w.eventually("all have been looked through", func() bool {
		return w.count(`SELECT count(*) FROM reconciliations WHERE finished_at > 0 AND name = location_id`) == 20
	})
}

func TestAClockThatWasAheadLosesNoChange(t *testing.T) {
	w := setup(t, func(w *world, hl *hlfake.Config) {
		hl.Clock = time.Now // HighLevel's is right
		w.cfg.ReconcileEvery = time.Second
	})
	w.deaf()
	w.eventually("it has looked", w.looks(1))
	w.ahead.Store(int64(6 * time.Hour))
	w.eventually("it has looked by a clock that is ahead", func() bool { return w.reconciliation().FinishedAt.After(time.Now().Add(time.Hour)) })
	id := w.contact("Jane", "Doe", "jane@example.com")
	w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
	if at := w.reconciliation(); at.Until.After(time.Now()) {
		t.Errorf("contacts that change until %v would not be looked at", at.Until)
	}
	w.ahead.Store(0) // put right
	w.eventually("the milestone is there", func() bool { return slices.Equal(w.subjects(), []string{"Closing: Jane Doe"}) })
	if at := w.reconciliation(); at.FinishedAt.After(time.Now()) {
		t.Errorf("the last one ended in the future, at %v", at.FinishedAt)
	}
}

func TestWhatIsSwitchedOffIsNotQueued(t *testing.T) {
	w := setup(t, func(w *world, _ *hlfake.Config) { w.cfg.ReconcileEvery = 0 })
	w.milestone("2030-05-02")
	w.settle()
	if n := w.count(`SELECT count(*) FROM river_job WHERE kind = 'reconcile'`); n != 0 {
		t.Errorf("%d reconciliations were queued", n)
	}
}

func TestAShorterIntervalTakesEffectAtTheNextStart(t *testing.T) {
	w := setup(t, func(w *world, _ *hlfake.Config) { w.cfg.ReconcileEvery = 24 * 365 * time.Hour })
	w.deaf()
	w.eventually("it has looked", w.looks(1))
	w.eventually("all periodic jobs wait for their next time", func() bool {
		return w.count(`SELECT count(*) FROM river_job WHERE kind IN ('reconcile', 'contacts', 'poll') AND state <> 'scheduled'`) == 0
	})
	w.stop()
	w.cfg.ReconcileEvery = time.Second
	w.start()
	w.deaf()
	id := w.contact("Jane", "Doe", "jane@example.com")
	w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
	w.eventually("the change that no webhook told of is found", func() bool { return slices.Equal(w.subjects(), []string{"Closing: Jane Doe"}) })
}
