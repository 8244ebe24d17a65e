package adminapi

import (
	"context"
	"time"

	"milepost/internal/operate"
)

// Overview says how things stand.
type Overview struct {
	CountedAt time.Time  `json:"counted_at"`
	Standing  string     `json:"standing" enum:"not connected,troubled,failing,catching up,in step" doc:"How things stand, in a word. troubled: a location is not served. failing: records need somebody to look."`
	Owed      int64      `json:"owed" doc:"Records that are not in step."`
	Failing   int64      `json:"failing" doc:"Records whose last sync failed. Not counted beyond 10,000, like open."`
	Open      int64      `json:"open" doc:"Deliveries that are not synced yet."`
	Received  int64      `json:"received" doc:"Deliveries of the last 24 hours."`
	Done      int64      `json:"done" doc:"Deliveries of the last 24 hours that changed something."`
	Failed    int64      `json:"failed" doc:"Deliveries of the last 24 hours that failed."`
	Connected int        `json:"connected" doc:"Locations that are connected."`
	Troubled  int        `json:"troubled" doc:"Locations that are connected but not served."`
	Hours     []Hour     `json:"hours" nullable:"false" doc:"The last 24 hours, oldest first. The last one is under way."`
	Locations []Location `json:"locations" nullable:"false" doc:"Up to 10 locations: those that are not served, then those with the least quota left."`
}

// Hour is how the deliveries of an hour ended.
type Hour struct {
	Start  time.Time `json:"start"`
	Done   int64     `json:"done"`
	Other  int64     `json:"other" doc:"Deliveries that needed nothing."`
	Open   int64     `json:"open"`
	Failed int64     `json:"failed"`
}

// Location is a connected location.
type Location struct {
	ID        string `json:"id"`
	Name      string `json:"name,omitempty"`
	State     string `json:"state"`
	Problem   string `json:"problem,omitempty" doc:"Why it is not served, and what to do."`
	QuotaLeft *int   `json:"quota_left,omitempty" doc:"Percent of the day's calls at HighLevel that are left. Missing if HighLevel did not tell it in the last day."`
}

func (a *API) overview() {
	get(a, endpoint{
		id: "get-overview", path: "/overview", tag: "overview", summary: "How things stand",
		about: "Counted every 5 seconds at most.",
	}, func(ctx context.Context, _ *struct{}) (Overview, error) {
		o, err := a.Desk.Overview(ctx)
		if err != nil {
			return Overview{}, err
		}
		return showOverview(o), nil
	})
}

func showOverview(o operate.Overview) Overview {
	out := Overview{
		CountedAt: o.At.UTC(), Standing: string(o.Standing()), Owed: o.Owed, Failing: o.Failing, Open: o.Open,
		Received: o.Received, Done: o.Done, Failed: o.Failed, Connected: o.Connected, Troubled: o.Troubled,
	}
	for i, h := range o.Hours {
		out.Hours = append(out.Hours, Hour{o.Start.Add(time.Duration(i) * time.Hour).UTC(), h.Done, h.Other, h.Open, h.Failed})
	}
	out.Locations = each(o.Locations, func(l operate.Location) Location {
		show := Location{ID: l.LocationID, Name: l.Name, State: string(l.State), Problem: l.Problem}
		if percent, ok := l.Left(o.At); ok {
			show.QuotaLeft = &percent
		}
		return show
	})
	return out
}
