package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"milepost/internal/app"
	"milepost/internal/operate"
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
		return usageError("--limit must be at least 1")
	}
	since, err := parseSince(c.Since, now)
	if err != nil {
		return err
	}
	return withState(ctx, c.Config, func(state *app.State) error {
		desk := deskOf(state)
		entries, err := desk.Timeline(ctx, c.Location, c.Contact, since, c.Limit)
		if err != nil {
			return err
		}
		slices.Reverse(entries)
		if len(entries) == 0 {
			if err := c.known(ctx, desk); err != nil {
				return err
			}
			if !c.JSON {
				fmt.Fprintln(out, "nothing has happened")
				return nil
			}
		}
		rows := make([]timelineRow, len(entries))
		for i, e := range entries {
			rows[i] = timelineRow{e.At.UTC(), e.ContactID, e.Entity.Kind, e.Entity.ID, e.What, e.Detail}
		}
		return printList(out, c.asJSON, rows,
			column[timelineRow]{"WHEN", func(r timelineRow) string { return r.At.Format(time.RFC3339) }},
			column[timelineRow]{"CONTACT", func(r timelineRow) string { return oneLine(r.Contact) }},
			column[timelineRow]{"RECORD", func(r timelineRow) string { return r.Kind + " " + oneLine(r.ID) }},
			column[timelineRow]{"WHAT", func(r timelineRow) string { return operate.Happening(r.What) }},
			column[timelineRow]{"DETAIL", func(r timelineRow) string { return oneLine(r.Detail) }},
		)
	})
}

// known fails if the id of the location or of the contact is mistyped, most likely.
func (c *timelineCmd) known(ctx context.Context, desk *operate.Desk) error {
	if err := desk.KnowsLocation(ctx, c.Location, c.HighLevelLocationID); err != nil || c.Contact == "" {
		return err
	}
	known, err := desk.KnowsContact(ctx, c.Location, c.Contact)
	if err == nil && !known {
		err = fmt.Errorf("Milepost knows nothing about contact %s in location %s: check the id, which ends the address of the contact's page in HighLevel", c.Contact, c.Location)
	}
	return err
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
