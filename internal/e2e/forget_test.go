package e2e_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	chfake "milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
)

// erased waits until what is stored of a contact is erased.
func (w *world) erased(contact string) store.Erasure {
	w.t.Helper()
	var e store.Erasure
	w.eventually("what is stored of contact "+contact+" is erased", func() bool {
		var err error
		e, _, err = w.app.Store().Erasure(w.t.(*testing.T).Context(), location, contact)
		w.must(err)
		return !e.DoneAt.IsZero()
	})
	return e
}

// fullContact makes a contact with a milestone, a task and a note in step.
func (w *world) fullContact() (id string) {
	w.t.Helper()
	id = w.contact("Jane", "Verysecretname", "jane@example.com")
	w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
	_, err := w.hl.CreateTask(hlfake.Task{ContactID: id, Title: "Call Verysecretname", DueDate: time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC)})
	w.must(err)
	_, err = w.hl.CreateNote(hlfake.Note{ContactID: id, Body: "Verysecretname prefers mornings #vip"})
	w.must(err)
	w.settle()
	if n := len(w.ch.Requests()); n != 2 {
		w.t.Fatalf("%d requests, want the milestone and the task", n)
	}
	return id
}

// onlyTasks makes the recipe for tasks the one automation that is switched on.
func onlyTasks(w *world, _ *hlfake.Config) {
	w.cfg.Automations = filepath.Join(w.t.(*testing.T).TempDir(), "automations.yaml")
	w.must(os.WriteFile(w.cfg.Automations, []byte(`
- name: Tasks
  on: task.changed
  if: not task.completed
  do:
    - task: { title: "{{ task.title }}", due: "{{ task.due }}", at: "17:00", duration: 15m, invite: owner }
`), 0o600))
}

func TestAContactWhoseTasksAloneAreSyncedGoesWithThem(t *testing.T) {
	together(t)
	for name, end := range map[string]func(w *world, id string) error{
		"deleted":   func(w *world, id string) error { return w.hl.DeleteContact(id) },
		"forgotten": func(w *world, id string) error { return w.app.Store().Forget(t.Context(), location, id, time.Now()) },
	} {
		t.Run(name, func(t *testing.T) {
			w := setup(t, hurried, onlyTasks)
			id := w.contact("Jane", "Doe", "jane@example.com")
			_, err := w.hl.CreateTask(hlfake.Task{ContactID: id, Title: "Call Jane", DueDate: time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC)})
			w.must(err)
			w.settle()
			if n := len(w.ch.Requests()); n != 1 {
				t.Fatalf("%d requests, want the task", n)
			}
			w.must(end(w, id))
			if e := w.erased(id); e.Objects != 1 || len(w.ch.Requests()) != 0 {
				t.Errorf("erased %+v; left in CalendarHero: %+v", e, w.ch.Requests())
			}
		})
	}
}

// left lists why objects of a contact stay in CalendarHero.
func (w *world) left(contact string) (why []string) {
	w.t.Helper()
	links, err := w.app.Store().Left(w.t.(*testing.T).Context(), location, contact)
	w.must(err)
	for _, l := range links {
		why = append(why, l.ItemKind+": "+l.Left)
	}
	return why
}

func TestForgettingTellsWhatStaysInCalendarHero(t *testing.T) {
	together(t)
	t.Run("a contact that was there before", func(t *testing.T) {
		w := setup(t, hurried)
		_, err := w.ch.SeedContact(chfake.Contact{Name: "Jane of old", Email: []string{"jane@example.com"}})
		w.must(err)
		id := w.fullContact()
		w.must(w.app.Store().Forget(t.Context(), location, id, time.Now()))
		if e := w.erased(id); e.Objects != 2 {
			t.Errorf("%d objects removed, want the milestone and the task", e.Objects)
		}
		if got := w.left(id); len(got) != 1 || !strings.Contains(got[0], "it existed before") {
			t.Errorf("left: %q", got)
		}
	})
	t.Run("all of a location that is no longer connected, until it is again", func(t *testing.T) {
		w := oauthWorld(t)
		w.install(browser(t), url.Values{"location": {location}})
		w.arrives(location, "Jane")
		w.settle()
		id := w.hl.Contacts()[0].ID
		w.must(w.hl.Uninstall(clientID, location))
		w.eventually("it is removed", func() bool { return w.connectedState(location) == store.ConnectionRemoved })
		w.must(w.app.Store().Forget(t.Context(), location, id, time.Now()))
		if e := w.erased(id); e.Objects != 0 {
			t.Errorf("%d objects are said to be removed", e.Objects)
		}
		if got := w.left(id); len(got) != 2 || !strings.Contains(got[0], "uninstalled") {
			t.Errorf("left: %q", got)
		}
		w.install(browser(t), url.Values{"location": {location}})
		w.must(w.app.Store().Forget(t.Context(), location, id, time.Now()))
		w.erased(id)
		if got := w.left(id); len(got) != 0 || len(w.ch.Requests())+len(w.contacts("jane@example.com")) != 0 {
			t.Errorf("left: %q, %+v", got, w.ch.Requests())
		}
	})
}

