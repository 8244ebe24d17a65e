// Command milepost receives HighLevel webhooks and keeps CalendarHero in step.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // locations have time zones; the machine may know none

	"github.com/alecthomas/kong"

	"milepost/internal/app"
)

type cli struct {
	Serve       serveCmd       `cmd:"" help:"Receive webhooks and keep CalendarHero in step."`
	Sandbox     sandboxCmd     `cmd:"" help:"Watch it work: Milepost with fakes of HighLevel and CalendarHero, and nothing to set up."`
	Connections connectionsCmd `cmd:"" help:"Show and change the connected locations."`
	Hooks       hooksCmd       `cmd:"" help:"Show and change who is told by CalendarHero's webhooks."`
	Backfill    backfillCmd    `cmd:"" help:"Look through a location for what was never synced, and sync it."`
	Forget      forgetCmd      `cmd:"" help:"Remove a contact's items from CalendarHero and all that is stored of it here."`
	WorkflowKey workflowKeyCmd `cmd:"" help:"Make the URL for the Webhook actions of a location's workflows; rotate, list and revoke its keys."`
	FeedKey     feedKeyCmd     `cmd:"" help:"Make the URL of a location's calendar, or of one contact's or user's; list and revoke its keys."`
	Timeline    timelineCmd    `cmd:"" help:"Show what happened to the items of a location, newest last."`
	Keys        keysCmd        `cmd:"" help:"Make and change the encryption keys of stored tokens."`
	Check       checkCmd       `cmd:"" help:"Try the configured tokens and say what is wrong with them."`
	Health      healthCmd      `cmd:"" help:"Ask the Milepost on this machine whether it is ready."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	parser := kong.Must(&cli{},
		kong.Name("milepost"),
		kong.Description("Milepost keeps CalendarHero in step with HighLevel contacts."),
		kong.Resolvers(app.SecretFiles(os.LookupEnv)),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.ShortUsageOnError(),
	)
	notYet, err := app.CheckEnvironment(parser.Model, os.Environ())
	if err != nil {
		fmt.Fprintln(os.Stderr, "milepost:", err)
		os.Exit(2)
	}
	command, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	for _, name := range notYet {
		fmt.Fprintf(os.Stderr, "milepost: %s is set, but this version does not use it yet\n", name)
	}
	if err := command.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "milepost:", err)
		os.Exit(1)
	}
}
