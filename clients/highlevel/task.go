package highlevel

import (
	"context"
	"errors"
	"net/http"
	"time"

	"milepost/clients"
)

const (
	opTasks       = "list tasks of contact"
	opTask        = "get task"
	opSearchTasks = "search tasks of location"
	opFindTask    = "find task"

	opCreateTask   = "create task"
	opUpdateTask   = "update task"
	opCompleteTask = "complete task"
	opDeleteTask   = "delete task"
)

// Task is a task of a contact. HighLevel does not store when it was created or changed, and
// sends no event when somebody edits it.
type Task struct {
	ID         string
	Title      string
	Body       string
	AssignedTo string // user id
	DueDate    string // RFC 3339
	Completed  bool
	ContactID  string // "" for a task without a contact
}

// UnmarshalJSON reads the record with tolerance.
func (t *Task) UnmarshalJSON(data []byte) error {
	o, err := clients.ParseRecord(data)
	if err != nil {
		return err
	}
	*t = Task{
		ID: o.Text("id"), Title: o.Text("title"), Body: o.Text("body"), AssignedTo: o.Text("assignedTo"),
		DueDate: o.Text("dueDate"), Completed: o.Bool("completed"), ContactID: o.Text("contactId"),
	}
	if t.ID == "" {
		t.ID = o.Text("_id") // the name in some of HighLevel's lists (apps/oauth.json, installedLocations)
	}
	return nil
}

// Tasks lists all tasks of a contact; the API does not page this list.
func (c *Client) Tasks(ctx context.Context, contactID string) ([]Task, error) {
	var out struct{ Tasks *[]Task }
	err := c.do(ctx, route{operation: opTasks, method: http.MethodGet, path: "/contacts/%s/tasks", ids: []string{contactID}}, &out)
	return listed(opTasks, contactID, out.Tasks, func(t Task) string { return t.ID }, err)
}

// Task fetches one task; NotFound if the task or its contact is gone.
func (c *Client) Task(ctx context.Context, contactID, taskID string) (Task, error) {
	var out struct{ Task Task }
	err := c.do(ctx, route{operation: opTask, method: http.MethodGet, path: "/contacts/%s/tasks/%s", ids: []string{contactID, taskID}}, &out)
	err = theOne(opTask, taskID, out.Task.ID, err)
	if t := out.Task; err == nil && t.Title+t.Body+t.DueDate == "" {
		err = incomplete(opTask, taskID)
	}
	if out.Task.ContactID == "" {
		out.Task.ContactID = contactID
	}
	return out.Task, err
}

// TaskSearch selects tasks of the location; the zero value finds the first 25 of all tasks.
// HighLevel has no filter by date.
type TaskSearch struct {
	ContactIDs []string `json:"contactId,omitempty"`
	AssignedTo []string `json:"assignedTo,omitempty"` // user ids
	Completed  *bool    `json:"completed,omitempty"`  // nil = both
	Query      string   `json:"query,omitempty"`
	Limit      int      `json:"limit,omitempty"` // 0 = 25, HighLevel's default
	Skip       int      `json:"skip,omitempty"`
}

// SearchTasks returns one page of a location's tasks. It is a POST that
// changes nothing, so it is retried and fails like a GET.
func (c *Client) SearchTasks(ctx context.Context, locationID string, search TaskSearch) ([]Task, error) {
	var out struct{ Tasks *[]Task }
	err := c.do(ctx, route{
		operation: opSearchTasks, method: http.MethodPost, path: "/locations/%s/tasks/search", ids: []string{locationID},
		effect: clients.Read, body: search,
	}, &out)
	return listed(opSearchTasks, locationID, out.Tasks, func(t Task) string { return t.ID }, err)
}

const (
	searchPage  = 100
	searchPages = 200 // 20,000 tasks; beyond that, the search fails with a clear error
)

// ErrNoTasks is wrapped by FindTask's NotFound if the search finds no task at all. Then the
// search itself may not work.
var ErrNoTasks = errors.New("the location shows no tasks")

