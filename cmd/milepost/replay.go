package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"milepost/internal/app"
	"milepost/internal/automation"
	"milepost/internal/operate"
)

type deliveriesCmd struct {
	List   listDeliveriesCmd `cmd:"" default:"withargs" help:"Show the outcome of each webhook and the reason, newest last."`
	Replay replayCmd         `cmd:"" help:"Sync the records of webhooks again, after a dry run."`
}

type replayCmd struct {
	IDs        []int64 `arg:"" optional:"" name:"number" help:"Numbers of webhooks, as milepost deliveries shows them; without any, all that match the flags."`
	Location   string  `placeholder:"ID" help:"Only webhooks of this HighLevel location."`
	Record     string  `placeholder:"ID" help:"Only webhooks about this record: the id of a contact, task, note or meeting."`
	Type       string  `placeholder:"TYPE" help:"Only webhooks of this type, for example TaskCreate."`
	Outcome    string  `placeholder:"OUTCOME" help:"Only webhooks with this outcome; or failed, manual (goes on only if you do something), or open."`
	Automation string  `placeholder:"ID" help:"Only webhooks about records for which this automation made something, or failed to."`
	Since      string  `placeholder:"DAY" help:"Only webhooks since then: a day (2026-11-01), a length of time (90d), or all."`
	Except     []int64 `placeholder:"NUMBER" help:"But not these webhooks."`
	Cause      string  `placeholder:"KEY" help:"The records of a cause, as milepost attention shows it, in place of webhooks."`
	Cancel     int64   `placeholder:"REPLAY" help:"Cancel the replay of this number. What it has reached stays as it is."`
	Status     int64   `placeholder:"REPLAY" help:"Show how far the replay of this number is, and change nothing."`
	consent
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// Help explains the command.
func (replayCmd) Help() string {
	return fmt.Sprintf(`A replay syncs each record as it is now, not as the webhook said it was. The command first says how many records would stay unchanged, what would be
created, replaced and removed, and who would be mailed. Then a running milepost does it. The replay survives a restart.

One replay syncs up to %d records.`, operate.MostReplayed)
}

// Run replays webhooks.
func (c *replayCmd) Run(ctx context.Context) error {
	return c.replay(ctx, os.Stdout, isTerminal(os.Stdout), time.Now())
}

// selection is what the flags ask for.
func (c *replayCmd) selection(now time.Time) (operate.Selection, error) {
	s := operate.Selection{IDs: c.IDs, Except: c.Except, Cause: c.Cause}
	q := operate.Query{LocationID: c.Location, RecordID: c.Record, Type: c.Type, Automation: c.Automation}
	filtered := c.Location+c.Record+c.Type+c.Outcome+c.Automation+c.Since != ""
	switch {
	case len(c.IDs) > 0 && (filtered || c.Cause != "") || c.Cause != "" && filtered:
		return s, usageError("give numbers, flags that filter, or --cause, and not several of them")
	case len(c.IDs) == 0 && c.Cause == "" && !filtered:
		return s, usageError("give the numbers of webhooks, or flags that filter them; --since all means all")
	}
	if c.Outcome != "" {
		var ok bool
		if q.Outcomes, ok = operate.Outcomes(c.Outcome); !ok {
			return s, usageError(noOutcome(c.Outcome))
		}
	}
	if c.Since != "" {
		var err error
		if q.Since, err = parseSince(c.Since, now); err != nil {
			return s, err
		}
	}
	s.Query = q
	return s, nil
}

func (c *replayCmd) replay(ctx context.Context, out io.Writer, terminal bool, now time.Time) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		desk := deskOf(state)
		switch {
		case c.Cancel > 0:
			return c.cancel(ctx, out, desk)
		case c.Status > 0:
			return c.status(ctx, out, desk, c.Status)
		}
		selection, err := c.selection(now)
		if err != nil {
			return err
		}
		if c.Location != "" {
			if err := desk.KnowsLocation(ctx, c.Location, c.HighLevelLocationID); err != nil {
				return err
			}
		}
		var plan *operate.ReplayPlan
		_, err = counted(state, c.Config, c.JSON, terminal, func(r automation.Rehearsals, progress func(done, of int64)) (*automation.ApplyPlan, error) {
			plan, err = desk.PlanReplay(ctx, r, selection, progress)
			if err != nil {
				return nil, err
			}
			return plan.Plan, nil
		})
		if err != nil {
			return err
		}
		if c.JSON && c.DryRun {
			return printJSON(out, map[string]any{"of": selection.String(), "webhooks": plan.Deliveries, "left_out": plan.LeftOut, "plan": plan.Plan})
		}
		if goOn, err := c.confirm(out, c.JSON, replayLines(plan)); err != nil || !goOn {
			return err
		}
		id, err := desk.StartReplay(ctx, byUser(), *plan)
		if err != nil {
			return err
		}
		if c.JSON {
			return c.status(ctx, out, desk, id)
		}
		fmt.Fprintf(out, "Begun: `milepost serve` works replay %d now, or when it next runs. `milepost deliveries replay --status %d` shows how far it is.\n", id, id)
		return nil
	})
}

func (c *replayCmd) cancel(ctx context.Context, out io.Writer, desk *operate.Desk) error {
	was, err := desk.CancelReplay(ctx, byUser(), c.Cancel)
	switch {
	case err != nil:
		return err
	case !was:
		return fmt.Errorf("replay %d is not under way", c.Cancel)
	}
	return c.status(ctx, out, desk, c.Cancel)
}

func (c *replayCmd) status(ctx context.Context, out io.Writer, desk *operate.Desk, id int64) error {
	run, err := desk.ReplayRun(ctx, id)
	if errors.Is(err, operate.ErrUnknown) {
		return fmt.Errorf("there is no replay %d", id)
	} else if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(out, map[string]any{
			"replay": run.ID, "of": run.What, "state": run.State, "by": run.By, "begun_at": moment(run.AskedAt), "ended_at": moment(run.EndedAt),
			"records": run.Total, "reached": run.Queued, "outcomes": run.Outcomes,
		})
	}
	fmt.Fprintf(out, "replay %d of %s: %s, %d of %d records reached\n", run.ID, run.What, run.State, run.Queued, run.Total)
	return nil
}

// replayLines says what a replay would do, a line each.
func replayLines(p *operate.ReplayPlan) []string {
	lines := []string{fmt.Sprintf("This syncs the records of %s again.", p.Selection)}
	if p.LeftOut > 0 {
		lines = append(lines, fmt.Sprintf("Left out are %d webhooks about no record that Milepost syncs.", p.LeftOut))
	}
	return append(lines, planLines(p.Plan)...)
}
