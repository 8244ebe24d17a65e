package console

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"milepost/internal/operate"
	"milepost/internal/store"
)

// jobGroups are the groups of jobs, in the order in which they are shown.
var jobGroups = []struct{ name, title, empty string }{
	{"retrying", "Waiting after a failure", "No job waits after a failure."},
	{"failed", "Given up", "No job was given up."},
	{"running", "Running", "No job runs at this moment."},
	{"queued", "In the queue", "No job waits for a worker."},
	{"scheduled", "Later", "No job waits for its time."},
}

type jobGroup struct {
	Title, Link, Count string
	Current            bool
}

type jobsData struct {
	Groups   []jobGroup
	Owed     bool // the list is of records, else of jobs
	Records  []recordRow
	Jobs     []store.Job
	About    string
	Empty    string
	First    bool
	FirstURL string
	OlderURL string
	CanRun   bool // jobs of this group can be run now
	Now      time.Time
}

// recordRow is a record that is not in step.
type recordRow struct {
	store.EntityState
	ContactPath string
}

func (c *Console) jobsPage(r *http.Request, v *view) error {
	v.Title, v.Section = "Jobs", "jobs"
	in := r.URL.Query()
	group := in.Get("group")
	known := false
	for _, g := range jobGroups {
		known = known || g.name == group
	}
	if !known {
		group = ""
	}
	data := jobsData{Owed: group == "", First: true, FirstURL: Path + "jobs", Empty: "Every record is in step: nothing waits for a sync.", Now: c.Now(), CanRun: group == "retrying" || group == "failed"}
	listed := group
	if data.Owed {
		listed = "running"
	}
	jobs, err := c.Desk.Jobs(r.Context(), listed, in.Get("after"), pageSize)
	if errors.Is(err, store.ErrNoQueue) {
		return err
	} else if err != nil && in.Get("after") != "" {
		return errNotFound // a cursor that is none
	} else if err != nil {
		return err
	}
	overview, err := c.Desk.Overview(r.Context())
	if err != nil {
		return err
	}
	data.Groups = append(data.Groups, jobGroup{"Records not in step", Path + "jobs", most(overview.Owed), group == ""})
	for _, g := range jobGroups {
		link := Path + "jobs?group=" + g.name
		data.Groups = append(data.Groups, jobGroup{g.title, link, most(jobs.Counts[g.name]), g.name == group})
		if g.name == group {
			data.Empty, data.FirstURL = g.empty, link
		}
	}
	if data.Owed {
		err = c.records(r, in, &data)
		v.Data = data
		return err
	}
	data.Jobs, data.First = jobs.List, in.Get("after") == ""
	if jobs.Next != "" {
		data.OlderURL = Path + "jobs?" + url.Values{"group": {group}, "after": {jobs.Next}}.Encode()
	}
	v.Data = data
	return nil
}

// records lists the records that are not in step.
func (c *Console) records(r *http.Request, in url.Values, data *jobsData) error {
	after := store.Entity{LocationID: in.Get("location"), Kind: in.Get("kind"), ID: in.Get("id")}
	data.About = "Each of these records has a sync that waits or runs. Milepost retries by itself, at least every 15 minutes."
	list, err := c.Desk.Store.OwedRecords(r.Context(), after, pageSize+1)
	data.First = after == store.Entity{}
	if len(list) > pageSize {
		list = list[:pageSize]
		last := list[pageSize-1]
		data.OlderURL = Path + "jobs?" + url.Values{"location": {last.LocationID}, "kind": {last.Kind}, "id": {last.ID}}.Encode()
	}
	for _, s := range list {
		data.Records = append(data.Records, rowOfRecord(s))
	}
	return err
}

// rowOfRecord is a record that is not in step, for a list.
func rowOfRecord(s store.EntityState) recordRow {
	row := recordRow{EntityState: s}
	switch {
	case s.Kind == "contact":
		row.ContactPath = contactPath(s.LocationID, s.ID)
	case s.ContactID != "":
		row.ContactPath = contactPath(s.LocationID, s.ContactID)
	}
	if row.Outcome == "" {
		row.Outcome = store.Pending
	}
	return row
}

func (c *Console) runJob(r *http.Request, v *view) (string, error) {
	id, err := strconv.ParseInt(chi.URLParam(r, "id"), 10, 64)
	if err != nil {
		return "", errNotFound
	}
	err = c.Desk.RunJobNow(r.Context(), v.Me.Name, id)
	if errors.Is(err, store.ErrNotFailed) {
		return "", problem("This job does not wait after a failure any more.")
	}
	return Path + "jobs?said=run", err
}

func (c *Console) syncRecord(r *http.Request, v *view) (string, error) {
	e := store.Entity{LocationID: r.PostForm.Get("location"), Kind: r.PostForm.Get("kind"), ID: r.PostForm.Get("id")}
	err := c.Desk.SyncRecordNow(r.Context(), v.Me.Name, e)
	if errors.Is(err, operate.ErrUnknown) {
		return "", problem("Milepost does not know this record any more.")
	}
	return Path + "jobs?said=synced", err
}

// jobName is what a kind of job does.
func jobName(kind string) string {
	switch kind {
	case "sync":
		return "Sync a record"
	case "remind":
		return "Send a reminder"
	case "stray":
		return "Look for an object whose create was given up"
	case "rest":
		return "Write a description that waited"
	case "reconcile":
		return "Reconcile a location"
	case "contacts":
		return "Look at contacts in CalendarHero"
	case "poll":
		return "Look at meeting requests in CalendarHero"
	case "backfill":
		return "Backfill a location"
	case "erase":
		return "Erase a contact"
	}
	return kind
}
