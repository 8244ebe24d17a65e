package console

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"milepost/clients/highlevel"
	"milepost/internal/catalog"
	"milepost/internal/operate"
	"milepost/mapping"
)

// box is one field of the editor's page.
type box struct {
	Name    string // of the field in the form, and with dots as its id
	KName   string // of the hidden field with its kind
	Kind    string
	Label   string
	Help    string
	Control string // text, area, time, select, list, checks, table, flag or yaml
	Value   string
	Empty   string // what holds if it is empty
	Options []optionGroup
	Own     bool // "another" is chosen, and Value is written by hand
	List    []string
	Checks  []option
	Table   []mapping.FormPair
	Keys    string // id of the datalist of a table's keys, or of a list's entries
	Values  string // and of a table's values
	Insert  bool   // fields of the record can be inserted
	Must    bool
	Refresh bool // the page shows something else for another value
	Wrong   []string
	Picking bool // the list of fields is open below it
	Focus   bool
}

// optionGroup are options under a heading; "" = under none.
type optionGroup struct {
	Title   string
	Options []option
}

// choicesOf is what a location has, for the editor's page.
type choicesOf struct {
	operate.Choices
	example map[string]any // the fields of the chosen contact
}

// fieldOption is a field that can be picked.
type fieldOption struct {
	Path, Name, Example string
	Type                string // of a custom field
	Record              string
}

// fieldGroup are the fields of a record.
type fieldGroup struct {
	Title  string
	Fields []fieldOption
}

// Insert is what goes into a text for a field.
func (o fieldOption) Insert() string { return "{{ " + o.Path + " }}" }

var recordTitles = map[string]string{
	"milestone": "Milestone", "task": "Task", "note": "Note", "appointment": "Appointment", "opportunity": "Opportunity", "meeting": "Meeting",
	"workflow": "Workflow", "calendarhero_contact": "CalendarHero contact", "contact": "Contact", "location": "Location",
}

var fieldTitles = map[string]string{
	"contact.address1": "Street address", "contact.assigned_to": "Assigned user (id)", "contact.dnd": "Do not disturb", "contact.id": "Id of the contact", "contact.name": "Full name",
	"contact.date_added": "Date added", "contact.date_updated": "Date updated", "task.assigned_to": "Assigned user (id)", "task.body": "Text", "task.due": "Due date", "note.body": "Text",
	"note.user_id": "Author (id)", "opportunity.assigned_to": "Assigned user (id)", "opportunity.value": "Value", "appointment.assigned_to": "Assigned user (id)",
	"meeting.ours": "Created by Milepost", "meeting.automation": "Automation that created it (id)", "meeting.emails": "Invitees", "meeting.state": "State", "milestone.name": "Name", "milestone.date": "Date",
}

// inWords makes words of a key: closing_date is Closing date, contactId is Contact id.
func inWords(key string) string {
	var b strings.Builder
	for i, r := range key {
		switch {
		case r == '_' || r == '-' || r == '.':
			b.WriteRune(' ')
		case i > 0 && r >= 'A' && r <= 'Z' && key[i-1] >= 'a' && key[i-1] <= 'z':
			b.WriteString(" " + strings.ToLower(string(r)))
		default:
			b.WriteRune(r)
		}
	}
	text := strings.TrimSpace(b.String())
	if text == "" {
		return key
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// fieldGroups are the fields that the automation may use, with those of the location.
func (c choicesOf) fieldGroups(form mapping.Form) (groups []fieldGroup) {
	records := map[string]bool{}
	for _, f := range mapping.RecordFields(mapping.Trigger(form.Top["on"].Text), form.Kind()) {
		if records[f.Record] = true; len(groups) == 0 || groups[len(groups)-1].Fields[0].Record != f.Record {
			groups = append(groups, fieldGroup{Title: recordTitles[f.Record]})
		}
		name := fieldTitles[f.Path]
		if name == "" {
			name = inWords(f.Key)
		}
		g := &groups[len(groups)-1]
		g.Fields = append(g.Fields, fieldOption{Path: f.Path, Name: name, Record: f.Record, Example: c.exampleOf(f.Path)})
	}
	for _, model := range []string{"opportunity", "contact"} {
		own := fieldGroup{Title: recordTitles[model] + ", custom fields"}
		for _, f := range c.Fields {
			if modelOf(f) == model && records[model] && mapping.TypeOf(model+"."+f.Key) == mapping.TypeOther {
				path := model + "." + f.Key
				own.Fields = append(own.Fields, fieldOption{Path: path, Name: f.Name, Record: model, Type: f.Type, Example: c.exampleOf(path)})
			}
		}
		at := slices.IndexFunc(groups, func(g fieldGroup) bool { return g.Fields[0].Record == model })
		if len(own.Fields) > 0 {
			groups = slices.Insert(groups, at+1, own)
		}
	}
	return groups
}

func modelOf(f highlevel.CustomField) string {
	if f.Model == "" {
		return "contact"
	}
	return f.Model
}

// exampleOf is the value of a field of the chosen contact, cut short.
func (c choicesOf) exampleOf(path string) string {
	key, ok := strings.CutPrefix(path, "contact.")
	v := c.example[key]
	if !ok || v == nil {
		return ""
	}
	text := fmt.Sprint(v)
	if list, ok := v.([]string); ok {
		text = strings.Join(list, ", ")
	}
	text = strings.Join(strings.Fields(text), " ")
	const longest = 40
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest-1]) + "…"
	}
	return text
}

