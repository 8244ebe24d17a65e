package highlevel

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

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

func (t *Task) owner() (locationID, contactID string) { return t.LocationID, t.ContactID }

// CreateTask makes a task of the contact in t.ContactID.
func (h *Server) CreateTask(t Task) (Task, error) { return h.newTask(t, true) }

// SeedTask is CreateTask without a webhook.
func (h *Server) SeedTask(t Task) (Task, error) { return h.newTask(t, false) }

func (h *Server) newTask(t Task, tell bool) (made Task, err error) {
	err = with(h, "create task of", "contact", h.contacts, t.ContactID, func(r *contactRecord) error {
		made = *h.insertTask(r, t, tell)
		return nil
	})
	return made, err
}

// UpdateTask lets change edit a task. HighLevel has no event for that; only
// a completion sends one.
func (h *Server) UpdateTask(id string, change func(*Task)) error {
	return edit(h, "update", "task", h.tasks, id, value, change, h.replaceTask)
}

// CompleteTask marks a task as done.
func (h *Server) CompleteTask(id string) error {
	return h.UpdateTask(id, func(t *Task) { t.Completed = true })
}

// DeleteTask deletes a task.
func (h *Server) DeleteTask(id string) error {
	return remove(h, "delete", "task", h.tasks, id, h.removeTask)
}

// Task returns one task, and whether it exists.
func (h *Server) Task(id string) (Task, bool) { return get(h, h.tasks, id, value) }

// task finds the task that the path names.
func (h *Server) task(c *call) (*Task, *refusal) { return findOf(h, c, h.tasks, "taskId", "Task") }

// The API has no created or updated time of a task.
func (t *Task) answer() map[string]any {
	return map[string]any{
		"id": t.ID, "title": t.Title, "body": t.Body, "dueDate": fakehttp.ISOMillis(t.DueDate), "completed": t.Completed,
		"contactId": t.ContactID, "assignedTo": orNull(t.AssignedTo),
	}
}

func taskAnswers(tasks []*Task) map[string]any {
	return map[string]any{"tasks": answers(tasks, (*Task).answer)}
}

func (h *Server) listTasks(c *call, contact *contactRecord) (int, any, *refusal) {
	return http.StatusOK, taskAnswers(contact.tasks), nil
}

func (h *Server) getTask(c *call, task *Task) (int, any, *refusal) {
	return http.StatusOK, map[string]any{"task": task.answer()}, nil
}

func (c *call) applyTask(t Task) Task {
	c.readTexts(map[string]*string{"title": &t.Title, "body": &t.Body, "assignedTo": &t.AssignedTo})
	if due, ok := c.str("dueDate"); ok {
		t.DueDate, _ = fakehttp.ParseISO(due)
	}
	if completed, ok := as[bool](c, "completed"); ok {
		t.Completed = completed
	}
	return t
}

func (h *Server) createTask(c *call, contact *contactRecord) (int, any, *refusal) {
	task := h.insertTask(contact, c.applyTask(Task{}), true)
	return http.StatusCreated, map[string]any{"task": task.answer()}, nil
}

func (h *Server) updateTask(c *call, task *Task) (int, any, *refusal) {
	h.replaceTask(task, c.applyTask(*task))
	return http.StatusOK, map[string]any{"task": task.answer()}, nil
}

func (h *Server) deleteTask(c *call, task *Task) (int, any, *refusal) {
	h.removeTask(task)
	return http.StatusOK, c.succeeded(), nil
}

func (h *Server) insertTask(contact *contactRecord, t Task, tell bool) *Task {
	t.ID, t.DateAdded = cmp.Or(t.ID, newID()), cmp.Or(t.DateAdded, h.clock())
	t.ContactID, t.LocationID = contact.ID, contact.LocationID
	task := &t
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
func (h *Server) replaceTask(task *Task, t Task) {
	before := *task
	t.ID, t.ContactID, t.LocationID, t.DateAdded = before.ID, before.ContactID, before.LocationID, before.DateAdded
	if t == before {
		return
	}
	*task = t
	if t.Completed && !before.Completed {
		h.emitTask("TaskComplete", task)
	}
	h.notice.Changed()
}

func (h *Server) removeTask(task *Task) {
	h.emitTask("TaskDelete", task)
	h.dropTask(task)
	h.notice.Changed()
}

func (h *Server) dropTask(task *Task) {
	same := func(t *Task) bool { return t == task }
	delete(h.tasks, task.ID)
	contact := h.contacts[task.ContactID]
	contact.tasks = slices.DeleteFunc(contact.tasks, same)
	if l := h.locations[contact.LocationID]; l != nil {
		l.tasks = slices.DeleteFunc(l.tasks, same)
	}
}

// searchTasks answers the tasks of a location. It has no filter by date and
// answers 25 unless told.
func (h *Server) searchTasks(c *call, l *location) (int, any, *refusal) {
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
		return 0, nil, unprocessable("limit must not be less than 1", "skip must not be less than 0")
	}
	var found []*Task
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
