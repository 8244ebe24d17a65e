package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"milepost/internal/app"
	"milepost/internal/automation"
	"milepost/internal/operate"
	"milepost/internal/store"
	"milepost/mapping"
)

type automationsCmd struct {
	List    listAutomationsCmd   `cmd:"" default:"withargs" help:"List the automations, with their state and version."`
	Show    showAutomationCmd    `cmd:"" help:"Print the YAML of an automation."`
	Export  exportAutomationsCmd `cmd:"" help:"Print all automations as one YAML file."`
	Import  importAutomationsCmd `cmd:"" help:"Save the automations of a YAML file. Checks all of it first, and changes all or nothing."`
	Publish publishDraftCmd      `cmd:"" help:"Make the draft of an automation live."`
	Discard discardDraftCmd      `cmd:"" help:"Drop the draft of an automation."`
	Enable  enableAutomationCmd  `cmd:"" help:"Switch an automation on. One that was paused catches up with all records."`
	Disable disableAutomationCmd `cmd:"" help:"Switch an automation off. What it made stays until you apply that."`
	Pause   pauseAutomationCmd   `cmd:"" help:"Pause an automation. What it made stays as it is; enabling it again catches up."`
	History historyCmd           `cmd:"" help:"List the versions of an automation: who changed it, when and why."`
	Diff    diffCmd              `cmd:"" help:"Compare two versions of an automation."`
	Restore restoreVersionCmd    `cmd:"" help:"Make an earlier version of an automation live again."`
	Test    testAutomationCmd    `cmd:"" help:"Show what an automation would do with a record, and send nothing."`
	Apply   applyAutomationCmd   `cmd:"" help:"Have an automation reach the records that exist now; of one that is off or deleted, remove what it made."`
	Delete  deleteAutomationCmd  `cmd:"" help:"Delete an automation. What it made stays until you apply that."`
}

// Help explains the command.
func (automationsCmd) Help() string {
	return `Automations are in the database, with all their versions. A change is live in every process within 2 seconds, without a restart.
By itself it changes nothing in a calendar and mails nobody: the next change of a record uses the live version.

If MILEPOST_AUTOMATIONS names a file, that file is the only source: the commands that change something then refuse.`
}

// changing is a command that changes automations.
type changing struct {
	Why string `placeholder:"TEXT" help:"Why you change it, for the history."`
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// run makes one change and prints what it says.
func (c changing) run(ctx context.Context, out io.Writer, change func(*operate.Desk) (automation.Change, error), tell func(automation.Change) string) error {
	return withQueue(ctx, c.Config, func(state *app.State) error { // enabling a paused automation catches up
		return c.change(ctx, state, out, change, tell)
	})
}

func (c changing) change(ctx context.Context, state *app.State, out io.Writer, change func(*operate.Desk) (automation.Change, error), tell func(automation.Change) string) error {
	before := state.Automations.Set()
	made, err := change(deskOf(state))
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(out, made)
	} else {
		_, err = fmt.Fprintln(out, tell(made))
	}
	return errors.Join(err, c.afterwards(ctx, state, out, before, made))
}

// afterwards says what a person should know of changes. Programs read nothing of it.
func (c changing) afterwards(ctx context.Context, state *app.State, out io.Writer, before *mapping.Set, made ...automation.Change) error {
	return errors.Join(newlyInvited(ctx, state, c.prose(out), before), besideFile(ctx, state, os.Stderr), unknownNames(ctx, state, os.Stderr, made))
}

// namesWait is how long a change of automations waits until their names are compared.
const namesWait = 5 * time.Second

