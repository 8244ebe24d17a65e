package catalog_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"milepost/internal/catalog"
	"milepost/internal/testenv"
	"milepost/internal/testenv/reference"
)

// restricted are the fields that take fewer values than their type says.
var restricted = map[string]string{
	"highlevel.create_custom_field dataType": "the values are those of the app custom-fields",
	"highlevel.change_tags_of_contacts type": "the path's parameter is not declared",
	"highlevel.search_contacts sort":         "HighLevel's guide to contact search has more than its OpenAPI",
	"highlevel.search_contacts filters":      "HighLevel's guide to contact search has more than its OpenAPI",
}

func TestEveryHighLevelOperationIsAsHighLevelDocumentsIt(t *testing.T) {
	testenv.Long(t)
	contract := reference.HighLevelContract(t)
	for _, e := range operations(t, catalog.HighLevel) {
		op := contract.Operation(e.Method, e.Path)
		if op == nil {
			t.Errorf("%s: HighLevel documents no %s %s", e.Name, e.Method, e.Path)
			continue
		}
		if op.Deprecated != (e.Deprecated != "") {
			t.Errorf("%s: deprecated: HighLevel says %v", e.Name, op.Deprecated)
		}
		if scopes := scopesOf(op); len(scopes) > 0 && !slices.Contains(scopes, e.Scopes[0]) {
			t.Errorf("%s: the scope %s, HighLevel says %v", e.Name, e.Scopes[0], scopes)
		}
		agency := op.Security != nil && !slices.ContainsFunc(*op.Security, func(r openapi3.SecurityRequirement) bool { return r["Agency-Access"] == nil })
		if agency != e.Agency {
			t.Errorf("%s: for an agency's token only: HighLevel says %v", e.Name, agency)
		}
		documented := map[string]documentedField{}
		for _, p := range op.Parameters {
			if p.Value.In == "query" || p.Value.In == "path" {
				documented[p.Value.Name] = documentedField{p.Value.In, p.Value.Required, p.Value.Schema}
			}
		}
		for _, f := range e.Fields { // some paths have ids that are not declared
			if _, ok := documented[f.Name]; !ok && f.Where == catalog.InPath {
				documented[f.Name] = documentedField{"path", true, openapi3.NewSchemaRef("", openapi3.NewStringSchema())}
			}
		}
		if op.RequestBody != nil {
			body := op.RequestBody.Value.Content.Get("application/json").Schema
			for name, property := range properties(body) {
				documented[name] = documentedField{"body", slices.Contains(body.Value.Required, name), property}
			}
		}
		if e.Name == "highlevel.find_users_by_email" || e.Name == "highlevel.search_users" {
			if !e.Needs(catalog.Company) {
				t.Errorf("%s: the agency must be filled in", e.Name)
			}
		}
		compare(t, e.Name, e.Fields, documented)
	}
}

func TestEveryOperationIsListedOrSaidToBeLeftOut(t *testing.T) {
	testenv.Long(t)
	documented := map[string]int{catalog.HighLevel: reference.HighLevelContract(t).Documented(), catalog.CalendarHero: 40}
	for _, l := range catalog.NotListed() {
		if !strings.HasPrefix(l.What, "Conversations") { // an app that the contract does not cover
			documented[l.Vendor] -= l.Operations
		}
	}
	for vendor, left := range documented {
		if n := len(operations(t, vendor)); n != left {
			t.Errorf("%s: %d operations are listed, %d are not left out", vendor, n, left)
		}
	}
}

type documentedField struct {
	where    string
	required bool
	schema   *openapi3.SchemaRef
}

func compare(t *testing.T, at string, fields catalog.Fields, documented map[string]documentedField) {
	t.Helper()
	var names []string
	for _, f := range fields {
		names = append(names, f.Name)
		d, ok := documented[f.Name]
		if !ok {
			continue // told below
		}
		name := at + " " + f.Name
		if f.Where != d.where || f.Required != d.required {
			t.Errorf("%s: %s, required %v; HighLevel says %s, %v", name, f.Where, f.Required, d.where, d.required)
		}
		s := plain(d.schema)
		if kind := kindOf(s); kind != f.Type {
			t.Errorf("%s: %s, HighLevel says %s", name, f.Type, kind)
		}
		if s.Nullable != f.Nullable {
			t.Errorf("%s: null: %v, HighLevel says %v", name, f.Nullable, s.Nullable)
		}
		var values []string
		for _, value := range s.Enum {
			values = append(values, value.(string))
		}
		if diff := cmp.Diff(values, f.Values); diff != "" && restricted[name] == "" {
			t.Errorf("%s: its values (-HighLevel +catalogue) %s", name, diff)
		}
		if f.Fields == nil || restricted[name] != "" {
			continue
		}
		inner := map[string]documentedField{}
		holder := d.schema
		if s.Items != nil {
			holder = s.Items
		}
		for key, property := range properties(holder) {
			inner[key] = documentedField{"body", slices.Contains(plain(holder).Required, key), property}
		}
		if f.Name == "customFields" || f.Name == "textBoxListOptions" {
			continue // one of several shapes, by the type of the field
		}
		compare(t, name, f.Fields, inner)
	}
	slices.Sort(names)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(documented)), names); diff != "" {
		t.Errorf("%s: its fields (-HighLevel +catalogue)\n%s", at, diff)
	}
}

func scopesOf(op *openapi3.Operation) (scopes []string) {
	if op.Security == nil {
		return nil
	}
	for _, requirement := range *op.Security {
		for _, some := range requirement {
			scopes = append(scopes, some...)
		}
	}
	return scopes
}

// plain is a schema without the allOf around it.
func plain(ref *openapi3.SchemaRef) *openapi3.Schema {
	if len(ref.Value.AllOf) == 1 {
		return plain(ref.Value.AllOf[0])
	}
	return ref.Value
}

func properties(ref *openapi3.SchemaRef) openapi3.Schemas { return plain(ref).Properties }

func kindOf(s *openapi3.Schema) string {
	kind := strings.Join(s.Type.Slice(), " ")
	switch {
	case kind == "integer":
		return catalog.Number
	case kind != "array":
		return kind
	case s.Items == nil || s.Items.Value.Type == nil && len(s.Items.Value.AnyOf) == 0:
		return catalog.Array
	case s.Items.Value.Type.Is("string"):
		return catalog.Strings
	}
	return catalog.Objects
}
