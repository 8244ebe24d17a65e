package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"milepost/internal/app"
	"milepost/internal/operate"
	"milepost/internal/store"
)

type forgetCmd struct {
	Location string `help:"Id of the HighLevel location; the one in the settings by default." placeholder:"ID"`
	Contact  string `required:"" help:"Id of the HighLevel contact." placeholder:"ID"`
	Undo     bool   `help:"Sync a forgotten contact again."`
	consent
	Timeout    time.Duration `default:"2m" help:"How long to wait for a running milepost to finish."`
	app.Config `embed:"" group:"Settings"`
}

// Run removes a contact's items from CalendarHero and what is stored of it
// here, and reports what that was.
func (c *forgetCmd) Run(ctx context.Context) error { return c.run(ctx, os.Stdout) }

func (c *forgetCmd) run(ctx context.Context, out io.Writer) error {
	if c.Location == "" {
		c.Location = c.HighLevelLocationID
	}
	if c.Location == "" {
		return usageError("no location: give --location")
	}
	return withState(ctx, c.Config, func(state *app.State) error {
		if err := state.OpenQueue(); err != nil {
			return err
		}
		desk := deskOf(state)
		if err := desk.KnowsLocation(ctx, c.Location, c.HighLevelLocationID); err != nil {
			return err
		}
		if c.Undo {
			return c.undo(ctx, desk, out)
		}
		would, err := c.consequences(ctx, desk)
		if err != nil {
			return err
		}
		if goOn, err := c.ask(out, would...); err != nil || !goOn {
			return err
		}
		if err := desk.Forget(ctx, byCommand, c.Location, c.Contact); err != nil {
			return err
		}
		done, err := waitErased(ctx, state.Store, c.Location, c.Contact, c.Timeout)
		if err != nil {
			return err
		}
		left, err := state.Store.Left(ctx, c.Location, c.Contact)
		if err != nil {
			return err
		}
		c.report(out, done, left)
		return nil
	})
}

// undo has the contact synced again.
func (c *forgetCmd) undo(ctx context.Context, desk *operate.Desk, out io.Writer) error {
	was, err := desk.Remember(ctx, byCommand, c.Location, c.Contact)
	switch {
	case err != nil:
		return err
	case !was:
		return fmt.Errorf("contact %s was not forgotten", c.Contact)
	}
	fmt.Fprintf(out, "contact %s is synced again\n", c.Contact)
	return nil
}

// report says what was erased, and what is left in CalendarHero.
func (c *forgetCmd) report(out io.Writer, done store.Erasure, left []store.Link) {
	if done.Objects+done.Payloads+done.Entries+done.Items == 0 && len(left) == 0 {
		fmt.Fprintf(out, "Milepost knows nothing about contact %s in location %s: check both ids\n", c.Contact, c.Location)
		fmt.Fprintln(out, "If such a contact appears, Milepost does not sync it until `milepost forget --undo`.")
		return
	}
	fmt.Fprintf(out, "contact %s is forgotten: removed %d objects from CalendarHero, erased %d webhook bodies, %d timeline entries and %d calendar entries\n",
		c.Contact, done.Objects, done.Payloads, done.Entries, done.Items)
	if len(left) > 0 {
		fmt.Fprintln(out, "These stay in CalendarHero. Delete there by hand what should not stay:")
	}
	for _, l := range left {
		fmt.Fprintf(out, "  %s %s: %s\n", l.ItemKind, cmp.Or(l.ObjectID, "without a known id"), l.Left)
	}
	fmt.Fprintln(out, "It stays in HighLevel, and Milepost does not sync it until `milepost forget --undo`.")
}

// consequences says what forgetting the contact does, and who is mailed.
func (c *forgetCmd) consequences(ctx context.Context, desk *operate.Desk) ([]string, error) {
	requests, err := desk.Mailed(ctx, c.Location, c.Contact)
	if err != nil {
		return nil, err
	}
	would := []string{
		fmt.Sprintf("Contact %s of location %s would be deleted in CalendarHero, and all data that Milepost stores about it erased.", c.Contact, c.Location),
		"It stays in HighLevel, and Milepost does not sync it until `milepost forget --undo`.",
	}
	if known, err := desk.KnowsContact(ctx, c.Location, c.Contact); err == nil && !known {
		would = append(would, "Milepost knows nothing about this contact now: check its id.")
	}
	for _, r := range requests {
		would = append(would, fmt.Sprintf("The meeting request %q, %s, would be cancelled. CalendarHero mails %s.",
			oneLine(r.Title), r.Start.UTC().Format("2006-01-02 15:04 MST"), cmp.Or(strings.Join(r.Emails, ", "), "its invitees")))
	}
	if len(requests) == 0 {
		would = append(would, "It has no open meeting request, so nobody would get mail.")
	}
	return would, nil
}

// waitErased waits until the running milepost has erased a contact.
func waitErased(ctx context.Context, st *store.Store, location, contact string, limit time.Duration) (store.Erasure, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		e, _, err := st.Erasure(ctx, location, contact)
		if err != nil || !e.DoneAt.IsZero() {
			return e, err
		}
		timer := time.NewTimer(200 * time.Millisecond)
		select {
		case <-limited.Done():
			timer.Stop()
			return e, fmt.Errorf("requested, but not finished after %s: `milepost serve` finishes it as soon as it runs and CalendarHero answers; run the command again to see the report", limit)
		case <-timer.C:
		}
	}
}