// unknownNames warns of names in changed automations that a connected location does not
// have, as `milepost check` does. It is silent about a vendor that does not answer.
func unknownNames(ctx context.Context, state *app.State, out io.Writer, made []automation.Change) error {
	named := state.Automations.Named()
	maps.DeleteFunc(named.Sets, func(_ string, set *mapping.Set) bool {
		return !slices.ContainsFunc(made, func(c automation.Change) bool {
			return c.State == mapping.StateOn && slices.Contains([]string{"added", "changed", "restored"}, c.What) && set.Find(c.ID) != nil
		})
	})
	if len(named.Sets) == 0 {
		return nil
	}
	list, err := state.Store.Connections(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, namesWait)
	defer cancel()
	for _, conn := range list {
		if live, err := state.Connections.Lookup(ctx, conn.LocationID); err == nil && conn.State == store.ConnectionActive {
			check := operate.Check{Say: func(line operate.CheckLine) {
				if ctx.Err() == nil {
					fmt.Fprintf(out, "milepost: location %s: %s\n", conn.LocationID, inOneLine(line.Detail))
				}
			}}
			check.Names(ctx, named, live.HighLevel, live.CalendarHero, conn.LocationID)
		}
	}
	if ctx.Err() != nil {
		fmt.Fprintln(out, "milepost: the vendors did not answer in time; to compare the names in the automations with the locations, run: milepost check")
	}
	return nil
}

// deskOf is where a command reads and changes things, as the console does.
func deskOf(state *app.State) *operate.Desk {
	return operate.New(operate.Config{Store: state.Store, Automations: state.Automations, Connections: state.Connections, BackupAge: state.BackupAge})
}

// besideFile says so if a change has no effect, because a running Milepost takes its
// automations from a file.
func besideFile(ctx context.Context, state *app.State, out io.Writer) error {
	file, err := state.Store.AutomationsFile(ctx)
	if err == nil && file != "" {
		fmt.Fprintf(out, "milepost: `milepost serve` was last started with MILEPOST_AUTOMATIONS=%s. That file is then the only source of its automations, and this change has no effect there.\n", oneLine(file))
	}
	return err
}

type listAutomationsCmd struct {
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// Run lists the automations.
func (c *listAutomationsCmd) Run(ctx context.Context) error { return c.list(ctx, os.Stdout) }

func (c *listAutomationsCmd) list(ctx context.Context, out io.Writer) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		entries, err := state.Automations.List(ctx)
		if err != nil {
			return err
		}
		if len(entries) == 0 && !c.JSON {
			fmt.Fprintln(out, "There is no automation. `milepost recipes list` shows ready-made ones.")
			return nil
		}
		return printList(out, c.asJSON, entries,
			column[automation.Entry]{"AUTOMATION", func(e automation.Entry) string { return oneLine(e.ID) }},
			column[automation.Entry]{"STATE", stateOf},
			column[automation.Entry]{"VERSION", func(e automation.Entry) string { return versionText(e, state.Automations.Source()) }},
			column[automation.Entry]{"ON", func(e automation.Entry) string { return string(e.On) }},
			column[automation.Entry]{"MAKES", func(e automation.Entry) string { return kinds(e.Actions) }},
			column[automation.Entry]{"NAME", func(e automation.Entry) string { return oneLine(e.Name) }},
		)
	})
}

func stateOf(e automation.Entry) string {
	switch {
	case e.Version == 0 && e.Draft > 0:
		return "draft"
	case e.Name == "":
		return "unusable"
	case e.Removing:
		return "off, removed"
	}
	return string(e.State)
}

func versionText(e automation.Entry, file string) string {
	switch {
	case file != "":
		return "file"
	case e.Draft > 0:
		return fmt.Sprintf("%d (draft %d)", e.Version, e.Draft)
	}
	return strconv.FormatInt(e.Version, 10)
}

func kinds(list []mapping.ItemKind) string {
	texts := make([]string, len(list))
	for i, k := range list {
		texts[i] = string(k)
	}
	return strings.Join(slices.Compact(texts), ", ")
}

type showAutomationCmd struct {
	ID    string `arg:"" help:"Id of the automation."`
	Draft bool   `help:"Print its draft instead of what is live."`
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// Run prints the text of an automation.
func (c *showAutomationCmd) Run(ctx context.Context) error {
	return c.show(ctx, os.Stdout, isTerminal(os.Stdout))
}

func (c *showAutomationCmd) show(ctx context.Context, out io.Writer, terminal bool) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		e, err := state.Automations.Show(ctx, c.ID)
		if err == nil && c.Draft {
			e.Text, err = state.Automations.Draft(ctx, c.ID)
		}
		switch {
		case err != nil:
			return err
		case c.JSON:
			return printJSON(out, e)
		}
		return printText(out, terminal, e.Text)
	})
}

