package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"milepost/clients/calendarhero"
	"milepost/internal/app"
	"milepost/internal/connection"
	"milepost/internal/operate"
	"milepost/internal/store"
	"milepost/mapping"
)

type hooksCmd struct {
	List    listHooksCmd    `cmd:"" default:"withargs" help:"Show who receives each event of each CalendarHero account, and what to do if it is not Milepost."`
	Take    takeHooksCmd    `cmd:"" help:"Register Milepost's webhooks, replacing another tool's or after a release."`
	Release releaseHooksCmd `cmd:"" help:"Delete Milepost's webhooks at a CalendarHero account, and register none there until hooks take."`
}

type listHooksCmd struct {
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// Run lists the webhooks of all CalendarHero accounts.
func (c *listHooksCmd) Run(ctx context.Context) error { return c.list(ctx, os.Stdout) }

func (c *listHooksCmd) list(ctx context.Context, out io.Writer) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		reports, err := state.Connections.HookReports(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, hookRows(reports))
		}
		if state.Connections.Address() == "" {
			fmt.Fprint(out, "MILEPOST_PUBLIC_URL is not set here. If `milepost serve` has none either, it registers no webhooks and polls CalendarHero instead. This is its last known state:\n\n")
		}
		if len(reports) == 0 {
			fmt.Fprintln(out, "No location with a CalendarHero account is active; `milepost connections` says why.")
			return nil
		}
		for i, report := range reports {
			if i > 0 {
				fmt.Fprintln(out)
			}
			fmt.Fprintf(out, "CalendarHero account of %s\n", locations(report.Account))
			if err := printHooks(out, report.Hooks); err != nil {
				return err
			}
		}
		return nil
	})
}

// hookRow is one event of one CalendarHero account, for programs.
type hookRow struct {
	Locations []string   `json:"locations"` // those that use the account
	Event     string     `json:"event"`
	State     string     `json:"state"`
	CheckedAt *time.Time `json:"checked_at"`
	Problem   string     `json:"what_to_do"`
}

func hookRows(reports []connection.HookReport) []hookRow {
	rows := []hookRow{}
	for _, report := range reports {
		for _, h := range report.Hooks {
			rows = append(rows, hookRow{report.Locations, h.Event, string(h.State), moment(h.CheckedAt), h.Problem})
		}
	}
	return rows
}

// locations names an account for people: it has no name of its own here, and
// its token is a secret.
func locations(a connection.Account) string {
	const most = 5
	if n := len(a.Locations); n > most {
		return fmt.Sprintf("%s and %d more", strings.Join(a.Locations[:most], ", "), n-most)
	}
	return strings.Join(a.Locations, ", ")
}

func printHooks(out io.Writer, hooks []store.Hook) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "EVENT\tRECEIVED BY\tCHECKED\tWHAT TO DO")
	for _, h := range hooks {
		checked := "never"
		switch {
		case h.State == store.HookOurs && h.Unverifiable():
			checked = "cannot be read"
		case !h.CheckedAt.IsZero():
			checked = h.CheckedAt.Format(time.RFC3339)
		}
		todo := h.Problem
		if h.State == store.HookOff && todo == "" {
			todo = "`milepost hooks take` registers it again"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", h.Event, recipient(h), checked, todo)
	}
	return table.Flush()
}

// recipient says who receives an event.
func recipient(h store.Hook) string {
	switch h.State {
	case store.HookOurs:
		if h.Unverifiable() {
			return "not known"
		}
		return "Milepost"
	case store.HookForeign:
		return "another tool"
	case store.HookUnknown, store.HookFailed:
		return "not known"
	case store.HookOff:
		return "released"
	}
	return "-"
}

type takeHooksCmd struct {
	app.Config `embed:"" group:"Settings"`
	Location   string `arg:"" help:"Id of a HighLevel location that uses the CalendarHero account."`
	Event      string `placeholder:"EVENT" help:"Only this event; all by default."`
	Yes        bool   `help:"Replace the webhooks of other tools. They then receive nothing."`
}

