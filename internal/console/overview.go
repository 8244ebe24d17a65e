package console

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"milepost/internal/operate"
	"milepost/internal/people"
)

// tile is a count that leads to its list.
type tile struct {
	Name, Value, Link, Note, Tone string
}

type overviewData struct {
	Sentence, Tone string
	Next           string // what to do, if anything
	NextLink       string
	Tiles          []tile
	Chart          chart
	Locations      []locationRow
	Others         int // locations that are not shown
	At             time.Time
	FirstRun       bool // nobody has a password yet
}

type locationRow struct {
	ID, Name, State, Problem, Left string
	Tone                           string
	Percent                        int // of the quota; -1 = not told
	Parked                         time.Time
	Why                            string
}

func (c *Console) overviewPage(r *http.Request, v *view) error {
	v.Title, v.Section = "Overview", "overview"
	o, err := c.Desk.Overview(r.Context())
	if err != nil {
		return err
	}
	data := overviewData{Chart: newChart(o), At: o.At, Others: o.Connected - len(o.Locations)}
	if data.FirstRun, err = c.People.Empty(r.Context()); err != nil {
		return err
	}
	data.FirstRun = data.FirstRun && v.Me.Name == people.FirstRunName
	since := url.Values{"since": {o.Start.Format(time.RFC3339)}}
	list := func(outcome string, times bool) string {
		q := url.Values{}
		if outcome != "" {
			q.Set("outcome", outcome)
		}
		if times {
			q.Set("since", since.Get("since"))
		}
		return Path + "deliveries?" + q.Encode()
	}
	data.Tiles = []tile{
		{"Waiting", most(o.Open), list("open", false), "webhooks that are not synced yet", tone(o.Open, "wait")},
		{"Need attention", thousands(int64(o.Concerns)), Path + "attention", "causes that somebody should look at", tone(int64(o.Concerns), "bad")},
		{"Done in 24 hours", thousands(o.Done), list("done", true), "webhooks that changed something", ""},
		{"Received in 24 hours", thousands(o.Received), list("", true), "webhooks in all", ""},
	}
	switch o.Standing() {
	case operate.NotConnected:
		data.Sentence, data.Tone = "No location is connected yet.", "wait"
		data.Next, data.NextLink = "Connect the first one", Path+"start"
	case operate.Troubled:
		data.Sentence, data.Tone = fmt.Sprintf("Not everything is served: %s of %s.", needs(o.Troubled), plural(int64(o.Connected), "location", "locations")), "bad"
		data.Next, data.NextLink = "See what to do about each", Path+"connections"
	case operate.Failing:
		data.sayFailing(o)
	case operate.CatchingUp:
		data.Sentence, data.Tone = fmt.Sprintf("Catching up: %s.", plural(o.Owed, "record is not in step yet", "records are not in step yet")), "wait"
		data.Next, data.NextLink = "See what is in work", Path+"jobs"
	default:
		data.Sentence, data.Tone = "Everything is in step.", "good"
	}
	for _, l := range o.Locations {
		row := locationRow{ID: l.LocationID, Name: l.Name, State: string(l.State), Problem: l.Problem, Percent: -1, Left: "not known yet"}
		if row.Name == "" {
			row.Name = l.LocationID
		}
		if l.State != "active" {
			row.Tone = "bad"
		}
		if percent, ok := l.Left(o.At); ok {
			row.Percent = percent
			row.Left = fmt.Sprintf("%s of %s calls left today", thousands(int64(l.Budget.DailyRemaining)), thousands(int64(l.Budget.DailyMax)))
			if percent < 10 {
				row.Tone = "bad"
			}
		}
		if l.Budget.ParkedUntil.After(o.At) {
			row.Parked, row.Why = l.Budget.ParkedUntil, l.Budget.ParkedWhy
		}
		data.Locations = append(data.Locations, row)
	}
	v.Data = data
	return nil
}

// sayFailing says that records need somebody to look, or are being retried.
func (data *overviewData) sayFailing(o operate.Overview) {
	data.Tone = "bad"
	data.Sentence = fmt.Sprintf("Not in step: %s.", plural(o.Failing, "record failed to sync", "records failed to sync"))
	if o.Failing >= operate.Most {
		data.Sentence = fmt.Sprintf("Not in step: %s records failed to sync.", most(o.Failing))
	} else if o.Failing == 0 {
		data.Sentence = fmt.Sprintf("Not in step: %s.", plural(int64(o.Concerns), "thing needs attention", "things need attention"))
	}
	data.Next, data.NextLink = "See why, and what to do", Path+"attention"
	if o.Concerns == 0 {
		data.Tone, data.Next, data.NextLink = "wait", "Milepost retries by itself, or somebody acknowledged it", Path+"attention?state=retrying"
	}
}

func needs(n int) string {
	if n == 1 {
		return "1 location needs you, out"
	}
	return thousands(int64(n)) + " locations need you, out"
}

// most is a count that may not have been counted to its end.
func most(n int64) string {
	if n >= operate.Most {
		return thousands(operate.Most) + "+"
	}
	return thousands(n)
}

func tone(n int64, bad string) string {
	if n > 0 {
		return bad
	}
	return "good"
}