// printText prints a text as it is; on a terminal without what would steer it.
func printText(out io.Writer, terminal bool, text string) error {
	if terminal {
		text = forTerminal(text)
	}
	_, err := io.WriteString(out, text)
	return err
}

// forTerminal makes visible in a text of several lines what a terminal would not
// show: escape sequences, and marks that reorder what is read.
func forTerminal(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n', r == '\t', unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

type exportAutomationsCmd struct {
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// Run prints all automations.
func (c *exportAutomationsCmd) Run(ctx context.Context) error {
	return c.export(ctx, os.Stdout, isTerminal(os.Stdout))
}

func (c *exportAutomationsCmd) export(ctx context.Context, out io.Writer, terminal bool) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		text, err := state.Automations.Export(ctx)
		switch {
		case err != nil:
			return err
		case c.JSON:
			return printJSON(out, map[string]string{"yaml": text})
		}
		return printText(out, terminal, text)
	})
}

type importAutomationsCmd struct {
	File    string `arg:"" help:"The YAML file; - reads standard input."`
	Draft   bool   `help:"Keep them as drafts. What is live stays as it is." xor:"import"`
	Replace bool   `help:"Delete the automations that are not in the file." xor:"import"`
	consent
	changing
}

// Run saves the automations of a file.
func (c *importAutomationsCmd) Run(ctx context.Context) error {
	return c.imports(ctx, os.Stdin, os.Stdout)
}

func (c *importAutomationsCmd) imports(ctx context.Context, in io.Reader, out io.Writer) error {
	if c.DryRun && !c.Replace {
		return usageError("--dry-run goes with --replace")
	}
	data, err := c.read(in)
	if err != nil {
		return err
	}
	return withNewState(ctx, c.Config, func(state *app.State) error {
		if c.Replace {
			if goOn, err := c.agreed(ctx, state, data, out); err != nil || !goOn {
				return err
			}
		}
		before := state.Automations.Set()
		changes, err := deskOf(state).Import(ctx, byUser(), c.File, data, c.Draft, c.Replace, c.Why)
		if err != nil {
			return err
		}
		if err := printList(out, c.asJSON, changes,
			column[automation.Change]{"AUTOMATION", func(c automation.Change) string { return oneLine(c.ID) }},
			column[automation.Change]{"WHAT", func(c automation.Change) string { return c.What }},
			column[automation.Change]{"STATE", func(c automation.Change) string { return string(c.State) }},
			column[automation.Change]{"VERSION", func(c automation.Change) string { return strconv.FormatInt(c.Version, 10) }},
		); err != nil {
			return err
		}
		switch {
		case c.JSON:
		case c.Draft:
			fmt.Fprintln(out, "\nNothing that is live changed. To see what a draft would do, run: milepost automations test ID --draft --contact C\n`milepost automations publish ID` makes it live.")
		default:
			fmt.Fprintln(out, "\n"+nothingYet)
		}
		return c.afterwards(ctx, state, out, before, changes...)
	})
}

// agreed asks before an import deletes automations.
func (c *importAutomationsCmd) agreed(ctx context.Context, state *app.State, data []byte, out io.Writer) (goOn bool, err error) {
	if state.Automations.Source() != "" {
		return false, automation.ErrReadOnly
	}
	file, err := automation.ReadFile(c.File, data)
	if err != nil {
		return false, err
	}
	list, err := state.Automations.List(ctx)
	if err != nil {
		return false, err
	}
	var gone []string
	for _, e := range list {
		if file.Set.Find(e.ID) == nil {
			gone = append(gone, oneLine(e.ID))
		}
	}
	switch {
	case len(gone) > 0:
		return c.ask(c.prose(out), wouldDelete(gone...)...)
	case c.DryRun:
		return c.ask(c.prose(out), "No automation would be deleted.")
	}
	return true, nil
}

// wouldDelete says what it means to delete automations.
func wouldDelete(ids ...string) []string {
	return []string{
		"These automations would be deleted: " + strings.Join(ids, ", ") + ".",
		"What they made would stay, and nobody would get mail. `milepost automations restore` brings one back, switched off.",
	}
}

