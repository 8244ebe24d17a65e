package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"milepost/internal/app"
	"milepost/internal/people"
	"milepost/internal/store"
	"milepost/mapping"
)

type peopleCmd struct {
	List     listPeopleCmd   `cmd:"" default:"withargs" help:"Show who may sign in, and as what."`
	Add      addPersonCmd    `cmd:"" help:"Add a person. Without --password-file, Milepost generates a password and prints it once."`
	Remove   removePersonCmd `cmd:"" help:"Remove a person and end all of the person's sessions."`
	Password passwordCmd     `cmd:"" help:"Set a new password and end all of the person's sessions. Without --password-file, Milepost generates one and prints it once."`
	Token    personTokenCmd  `cmd:"" help:"Create a token with which a program uses the admin API as this person. It is printed once. --list shows the tokens, --revoke ends one."`
}

// byCommand is who the audit log says did it.
const byCommand = "command line"

// byUser is who the audit log and the histories say changed automations or requests.
func byUser() string {
	name := "user " + strconv.Itoa(os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return byCommand + " (" + name + ")"
}

// registry is what the commands change.
func registry(state *app.State) *people.Registry {
	return people.Open(people.Config{Store: state.Store})
}

type listPeopleCmd struct {
	asJSON
	app.Config `embed:"" group:"Settings"`
}

// personRow is one person in the list.
type personRow struct {
	Name  string    `json:"name"`
	Role  string    `json:"role"`
	Added time.Time `json:"added"`
}

// Run lists the people.
func (c *listPeopleCmd) Run(ctx context.Context) error { return c.list(ctx, os.Stdout) }

func (c *listPeopleCmd) list(ctx context.Context, out io.Writer) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		list, err := registry(state).List(ctx)
		if err != nil {
			return err
		}
		if len(list) == 0 && !c.JSON {
			fmt.Fprintln(out, "Nobody can sign in by password yet: use `milepost people add NAME`.")
			return nil
		}
		rows := make([]personRow, len(list))
		for i, p := range list {
			rows[i] = personRow{p.Name, p.Role, p.CreatedAt}
		}
		return printList(out, c.asJSON, rows,
			column[personRow]{"NAME", func(r personRow) string { return r.Name }},
			column[personRow]{"ROLE", func(r personRow) string { return r.Role }},
			column[personRow]{"ADDED", func(r personRow) string { return r.Added.Format(time.DateOnly) }},
		)
	})
}

// newPassword is how a password is given: a flag would show it in the list of processes.
type newPassword struct {
	PasswordFile string `placeholder:"FILE" help:"Read the password from this file; - reads standard input."`
}

// read returns the password; generated is true if it must be told.
func (p newPassword) read(in io.Reader) (password string, generated bool, err error) {
	var b []byte
	switch p.PasswordFile {
	case "":
		return people.GeneratePassword(), true, nil
	case "-":
		b, err = io.ReadAll(io.LimitReader(in, 4096))
	default:
		b, err = os.ReadFile(p.PasswordFile)
	}
	if err != nil {
		return "", false, fmt.Errorf("read the password: %w", err)
	}
	return strings.TrimRight(string(b), "\r\n"), false, nil
}

type addPersonCmd struct {
	Name string `arg:"" help:"Name to sign in with."`
	Role string `default:"operator" enum:"operator,viewer" help:"What the person may do: operator changes everything, viewer only looks."`
	newPassword
	app.Config `embed:"" group:"Settings"`
}

// Run adds the person.
func (c *addPersonCmd) Run(ctx context.Context) error { return c.run(ctx, os.Stdin, os.Stdout) }

func (c *addPersonCmd) run(ctx context.Context, in io.Reader, out io.Writer) error {
	password, generated, err := c.read(in)
	if err != nil {
		return err
	}
	return withNewState(ctx, c.Config, func(state *app.State) error {
		if err := registry(state).Add(ctx, byCommand, c.Name, password, people.Role(c.Role)); err != nil {
			return fmt.Errorf("add %q: %w", oneLine(c.Name), err)
		}
		fmt.Fprintf(out, "%s can sign in to the console as %s\n", c.Name, c.Role)
		return showPassword(out, c.Name, password, generated)
	})
}

// showPassword prints a generated password, which nothing shows again.
func showPassword(out io.Writer, name, password string, generated bool) error {
	if !generated {
		return nil
	}
	if _, err := fmt.Fprintf(out, "password: %s\n", password); err != nil {
		return fmt.Errorf("the password of %s was set but could not be shown; `milepost people password` sets another: %w", oneLine(name), err)
	}
	return nil
}

type removePersonCmd struct {
	consent
	Name       string `arg:"" help:"The person's name."`
	app.Config `embed:"" group:"Settings"`
}

// Run removes the person.
func (c *removePersonCmd) Run(ctx context.Context) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		if err := personExists(ctx, state.Store, c.Name); err != nil {
			return err
		}
		if goOn, err := c.ask(os.Stdout, fmt.Sprintf("%s would be signed out everywhere, and could not sign in again.", c.Name)); err != nil || !goOn {
			return err
		}
		if err := registry(state).Remove(ctx, byCommand, c.Name); err != nil {
			return err
		}
		fmt.Printf("%s is removed\n", c.Name)
		return nil
	})
}

