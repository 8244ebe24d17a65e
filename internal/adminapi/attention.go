package adminapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"milepost/internal/operate"
)

// Concern is something that needs attention: all that has one cause.
type Concern struct {
	Key       string    `json:"key"`
	Kind      string    `json:"kind" enum:"connection,inbox,removals,failing,stuck,quota,signatures,backup"`
	State     string    `json:"state" enum:"open,retrying,acknowledged,snoozed" doc:"retrying: Milepost has retried it by itself for a few minutes only."`
	What      string    `json:"what"`
	Todo      string    `json:"todo,omitempty" doc:"What a person can do about it."`
	Location  string    `json:"location,omitempty"`
	Cause     Cause     `json:"cause"`
	Count     int64     `json:"count" doc:"Records, or webhooks. Not counted beyond 10,000."`
	FirstAt   time.Time `json:"first_at,omitzero"`
	LastAt    time.Time `json:"last_at,omitzero" doc:"Missing if it lasts."`
	Sample    *Record   `json:"sample,omitempty" doc:"One of the records."`
	Delivery  int64     `json:"delivery,omitempty" doc:"The id of its newest delivery."`
	Detail    string    `json:"detail,omitempty" doc:"Of the sample."`
	HushedBy  string    `json:"hushed_by,omitempty" doc:"Who acknowledged or snoozed it."`
	HushedTo  time.Time `json:"hushed_until,omitzero"`
	Retryable bool      `json:"retryable" doc:"It helps to have the records synced again."`
}

// Cause is why something fails.
type Cause struct {
	Outcome    string `json:"outcome,omitempty"`
	Vendor     string `json:"vendor,omitempty" doc:"Whose answer it was."`
	Status     int    `json:"status,omitempty" doc:"Of that answer."`
	Reason     string `json:"reason,omitempty"`
	Operation  string `json:"operation,omitempty"`
	Automation string `json:"automation,omitempty"`
	Field      string `json:"field,omitempty"`
}

func showConcern(m operate.Mask, c operate.Concern) Concern {
	out := Concern{
		Key: c.Key, Kind: string(c.Kind), State: string(c.State), What: c.What, Todo: c.Todo, Location: c.LocationID, Count: c.Count,
		Cause:   Cause{c.Cause.Outcome, c.Cause.Vendor, c.Cause.Status, c.Cause.Reason, c.Cause.Operation, c.Cause.Automation, c.Cause.Field},
		FirstAt: utc(c.FirstAt), LastAt: utc(c.LastAt), Delivery: c.Delivery, Detail: m.Text(c.Detail), HushedBy: c.Hush.By, HushedTo: utc(c.Hush.Until),
		Retryable: c.Retries(),
	}
	if c.Sample.ID != "" {
		sample := showRecord(c.Sample)
		out.Sample = &sample
	}
	return out
}

// OneConcern is the part of a request that names a concern.
type OneConcern struct {
	Key string `path:"key" maxLength:"200"`
}

type attentionQuery struct {
	Paging
	Showing
	State string `query:"state" enum:"open,retrying,acknowledged,snoozed" doc:"Without it, all."`
}

type concernQuery struct {
	OneConcern
	Showing
}

type snooze struct {
	OneConcern
	Body struct {
		For string `json:"for" enum:"1h,1d,1w"`
	}
}

// Retried says what a retry began.
type Retried struct {
	Records int64 `json:"records" doc:"How many are synced again."`
	Replay  int64 `json:"replay,omitempty" doc:"There are many: this replay reaches them one after the other. It can be read and cancelled."`
}

func (a *API) attention() {
	const tag, one = "attention", "/attention/{key}"
	get(a, endpoint{id: "list-attention", path: "/attention", tag: tag, summary: "What needs attention, grouped by its cause"},
		a.listAttention)
	get(a, endpoint{id: "get-attention", path: one, tag: tag, summary: "One concern with its sample"},
		func(ctx context.Context, in *concernQuery) (out Concern, err error) {
			m, err := a.mask(ctx, in.Showing)
			if err != nil {
				return out, err
			}
			c, err := a.Desk.Concern(ctx, in.Key)
			return showConcern(m, c), err
		})
	act(a, http.MethodPost, endpoint{id: "acknowledge", path: one + "/acknowledge", tag: tag, summary: "Say that somebody knows of it", about: "It is open again if it is over and comes back."},
		func(ctx context.Context, in *OneConcern) error { return a.Desk.Acknowledge(ctx, who(ctx), in.Key) })
	act(a, http.MethodPost, endpoint{id: "snooze", path: one + "/snooze", tag: tag, summary: "Close it for a time"},
		func(ctx context.Context, in *snooze) error {
			return a.Desk.Snooze(ctx, who(ctx), in.Key, operate.Snoozes[in.Body.For])
		})
	act(a, http.MethodPost, endpoint{id: "reopen", path: one + "/reopen", tag: tag, summary: "Take back that it was acknowledged or snoozed"},
		func(ctx context.Context, in *OneConcern) error { return a.Desk.Reopen(ctx, who(ctx), in.Key) })
	post(a, http.MethodPost, endpoint{id: "retry", path: one + "/retry", tag: tag, summary: "Sync its records again now"},
		func(ctx context.Context, in *OneConcern) (out Retried, err error) {
			done, err := a.Desk.Retry(ctx, who(ctx), in.Key)
			return Retried(done), err
		})
}

func (a *API) listAttention(ctx context.Context, in *attentionQuery) (out Page[Concern], err error) {
	m, err := a.mask(ctx, in.Showing)
	if err != nil {
		return out, err
	}
	v, err := a.Desk.Attention(ctx)
	if err != nil {
		return out, err
	}
	list := v.Concerns
	if in.State != "" {
		list = v.In(operate.ConcernState(in.State))
	}
	var failed error
	out, err = pageOf(in.Paging, list, func(c operate.Concern) string { return c.Key }, func(c operate.Concern) Concern {
		failed = errors.Join(failed, a.Desk.ReadSample(ctx, &c))
		return showConcern(m, c)
	})
	return out, errors.Join(failed, err)
}