// fieldSelect offers fields of records by their paths.
func fieldSelect(groups []fieldGroup, wants func(fieldOption) bool) (out []optionGroup) {
	for _, g := range groups {
		one := optionGroup{Title: g.Title}
		for _, f := range g.Fields {
			if wants == nil || wants(f) {
				name := f.Name
				if f.Example != "" {
					name += " (" + f.Example + ")"
				}
				one.Options = append(one.Options, option{Value: f.Path, Name: name})
			}
		}
		if len(one.Options) > 0 {
			out = append(out, one)
		}
	}
	return out
}

// dates are the fields that may hold a date, those that do first.
func dates(f fieldOption) bool {
	return f.Type == "DATE" || mapping.TypeOf(f.Path) == mapping.TypeDate
}

func picked(list []catalog.Option, byName bool) (out []option) {
	for _, o := range list {
		value := o.ID
		if byName {
			value = o.Name
		}
		out = append(out, option{Value: value, Name: o.Name})
	}
	return out
}

// stages are the stages of the pipelines, by id or by name, one group for each pipeline.
func stages(pipelines []catalog.Option, byName bool) (out []optionGroup) {
	for _, p := range pipelines {
		out = append(out, optionGroup{p.Name, picked(p.Options, byName)})
	}
	return out
}

// editForm builds the boxes of the page.
type editForm struct {
	*filledForm
	choices choicesOf
	wrong   wrongAt
	picking string // name of the box whose list of fields is open
	focus   string // name of the box to go to
	groups  []fieldGroup
}

// box is the common part of a field's box.
func (e *editForm) box(values mapping.FormValues, prefix, action, field string) box {
	v, given := values[field]
	kind := mapping.KindOfField(action, field, values)
	b := box{
		Name: prefix + "f." + field, KName: prefix + "k." + field, Kind: string(kind), Label: labelOf(action, field), Help: helpOf(action, field),
		Empty: emptyOf(action, field), Value: v.Text, List: v.List, Table: v.Table,
	}
	switch {
	case v.YAML != "" || kind == mapping.FieldYAML, strings.ContainsRune(v.Text, '\r'), slices.ContainsFunc(v.List, func(s string) bool { return s == "" || strings.ContainsAny(s, "\r\n") }),
		slices.ContainsFunc(v.Table, func(p mapping.FormPair) bool {
			return p.Key+p.Value == "" || strings.ContainsAny(p.Key+p.Value, "\r\n")
		}):
		b.Control, b.Kind, b.Value = "yaml", string(mapping.FieldYAML), v.YAML
		if v.YAML == "" && given {
			b.Value = v.AsYAML()
		}
	case len(v.List) > 0 && kind != mapping.FieldList: // an operation that the catalogue does not know
		b.Control, b.Kind = "list", string(mapping.FieldList)
	case v.Text != "" && kind == mapping.FieldList:
		b.Control, b.Kind = "text", string(mapping.FieldText)
	case kind == mapping.FieldFlag:
		b.Control = "flag"
		if given {
			b.Kind += "=" + v.Text
		}
	case kind == mapping.FieldList:
		b.Control, b.Insert = "list", true
		b.Kind = given0(b.Kind, given && len(v.List) == 0)
	case kind == mapping.FieldTable:
		b.Control = "table"
		b.Kind = given0(b.Kind, given && len(v.Table) == 0)
	default:
		b.Control, b.Insert = "text", true
		if slices.Contains(longFields, field) || strings.Contains(v.Text, "\n") {
			b.Control = "area"
		}
		b.Kind = given0(b.Kind, given && v.Text == "")
	}
	return e.finish(b)
}

