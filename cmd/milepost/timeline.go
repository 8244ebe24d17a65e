package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"milepost/internal/app"
	"milepost/internal/store"
)

type timelineCmd struct {
	Location string `arg:"" help:"Id of the HighLevel location."`
	Contact  string `placeholder:"ID" help:"Only what happened to the items of this HighLevel contact."`
	Since    string `default:"all" placeholder:"DAY" help:"Only what happened since then: a day (2026-11-01), a length of time (90d), or all."`
	Limit    int    `default:"200" help:"Show at most this many entries, the newest."`
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// Run prints the timeline.
func (c *timelineCmd) Run(ctx context.Context) error { return c.run(ctx, os.Stdout, time.Now()) }

func (c *timelineCmd) run(ctx context.Context, out io.Writer, now time.Time) error {
	if c.Limit < 1 {
		return errors.New("--limit must be at least 1")
	}
	since, err := parseSince(c.Since, now)
	if err != nil {
		return err
	}
	return withState(ctx, c.Config, func(state *app.State) error {
		entries, err := newestEntries(ctx, state.Store, c.Location, c.Contact, since, c.Limit)
		if err != nil {
			return err
		}
		slices.Reverse(entries)
		if len(entries) == 0 {
			if err := c.known(ctx, state); err != nil {
				return err
			}
		}
		if len(entries) == 0 && !c.JSON {
			fmt.Fprintf(out, "nothing has happened in location %s\n", c.Location)
			return nil
		}
		rows := make([]timelineRow, len(entries))
		for i, e := range entries {
			rows[i] = timelineRow{e.At.UTC(), e.ContactID, e.Entity.Kind, e.Entity.ID, e.What, e.Detail}
		}
		return printList(out, c.asJSON, rows,
			column[timelineRow]{"WHEN", func(r timelineRow) string { return r.At.Format(time.RFC3339) }},
			column[timelineRow]{"CONTACT", func(r timelineRow) string { return oneLine(r.Contact) }},
			column[timelineRow]{"RECORD", func(r timelineRow) string { return r.Kind + " " + oneLine(r.ID) }},
			column[timelineRow]{"WHAT", func(r timelineRow) string { return r.What }},
			column[timelineRow]{"DETAIL", func(r timelineRow) string { return oneLine(r.Detail) }},
		)
	})
}

// known fails if the location was never connected: then the id is mistyped, most likely.
func (c *timelineCmd) known(ctx context.Context, state *app.State) error {
	list, err := state.Store.Connections(ctx)
	if err != nil {
		return err
	}
	ids := make([]string, len(list))
	for i, conn := range list {
		ids[i] = conn.LocationID
	}
	if c.Location == c.HighLevelLocationID || slices.Contains(ids, c.Location) {
		return nil
	}
	if len(ids) == 0 {
		return fmt.Errorf("location %s is not connected, and no other is", c.Location)
	}
	return fmt.Errorf("location %s is not connected; these are: %s", c.Location, strings.Join(ids, ", "))
}

// timelineRow is one entry, oldest first.
type timelineRow struct {
	At      time.Time `json:"at"`
	Contact string    `json:"contact"`
	Kind    string    `json:"kind"`
	ID      string    `json:"id"`
	What    string    `json:"what"`
	Detail  string    `json:"detail"`
}

// newestEntries lists the newest limit entries since a time, newest first.
func newestEntries(ctx context.Context, st *store.Store, location, contact string, since time.Time, limit int) ([]store.TimelineEntry, error) {
	return newest(limit, since, func(before int64, n int) ([]store.TimelineEntry, error) {
		return st.TimelinePage(ctx, location, contact, before, n)
	}, func(e store.TimelineEntry) (int64, time.Time, bool) { return e.ID, e.At, true })
}

// newest lists the newest limit rows since a time, newest first, page by page. about
// tells a row's id and time, and whether it is wanted. A clock that was put back may
// have older rows between them.
func newest[T any](limit int, since time.Time, page func(before int64, n int) ([]T, error), about func(T) (id int64, at time.Time, wanted bool)) (list []T, err error) {
	const most = 500
	for before := int64(0); len(list) < limit; {
		rows, err := page(before, most)
		if err != nil {
			return nil, err
		}
		var last time.Time
		for _, row := range rows {
			var wanted bool
			if before, last, wanted = about(row); wanted && !last.Before(since) && len(list) < limit {
				list = append(list, row)
			}
		}
		if len(rows) < most || last.Before(since) {
			break
		}
	}
	return list, nil
}

// oneLine makes a line of a text that came from elsewhere and cuts a long one.
func oneLine(s string) string {
	s = inOneLine(s)
	const longest = 100
	if r := []rune(s); len(r) > longest {
		return string(r[:longest]) + "…"
	}
	return s
}

// inOneLine makes a line of a text that came from elsewhere, without what would
// steer a terminal.
func inOneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
}
