package console

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"milepost/internal/automation"
	"milepost/internal/catalog"
	"milepost/internal/operate"
	"milepost/internal/store"
	"milepost/mapping"
)

func (c *Console) editorRoutes(r chi.Router) {
	for _, pattern := range []string{"/automations/new", "/automations/{id}/edit"} {
		c.page(r, pattern, "form", c.formPage)
		c.actionOf(r, longestText, pattern, "form", c.formPage, c.fillIn)
	}
	for _, pattern := range []string{"/automations/new/yaml", "/automations/{id}/yaml"} {
		c.page(r, pattern, "edit", c.editPage)
		c.actionOf(r, longestText, pattern, "edit", c.editPage, c.saveText)
	}
}

// edited is the automation that an address names; the zero one on the pages of a new
// one.
func (c *Console) edited(r *http.Request) (automation.Entry, error) {
	if chi.URLParam(r, "id") == "" {
		return automation.Entry{}, nil
	}
	return c.automation(r)
}

// editorPath is the address of the editor of an automation; "" = of a new one.
func editorPath(id string) string {
	if id == "" {
		return Path + "automations/new"
	}
	return automationPath(id) + "/edit"
}

func yamlPath(id string) string {
	if id == "" {
		return Path + "automations/new/yaml"
	}
	return automationPath(id) + "/yaml"
}

// editText is the text that an editor of an automation opens with: its draft, if there
// is one. A new one may begin with a recipe.
func (c *Console) editText(r *http.Request, e automation.Entry) (string, error) {
	switch {
	case e.Draft > 0:
		return c.Desk.Automations.Draft(r.Context(), e.ID)
	case e.ID != "":
		return e.Text, nil
	}
	name := r.URL.Query().Get("recipe")
	if name == "" {
		return "", nil
	}
	recipe, err := c.Desk.Recipe(r.Context(), name)
	if errors.Is(err, operate.ErrUnknown) {
		return "", errNotFound
	}
	return recipe.YAML, err
}

// filling is what a person asked of the form that was sent.
type filling struct {
	form    filledForm
	in      url.Values
	base    int64
	wrong   wrongAt // nil = mistakes are not shown now
	picking string  // name of the box whose list of fields is open
	focus   string  // name of the box to go to
	again   bool    // the lists are to be read again
	find    bool    // contacts are searched
	preview bool
}

// fillIn does what a person asked: it changes the form, previews it or saves it.
func (c *Console) fillIn(r *http.Request, v *view) (string, error) {
	e, err := c.edited(r)
	if err != nil {
		return "", err
	}
	in := r.PostForm
	step, of, _ := strings.Cut(in.Get("step"), ":")
	if step == "put" {
		insert(in, of)
	}
	f := &filling{in: in}
	if f.base, err = strconv.ParseInt(in.Get("base"), 10, 64); err != nil {
		return "", problem("The form could not be read. Open the page again.")
	}
	if f.form, err = readFilled(in, e.ID); err != nil {
		return "", problem("The form could not be read. Open the page again.")
	}
	v.Data = f
	switch step {
	case "draft", "live", "yaml":
		return c.finish(r, v, e, f, step)
	case "check":
		_, _, f.wrong = f.form.write()
	case "preview", "contact":
		f.preview = true
		if step == "contact" {
			in.Set("contact", of)
			in.Del("record")
		}
		if _, _, wrong := f.form.write(); step == "preview" && len(wrong) > 0 {
			f.wrong = wrong
			return "", problem("Correct the form first: " + plural(int64(len(wrong)), "mistake", "mistakes") + ".")
		}
	default:
		if err := f.change(step, of); err != nil {
			return "", err
		}
	}
	return "", nil
}

// insert puts a field that was picked at the end of a text.
func insert(in url.Values, name string) {
	path := in.Get("pick.path")
	if path == "" {
		return
	}
	text := "{{ " + path + " }}"
	kind := in.Get(strings.Replace(name, "f.", "k.", 1))
	switch {
	case strings.HasPrefix(kind, string(mapping.FieldList)):
		in.Add(name, text)
	case in.Get(name) == own:
		in.Set(name+".own", in.Get(name+".own")+text)
	default:
		in.Set(name, in.Get(name)+text)
	}
}

