package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rs/zerolog"

	"milepost/internal/app"
	"milepost/internal/connection"
	"milepost/internal/operate"
)

type connectionsCmd struct {
	List   listConnectionsCmd  `cmd:"" default:"withargs" help:"Show every location with its state, and what to do if it is not active."`
	Set    setConnectionCmd    `cmd:"" help:"Connect a location by a Private Integration Token, rotate the token, or give the location its own CalendarHero account."`
	Allow  allowAgencyCmd      `cmd:"" help:"Allow an agency to connect its locations by OAuth."`
	Remove removeConnectionCmd `cmd:"" help:"Delete the tokens of a location, and skip its events from then on."`
}

type listConnectionsCmd struct {
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// connectionRow is one location in the list.
type connectionRow struct {
	Location  string `json:"location"`
	Name      string `json:"name"`
	By        string `json:"by"`
	State     string `json:"state"`
	TokenDays *int   `json:"token_days"` // null if the token's age is not known
	Todo      string `json:"what_to_do"`
}

// Run lists the connections.
func (c *listConnectionsCmd) Run(ctx context.Context) error { return c.list(ctx, os.Stdout) }

// sayNone says how to connect the first location.
func (c *listConnectionsCmd) sayNone(out io.Writer, byAgency bool, allowed string) {
	switch {
	case byAgency:
		fmt.Fprintf(out, "No location is connected: the app is not installed in any location of agency %s yet. In HighLevel's Marketplace, open the app and install it in the locations that Milepost should serve.\n", allowed)
	case c.HighLevelLocationID != "":
		fmt.Fprintf(out, "No location is connected yet. `milepost serve` connects location %s, which the settings name.\n", c.HighLevelLocationID)
	default:
		fmt.Fprintln(out, "No location is connected. Install the app at /oauth/highlevel/install, or use `milepost connections set`.")
	}
}

// rowOf is a connection with what is to be done for it.
func rowOf(conn operate.Connection) connectionRow {
	row := connectionRow{Location: conn.LocationID, Name: conn.Name, By: conn.Source, State: string(conn.State), Todo: conn.Todo}
	if conn.TokenAge != nil {
		days := int(conn.TokenAge.Hours() / 24)
		row.TokenDays = &days
	}
	return row
}

func (c *listConnectionsCmd) list(ctx context.Context, out io.Writer) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		list, _, err := deskOf(state).ConnectionPage(ctx, "", 0)
		if err != nil {
			return err
		}
		agencies, err := state.Store.Agencies(ctx)
		if err != nil {
			return err
		}
		rows := []connectionRow{}
		for _, conn := range list {
			rows = append(rows, rowOf(conn))
		}
		if c.JSON {
			if agencies == nil {
				agencies = []string{}
			}
			return printJSON(out, map[string]any{"agencies": agencies, "locations": rows})
		}
		allowed := strings.Join(agencies, ", ")
		if allowed == "" {
			allowed = "none yet; the first agency that installs it, or the one that you name with `milepost connections allow`"
		}
		fmt.Fprintf(out, "Agencies that may install the app: %s\n\n", allowed)
		if len(rows) == 0 {
			c.sayNone(out, len(agencies) > 0, allowed)
			return nil
		}
		return printList(out, c.asJSON, rows,
			column[connectionRow]{"LOCATION", func(r connectionRow) string { return r.Location }},
			column[connectionRow]{"NAME", func(r connectionRow) string { return r.Name }},
			column[connectionRow]{"BY", func(r connectionRow) string { return r.By }},
			column[connectionRow]{"STATE", func(r connectionRow) string { return r.State }},
			column[connectionRow]{"TOKEN", connectionRow.tokenAge},
			column[connectionRow]{"WHAT TO DO", func(r connectionRow) string { return r.Todo }},
		)
	})
}

func (r connectionRow) tokenAge() string {
	if r.TokenDays == nil {
		return "-"
	}
	return fmt.Sprintf("%d days", *r.TokenDays)
}

