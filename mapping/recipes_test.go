package mapping

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEachRecipeSaysWhatItDoes(t *testing.T) {
	book := RecipeBook()
	if len(book) != len(recipeTexts) {
		t.Errorf("%d recipes and %d texts", len(book), len(recipeTexts))
	}
	groups := map[string]int{}
	for _, r := range book {
		if r.Does == "" || !slices.Contains(Groups(), r.Group) || len(r.Needs.Scopes) == 0 {
			t.Errorf("%s is described as %+v", r.ID, r)
		}
		groups[r.Group]++
		if set, err := Load(r.ID, []byte(r.YAML)); err != nil || len(set.Automations()) != 1 || set.Automations()[0].ID != r.ID {
			t.Errorf("the text of %s is not that of a recipe: %v", r.ID, err)
		}
	}
	for _, g := range Groups() {
		if groups[g] == 0 {
			t.Errorf("there is no recipe of the group %s", g)
		}
	}
}

func TestWhatARecipeNeeds(t *testing.T) {
	set := mustLoad(t, `
- name: A
  state: off
  on: milestone.changed
  milestone: { name: contact.milestone, date: contact.milestone_date }
  if: contact.budget > 5
  do: [event: { title: x, start: "{{ milestone.date }}", type: showing }]
- name: B
  on: milestone.changed
  milestone: { stage: Proposal, date: opportunity.closing_date }
  if: opportunity.source_code == "x"
  do: [highlevel_note: { text: x }]
- name: C
  on: contact.tagged
  tag: VIP
  do: [contact: {}]
`)
	want := []Needed{
		{
			Fields:       []NeededField{{"contact", "milestone", "TEXT"}, {"contact", "milestone_date", "DATE"}, {"contact", "budget", "TEXT"}},
			MeetingTypes: []string{"showing"},
			Scopes:       []string{"contacts.readonly", "locations.readonly", "locations/customFields.readonly"},
		},
		{
			Fields: []NeededField{{"opportunity", "closing_date", "DATE"}}, Stages: []string{"Proposal"},
			Scopes: []string{"contacts.readonly", "contacts.write", "locations.readonly", "locations/customFields.readonly", "opportunities.readonly"},
		},
		{Tags: []string{"vip"}, Scopes: []string{"contacts.readonly", "locations.readonly"}},
	}
	for i, a := range set.Automations() {
		if diff := cmp.Diff(want[i], a.Needed()); diff != "" {
			t.Errorf("%s: %s", a.Name, diff)
		}
	}
	if name := want[0].Fields[1].Name(); name != "Milestone Date" {
		t.Errorf("the field is called %q", name)
	}
}

// The cookbook is made from the recipes.
func TestTheCookbookIsThatOfTheRecipes(t *testing.T) {
	const path = "../docs/recipes.md"
	var page strings.Builder
	page.WriteString("# Recipes\n\n<!-- Made from the recipes: go test ./mapping -run TheCookbook -update -->\n\n" +
		"Milepost ships with these automations. Those marked *on* are switched on in a new installation. `milepost recipes list` lists them,\n" +
		"and `milepost recipes add ID` adds one. [automations.md](automations.md) explains what is in them.\n")
	group := ""
	for _, r := range RecipeBook() {
		if r.Group != group {
			group = r.Group
			fmt.Fprintf(&page, "\n## %s%s\n", strings.ToUpper(group[:1]), group[1:])
		}
		on := "off"
		if r.On {
			on = "on"
		}
		fmt.Fprintf(&page, "\n### %s\n\n%s\n\n| | |\n|---|---|\n| id | `%s` |\n| state | %s |\n", r.Name, r.Does, r.ID, on)
		row := func(name string, values []string) {
			if len(values) > 0 {
				fmt.Fprintf(&page, "| %s | %s |\n", name, strings.Join(values, ", "))
			}
		}
		var fields []string
		for _, f := range r.Needs.Fields {
			fields = append(fields, fmt.Sprintf("`%s.%s` (%s)", f.Model, f.Key, f.Type))
		}
		row("custom fields", fields)
		row("tags", r.Needs.Tags)
		row("stages", r.Needs.Stages)
		row("meeting types", r.Needs.MeetingTypes)
		row("HighLevel scopes", r.Needs.Scopes)
		var mails []string
		for _, m := range r.Mails {
			mails = append(mails, m.String())
		}
		if len(mails) == 0 {
			mails = []string{"nobody"}
		}
		row("mails", mails)
		var yaml []string
		for line := range strings.Lines(r.YAML) {
			if len(yaml) > 0 || !strings.HasPrefix(line, "#") && strings.TrimSpace(line) != "" {
				yaml = append(yaml, line)
			}
		}
		fmt.Fprintf(&page, "\n```yaml\n%s```\n", strings.Join(yaml, ""))
	}
	if *update {
		if err := os.WriteFile(path, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	is, err := os.ReadFile(path)
	if err != nil || string(is) != page.String() {
		t.Errorf("docs/recipes.md is not that of the recipes (%v); write it with go test ./mapping -run TheCookbook -update", err)
	}
}