// Run takes the events over.
func (c *takeHooksCmd) Run(ctx context.Context) error { return c.take(ctx, os.Stdout) }

// sayOthers says which events another tool receives, or may receive.
func sayOthers(out io.Writer, others []connection.OtherHook) {
	for _, other := range others {
		if other.Unread != "" {
			fmt.Fprintf(out, "%s: Milepost cannot tell who receives it now (%s); another tool would stop receiving it\n", other.Event, other.Unread)
			continue
		}
		fmt.Fprintf(out, "%s: another tool (%s) receives it now, and would stop receiving it\n", other.Event, other.Host)
	}
}

func (c *takeHooksCmd) take(ctx context.Context, out io.Writer) error {
	events := calendarhero.Events
	switch {
	case c.Event != "" && !slices.Contains(events, c.Event):
		return usageError(fmt.Sprintf("%q is not a CalendarHero event; %s", c.Event, mapping.DidYouMean(c.Event, events, "the events are "+strings.Join(events, ", "))))
	case c.Event != "":
		events = []string{c.Event}
	}
	return withState(ctx, c.Config, func(state *app.State) error {
		hooks, others, err := deskOf(state).TakeHooks(ctx, byCommand, c.Location, events, c.Yes)
		if _, ok := errors.AsType[*operate.OthersRegistered](err); ok {
			sayOthers(out, others)
			return fmt.Errorf("%w; add --yes to replace it", err)
		}
		if err != nil {
			return err
		}
		for _, other := range others {
			if other.Unread == "" && slices.ContainsFunc(hooks, func(h store.Hook) bool { return h.Event == other.Event && h.State == store.HookOurs }) {
				fmt.Fprintf(out, "%s: another tool (%s) no longer receives it\n", other.Event, other.Host)
			}
		}
		return printHooks(out, hooks)
	})
}

type releaseHooksCmd struct {
	app.Config `embed:"" group:"Settings"`
	Location   string `arg:"" help:"Id of a HighLevel location that uses the CalendarHero account."`
	DryRun     bool   `help:"Show what would happen, and change nothing."`
	Yes        bool   `help:"Do not ask. Also delete webhooks that Milepost cannot read and that may belong to another tool by now."`
}

// Run deletes Milepost's webhooks.
func (c *releaseHooksCmd) Run(ctx context.Context) error { return c.release(ctx, os.Stdout) }

func (c *releaseHooksCmd) release(ctx context.Context, out io.Writer) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		desk := deskOf(state)
		if err := desk.KnowsLocation(ctx, c.Location, c.HighLevelLocationID); err != nil {
			return err
		}
		if goOn, err := (consent{DryRun: c.DryRun, Yes: c.Yes}).ask(out,
			fmt.Sprintf("Milepost's webhooks at the CalendarHero account of location %s would be deleted, and Milepost would poll the account instead.", c.Location),
			"Items in CalendarHero would stay, and nobody would get mail."); err != nil || !goOn {
			return err
		}
		hooks, unread, err := desk.ReleaseHooks(ctx, byCommand, c.Location, c.Yes)
		would := "receives"
		if err != nil {
			would = "would receive"
		}
		for _, h := range unread {
			fmt.Fprintf(out, "%s: Milepost cannot read who receives it now. It registered itself last %s; a tool that registered since %s nothing more\n",
				h.Event, h.SetAt.Format(time.RFC3339), would)
		}
		if errors.Is(err, operate.ErrUnread) {
			return fmt.Errorf("%w; add --yes to delete them anyway", err)
		}
		if err != nil {
			return err
		}
		if err := printHooks(out, hooks); err != nil {
			return err
		}
		fmt.Fprintf(out, "Milepost registers nothing at this account until `milepost hooks take %s`, and polls it instead.\n", c.Location)
		if slices.ContainsFunc(hooks, func(h store.Hook) bool { return h.Problem != "" }) {
			return errors.New("could not delete all webhooks; a running milepost retries, and --yes deletes those that cannot be read")
		}
		return nil
	})
}