type setConnectionCmd struct {
	app.Config            `embed:"" group:"Settings"`
	Location              string `arg:"" help:"Id of the HighLevel location."`
	HighLevelTokenFile    string `name:"token-file" type:"existingfile" placeholder:"FILE" help:"File with its Private Integration Token. Milepost keeps the old token as a second choice while it is valid."`
	CalendarHeroTokenFile string `name:"calendarhero-file" type:"existingfile" placeholder:"FILE" help:"File with the token of its CalendarHero account."`
	Force                 bool   `help:"Store the tokens even if they do not work now."`
}

// Run stores the tokens, encrypted.
func (c *setConnectionCmd) Run(ctx context.Context) error {
	if c.HighLevelTokenFile == "" && c.CalendarHeroTokenFile == "" {
		return usageError("give --token-file, --calendarhero-file or both; milepost reads tokens from files, so that the list of processes does not show them")
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
			return fmt.Errorf("%s must contain exactly one token", path)
		}
	}
	return withNewState(ctx, c.Config, func(state *app.State) error {
		connect := func(force bool) error {
			return deskOf(state).ConnectByTokens(ctx, byCommand, c.Location, tokens[0], tokens[1], force)
		}
		err := connect(false)
		if _, rejected := errors.AsType[*connection.Rejected](err); rejected && c.Force {
			fmt.Fprintf(os.Stderr, "milepost: the tokens do not work now; --force stores them anyway: %v\n", err)
			err = connect(true)
		} else if rejected {
			return fmt.Errorf("%w\nnothing was stored; to store the tokens anyway, add --force", err)
		}
		if err != nil {
			return err
		}
		fmt.Printf("location %s is connected; a running milepost uses it within a second\n", c.Location)
		return nil
	})
}

type allowAgencyCmd struct {
	consent
	app.Config `embed:"" group:"Settings"`
	Company    string `arg:"" help:"Id of the agency (companyId); the page that rejects an installation shows it."`
}

// Run allows the agency.
func (c *allowAgencyCmd) Run(ctx context.Context) error {
	return withNewState(ctx, c.Config, func(state *app.State) error {
		would, err := deskOf(state).WouldAllow(ctx, c.Company)
		if err != nil {
			return err
		}
		if goOn, err := c.ask(os.Stdout, would...); err != nil || !goOn {
			return err
		}
		if err := deskOf(state).AllowAgency(ctx, byCommand, c.Company); err != nil {
			return err
		}
		fmt.Printf("agency %s may connect its locations; install the app there at /oauth/highlevel/install\n", c.Company)
		return nil
	})
}

type removeConnectionCmd struct {
	consent
	app.Config `embed:"" group:"Settings"`
	Location   string `arg:"" help:"Id of the HighLevel location."`
}

// Run drops the tokens.
func (c *removeConnectionCmd) Run(ctx context.Context) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		desk := deskOf(state)
		would, err := desk.WouldDisconnect(ctx, c.Location)
		if err != nil {
			return err
		}
		if goOn, err := c.ask(os.Stdout, would...); err != nil || !goOn {
			return err
		}
		said, err := desk.Disconnect(ctx, byCommand, c.Location)
		if err != nil {
			return err
		}
		if said != "" {
			fmt.Println(said)
		}
		fmt.Printf("location %s is removed, with its workflow and feed keys; items in CalendarHero stay\n", c.Location)
		return nil
	})
}

// everRan reports whether there is a database to look into.
func everRan(cfg app.Config) bool { return cfg.FindData("milepost.db") == nil }

// withState opens the state for the length of a command. It fails, and creates nothing, if
// there is none.
func withState(ctx context.Context, cfg app.Config, do func(*app.State) error) error {
	if err := cfg.FindData("milepost.db"); err != nil {
		return err
	}
	return withNewState(ctx, cfg, do)
}

// withNewState is withState for commands that may come before the first `milepost serve`: it
// creates the data if there is none.
func withNewState(ctx context.Context, cfg app.Config, do func(*app.State) error) (err error) {
	state, err := app.OpenState(ctx, cfg, zerolog.Nop())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, state.Store.Close()) }()
	return do(state)
}
