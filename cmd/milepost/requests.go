package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"milepost/internal/app"
	"milepost/internal/operate"
	"milepost/internal/store"
	"milepost/mapping"
)

type requestsCmd struct {
	List    listRequestsCmd   `cmd:"" default:"withargs" help:"Show requests whose effect is not known, and those of automations that are stopped."`
	Settle  settleRequestCmd  `cmd:"" help:"Say whether a request took effect, or send it again."`
	Release releaseRequestCmd `cmd:"" help:"Let a stopped automation send requests again."`
}

// Help explains the command.
func (requestsCmd) Help() string {
	return fmt.Sprintf(`An automation's action "request" calls any operation of HighLevel or CalendarHero. If the answer to a create is lost, Milepost cannot know
whether it took effect, and does not send it again. Look for its effect at the vendor. If it is there, run "milepost requests settle ID --sent";
if not, run "milepost requests settle ID --again".

An automation that sent %d requests within an hour for one contact and its records is stopped for them, because two automations probably
answer each other. Change one of them, then run "milepost requests release ID". Otherwise it goes on by itself within an hour.`, store.CallsAtOnce)
}

type listRequestsCmd struct {
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// Run lists what waits for a person.
func (c *listRequestsCmd) Run(ctx context.Context) error { return c.list(ctx, os.Stdout) }

// requestRow is one request in the list.
type requestRow struct {
	ID         int64      `json:"id"`
	State      string     `json:"state"` // unclear or stopped
	Automation string     `json:"automation"`
	Operation  string     `json:"operation"`
	Location   string     `json:"location"`
	Kind       string     `json:"kind"`
	Record     string     `json:"record"`
	At         *time.Time `json:"at"`
}

func (c *listRequestsCmd) list(ctx context.Context, out io.Writer) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		list, err := deskOf(state).OpenCalls(ctx)
		if err != nil {
			return err
		}
		rows := []requestRow{}
		for _, r := range list {
			rows = append(rows, requestRow{
				r.ID, string(r.State), mapping.AutomationOf(r.Item), r.Operation, r.Entity.LocationID, r.Entity.Kind, r.Entity.ID, moment(r.At),
			})
		}
		if len(rows) == 0 && !c.JSON {
			fmt.Fprintln(out, "No request waits for you.")
			return nil
		}
		if err := printList(out, c.asJSON, rows,
			column[requestRow]{"ID", func(r requestRow) string { return strconv.FormatInt(r.ID, 10) }},
			column[requestRow]{"STATE", func(r requestRow) string { return r.State }},
			column[requestRow]{"AUTOMATION", func(r requestRow) string { return r.Automation }},
			column[requestRow]{"OPERATION", func(r requestRow) string { return r.Operation }},
			column[requestRow]{"LOCATION", func(r requestRow) string { return r.Location }},
			column[requestRow]{"RECORD", func(r requestRow) string { return r.Kind + " " + r.Record }},
			column[requestRow]{"AT", func(r requestRow) string { return r.At.Format(time.RFC3339) }},
		); err != nil || c.JSON {
			return err
		}
		fmt.Fprintln(out, `
unclear  Look at the vendor whether it took effect. Then run: milepost requests settle ID --sent, or --again
stopped  The automation sent too many requests. Change it, then run: milepost requests release ID`)
		return nil
	})
}

type settleRequestCmd struct {
	app.Config `embed:"" group:"Settings"`
	ID         int64 `arg:"" help:"Number of the request, as the list shows it."`
	Sent       bool  `help:"It took effect." xor:"what" required:""`
	Again      bool  `help:"It did not take effect: send it again." xor:"what" required:""`
}

// Run settles a request.
func (c *settleRequestCmd) Run(ctx context.Context) error { return c.settle(ctx, os.Stdout) }

func (c *settleRequestCmd) settle(ctx context.Context, out io.Writer) error {
	return withQueue(ctx, c.Config, func(state *app.State) error {
		superseded, err := deskOf(state).SettleCall(ctx, byUser(), c.ID, c.Again)
		switch {
		case errors.Is(err, operate.ErrUnknown):
			return fmt.Errorf("no request %d is unclear; `milepost requests` lists those that are", c.ID)
		case err != nil:
			return err
		case superseded && c.Again:
			fmt.Fprintf(out, "request %d is settled, but not sent again: the record has changed since, and a later request was sent\n", c.ID)
		case c.Again:
			fmt.Fprintf(out, "request %d is settled; a running milepost sends it again if the automation still asks for it\n", c.ID)
		default:
			fmt.Fprintf(out, "request %d is settled as sent\n", c.ID)
		}
		return nil
	})
}

type releaseRequestCmd struct {
	app.Config `embed:"" group:"Settings"`
	ID         int64 `arg:"" help:"Number of the stopped request, as the list shows it."`
}

// Run releases an automation.
func (c *releaseRequestCmd) Run(ctx context.Context) error { return c.release(ctx, os.Stdout) }

func (c *releaseRequestCmd) release(ctx context.Context, out io.Writer) error {
	return withQueue(ctx, c.Config, func(state *app.State) error {
		n, err := deskOf(state).ReleaseCalls(ctx, byUser(), c.ID)
		switch {
		case errors.Is(err, operate.ErrUnknown):
			return fmt.Errorf("no request %d is stopped; `milepost requests` lists those that are", c.ID)
		case err != nil:
			return err
		}
		fmt.Fprintf(out, "the automation may send requests again; a running milepost syncs %d records that it was stopped for\n", n)
		return nil
	})
}

// withQueue opens the state with its queue, to which a running Milepost listens.
func withQueue(ctx context.Context, cfg app.Config, do func(*app.State) error) error {
	return withState(ctx, cfg, func(state *app.State) error {
		if err := state.OpenQueue(); err != nil {
			return err
		}
		return do(state)
	})
}
