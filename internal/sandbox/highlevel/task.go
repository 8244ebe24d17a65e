package highlevel

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"milepost/internal/sandbox/fakehttp"
)

// Task is a task of a contact.
type Task struct {
	ID, ContactID, LocationID string
	Title, Body               string
	AssignedTo                string // user id
	DueDate                   time.Time
	Completed                 bool
	DateAdded                 time.Time // in webhooks only; the API does not show it
}

type taskRecord struct {
	Task
}

// task finds the contact and the task that the path names.
func (h *Server) task(c *call) (*contactRecord, *taskRecord, *refusal) {
	contact, no := h.contact(c)
	if no != nil {
		return nil, nil, no
	}
	id := chi.URLParam(c.r, "taskId")
	task := h.tasks[id]
	if task == nil || task.ContactID != contact.ID {
		return nil, nil, refuse(h.config.UnknownChildStatus, "Task with id %s not found", id)
	}
	return contact, task, nil
}

// The API has no created or updated time of a task.
func (t *taskRecord) answer() map[string]any {
	a := map[string]any{
		"id": t.ID, "title": t.Title, "body": t.Body, "dueDate": fakehttp.ISOMillis(t.DueDate), "completed": t.Completed,
		"contactId": t.ContactID, "assignedTo": nil,
	}
	if t.AssignedTo != "" {
		a["assignedTo"] = t.AssignedTo
	}
	return a
}

func taskAnswers(tasks []*taskRecord) map[string]any {
	list := make([]any, 0, len(tasks))
	for _, task := range tasks {
		list = append(list, task.answer())
	}
	return map[string]any{"tasks": list}
}

func (h *Server) listTasks(c *call) (int, any, *refusal) {
	contact, no := h.contact(c)
	if no != nil {
		return 0, nil, no
	}
	return http.StatusOK, taskAnswers(contact.tasks), nil
}

func (h *Server) getTask(c *call) (int, any, *refusal) {
	_, task, no := h.task(c)
	if no != nil {
		return 0, nil, no
	}
	return http.StatusOK, map[string]any{"task": task.answer()}, nil
}

func (c *call) applyTask(t Task) Task {
	for key, target := range map[string]*string{"title": &t.Title, "body": &t.Body, "assignedTo": &t.AssignedTo} {
		if value, ok := c.str(key); ok {
			*target = value
		}
	}
	if due, ok := c.str("dueDate"); ok {
		t.DueDate, _ = fakehttp.ParseISO(due)
	}
	if completed, ok := as[bool](c, "completed"); ok {
		t.Completed = completed
	}
	return t
}

func (h *Server) createTask(c *call) (int, any, *refusal) {
	contact, no := h.contact(c)
	if no != nil {
		return 0, nil, no
	}
	task := h.insertTask(contact, c.applyTask(Task{}), true)
	return http.StatusCreated, map[string]any{"task": task.answer()}, nil
}

func (h *Server) updateTask(c *call) (int, any, *refusal) {
	_, task, no := h.task(c)
	if no != nil {
		return 0, nil, no
	}
	h.replaceTask(task, c.applyTask(task.Task))
	return http.StatusOK, map[string]any{"task": task.answer()}, nil
}

func (h *Server) deleteTask(c *call) (int, any, *refusal) {
	contact, task, no := h.task(c)
	if no != nil {
		return 0, nil, no
	}
	h.removeTask(contact, task)
	return http.StatusOK, c.succeeded(), nil
}

func (h *Server) insertTask(contact *contactRecord, t Task, tell bool) *taskRecord {
	if t.ID == "" {
		t.ID = newID()
	}
	t.ContactID, t.LocationID = contact.ID, contact.LocationID
	if t.DateAdded.IsZero() {
		t.DateAdded = h.clock()
	}
	task := &taskRecord{Task: t}
	h.tasks[t.ID] = task
	contact.tasks = append(contact.tasks, task)
	if l := h.locations[contact.LocationID]; l != nil {
		l.tasks = append(l.tasks, task)
	}
	if tell {
		h.emitTask("TaskCreate", task)
	}
	h.notice.Changed()
	return task
}

// replaceTask stores a changed task. Only its completion sends an event:
// HighLevel has none for an edited or re-opened task.
func (h *Server) replaceTask(task *taskRecord, t Task) {
	before := task.Task
	t.ID, t.ContactID, t.LocationID, t.DateAdded = before.ID, before.ContactID, before.LocationID, before.DateAdded
	if t == before {
		return
	}
	task.Task = t
	if t.Completed && !before.Completed {
		h.emitTask("TaskComplete", task)
	}
	h.notice.Changed()
}

func (h *Server) removeTask(contact *contactRecord, task *taskRecord) {
	h.emitTask("TaskDelete", task)
	h.dropTask(contact, task)
	h.notice.Changed()
}

func (h *Server) dropTask(contact *contactRecord, task *taskRecord) {
	same := func(t *taskRecord) bool { return t == task }
	delete(h.tasks, task.ID)
	contact.tasks = slices.DeleteFunc(contact.tasks, same)
	if l := h.locations[contact.LocationID]; l != nil {
		l.tasks = slices.DeleteFunc(l.tasks, same)
	}
}

// searchTasks answers the tasks of a location. It has no filter by date and
// answers 25 unless told.
func (h *Server) searchTasks(c *call) (int, any, *refusal) {
	l, no := h.location(c, chi.URLParam(c.r, "locationId"))
	if no != nil {
		return 0, nil, no
	}
	contacts, byContact := as[[]string](c, "contactId")
	assigned, byUser := as[[]string](c, "assignedTo")
	completed, byState := as[bool](c, "completed")
	query, _ := c.str("query")
	query = strings.ToLower(query)
	limit, limited := as[float64](c, "limit")
	if !limited {
		limit = 25
	}
	skip, _ := as[float64](c, "skip")
	if limit < 1 || skip < 0 {
		return 0, nil, &refusal{status: http.StatusUnprocessableEntity, message: []string{"limit must not be less than 1", "skip must not be less than 0"}}
	}
	var found []*taskRecord
	for _, task := range l.tasks {
		switch {
		case byContact && !slices.Contains(contacts, task.ContactID):
		case byUser && !slices.Contains(assigned, task.AssignedTo):
		case byState && completed != task.Completed:
		case h.config.TaskSearchLag > 0 && task.DateAdded.After(h.clock().Add(-h.config.TaskSearchLag)):
		case query != "" && !strings.Contains(strings.ToLower(task.Title+"\n"+task.Body), query):
		default:
			found = append(found, task)
		}
	}
	found = found[min(int(skip), len(found)):]
	return http.StatusOK, taskAnswers(found[:min(int(limit), len(found))]), nil
}
