package sandbox

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/highlevel"
)

func value(r *http.Request, name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }

// contactForms are the forms of the HighLevel side.
func (w *World) contactForms(do func(string, func(*http.Request, string) (string, error))) {
	h := w.HighLevel
	onContact := func(pattern string, change func(r *http.Request, id string) error) {
		do("/contacts/{id}"+pattern, func(r *http.Request, id string) (string, error) { return "contact-" + id, change(r, id) })
	}
	onTask := func(pattern string, change func(r *http.Request, id string) error) {
		do("/tasks/{id}"+pattern, func(r *http.Request, id string) (string, error) {
			task, _ := h.Task(id)
			return "contact-" + task.ContactID, change(r, id)
		})
	}
	onNote := func(pattern string, change func(r *http.Request, id string) error) {
		do("/notes/{id}"+pattern, func(r *http.Request, id string) (string, error) {
			note, _ := h.Note(id)
			return "contact-" + note.ContactID, change(r, id)
		})
	}

	do("/contacts", func(r *http.Request, _ string) (string, error) {
		first, last, _ := strings.Cut(value(r, "name"), " ")
		if first == "" {
			return "", errors.New("A contact needs a name.")
		}
		contact, err := h.CreateContact(highlevel.Contact{
			LocationID: w.Location.ID, FirstName: first, LastName: strings.TrimSpace(last), Email: value(r, "email"), Phone: value(r, "phone"),
			AssignedTo: w.Users[0].ID, TimeZone: w.TimeZone.String(), Source: "sandbox page",
		})
		return "contact-" + contact.ID, err
	})
	onContact("/milestone", func(r *http.Request, id string) error {
		return w.SetMilestone(id, value(r, "milestone"), value(r, "date"))
	})
	do("/fields", func(r *http.Request, _ string) (string, error) {
		_, err := h.AddCustomField(w.Location.ID, highlevel.CustomField{Name: value(r, "name"), DataType: value(r, "type")})
		return "fields", err
	})
	onContact("/fields", func(r *http.Request, id string) error {
		return h.SetCustomField(id, value(r, "field"), value(r, "value"))
	})
	onContact("/tags", func(r *http.Request, id string) error {
		if value(r, "tag") == "" {
			return errors.New("A tag needs a name.")
		}
		return h.AddTags(id, value(r, "tag"))
	})
	onContact("/tags/remove", func(r *http.Request, id string) error { return h.RemoveTags(id, value(r, "tag")) })
	do("/contacts/{id}/delete", func(_ *http.Request, id string) (string, error) {
		contact, _ := h.Contact(id)
		tasks := h.Tasks(id)
		if err := h.DeleteContact(id); err != nil {
			return "", err
		}
		for _, t := range tasks {
			w.seen.remove(record{"task", t.ID, "Task: " + t.Title})
		}
		w.seen.remove(record{"contact", id, contact.Name()})
		return "highlevel", nil
	})
	onContact("/tasks", func(r *http.Request, id string) error {
		task, err := w.readTask(r, highlevel.Task{ContactID: id, AssignedTo: w.Users[0].ID})
		if err != nil {
			return err
		}
		_, err = h.CreateTask(task)
		return err
	})
	onTask("", func(r *http.Request, id string) error {
		task, ok := h.Task(id)
		if !ok {
			return errors.New("This task is gone.")
		}
		task, err := w.readTask(r, task)
		if err != nil {
			return err
		}
		return h.UpdateTask(id, func(t *highlevel.Task) { *t = task })
	})
	onTask("/complete", func(_ *http.Request, id string) error { return h.CompleteTask(id) })
	onTask("/reopen", func(_ *http.Request, id string) error {
		return h.UpdateTask(id, func(t *highlevel.Task) { t.Completed = false })
	})
	onTask("/delete", func(_ *http.Request, id string) error {
		task, _ := h.Task(id)
		err := h.DeleteTask(id)
		if err == nil {
			w.seen.remove(record{"task", id, "Task: " + task.Title})
		}
		return err
	})
	onContact("/notes", func(r *http.Request, id string) error {
		if value(r, "body") == "" {
			return errors.New("A note needs some text.")
		}
		_, err := h.CreateNote(highlevel.Note{ContactID: id, Body: value(r, "body"), UserID: w.Users[0].ID})
		return err
	})
	onNote("", func(r *http.Request, id string) error {
		if value(r, "body") == "" {
			return errors.New("A note needs some text.")
		}
		return h.UpdateNote(id, func(n *highlevel.Note) { n.Body = value(r, "body") })
	})
	onNote("/delete", func(_ *http.Request, id string) error {
		note, _ := h.Note(id)
		contact, _ := h.Contact(note.ContactID)
		err := h.DeleteNote(id)
		if err == nil {
			w.seen.remove(record{"note", id, "A note about " + contact.Name()})
		}
		return err
	})
}

// readTask takes title, description and due time (in the location's zone) from a form.
func (w *World) readTask(r *http.Request, task highlevel.Task) (highlevel.Task, error) {
	task.Title, task.Body = value(r, "title"), value(r, "body")
	due, err := w.readTime(r, "due")
	switch {
	case task.Title == "":
		return task, errors.New("A task needs a title.")
	case err != nil:
		return task, errors.New("A task needs a due date and time.")
	}
	task.DueDate = due
	return task, nil
}

// readTime takes a time in the location's zone from a form.
func (w *World) readTime(r *http.Request, field string) (time.Time, error) {
	at, err := time.ParseInLocation("2006-01-02T15:04", value(r, field), w.TimeZone)
	if err != nil {
		return at, errors.New("Enter a date and a time.")
	}
	return at, nil
}

// requestForms are what an invitee or the account's holder does in CalendarHero.
func (w *World) requestForms(do func(string, func(*http.Request, string) (string, error))) {
	do("/requests/{id}/accept", func(_ *http.Request, id string) (string, error) {
		return "request-" + id, w.CalendarHero.Accept(id)
	})
	do("/requests/{id}/move", func(r *http.Request, id string) (string, error) {
		start, err := w.readTime(r, "start")
		if err != nil {
			return "", err
		}
		for _, q := range w.CalendarHero.Requests() {
			if q.ID == id {
				return "request-" + id, w.CalendarHero.Reschedule(id, start, start.Add(q.End.Sub(q.Start)))
			}
		}
		return "", errors.New("This meeting request is gone.")
	})
	do("/requests", func(r *http.Request, _ string) (string, error) {
		start, err := w.readTime(r, "start")
		switch {
		case err != nil:
			return "", err
		case value(r, "subject") == "", value(r, "name") == "":
			return "", errors.New("A booking needs a name and a subject.")
		case !calendarhero.IsAddress(value(r, "email")):
			return "", errors.New("A booking needs an e-mail address.")
		}
		booked, err := w.CalendarHero.BookByLink(
			calendarhero.Contact{Name: value(r, "name"), Email: []string{strings.ToLower(value(r, "email"))}}, value(r, "subject"), start, start.Add(30*time.Minute))
		return "request-" + booked.ID, err
	})
	do("/requests/{id}/cancel", func(_ *http.Request, id string) (string, error) {
		return "calendarhero", w.CalendarHero.Cancel(id)
	})
}