// nothingYet is said after a change that could concern what exists.
const nothingYet = "Live within 2 seconds. What exists is unchanged until its record changes, or you run `milepost automations apply ID`."

// longestImport is more than mapping.Load takes.
const longestImport = 4 << 20

func (c *importAutomationsCmd) read(in io.Reader) ([]byte, error) {
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	return io.ReadAll(io.LimitReader(in, longestImport))
}

type publishDraftCmd struct {
	ID string `arg:"" help:"Id of the automation."`
	changing
}

// Run makes a draft live.
func (c *publishDraftCmd) Run(ctx context.Context) error { return c.publish(ctx, os.Stdout) }

func (c *publishDraftCmd) publish(ctx context.Context, out io.Writer) error {
	return c.run(ctx, out, func(d *operate.Desk) (automation.Change, error) {
		return d.Publish(ctx, byUser(), c.ID, c.Why)
	}, func(made automation.Change) string {
		return fmt.Sprintf("The draft of %s is live, which is now version %d; it is %s. %s", made.ID, made.Version, made.State, nothingYet)
	})
}

type discardDraftCmd struct {
	ID string `arg:"" help:"Id of the automation."`
	changing
}

// Run drops a draft.
func (c *discardDraftCmd) Run(ctx context.Context) error { return c.discard(ctx, os.Stdout) }

func (c *discardDraftCmd) discard(ctx context.Context, out io.Writer) error {
	return c.run(ctx, out, func(d *operate.Desk) (automation.Change, error) {
		return d.DiscardDraft(ctx, byUser(), c.ID, c.Why)
	}, func(made automation.Change) string {
		if made.What == "deleted" {
			return fmt.Sprintf("The draft of %s is discarded. It was all there was of it, so the automation is deleted; `milepost automations history %s` still shows the draft.", made.ID, made.ID)
		}
		return fmt.Sprintf("The draft of %s is discarded. What is live stays as it is.", made.ID)
	})
}

type enableAutomationCmd struct {
	ID string `arg:"" help:"Id of the automation."`
	consent
	changing
}

// Help explains the command.
func (enableAutomationCmd) Help() string {
	return `One that was off follows each record when that changes next. One that was paused catches up with all records at once: the command first says
what would be replaced, removed and created, and who would be mailed.`
}

// Run switches an automation on.
func (c *enableAutomationCmd) Run(ctx context.Context) error {
	return c.enable(ctx, os.Stdout, isTerminal(os.Stdout))
}

func (c *enableAutomationCmd) enable(ctx context.Context, out io.Writer, terminal bool) error {
	return withQueue(ctx, c.Config, func(state *app.State) error {
		if state.Automations.Source() != "" {
			return automation.ErrReadOnly
		}
		plan, would, err := c.would(ctx, state, terminal)
		switch {
		case err != nil:
			return err
		case c.JSON && c.DryRun:
			return printJSON(out, plan)
		}
		if len(would) > 0 {
			if goOn, err := c.confirm(out, c.JSON, would); err != nil || !goOn {
				return err
			}
		}
		return c.state(ctx, state, out, c.ID, mapping.StateOn, plan != nil)
	})
}

// would says what switching it on does to what exists.
func (c *enableAutomationCmd) would(ctx context.Context, state *app.State, terminal bool) (*automation.ApplyPlan, []string, error) {
	e, err := state.Automations.Show(ctx, c.ID)
	switch {
	case err != nil:
		return nil, nil, err
	case e.State != mapping.StatePaused && c.DryRun:
		return &automation.ApplyPlan{Automation: c.ID, State: mapping.StateOn, People: map[string]int{}},
			[]string{fmt.Sprintf("%s is %s. Switching it on changes nothing that exists, and mails nobody: it follows each record when that changes next.", c.ID, stateOf(e))}, nil
	case e.State != mapping.StatePaused:
		return nil, nil, nil
	}
	plan, err := counted(state, c.Config, c.JSON, terminal, func(r automation.Rehearsals, progress func(done, of int64)) (*automation.ApplyPlan, error) {
		return state.Automations.PlanResume(ctx, r, c.ID, progress)
	})
	if err != nil {
		return nil, nil, err
	}
	return plan, append([]string{fmt.Sprintf("%s was paused, so it catches up.", c.ID)}, planLines(plan)...), nil
}

