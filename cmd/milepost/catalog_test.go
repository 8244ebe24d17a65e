package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestTheCatalogueIsListedAndSearched(t *testing.T) {
	list := func(c catalogCmd) string {
		t.Helper()
		var out bytes.Buffer
		if err := c.run(&out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	whole := list(catalogCmd{})
	for _, want := range []string{"milestone.changed", "POST /contacts/{contactId}/notes", "calendarhero.remind_of_meeting_request", "Not listed:", "answer with tokens"} {
		if !strings.Contains(whole, want) {
			t.Errorf("the catalogue does not say %q", want)
		}
	}
	found := strings.Split(strings.TrimSpace(list(catalogCmd{Search: "lost reasons"})), "\n")
	if len(found) < 3 || !strings.HasPrefix(found[1], "highlevel.list_lost_reasons ") || !strings.Contains(strings.Join(found, "\n"), "opportunities.readonly") {
		t.Errorf("a search finds\n%s", strings.Join(found, "\n"))
	}
	if one := list(catalogCmd{Search: "highlevel.create_contact"}); !strings.Contains(one, "Example") || !strings.Contains(one, "firstName") {
		t.Errorf("a search for a name does not show its fields:\n%s", one)
	}
	if one := list(catalogCmd{Search: "calendarhero.delete_webhook"}); !strings.Contains(one, "cannot call it: it would end the webhooks") {
		t.Errorf("it does not say that an automation cannot call it:\n%s", one)
	}
	var entries []struct {
		Name, Kind, Vendor, Group, Summary, Method, Path string
		Fields                                           []struct {
			Name, Where, Type string
			Required          *bool
			Example           any
		}
		Scopes  []string
		Example any
	}
	if err := json.Unmarshal([]byte(list(catalogCmd{asJSON: asJSON{JSON: true}})), &entries); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name == "" || e.Kind == "" || e.Vendor == "" || e.Group == "" || e.Summary == "" || e.Fields == nil || e.Scopes == nil || e.Example == nil {
			t.Errorf("%s lacks something: %+v", e.Name, e)
		}
	}
	if text := list(catalogCmd{Search: "no such words", asJSON: asJSON{JSON: true}}); strings.TrimSpace(text) != "[]" {
		t.Errorf("nothing found is %s, want an empty array", text)
	}
	if err := (&catalogCmd{Search: "no such words"}).run(&bytes.Buffer{}); err == nil {
		t.Error("nothing found is no error for a person")
	}
}
