package e2e_test

import (
	"os"
	"path/filepath"
	"testing"

	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
)

func TestTheStartWarnsOfNamesThatALocationDoesNotHaveAndIsStoppedByNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte(`- name: A
  on: contact.changed
  if: contact.milestone_datee == "x"
  do:
    - event: { title: x, start: "{{ contact.milestone_date }}", type: cal }
    - highlevel_task: { title: x, due: "{{ contact.milestone_date }}", assigned_to: dana@secret.example }
`), 0o600); err != nil {
		t.Fatal(err)
	}
	w := setup(t, logged, func(w *world, _ *hlfake.Config) { w.cfg.Automations = file })
	w.wantLine(`"warn"`, location, `"line":3`, `"field":"if"`, "the location has no field contact.milestone_datee; did you mean contact.milestone_date?")
	w.wantLine(`"warn"`, `"line":5`, `unknown meeting type \"cal\"; did you mean \"call\"?`)
	w.wantLine(`"warn"`, `"line":6`, "the location has no user with this id")
	if lines := w.log.lines("secret.example"); len(lines) != 0 {
		t.Errorf("the log has an address: %v", lines)
	}

	w.stop()
	w.hl.Faults().Next("GET /locations/{locationId}/customFields", 1, fakehttp.Say(403, `{"statusCode":403,"message":"The token does not have access to this location."}`))
	w.start()
	w.wantLine(`"warn"`, location, "could not check the custom fields in "+file)

	w.postSigned(event("ContactUpdate", w.contact("Jane", "Doe", "jane@example.com")))
	w.settle() // it works all the same
}

func TestTheOutcomeSaysWhatAConditionSawAndTheLogDoesNot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte("- { name: A, on: contact.changed, if: contact.last_name == 'x', do: [contact: {}] }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := setup(t, logged, func(w *world, _ *hlfake.Config) { w.cfg.Automations = file })
	id := w.contact("Jane", "Secretperson", "jane@example.com")
	w.postSigned(event("ContactUpdate", id))
	w.settle()
	if got, want := w.lastOutcome(), `skipped: A: the condition is not met: contact.last_name is "Secretperson"`; got != want {
		t.Errorf("it became %q, want %q", got, want)
	}
	w.wantLine(`"synced"`, id, "A: the condition is not met")
	if lines := w.log.lines("Secretperson"); len(lines) != 0 {
		t.Errorf("the log has a name: %v", lines)
	}
}
