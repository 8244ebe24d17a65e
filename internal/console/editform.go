package console

import (
	"errors"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"milepost/mapping"
)

// filledForm is the form of an automation as a person has filled it in, which may be
// unfinished or wrong. Its names in the page are those that its comments give.
type filledForm struct {
	was  string // "was": the text that it is written into
	id   string // of the automation; "" = it is new
	form mapping.Form

	expression bool            // "if.mode" is text: the condition is a text
	any        bool            // "if.any"
	rows       []condRow       // "if.0.field", "if.0.op", …
	kind       string          // "m.kind": which milestone it is
	own        map[string]bool // names of the selects in which "another" was chosen
}

// condRow is one row of the condition.
type condRow struct {
	field, op string
	kind      string // of the value; "" = what the values of the field are
	value     string // of a list, one in each line
}

// The kinds of a value in a condition.
const (
	kindText    = "text"
	kindNumber  = "number"
	kindYesNo   = "yesno"
	kindNothing = "nothing"
)

// own is the value of a select for what is not in its list.
const own = "*"

// fillForm is the form of a text.
func fillForm(text, id string) (filledForm, error) {
	f := filledForm{was: text, id: id, own: map[string]bool{}, form: mapping.Form{Top: mapping.FormValues{}, Milestone: mapping.FormValues{}}}
	if strings.ContainsFunc(text, func(r rune) bool { return visible(r) != r || r == '\r' }) {
		return f, errors.New("it holds characters that cannot be seen")
	}
	if text == "" {
		return f, nil
	}
	form, err := mapping.ReadForm(text)
	if err != nil {
		return f, err
	}
	f.form = form
	f.rows, f.any, f.expression = rowsOf(form.Top["if"].Text)
	f.kind = milestoneKind(form)
	return f, nil
}

// rowsOf are the rows of a condition, or that it is an expression.
func rowsOf(condition string) (rows []condRow, or, expression bool) {
	if strings.TrimSpace(condition) == "" {
		return nil, false, false
	}
	found, ok := mapping.ConditionRows(condition)
	if !ok {
		return nil, false, true
	}
	for _, r := range found.Rows {
		row, ok := rowOf(r)
		if !ok {
			return nil, false, true
		}
		rows = append(rows, row)
	}
	return rows, found.Any, false
}

// rowOf is how a row is shown; ok is false if its value cannot be.
func rowOf(r mapping.Row) (row condRow, ok bool) {
	row = condRow{field: r.Field, op: string(r.Operator)}
	list, isList := r.Value.([]any)
	if !isList {
		list = []any{r.Value}
	}
	var lines []string
	for i, v := range list {
		kind, text := kindText, ""
		switch v := v.(type) {
		case nil:
			kind = kindNothing
		case string:
			text = v
		case float64:
			kind, text = kindNumber, strconv.FormatFloat(v, 'f', -1, 64)
		case bool:
			kind, text = kindYesNo, strconv.FormatBool(v)
		}
		if i > 0 && kind != row.kind || strings.ContainsAny(text, "\r\n") || isList && strings.TrimSpace(text) == "" {
			return row, false
		}
		row.kind = kind
		lines = append(lines, text)
	}
	row.value = strings.Join(lines, "\n")
	if !row.compares() {
		row.kind = ""
	}
	return row, true
}

// compares reports whether it matters to the operator what the value is.
func (row condRow) compares() bool {
	return slices.Contains([]mapping.Operator{mapping.Is, mapping.IsNot, mapping.IsOneOf}, mapping.Operator(row.op))
}

// naturalKind is what the values of a field are, as far as it is known.
func naturalKind(field, custom string) string {
	switch {
	case mapping.TypeOf(field) == mapping.TypeYesNo:
		return kindYesNo
	case field == "opportunity.value", custom == "NUMERICAL", custom == "MONETORY":
		return kindNumber
	}
	return kindText
}

