package main

import (
	"bytes"
	"strings"
	"testing"

	"milepost/internal/app"
	"milepost/internal/people"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

func TestPeopleAreAddedByCommand(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	config := app.Config{DataDir: testdb.DataDir(t), CalendarHeroAuth: "raw"}
	var out bytes.Buffer
	list := listPeopleCmd{Config: config}
	if err := list.list(t.Context(), &out); err != nil || !strings.Contains(out.String(), "milepost people add") {
		t.Errorf("before: %v %s", err, &out)
	}
	signIn := func(name, password string) error {
		return withState(t.Context(), config, func(state *app.State) error {
			_, err := registry(state).SignIn(t.Context(), people.Browser{}, name, password)
			return err
		})
	}
	out.Reset()
	add := addPersonCmd{Name: "Olivia", Role: "operator", Config: config}
	if err := add.run(t.Context(), nil, &out); err != nil {
		t.Fatal(err)
	}
	_, password, told := strings.Cut(strings.TrimSpace(out.String()), "password: ")
	if err := signIn("olivia", password); !told || err != nil {
		t.Errorf("with the password that was printed: %v\n%s", err, &out)
	}
	out.Reset()
	change := passwordCmd{Name: "olivia", newPassword: newPassword{"-"}, Config: config}
	if err := change.run(t.Context(), strings.NewReader("battery staple\n"), &out); err != nil || strings.Contains(out.String(), "battery") {
		t.Errorf("another password: %v\n%s", err, &out)
	}
	if err := signIn("olivia", "battery staple"); err != nil {
		t.Errorf("with the new password: %v", err)
	}
	out.Reset()
	if err := list.list(t.Context(), &out); err != nil || !strings.Contains(out.String(), "olivia  operator") {
		t.Errorf("the list: %v %s", err, &out)
	}
	token := personTokenCmd{Name: "olivia", Label: "reports", Config: config}
	tokens := func(change func(*personTokenCmd)) (string, error) {
		c := token
		change(&c)
		out.Reset()
		err := c.run(t.Context(), &out)
		return out.String(), err
	}
	said, err := tokens(func(*personTokenCmd) {})
	_, secret, _ := strings.Cut(strings.TrimSpace(said), "shown again: ")
	if err != nil || !strings.HasPrefix(secret, "mpt_") {
		t.Errorf("a token: %v %s", err, said)
	}
	if said, err := tokens(func(c *personTokenCmd) { c.List = true }); err != nil || !strings.Contains(said, "1       reports") || strings.Contains(said, secret) {
		t.Errorf("the tokens: %v %s", err, said)
	}
	if _, err := tokens(func(c *personTokenCmd) { c.Label = "" }); err == nil || !strings.Contains(err.Error(), "--label") {
		t.Errorf("a token without a label: %v", err)
	}
	if said, err := tokens(func(c *personTokenCmd) { c.Revoke = 1 }); err != nil || said != "token 1 of olivia is revoked\n" {
		t.Errorf("revoked: %v %s", err, said)
	}
	if said, err := tokens(func(c *personTokenCmd) { c.List = true }); err != nil || !strings.Contains(said, "has no token") {
		t.Errorf("no tokens: %v %s", err, said)
	}
	if _, err := tokens(func(c *personTokenCmd) { c.Revoke = 1 }); err == nil {
		t.Error("a token is revoked twice")
	}
	remove := removePersonCmd{Name: "oliver", Config: config}
	if err := remove.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "olivia") {
		t.Errorf("a mistyped name: %v", err)
	}
	remove.Name = "olivia"
	if err := remove.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := signIn("olivia", "battery staple"); err == nil {
		t.Error("someone who was removed signs in")
	}
}