// finish saves the form, or shows it as YAML.
func (c *Console) finish(r *http.Request, v *view, e automation.Entry, f *filling, step string) (string, error) {
	text, _, wrong := f.form.write()
	if text == "" || len(wrong) > 0 && step != "yaml" {
		f.wrong = wrong
		return "", problem("Nothing was saved: " + plural(int64(len(wrong)), "mistake", "mistakes") + ". Each is shown at its field.")
	}
	if step == "yaml" {
		f.in.Set("text", text)
		v.page, v.Data = "edit", nil
		return "", nil
	}
	next, err := c.saveEdited(r, v, e, text, f.in.Get("why"), f.base, step == "draft")
	return next, err
}

// saveEdited saves a text as a draft or live, and says where to go then.
func (c *Console) saveEdited(r *http.Request, v *view, e automation.Entry, text, why string, base int64, draft bool) (string, error) {
	said := "saved"
	switch {
	case draft:
		said = "draft-saved"
	case e.ID == "" || e.Version == 0:
		said = "created"
	}
	id := e.ID
	var err error
	if id == "" {
		id, err = c.Desk.Create(r.Context(), v.Me.Name, text, why, draft)
	} else {
		err = c.Desk.Save(r.Context(), v.Me.Name, id, text, why, base, draft)
	}
	if errors.Is(err, operate.ErrChangedSince) {
		return "", problem("Nothing was saved: somebody changed this automation since you opened it. Copy your text, look at the history, and edit it again.")
	}
	return automationPath(id) + "?said=" + said, editProblem(err)
}

// change does what a button asks that changes the form alone.
func (f *filling) change(step, of string) error {
	n, _ := strconv.Atoi(of)
	form := &f.form
	switch step {
	case "refresh", "put":
		f.focus = of
	case "names":
		f.again = true
	case "find":
		f.find = true
	case "pick":
		f.picking = of
	case "row.add":
		form.rows = append(form.rows, condRow{op: string(mapping.Is)})
		f.focus = "if." + strconv.Itoa(len(form.rows)-1) + ".field"
	case "row.del":
		if n >= 0 && n < len(form.rows) {
			form.rows = slices.Delete(form.rows, n, n+1)
		}
		f.focus = "row.add"
	case "if.text":
		text, _ := form.condition()
		if was, ok := form.form.Top["if"]; ok {
			text = was.Text
		}
		form.expression, form.form.Top["if"] = true, mapping.FormValue{Text: text}
		f.focus = "if.text"
	case "if.rows":
		if form.rows, form.any, form.expression = rowsOf(form.form.Top["if"].Text); form.expression {
			return problem("This condition can only be shown as an expression. docs/automations.md lists those that rows can show.")
		}
		f.focus = "row.add"
	case "action.add":
		kind := f.in.Get("add")
		if !slices.Contains(mapping.ActionNames(), kind) {
			return problem("Choose the action to add.")
		}
		form.form.Actions = append(form.form.Actions, mapping.FormAction{Type: kind, Values: mapping.FormValues{}})
		f.focus = actionName(len(form.form.Actions)-1, "type")
	case "action.del", "action.up", "action.down":
		f.moveAction(step, n)
	case "list.add":
		f.focus = of
	}
	return nil
}

func (f *filling) moveAction(step string, n int) {
	list := f.form.form.Actions
	to := map[string]int{"action.up": n - 1, "action.down": n + 1}[step]
	switch {
	case n < 0 || n >= len(list):
	case step == "action.del":
		f.form.form.Actions = slices.Delete(list, n, n+1)
		f.focus = "add"
	case to >= 0 && to < len(list):
		list[n], list[to] = list[to], list[n]
		f.focus = actionName(to, "type")
	}
}