// given0 marks the kind of a field that is there without a value.
func given0(kind string, empty bool) string {
	if empty {
		return kind + "!"
	}
	return kind
}

func (e *editForm) finish(b box) box {
	b.Wrong = e.wrong[b.Name]
	for name, messages := range e.wrong { // within the value of a field
		if strings.HasPrefix(name, b.Name+".") {
			b.Wrong = append(slices.Clone(b.Wrong), messages...)
		}
	}
	b.Picking, b.Focus = e.picking == b.Name, e.focus == b.Name
	switch b.Control {
	case "list":
		b.List = append(slices.Clone(b.List), "")
	case "table":
		b.Table = append(slices.Clone(b.Table), mapping.FormPair{})
	}
	return b
}

// usualOf is what a field does if it is empty. If the field spells that out, the choice keeps
// what it holds.
func usualOf(b box, none string, groups []optionGroup) option {
	for _, g := range groups {
		for _, o := range g.Options {
			if o.Name == none && o.Value == b.Value {
				o.Selected = true
				return o
			}
		}
	}
	return option{Name: none, Selected: b.Value == ""}
}

// choose makes a box a select of groups of options, with "another" for what is none.
func (e *editForm) choose(b box, none string, another string, groups ...optionGroup) box {
	if b.Control != "text" || another != "" && strings.Contains(b.Value, "\n") {
		return b
	}
	b.Control, b.Insert, b.Empty = "select", false, ""
	usual := usualOf(b, none, groups)
	known := usual.Selected
	var shown []optionGroup
	for _, g := range groups {
		g.Options = slices.DeleteFunc(slices.Clone(g.Options), func(o option) bool { return o.Name == none })
		for j, o := range g.Options {
			o.Selected = o.Value == b.Value && !known && !e.own[b.Name]
			known = known || o.Selected
			g.Options[j] = o
		}
		if len(g.Options) > 0 {
			shown = append(shown, g)
		}
	}
	b.Options = append([]optionGroup{{Options: []option{usual}}}, shown...)
	if another != "" {
		b.Own = !known || e.own[b.Name]
		b.Insert, b.Refresh = b.Own, true
		b.Options = append(b.Options, optionGroup{Options: []option{{Value: own, Name: another, Selected: b.Own}}})
	} else if !known {
		b.Options = append(b.Options, optionGroup{Options: []option{{Value: b.Value, Name: b.Value, Selected: true}}})
	}
	return b
}

var longFields = []string{"description", "body", "text"}

type fieldText struct{ label, help, empty string }