// row is the row of a condition, or why it is none.
func (row condRow) row() (mapping.Row, error) {
	if row.field == "" {
		return mapping.Row{}, errors.New("choose a field")
	}
	out := mapping.Row{Field: row.field, Operator: mapping.Operator(row.op)}
	kind := row.kind
	if kind == "" {
		kind = naturalKind(row.field, "")
	}
	var err error
	switch out.Operator {
	case mapping.IsEmpty, mapping.IsNotEmpty:
	case mapping.Within:
		out.Value, err = valueOf(kindNumber, row.value)
	case mapping.Is, mapping.IsNot:
		out.Value, err = valueOf(kind, row.value)
	case mapping.IsOneOf:
		list := []any{}
		for line := range strings.Lines(row.value) {
			if line = strings.TrimSuffix(line, "\n"); strings.TrimSpace(line) == "" {
				continue
			}
			v, failed := valueOf(kind, line)
			list, err = append(list, v), errors.Join(err, failed)
		}
		if out.Value = list; len(list) == 0 {
			err = errors.New("write one value in each line")
		}
	default:
		if out.Value = row.value; row.value == "" {
			err = errors.New("write a value")
		}
	}
	return out, err
}

func valueOf(kind, text string) (any, error) {
	switch kind {
	case kindNothing:
		return nil, nil
	case kindNumber:
		n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return nil, errors.New("write a number, such as 7")
		}
		return n, nil
	case kindYesNo:
		if text != "true" && text != "false" {
			return nil, errors.New("choose yes or no")
		}
		return text == "true", nil
	}
	return text, nil
}

// The kinds of milestones, by what people have.
const (
	milestoneFields      = "fields"
	milestoneField       = "field"
	milestoneNamed       = "named"
	milestoneTag         = "tag"
	milestoneStage       = "stage"
	milestoneOpportunity = "opportunity"
	milestoneAppointment = "appointment"
	milestoneWorkflow    = "workflow"
)

// milestoneKind is which kind of milestone a form has.
func milestoneKind(form mapping.Form) string {
	value := func(field string) string { return form.Milestone[field].Text }
	switch {
	case value("tag") != "":
		return milestoneTag
	case value("stage") != "":
		return milestoneStage
	case strings.HasPrefix(value("date"), "opportunity."):
		return milestoneOpportunity
	case strings.HasPrefix(value("date"), "appointment."):
		return milestoneAppointment
	case form.Kind() == mapping.KindWorkflow:
		return milestoneWorkflow
	case strings.HasPrefix(value("name"), "contact."):
		return milestoneFields
	case value("name") != "":
		return milestoneNamed
	case value("date") != "":
		return milestoneField
	}
	return ""
}

// milestoneUses are the fields that each kind of milestone shows. One that is filled in
// is shown in any case.
var milestoneUses = map[string][]string{
	milestoneFields:      {"name", "date", "yearly", "after"},
	milestoneField:       {"date", "yearly", "after"},
	milestoneNamed:       {"name", "date", "yearly", "after"},
	milestoneTag:         {"tag", "date", "after"},
	milestoneStage:       {"stage", "pipeline", "after"},
	milestoneOpportunity: {"date", "name", "yearly", "after"},
	milestoneAppointment: {"date", "name", "after"},
	milestoneWorkflow:    {"name", "date", "yearly", "after"},
}

// readFilled reads the form that a person sent.
func readFilled(in url.Values, id string) (filledForm, error) {
	clean := func(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }
	f, err := fillForm(clean(in.Get("was")), id)
	if err != nil {
		return f, err
	}
	was := f.form
	f.form = mapping.Form{Top: mapping.FormValues{}, Milestone: mapping.FormValues{}}
	if v, ok := was.Top["id"]; ok {
		f.form.Top["id"] = v
	}
	for _, field := range []string{"id", "name", "on", "tag", "before", "conflict"} {
		f.readField(in, f.form.Top, was.Top, "", "", field)
	}
	f.readMilestone(in, was)
	f.readCondition(in, was, clean)
	for i := 0; i < 200 && in.Has(actionName(i, "type")); i++ {
		act := mapping.FormAction{Type: in.Get(actionName(i, "type")), Values: mapping.FormValues{}}
		act.Was, _ = strconv.Atoi(in.Get(actionName(i, "was")))
		old := mapping.FormValues{}
		if act.Was > 0 && act.Was <= len(was.Actions) && was.Actions[act.Was-1].Type == act.Type {
			old = was.Actions[act.Was-1].Values
		} else {
			act.Was = 0
		}
		prefix := actionName(i, "k.")
		for _, name := range slices.Sorted(maps.Keys(in)) {
			if field, ok := strings.CutPrefix(name, prefix); ok {
				f.readField(in, act.Values, old, actionName(i, ""), act.Type, field)
			}
		}
		f.form.Actions = append(f.form.Actions, act)
	}
	return f, nil
}

