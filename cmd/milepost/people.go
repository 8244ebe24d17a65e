package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"milepost/internal/app"
	"milepost/internal/people"
	"milepost/internal/store"
)

type peopleCmd struct {
	List     listPeopleCmd   `cmd:"" default:"withargs" help:"Show who may sign in, and as what."`
	Add      addPersonCmd    `cmd:"" help:"Add a person. Without --password-file, Milepost generates a password and prints it once."`
	Remove   removePersonCmd `cmd:"" help:"Remove a person and end all of the person's sessions."`
	Password passwordCmd     `cmd:"" help:"Set a new password and end all of the person's sessions. Without --password-file, Milepost generates one and prints it once."`
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
	return withState(ctx, c.Config, func(state *app.State) error {
		if err := registry(state).Add(ctx, byCommand, c.Name, password, people.Role(c.Role)); err != nil {
			return fmt.Errorf("add %s: %w", oneLine(c.Name), err)
		}
		fmt.Fprintf(out, "%s can sign in to the console as %s\n", c.Name, c.Role)
		if generated {
			fmt.Fprintf(out, "password: %s\n", password)
		}
		return nil
	})
}

type removePersonCmd struct {
	consent
	Name       string `arg:"" help:"The person's name."`
	app.Config `embed:"" group:"Settings"`
}

// Run removes the person.
func (c *removePersonCmd) Run(ctx context.Context) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		if goOn, err := c.ask(os.Stdout, fmt.Sprintf("%s would be signed out everywhere, and could not sign in again.", c.Name)); err != nil || !goOn {
			return err
		}
		if err := registry(state).Remove(ctx, byCommand, c.Name); err != nil {
			return c.named(ctx, state.Store, err)
		}
		fmt.Printf("%s is removed\n", c.Name)
		return nil
	})
}

// named says who there is if nobody has the name.
func (c *removePersonCmd) named(ctx context.Context, st *store.Store, err error) error {
	list, listErr := st.People(ctx)
	if !errors.Is(err, people.ErrNobody) || listErr != nil || len(list) == 0 {
		return err
	}
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.Name
	}
	return fmt.Errorf("%w; these can sign in: %s", err, strings.Join(names, ", "))
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
		if err := registry(state).SetPassword(ctx, byCommand, c.Name, password); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s has a new password, and is signed out everywhere\n", c.Name)
		if generated {
			fmt.Fprintf(out, "password: %s\n", password)
		}
		return nil
	})
}