func TestAContactThatWasMadeWithoutAnAnswerIsForgottenToo(t *testing.T) {
	w := setup(t, hurried)
	id := w.contact("Jane", "Doe", "jane@example.com")
	w.ch.Faults().Next("POST /contact", 1, fakehttp.LoseAnswer())
	w.postSigned(event("ContactCreate", id))
	w.eventually("it is made", func() bool { return len(w.contacts("jane@example.com")) == 1 })
	w.must(w.app.Store().Forget(t.Context(), location, id, time.Now()))
	w.ch.Faults().Clear()
	w.erased(id)
	if got := w.left(id); len(got) != 0 || len(w.contacts("jane@example.com")) != 0 {
		t.Errorf("left: %q", got)
	}
}

func TestADeletedContactLeavesNoPersonalDataBehind(t *testing.T) {
	w := setup(t, hurried)
	id := w.fullContact()
	w.must(w.hl.DeleteContact(id))
	e := w.erased(id)
	if len(w.ch.Requests()) != 0 || len(w.contacts("jane@example.com")) != 0 {
		t.Errorf("left in CalendarHero: %+v", w.ch.Requests())
	}
	if e.OnRequest || e.Payloads < 4 || e.Entries < 4 || e.Objects < 3 {
		t.Errorf("erased %+v", e)
	}
	w.settle()
	w.holdsNothingOf("Verysecretname", "jane@example.com", "prefers mornings")
}

// holdsNothingOf stops Milepost and looks for texts in its files.
func (w *world) holdsNothingOf(texts ...string) {
	w.t.Helper()
	w.stop()
	for _, file := range []string{"milepost.db", "inbox.db"} {
		db, err := sql.Open("sqlite", filepath.Join(w.cfg.DataDir, file))
		w.must(err)
		_, err = db.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
		w.must(err)
		w.must(db.Close())
		b, err := os.ReadFile(filepath.Join(w.cfg.DataDir, file))
		w.must(err)
		for _, personal := range texts {
			if strings.Contains(string(b), personal) {
				w.t.Errorf("%s still holds %q", file, personal)
			}
		}
	}
}

// places counts how often texts are in the files of the running Milepost.
func (w *world) places(texts ...string) (n int) {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(w.cfg.DataDir, "*"))
	w.must(err)
	for _, file := range files {
		b, err := os.ReadFile(file)
		w.must(err)
		for _, text := range texts {
			n += bytes.Count(b, []byte(text))
		}
	}
	return n
}