// fieldTexts are what the fields of actions are called, by action and field, or by
// field alone.
var fieldTexts = map[string]fieldText{
	"name":     {"Name", "", ""},
	"on":       {"What starts it", "", ""},
	"id":       {"Id", "Lower-case letters, digits and hyphens. It never changes.", "made of the name"},
	"tag":      {"Tag", "", ""},
	"before":   {"How long before", "Such as 3d, 12h or 1w.", ""},
	"conflict": {"If both sides changed the same thing", "", ""},

	"title": {"Title", "", ""}, "start": {"Date and time", "", ""}, "event.at": {"Time of day, if the date has none", "In the location's time zone.", "09:00"},
	"due": {"Due", "", ""}, "task.due": {"Due", "", "the task's due date"}, "reschedule_task.due": {"New due date", "", "when the meeting ends, or starts if an event created it"},
	"at":             {"Time of day, if the date has none", "In the location's time zone.", "17:00"},
	"event.duration": {"How long it takes", "", "30m"}, "task.duration": {"How long it takes", "", "15m"},
	"reminders": {"Reminders before it", "CalendarHero mails the invitee at each.", ""}, "invite": {"Who is invited", "CalendarHero mails them.", ""},
	"attach": {"Add to the description", "", ""}, "description": {"Description", "", ""}, "place": {"Place", "", ""}, "type": {"Meeting type", "", ""},
	"types": {"Meeting type by tag", "If the contact has the tag, the request is of that type.", ""},
	"text":  {"Text", "", ""}, "note.text": {"Text", "", "the text of the note"}, "body": {"Text", "", ""}, "assigned_to": {"Assigned to", "", "nobody"},
	"emails": {"E-mail addresses", "", ""}, "phones": {"Phone numbers", "", ""}, "organization": {"Company", "", ""}, "job_title": {"Job title", "", ""},
	"contact.name": {"Name", "", "{{ contact.name }}"}, "contact.emails": {"E-mail addresses", "", "{{ contact.email }}"}, "contact.phones": {"Phone numbers", "", "{{ contact.phone }}"}, "contact.organization": {"Company", "", "{{ contact.company_name }}"},
	"upsert_contact.name": {"Name", "", "{{ calendarhero_contact.name }}"}, "upsert_contact.emails": {"E-mail addresses", "", "{{ calendarhero_contact.emails }}"},
	"upsert_contact.phones": {"Phone numbers", "", "{{ calendarhero_contact.phones }}"}, "upsert_contact.organization": {"Company", "", "{{ calendarhero_contact.company_name }}"},
	"two_way": {"Both ways: what changes in CalendarHero goes back to HighLevel", "", ""},
	"add":     {"Tags to add", "", ""}, "remove": {"Tags to remove", "", ""},
	"hashtags_of": {"Take #hashtags from this text", "", ""}, "keywords": {"Words that add a tag", "If the word is in the text below, the contact gets the tag.", ""}, "keywords_of": {"Look for the words in", "", ""},
	"update_contact.fields": {"Fields to set", "", ""}, "operation": {"Operation", "", ""},

	"milestone.name": {"Name of the milestone", "", ""}, "milestone.date": {"Date of the milestone", "", ""}, "milestone.tag": {"Tag", "", ""}, "milestone.stage": {"Stage", "", ""},
	"milestone.pipeline": {"Pipeline", "", "any pipeline"}, "milestone.yearly": {"It comes again every year", "", ""}, "milestone.after": {"Move it to so long after the date", "Such as 3d or 1w.", ""},
}

func textsOf(action, field string) fieldText {
	if t, ok := fieldTexts[action+"."+field]; ok {
		return t
	}
	if t, ok := fieldTexts[field]; ok {
		return t
	}
	return fieldText{label: inWords(strings.TrimPrefix(field, "fields."))}
}

func labelOf(action, field string) string { return textsOf(action, field).label }
func helpOf(action, field string) string  { return textsOf(action, field).help }
func emptyOf(action, field string) string { return textsOf(action, field).empty }

// editAction is an action of the page.
type editAction struct {
	N           int // from 0
	Type        string
	Title       string
	Meaning     string
	TypeName    string
	WasName     string
	Was         int
	Boxes, More []box
	Operation   *catalog.Entry
	First, Last bool
	Wrong       []string
	Focus       bool
}

var actionTitles = map[string]string{
	"event": "Event in CalendarHero", "task": "Task in CalendarHero", "note": "Note in CalendarHero", "contact": "Contact in CalendarHero", "tags": "Tags in HighLevel",
	"highlevel_note": "Note in HighLevel", "highlevel_task": "Task in HighLevel", "complete_task": "Complete the task in HighLevel", "reschedule_task": "Move the task in HighLevel",
	"update_contact": "Set fields of the contact in HighLevel", "upsert_contact": "Create or update the contact in HighLevel", "request": "Any other operation",
}

var actionMeanings = map[string]string{
	"event": "A meeting request at a time.", "task": "A meeting request that ends when the task is due.", "note": "A text in the description of the contact's open requests.",
	"contact": "Keeps the contact in CalendarHero too.", "tags": "Adds tags to the contact, and removes tags.", "highlevel_note": "A note on the contact.", "highlevel_task": "A task for the contact.",
	"complete_task": "Completes the task that the meeting was created for.", "reschedule_task": "Moves the due date of the task that the meeting was created for.",
	"update_contact": "Writes into fields of the contact.", "upsert_contact": "From a contact that came through a scheduling link.", "request": "Calls an operation of the catalogue once for each change.",
}

