package catalog_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/internal/catalog"
)

func TestWhatAFieldCanBeIsListedByTheOperationThatItNames(t *testing.T) {
	hero, made := calendarHeroWorld(t)
	heroClient := calendarhero.New(calendarhero.Config{BaseURL: "http://fake", Token: "account-token", HTTP: &http.Client{Transport: direct{hero}}})
	client := highlevel.New(highlevel.Config{BaseURL: "http://fake", Tokens: highlevel.StaticTokens("location-token"), HTTP: &http.Client{Transport: direct{highLevelWorld(t)}}})
	picked := 0
	for _, e := range append(operations(t, catalog.HighLevel), operations(t, catalog.CalendarHero)...) {
		for _, f := range e.Fields {
			if f.Pick == "" {
				continue
			}
			picked++
			list := find(t, f.Pick)
			var answer json.RawMessage
			var err error
			if e.Vendor == catalog.HighLevel {
				answer, err = client.Call(t.Context(), list, locationID, nil)
			} else {
				answer, err = heroClient.Call(t.Context(), list, nil)
			}
			if err != nil {
				t.Fatalf("%s of %s: %v", f.Name, e.Name, err)
			}
			options, err := catalog.Options(answer)
			if err != nil {
				t.Fatalf("%s of %s: %v", f.Name, e.Name, err)
			}
			var ids []string
			for _, o := range options {
				if o.Name == "" {
					t.Errorf("%s has no name among those of %s", o.ID, f.Pick)
				}
				ids = append(ids, o.ID)
				for _, inner := range o.Options {
					ids = append(ids, inner.ID)
				}
			}
			want := fmt.Sprint(f.Example)
			if values, ok := f.Example.([]any); ok {
				want = fmt.Sprint(values[0])
			}
			if id := made[e.Path]; f.Name == "uuid" {
				want = fmt.Sprint(id)
				if id == nil {
					continue
				}
			}
			if !slices.Contains(ids, want) {
				t.Errorf("%s of %s: %s is not among %v of %s", f.Name, e.Name, want, ids, f.Pick)
			}
		}
	}
	if picked < 30 {
		t.Errorf("only %d fields can be picked", picked)
	}
}

func TestAnAnswerThatListsNothingIsToldFromAnEmptyList(t *testing.T) {
	for answer, want := range map[string][]catalog.Option{
		`{"workflows":[{"id":"w1","name":"A"},{"name":"without an id"}],"count":1}`: {{ID: "w1", Name: "A"}},
		`{"pipelines":[{"id":"p1","name":"B","stages":[{"id":"s1","name":"C"}]}]}`:  {{ID: "p1", Name: "B", Options: []catalog.Option{{ID: "s1", Name: "C"}}}},
		`{"call":{"meetingLength":{"value":15}}}`:                                   {{ID: "call", Name: "call"}},
		`{"users":[]}`: {}, `[]`: {},
	} {
		got, err := catalog.Options(json.RawMessage(answer))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", answer, err, diff)
		}
	}
	for _, answer := range []string{``, `null`, `{}`, `7`, `{"message":"no"}`, `["a"]`} {
		if got, err := catalog.Options(json.RawMessage(answer)); err == nil {
			t.Errorf("%s lists %v", answer, got)
		}
	}
}