// actionName is the name in the page of a part of an action.
func actionName(i int, part string) string { return "a." + strconv.Itoa(i) + "." + part }

func (f *filledForm) readMilestone(in url.Values, was mapping.Form) {
	if !in.Has("m.kind") {
		return
	}
	f.kind = in.Get("m.kind")
	for _, field := range mapping.MilestoneFields() {
		f.readField(in, f.form.Milestone, was.Milestone, "m.", "", field)
	}
	if in.Get("m.was") != f.kind { // another kind was chosen: what it does not use goes
		for field := range f.form.Milestone {
			if !slices.Contains(milestoneUses[f.kind], field) || field == "date" || field == "name" {
				delete(f.form.Milestone, field)
			}
		}
	}
}

// readField reads the value of one field. Beside it is, in a hidden field, of which
// kind it is, and whether it was there without a value.
func (f *filledForm) readField(in url.Values, values, was mapping.FormValues, prefix, action, field string) {
	kind, rest, _ := strings.Cut(in.Get(prefix+"k."+field), "=")
	kind, given := strings.CutSuffix(kind, "!")
	name := prefix + "f." + field
	text := f.chosen(in, name)
	switch mapping.FieldKind(kind) {
	case mapping.FieldText:
		if text != "" || given {
			values[field] = mapping.FormValue{Text: text}
		}
	case mapping.FieldYAML:
		if text = strings.TrimSpace(text); text != "" {
			values.SetYAML(action, field, text)
		}
	case mapping.FieldFlag:
		switch on := in.Has(name); {
		case on && strings.EqualFold(rest, "true"), !on && strings.EqualFold(rest, "false"):
			values[field] = mapping.FormValue{Text: rest}
		case on:
			values[field] = mapping.FormValue{Text: "true"}
		}
	case mapping.FieldList:
		list := slices.DeleteFunc(append([]string{}, in[name]...), func(entry string) bool { return entry == "" })
		if old := was[field].List; sameEntries(old, list) && (field == "reminders" || field == "attach") {
			list = old // their order says nothing
		}
		if len(list) > 0 || given {
			values[field] = mapping.FormValue{List: list}
		}
	case mapping.FieldTable:
		if table := readTable(in[name+".k"], in[name+".v"]); len(table) > 0 || given {
			values[field] = mapping.FormValue{Table: table}
		}
	}
}

// chosen is the text of a field, or what was written beside a select.
func (f *filledForm) chosen(in url.Values, name string) string {
	text := in.Get(name)
	if text == own {
		f.own[name] = true
		text = in.Get(name + ".own")
	}
	return strings.ReplaceAll(text, "\r\n", "\n")
}

// readTable reads the rows of a table that are not empty.
func readTable(keys, entries []string) []mapping.FormPair {
	table := []mapping.FormPair{}
	for i := range min(len(keys), len(entries)) {
		if keys[i] != "" || entries[i] != "" {
			table = append(table, mapping.FormPair{Key: keys[i], Value: entries[i]})
		}
	}
	return table
}

