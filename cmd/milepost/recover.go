package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"milepost/internal/app"
	"milepost/internal/inbox"
)

type recoverCmd struct {
	Replay bool `xor:"choice" required:"" help:"The state was lost: process the webhooks in inbox.db again."`
	Skip   bool `xor:"choice" required:"" help:"Start over: skip the webhooks in inbox.db, and process only those that arrive from now on."`
	consent
	app.Config `embed:"" group:"Settings"`
}

// Run answers the question that keeps `milepost serve` from starting.
func (c *recoverCmd) Run(ctx context.Context) error { return c.decide(ctx, os.Stdout) }

func (c *recoverCmd) decide(ctx context.Context, out io.Writer) error {
	choice, what := inbox.Replay, "will be processed again"
	if c.Skip {
		choice, what = inbox.Skip, "will be skipped"
	}
	if c.Skip || c.DryRun {
		n, err := app.Recover(ctx, c.Config, inbox.AskFirst)
		if err != nil {
			return err
		}
		would := []string{fmt.Sprintf("%d webhooks in inbox.db %s.", n, strings.Replace(what, "will", "would", 1))}
		if c.Skip {
			would = append(would, "What they tell would reach CalendarHero only when their records change again, or by `milepost backfill`. Nobody would get mail.")
		}
		if goOn, err := c.ask(out, would...); err != nil || !goOn {
			return err
		}
	}
	n, err := app.Recover(ctx, c.Config, choice)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d webhooks in inbox.db %s; `milepost serve` can start now\n", n, what)
	return nil
}