var clockForm = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)

// rarely are the fields that most people leave empty.
var rarely = []string{"description", "place", "type", "types", "keywords", "keywords_of", "job_title"}

// orderOf is in which order the fields of an action are shown.
func orderOf(action string) []string {
	switch action {
	case "event":
		return []string{"title", "start", "at", "duration", "invite", "reminders", "attach", "description", "place", "type", "types"}
	case "task":
		return []string{"title", "due", "at", "duration", "invite", "reminders", "attach", "description", "place", "type", "types"}
	case "tags":
		return []string{"add", "remove", "hashtags_of", "keywords", "keywords_of"}
	}
	return mapping.ActionFields(action)
}

func (e *editForm) actions() (all []editAction) {
	for i, act := range e.form.Actions {
		prefix := actionName(i, "")
		one := editAction{
			N: i, Type: act.Type, Title: actionTitles[act.Type], Meaning: actionMeanings[act.Type], TypeName: prefix + "type", WasName: prefix + "was", Was: act.Was,
			First: i == 0, Last: i == len(e.form.Actions)-1, Wrong: e.wrong[prefix+"type"], Focus: e.focus == prefix+"type",
		}
		if !mapping.GoesWith(act.Type, mapping.Trigger(e.form.Top["on"].Text)) && e.form.Top["on"].Text != "" && len(one.Wrong) == 0 {
			one.Wrong = []string{"This action does not go with what starts the automation. Remove it, or choose another start."}
		}
		for _, field := range orderOf(act.Type) {
			b := e.actionBox(act, prefix, field)
			if _, given := act.Values[field]; slices.Contains(rarely, field) && !given && !b.pressing() {
				one.More = append(one.More, b)
			} else {
				one.Boxes = append(one.Boxes, b)
			}
		}
		if act.Type == "request" {
			e.request(&one, act, prefix)
		}
		all = append(all, one)
	}
	return all
}

var durations = []option{{Value: "15m", Name: "15 minutes"}, {Value: "30m", Name: "30 minutes"}, {Value: "45m", Name: "45 minutes"}, {Value: "1h", Name: "1 hour"}, {Value: "1h30m", Name: "1½ hours"}, {Value: "2h", Name: "2 hours"}, {Value: "1d", Name: "1 day"}}

var reminders = []option{{Value: "1w", Name: "1 week"}, {Value: "2d", Name: "2 days"}, {Value: "1d", Name: "1 day"}, {Value: "2h", Name: "2 hours"}, {Value: "1h", Name: "1 hour"}, {Value: "30m", Name: "30 minutes"}, {Value: "15m", Name: "15 minutes"}}

// needText says whether the due date or the text of an action is needed. That of a task or
// a note comes from the record, if such a record starts the automation.
func (e *editForm) needText(b *box, action string) {
	switch on := mapping.Trigger(e.form.Top["on"].Text); action {
	case "highlevel_task", "highlevel_note":
		b.Must = true
	case "task", "note":
		if on != "" && string(on.Kind()) != action {
			b.Must, b.Empty = true, ""
		}
	}
}

// actionBox is the box of a field of an action.
func (e *editForm) actionBox(act mapping.FormAction, prefix, field string) box {
	b := e.box(act.Values, prefix, act.Type, field)
	const other = "Something else…"
	switch field {
	case "title", "start":
		b.Must = true
	case "due", "text":
		e.needText(&b, act.Type)
	case "at":
		if b.Control == "text" && (b.Value == "" || clockForm.MatchString(b.Value)) {
			b.Control, b.Insert = "time", false
		}
	case "duration":
		return e.choose(b, "As usual ("+b.Empty+")", "Another length…", optionGroup{Options: durations})
	case "invite":
		return e.choose(b, "The owner of the CalendarHero account", "An e-mail address, or a text with fields…", optionGroup{Options: []option{
			{Value: "owner", Name: "The owner of the CalendarHero account"}, {Value: "contact", Name: "The contact: CalendarHero mails the customer"},
		}})
	case "type":
		return e.choose(b, "CalendarHero's usual", other, optionGroup{Options: picked(e.choices.Options[operate.MeetingTypes], true)})
	case "assigned_to":
		return e.choose(b, "Nobody", other, optionGroup{"Users", picked(e.choices.Options[operate.Users], false)})
	case "reminders":
		return checks(b, reminders)
	case "attach":
		b = checks(b, []option{{Value: "notes", Name: "the notes of the contact"}, {Value: "tags", Name: "the tags of the contact"}})
		if len(b.List) == 1 && b.List[0] == "" {
			b.List = nil // there is nothing else to attach
		}
	case "add", "remove":
		b.Keys = "tags"
	case "types":
		b.Keys, b.Values = "tags", "types"
	case "keywords":
		b.Values = "tags"
	case "fields":
		b.Keys, b.Insert = "writable", false
	case "operation":
		return e.operation(b)
	}
	return b
}

