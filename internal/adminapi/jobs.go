package adminapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"milepost/internal/operate"
	"milepost/internal/store"
)

// Job is a job of the queue.
type Job struct {
	ID        int64     `json:"id"`
	Kind      string    `json:"kind"`
	State     string    `json:"state"`
	Record    *Record   `json:"record,omitempty" doc:"What it is about."`
	Attempt   int       `json:"attempt"`
	CreatedAt time.Time `json:"created_at"`
	DueAt     time.Time `json:"due_at"`
	Error     string    `json:"error,omitempty" doc:"Of its last attempt."`
}

// Jobs is a page of jobs.
type Jobs struct {
	Page[Job]
	Counts map[string]int64 `json:"counts" doc:"Jobs of each group. Not counted beyond 10,000."`
}

type jobsQuery struct {
	Paging
	Showing
	Group string `query:"group" enum:"running,queued,retrying,scheduled,failed" default:"running"`
}

type oneJob struct {
	ID int64 `path:"id" minimum:"1"`
}

func (a *API) jobs() {
	const tag = "jobs"
	get(a, endpoint{id: "list-jobs", path: "/jobs", tag: tag, summary: "The jobs of a group, the newest first"},
		func(ctx context.Context, in *jobsQuery) (out Jobs, err error) {
			var after string
			if err := in.after(&after); err != nil {
				return out, err
			}
			m, err := a.mask(ctx, in.Showing)
			if err != nil {
				return out, err
			}
			jobs, err := a.Desk.Jobs(ctx, in.Group, after, in.Limit)
			if err != nil {
				if after != "" && !errors.Is(err, store.ErrNoQueue) && !store.Unavailable(err) {
					err = in.invalid("it is not the next of an earlier answer")
				}
				return out, err
			}
			out.Counts = jobs.Counts
			out.Items = each(jobs.List, func(j store.Job) Job { return showJob(m, j) })
			if jobs.Next != "" {
				out.Next = cursor(jobs.Next)
			}
			return out, nil
		})
	act(a, http.MethodPost, endpoint{id: "run-job", path: "/jobs/{id}/run", tag: tag, summary: "Run a job that failed now"},
		func(ctx context.Context, in *oneJob) error { return a.Desk.RunJobNow(ctx, who(ctx), in.ID) })
}

func showJob(m operate.Mask, j store.Job) Job {
	out := Job{ID: j.ID, Kind: j.Kind, State: j.State, Attempt: j.Attempt, CreatedAt: j.CreatedAt.UTC(), DueAt: j.ScheduledAt.UTC(), Error: m.Text(j.Error)}
	if j.LocationID != "" {
		of := showRecord(store.Entity{LocationID: j.LocationID, Kind: j.RecordKind, ID: j.RecordID})
		out.Record = &of
	}
	return out
}

