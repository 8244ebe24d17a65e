package console

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
	"go.yaml.in/yaml/v3"

	"milepost/internal/catalog"
)

type catalogData struct {
	Q        string
	Vendors  []option
	Kinds    []option
	Groups   []option
	Found    []catalogGroup
	Count    int64
	Filtered bool
	LeftOut  []catalog.LeftOut
}

type catalogGroup struct {
	Title   string
	Entries []catalog.Entry
}

func vendorName(vendor string) string {
	switch vendor {
	case catalog.HighLevel:
		return "HighLevel"
	case catalog.CalendarHero:
		return "CalendarHero"
	case catalog.Milepost:
		return "Milepost"
	}
	return vendor
}

func catalogPath(name string) string { return Path + "catalog/" + url.PathEscape(name) }

func (c *Console) catalogPage(r *http.Request, v *view) error {
	v.Title, v.Section = "Catalogue", "catalog"
	in := r.URL.Query()
	vendor, kind, group := in.Get("vendor"), in.Get("kind"), in.Get("group")
	data := catalogData{Q: in.Get("q"), Filtered: in.Get("q")+vendor+kind+group != "", LeftOut: catalog.NotListed()}
	data.Vendors = options(vendor, catalog.HighLevel, catalog.CalendarHero, catalog.Milepost)
	for i := range data.Vendors[1:] {
		data.Vendors[i+1].Name = vendorName(data.Vendors[i+1].Value)
	}
	data.Kinds = []option{{"", "Any", kind == ""}, {catalog.Trigger, "Triggers: what an automation starts from", kind == catalog.Trigger}, {catalog.Operation, "Operations: what Milepost can call", kind == catalog.Operation}}
	known := map[string]bool{}
	for _, e := range catalog.Entries() {
		known[e.Group] = true
	}
	data.Groups = options(group, slices.Sorted(maps.Keys(known))...)
	for _, e := range catalog.Search(data.Q) {
		if vendor != "" && e.Vendor != vendor || kind != "" && e.Kind != kind || group != "" && e.Group != group {
			continue
		}
		data.Count++
		title := "Operations of " + vendorName(e.Vendor) + ": " + e.Group
		if e.Kind == catalog.Trigger {
			title = "Triggers: " + e.Group
		}
		if n := len(data.Found); n == 0 || data.Found[n-1].Title != title {
			data.Found = append(data.Found, catalogGroup{Title: title})
		}
		last := &data.Found[len(data.Found)-1]
		last.Entries = append(last.Entries, e)
	}
	v.Data = data
	return nil
}

// options are those of a select, after one for any of them.
func options(selected string, values ...string) []option {
	list := []option{{"", "Any", selected == ""}}
	for _, value := range values {
		list = append(list, option{value, value, value == selected})
	}
	return list
}

type entryData struct {
	catalog.Entry
	Rows    []fieldRow
	YAML    string // an example to paste
	Answers string // why an operation may not be repeated, or that it may
}

// fieldRow is a field, or one that a field holds.
type fieldRow struct {
	Name, Type, Needed, Values, Example string
	Pick                                string // the operation that lists what it can be
}

func (c *Console) entryPage(r *http.Request, v *view) error {
	v.Section = "catalog"
	e, ok := catalog.Find(chi.URLParam(r, "name"))
	if !ok {
		return errNotFound
	}
	v.Title = e.Name
	data := entryData{Entry: e, Rows: fieldRows(nil, "", e.Fields)}
	var err error
	if data.YAML, err = exampleYAML(e); err != nil {
		return err
	}
	switch {
	case e.Kind == catalog.Trigger:
		data.Answers = "A webhook may arrive twice. Milepost acts on it once."
	case e.Effect == catalog.Read:
		data.Answers = "Yes. It only reads."
	case e.Repeat:
		data.Answers = "Yes. If its answer is lost, Milepost sends it again: that has the same effect."
	default:
		data.Answers = "No. Milepost sends it once. If its answer is lost, an operator decides whether to send it again."
	}
	v.Data = data
	return nil
}

func fieldRows(rows []fieldRow, before string, fields catalog.Fields) []fieldRow {
	for _, f := range fields {
		row := fieldRow{Name: before + f.Name, Type: f.Type, Values: strings.Join(f.Values, ", "), Pick: f.Pick}
		switch {
		case f.Filled != "":
			row.Needed = "filled in by Milepost"
		case f.Required:
			row.Needed = "required"
		default:
			row.Needed = "optional"
		}
		if f.Nullable {
			row.Needed += "; null clears it"
		}
		if f.Filled == "" {
			row.Example = inJSON(f.Example)
		}
		inside := row.Name + "."
		if f.Type == catalog.Objects {
			inside = row.Name + "[]."
		}
		rows = fieldRows(append(rows, row), inside, f.Fields)
	}
	return rows
}

func inJSON(value any) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(b.String())
}

// exampleYAML is an automation for a trigger, and an action of one for an operation;
// "" for an operation that automations cannot call.
func exampleYAML(e catalog.Entry) (string, error) {
	type request struct {
		Operation string         `yaml:"operation"`
		Fields    map[string]any `yaml:"fields,omitempty"`
	}
	type action struct {
		Request request `yaml:"request"`
	}
	type starts struct {
		Name any            `yaml:"name"`
		On   any            `yaml:"on"`
		More map[string]any `yaml:",inline"`
		Do   any            `yaml:"do"`
	}
	var example any
	switch more := maps.Clone(e.Example); {
	case e.Kind == catalog.Trigger:
		a := starts{Name: more["name"], On: more["on"], Do: more["do"], More: more}
		for _, name := range []string{"name", "on", "do"} {
			delete(more, name)
		}
		example = []starts{a}
	case e.Reserved != "":
		return "", nil
	default:
		example = []action{{request{e.Name, more}}}
	}
	var b strings.Builder
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	err := encoder.Encode(example)
	return strings.Replace(b.String(), `"on":`, "on:", 1), err
}
