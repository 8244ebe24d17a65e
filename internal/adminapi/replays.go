package adminapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"milepost/internal/automation"
	"milepost/internal/operate"
	"milepost/internal/store"
)

// Filter says which deliveries are meant, as the list of deliveries does.
type Filter struct {
	Text       string    `json:"q,omitempty" maxLength:"200"`
	Outcome    string    `json:"outcome,omitempty" enum:"open,failed,done,unchanged,skipped,gone,pending,waiting,retry,auth,invalid,conflict,unclear,stopped"`
	Type       string    `json:"type,omitempty" maxLength:"200"`
	Location   string    `json:"location,omitempty" maxLength:"200"`
	Contact    string    `json:"contact,omitempty" maxLength:"200"`
	Automation string    `json:"automation,omitempty" maxLength:"200"`
	Since      time.Time `json:"since,omitzero"`
	Until      time.Time `json:"until,omitzero"`
}

// query is what the filter asks operate for.
func (f Filter) query() operate.Query {
	q := operate.Query{
		Text: f.Text, Type: f.Type, LocationID: f.Location, ContactID: f.Contact, Automation: f.Automation, Since: f.Since, Until: f.Until,
	}
	q.Outcomes, _ = operate.Outcomes(f.Outcome)
	if q.ContactID != "" && q.LocationID == "" {
		q.RecordID, q.ContactID = q.ContactID, ""
	}
	return q
}

type selectRequest struct {
	Body struct {
		IDs     []int64 `json:"ids,omitempty" nullable:"false" maxItems:"5000" doc:"These deliveries."`
		Matches *Filter `json:"matches,omitempty" doc:"Or all that match. An empty filter matches all."`
		Except  []int64 `json:"except,omitempty" nullable:"false" maxItems:"5000" doc:"But not these."`
		Concern string  `json:"concern,omitempty" maxLength:"200" doc:"Or the records of what needs attention, by its key."`
	}
}

// ReplayPlan is the rehearsal of a replay.
type ReplayPlan struct {
	Token      string                `json:"token" doc:"It names the plan. Send it to begin the replay once the plan has ended."`
	What       string                `json:"what" doc:"What is selected, in words."`
	Deliveries int                   `json:"deliveries"`
	LeftOut    int                   `json:"left_out" doc:"Deliveries that are about no record that can be synced again."`
	BegunAt    time.Time             `json:"begun_at"`
	EndedAt    time.Time             `json:"ended_at,omitzero"`
	Done       int64                 `json:"done" doc:"Records that are rehearsed."`
	Of         int64                 `json:"of"`
	Would      *automation.ApplyPlan `json:"would,omitempty" doc:"What the replay would do, and whom it would mail."`
	Failed     string                `json:"failed,omitempty" doc:"Why it could not be rehearsed."`
}

type onePlan struct {
	Token string `path:"token" maxLength:"100"`
}

type beginReplay struct {
	Body struct {
		Token string `json:"token" maxLength:"100" doc:"Of a plan that has ended."`
	}
}

// ReplayRun is a replay of many deliveries.
type ReplayRun struct {
	ID       int64            `json:"id"`
	What     string           `json:"what"`
	State    string           `json:"state" doc:"running, done or cancelled"`
	By       string           `json:"by"`
	AskedAt  time.Time        `json:"asked_at"`
	EndedAt  time.Time        `json:"ended_at,omitzero"`
	Records  int64            `json:"records"`
	Queued   int64            `json:"queued" doc:"Records that are asked to be synced so far."`
	Outcomes map[string]int64 `json:"outcomes,omitempty" doc:"What became of the records. pending: not synced yet."`
}

func showReplay(r store.Replay, outcomes map[string]int64) ReplayRun {
	return ReplayRun{r.ID, r.What, r.State, r.By, r.AskedAt.UTC(), utc(r.EndedAt), r.Total, r.Queued, outcomes}
}

// OneReplay is the part of a request that names a replay.
type OneReplay struct {
	ID int64 `path:"id" minimum:"1"`
}

