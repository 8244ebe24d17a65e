package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"milepost/internal/app"
	"milepost/internal/operate"
)

type attentionCmd struct {
	List   listAttentionCmd  `cmd:"" default:"withargs" help:"Show what needs attention, and what to do about it."`
	Retry  retryAttentionCmd `cmd:"" help:"Sync all records of a cause again, at once."`
	Ack    ackAttentionCmd   `cmd:"" help:"Acknowledge a cause: it is not open any more, until it goes away and comes back."`
	Snooze snoozeCmd         `cmd:"" help:"Snooze a cause for an hour, a day or a week."`
	Reopen reopenCmd         `cmd:"" help:"Take back that a cause was acknowledged or snoozed."`
}

// Help explains the command.
func (attentionCmd) Help() string {
	return `Failed and stuck work is grouped by its cause: the location, the outcome, the vendor's status, what was tried, and the automation's field.
A cause leaves the list by itself when no record has it any more. If it comes back, it is open again.`
}

type listAttentionCmd struct {
	All bool `help:"Show also what Milepost has retried for a few minutes only, and what is acknowledged or snoozed."`
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// Run lists what needs attention.
func (c *listAttentionCmd) Run(ctx context.Context) error { return c.list(ctx, os.Stdout) }

// concernRow is one thing that needs attention.
type concernRow struct {
	Key       string     `json:"key"`
	Kind      string     `json:"kind"`
	State     string     `json:"state"`
	What      string     `json:"what"`
	Todo      string     `json:"what_to_do"`
	Location  string     `json:"location"`
	Outcome   string     `json:"outcome,omitempty"`
	Count     int64      `json:"count"`
	First     *time.Time `json:"first_seen"`
	Last      *time.Time `json:"last_seen"` // null = it lasts
	Record    string     `json:"sample_record,omitempty"`
	Delivery  int64      `json:"sample_delivery,omitempty"`
	Detail    string     `json:"sample_detail,omitempty"`
	By        string     `json:"by,omitempty"` // who acknowledged or snoozed it
	NotBefore *time.Time `json:"snoozed_until,omitempty"`
}

func (c *listAttentionCmd) list(ctx context.Context, out io.Writer) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		desk := deskOf(state)
		found, err := desk.Attention(ctx)
		if err != nil {
			return err
		}
		list := found.In(operate.ConcernOpen)
		if c.All || c.JSON {
			list = found.Concerns
		}
		rows := []concernRow{}
		for _, v := range list {
			if err := desk.ReadSample(ctx, &v); err != nil {
				return err
			}
			rows = append(rows, concernRow{
				v.Key, string(v.Kind), string(v.State), v.What, v.Todo, v.LocationID, v.Cause.Outcome, v.Count, moment(v.FirstAt), moment(v.LastAt),
				v.Sample.ID, v.Delivery, v.Detail, v.Hush.By, moment(v.Hush.Until),
			})
		}
		if c.JSON {
			return printJSON(out, rows)
		}
		if len(rows) == 0 {
			fmt.Fprintln(out, "Nothing needs you.")
		}
		for _, r := range rows {
			printConcern(out, r)
		}
		if n := len(found.Concerns) - len(rows); n > 0 {
			fmt.Fprintf(out, "%d more are being retried, acknowledged or snoozed; --all shows them.\n", n)
		}
		return nil
	})
}

// printConcern prints a concern as a few lines: it is too much for a table.
func printConcern(out io.Writer, r concernRow) {
	fmt.Fprintf(out, "%s  %s\n", r.Key, oneLine(r.What))
	facts := r.State
	if r.Location != "" {
		facts += ", location " + r.Location
	}
	if r.Count > 0 {
		what := map[bool]string{true: "webhook", false: "record"}[r.Kind == string(operate.ConcernStuck)]
		if r.Count > 1 {
			what += "s"
		}
		facts += fmt.Sprintf(", %d %s", r.Count, what)
	}
	facts += ", since " + r.First.Format(time.RFC3339)
	if r.By != "" {
		facts += ", by " + r.By
	}
	fmt.Fprintf(out, "  %s\n  %s\n", oneLine(facts), r.Todo)
	if r.Delivery != 0 {
		fmt.Fprintf(out, "  for one: milepost explain %d\n", r.Delivery)
	}
	if r.Detail != "" {
		fmt.Fprintf(out, "  %s\n", inOneLine(r.Detail))
	}
	fmt.Fprintln(out)
}

// oneConcern is a command about one thing that needs attention.
type oneConcern struct {
	Key        string `arg:"" help:"The key of the cause, as the list shows it."`
	app.Config `embed:"" group:"Settings"`
}

func (c *oneConcern) run(ctx context.Context, do func(*operate.Desk) error) error {
	return withQueue(ctx, c.Config, func(state *app.State) error {
		err := do(deskOf(state))
		switch {
		case errors.Is(err, operate.ErrUnknown):
			return fmt.Errorf("nothing with the key %s needs attention; `milepost attention --all` lists what does", c.Key)
		case errors.Is(err, operate.ErrNoRetry):
			return fmt.Errorf("%s: %w; `milepost attention` says what to do", c.Key, err)
		}
		return err
	})
}

type retryAttentionCmd struct{ oneConcern }

// Run retries.
func (c *retryAttentionCmd) Run(ctx context.Context) error { return c.retry(ctx, os.Stdout) }

func (c *retryAttentionCmd) retry(ctx context.Context, out io.Writer) error {
	return c.run(ctx, func(desk *operate.Desk) error {
		done, err := desk.Retry(ctx, byUser(), c.Key)
		if err != nil {
			return err
		}
		if done.Replay > 0 {
			fmt.Fprintf(out, "a running milepost syncs %d records, one after the other; `milepost deliveries replay --status %d` shows how far it is, and `--cancel %d` cancels it\n", done.Records, done.Replay, done.Replay)
			return nil
		}
		fmt.Fprintf(out, "a running milepost syncs %d records now\n", done.Records)
		return nil
	})
}

type ackAttentionCmd struct{ oneConcern }

// Run acknowledges.
func (c *ackAttentionCmd) Run(ctx context.Context) error {
	return c.run(ctx, func(desk *operate.Desk) error { return desk.Acknowledge(ctx, byUser(), c.Key) })
}

type snoozeCmd struct {
	For string `default:"1d" enum:"1h,1d,1w" help:"How long: 1h, 1d or 1w."`
	oneConcern
}

// Run snoozes.
func (c *snoozeCmd) Run(ctx context.Context) error {
	return c.run(ctx, func(desk *operate.Desk) error { return desk.Snooze(ctx, byUser(), c.Key, operate.Snoozes[c.For]) })
}

type reopenCmd struct{ oneConcern }

// Run takes back what was said.
func (c *reopenCmd) Run(ctx context.Context) error {
	return c.run(ctx, func(desk *operate.Desk) error { return desk.Reopen(ctx, byUser(), c.Key) })
}