// formData is what the editor's page shows.
type formData struct {
	automation.Entry
	Source   string // the file that is the only source
	Path     string // of the page
	YAMLPath string
	NotShown string // why the form cannot show the automation
	Was      string
	Base     int64
	Why      string

	Name, ID, Tag, Before, Conflict box
	New                             bool
	On                              box
	Meaning                         string
	HasMilestone, MustMilestone     bool
	Kind                            string
	Kinds                           []option
	KindWrong                       []string
	Milestone                       []box

	Expression bool
	If         string
	IfWrong    []string
	Any        bool
	Rows       []editRow
	FocusIf    string

	Actions  []editAction
	Add      []option
	AddWrong []string
	Moved    bool // moving an action matters: it made something
	TwoSided bool

	Groups    []fieldGroup // that can be inserted
	Picking   string       // name of the box that one is inserted into; "" = none
	Into      string       // and what the box is called
	Lists     map[string][]option
	Locations []option
	Location  string
	ReadAt    time.Time
	Unread    []string // why lists could not be read

	Q         string
	Found     []store.Contact
	Searched  bool
	Contact   *store.Contact
	Records   []option
	Record    string
	RecordOf  string // which kind of record the preview needs; "" = the contact
	Preview   *automation.Preview
	NoPreview string // why there is none

	Wrong    []wrongLine
	Readable bool
}

// wrongLine is a mistake in the list of all.
type wrongLine struct{ ID, Label, Message string }

func (c *Console) formPage(r *http.Request, v *view) error {
	e, err := c.changing(r, v, "Edit", c.edited)
	if err != nil {
		return err
	}
	if v.page == "edit" {
		return c.editPage(r, v)
	}
	data := formData{Entry: e, New: e.ID == "", Source: c.Desk.Automations.Source(), Path: editorPath(e.ID), YAMLPath: yamlPath(e.ID), Base: max(e.Version, e.Draft), Lists: map[string][]option{}}
	f, sent := v.Data.(*filling)
	if !sent {
		f = &filling{in: url.Values{}, base: data.Base}
		text, err := c.editText(r, e)
		if err != nil {
			return err
		}
		if f.form, err = fillForm(text, e.ID); err == nil && text != "" {
			_, err = mapping.LoadStored("text", []byte(text))
		}
		if err != nil {
			data.NotShown = "The form cannot show this automation: " + err.Error() + "."
			if _, wrong := errors.AsType[*mapping.LoadError](err); wrong {
				data.NotShown = "This version of Milepost cannot use this automation as it is written."
			}
			v.Data = data
			return nil
		}
	}
	data.Base, data.Why, data.Was = f.base, f.in.Get("why"), f.form.was
	if err := c.fillData(r, &data, f); err != nil {
		return err
	}
	v.Data = data
	return nil
}

// fillData reads what the page needs beside the form: lists, examples, the preview.
func (c *Console) fillData(r *http.Request, data *formData, f *filling) error {
	known, err := c.editChoices(r, data, f)
	if err != nil {
		return err
	}
	e := &editForm{filledForm: &f.form, choices: known, wrong: f.wrong, picking: f.picking, focus: f.focus}
	if e.wrong == nil {
		e.wrong = wrongAt{}
	}
	e.groups = known.fieldGroups(f.form.form)
	data.Groups = e.groups
	e.fill(data)
	text, set, wrong := f.form.write()
	if data.Readable = len(wrong) == 0 && set != nil; data.Readable {
		data.Mails = set.Automations()[0].Mails()
	}
	if f.preview && data.Contact != nil {
		switch {
		case len(wrong) > 0:
			data.NoPreview = "Fill in the form first. Then press Preview."
		default:
			if err := c.previewText(r, data, text); err != nil {
				return err
			}
		}
	}
	return nil
}

// shownLists are the lists that every editor page offers.
var shownLists = []string{operate.CustomFields, operate.Tags, operate.Pipelines, operate.Users, operate.Calendars, operate.MeetingTypes}