// FindTask looks for a task with an unknown contact in all pages of the location's task
// search. It returns NotFound if the search ends without the task, and Unavailable if the
// search does not end, because that must not pass for a deleted task. It calls passing,
// which may be nil, for each task that it reads.
func (c *Client) FindTask(ctx context.Context, locationID, taskID string, passing func(Task)) (Task, error) {
	if err := checkID(opFindTask, taskID); err != nil {
		return Task{}, err
	}
	seen := map[string]bool{}
	for skip, page := 0, 0; page < searchPages; page++ {
		tasks, err := c.SearchTasks(ctx, locationID, TaskSearch{Limit: searchPage, Skip: skip})
		if err != nil {
			return Task{}, err
		}
		c = c.With(clients.Begun) // otherwise the same pages would be read again
		before := len(seen)
		if passing != nil {
			for _, task := range tasks {
				passing(task)
			}
		}
		for _, task := range tasks {
			if task.ID == taskID {
				return task, nil
			}
			seen[task.ID] = true
		}
		// An empty page ends the list. A page without new tasks means that the server
		// ignores skip. A short page is not the end, because the server may cap limit.
		if len(seen) == before {
			e := &clients.Error{
				API: "HighLevel", Operation: opFindTask, Subject: taskID, Status: http.StatusOK,
				Reason: clients.NotFound, Message: "no task of the location has this id",
			}
			if len(seen) == 0 {
				e.Err = ErrNoTasks
			}
			return Task{}, e
		}
		skip += len(tasks)
	}
	return Task{}, &clients.Error{
		API: "HighLevel", Operation: opFindTask, Subject: taskID, Status: http.StatusOK,
		Reason: clients.Unavailable, Message: "the location has too many tasks to search",
	}
}

// NewTask is a task to create; Title and DueDate are required.
type NewTask struct {
	Title      string    `json:"title"`
	DueDate    time.Time `json:"dueDate"`
	Completed  bool      `json:"completed"`
	Body       string    `json:"body,omitempty"`
	AssignedTo string    `json:"assignedTo,omitempty"` // user id
}

// TaskFields are the fields that an update writes; the zero value leaves a field unchanged.
// HighLevel documents no null here.
type TaskFields struct {
	Title      *string   `json:"title,omitempty"`
	DueDate    time.Time `json:"dueDate,omitzero"`
	Completed  *bool     `json:"completed,omitempty"`
	Body       *string   `json:"body,omitempty"`
	AssignedTo *string   `json:"assignedTo,omitempty"` // user id
}

// CreateTask creates a task of a contact. HighLevel has no idempotency key: check Tasks
// before you repeat an Unclear create.
func (c *Client) CreateTask(ctx context.Context, contactID string, task NewTask) (Task, error) {
	out, err := c.writeTask(ctx, route{
		operation: opCreateTask, method: http.MethodPost, path: "/contacts/%s/tasks", ids: []string{contactID},
		effect: clients.Once, body: task,
	}, contactID)
	if err == nil && out.ID == "" {
		err = lostRecord(opCreateTask, contactID)
	}
	return out, err
}

// UpdateTask writes the fields that are set. HighLevel sends no event for it, except for a
// completion.
func (c *Client) UpdateTask(ctx context.Context, contactID, taskID string, fields TaskFields) (Task, error) {
	out, err := c.writeTask(ctx, route{
		operation: opUpdateTask, method: http.MethodPut, path: "/contacts/%s/tasks/%s", ids: []string{contactID, taskID},
		effect: clients.Idempotent, body: fields,
	}, contactID)
	err = theOne(opUpdateTask, taskID, out.ID, err)
	return out, err
}

// CompleteTask marks a task as completed, or with done = false as open again.
func (c *Client) CompleteTask(ctx context.Context, contactID, taskID string, done bool) (Task, error) {
	out, err := c.writeTask(ctx, route{
		operation: opCompleteTask, method: http.MethodPut, path: "/contacts/%s/tasks/%s/completed", ids: []string{contactID, taskID},
		effect: clients.Idempotent, body: map[string]bool{"completed": done},
	}, contactID)
	err = theOne(opCompleteTask, taskID, out.ID, err)
	return out, err
}

func (c *Client) writeTask(ctx context.Context, r route, contactID string) (Task, error) {
	var out struct{ Task Task }
	err := c.do(ctx, r, &out)
	if out.Task.ContactID == "" {
		out.Task.ContactID = contactID
	}
	return out.Task, err
}

// DeleteTask deletes a task; NotFound if it is already gone.
func (c *Client) DeleteTask(ctx context.Context, contactID, taskID string) error {
	return c.act(ctx, route{
		operation: opDeleteTask, method: http.MethodDelete, path: "/contacts/%s/tasks/%s", ids: []string{contactID, taskID},
		effect: clients.Idempotent,
	})
}