// checks shows the entries of a list as boxes to tick, and what else is in it as texts.
func checks(b box, known []option) box {
	if b.Control != "list" {
		return b
	}
	b.Control, b.Insert = "checks", false
	left := slices.Clone(b.List)
	for _, o := range known {
		if at := slices.Index(left, o.Value); at >= 0 {
			o.Selected = true
			left = slices.Delete(left, at, at+1)
		}
		b.Checks = append(b.Checks, o)
	}
	b.List = left
	return b
}

func (e *editForm) operation(b box) box {
	var groups []optionGroup
	for _, entry := range catalog.Entries() {
		if entry.Kind != catalog.Operation || entry.Reserved != "" && entry.Name != b.Value {
			continue
		}
		title := vendorName(entry.Vendor) + ": " + entry.Group
		if len(groups) == 0 || groups[len(groups)-1].Title != title {
			groups = append(groups, optionGroup{Title: title})
		}
		g := &groups[len(groups)-1]
		g.Options = append(g.Options, option{Value: entry.Name, Name: entry.Summary + " (" + strings.ToLower(entry.Method) + " " + entry.Path + ")"})
	}
	b.Must = true
	b = e.choose(b, "Choose an operation", "", groups...)
	b.Refresh = true
	return b
}

// request adds the fields of an action's operation.
func (e *editForm) request(one *editAction, act mapping.FormAction, prefix string) {
	entry, ok := catalog.Find(act.Values["operation"].Text)
	shown := map[string]bool{}
	if ok && entry.Kind == catalog.Operation {
		one.Operation = &entry
		e.callBoxes(one, act, prefix, shown)
	}
	for _, field := range slices.Sorted(maps.Keys(act.Values)) { // what the operation does not have
		if strings.HasPrefix(field, "fields.") && !shown[field] {
			one.Boxes = append(one.Boxes, e.box(act.Values, prefix, act.Type, field))
		}
	}
}

// callBoxes adds the boxes of an operation's fields, and notes them in shown. Those of
// an object are under its name.
func (e *editForm) callBoxes(one *editAction, act mapping.FormAction, prefix string, shown map[string]bool) {
	var add func(fields catalog.Fields, at string, must bool)
	add = func(fields catalog.Fields, at string, must bool) {
		for _, f := range fields {
			path, field := at+f.Name, "fields."+at+f.Name
			if f.Filled != "" {
				continue
			}
			if f.Type == catalog.Object && len(f.Fields) > 0 && act.Values[field].YAML == "" {
				add(f.Fields, path+".", must && f.Required)
				continue
			}
			b := e.callBox(act.Values, prefix, path, f)
			b.Must, shown[field] = must && f.Required, true
			_, given := act.Values[field]
			if b.Must || given || slices.Contains(one.Operation.Either, f.Name) || b.pressing() {
				one.Boxes = append(one.Boxes, b)
			} else {
				one.More = append(one.More, b)
			}
		}
	}
	add(one.Operation.Fields, "", true)
}

// pressing reports whether a box must be seen now.
func (b box) pressing() bool { return len(b.Wrong) > 0 || b.Picking || b.Focus }

