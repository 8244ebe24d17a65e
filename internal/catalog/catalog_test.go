package catalog_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"milepost/internal/catalog"
	"milepost/mapping"
)

func operations(t *testing.T, vendor string) []catalog.Entry {
	t.Helper()
	return slices.DeleteFunc(catalog.Entries(), func(e catalog.Entry) bool { return e.Kind != catalog.Operation || e.Vendor != vendor })
}

func TestTheCatalogueHasTheOperationsThatItShouldHave(t *testing.T) {
	got := map[string]int{}
	for _, e := range catalog.Entries() {
		if e.Kind == catalog.Operation {
			group := e.Vendor
			if e.Vendor == catalog.HighLevel {
				group += " " + e.Group
			}
			got[group]++
		}
	}
	want := map[string]int{
		"highlevel contacts": 32, "highlevel opportunities": 12, "highlevel location": 24, "highlevel calendars": 16, "highlevel users": 4,
		"highlevel businesses": 5, "highlevel workflows": 1, "highlevel campaigns": 1, "calendarhero": 27,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestEveryEntryIsWhole(t *testing.T) {
	names := map[string]bool{}
	pathName := regexp.MustCompile(`\{(\w+)\}`)
	for _, e := range catalog.Entries() {
		if names[e.Name] {
			t.Errorf("%s is there twice", e.Name)
		}
		names[e.Name] = true
		if e.Name == "" || e.Kind == "" || e.Vendor == "" || e.Group == "" || e.Summary == "" || len(e.Example) == 0 && e.Kind == catalog.Trigger {
			t.Errorf("%s lacks something: %+v", e.Name, e)
		}
		if strings.HasSuffix(e.Summary, ".") {
			t.Errorf("%s: the summary is no sentence, so it has no full stop", e.Name)
		}
		if e.Vendor == catalog.HighLevel && len(e.Scopes) == 0 {
			t.Errorf("%s has no scope", e.Name)
		}
		fields := map[string]bool{}
		var inPath []string
		for _, f := range e.Fields {
			if fields[f.Name] || f.Type == "" || f.Example == nil {
				t.Errorf("%s: the field %s is there twice, or lacks its type or example", e.Name, f.Name)
			}
			fields[f.Name] = true
			if f.Where == catalog.InPath {
				inPath = append(inPath, f.Name)
			}
		}
		if e.Kind != catalog.Operation {
			continue
		}
		var want []string
		for _, m := range pathName.FindAllStringSubmatch(e.Path, -1) {
			want = append(want, m[1])
		}
		slices.Sort(want)
		slices.Sort(inPath)
		if diff := cmp.Diff(want, inPath); diff != "" {
			t.Errorf("%s: the fields of its path: %s", e.Name, diff)
		}
		if e.RateLimit == "" || e.Effect == "" {
			t.Errorf("%s lacks its rate limit or effect", e.Name)
		}
	}
}

func TestTheListedTriggersAreThoseOfAutomations(t *testing.T) {
	var listed, supported []string
	for _, e := range catalog.Entries() {
		if e.Kind != catalog.Trigger {
			continue
		}
		listed = append(listed, e.Name)
		text, err := json.Marshal(e.Example)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := mapping.Load(e.Name, text); err != nil {
			t.Errorf("the example of %s: %v", e.Name, err)
		}
	}
	for _, trigger := range mapping.Triggers() {
		supported = append(supported, string(trigger))
	}
	slices.Sort(listed)
	slices.Sort(supported)
	if diff := cmp.Diff(supported, listed); diff != "" {
		t.Errorf("the triggers that work and those that are listed: %s", diff)
	}
}

func TestSearchFindsEveryWord(t *testing.T) {
	for text, want := range map[string]string{
		"create OPPORTUNITY": "highlevel.create_opportunity", "remind": "calendarhero.remind_of_meeting_request", "lost-reason": "highlevel.list_lost_reasons",
		"rruleOptions post": "highlevel.create_recurring_task",
	} {
		found := catalog.Search(text)
		if len(found) == 0 || !slices.ContainsFunc(found, func(e catalog.Entry) bool { return e.Name == want }) || len(found) > 8 {
			t.Errorf("%q finds %d entries, want %s among few", text, len(found), want)
		}
	}
	if len(catalog.Search("")) != len(catalog.Entries()) || len(catalog.Search("create nothing-like-this")) != 0 {
		t.Error("an empty text finds all, an unknown word nothing")
	}
}

func TestAPathIsMatchedByItsWordsBeforeItsIDs(t *testing.T) {
	for path, want := range map[string]string{
		"GET /contacts/abc": "highlevel.get_contact", "GET /contacts/search/duplicate": "highlevel.find_duplicate_contact",
		"DELETE /contacts/abc/campaigns/removeAll": "highlevel.remove_contact_from_all_campaigns", "DELETE /contacts/abc/campaigns/def": "highlevel.remove_contact_from_campaign",
		"GET /opportunities/pipelines": "highlevel.list_pipelines", "GET /contacts/abc/": "", "PATCH /contacts/abc": "",
	} {
		method, path, _ := strings.Cut(path, " ")
		if e, _ := catalog.Match(catalog.HighLevel, method, path); e.Name != want {
			t.Errorf("%s %s is %q, want %q", method, path, e.Name, want)
		}
	}
}