// editChoices reads the lists of the location, and the chosen contact.
func (c *Console) editChoices(r *http.Request, data *formData, f *filling) (known choicesOf, err error) {
	location, contact, chosen := strings.Cut(f.in.Get("contact"), "|")
	if !chosen {
		location = f.in.Get("location")
	}
	if err := c.editLocations(r.Context(), data, location); err != nil {
		return known, err
	}
	chosen = chosen && data.Location == location
	data.Q = f.in.Get("q")
	if f.find {
		found, err := c.Desk.Contacts(r.Context(), data.Q, store.ContactCursor{}, mostFound)
		if err != nil {
			return known, err
		}
		data.Found, data.Searched = found.List, true
	}
	if data.Location == "" || c.Desk.Connections == nil {
		return known, nil
	}
	if known.Choices, err = c.readChoices(r, data, f); err != nil || !chosen {
		return known, err
	}
	if data.Contact, err = c.contactOf(r.Context(), location, contact); err != nil {
		return known, err
	}
	if known.example, err = c.Desk.Example(r.Context(), location, contact, f.again); err != nil {
		failed, err := vendorFailed(r, err)
		if err != nil {
			return known, err
		}
		data.Unread = append(data.Unread, failed)
	}
	return known, c.previewRecords(r, data, f)
}

// editLocations lists the connected locations, and chooses one: the first, if the
// wanted one is not among them.
func (c *Console) editLocations(ctx context.Context, data *formData, wanted string) error {
	connections, err := c.Desk.Store.Connections(ctx)
	if err != nil {
		return err
	}
	for _, l := range connections {
		if l.State != store.ConnectionActive || len(data.Locations) >= mostChoices {
			continue
		}
		if l.LocationID == wanted || data.Location == "" {
			data.Location = l.LocationID
		}
		data.Locations = append(data.Locations, option{Value: l.LocationID, Name: cmp.Or(l.Name, l.LocationID)})
	}
	for i := range data.Locations {
		data.Locations[i].Selected = data.Locations[i].Value == data.Location
	}
	return nil
}

// readChoices reads the lists that the form picks from.
func (c *Console) readChoices(r *http.Request, data *formData, f *filling) (operate.Choices, error) {
	lists := slices.Concat(shownLists, f.form.picks())
	slices.Sort(lists)
	known, err := c.Desk.Choices(r.Context(), data.Location, slices.Compact(lists), f.again)
	if err != nil {
		failed, err := vendorFailed(r, err)
		data.Unread = []string{failed}
		return known, err
	}
	data.ReadAt = known.ReadAt
	for _, list := range slices.Sorted(maps.Keys(known.Failed)) {
		failed, err := vendorFailed(r, known.Failed[list])
		if err != nil {
			c.Logger.Error().Err(err).Str("list", list).Msg("could not read what a location has")
			failed = "A list could not be read: " + list + ". The log says why."
		}
		if !slices.Contains(data.Unread, failed) {
			data.Unread = append(data.Unread, failed)
		}
	}
	return known, nil
}

// mostFound is how many contacts a search in the editor lists.
const mostFound = 8

// previewRecords lists the records of the chosen contact that the automation could be
// previewed on.
func (c *Console) previewRecords(r *http.Request, data *formData, f *filling) error {
	kind := f.form.form.Kind()
	switch kind {
	case mapping.KindContact, mapping.KindWorkflow:
		return nil
	case mapping.KindMeeting:
		meetings, err := c.Desk.Store.OpenRequests(r.Context(), data.Location, data.Contact.ID, c.Now())
		if err != nil {
			return err
		}
		for _, m := range meetings {
			data.Records = append(data.Records, option{Value: m.ID, Name: m.Title + ", " + m.Start.UTC().Format("2 Jan 2006 15:04 UTC")})
		}
	default:
		states, err := c.Desk.Store.RecordsOf(r.Context(), data.Location, data.Contact.ID)
		if err != nil {
			return err
		}
		for _, s := range states {
			if s.Kind == string(kind) && len(data.Records) < mostChoices {
				data.Records = append(data.Records, option{Value: s.ID, Name: kindName(s.Kind) + " " + s.ID})
			}
		}
	}
	data.RecordOf, data.Record = kindName(string(kind)), f.in.Get("record")
	for i := range data.Records {
		if data.Records[i].Value == data.Record {
			data.Records[i].Selected = true
		}
	}
	if len(data.Records) > 0 && !slices.ContainsFunc(data.Records, func(o option) bool { return o.Selected }) {
		data.Records[0].Selected = true
		data.Record = data.Records[0].Value
	}
	return nil
}

