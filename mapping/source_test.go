package mapping

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const twoAutomations = `# The first lines say what the file is for.

# Above the first.
- id: one   # a remark
  name: "One"
  on: note.changed
  # in between
  do:
    - note:
        text: |
          - not an entry
          # nor a remark

  # at its end

# Above the second,
#
# in two parts.
- { name: Größe 'Two', enabled: false, on: task.changed, do: [ task: {title: x} ] } # behind

`

func TestTheTextsOfAListAreTheFileByteForByte(t *testing.T) {
	for name, file := range map[string]string{
		"remarks":           twoAutomations,
		"no last line end":  strings.TrimSpace(twoAutomations),
		"wide indentation":  "-   name: One\n    on: note.changed\n    do:\n    - note: {}\n-\n  name: Two\n  on: note.changed\n  do: [note: {}]\n",
		"Windows line ends": strings.ReplaceAll(twoAutomations, "\n", "\r\n"),
		"the recipes":       string(Recipes()),
	} {
		t.Run(name, func(t *testing.T) {
			set := mustLoad(t, file)
			texts, err := Split([]byte(file))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(file, Concat(texts)); diff != "" {
				t.Error(diff)
			}
			if len(texts) != len(set.Automations()) {
				t.Fatalf("got %d texts of %d automations", len(texts), len(set.Automations()))
			}
			for i, text := range texts {
				if got := mustLoad(t, text).Automations(); len(got) != 1 || got[0].ID != set.Automations()[i].ID {
					t.Errorf("text %d is not that of %s:\n%s", i, set.Automations()[i].ID, text)
				}
			}
		})
	}
}

func TestATextIncludesTheCommentsAboveItsAutomation(t *testing.T) {
	texts, err := Split([]byte(twoAutomations))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(texts[0], "# at its end\n\n") || !strings.HasPrefix(texts[1], "# Above the second,\n") {
		t.Errorf("got\n%s", strings.Join(texts, "=====\n"))
	}
}

func TestOtherShapesBecomeAList(t *testing.T) {
	const one = "name: One # the first\non: note.changed\ndo: [note: {}]\n"
	const entry = "- name: One # the first\n  on: note.changed\n  do: [note: {}]\n"
	for shape, c := range map[string]struct{ file, want string }{
		"a document":        {one, entry},
		"documents":         {"---\n" + one + "---\n# Two\nname: Two\non: note.changed\ndo: [note: {}]\n", entry + "# Two\n- name: Two\n  on: note.changed\n  do: [note: {}]\n"},
		"an indented list":  {"  - name: One # the first\n    on: note.changed\n    do: [note: {}]\n", entry},
		"a mapping":         {"automations:\n  # Above\n  - name: One # the first\n    on: note.changed\n    do: [note: {}]\n", "# Above\n" + entry},
		"a list in a line":  {"[{name: One, on: note.changed, do: [note: {}]}]", "- {name: One, on: note.changed, do: [{note: {}}]}\n"},
		"none":              {"[]", "[]\n"},
		"a document in one": {"{name: One, on: note.changed, do: [note: {}]}", "- {name: One, on: note.changed, do: [{note: {}}]}\n"},
	} {
		t.Run(shape, func(t *testing.T) {
			mustLoad(t, c.file)
			texts, err := Split([]byte(c.file))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, Concat(texts)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheStateIsChangedInTheTextAndNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		state State
		want  string
	}{
		"none, and on":        {"- name: A\n  on: note.changed\n  do: [note: {}]\n", StateOn, "- name: A\n  on: note.changed\n  do: [note: {}]\n"},
		"none, and paused":    {"- name: A\n  on: note.changed\n  do: [note: {}]\n", StatePaused, "- name: A\n  state: paused\n  on: note.changed\n  do: [note: {}]\n"},
		"first, and off":      {"# on: first\n- on: note.changed # x\n  name: A\n  do: [note: {}]\n", StateOff, "# on: first\n- state: off\n  on: note.changed # x\n  name: A\n  do: [note: {}]\n"},
		"enabled, and paused": {"- name: A\n  enabled: true   # x\n  on: note.changed\n  do: [note: {}]\n", StatePaused, "- name: A\n  state: paused   # x\n  on: note.changed\n  do: [note: {}]\n"},
		"enabled stays":       {"- name: A\n  enabled: false\n  on: note.changed\n  do: [note: {}]\n", StateOff, "- name: A\n  enabled: false\n  on: note.changed\n  do: [note: {}]\n"},
		"quoted":              {"- name: A\n  state: \"off\" # x\n  on: note.changed\n  do: [note: {}]\n", StateOn, "- name: A\n  state: on # x\n  on: note.changed\n  do: [note: {}]\n"},
		"in a line":           {"- { name: Größe, on: note.changed, do: [note: {}] }", StatePaused, "- { name: Größe, state: paused, on: note.changed, do: [note: {}] }"},
		"in a line, enabled":  {"- { name: Größe, enabled: false, on: note.changed, do: [note: {}] }", StateOn, "- { name: Größe, state: on, on: note.changed, do: [note: {}] }"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := WithState(c.text, c.state)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if is := mustLoad(t, got).Automations()[0].State; is != c.state {
				t.Errorf("it is %s", is)
			}
		})
	}
}

func TestAStateIsOneOfThree(t *testing.T) {
	for text, want := range map[string]string{
		"state: never":             `f.yaml:1: state: must be on, paused or off, this is the value "never"`,
		"state: off, enabled: no":  `f.yaml:1: enabled: goes without state; write state: on, paused or off alone`,
		"state: [on]":              `f.yaml:1: state: must be on, paused or off, this is a list`,
		"state: paused":            "",
		"state: off":               "",
		"state: on, enabled: null": "",
	} {
		_, err := Load("f.yaml", []byte("- { name: A, "+text+", on: note.changed, do: [note: {}] }"))
		if got := errorText(err); got != want && !strings.HasPrefix(got, want+"\n") {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestASetLeavesWhatIsNotOn(t *testing.T) {
	set := mustLoad(t, `
- { name: on, on: note.changed, do: [note: {}] }
- { name: paused, state: paused, on: note.changed, do: [note: {}] }
- { name: off, state: off, on: note.changed, do: [note: {}] }
`)
	all := []string{"on", "paused", "off", "deleted"}
	for _, c := range []struct {
		set  *Set
		want string
	}{{set, "false true true true"}, {set.Removing(all), "false true false false"}, {nil, "true true true true"}} {
		var got []string
		for _, id := range all {
			got = append(got, map[bool]string{true: "true", false: "false"}[c.set.Leaves(id+"/1@x/2")])
		}
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
			t.Error(diff)
		}
	}
}
