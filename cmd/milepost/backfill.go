package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"milepost/internal/app"
	"milepost/internal/store"
	"milepost/internal/sync"
)

type backfillCmd struct {
	Location string `help:"Id of the HighLevel location; the one in the settings by default." placeholder:"ID"`
	Since    string `required:"" help:"Check contacts that changed since then, and all open tasks: a day (2026-11-01), a length of time (90d), or all." placeholder:"DAY"`
	DryRun   bool   `help:"List what would change, and change nothing."`
	asJSON
	Wait       bool `help:"Wait until a running milepost has synced everything."`
	app.Config `embed:"" group:"Settings"`
}

// Run looks through a location and asks for what differs to be synced; the
// running milepost does that, as it does after a webhook.
func (c *backfillCmd) Run(ctx context.Context) error {
	return c.run(ctx, os.Stdout, isTerminal(os.Stdout))
}

func (c *backfillCmd) run(ctx context.Context, out io.Writer, terminal bool) error {
	since, err := parseSince(c.Since, time.Now())
	if err != nil {
		return err
	}
	c.Location = cmp.Or(c.Location, c.HighLevelLocationID)
	switch {
	case c.Location == "":
		return usageError("no location: give --location")
	case c.JSON && !c.DryRun:
		return usageError("--json needs --dry-run, which lists what would change")
	}
	return withState(ctx, c.Config, func(state *app.State) error {
		if err := deskOf(state).KnowsLocation(ctx, c.Location, c.HighLevelLocationID); err != nil {
			return err
		}
		backfill, err := state.Backfill(c.Config)
		if err != nil {
			return err
		}
		if !c.DryRun {
			if err := deskOf(state).NoteBackfill(ctx, byCommand, c.Location, c.Since); err != nil {
				return err
			}
		}
		bar := progress{out: out, terminal: terminal}
		if c.JSON {
			bar = progress{out: os.Stderr, quiet: true}
		}
		at, found, err := c.search(ctx, backfill, since, &bar)
		if err != nil {
			return err
		}
		if c.DryRun {
			return c.list(ctx, out, backfill.Syncer.Rehearser(state.Automations.Set(), nil), found)
		}
		fmt.Fprintf(out, "checked %d contacts and %d open tasks, queued %d records (%d calls to HighLevel); `milepost serve` syncs them now, or when it next runs\n",
			at.Contacts, at.Tasks, at.Differing, at.Calls)
		if c.Wait {
			return waitForWork(ctx, out, state)
		}
		return nil
	})
}

// search looks through the location, and returns the records that differ.
func (c *backfillCmd) search(ctx context.Context, backfill *app.Backfill, since time.Time, bar *progress) (at store.Reconciliation, found []store.Found, err error) {
	backfill.Jobs.WaitAtLimit(bar.wait)
	name := "backfill/" + c.Location + "/" + c.Since
	at, err = backfill.Reconciler.Sweep(ctx, name, c.Location, since, c.DryRun, func(at store.Reconciliation, more []store.Found) {
		for _, f := range more {
			if f.Differs {
				found = append(found, f)
			}
		}
		bar.show(at)
	})
	bar.end()
	return at, found, c.ended(ctx, err)
}

// ended says why a search did not come to its end.
func (c *backfillCmd) ended(ctx context.Context, err error) error {
	switch {
	case ctx.Err() == nil:
		return err
	case c.DryRun:
		return errors.New("interrupted")
	}
	return errors.New("interrupted; the records found so far are queued, and the same command continues where it stopped")
}

// previewRow is one record that would change something, for programs.
type previewRow struct {
	Kind    string   `json:"kind"`
	ID      string   `json:"id"`
	Changes []string `json:"changes"`
}

// list says what would change, a line each.
func (c *backfillCmd) list(ctx context.Context, out io.Writer, rehearser *sync.Rehearser, found []store.Found) error {
	changes, rows := 0, []previewRow{}
	for _, f := range found {
		lines, err := rehearser.Changes(ctx, f.Entity, f.ContactID)
		if err != nil {
			return err
		}
		if c.JSON {
			if len(lines) > 0 {
				rows = append(rows, previewRow{f.Kind, f.ID, lines})
			}
			continue
		}
		for _, line := range lines {
			fmt.Fprintf(out, "%s %s: %s\n", f.Kind, f.ID, line)
			changes++
		}
	}
	if c.JSON {
		return printJSON(out, rows)
	}
	fmt.Fprintf(out, "%d records differ from what Milepost last saw; a backfill would make %d changes. Nothing was changed.\n", len(found), changes)
	return nil
}

// waitForWork waits until nothing is owed any more.
func waitForWork(ctx context.Context, out io.Writer, state *app.State) error {
	for last := int64(-1); ; {
		n, err := state.Store.Backlog(ctx)
		if err != nil {
			return err
		}
		if n == 0 {
			fmt.Fprintln(out, "everything is synced")
			return nil
		}
		if n != last {
			fmt.Fprintf(out, "`milepost serve` has %d more records to sync\n", n)
			last = n
		}
		timer := time.NewTimer(2 * time.Second)
		select {
		case <-ctx.Done():
			timer.Stop()
			return errors.New("interrupted; a running milepost continues")
		case <-timer.C:
		}
	}
}

// progress is one line that is written over on a terminal, and now and then a
// line of its own elsewhere.
type progress struct {
	out      io.Writer
	terminal bool
	quiet    bool // says only what it waits for
	shown    time.Time
	waited   time.Time // when a wait was last told
	width    int
}

func (p *progress) show(at store.Reconciliation) {
	now := time.Now()
	if p.quiet {
		return
	}
	if p.shown.IsZero() { // a first line after a while
		p.shown = now
	}
	if at.Place != "" && now.Sub(p.shown) < 200*time.Millisecond || !p.terminal && now.Sub(p.shown) < 5*time.Second {
		return
	}
	p.shown = now
	const cells = 20
	full := 0
	if total := max(at.ContactsTotal, at.Contacts); total > 0 {
		full = int(at.Contacts * cells / total)
	}
	line := fmt.Sprintf("%s%s  %d of %d contacts, %d tasks, %d to sync, %d calls",
		strings.Repeat("█", full), strings.Repeat("░", cells-full), at.Contacts, at.ContactsTotal, at.Tasks, at.Differing, at.Calls)
	p.print(line)
}

// wait says how long HighLevel's rate limit is waited for, every few seconds at most.
func (p *progress) wait(d time.Duration) {
	if now := time.Now(); d >= 2*time.Second && now.Sub(p.waited) >= 5*time.Second {
		p.waited = now
		p.print(fmt.Sprintf("waiting %d s for HighLevel's rate limit", int((d + time.Second - 1).Seconds())))
	}
}

func (p *progress) print(line string) {
	if p.terminal {
		fmt.Fprintf(p.out, "\r%-*s", p.width, line)
		p.width = len(line)
		return
	}
	fmt.Fprintln(p.out, line)
}

func (p *progress) end() {
	if p.terminal && p.width > 0 {
		fmt.Fprintln(p.out)
	}
}

// parseSince reads a day, a number of days, or all.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "all" {
		return time.Time{}, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n <= 36500 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil && t.After(now) {
			return time.Time{}, usageError(fmt.Sprintf("--since %s is in the future", text))
		} else if err == nil {
			return t, nil
		}
	}
	return time.Time{}, usageError(fmt.Sprintf("--since %q is not a day such as 2026-11-01, a length of time such as 90d, or all", text))
}