// previewText says what the text would do with the chosen record.
func (c *Console) previewText(r *http.Request, data *formData, text string) error {
	of := automation.Target{Location: data.Location, Contact: data.Contact.ID}
	if data.RecordOf != "" && data.Record == "" {
		data.NoPreview = "Milepost knows no " + data.RecordOf + " of this contact. Choose another contact."
		return nil
	}
	set, err := mapping.Load("text", []byte(text))
	if err != nil {
		return err
	}
	switch set.Automations()[0].Kind() {
	case mapping.KindTask:
		of.Task = data.Record
	case mapping.KindNote:
		of.Note = data.Record
	case mapping.KindAppointment:
		of.Appointment = data.Record
	case mapping.KindOpportunity:
		of.Opportunity = data.Record
	case mapping.KindMeeting:
		of.Meeting = data.Record
	case mapping.KindCalendarContact:
		data.NoPreview = "A contact that CalendarHero created cannot be previewed."
		return nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), dryRun)
	defer cancel()
	data.Preview, err = c.Desk.PreviewText(ctx, text, of)
	if err == nil {
		return nil
	}
	data.Preview = nil
	if refused, ok := errors.AsType[automation.Refused](err); ok {
		data.NoPreview = sentence(refused)
		return nil
	}
	data.NoPreview, err = vendorFailed(r, err)
	return err
}

// fill makes the boxes of the page.
func (e *editForm) fill(data *formData) {
	top := e.form.Top
	on := mapping.Trigger(top["on"].Text)
	data.Name = e.box(top, "", "", "name")
	data.Name.Must, data.Name.Insert = true, false
	data.ID = e.box(top, "", "", "id")
	data.ID.Insert = false
	data.On = e.trigger()
	data.Meaning = meaningOf(on)
	data.Tag = e.choose(e.box(top, "", "", "tag"), "Choose a tag", "Another tag…", optionGroup{Options: picked(e.choices.Options[operate.Tags], true)})
	data.Before = e.box(top, "", "", "before")
	data.Before.Insert, data.Tag.Must, data.Before.Must = false, true, true
	data.Conflict = e.choose(e.box(top, "", "", "conflict"), "The newest change wins", "", optionGroup{Options: []option{
		{Value: "newest", Name: "The newest change wins"}, {Value: "highlevel", Name: "HighLevel wins"}, {Value: "calendarhero", Name: "CalendarHero wins"},
	}})
	data.HasMilestone, data.MustMilestone = on.HasMilestone()
	data.Kind, data.KindWrong = e.kind, e.wrong["m.kind"]
	for _, o := range milestoneKinds {
		if on == mapping.WorkflowReceived && o.Value != milestoneWorkflow {
			continue
		}
		o.Selected = o.Value == e.kind
		data.Kinds = append(data.Kinds, o)
	}
	data.Milestone = e.milestone()
	data.Expression, data.If, data.Any, data.FocusIf = e.expression, top["if"].Text, e.any, e.focus
	data.IfWrong = e.wrong["if.text"]
	data.Rows = e.conditionRows()
	data.Actions = e.actions()
	data.AddWrong = e.wrong["add"]
	for _, name := range mapping.ActionNames() {
		if on == "" || mapping.GoesWith(name, on) {
			data.Add = append(data.Add, option{Value: name, Name: actionTitles[name] + ": " + strings.ToLower(actionMeanings[name][:1]) + strings.TrimSuffix(actionMeanings[name][1:], ".")})
		}
	}
	data.Moved = data.Version > 0 && len(data.Actions) > 1
	data.TwoSided = slices.ContainsFunc(e.form.Actions, func(a mapping.FormAction) bool { return slices.Contains([]string{"event", "task", "contact"}, a.Type) }) || top["conflict"].Text != ""
	data.Lists["tags"] = picked(e.choices.Options[operate.Tags], true)
	data.Lists["types"] = picked(e.choices.Options[operate.MeetingTypes], true)
	if slices.ContainsFunc(e.form.Actions, func(a mapping.FormAction) bool { return a.Type == "update_contact" }) {
		for _, key := range mapping.WritableFields() {
			data.Lists["writable"] = append(data.Lists["writable"], option{Value: key, Name: inWords(key)})
		}
		for _, f := range e.choices.Fields {
			if modelOf(f) == "contact" {
				data.Lists["writable"] = append(data.Lists["writable"], option{Value: f.Key, Name: f.Name})
			}
		}
	}
	for _, list := range e.picks() {
		data.Lists[strings.ReplaceAll(list, ".", "-")] = picked(e.choices.Options[list], false)
	}
	labels := e.labels(data)
	data.Wrong = e.wrongLines(labels)
	data.Picking, data.Into = e.picking, labels[e.picking]
}

