package main

import (
	"bytes"
	"strings"
	"testing"

	"milepost/internal/app"
	"milepost/internal/people"
)

func TestPeopleAreAddedByCommand(t *testing.T) {
	t.Parallel()
	config := app.Config{DataDir: t.TempDir(), CalendarHeroAuth: "raw"}
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