func (e *editForm) callBox(values mapping.FormValues, prefix, path string, f catalog.Field) box {
	b := e.box(values, prefix, "request", "fields."+path)
	b.Label = inWords(path)
	b.Help = "for example " + shortExample(f.Example)
	const other = "Something else…"
	switch {
	case b.Control == "yaml":
		b.Help = "Written as YAML, " + b.Help
		return b
	case f.Type == catalog.Boolean:
		return e.choose(b, "Not set", other, optionGroup{Options: []option{{Value: "true", Name: "Yes"}, {Value: "false", Name: "No"}}})
	case len(f.Values) > 0:
		var list []option
		for _, v := range f.Values {
			list = append(list, option{Value: v, Name: v})
		}
		return e.choose(b, "Not set", other, optionGroup{Options: list})
	case strings.Contains(strings.ToLower(f.Name), "stageid") || strings.HasSuffix(f.Name, "stage_id"):
		return e.choose(b, "Not set", other, stages(e.choices.Options[f.Pick], false)...)
	case f.Pick != "" && b.Control == "text":
		return e.choose(b, "Not set", other, optionGroup{Options: picked(e.choices.Options[f.Pick], false)})
	case f.Pick != "" && b.Control == "list":
		b.Keys = strings.ReplaceAll(f.Pick, ".", "-")
	}
	return b
}

func shortExample(v any) string {
	text := strings.ReplaceAll(fmt.Sprint(v), "\n", " ")
	if list, ok := v.([]any); ok {
		parts := make([]string, len(list))
		for i, one := range list {
			parts[i] = fmt.Sprint(one)
		}
		text = strings.Join(parts, ", ")
	}
	const longest = 60
	if runes := []rune(text); len(runes) > longest {
		text = string(runes[:longest-1]) + "…"
	}
	return text
}

// picks are the lists that the operations of the form's requests pick from.
func (f *filledForm) picks() (all []string) {
	for _, act := range f.form.Actions {
		entry, ok := catalog.Find(act.Values["operation"].Text)
		if act.Type != "request" || !ok {
			continue
		}
		for _, field := range entry.Fields {
			if list, ok := catalog.Find(field.Pick); ok && !slices.Contains(all, field.Pick) && !slices.ContainsFunc(list.Fields, func(f catalog.Field) bool { return f.Required && f.Filled == "" }) {
				all = append(all, field.Pick)
			}
		}
	}
	return all
}

// editRow is a row of the condition on the page.
type editRow struct {
	N        int
	Name     string // if.0.
	Field    box
	Op       []option
	For      string // field that the kind is of
	Kind     []option
	KindOf   string
	AskKind  bool
	NoValue  bool
	YesNo    bool
	Lines    bool
	Date     bool
	Number   bool
	Tags     bool
	Value    string
	Wrong    []string
	Focus    bool
	FocusVal bool
}

var operatorNames = map[mapping.Operator]string{
	mapping.Is: "is", mapping.IsNot: "is not", mapping.Contains: "contains", mapping.StartsWith: "starts with", mapping.IsEmpty: "is empty", mapping.IsNotEmpty: "is not empty",
	mapping.IsBefore: "is before (date)", mapping.IsAfter: "is after (date)", mapping.Within: "is today or within so many days", mapping.HasTag: "has the tag", mapping.HasNoTag: "does not have the tag", mapping.IsOneOf: "is one of",
}

func (e *editForm) conditionRows() (all []editRow) {
	custom := map[string]string{}
	for _, f := range e.choices.Fields {
		custom[modelOf(f)+"."+f.Key] = f.Type
	}
	for i, row := range e.rows {
		name := "if." + strconv.Itoa(i) + "."
		natural := naturalKind(row.field, custom[row.field])
		kind := row.kind
		if kind == "" {
			kind = natural
		}
		one := editRow{N: i, Name: name, For: row.field, Value: row.value, Wrong: e.wrong["if."+strconv.Itoa(i)], FocusVal: e.focus == name+"value"}
		one.Field = e.choose(e.finish(box{Name: name + "field", Label: "Field", Control: "text", Value: row.field, Kind: "text"}), "Choose a field", "Another field, by its name…", fieldSelect(e.groups, nil)...)
		one.Field.Refresh = true
		op := mapping.Operator(row.op)
		for _, o := range mapping.Operators() {
			one.Op = append(one.Op, option{Value: string(o), Name: operatorNames[o], Selected: o == op})
		}
		switch op {
		case mapping.IsEmpty, mapping.IsNotEmpty:
			one.NoValue = true
		case mapping.IsBefore, mapping.IsAfter:
			one.Date = true
		case mapping.Within:
			one.Number = true
		case mapping.HasTag, mapping.HasNoTag:
			one.Tags = true
		case mapping.Is, mapping.IsNot, mapping.IsOneOf, "":
			one.Lines = op == mapping.IsOneOf
			one.NoValue = kind == kindNothing
			one.YesNo = kind == kindYesNo && !one.Lines
			one.AskKind = row.field != "" && op != "" && (kind != natural || mapping.TypeOf(row.field) == mapping.TypeOther)
		}
		one.KindOf = kind
		for _, k := range []option{{Value: kindText, Name: "the text"}, {Value: kindNumber, Name: "the number"}, {Value: kindYesNo, Name: "yes or no"}, {Value: kindNothing, Name: "nothing at all"}} {
			k.Selected = k.Value == kind
			one.Kind = append(one.Kind, k)
		}
		all = append(all, one)
	}
	return all
}

