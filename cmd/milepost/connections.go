package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rs/zerolog"

	"milepost/internal/app"
	"milepost/internal/secret"
	"milepost/internal/store"
)

type connectionsCmd struct {
	List   listConnectionsCmd  `cmd:"" default:"withargs" help:"Show every location with its state, and what to do where it is not active."`
	Set    setConnectionCmd    `cmd:"" help:"Connect a location by a Private Integration Token, rotate that, or give it a CalendarHero account of its own."`
	Allow  allowAgencyCmd      `cmd:"" help:"Let the locations of an agency be connected by OAuth, beside those that may be already."`
	Remove removeConnectionCmd `cmd:"" help:"Drop the tokens of a location; its events are skipped from then on."`
}

type listConnectionsCmd struct {
	app.Config `embed:""`
}

// Run lists the connections.
func (c *listConnectionsCmd) Run(ctx context.Context) error { return c.list(ctx, os.Stdout) }

func (c *listConnectionsCmd) list(ctx context.Context, out io.Writer) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		list, err := state.Store.Connections(ctx)
		if err != nil {
			return err
		}
		agencies, err := state.Store.Agencies(ctx)
		if err != nil {
			return err
		}
		allowed := strings.Join(agencies, ", ")
		if allowed == "" {
			allowed = "none yet; the first that installs it, or what `milepost connections allow` names"
		}
		fmt.Fprintf(out, "Agencies that may install the app: %s\n\n", allowed)
		if len(list) == 0 {
			fmt.Fprintln(out, "No location is connected. Install the app at /oauth/highlevel/install, or use `milepost connections set`.")
			return nil
		}
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "LOCATION\tNAME\tBY\tSTATE\tTOKEN\tWHAT TO DO")
		for _, conn := range list {
			token := "-"
			todo := conn.Problem
			age, rotate, ok, err := state.Connections.TokenAge(ctx, conn)
			if err != nil && !errors.Is(err, secret.ErrUnknownKey) {
				return err
			} else if err != nil {
				todo = err.Error()
			}
			if _, err := state.Connections.Lookup(ctx, conn.LocationID); err != nil && conn.State != store.ConnectionRemoved {
				todo = err.Error()
			}
			if ok {
				token = fmt.Sprintf("%d days", int(age.Hours()/24))
			}
			if rotate {
				todo = strings.TrimPrefix(todo+"; rotate the token", "; ")
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", conn.LocationID, conn.Name, conn.Source, conn.State, token, todo)
		}
		return table.Flush()
	})
}

type setConnectionCmd struct {
	app.Config            `embed:""`
	Location              string `arg:"" help:"Id of the HighLevel location."`
	HighLevelTokenFile    string `name:"token-file" type:"existingfile" placeholder:"FILE" help:"File that holds its Private Integration Token; the one before is kept behind it while it is still valid."`
	CalendarHeroTokenFile string `name:"calendarhero-file" type:"existingfile" placeholder:"FILE" help:"File that holds the token of its CalendarHero account."`
}

// Run stores the tokens, encrypted.
func (c *setConnectionCmd) Run(ctx context.Context) error {
	if c.HighLevelTokenFile == "" && c.CalendarHeroTokenFile == "" {
		return errors.New("give --token-file, --calendarhero-file or both; tokens are read from files so that they do not show in the list of processes")
	}
	var tokens [2]string
	for i, path := range []string{c.HighLevelTokenFile, c.CalendarHeroTokenFile} {
		if path == "" {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if tokens[i] = strings.TrimSpace(string(b)); tokens[i] == "" || strings.ContainsAny(tokens[i], " \t\n") {
			return fmt.Errorf("%s does not hold one token", path)
		}
	}
	return withState(ctx, c.Config, func(state *app.State) error {
		if err := state.Connections.Set(ctx, c.Location, tokens[0], tokens[1]); err != nil {
			return err
		}
		fmt.Printf("location %s is set; a running milepost uses it within a second\n", c.Location)
		return nil
	})
}

type allowAgencyCmd struct {
	app.Config `embed:""`
	Company    string `arg:"" help:"Id of the agency (companyId), as the refusal page shows it."`
}

// Run allows the agency.
func (c *allowAgencyCmd) Run(ctx context.Context) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		if err := state.Store.AllowAgency(ctx, c.Company, time.Now()); err != nil {
			return err
		}
		fmt.Printf("the locations of agency %s may be connected; install the app there at /oauth/highlevel/install\n", c.Company)
		return nil
	})
}

type removeConnectionCmd struct {
	app.Config `embed:""`
	Location   string `arg:"" help:"Id of the HighLevel location."`
}

// Run drops the tokens.
func (c *removeConnectionCmd) Run(ctx context.Context) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		if _, ok, err := state.Store.Connection(ctx, c.Location); err != nil || !ok {
			return errors.Join(err, fmt.Errorf("location %s is not connected", c.Location))
		}
		said, err := state.Connections.Remove(ctx, c.Location)
		if err != nil {
			return err
		}
		if said != "" {
			fmt.Println(said)
		}
		fmt.Printf("location %s is removed, its workflow and feed keys too; what was made in CalendarHero stays\n", c.Location)
		return nil
	})
}

// withState opens the state for the length of a command.
func withState(ctx context.Context, cfg app.Config, do func(*app.State) error) (err error) {
	state, err := app.OpenState(ctx, cfg, zerolog.Nop())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, state.Store.Close()) }()
	return do(state)
}
