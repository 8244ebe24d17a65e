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
	"milepost/internal/store"
	"milepost/mapping"
)

type invitesCmd struct {
	List  listInvitesCmd  `cmd:"" default:"withargs" help:"Show the automations whose open requests stay with the account's owner until you agree."`
	Allow allowInvitesCmd `cmd:"" help:"Let the open requests of an automation invite the people that it names. CalendarHero mails them."`
}

// Help explains the command.
func (invitesCmd) Help() string {
	return `If you change the "invite" of an automation from the account's owner to the contact or somebody else, new requests invite them. Requests
that are already open stay with the owner until you agree, because CalendarHero would mail everybody at once. Milepost keeps them up to date.

"milepost invites" shows how many there are, and "milepost invites allow AUTOMATION" agrees. If you change the automation back, nobody gets mail.`
}

type listInvitesCmd struct {
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// Run lists what waits.
func (c *listInvitesCmd) Run(ctx context.Context) error { return c.list(ctx, os.Stdout) }

// inviteRow is one automation at one location in the list.
type inviteRow struct {
	Automation string `json:"automation"`
	Name       string `json:"name"`
	Location   string `json:"location"`
	Requests   int    `json:"requests"`
}

func (c *listInvitesCmd) list(ctx context.Context, out io.Writer) error {
	return withInvites(ctx, c.Config, func(_ *app.State, rows []inviteRow, _ []mapping.Request) error {
		if len(rows) == 0 && !c.JSON {
			fmt.Fprintln(out, "No request waits for you to agree.")
			return nil
		}
		if err := printList(out, c.asJSON, rows,
			column[inviteRow]{"AUTOMATION", func(r inviteRow) string { return r.Automation }},
			column[inviteRow]{"NAME", func(r inviteRow) string { return oneLine(r.Name) }},
			column[inviteRow]{"LOCATION", func(r inviteRow) string { return r.Location }},
			column[inviteRow]{"OPEN REQUESTS", func(r inviteRow) string { return strconv.Itoa(r.Requests) }},
		); err != nil || c.JSON {
			return err
		}
		fmt.Fprintln(out, "\nThey stay with the account's owner. To invite the people that the automation names, which mails them, run:")
		told := map[string]bool{}
		for _, r := range rows {
			if !told[r.Automation] {
				fmt.Fprintf(out, "  milepost invites allow %s\n", r.Automation)
			}
			told[r.Automation] = true
		}
		return nil
	})
}

type allowInvitesCmd struct {
	consent
	app.Config `embed:"" group:"Settings"`
	Automation string `arg:"" help:"Id or name of the automation."`
}

// Run lets a running Milepost replace what waits.
func (c *allowInvitesCmd) Run(ctx context.Context) error { return c.allow(ctx, os.Stdout) }

func (c *allowInvitesCmd) allow(ctx context.Context, out io.Writer) error {
	return withInvites(ctx, c.Config, func(state *app.State, rows []inviteRow, requests []mapping.Request) error {
		var items []string
		for _, r := range requests {
			if automationOf(r.Key) == c.Automation || r.Automation == c.Automation {
				items = append(items, r.Key)
			}
		}
		if len(items) == 0 {
			return fmt.Errorf("no switched-on automation %q invites anybody but the account's owner; `milepost invites` lists what waits", c.Automation)
		}
		open := 0
		for _, r := range rows {
			if r.Automation == automationOf(items[0]) {
				open += r.Requests
			}
		}
		if goOn, err := c.ask(out,
			fmt.Sprintf("%d open requests of the automation %s would be replaced.", open, automationOf(items[0])),
			fmt.Sprintf("CalendarHero tells the account's owner that they are cancelled, and mails an invitation to up to %d people.", open),
		); err != nil || !goOn {
			return err
		}
		if err := state.OpenQueue(); err != nil {
			return err
		}
		n, err := state.Store.AllowInvites(ctx, items, time.Now())
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%d open requests may invite the people that the automation names; a running milepost replaces them now\n", n)
		return nil
	})
}

// withInvites gives what waits, a row for each automation and location.
func withInvites(ctx context.Context, cfg app.Config, do func(*app.State, []inviteRow, []mapping.Request) error) error {
	return withState(ctx, cfg, func(state *app.State) error {
		requests := state.Automations.Set().InvitesOthers()
		rows, err := heldInvites(ctx, state, requests)
		if err != nil {
			return err
		}
		return do(state, rows, requests)
	})
}

// heldInvites lists what waits of the items that invite others than the owner.
func heldInvites(ctx context.Context, state *app.State, requests []mapping.Request) ([]inviteRow, error) {
	items, names := make([]string, len(requests)), map[string]string{}
	for i, r := range requests {
		items[i], names[automationOf(r.Key)] = r.Key, r.Automation
	}
	held, err := state.Store.HeldInvites(ctx, items, time.Now())
	return inviteRows(held, names), err
}

// newlyInvited says which automations invite others than the account's owner since a change,
// and how many open requests stay with the owner.
func newlyInvited(ctx context.Context, state *app.State, out io.Writer, before *mapping.Set) error {
	set, was := state.Automations.Set(), before.InvitesOthers()
	requests := slices.DeleteFunc(set.InvitesOthers(), func(r mapping.Request) bool {
		return slices.ContainsFunc(was, func(w mapping.Request) bool { return w.Key == r.Key })
	})
	rows, err := heldInvites(ctx, state, requests)
	if err != nil {
		return err
	}
	told := ""
	for _, r := range requests {
		id, held := automationOf(r.Key), 0
		if id == told {
			continue
		}
		told = id
		who := slices.DeleteFunc(set.Find(id).Mails(), func(m mapping.Mailed) bool {
			return m.Maybe || m.Operation != "" || m.Who == mapping.InviteOwner
		})
		fmt.Fprintf(out, "New requests of %s invite %s, and CalendarHero mails the invitations.\n", id, mailedText(who))
		for _, row := range rows {
			if row.Automation == id {
				held += row.Requests
			}
		}
		if held > 0 {
			fmt.Fprintf(out, "Its %d open requests stay with the account's owner until you run: milepost invites allow %s\n", held, id)
		}
	}
	return nil
}

// inviteRows puts the items of an automation together.
func inviteRows(held []store.HeldInvites, names map[string]string) []inviteRow {
	rows := []inviteRow{}
	at := map[[2]string]int{}
	for _, h := range held {
		id := automationOf(h.Item)
		place, ok := at[[2]string{id, h.LocationID}]
		if !ok {
			place = len(rows)
			at[[2]string{id, h.LocationID}] = place
			rows = append(rows, inviteRow{Automation: id, Name: names[id], Location: h.LocationID})
		}
		rows[place].Requests += h.Requests
	}
	return rows
}

// automationOf is the id of the automation that an item is of.
func automationOf(item string) string {
	id, _, _ := strings.Cut(item, "/")
	return id
}
