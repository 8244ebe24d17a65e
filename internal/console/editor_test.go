package console_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"milepost/internal/automation"
	"milepost/internal/console"
	"milepost/internal/people"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/mapping"
)

const mine = "- name: Mine\n  on: contact.changed\n  do:\n    - contact: {}\n"

func TestAnAutomationIsCreatedCopiedAndDeleted(t *testing.T) {
	var l *automation.Library
	d := setup(t, func(cfg *console.Config) { l = cfg.Desk.Automations })
	d.wants(d.page(olivia, "/console/automations"), "New automation", "Import")
	d.wants(d.page(victor, "/console/automations"), "-New automation", "-Import")
	d.refuses("/console/automations/new/yaml", url.Values{"base": {"0"}, "text": {"- name: Mine\n  on: <script>\n"}, "as": {"draft"}}, "Nothing was saved: 1 mistake", "Line 2", "-<script>")
	d.does("/console/automations/new/yaml", url.Values{"base": {"0"}, "text": {mine}, "as": {"draft"}, "why": {"mine"}}, "/console/automations/mine?said=draft-saved")
	d.refuses("/console/automations/new/yaml", url.Values{"base": {"0"}, "text": {mine}, "as": {"live"}}, "There is an automation with the id mine already")
	if l.Set().Find("mine") != nil {
		t.Error("a draft is live")
	}
	d.does("/console/automations/new/yaml", url.Values{"base": {"0"}, "text": {strings.Replace(mine, "Mine", "New", 1)}, "as": {"live"}}, "/console/automations/%6eew?said=created")
	d.wants(d.page(olivia, "/console/automations/%6eew"), "Last change", "/console/automations/%6eew/delete")
	if a := l.Set().Find("new"); a == nil || a.State != mapping.StateOn {
		t.Errorf("created live it is %+v", a)
	}

	d.does("/console/automations/mine/copy", url.Values{}, "/console/automations/mine-copy?said=copied")
	d.does("/console/automations/mine/copy", url.Values{}, "/console/automations/mine-copy-2?said=copied")
	d.does(toContact+"/state", url.Values{"state": {"off"}}, toContact+"?said=switched-off")
	d.does(toContact+"/copy", url.Values{}, toContact+"-copy?said=copied")
	if e := d.text(l, "contact-to-calendarhero-contact-copy"); !strings.Contains(e.Text, "name: Contact to CalendarHero contact (copy)") || !strings.Contains(e.Text, "state: on") || !strings.Contains(e.Text, "# or calendarhero, or newest") {
		t.Errorf("the copy is\n%s", e.Text)
	}

	d.wants(d.page(olivia, toContact+"/delete"), "Nothing exists that it made.", "Delete this automation")
	if status, _ := d.ask(victor, "GET", toContact+"/delete", nil); status != http.StatusForbidden {
		t.Errorf("a viewer's question: %d", status)
	}
	d.does(toContact+"/delete", url.Values{"why": {"no need"}}, "/console/automations?said=deleted")
	if status, _ := d.ask(olivia, "GET", toContact, nil); status != http.StatusNotFound {
		t.Errorf("after it was deleted: %d", status)
	}
	d.wants(d.page(olivia, "/console/settings/audit"), "a draft of the automation mine", "created", "version 1 of the automation new", "copied", "the automation mine to the draft mine-copy", "deleted", "the automation contact-to-calendarhero-contact")
}

// upload sends a file.
func (d *desk) upload(path, name, text string) (int, string) {
	d.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", name)
	if err != nil {
		d.t.Fatal(err)
	}
	fmt.Fprint(part, text)
	form.Close()
	req := httptest.NewRequest("POST", path, &body)
	req.Header.Set("Content-Type", form.FormDataContentType())
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, req.WithContext(people.With(req.Context(), olivia)))
	if to := w.Header().Get("Location"); to != "" {
		return w.Code, to
	}
	return w.Code, w.Body.String()
}

