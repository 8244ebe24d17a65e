// Command milepost receives HighLevel webhooks and keeps CalendarHero in step.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	_ "time/tzdata" // locations have time zones; the machine may know none

	"github.com/alecthomas/kong"

	"milepost/internal/app"
)

type cli struct {
	Serve       serveCmd       `cmd:"" help:"Receive webhooks and keep CalendarHero in step."`
	Sandbox     sandboxCmd     `cmd:"" help:"Watch it work: Milepost with fakes of HighLevel and CalendarHero, and nothing to set up."`
	Connections connectionsCmd `cmd:"" help:"Show and change the connected locations."`
	Hooks       hooksCmd       `cmd:"" help:"Show, register and delete Milepost's webhooks at CalendarHero."`
	Automations automationsCmd `cmd:"" help:"Show and change the automations, and see what a change would do."`
	Recipes     recipesCmd     `cmd:"" help:"Show the ready-made automations, and add one."`
	Backfill    backfillCmd    `cmd:"" help:"Find records that Milepost never synced, and sync them."`
	Forget      forgetCmd      `cmd:"" help:"Remove a contact's items from CalendarHero, and erase all data that Milepost stores about it."`
	Removals    removalsCmd    `cmd:"" help:"Show items that Milepost keeps because many records vanished at once, and allow their removal."`
	Invites     invitesCmd     `cmd:"" help:"Show open requests that stay with the account's owner although their automation invites others, and let them invite."`
	Requests    requestsCmd    `cmd:"" help:"Show requests of automations whose effect is not known, or that were stopped; settle and release them."`
	WorkflowKey workflowKeyCmd `cmd:"" help:"Create the URL for the Webhook actions of a location's workflows; list, rotate and revoke its keys."`
	FeedKey     feedKeyCmd     `cmd:"" help:"Create the URL of a calendar feed for a location, contact or user; list and revoke its keys."`
	Attention   attentionCmd   `cmd:"" help:"Show what failed or waits for you, grouped by its cause, and what to do; retry, acknowledge and snooze it."`
	Alerts      alertsCmd      `cmd:"" help:"Show by which channels Milepost tells you what is wrong, and what it told; send a test message."`
	Deliveries  deliveriesCmd  `cmd:"" help:"Show the outcome of each webhook and the reason, newest last; replay webhooks."`
	Explain     explainCmd     `cmd:"" help:"Say why something happened to a webhook or record, or why nothing did, and what to do."`
	Timeline    timelineCmd    `cmd:"" help:"Show what happened to the items of a location, newest last."`
	Catalog     catalogCmd     `cmd:"" help:"List every trigger, and every operation of both vendors that an automation can call."`
	People      peopleCmd      `cmd:"" help:"Show who may sign in to the console; add and remove people, and set their passwords."`
	Keys        keysCmd        `cmd:"" help:"Generate, rotate and drop the encryption keys of stored tokens."`
	Check       checkCmd       `cmd:"" help:"Test the tokens, the settings and the automations, and say what to fix."`
	Backup      backupCmd      `cmd:"" help:"Write an archive of the data directory, also while serve runs."`
	Restore     restoreCmd     `cmd:"" help:"Put an archive of backup into an empty data directory."`
	Move        moveCmd        `cmd:"" help:"Move the data directory to PostgreSQL, while serve does not run."`
	Recover     recoverCmd     `cmd:"" help:"Choose what to do with stored webhooks after milepost.db was lost."`
	Health      healthCmd      `cmd:"" help:"Ask the Milepost on this machine whether it is ready; exits 1 if not."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
	Help        helpCmd        `cmd:"" help:"Print the commands, or the flags of one command."`
}

// helpCmd is only listed: run turns "help COMMAND" into "COMMAND --help".
type helpCmd struct {
	Command []string `arg:"" optional:"" help:"The command."`
}

// The exit statuses, which scripts may rely on.
const (
	exitOK     = 0
	exitFailed = 1 // the command was understood, and failed
	exitUsage  = 2 // the command line or the environment is wrong; nothing was done
)

// usageError is a mistake of the command line that the parser does not see.
type usageError string

func (e usageError) Error() string { return string(e) }

func main() {
	os.Exit(run(os.Args[1:]))
}

// run runs the command line and returns the exit status.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), endingSignals()...)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	parser := newParser(ctx)
	switch {
	case len(args) == 0:
		args = []string{"--help"}
	case args[0] == "help":
		args = append(args[1:], "--help")
	case args[0] == "--version", len(args) == 1 && strings.EqualFold(args[0], "-v"):
		args = []string{"version"}
	}
	if !slices.Contains(args, "--help") && !slices.Contains(args, "-h") {
		if err := app.CheckEnvironment(parser.Model, os.Environ()); err != nil {
			fmt.Fprintln(os.Stderr, "milepost:", err)
			return exitUsage
		}
	}
	if err := app.DropEmpty(os.Environ()); err != nil {
		fmt.Fprintln(os.Stderr, "milepost:", err)
		return exitFailed
	}
	command, err := parser.Parse(args)
	switch {
	case errors.Is(err, app.ErrAutomations):
		fmt.Fprintln(os.Stderr, "milepost:", err)
		return exitFailed
	case err != nil:
		for _, line := range wrongUsage(parser, args, err) {
			fmt.Fprintln(os.Stderr, "milepost:", line)
		}
		return exitUsage
	}
	if empty := emptyArgument(command); empty != "" {
		fmt.Fprintf(os.Stderr, "milepost: %s is empty; perhaps a variable of the shell is not set\n", empty)
		return exitUsage
	}
	for _, flag := range secretFlags(command) {
		fmt.Fprintf(os.Stderr, "milepost: --%s shows a secret in the list of processes; set %s or %s_FILE instead\n", flag.Name, flag.Envs[0], flag.Envs[0])
	}
	err = command.Run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "milepost:", err)
	}
	if _, ok := errors.AsType[usageError](err); ok {
		fmt.Fprintf(os.Stderr, "milepost: `milepost %s --help` lists its flags\n", command.Selected().Path())
		return exitUsage
	} else if err != nil {
		return exitFailed
	}
	return exitOK
}

// newParser returns the parser of the command line, which knows all commands and flags.
func newParser(ctx context.Context) *kong.Kong {
	return kong.Must(&cli{},
		kong.Name("milepost"),
		kong.Description("Milepost keeps CalendarHero in step with HighLevel contacts.\n\nExit status: 0 done, 1 failed, 2 wrong command line or environment."),
		kong.Resolvers(app.SecretFiles(os.LookupEnv)),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.ExplicitGroups([]kong.Group{{
			Key: "Settings", Title: "Settings:", Description: "You can also set these in the environment, by the name behind each. docs/configuration.md explains them.",
		}}),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
}

// endingSignals are those after which a command finishes what it is doing. A
// terminal that is closed sends SIGHUP, unless nohup has it ignored.
func endingSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// secretFlags are the flags of the command line that hold a secret.
func secretFlags(command *kong.Context) (flags []*kong.Flag) {
	for _, part := range command.Path {
		if part.Flag != nil && !part.Resolved && part.Flag.Tag.Has("secret") && len(part.Flag.Envs) > 0 {
			flags = append(flags, part.Flag)
		}
	}
	return flags
}
