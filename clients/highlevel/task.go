package highlevel

import (
	"context"
	"net/http"

	"milepost/clients"
)

const (
	opTasks       = "list tasks of contact"
	opTask        = "get task"
	opSearchTasks = "search tasks of location"
	opFindTask    = "find task"
)

// Task is a task of a contact. HighLevel keeps no time of creation or change
// for it, and sends no event when it is edited.
type Task struct {
	ID         string
	Title      string
	Body       string
	AssignedTo string // user id
	DueDate    string // RFC 3339
	Completed  bool
	ContactID  string // "" for a task of no contact
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
		t.ID = o.Text("_id") // as some of HighLevel's lists name it (apps/oauth.json, installedLocations)
	}
	return nil
}

// Tasks lists all tasks of a contact; the API has no pages here.
func (c *Client) Tasks(ctx context.Context, contactID string) ([]Task, error) {
	var out struct{ Tasks *[]Task }
	err := c.do(ctx, route{operation: opTasks, method: http.MethodGet, path: "/contacts/%s/tasks", ids: []string{contactID}}, &out)
	return listed(opTasks, contactID, out.Tasks, func(t Task) string { return t.ID }, err)
}

// Task fetches one task; NotFound where the task or its contact is gone.
func (c *Client) Task(ctx context.Context, contactID, taskID string) (Task, error) {
	var out struct{ Task Task }
	err := c.do(ctx, route{operation: opTask, method: http.MethodGet, path: "/contacts/%s/tasks/%s", ids: []string{contactID, taskID}}, &out)
	if err == nil && out.Task.ID == "" {
		err = incomplete(opTask, taskID)
	}
	if out.Task.ContactID == "" {
		out.Task.ContactID = contactID
	}
	return out.Task, err
}

// TaskSearch narrows a search; its zero value finds all tasks of the location,
// the first 25 of them. There is no filter by date.
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
	searchPages = 200 // 20,000 tasks; a location beyond that is told so
)

// FindTask looks for a task whose contact is not known, through all pages of
// the location's task search. It is NotFound when the search ends without it,
// and Unavailable when the search does not end: an unfinished search must
// not pass for a deleted task.
func (c *Client) FindTask(ctx context.Context, locationID, taskID string) (Task, error) {
	if _, err := clients.PathID(taskID); err != nil {
		return Task{}, &clients.Error{API: "HighLevel", Operation: opFindTask, Reason: clients.Invalid, Err: err}
	}
	seen := map[string]bool{}
	for skip, page := 0, 0; page < searchPages; page++ {
		tasks, err := c.SearchTasks(ctx, locationID, TaskSearch{Limit: searchPage, Skip: skip})
		if err != nil {
			return Task{}, err
		}
		c = c.With(clients.Begun) // the pages read would else be read again
		before := len(seen)
		for _, task := range tasks {
			if task.ID == taskID {
				return task, nil
			}
			seen[task.ID] = true
		}
		// An empty page ends the list, a page with nothing new means that skip
		// is ignored. A short page ends nothing: the server may cap limit.
		if len(seen) == before {
			return Task{}, &clients.Error{
				API: "HighLevel", Operation: opFindTask, Subject: taskID, Status: http.StatusOK,
				Reason: clients.NotFound, Message: "no task of the location has this id",
			}
		}
		skip += len(tasks)
	}
	return Task{}, &clients.Error{
		API: "HighLevel", Operation: opFindTask, Subject: taskID, Status: http.StatusOK,
		Reason: clients.Unavailable, Message: "the location has too many tasks to search",
	}
}
