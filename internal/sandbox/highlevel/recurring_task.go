package highlevel

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"

	"milepost/internal/sandbox/fakehttp"
)

// RecurringTask makes tasks by a rule. The sandbox keeps it and makes none.
type RecurringTask struct {
	ID, LocationID, Title, Description string
	ContactIDs, Owners                 []string
	Rule                               map[string]any // HighLevel's rruleOptions
	DateAdded, DateUpdated             time.Time
}

var (
	recurringTaskUpdateDTO = dto{
		"title": text(), "description": text(), "contactIds": optional(aStringList), "owners": optional(aStringList),
		"rruleOptions": optional(anObject), "ignoreTaskCreation": optional(aBool),
	}
	recurringTaskCreateDTO = recurringTaskUpdateDTO.with(dto{"title": required(aString), "rruleOptions": required(anObject)})
	ruleDTO                = dto{
		"intervalType": {kind: aString, required: true, among: []string{"yearly", "monthly", "weekly", "daily", "hourly"}},
		"interval":     required(aNumber), "startDate": required(aDate), "endDate": optional(aDate), "dayOfMonth": optional(aNumber),
		"dayOfWeek": among("MO", "TU", "WE", "TH", "FR", "SA", "SU"), "monthOfYear": optional(aNumber), "count": optional(aNumber),
		"createTaskIfOverDue": optional(aBool), "dueAfterSeconds": required(aNumber),
	}
)

// SeedRecurringTask adds a recurring task to a location and returns it with its id.
func (h *Server) SeedRecurringTask(locationID string, task RecurringTask) RecurringTask {
	h.mu.Lock()
	defer h.mu.Unlock()
	task.LocationID = locationID
	return *h.insertRecurringTask(task)
}

func (h *Server) insertRecurringTask(task RecurringTask) *RecurringTask {
	task.ID = cmp.Or(task.ID, newID())
	task.DateAdded, task.DateUpdated = h.clock(), h.clock()
	if l := h.locations[task.LocationID]; l != nil {
		l.recurring = append(l.recurring, &task)
	}
	h.notice.Changed()
	return &task
}

func (task *RecurringTask) answer() map[string]any {
	rule := task.Rule
	if rule == nil {
		rule = map[string]any{}
	}
	a := map[string]any{
		"id": task.ID, "title": task.Title, "description": task.Description, "locationId": task.LocationID, "rruleOptions": rule,
		"createdAt": fakehttp.ISOMillis(task.DateAdded), "updatedAt": fakehttp.ISOMillis(task.DateUpdated), "totalOccurrence": 0, "deleted": false,
	}
	if len(task.ContactIDs) > 0 {
		a["contactId"] = task.ContactIDs[0]
	}
	if len(task.Owners) > 0 {
		a["assignedTo"] = task.Owners[0]
	}
	return a
}

// recurringTask finds the recurring task that the path names.
func (h *Server) recurringTask(c *call) (*location, *RecurringTask, *refusal) {
	l, no := h.location(c, chi.URLParam(c.r, "locationId"))
	if no != nil {
		return nil, nil, no
	}
	id := chi.URLParam(c.r, "id")
	i := slices.IndexFunc(l.recurring, func(task *RecurringTask) bool { return task.ID == id })
	if i < 0 {
		return nil, nil, refuse(http.StatusBadRequest, "Recurring task with id %s not found", id)
	}
	return l, l.recurring[i], nil
}

// applyRecurringTask writes the body into a task.
func (h *Server) applyRecurringTask(c *call, task *RecurringTask) *refusal {
	if raw, ok := c.body["rruleOptions"]; ok {
		inner := &call{r: c.r}
		if no := inner.read(ruleDTO, raw); no != nil {
			return no
		}
		task.Rule, _ = as[map[string]any](c, "rruleOptions")
	}
	if ids, ok := as[[]string](c, "contactIds"); ok {
		for _, id := range ids {
			if r := h.contacts[id]; r == nil || r.LocationID != task.LocationID {
				return refuse(http.StatusBadRequest, "Contact with id %s not found", id)
			}
		}
		task.ContactIDs = ids
	}
	if owners, ok := as[[]string](c, "owners"); ok {
		task.Owners = owners
	}
	c.readTexts(map[string]*string{"title": &task.Title, "description": &task.Description})
	return nil
}

func (h *Server) getRecurringTask(c *call, _ *location, task *RecurringTask) (int, any, *refusal) {
	return http.StatusOK, map[string]any{"recurringTask": task.answer()}, nil
}

func (h *Server) createRecurringTask(c *call, l *location) (int, any, *refusal) {
	task := RecurringTask{LocationID: l.ID}
	if no := h.applyRecurringTask(c, &task); no != nil {
		return 0, nil, no
	}
	return http.StatusCreated, map[string]any{"recurringTask": h.insertRecurringTask(task).answer()}, nil
}

func (h *Server) updateRecurringTask(c *call, _ *location, task *RecurringTask) (int, any, *refusal) {
	changed := *task
	if no := h.applyRecurringTask(c, &changed); no != nil {
		return 0, nil, no
	}
	changed.DateUpdated = h.clock()
	*task = changed
	h.notice.Changed()
	return http.StatusOK, map[string]any{"recurringTask": task.answer()}, nil
}

func (h *Server) deleteRecurringTask(c *call, l *location, task *RecurringTask) (int, any, *refusal) {
	l.recurring = slices.DeleteFunc(l.recurring, func(other *RecurringTask) bool { return other == task })
	h.notice.Changed()
	return http.StatusOK, map[string]any{"id": task.ID, "success": true}, nil
}