type disableAutomationCmd struct {
	ID string `arg:"" help:"Id of the automation."`
	changing
}

// Run switches an automation off.
func (c *disableAutomationCmd) Run(ctx context.Context) error {
	return c.switches(ctx, os.Stdout, c.ID, mapping.StateOff)
}

type pauseAutomationCmd struct {
	ID string `arg:"" help:"Id of the automation."`
	changing
}

// Run pauses an automation.
func (c *pauseAutomationCmd) Run(ctx context.Context) error {
	return c.switches(ctx, os.Stdout, c.ID, mapping.StatePaused)
}

// switches switches an automation on or off, or pauses it.
func (c changing) switches(ctx context.Context, out io.Writer, id string, to mapping.State) error {
	return withQueue(ctx, c.Config, func(state *app.State) error { return c.state(ctx, state, out, id, to, false) })
}

// state says, with catchesUp, that the automation was paused.
func (c changing) state(ctx context.Context, state *app.State, out io.Writer, id string, to mapping.State, catchesUp bool) error {
	return c.change(ctx, state, out, func(d *operate.Desk) (automation.Change, error) {
		return d.SetState(ctx, byUser(), id, to, c.Why)
	}, func(made automation.Change) string {
		switch {
		case made.What == "unchanged":
			return fmt.Sprintf("%s is %s already (version %d).", made.ID, made.State, made.Version)
		case catchesUp:
			return fmt.Sprintf("%s is on (version %d), and catches up with all records. `milepost automations apply %s --status` shows how far it is.", made.ID, made.Version, made.ID)
		}
		return fmt.Sprintf("%s is %s (version %d). %s", made.ID, made.State, made.Version, map[mapping.State]string{
			mapping.StateOn:     "It follows each record when that changes next. To reach all records now, run: milepost automations apply " + made.ID,
			mapping.StatePaused: "What it made stays exactly as it is. `milepost automations enable " + made.ID + "` catches up.",
			mapping.StateOff:    "What it made stays as it is. To see and then remove it, run: milepost automations apply " + made.ID,
		}[made.State])
	})
}

type historyCmd struct {
	ID string `arg:"" help:"Id of the automation, which may be deleted."`
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// Run lists versions.
func (c *historyCmd) Run(ctx context.Context) error { return c.list(ctx, os.Stdout) }

func (c *historyCmd) list(ctx context.Context, out io.Writer) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		versions, err := state.Automations.History(ctx, c.ID)
		if err != nil {
			return err
		}
		return printList(out, c.asJSON, versions,
			column[automation.Version]{"VERSION", func(v automation.Version) string { return strconv.FormatInt(v.Version, 10) + mark(v) }},
			column[automation.Version]{"WHEN", func(v automation.Version) string { return v.At.Format(time.RFC3339) }},
			column[automation.Version]{"WHO", func(v automation.Version) string { return oneLine(v.By) }},
			column[automation.Version]{"WHY", func(v automation.Version) string { return oneLine(v.Why) }},
		)
	})
}

func mark(v automation.Version) string {
	switch {
	case v.Live:
		return " live"
	case v.Draft:
		return " draft"
	}
	return ""
}

type diffCmd struct {
	ID string `arg:"" help:"Id of the automation."`
	A  int64  `arg:"" help:"The one version."`
	B  int64  `arg:"" help:"The other version."`
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// Run compares two versions.
func (c *diffCmd) Run(ctx context.Context) error {
	return c.diff(ctx, os.Stdout, isTerminal(os.Stdout))
}

func (c *diffCmd) diff(ctx context.Context, out io.Writer, terminal bool) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		lines, err := state.Automations.Diff(ctx, c.ID, c.A, c.B)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, lines)
		}
		for _, l := range lines {
			if err := printText(out, terminal, l.Mark+" "+l.Text+"\n"); err != nil {
				return err
			}
		}
		return nil
	})
}