func TestWhileMilepostRunsItsFilesHoldNothingOfAnErasedContact(t *testing.T) {
	together(t)
	for name, end := range map[string]func(w *world, id string) error{
		"deleted":   func(w *world, id string) error { return w.hl.DeleteContact(id) },
		"forgotten": func(w *world, id string) error { return w.app.Store().Forget(t.Context(), location, id, time.Now()) },
	} {
		t.Run(name, func(t *testing.T) {
			w := setup(t, hurried)
			for i := range 40 { // rows beside and between those of the contact
				w.contact("Other", fmt.Sprint("Person", i), fmt.Sprintf("other%d@example.com", i))
			}
			id := w.fullContact()
			w.postSigned(event("InboundMessage", "m1", "contactId", id, "body", strings.Repeat("Verysecretname wrote. ", 1000), "webhookId", "wh1"))
			// Failures that quote the record, in details and in the errors of jobs.
			w.ch.Faults().Next("PUT /contact/{id}", 2, fakehttp.Say(http.StatusInternalServerError, `{"error":"Verysecretname cannot be saved"}`))
			w.hl.Faults().Next("GET /contacts/{contactId}", 4, fakehttp.Say(http.StatusInternalServerError, `{"statusCode":500,"message":"Verysecretname cannot be read"}`))
			w.must(w.hl.UpdateContact(id, func(c *hlfake.Contact) { c.LastName = "Verysecretname-Smith" }))
			w.settle()
			if w.places("Verysecretname") == 0 {
				t.Fatal("the name is nowhere before it is erased: this test looks in the wrong place")
			}
			w.must(end(w, id))
			w.erased(id)
			if n := w.places("Verysecretname", "jane@example.com", "prefers mornings"); n != 0 {
				t.Errorf("%d places of the running Milepost's files hold what was erased", n)
			}
		})
	}
}

func TestWhatArrivesOfAForgottenContactIsErasedToo(t *testing.T) {
	w := setup(t, hurried)
	id := w.fullContact()
	key := w.workflowKey(location, time.Time{})
	w.postSigned(event("InboundMessage", "m1", "contactId", id, "body", "Messagebefore", "webhookId", "wh1"))
	w.settle()
	w.must(w.app.Store().Forget(t.Context(), location, id, time.Now()))
	first := w.erased(id)

	w.postSigned(event("OpportunityCreate", "o1", "contactId", id, "name", "Opportunityafter", "webhookId", "wh2"))
	w.settle()
	w.eventually("the opportunity's body is erased", func() bool { return w.erased(id).Payloads > first.Payloads })
	w.postWorkflow(key, "application/json", `{"contact_id":"`+id+`","workflow":{"id":"wf1"},"customData":{"milestone_title":"Workflowafter","milestone_date":"2030-05-02"}}`)
	_, err := w.hl.CreateNote(hlfake.Note{ContactID: id, Body: "Noteafter"})
	w.must(err)
	_, err = w.hl.CreateTask(hlfake.Task{ContactID: id, Title: "Taskafter", DueDate: time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC)})
	w.must(err)
	w.settle()
	w.eventually("all four bodies are erased", func() bool { return w.erased(id).Payloads >= first.Payloads+4 })
	w.holdsNothingOf("Verysecretname", "jane@example.com", "Messagebefore", "Opportunityafter", "Workflowafter", "Noteafter", "Taskafter")
}

func TestAForgottenContactStaysForgottenUntilUndone(t *testing.T) {
	together(t)
	for name, backend := range map[string]func(*world, *hlfake.Config){"SQLite": func(*world, *hlfake.Config) {}, "PostgreSQL": onPostgres} {
		t.Run(name, func(t *testing.T) {
			w := setup(t, backend, hurried)
			id := w.fullContact()
			w.must(w.app.Store().Forget(t.Context(), location, id, time.Now()))
			if e := w.erased(id); !e.OnRequest || e.Payloads < 4 || e.Objects < 3 {
				t.Errorf("erased %+v", e)
			}
			if len(w.ch.Requests()) != 0 || len(w.contacts("jane@example.com")) != 0 {
				t.Errorf("left in CalendarHero: %+v", w.ch.Requests())
			}
			// The contact is still there in HighLevel, and things happen to it.
			w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Handover"}))
			_, err := w.hl.CreateTask(hlfake.Task{ContactID: id, Title: "Call", DueDate: time.Date(2030, 6, 2, 15, 0, 0, 0, time.UTC)})
			w.must(err)
			w.settle()
			if n := len(w.ch.Requests()); n != 0 {
				t.Errorf("a forgotten contact came back with %d requests", n)
			}
			if was, err := w.app.Store().Remember(t.Context(), location, id); err != nil || !was {
				t.Fatalf("undo: %v, %v", was, err)
			}
			w.eventually("the contact is synced again", func() bool { return len(w.ch.Requests()) > 0 })
		})
	}
}