func sameEntries(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func (f *filledForm) readCondition(in url.Values, was mapping.Form, clean func(string) string) {
	f.any, f.rows = in.Get("if.any") == "true", nil
	if f.expression = in.Get("if.mode") == "text"; f.expression {
		text := clean(in.Get("if.text"))
		if strings.TrimSpace(text) != "" {
			f.form.Top["if"] = mapping.FormValue{Text: text}
		}
		return
	}
	for i := 0; i < 200; i++ {
		name := "if." + strconv.Itoa(i) + "."
		if !in.Has(name + "op") {
			break
		}
		row := condRow{field: f.chosen(in, name+"field"), op: in.Get(name + "op"), kind: in.Get(name + "kind"), value: clean(in.Get(name + "value"))}
		if row.field != in.Get(name+"for") || !row.compares() { // the kind was another field's
			row.kind = ""
		}
		f.rows = append(f.rows, row)
	}
	if wasRows, wasAny, text := rowsOf(was.Top["if"].Text); !text && slices.Equal(wasRows, f.rows) && (wasAny == f.any || len(wasRows) < 2) && len(wasRows) > 0 {
		f.form.Top["if"] = was.Top["if"]
		return
	}
	if text, _ := f.condition(); text != "" {
		f.form.Top["if"] = mapping.FormValue{Text: text}
	}
}

// condition writes the rows as an expression, and says what is wrong with which.
func (f *filledForm) condition() (text string, wrong map[int]string) {
	all := mapping.Rows{Any: f.any}
	wrong = map[int]string{}
	for i, row := range f.rows {
		made, err := row.row()
		if err == nil {
			_, err = mapping.Rows{Rows: []mapping.Row{made}}.Expression()
			if err != nil {
				err = errors.New(strings.TrimPrefix(err.Error(), "row 1: "))
			}
		}
		if err != nil {
			wrong[i] = sentence(err)
			continue
		}
		all.Rows = append(all.Rows, made)
	}
	text, err := all.Expression()
	if err != nil {
		return "", wrong
	}
	return text, wrong
}

// wrongAt is what is wrong, by the name of the field in the page; "" = elsewhere.
type wrongAt map[string][]string

func (w wrongAt) add(name, message string) { w[name] = append(w[name], message) }

// write writes the form as the text of an automation, and says what is wrong with it.
// The text is "" if the form cannot be written.
func (f *filledForm) write() (text string, set *mapping.Set, wrong wrongAt) {
	wrong = wrongAt{}
	form := f.saved()
	if !f.expression {
		_, rows := f.condition()
		for i, message := range rows {
			wrong.add("if."+strconv.Itoa(i), message)
		}
	}
	text, err := form.Text(f.was)
	if failed, ok := errors.AsType[*mapping.FormError](err); ok {
		name := failed.Field
		for i, act := range form.Actions {
			if v, ok := act.Values[failed.Field]; ok && v.YAML != "" {
				name = actionName(i, "f."+failed.Field)
			}
		}
		wrong.add(name, sentence(errors.New(failed.Message)))
		return "", nil, wrong
	}
	if err != nil {
		wrong.add("", sentence(err))
		return "", nil, wrong
	}
	set, err = mapping.Load("text", []byte(text))
	if mistakes, ok := errors.AsType[*mapping.LoadError](err); ok {
		for _, m := range mistakes.Mistakes {
			place := mapping.PlaceOf(text, m)
			name := f.nameOf(place)
			wrong.add(name, plainly(name, m.Message))
		}
	}
	return text, set, wrong
}

// plainly says a mistake in the words of the form, which knows no YAML.
func plainly(name, message string) string {
	switch {
	case name == "m.kind" && strings.HasPrefix(message, "is required"):
		return "Choose what the milestone is."
	case name == "add":
		return "Add an action."
	case strings.HasPrefix(message, "is required"):
		return "This is needed."
	}
	return sentence(errors.New(message))
}

// saved is the form as it is saved: without what does not go with its trigger, and
// with the id that the automation has.
func (f *filledForm) saved() mapping.Form {
	form := f.form
	form.Top = maps.Clone(form.Top)
	on := mapping.Trigger(form.Top["on"].Text)
	if on != mapping.ContactTagged {
		delete(form.Top, "tag")
	}
	if on != mapping.MilestoneApproaching {
		delete(form.Top, "before")
	}
	if may, _ := on.HasMilestone(); !may {
		form.Milestone = mapping.FormValues{}
	}
	if _, has := form.Top["id"]; f.id != "" && !has && mapping.IDOf(form.Top["name"].Text) != f.id {
		form.Top["id"] = mapping.FormValue{Text: f.id}
	}
	return form
}

// nameOf is the name in the page of the field at a place.
func (f *filledForm) nameOf(p mapping.Place) string {
	field, inMilestone := strings.CutPrefix(p.Field, "milestone.")
	switch {
	case p.Action > 0 && p.Field != "":
		return actionName(p.Action-1, "f."+p.Field)
	case p.Action > 0:
		return actionName(p.Action-1, "type")
	case inMilestone:
		return "m.f." + field
	case p.Field == "milestone":
		return "m.kind"
	case p.Field == "if":
		return "if.text"
	case p.Field == "do":
		return "add"
	case p.Field == "":
		return ""
	}
	return "f." + p.Field
}