type restoreVersionCmd struct {
	ID      string `arg:"" help:"Id of the automation, which may be deleted: it then comes back, and is off."`
	Version int64  `arg:"" help:"The version, as milepost automations history shows it."`
	changing
}

// Run makes an earlier version live.
func (c *restoreVersionCmd) Run(ctx context.Context) error {
	return c.run(ctx, os.Stdout, func(d *operate.Desk) (automation.Change, error) {
		return d.Restore(ctx, byUser(), c.ID, c.Version, c.Why)
	}, func(made automation.Change) string {
		if made.What == "unchanged" {
			return fmt.Sprintf("%s is as in version %d already.", made.ID, c.Version)
		}
		return fmt.Sprintf("%s is as in version %d again, which is now version %d; it is %s. %s", made.ID, c.Version, made.Version, made.State, nothingYet)
	})
}

type deleteAutomationCmd struct {
	ID string `arg:"" help:"Id of the automation."`
	consent
	changing
}

// Run deletes an automation.
func (c *deleteAutomationCmd) Run(ctx context.Context) error { return c.delete(ctx, os.Stdout) }

func (c *deleteAutomationCmd) delete(ctx context.Context, out io.Writer) error {
	return withQueue(ctx, c.Config, func(state *app.State) error {
		if state.Automations.Source() != "" {
			return automation.ErrReadOnly
		}
		if _, err := state.Automations.Show(ctx, c.ID); err != nil {
			return err
		}
		if goOn, err := c.ask(c.prose(out), wouldDelete(c.ID)...); err != nil || !goOn {
			return err
		}
		return c.change(ctx, state, out, func(d *operate.Desk) (automation.Change, error) {
			return d.Delete(ctx, byUser(), c.ID, c.Why)
		}, func(made automation.Change) string {
			return fmt.Sprintf("%s is deleted. What it made stays as it is; to see and then remove it, run: milepost automations apply %s\n`milepost automations restore %s %d` brings it back.",
				made.ID, made.ID, made.ID, made.Version)
		})
	})
}

type recipesCmd struct {
	List  listRecipesCmd `cmd:"" default:"withargs" help:"List the ready-made automations."`
	Show  showRecipeCmd  `cmd:"" help:"Print the YAML of a recipe."`
	Check checkRecipeCmd `cmd:"" help:"Ask whether a location has what a recipe needs: custom fields, tags, stages, meeting types and scopes."`
	Add   addRecipeCmd   `cmd:"" help:"Save a recipe as an automation, switched on or, with --off, off."`
}

