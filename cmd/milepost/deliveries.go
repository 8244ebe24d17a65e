package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"milepost/internal/app"
	"milepost/internal/operate"
	"milepost/internal/store"
	"milepost/mapping"
)

type listDeliveriesCmd struct {
	Location string `arg:"" optional:"" help:"Id of the HighLevel location; all locations by default."`
	Record   string `placeholder:"ID" help:"Only webhooks about this record: the id of a contact, task, note or meeting."`
	Outcome  string `placeholder:"OUTCOME" help:"Only webhooks with this outcome: done, unchanged, skipped, retry, waiting, auth, invalid, gone, conflict or pending."`
	Since    string `default:"7d" placeholder:"DAY" help:"Only webhooks since then: a day (2026-11-01), a length of time (90d), or all."`
	Limit    int    `default:"50" help:"Show at most this many, the newest."`
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// Run prints the deliveries.
func (c *listDeliveriesCmd) Run(ctx context.Context) error { return c.run(ctx, os.Stdout, time.Now()) }

func (c *listDeliveriesCmd) run(ctx context.Context, out io.Writer, now time.Time) error {
	if c.Limit < 1 {
		return usageError("--limit must be at least 1")
	}
	since, err := parseSince(c.Since, now)
	if err != nil {
		return err
	}
	if _, ok := operate.Outcomes(c.Outcome); !ok && c.Outcome != "" {
		return usageError(noOutcome(c.Outcome))
	}
	return withState(ctx, c.Config, func(state *app.State) error {
		if c.Location != "" {
			if err := deskOf(state).KnowsLocation(ctx, c.Location, c.HighLevelLocationID); err != nil {
				return err
			}
		}
		rows, err := c.newest(ctx, state.Store, since)
		if err != nil {
			return err
		}
		if len(rows) == 0 && !c.JSON {
			fmt.Fprintln(out, "no such webhook was accepted; the log has a line for each rejected one")
			return nil
		}
		return printList(out, c.asJSON, rows,
			column[deliveryRow]{"NUMBER", func(r deliveryRow) string { return strconv.FormatInt(r.Number, 10) }},
			column[deliveryRow]{"RECEIVED", func(r deliveryRow) string { return r.At.Format(time.RFC3339) }},
			column[deliveryRow]{"LOCATION", func(r deliveryRow) string { return oneLine(r.Location) }},
			column[deliveryRow]{"TYPE", func(r deliveryRow) string { return oneLine(r.Type) }},
			column[deliveryRow]{"RECORD", func(r deliveryRow) string { return oneLine(r.Kind + " " + r.ID) }},
			column[deliveryRow]{"OUTCOME", func(r deliveryRow) string { return r.Outcome }},
			column[deliveryRow]{"WHY", func(r deliveryRow) string { return inOneLine(r.Detail) }},
		)
	})
}

// noOutcome says that there is no such outcome, and which was meant.
func noOutcome(name string) string {
	return fmt.Sprintf("--outcome: there is no outcome %q; %s", name, mapping.DidYouMean(name, store.AllOutcomes, "there are "+strings.Join(store.AllOutcomes, ", ")))
}

// deliveryRow is one webhook and what became of it, oldest first.
type deliveryRow struct {
	Number   int64     `json:"number"` // for milepost explain
	At       time.Time `json:"received_at"`
	Location string    `json:"location"`
	Type     string    `json:"type"`
	Kind     string    `json:"kind"`
	ID       string    `json:"id"`
	Outcome  string    `json:"outcome"`
	Detail   string    `json:"detail"`
}

func (c *listDeliveriesCmd) newest(ctx context.Context, st *store.Store, since time.Time) ([]deliveryRow, error) {
	q := operate.Query{LocationID: c.Location, RecordID: c.Record, Since: since, Limit: c.Limit}
	if c.Outcome != "" {
		q.Outcomes = []string{c.Outcome}
	}
	list, err := operate.New(operate.Config{Store: st}).NewestDeliveries(ctx, q)
	rows := make([]deliveryRow, len(list))
	for i, d := range slices.Backward(list) {
		rows[len(list)-1-i] = deliveryRow{d.ID, d.ReceivedAt.UTC(), d.Entity.LocationID, d.Type, d.Entity.Kind, d.Entity.ID, d.Outcome, d.Detail}
	}
	return rows, err
}
