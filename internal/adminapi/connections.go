package adminapi

import (
	"context"
	"time"

	"milepost/internal/store"
)

// Connection is a location that is, or was, connected.
type Connection struct {
	Location  string    `json:"location"`
	Company   string    `json:"company,omitempty" doc:"The id of its agency."`
	Name      string    `json:"name,omitempty"`
	Source    string    `json:"source" doc:"settings, oauth or token"`
	State     string    `json:"state"`
	Problem   string    `json:"problem,omitempty" doc:"Why it is not served, and what to do."`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func (a *API) connections() {
	get(a, endpoint{id: "list-connections", path: "/connections", tag: "connections", summary: "The locations"},
		func(ctx context.Context, in *struct{ Paging }) (Page[Connection], error) {
			list, err := a.Desk.Store.Connections(ctx)
			if err != nil {
				return Page[Connection]{}, err
			}
			return pageOf(in.Paging, list, func(c store.Connection) string { return c.LocationID }, func(c store.Connection) Connection {
				return Connection{c.LocationID, c.CompanyID, c.Name, c.Source, string(c.State), c.Problem, c.CreatedAt.UTC(), c.UpdatedAt.UTC()}
			})
		})
}