type listRecipesCmd struct {
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// recipeRow is a recipe in the list.
type recipeRow struct {
	ID    string           `json:"id"`
	Name  string           `json:"name"`
	Group string           `json:"group"`
	Does  string           `json:"does"`
	Mails []mapping.Mailed `json:"mails"`
	Needs mapping.Needed   `json:"needs"`
	Added *bool            `json:"added,omitempty"` // nil = it was not asked
	Text  string           `json:"text,omitempty"`
}

func recipeRowOf(r mapping.Recipe) recipeRow {
	return recipeRow{ID: r.ID, Name: r.Name, Group: r.Group, Does: r.Does, Mails: append([]mapping.Mailed{}, r.Mails...), Needs: r.Needs}
}

// Run lists the recipes.
func (c *listRecipesCmd) Run(ctx context.Context) error { return c.list(ctx, os.Stdout) }

func (c *listRecipesCmd) list(ctx context.Context, out io.Writer) error {
	if !everRan(c.Config) { // so none is added; people look here first
		var all []operate.Recipe
		for _, r := range mapping.RecipeBook() {
			all = append(all, operate.Recipe{Recipe: r})
		}
		return c.print(out, all)
	}
	return withState(ctx, c.Config, func(state *app.State) error {
		list, err := deskOf(state).Recipes(ctx)
		if err != nil {
			return err
		}
		return c.print(out, list)
	})
}

func (c *listRecipesCmd) print(out io.Writer, list []operate.Recipe) error {
	var rows []recipeRow
	for _, r := range list {
		row, added := recipeRowOf(r.Recipe), r.Added != nil
		row.Added = &added
		rows = append(rows, row)
	}
	return printList(out, c.asJSON, rows,
		column[recipeRow]{"RECIPE", func(r recipeRow) string { return r.ID }},
		column[recipeRow]{"ADDED", func(r recipeRow) string { return map[bool]string{true: "yes", false: "no"}[*r.Added] }},
		column[recipeRow]{"GROUP", func(r recipeRow) string { return r.Group }},
		column[recipeRow]{"MAILS", func(r recipeRow) string { return mailedText(r.Mails) }},
		column[recipeRow]{"WHAT IT DOES", func(r recipeRow) string { return r.Does }},
	)
}

func mailedText(list []mapping.Mailed) string {
	if len(list) == 0 {
		return "nobody"
	}
	texts := make([]string, len(list))
	for i, m := range list {
		texts[i] = m.String()
	}
	return strings.Join(texts, ", ")
}

type showRecipeCmd struct {
	ID string `arg:"" help:"Id of the recipe."`
	asJSON
}

// Run prints a recipe.
func (c *showRecipeCmd) Run() error {
	for _, r := range mapping.RecipeBook() {
		switch {
		case r.ID != c.ID:
		case c.JSON:
			row := recipeRowOf(r)
			row.Text = r.YAML
			return printJSON(os.Stdout, row)
		default:
			_, err := io.WriteString(os.Stdout, r.YAML)
			return err
		}
	}
	return errors.New(automation.NoRecipe(c.ID))
}

type checkRecipeCmd struct {
	ID       string `arg:"" help:"Id of the recipe."`
	Location string `placeholder:"ID" help:"The HighLevel location; the one in the settings by default."`
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// Run asks whether a location has what a recipe needs.
func (c *checkRecipeCmd) Run(ctx context.Context) error { return c.check(ctx, os.Stdout) }

func (c *checkRecipeCmd) check(ctx context.Context, out io.Writer) error {
	location := firstText(c.Location, c.HighLevelLocationID)
	if location == "" {
		return usageError("no location: give --location")
	}
	return withState(ctx, c.Config, func(state *app.State) error {
		desk := operate.New(operate.Config{Store: state.Store, Automations: state.Automations, Connections: state.Connections})
		r, err := desk.Recipe(ctx, c.ID)
		if errors.Is(err, operate.ErrUnknown) {
			return errors.New(automation.NoRecipe(c.ID))
		} else if err != nil {
			return err
		}
		needs, err := desk.Needs(ctx, location, r.Recipe)
		if err != nil {
			return err
		}
		if err := printList(out, c.asJSON, needs,
			column[automation.Need]{"NEEDS", func(n automation.Need) string { return string(n.What) }},
			column[automation.Need]{"NAME", func(n automation.Need) string { return oneLine(n.Name) }},
			column[automation.Need]{"HAS", func(n automation.Need) string { return n.Has }},
		); err != nil || c.JSON || !slices.ContainsFunc(needs, func(n automation.Need) bool { return n.Has == automation.Unknown }) {
			return err
		}
		fmt.Fprintln(out, "\nunknown  A Private Integration Token does not tell its scopes, and without a scope it may not read what needs that.")
		return nil
	})
}

type addRecipeCmd struct {
	ID  string `arg:"" help:"Id of the recipe."`
	Off bool   `help:"Save it switched off."`
	changing
}

// Run saves a recipe as an automation.
func (c *addRecipeCmd) Run(ctx context.Context) error {
	state := mapping.StateOn
	if c.Off {
		state = mapping.StateOff
	}
	add := func(d *operate.Desk) (automation.Change, error) {
		return d.AddRecipe(ctx, byUser(), c.ID, state, c.Why)
	}
	tell := func(made automation.Change) string {
		if c.Off {
			return fmt.Sprintf("%s is off (version %d). `milepost automations enable %s` switches it on.", made.ID, made.Version, made.ID)
		}
		return fmt.Sprintf("%s is %s (version %d). It follows each record when that changes next; to reach all of them now, run: milepost automations apply %s", made.ID, made.State, made.Version, made.ID)
	}
	return withNewState(ctx, c.Config, func(state *app.State) error {
		return c.change(ctx, state, os.Stdout, add, tell)
	})
}