func TestAutomationsAreImportedAsDrafts(t *testing.T) {
	testenv.Long(t)
	var l *automation.Library
	d := setup(t, func(cfg *console.Config) { l = cfg.Desk.Automations })
	const path = "/console/automations/import"
	all, err := l.Export(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.wants(d.page(olivia, path), "Import as drafts", `type="file"`)
	d.refuses(path, url.Values{}, "Choose a file, or paste its text.")
	d.does(path, url.Values{"text": {all}}, "/console/automations?said=same")
	changed := strings.Replace(all, "two_way: true", "two_way: false", 1) + mine
	d.refuses(path, url.Values{"text": {changed + "- name: Mine\n"}}, "Nothing was saved: 2 mistakes", "is the name of the automation in line", "on</code>: is required")
	status, to := d.upload(path, "mine.yaml", strings.ReplaceAll(changed, "\n", "\r\n"))
	if status != http.StatusSeeOther || to != "/console/automations?state=draft&said=imported" {
		t.Fatalf("%d %s", status, to)
	}
	if e := d.text(l, "contact-to-calendarhero-contact"); e.Draft != 2 || !strings.Contains(e.Text, "two_way: true") {
		t.Errorf("what was imported is %+v", e)
	}
	d.wants(d.page(olivia, to), "mine", "Contact to CalendarHero contact", "-Task to calendar task")
	if status, page := d.upload(path, "logo.png", "\xff\xd8\x00"); status != http.StatusUnprocessableEntity || !strings.Contains(page, "plain text") {
		t.Errorf("an image: %d %s", status, page)
	}
	d.wants(d.page(olivia, "/console/settings/audit"), "saved", "a draft of the automation mine", "a draft of the automation contact-to-calendarhero-contact")
}

func TestAutomationsAreFilteredAndPaged(t *testing.T) {
	testenv.Long(t)
	var l *automation.Library
	d := setup(t, func(cfg *console.Config) { l = cfg.Desk.Automations })
	var text strings.Builder
	for i := range 250 {
		fmt.Fprintf(&text, "- {name: Number %03d, on: contact.changed, state: paused, do: [contact: {}]}\n", i)
	}
	if _, err := l.Import(t.Context(), "many", []byte(text.String()), true, automation.By{}); err != nil {
		t.Fatal(err)
	}
	const list = "/console/automations"
	d.wants(d.page(olivia, list), "Number 099", "-Number 100", "?after=number-099")
	d.wants(d.page(olivia, list+"?after=number-099"), "-Number 099", "Number 100", "Number 199")
	d.wants(d.page(olivia, list+"?after=number-199"), "Number 249", "-Next page")
	d.wants(d.page(olivia, list+"?q=NUMBER+007&state=paused"), "Number 007", "-Number 008")
	d.wants(d.page(olivia, list+"?state=on"), "No automation matches.")
}

// formOf is what a browser sends of the editor's page if nothing is changed.
func formOf(t *testing.T, page string) url.Values {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{}
	var text func(n *html.Node) string
	text = func(n *html.Node) (all string) {
		if n.Type == html.TextNode {
			return n.Data
		}
		for c := range n.ChildNodes() {
			all += text(c)
		}
		return all
	}
	for n := range root.Descendants() {
		attr := map[string]string{}
		for _, a := range n.Attr {
			attr[a.Key] = a.Val
		}
		name := attr["name"]
		switch {
		case n.Type != html.ElementNode || name == "":
		case n.Data == "input":
			_, checked := attr["checked"]
			if k := attr["type"]; k == "submit" || k == "file" || k == "checkbox" && !checked {
				continue
			}
			form.Add(name, attr["value"])
		case n.Data == "textarea":
			form.Add(name, strings.ReplaceAll(text(n), "\n", "\r\n"))
		case n.Data == "select":
			first, chosen, any, found := "", "", false, false
			for o := range n.Descendants() {
				if o.Type != html.ElementNode || o.Data != "option" {
					continue
				}
				value, selected := "", false
				for _, a := range o.Attr {
					value, selected = map[bool]string{true: a.Val, false: value}[a.Key == "value"], selected || a.Key == "selected"
				}
				if !any {
					first, any = value, true
				}
				if selected {
					chosen, found = value, true
				}
			}
			if !found && attr["size"] == "" {
				chosen = first
			}
			if found || attr["size"] == "" {
				form.Add(name, chosen)
			}
		}
	}
	return form
}

// press sends the form of a page with a button, and returns the page that comes back.
func (d *desk) press(path string, form url.Values, step string) (page string, back url.Values) {
	d.t.Helper()
	form.Set("step", step)
	status, page := d.ask(olivia, "POST", path, form)
	if status != http.StatusOK {
		d.t.Fatalf("%s at %s: %d %s", step, path, status, page)
	}
	return page, formOf(d.t, page)
}

func TestEveryRecipeOpensInTheEditorAndIsSavedAsItWas(t *testing.T) {
	testenv.Long(t)
	d := setup(t)
	for _, r := range mapping.RecipeBook() {
		path := "/console/automations/new"
		page := d.page(olivia, path+"?recipe="+r.ID)
		form := formOf(t, page)
		if was := strings.ReplaceAll(form.Get("was"), "\r\n", "\n"); was != r.YAML {
			t.Errorf("the editor of %s has\n%s\nin place of\n%s", r.ID, was, r.YAML)
		}
		form.Set("step", "yaml")
		status, page := d.ask(olivia, "POST", path, form)
		if got := strings.ReplaceAll(formOf(t, page).Get("text"), "\r\n", "\n"); status != http.StatusOK || got != r.YAML {
			t.Errorf("sent back unchanged, %s became (%d)\n%s\nwant\n%s", r.ID, status, got, r.YAML)
		}
	}
}

func TestTheFormSaysWhatIsNeededAndOffersNothingTwice(t *testing.T) {
	d := setup(t)
	const path = "/console/automations/new"
	const usual, owner = "If empty: the task&#39;s due date", ">The owner of the CalendarHero account"
	form := formOf(t, d.page(olivia, path))
	form.Set("f.on", "task.changed")
	form.Set("add", "task")
	page, form := d.press(path, form, "action.add")
	d.wants(page, usual)
	if n := strings.Count(page, owner); n != 1 {
		t.Errorf("the owner is offered %d times", n)
	}
	form.Set("f.on", "contact.changed")
	page, _ = d.press(path, form, "refresh:f.on")
	d.wants(page, "1. Task in CalendarHero", "-"+usual)
}

func TestAnAutomationIsBuiltWithoutScript(t *testing.T) {
	testenv.Long(t)
	var l *automation.Library
	d := setup(t, func(cfg *console.Config) { l = cfg.Desk.Automations })
	const path = "/console/automations/new"
	page := d.page(olivia, path)
	d.wants(page, "Choose what starts it", "A contact has a tag", "No location is connected", "Whom it mails is known once the form is filled in.", "-ZgotmplZ")
	form := formOf(t, page)
	form.Set("f.name", "Closing day")
	form.Set("f.on", "milestone.changed")
	page, form = d.press(path, form, "refresh:f.on")
	d.wants(page, "What is the milestone?", `value="Closing day"`)
	form.Set("m.kind", "field")
	page, form = d.press(path, form, "refresh:m.kind")
	d.wants(page, "Date of the milestone", "Date added")
	form.Set("m.f.date", "*")
	_, form = d.press(path, form, "refresh:m.f.date")
	form.Set("m.f.date.own", "contact.closing_date")
	_, form = d.press(path, form, "row.add")
	form.Set("if.0.field", "contact.tags")
	form.Set("if.0.op", "has tag")
	form.Set("if.0.value", "buyer")
	_, form = d.press(path, form, "row.add")
	form.Set("if.1.field", "contact.city")
	form.Set("if.1.op", "is one of")
	_, form = d.press(path, form, "refresh:row.add")
	form.Set("if.1.value", "Boston\r\nNew York")
	form.Set("if.any", "true")
	form.Set("add", "event")
	page, form = d.press(path, form, "action.add")
	d.wants(page, "1. Event in CalendarHero", `placeholder="If empty: 09:00"`)
	form.Set("a.0.f.title", "Closing: ")
	page, form = d.press(path, form, "pick:a.0.f.title")
	d.wants(page, "Field to insert into 1. Event in CalendarHero: Title", `value="contact.first_name"`)
	form.Set("pick.path", "contact.first_name")
	_, form = d.press(path, form, "put:a.0.f.title")
	if got := form.Get("a.0.f.title"); got != "Closing: {{ contact.first_name }}" {
		t.Errorf("the title is %q", got)
	}
	form["a.0.f.reminders"] = []string{"1d", "3h"}
	form["a.0.f.attach"] = []string{"notes"}
	page, form = d.press(path, form, "check")
	d.wants(page, `<a href="#a.0.f.start">1. Event in CalendarHero: Date and time</a>: This is needed.`, `aria-invalid="true"`)
	form.Set("step", "live")
	d.wantsSaid(path, form, "Nothing was saved: 1 mistake.", "Closing: {{ contact.first_name }}", "3h")
	form.Set("a.0.f.start", "{{ milestone.date }}")
	form.Set("add", "tags")
	_, form = d.press(path, form, "action.add")
	form["a.1.f.add"] = []string{"closing", "", "soon"}
	_, form = d.press(path, form, "action.up:1")
	_, form = d.press(path, form, "action.down:0")
	page, form = d.press(path, form, "refresh:")
	d.wants(page, "It mails <strong>the owner of the CalendarHero account</strong>")
	form.Set("a.0.f.invite", "contact")
	page, form = d.press(path, form, "refresh:")
	d.wants(page, "It mails <strong>the contact")
	form.Set("why", "closings")
	form.Set("step", "draft")
	d.does(path, form, "/console/automations/closing-day?said=draft-saved")
	want := `- name: Closing day
  on: milestone.changed
  milestone:
    date: contact.closing_date
  if: '"buyer" in contact.tags or contact.city in ["Boston", "New York"]'
  do:
    - event:
        title: "Closing: {{ contact.first_name }}"
        start: "{{ milestone.date }}"
        reminders: [1d, 3h]
        invite: contact
        attach: [notes]
    - tags:
        add: [closing, soon]
`
	if got := d.text(l, "closing-day").Text; got != want {
		t.Errorf("it is\n%s\nwant\n%s", got, want)
	}

	edit := "/console/automations/closing-day/edit"
	form = formOf(t, d.page(olivia, edit))
	form.Set("f.name", "Closing days")
	form.Set("step", "live")
	d.does(edit, form, "/console/automations/closing-day?said=created")
	if a := l.Set().Find("closing-day"); a == nil || a.Name != "Closing days" {
		t.Errorf("live it is %+v", a)
	}
	form.Set("step", "live")
	d.wantsSaid(edit, form, "somebody changed this automation", "Closing days")
}

// wantsSaid sends a form that is refused.
func (d *desk) wantsSaid(path string, form url.Values, why ...string) {
	d.t.Helper()
	d.refuses(path, form, why...)
}

func TestWhatTheFormCannotShowIsEditedAsYAML(t *testing.T) {
	testenv.Long(t)
	var l *automation.Library
	d := setup(t, func(cfg *console.Config) { l = cfg.Desk.Automations })
	odd := "- name: Odd\n  on: contact.changed\n  do:\n    - highlevel_note: {text: !!str x}\n"
	if _, err := l.Create(t.Context(), odd, true, automation.By{}); err != nil {
		t.Fatal(err)
	}
	d.wants(d.page(olivia, "/console/automations/odd/edit"), "The form cannot show this automation", "Edit it as YAML", `href="/console/automations/odd/yaml"`, `-name="step"`)
	d.refuses("/console/automations/odd/yaml", url.Values{"base": {"1"}, "as": {"form"}, "text": {odd}}, "The form cannot show this automation", "!!str x")
	status, page := d.ask(olivia, "POST", "/console/automations/odd/yaml", url.Values{"base": {"1"}, "as": {"form"}, "text": {strings.Replace(odd, "!!str x", "y", 1)}, "why": {"w1"}})
	d.wants(page, "1. Note in HighLevel", "w1")
	if status != http.StatusOK {
		t.Errorf("as a form: %d", status)
	}
	expression := strings.Replace(odd, "  do:", "  if: len(contact.tags) > 2 # many\n  do:", 1)
	_, page = d.ask(olivia, "POST", "/console/automations/odd/yaml", url.Values{"base": {"1"}, "as": {"form"}, "text": {strings.Replace(expression, "!!str x", "y", 1)}})
	d.wants(page, "Condition, as an expression", "len(contact.tags) &gt; 2")
	form := formOf(t, page)
	form.Set("f.name", "Even")
	form.Set("step", "draft")
	d.does("/console/automations/odd/edit", form, "/console/automations/odd?said=draft-saved")
	if text, err := l.Draft(t.Context(), "odd"); err != nil || !strings.Contains(text, "if: len(contact.tags) > 2 # many") || !strings.Contains(text, "name: Even") || !strings.Contains(text, "id: odd") {
		t.Errorf("%v\n%s", err, text)
	}
	for _, path := range []string{"/console/automations/new", "/console/automations/odd/edit", "/console/automations/odd/yaml"} {
		if status, _ := d.ask(victor, "GET", path, nil); status != http.StatusForbidden {
			t.Errorf("a viewer's %s: %d", path, status)
		}
	}
}

func TestTheListSaysWhatEachAutomationDidOfLate(t *testing.T) {
	testenv.Long(t)
	d := setup(t)
	d.seed()
	did := []store.Considered{{Automation: "contact-to-calendarhero-contact", Wants: 1}, {Automation: "task-to-calendar-task", Reason: "no"}}
	d.deliver(store.Delivery{ID: 10, Type: "ContactUpdate", Entity: store.Entity{LocationID: "loc", Kind: "contact", ID: "c2"}, ContactID: "c2"})
	d.finish(store.Finish{Entity: jane, ContactID: "c1", Outcome: store.Done, Considered: did, Now: d.now.Add(-time.Hour)})
	d.finish(store.Finish{Entity: store.Entity{LocationID: "loc", Kind: "contact", ID: "c2"}, ContactID: "c2", Outcome: store.Invalid, Considered: did})
	d.now = d.now.Add(time.Minute)
	d.wants(d.page(olivia, "/console/automations"), "Last run", "1 of 2 failed", `/console/deliveries?automation=contact-to-calendarhero-contact&amp;outcome=failed`)
	d.page(olivia, "/console/deliveries?automation=contact-to-calendarhero-contact&outcome=failed")
}

func TestTheEditorIsQuickWithManyFieldsAndAutomations(t *testing.T) {
	testenv.Long(t)
	var l *automation.Library
	var fields []hlfake.CustomField
	for i := range 300 {
		fields = append(fields, hlfake.CustomField{ID: fmt.Sprintf("field%03d", i), Name: fmt.Sprintf("Field number %d", i), FieldKey: fmt.Sprintf("contact.field_%d", i), DataType: "TEXT"})
	}
	fake, _ := withFake(t, fields...)
	d := setup(t, fake, func(cfg *console.Config) { l = cfg.Desk.Automations })
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "- {name: Number %03d, on: contact.changed, do: [contact: {}]}\n", i)
	}
	text.WriteString("- name: Long\n  on: contact.changed\n  if: 'contact.field_1 == \"a\" and contact.field_2 == \"b\" and contact.field_3 == \"c\" and contact.city == \"x\" and contact.state == \"y\"'\n  do:\n    - highlevel_note: {text: x}\n    - highlevel_task: {title: x, due: \"2030-01-01\"}\n")
	if _, err := l.Import(t.Context(), "many", []byte(text.String()), true, automation.By{}); err != nil {
		t.Fatal(err)
	}
	const edit = "/console/automations/long/edit"
	d.wants(d.page(olivia, edit), `<option value="contact.field_299">Field number 299</option>`)
	for _, path := range []string{edit, "/console/automations"} {
		best := time.Hour
		for range 5 {
			start := time.Now()
			d.page(olivia, path)
			best = min(best, time.Since(start))
		}
		if t.Logf("%s takes %s", path, best); best > time.Second { // far more than it takes on a busy machine
			t.Errorf("%s takes %s", path, best)
		}
	}
}