// personExists says who there is if nobody has the name.
func personExists(ctx context.Context, st *store.Store, called string) error {
	list, err := st.People(ctx)
	if err != nil {
		return err
	}
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.Name
	}
	switch {
	case slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, called) }):
		return nil
	case len(names) == 0:
		return fmt.Errorf("no person is called %q, and nobody can sign in by password", called)
	}
	return fmt.Errorf("no person is called %q; %s", called, mapping.DidYouMean(called, names, "these can sign in: "+strings.Join(names, ", ")))
}

type passwordCmd struct {
	Name string `arg:"" help:"The person's name."`
	newPassword
	app.Config `embed:"" group:"Settings"`
}

// Run sets the password.
func (c *passwordCmd) Run(ctx context.Context) error { return c.run(ctx, os.Stdin, os.Stdout) }

func (c *passwordCmd) run(ctx context.Context, in io.Reader, out io.Writer) error {
	password, generated, err := c.read(in)
	if err != nil {
		return err
	}
	return withState(ctx, c.Config, func(state *app.State) error {
		if err := personExists(ctx, state.Store, c.Name); err != nil {
			return err
		}
		if err := registry(state).SetPassword(ctx, byCommand, c.Name, password); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s has a new password, and is signed out everywhere\n", c.Name)
		return showPassword(out, c.Name, password, generated)
	})
}

type personTokenCmd struct {
	Name  string `arg:"" help:"The person's name."`
	Label string `xor:"what" placeholder:"TEXT" help:"What the token is for."`
	List  bool   `xor:"what" help:"List the person's tokens instead of creating one. Only their numbers and labels are stored, not the tokens."`
	asJSON
	consent
	Revoke     int64 `xor:"what" placeholder:"NUMBER" help:"Revoke a token now: the number that --list shows."`
	app.Config `embed:"" group:"Settings"`
}

// Run creates a token and prints it, or lists or revokes tokens.
func (c *personTokenCmd) Run(ctx context.Context) error { return c.run(ctx, os.Stdout) }

// tokenRow is one token in the list.
type tokenRow struct {
	ID    int64     `json:"id"`
	Label string    `json:"label"`
	By    string    `json:"made_by"`
	Made  time.Time `json:"made"`
	Used  time.Time `json:"last_used,omitzero"`
}

func (c *personTokenCmd) run(ctx context.Context, out io.Writer) error {
	if c.DryRun && c.Revoke == 0 {
		return usageError("--dry-run goes with --revoke")
	}
	return withState(ctx, c.Config, func(state *app.State) error {
		if c.List || c.Revoke != 0 {
			if err := personExists(ctx, state.Store, c.Name); err != nil {
				return err
			}
		}
		r := registry(state)
		switch {
		case c.List:
			return c.list(ctx, out, r)
		case c.Revoke != 0:
			return c.revoke(ctx, out, r)
		}
		token, err := r.NewToken(ctx, byCommand, c.Name, c.Label)
		if errors.Is(err, people.ErrInvalid) {
			return usageError(err.Error() + ": add --label")
		}
		if err != nil {
			return err
		}
		if c.JSON {
			err = printJSON(out, map[string]string{"name": c.Name, "label": c.Label, "token": token})
		} else {
			_, err = fmt.Fprintf(out, "token of %s, which is not shown again: %s\n", c.Name, token)
		}
		if err != nil {
			return fmt.Errorf("the token was created but could not be shown; --list shows its number, --revoke ends it: %w", err)
		}
		return nil
	})
}

// revoke asks, and revokes a token.
func (c *personTokenCmd) revoke(ctx context.Context, out io.Writer, r *people.Registry) error {
	list, err := r.Tokens(ctx, c.Name)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(list, func(t store.PersonToken) bool { return t.ID == c.Revoke })
	if at < 0 {
		return fmt.Errorf("%s has no token %d; --list shows those that there are", oneLine(c.Name), c.Revoke)
	}
	if goOn, err := c.ask(c.prose(out), fmt.Sprintf("The token %d of %s (%s) would stop working now. Programs that use it would get 401.", c.Revoke, c.Name, oneLine(list[at].Label))); err != nil || !goOn {
		return err
	}
	if err := r.RevokeToken(ctx, byCommand, c.Name, c.Revoke); err != nil {
		return fmt.Errorf("token %d of %s: %w", c.Revoke, oneLine(c.Name), err)
	}
	if c.JSON {
		return printJSON(out, map[string]int{"revoked": 1})
	}
	fmt.Fprintf(out, "token %d of %s is revoked\n", c.Revoke, c.Name)
	return nil
}

func (c *personTokenCmd) list(ctx context.Context, out io.Writer, r *people.Registry) error {
	list, err := r.Tokens(ctx, c.Name)
	if err != nil {
		return err
	}
	if len(list) == 0 && !c.JSON {
		fmt.Fprintf(out, "%s has no token: use `milepost people token %s --label TEXT`.\n", c.Name, c.Name)
		return nil
	}
	rows := make([]tokenRow, len(list))
	for i, t := range list {
		rows[i] = tokenRow{t.ID, t.Label, t.By, t.CreatedAt, t.SeenAt}
	}
	return printList(out, c.asJSON, rows,
		column[tokenRow]{"NUMBER", func(r tokenRow) string { return strconv.FormatInt(r.ID, 10) }},
		column[tokenRow]{"LABEL", func(r tokenRow) string { return r.Label }},
		column[tokenRow]{"MADE", func(r tokenRow) string { return r.Made.Format(time.DateOnly) }},
		column[tokenRow]{"LAST USED", func(r tokenRow) string {
			if r.Used.IsZero() {
				return "never"
			}
			return r.Used.Format(time.DateOnly)
		}},
	)
}