var milestoneKinds = []option{
	{Value: milestoneFields, Name: "Two custom fields of the contact: its name and its date"},
	{Value: milestoneField, Name: "One date field of the contact, which gives it its name"},
	{Value: milestoneNamed, Name: "A date of the contact, such as the date of birth, with a name that you write"},
	{Value: milestoneTag, Name: "A tag of the contact"},
	{Value: milestoneStage, Name: "A stage of an opportunity"},
	{Value: milestoneOpportunity, Name: "A date of an opportunity"},
	{Value: milestoneAppointment, Name: "An appointment"},
	{Value: milestoneWorkflow, Name: "The Custom Data of a workflow's webhook"},
}

// milestone are the boxes of the milestone.
func (e *editForm) milestone() (boxes []box) {
	uses := milestoneUses[e.kind]
	for _, field := range mapping.MilestoneFields() {
		_, given := e.form.Milestone[field]
		b := e.box(e.form.Milestone, "m.", "", field)
		t := textsOf("milestone", field)
		b.Label, b.Help, b.Empty = t.label, t.help, t.empty
		b.Insert = false
		if !slices.Contains(uses, field) && !given && len(b.Wrong) == 0 {
			continue
		}
		b = e.milestoneBox(b, field)
		boxes = append(boxes, b)
	}
	return boxes
}

// milestoneBox offers what a field of the milestone can be.
func (e *editForm) milestoneBox(b box, field string) box {
	record := map[string]string{milestoneOpportunity: "opportunity", milestoneAppointment: "appointment"}[e.kind]
	if record == "" {
		record = "contact"
	}
	of := func(f fieldOption) bool { return f.Record == record }
	all := e.groups
	if record != "contact" { // which the records are only once the milestone says so
		all = e.choices.fieldGroups(mapping.Form{Top: e.form.Top, Milestone: mapping.FormValues{"date": {Text: record + ".x"}}})
	}
	switch {
	case field == "date" && e.kind == milestoneWorkflow:
		b.Help = "Such as custom_data.milestone_date: the key that the workflow sends."
	case field == "name" && e.kind == milestoneWorkflow:
		b.Help = "Such as custom_data.milestone_title, or the name itself."
	case field == "date":
		none := "Choose a date"
		if e.kind == milestoneTag {
			none = "When Milepost noticed the tag"
		}
		b = e.choose(b, none, "Another field, by its name…", fieldSelect(all, func(f fieldOption) bool { return of(f) && (dates(f) || f.Type != "" && record == "contact") })...)
	case field == "name" && e.kind == milestoneFields:
		b = e.choose(b, "Choose a field", "Another field, by its name…", fieldSelect(all, of)...)
	case field == "name" && (e.kind == milestoneOpportunity || e.kind == milestoneAppointment):
		b.Empty = "the name of the " + record
	case field == "tag":
		b = e.choose(b, "Choose a tag", "Another tag…", optionGroup{Options: picked(e.choices.Options[operate.Tags], true)})
	case field == "stage":
		b = e.choose(b, "Choose a stage", "Another stage…", stages(e.choices.Options[operate.Pipelines], true)...)
	case field == "pipeline":
		b = e.choose(b, "Any pipeline", "Another pipeline…", optionGroup{Options: picked(e.choices.Options[operate.Pipelines], true)})
	}
	return b
}
