package adminapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"milepost/internal/operate"
)

// Connection is a location that is, or was, connected.
type Connection struct {
	Location  string    `json:"location"`
	Company   string    `json:"company,omitempty" doc:"The id of its agency."`
	Name      string    `json:"name,omitempty"`
	Source    string    `json:"source" doc:"settings, oauth or token"`
	State     string    `json:"state"`
	Served    bool      `json:"served" doc:"Milepost works for it."`
	Todo      string    `json:"todo,omitempty" doc:"Why it is not served, or what to do soon."`
	TokenDays *int      `json:"token_days,omitempty" doc:"How old its Private Integration Token is. Missing if it has none, or its age is not known."`
	Missing   []Missing `json:"missing_scopes" nullable:"false" doc:"What HighLevel did not grant, and is needed."`
	QuotaLeft *int      `json:"quota_left,omitempty" doc:"Percent of the day's calls at HighLevel that are left. Missing if HighLevel did not tell it in the last day."`
	Called    time.Time `json:"highlevel_answered_at,omitzero" doc:"When a call to HighLevel last succeeded."`
	Booked    time.Time `json:"calendarhero_answered_at,omitzero" doc:"When a call to CalendarHero last succeeded."`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Missing are scopes that something needs.
type Missing struct {
	Scopes     []string `json:"scopes" nullable:"false"`
	Automation string   `json:"automation,omitempty" doc:"The name of the automation that needs them. Missing: Milepost itself does."`
}

func showConnection(now time.Time, c operate.Connection) Connection {
	out := Connection{
		Location: c.LocationID, Company: c.CompanyID, Name: c.Name, Source: c.Source, State: string(c.State), Served: c.Served, Todo: c.Todo,
		Called: utc(c.Called), Booked: utc(c.Booked), CreatedAt: c.CreatedAt.UTC(), UpdatedAt: c.UpdatedAt.UTC(),
		Missing: each(c.Missing, func(m operate.MissingScopes) Missing { return Missing{m.Scopes, m.Automation} }),
	}
	if c.TokenAge != nil {
		days := int(c.TokenAge.Hours() / 24)
		out.TokenDays = &days
	}
	if percent, ok := c.Left(now); ok {
		out.QuotaLeft = &percent
	}
	return out
}

// OneLocation is the part of a request that names a location.
type OneLocation struct {
	Location string `path:"location" maxLength:"200"`
}

type newTokens struct {
	OneLocation
	Body struct {
		HighLevel    string `json:"highlevel_token,omitempty" maxLength:"1000" writeOnly:"true" doc:"A Private Integration Token. Without it, what there is stays."`
		CalendarHero string `json:"calendarhero_token,omitempty" maxLength:"1000" writeOnly:"true" doc:"Without it, what there is stays."`
		Force        bool   `json:"force,omitempty" doc:"Save the tokens without trying them."`
	}
}

// Disconnected says what a person should know once a location is disconnected.
type Disconnected struct {
	Said string `json:"said,omitempty" doc:"Of the webhooks of its CalendarHero account."`
}

func (a *API) connections() {
	const tag, one = "connections", "/connections/{location}"
	get(a, endpoint{id: "list-connections", path: "/connections", tag: tag, summary: "The locations"},
		func(ctx context.Context, in *struct{ Paging }) (out Page[Connection], err error) {
			var after string
			if err := in.after(&after); err != nil {
				return out, err
			}
			list, next, err := a.Desk.ConnectionPage(ctx, after, in.Limit)
			out.Items = each(list, func(c operate.Connection) Connection { return showConnection(a.Desk.Now(), c) })
			if next != "" {
				out.Next = cursor(next)
			}
			return out, err
		})
	get(a, endpoint{id: "get-connection", path: one, tag: tag, summary: "One location"},
		func(ctx context.Context, in *OneLocation) (Connection, error) {
			c, ok, err := a.Desk.Connection(ctx, in.Location)
			if err == nil && !ok {
				err = operate.ErrUnknown
			}
			return showConnection(a.Desk.Now(), c), err
		})
	act(a, http.MethodPut, endpoint{
		id: "connect-location", path: one, tag: tag, summary: "Connect a location by tokens, or rotate its tokens", about: "They are tried first.",
	}, func(ctx context.Context, in *newTokens) error {
		if in.Body.HighLevel == "" && in.Body.CalendarHero == "" {
			return huma.Error422UnprocessableEntity("no token is sent: send highlevel_token, calendarhero_token or both")
		}
		ctx, cancel := context.WithTimeout(ctx, vendorsAnswer)
		defer cancel()
		return a.Desk.ConnectByTokens(ctx, who(ctx), in.Location, in.Body.HighLevel, in.Body.CalendarHero, in.Body.Force)
	})
	post(a, http.MethodDelete, endpoint{
		id: "disconnect-location", path: one, tag: tag, summary: "Disconnect a location",
		about: "Its tokens are deleted, and its links stop working. What is in CalendarHero stays, and nobody is mailed.",
	}, func(ctx context.Context, in *OneLocation) (out Disconnected, err error) {
		out.Said, err = a.Desk.Disconnect(ctx, who(ctx), in.Location)
		return out, err
	})
}
