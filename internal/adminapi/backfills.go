package adminapi

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"milepost/internal/operate"
)

// Backfill is the last backfill of a location.
type Backfill struct {
	Location string    `json:"location"`
	Since    string    `json:"since" doc:"A day, or all."`
	State    string    `json:"state" doc:"running, done or cancelled"`
	By       string    `json:"by"`
	AskedAt  time.Time `json:"asked_at"`
	EndedAt  time.Time `json:"ended_at,omitzero"`
	Contacts int64     `json:"contacts" doc:"Contacts that were looked at."`
	Of       int64     `json:"of_contacts" doc:"Of how many."`
	Tasks    int64     `json:"tasks" doc:"Tasks that were looked at."`
	Queued   int64     `json:"queued" doc:"Records that differ, and are in the queue."`
}

// BackfillCount is the count of what a backfill would do.
type BackfillCount struct {
	Counted string    `json:"counted" doc:"It names the count. Send it to begin the backfill once the count has ended."`
	Since   string    `json:"since"`
	BegunAt time.Time `json:"begun_at"`
	EndedAt time.Time `json:"ended_at,omitzero"`
	Differ  int       `json:"differ" doc:"Records that differ."`
	Read    int       `json:"read" doc:"Of them, those that are rehearsed."`
	Changes int       `json:"changes" doc:"Changes that the backfill would make."`
	Lines   []string  `json:"lines" nullable:"false" doc:"Some of the changes, whom they mail included."`
	Failed  string    `json:"failed,omitempty" doc:"Why it could not be counted."`
}

func showBackfill(r operate.BackfillRun) Backfill {
	return Backfill{
		r.LocationID, r.Since, r.State, r.By, r.AskedAt.UTC(), utc(r.EndedAt), r.Search.Contacts, r.Search.ContactsTotal, r.Search.Tasks, r.Search.Differing,
	}
}

type countBackfill struct {
	OneLocation
	Body struct {
		Since string `json:"since" maxLength:"10" doc:"A day, such as 2026-11-01, or all."`
	}
}

type beginBackfill struct {
	OneLocation
	Body struct {
		Counted string `json:"counted" maxLength:"40" doc:"Of a count that has ended."`
	}
}

func (a *API) backfills() {
	const tag, one, count = "backfills", "/backfills/{location}", "/backfills/{location}/count"
	get(a, endpoint{id: "list-backfills", path: "/backfills", tag: tag, summary: "The last backfill of each location that has one"},
		func(ctx context.Context, in *struct{ Paging }) (Page[Backfill], error) {
			list, err := a.Desk.Backfills(ctx)
			if err != nil {
				return Page[Backfill]{}, err
			}
			return pageOf(in.Paging, list, func(r operate.BackfillRun) string { return r.LocationID }, showBackfill)
		})
	get(a, endpoint{id: "get-backfill", path: one, tag: tag, summary: "How far the last backfill of a location is"},
		func(ctx context.Context, in *OneLocation) (Backfill, error) {
			run, ok, err := a.Desk.BackfillOf(ctx, in.Location)
			if err == nil && !ok {
				err = operate.ErrUnknown
			}
			return showBackfill(run), err
		})
	post(a, http.MethodPost, endpoint{
		id: "count-backfill", path: count, tag: tag, summary: "Begin to count what a backfill would do",
		about: "It reads the records that differ from HighLevel, and sends nothing. Read the count to see how far it is.",
	}, func(ctx context.Context, in *countBackfill) (out BackfillCount, err error) {
		if err := a.Desk.CountBackfill(ctx, in.Location, in.Body.Since); err != nil {
			return out, err
		}
		return a.backfillCount(ctx, &in.OneLocation)
	})
	get(a, endpoint{id: "get-backfill-count", path: count, tag: tag, operators: true, summary: "The count: which records differ, what would change, and who would be mailed", about: "It can be acted on for 15 minutes."},
		a.backfillCount)
	act(a, http.MethodPost, endpoint{id: "begin-backfill", path: one, tag: tag, summary: "Begin a backfill as it was counted"},
		func(ctx context.Context, in *beginBackfill) error {
			begun, err := strconv.ParseInt(in.Body.Counted, 10, 64)
			if err != nil {
				return operate.ErrNotCounted
			}
			return a.Desk.StartBackfill(ctx, who(ctx), in.Location, time.Unix(0, begun))
		})
	act(a, http.MethodDelete, endpoint{id: "cancel-backfill", path: one, tag: tag, summary: "Cancel a backfill", about: "What it has found is synced."},
		func(ctx context.Context, in *OneLocation) error {
			was, err := a.Desk.CancelBackfill(ctx, who(ctx), in.Location)
			if err == nil && !was {
				return huma.Error409Conflict("no backfill of this location is running")
			}
			return err
		})
}

func (a *API) backfillCount(ctx context.Context, in *OneLocation) (out BackfillCount, err error) {
	c, ok := a.Desk.BackfillCount(in.Location)
	if !ok {
		return out, operate.ErrNotCounted
	}
	out = BackfillCount{
		Counted: strconv.FormatInt(c.Begun.UnixNano(), 10), Since: c.Since, BegunAt: c.Begun.UTC(), EndedAt: utc(c.Ended),
		Differ: c.Records, Read: c.Read, Changes: c.Changes, Lines: append([]string{}, c.Lines...),
	}
	if c.Failed != nil {
		out.Failed = a.problem(ctx, "get-backfill-count", c.Failed).Error()
	}
	return out, nil
}