// meaningOf says which record a trigger looks at, and when.
func meaningOf(on mapping.Trigger) string {
	switch on {
	case "":
		return ""
	case mapping.ContactTagged:
		return "a contact, while it has the tag"
	case mapping.WorkflowReceived:
		return "the last webhook that a workflow sent for a contact"
	case mapping.MilestoneApproaching:
		return "the record that has the milestone, from some time before until the day of the milestone is over"
	}
	return on.Meaning()
}

// trigger is the box of what starts the automation.
func (e *editForm) trigger() box {
	b := e.box(e.form.Top, "", "", "on")
	var groups []optionGroup
	for _, entry := range catalog.Entries() {
		if entry.Kind != catalog.Trigger {
			continue
		}
		title := strings.ToUpper(entry.Group[:1]) + entry.Group[1:]
		if len(groups) == 0 || groups[len(groups)-1].Title != title {
			groups = append(groups, optionGroup{Title: title})
		}
		g := &groups[len(groups)-1]
		g.Options = append(g.Options, option{Value: entry.Name, Name: entry.Summary})
	}
	b = e.choose(b, "Choose what starts it", "", groups...)
	b.Must, b.Refresh = true, true
	return b
}

// labels are what the fields of the page are called, by their names.
func (e *editForm) labels(data *formData) map[string]string {
	labels := map[string]string{}
	note := func(where string, boxes ...box) {
		for _, b := range boxes {
			labels[b.Name] = where + b.Label
		}
	}
	note("", data.Name, data.ID, data.On, data.Tag, data.Before, data.Conflict)
	note("Milestone: ", data.Milestone...)
	for _, a := range data.Actions {
		where := strconv.Itoa(a.N+1) + ". " + a.Title
		labels[a.TypeName] = where
		note(where+": ", slices.Concat(a.Boxes, a.More)...)
	}
	labels["m.kind"], labels["if.text"], labels["add"] = "Milestone", "Condition", "Actions"
	for _, row := range data.Rows {
		labels["if."+strconv.Itoa(row.N)] = "Condition, row " + strconv.Itoa(row.N+1)
	}
	return labels
}

// wrongLines lists all mistakes, each with the name of its field.
func (e *editForm) wrongLines(labels map[string]string) (lines []wrongLine) {
	for _, name := range slices.Sorted(maps.Keys(e.wrong)) {
		id, label := name, labels[name]
		for at := name; label == "" && at != ""; at = at[:max(0, strings.LastIndexByte(at, '.'))] { // within a value
			id, label = at, labels[at]
		}
		if label == "" {
			id, label = "", "The automation"
		}
		for _, message := range e.wrong[name] {
			lines = append(lines, wrongLine{id, label, message})
		}
	}
	return lines
}