func (a *API) replays() {
	const tag = "replays"
	post(a, http.MethodPost, endpoint{
		id: "plan-replay", path: "/replays/plans", tag: tag, summary: "Begin to rehearse a replay of many deliveries",
		about: "It reads the records from HighLevel, and sends nothing. Read the plan to see how far it is. Send ids, matches or concern.",
	}, func(ctx context.Context, in *selectRequest) (ReplayPlan, error) {
		s := operate.Selection{IDs: in.Body.IDs, Except: in.Body.Except, Cause: in.Body.Concern}
		switch {
		case in.Body.Matches != nil:
			s.Query = in.Body.Matches.query()
		case len(s.IDs) == 0 && s.Cause == "":
			return ReplayPlan{}, huma.Error422UnprocessableEntity("nothing is selected: send ids, matches or concern")
		}
		token, err := a.Desk.StartReplayPlan(ctx, s)
		if err != nil {
			return ReplayPlan{}, err
		}
		return a.replayPlan(ctx, &onePlan{token})
	})
	get(a, endpoint{
		id: "get-replay-plan", path: "/replays/plans/{token}", tag: tag, operators: true, summary: "The rehearsal: what would be created, replaced and removed, and who would be mailed",
		about: "It can be acted on for 15 minutes.",
	}, a.replayPlan)
	post(a, http.MethodPost, endpoint{
		id: "begin-replay", path: "/replays", tag: tag, summary: "Begin a replay as it was rehearsed",
		about: "The selection is evaluated once more. What is new since the rehearsal is left out.",
	}, func(ctx context.Context, in *beginReplay) (ReplayRun, error) {
		p, ok := a.Desk.ReplayPlan(in.Body.Token)
		if !ok {
			return ReplayRun{}, operate.ErrNoPlan
		}
		id, err := a.Desk.StartReplay(ctx, who(ctx), p)
		if err != nil {
			return ReplayRun{}, err
		}
		return a.replayRun(ctx, &OneReplay{id})
	})
	get(a, endpoint{id: "list-replays", path: "/replays", tag: tag, summary: "Replays of many deliveries, newest first"},
		func(ctx context.Context, in *struct{ Paging }) (Page[ReplayRun], error) {
			before, err := in.before()
			if err != nil {
				return Page[ReplayRun]{}, err
			}
			list, err := a.Desk.Store.Replays(ctx, before, in.Limit+1)
			if err != nil {
				return Page[ReplayRun]{}, err
			}
			var next int64
			if len(list) > in.Limit {
				list, next = list[:in.Limit], list[in.Limit-1].ID
			}
			return older(each(list, func(r store.Replay) ReplayRun { return showReplay(r, nil) }), next), nil
		})
	get(a, endpoint{id: "get-replay", path: "/replays/{id}", tag: tag, summary: "How far a replay is, and what became of its records"}, a.replayRun)
	act(a, http.MethodDelete, endpoint{id: "cancel-replay", path: "/replays/{id}", tag: tag, summary: "Cancel a replay", about: "What it has queued is synced."},
		func(ctx context.Context, in *OneReplay) error {
			was, err := a.Desk.CancelReplay(ctx, who(ctx), in.ID)
			if err == nil && !was {
				return huma.Error409Conflict("the replay is not running")
			}
			return err
		})
}

func (a *API) replayRun(ctx context.Context, in *OneReplay) (ReplayRun, error) {
	run, err := a.Desk.ReplayRun(ctx, in.ID)
	return showReplay(run.Replay, run.Outcomes), err
}

func (a *API) replayPlan(ctx context.Context, in *onePlan) (out ReplayPlan, err error) {
	p, ok := a.Desk.ReplayPlan(in.Token)
	if !ok {
		return out, operate.ErrNoPlan
	}
	out = ReplayPlan{
		Token: p.Token, What: p.Selection.String(), Deliveries: p.Deliveries, LeftOut: p.LeftOut, BegunAt: p.Begun.UTC(), EndedAt: utc(p.Ended),
		Done: p.Done, Of: p.Of, Would: p.Plan,
	}
	if p.Failed != nil {
		out.Failed = a.problem(ctx, "get-replay-plan", p.Failed).Error()
	}
	return out, nil
}
