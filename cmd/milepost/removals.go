package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"milepost/internal/app"
	"milepost/internal/store"
)

type removalsCmd struct {
	List  listRemovalsCmd  `cmd:"" default:"withargs" help:"Show records that vanished without a delete event. Milepost keeps their items until you decide."`
	Allow allowRemovalsCmd `cmd:"" help:"Remove the items of these records. Milepost first looks for each record once more."`
}

// Help explains the command.
func (removalsCmd) Help() string {
	return fmt.Sprintf(`If more than %d records of a location vanish within an hour at HighLevel or CalendarHero, and no event says that they were
deleted, Milepost removes nothing. They may have been deleted in bulk without events, or the vendor may have a fault.

Look at some of the records at the vendor. If they are really deleted, run "milepost removals allow LOCATION". If they exist, do nothing:
Milepost checks every 15 minutes and continues by itself.`, store.RemovalsAtOnce)
}

type listRemovalsCmd struct {
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// Run lists what waits.
func (c *listRemovalsCmd) Run(ctx context.Context) error { return c.list(ctx, os.Stdout) }

// removalRow is one record in the list.
type removalRow struct {
	Location string     `json:"location"`
	Vendor   string     `json:"vanished_at"`
	Kind     string     `json:"kind"`
	ID       string     `json:"id"`
	Since    *time.Time `json:"since"`
}

func (c *listRemovalsCmd) list(ctx context.Context, out io.Writer) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		list, err := state.Store.WaitingRemovals(ctx)
		if err != nil {
			return err
		}
		rows := []removalRow{}
		var locations []string
		for _, v := range list {
			rows = append(rows, removalRow{v.LocationID, v.Vendor, v.Kind, v.ID, moment(v.Since)})
			locations = append(locations, v.LocationID)
		}
		if len(rows) == 0 && !c.JSON {
			fmt.Fprintln(out, "Nothing waits to be removed.")
			return nil
		}
		if err := printList(out, c.asJSON, rows,
			column[removalRow]{"LOCATION", func(r removalRow) string { return r.Location }},
			column[removalRow]{"VANISHED AT", func(r removalRow) string { return r.Vendor }},
			column[removalRow]{"KIND", func(r removalRow) string { return r.Kind }},
			column[removalRow]{"ID", func(r removalRow) string { return r.ID }},
			column[removalRow]{"SINCE", func(r removalRow) string { return r.Since.Format(time.RFC3339) }},
		); err != nil || c.JSON {
			return err
		}
		fmt.Fprintln(out, "\nIf these records are really deleted, remove their items with:")
		for _, location := range slices.Compact(locations) {
			fmt.Fprintf(out, "  milepost removals allow %s\n", location)
		}
		fmt.Fprintln(out, "If they still exist, do nothing: Milepost checks every 15 minutes and continues by itself.")
		return nil
	})
}

type allowRemovalsCmd struct {
	consent
	app.Config `embed:"" group:"Settings"`
	Location   string `arg:"" help:"Id of the HighLevel location."`
}

// Run lets a running Milepost remove what waits at a location.
func (c *allowRemovalsCmd) Run(ctx context.Context) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		list, err := state.Store.WaitingRemovals(ctx)
		if err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(v store.Removal) bool { return v.LocationID != c.Location })
		if len(list) == 0 {
			return errors.New("nothing waits to be removed at location " + c.Location + "; `milepost removals` lists what waits")
		}
		if goOn, err := c.ask(os.Stdout,
			fmt.Sprintf("Milepost would remove the items of %d vanished records of location %s. It first looks for each record once more.", len(list), c.Location),
			"CalendarHero tells the invited people that their meetings are cancelled. Milepost erases what it stores about deleted contacts.",
		); err != nil || !goOn {
			return err
		}
		if err := state.OpenQueue(); err != nil {
			return err
		}
		n, err := deskOf(state).AllowRemovals(ctx, byUser(), c.Location)
		if err != nil {
			return err
		}
		fmt.Printf("the items of %d records of location %s may be removed; a running milepost removes them now\n", n, c.Location)
		return nil
	})
}
