package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"time"

	"milepost/internal/app"
	"milepost/internal/automation"
	"milepost/internal/store"
	"milepost/internal/sync"
	"milepost/mapping"
)

type testAutomationCmd struct {
	ID          string `arg:"" help:"Id of the automation."`
	Draft       bool   `help:"Test its draft instead of what is live."`
	Location    string `placeholder:"ID" help:"The HighLevel location of the record, if Milepost does not know the record yet and several locations are connected."`
	Contact     string `placeholder:"ID" help:"Test with this contact; beside --task or --note, the contact that it belongs to."`
	Task        string `xor:"record" placeholder:"ID" help:"Test with this task."`
	Note        string `xor:"record" placeholder:"ID" help:"Test with this note."`
	Appointment string `xor:"record" placeholder:"ID" help:"Test with this appointment."`
	Opportunity string `xor:"record" placeholder:"ID" help:"Test with this opportunity."`
	Meeting     string `xor:"record" placeholder:"ID" help:"Test with this meeting request of CalendarHero."`
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// Help explains the command.
func (testAutomationCmd) Help() string {
	return `Reads the real record and prints it, each condition with the value that it saw, the items, the calls that would be sent, and who would be
mailed. It runs the code of a sync, but sends nothing and stores nothing. The automation is tested as if it were switched on.`
}

// Run tests an automation with a record.
func (c *testAutomationCmd) Run(ctx context.Context) error { return c.test(ctx, os.Stdout) }

// errUnread makes the exit status follow what was read.
var errUnread = errors.New("the record could not be read, so the automation was not tested")

func (c *testAutomationCmd) test(ctx context.Context, out io.Writer) error {
	target := automation.Target{Contact: c.Contact, Task: c.Task, Note: c.Note, Appointment: c.Appointment, Opportunity: c.Opportunity, Meeting: c.Meeting}
	if target == (automation.Target{}) {
		return usageError("no record: give --contact, --task, --note, --appointment, --opportunity or --meeting")
	}
	target.Location = firstText(c.Location, c.HighLevelLocationID)
	return withState(ctx, c.Config, func(state *app.State) error {
		if c.Location != "" {
			if err := deskOf(state).KnowsLocation(ctx, c.Location, c.HighLevelLocationID); err != nil {
				return err
			}
		}
		backfill, err := state.Backfill(c.Config)
		if err != nil {
			return err
		}
		p, err := state.Automations.Preview(ctx, backfill.Syncer, c.ID, c.Draft, target)
		if err != nil {
			return err
		}
		if c.JSON {
			err = printJSON(out, p)
		} else {
			tellPreview(out, p)
		}
		if err == nil && len(p.Record) == 0 && p.Waits == "" {
			err = errUnread
		}
		return err
	})
}

func firstText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// tellPreview prints a preview for people.
func tellPreview(out io.Writer, p *automation.Preview) {
	version := "the file"
	switch {
	case p.Draft:
		version = fmt.Sprintf("draft %d", p.Version)
	case p.Version > 0:
		version = fmt.Sprintf("version %d", p.Version)
	}
	fmt.Fprintf(out, "%s, %s, with %s %s, read at %s. Nothing was sent.\n", p.Automation, version, p.Kind, inOneLine(p.ID), p.ReadAt.UTC().Format(time.RFC3339))
	if p.State != mapping.StateOn {
		fmt.Fprintf(out, "The automation is %s; this is what it would do if it were on.\n", p.State)
	}
	if len(p.Record) > 0 {
		fmt.Fprintln(out, "\nThe record:")
	}
	for _, name := range sortedKeys(p.Record) {
		text, _ := json.MarshalIndent(p.Record[name], "  ", "  ")
		fmt.Fprintf(out, "  %s: %s\n", inOneLine(name), forTerminal(string(text)))
	}
	if len(p.Conditions) > 0 {
		fmt.Fprintln(out, "\nIts conditions:")
	}
	for _, c := range p.Conditions {
		word := "met    "
		if !c.Held {
			word = "NOT met"
		}
		fmt.Fprintf(out, "  %s  %s", word, inOneLine(c.Text))
		if c.Saw != "" {
			fmt.Fprintf(out, "   (%s)", inOneLine(c.Saw))
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintln(out)
	switch {
	case p.Waits != "":
		fmt.Fprintln(out, "The sync would wait before its end:", inOneLine(p.Waits))
	case len(p.Record) == 0:
		fmt.Fprintf(out, "The record could not be read. The outcome of the sync would be: %s. %s\n", p.Outcome, inOneLine(p.Detail))
	case !p.Considered:
		fmt.Fprintln(out, "The automation is not concerned: nothing that it looks at has happened to the record. The outcome of the sync would be:", p.Outcome+".", inOneLine(p.Detail))
	case !p.Applies:
		fmt.Fprintln(out, "It does not apply:", inOneLine(p.Reason)+".")
	default:
		fmt.Fprintln(out, "It applies and asks for:")
	}
	for _, i := range p.Items {
		text, _ := json.MarshalIndent(i, "  ", "  ")
		fmt.Fprintf(out, "  %s\n", forTerminal(string(text)))
	}
	tellCalls(out, "The calls that it would send:", p.Calls, p.Mails)
	if len(p.Calls) == 0 {
		fmt.Fprintln(out, "\nIt would send no call, and mail nobody.")
		if p.Considered && p.Detail != "" {
			fmt.Fprintln(out, "The sync, with all automations, would say:", inOneLine(p.Detail))
		}
	}
	if len(p.Others.Calls) > 0 {
		tellCalls(out, "In the same sync, for other automations:", p.Others.Calls, p.Others.Mails)
	}
}

func tellCalls(out io.Writer, title string, calls []sync.RehearsedCall, mails []sync.RehearsedMail) {
	if len(calls) == 0 {
		return
	}
	fmt.Fprintln(out, "\n"+title)
	for _, c := range calls {
		fmt.Fprintf(out, "  %s %s %s\n", c.API, c.Method, inOneLine(c.Path))
		if len(c.Body) > 0 {
			fmt.Fprintf(out, "    %s\n", inOneLine(string(c.Body)))
		}
	}
	if len(mails) == 0 {
		fmt.Fprintln(out, "They mail nobody.")
		return
	}
	fmt.Fprintln(out, "They mail:")
	for _, m := range mails {
		fmt.Fprintf(out, "  %s (%s)\n", inOneLine(m.To), m.What)
	}
}

func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

type applyAutomationCmd struct {
	ID string `arg:"" help:"Id of the automation, which may be off or deleted."`
	consent
	Location string `placeholder:"ID" help:"Only the records of this HighLevel location."`
	Status   bool   `help:"Show how far the last run is, and change nothing." xor:"apply"`
	Cancel   bool   `help:"Cancel the run. What it has reached stays as it is." xor:"apply"`
	Wait     bool   `help:"Wait until a running milepost has ended the run."`
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// Help explains the command.
func (applyAutomationCmd) Help() string {
	return `A changed automation follows a record when that changes next. This command has it reach all records that Milepost knows now. Of an automation that
is off or deleted, it removes what it made.

It first says what would be replaced, removed and created, and who would be mailed. Then a running milepost does it, below the work of webhooks. The run
survives a restart. It is a sync of each record, so changes of other automations reach these records too; they are counted apart.

Records that Milepost never synced are not among them: see milepost backfill.`
}

// Run applies an automation to what exists.
func (c *applyAutomationCmd) Run(ctx context.Context) error {
	return c.apply(ctx, os.Stdout, isTerminal(os.Stdout))
}

func (c *applyAutomationCmd) apply(ctx context.Context, out io.Writer, terminal bool) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		switch {
		case c.Status:
			return c.status(ctx, out, state)
		case c.Cancel:
			return c.cancel(ctx, out, state)
		}
		plan, err := counted(state, c.Config, c.JSON, terminal, func(r automation.Rehearsals, progress func(done, of int64)) (*automation.ApplyPlan, error) {
			return state.Automations.PlanApply(ctx, r, c.ID, c.Location, progress)
		})
		if err != nil {
			return err
		}
		if c.JSON && c.DryRun {
			return printJSON(out, plan)
		}
		if goOn, err := c.confirm(out, c.JSON, planLines(plan)); err != nil || !goOn {
			return err
		}
		run, err := deskOf(state).Apply(ctx, byUser(), c.ID, c.Location)
		switch {
		case err != nil:
			return err
		case !c.JSON:
			fmt.Fprintf(out, "Begun: `milepost serve` syncs %d records now, or when it next runs. `milepost automations apply %s --status` shows how far it is.\n", run.Total, c.ID)
		}
		switch {
		case c.Wait:
			return c.wait(ctx, out, state)
		case c.JSON:
			return c.status(ctx, out, state)
		}
		return nil
	})
}

// counted counts what a run would do, and shows how far the counting is.
func counted(state *app.State, cfg app.Config, quiet, terminal bool, plan func(automation.Rehearsals, func(done, of int64)) (*automation.ApplyPlan, error)) (*automation.ApplyPlan, error) {
	backfill, err := state.Backfill(cfg)
	if err != nil {
		return nil, err
	}
	bar := progress{out: os.Stderr, terminal: terminal && isTerminal(os.Stderr), quiet: quiet}
	defer bar.end()
	backfill.Jobs.WaitAtLimit(bar.wait)
	return plan(backfill.Syncer, bar.counted)
}

// confirm says what a run would do, and asks a person at a terminal. quiet says it only
// to a person who is asked.
func (c consent) confirm(out io.Writer, quiet bool, lines []string) (goOn bool, err error) {
	if asks := c.DryRun || !c.Yes && isTerminal(os.Stdin); !asks && !quiet { // else ask prints them
		for _, line := range lines {
			fmt.Fprintln(out, line)
		}
	}
	return c.ask(out, lines...)
}

func (c *applyAutomationCmd) cancel(ctx context.Context, out io.Writer, state *app.State) error {
	was, err := deskOf(state).CancelApply(ctx, byUser(), c.ID)
	switch {
	case err != nil:
		return err
	case !was:
		return fmt.Errorf("no run of %s is under way", c.ID)
	}
	return c.status(ctx, out, state)
}

// counted shows how far the counting is.
func (p *progress) counted(done, of int64) {
	if now := time.Now(); !p.quiet && (p.terminal && now.Sub(p.shown) > 200*time.Millisecond || now.Sub(p.shown) > 5*time.Second && !p.shown.IsZero()) {
		p.shown = now
		p.print(fmt.Sprintf("counted %d of %d records", done, of))
	} else if p.shown.IsZero() {
		p.shown = now
	}
}

// shownPeople is how many people a plan names by their addresses.
const shownPeople = 5

// planLines says what a run would do.
func planLines(p *automation.ApplyPlan) []string {
	lines := []string{fmt.Sprintf("%d records. Meeting requests: %d created, %d replaced, %d removed. Other writes: %d. Records that stay unchanged: %d.",
		p.Records, p.Created, p.Replaced, p.Removed, p.Written, p.Unchanged)}
	if p.Waiting > 0 {
		lines = append(lines, fmt.Sprintf("Of %d records it cannot be told yet, because their syncs wait.", p.Waiting))
	}
	if o := p.Others; o.Created+o.Replaced+o.Removed+o.Written > 0 {
		lines = append(lines, fmt.Sprintf("In the same syncs, for other automations: %d created, %d replaced, %d removed, %d other writes.", o.Created, o.Replaced, o.Removed, o.Written))
	}
	some, more := p.Names(shownPeople)
	switch {
	case len(some) == 0:
		lines = append(lines, "Nobody is mailed.")
	case more > 0:
		lines = append(lines, fmt.Sprintf("CalendarHero mails %d people: %s and %d more.", len(p.People), inOneLine(strings.Join(some, ", ")), more))
	default:
		lines = append(lines, fmt.Sprintf("CalendarHero mails %s.", inOneLine(strings.Join(some, ", "))))
	}
	return lines
}

// applyRow is a run, for programs.
type applyRow struct {
	Automation string     `json:"automation"`
	State      string     `json:"state"`
	By         string     `json:"by"`
	AskedAt    time.Time  `json:"asked_at"`
	Total      int64      `json:"total"`
	Reached    int64      `json:"reached"`
	EndedAt    *time.Time `json:"ended_at"`
}

func (c *applyAutomationCmd) status(ctx context.Context, out io.Writer, state *app.State) error {
	run, ok, err := state.Automations.Progress(ctx, c.ID)
	if err == nil && !ok {
		err = fmt.Errorf("%s was never applied", c.ID)
	}
	switch {
	case err != nil:
		return err
	case c.JSON:
		return printJSON(out, applyRow{run.Automation, run.State, run.By, run.AskedAt.UTC(), run.Total, run.Queued, moment(run.EndedAt)})
	}
	_, err = fmt.Fprintf(out, "%s: %s, %d of %d records reached, begun by %s at %s\n", run.Automation, run.State, run.Queued, run.Total, oneLine(run.By), run.AskedAt.UTC().Format(time.RFC3339))
	return err
}

// wait waits until the run has ended.
func (c *applyAutomationCmd) wait(ctx context.Context, out io.Writer, state *app.State) error {
	for {
		run, _, err := state.Automations.Progress(ctx, c.ID)
		if err != nil {
			return err
		}
		if run.State != store.ApplyRunning {
			return c.status(ctx, out, state)
		}
		timer := time.NewTimer(time.Second)
		select {
		case <-ctx.Done():
			timer.Stop()
			return errors.New("interrupted; a running milepost continues the run")
		case <-timer.C:
		}
	}
}

type explainCmd struct {
	What     string `arg:"" name:"delivery-or-record" help:"Number of a delivery (milepost deliveries shows it), or id of a record: a contact, task, note, meeting …"`
	Location string `placeholder:"ID" help:"The HighLevel location of the record, if several have it."`
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// Run explains what became of a webhook or record.
func (c *explainCmd) Run(ctx context.Context) error { return c.explain(ctx, os.Stdout) }

func (c *explainCmd) explain(ctx context.Context, out io.Writer) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		x, err := state.Automations.Explain(ctx, c.What, c.Location)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, x)
		}
		if x.Delivery != nil {
			fmt.Fprintf(out, "Delivery %d, %s, received %s, about %s %s of location %s.\n", x.Delivery.ID, inOneLine(x.Delivery.Type), x.Delivery.At.UTC().Format(time.RFC3339), x.Kind, inOneLine(x.ID), inOneLine(x.Location))
		} else {
			fmt.Fprintf(out, "The last sync of %s %s of location %s.\n", x.Kind, inOneLine(x.ID), inOneLine(x.Location))
		}
		if !x.SyncedAt.IsZero() {
			fmt.Fprintf(out, "Synced %s. ", x.SyncedAt.UTC().Format(time.RFC3339))
		}
		fmt.Fprintf(out, "%s: %s\n", x.Outcome, x.What)
		if x.Detail != "" {
			fmt.Fprintf(out, "Detail: %s\n", inOneLine(x.Detail))
		}
		if len(x.Why) > 0 {
			fmt.Fprintln(out, "\nWhat the automations made of it:")
		}
		for _, why := range x.Why {
			fmt.Fprintf(out, "  %s\n", inOneLine(why))
		}
		fmt.Fprintln(out, "\nWhat to do:")
		for _, next := range x.Next {
			fmt.Fprintf(out, "  %s\n", inOneLine(next))
		}
		return nil
	})
}