// Session is somebody who is signed in to the console.
type Session struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Person    string    `json:"person,omitempty" doc:"Missing if it was by the admin token or a link."`
	Client    string    `json:"client,omitempty" doc:"The browser, as it names itself."`
	SignedIn  time.Time `json:"signed_in_at"`
	SeenAt    time.Time `json:"seen_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

type oneSession struct {
	ID string `path:"id" maxLength:"64"`
}

func (a *API) sessions() {
	const tag = "people"
	get(a, endpoint{id: "list-sessions", path: "/sessions", tag: tag, operators: true, summary: "Who is signed in to the console, the last seen first"},
		func(ctx context.Context, in *struct{ Paging }) (Page[Session], error) {
			list, err := a.People.Sessions(ctx)
			if err != nil {
				return Page[Session]{}, err
			}
			return pageOf(in.Paging, list, func(s store.Session) string { return s.Digest }, func(s store.Session) Session {
				return Session{s.Digest, s.Name, s.Person, s.Client, s.CreatedAt.UTC(), s.SeenAt.UTC(), s.ExpiresAt.UTC()}
			})
		})
	act(a, http.MethodDelete, endpoint{id: "end-session", path: "/sessions/{id}", tag: tag, summary: "End a session"},
		func(ctx context.Context, in *oneSession) error { return a.People.EndSession(ctx, who(ctx), in.ID) })
}

// OpenRequest is a request of an automation that waits for a person.
type OpenRequest struct {
	ID         int64     `json:"id"`
	State      string    `json:"state" doc:"unclear: its answer was lost. stopped: the automation sent too many."`
	Automation string    `json:"automation"`
	Operation  string    `json:"operation" doc:"Its name in the catalogue."`
	Record     Record    `json:"record"`
	At         time.Time `json:"at"`
}

type oneRequest struct {
	ID int64 `path:"id" minimum:"1"`
}

type settleRequest struct {
	ID   int64 `path:"id" minimum:"1"`
	Body struct {
		Sent bool `json:"sent" doc:"It took effect. If not, it is sent again, unless the record has changed since."`
	}
}

// Settled says what became of a request.
type Settled struct {
	Superseded bool `json:"superseded,omitempty" doc:"It is not sent again, because the record has changed since and a later request was sent."`
}

// Released says what a release began.
type Released struct {
	Records int `json:"records" doc:"Of how many records the requests are sent now."`
}

func (a *API) requests() {
	const tag, one = "requests", "/requests/{id}"
	get(a, endpoint{id: "list-requests", path: "/requests", tag: tag, summary: "Requests of automations that wait for a person, oldest first"},
		func(ctx context.Context, in *struct{ Paging }) (Page[OpenRequest], error) {
			list, err := a.Desk.OpenCalls(ctx)
			if err != nil {
				return Page[OpenRequest]{}, err
			}
			return pageOf(in.Paging, list, func(q store.Call) string { return strconv.FormatInt(q.ID, 10) }, func(q store.Call) OpenRequest {
				return OpenRequest{q.ID, string(q.State), q.Automation, q.Operation, showRecord(q.Entity), q.At.UTC()}
			})
		})
	post(a, http.MethodPost, endpoint{id: "settle-request", path: one + "/settle", tag: tag, summary: "Say whether an unclear request took effect"},
		func(ctx context.Context, in *settleRequest) (out Settled, err error) {
			out.Superseded, err = a.Desk.SettleCall(ctx, who(ctx), in.ID, !in.Body.Sent)
			return out, err
		})
	post(a, http.MethodPost, endpoint{id: "release-request", path: one + "/release", tag: tag, summary: "Let an automation go on that sent too many requests"},
		func(ctx context.Context, in *oneRequest) (out Released, err error) {
			out.Records, err = a.Desk.ReleaseCalls(ctx, who(ctx), in.ID)
			return out, err
		})
}

// Removal is a record that vanished without a delete webhook.
type Removal struct {
	Record Record    `json:"record"`
	Vendor string    `json:"vendor" doc:"That does not show it any more."`
	Since  time.Time `json:"since"`
}

// Allowed says what was allowed.
type Allowed struct {
	Records int `json:"records" doc:"How many records are looked for once more."`
}

// mostRemovals bounds how many of the records that vanished are listed.
const mostRemovals = 1000

func (a *API) removals() {
	const tag, one = "attention", "/attention/{key}"
	get(a, endpoint{id: "list-removals", path: one + "/removals", tag: tag, summary: "Records that vanished, and whose removal waits for a person", about: "At most 1,000."},
		func(ctx context.Context, in *concernPage) (out Page[Removal], err error) {
			c, err := a.Desk.Concern(ctx, in.Key)
			if err != nil {
				return out, err
			}
			list, err := a.Desk.RemovalsOf(ctx, c, mostRemovals)
			if err != nil {
				return out, err
			}
			return pageOf(in.Paging, list, func(r store.Removal) string { return r.String() }, func(r store.Removal) Removal {
				return Removal{showRecord(r.Entity), r.Vendor, r.Since.UTC()}
			})
		})
	post(a, http.MethodPost, endpoint{
		id: "allow-removals", path: one + "/allow", tag: tag, summary: "Say that the records are deleted",
		about: "Milepost looks for each of them once more, and then removes their items. If an item is a meeting request, CalendarHero mails its invitees.",
	}, func(ctx context.Context, in *OneConcern) (out Allowed, err error) {
		c, err := a.Desk.Concern(ctx, in.Key)
		switch {
		case err != nil:
			return out, err
		case c.Kind != operate.ConcernRemovals:
			return out, operate.ErrUnknown
		}
		out.Records, err = a.Desk.AllowRemovals(ctx, who(ctx), c.LocationID)
		return out, err
	})
}

type concernPage struct {
	OneConcern
	Paging
}
