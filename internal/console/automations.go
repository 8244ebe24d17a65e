package console

import (
	"context"
	"errors"
	"fmt"
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

// pagesOfAll are the pages below the list of automations that are of no automation.
var pagesOfAll = []string{"new", "import"}

func automationPath(id string) string {
	escaped := url.PathEscape(id)
	if slices.Contains(pagesOfAll, id) {
		escaped = fmt.Sprintf("%%%02x", id[0]) + id[1:]
	}
	return Path + "automations/" + escaped
}

// triggerInWords is what an automation starts from.
func triggerInWords(on mapping.Trigger) string {
	if e, ok := catalog.Find(string(on)); ok {
		return e.Summary
	}
	return string(on)
}

func (c *Console) automationRoutes(r chi.Router) {
	const one = "/automations/{id}"
	c.page(r, "/automations", "automations", c.automationsPage)
	r.Get("/automations.yaml", c.exportAutomations)
	c.libraryRoutes(r)
	c.editorRoutes(r)
	c.page(r, one, "automation", c.automationPage)
	c.action(r, one+"/state", "automation", c.automationPage, c.setState)
	c.action(r, one+"/discard", "automation", c.automationPage, c.discardDraft)
	r.Get(one+"/export", c.exportAutomation)
	c.page(r, one+"/history", "history", c.historyPage)
	c.action(r, one+"/restore", "history", c.historyPage, c.restoreVersion)
	c.page(r, one+"/apply", "apply", c.applyPage)
	c.action(r, one+"/count", "automation", c.automationPage, c.countApply)
	c.action(r, one+"/apply", "apply", c.applyPage, c.apply)
	c.action(r, one+"/apply/cancel", "automation", c.automationPage, c.cancelApply)
}

type automationsData struct {
	Source string // the file that is the only source
	Q      string
	States []option
	List   []listed
	All    int    // automations, whatever the filter
	Next   string // address of those that follow
}

// listed is an automation in the list, with what it did of late.
type listed struct {
	automation.Entry
	operate.Activity
}

// Deliveries is the address of the deliveries about its records.
func (l listed) Deliveries(outcome string) string {
	in := url.Values{"automation": {l.ID}}
	if outcome != "" {
		in.Set("outcome", outcome)
	}
	return Path + "deliveries?" + in.Encode()
}

// automationsPerPage is how many automations a page lists.
const automationsPerPage = 100

func (c *Console) automationsPage(r *http.Request, v *view) error {
	v.Title, v.Section = "Automations", "automations"
	all, err := c.Desk.Automations.List(r.Context())
	if err != nil {
		return err
	}
	in := r.URL.Query()
	data := automationsData{Source: c.Desk.Automations.Source(), Q: in.Get("q"), All: len(all)}
	state := in.Get("state")
	for _, o := range []option{{Value: "", Name: "Any"}, {Value: "on", Name: "On"}, {Value: "paused", Name: "Paused"}, {Value: "off", Name: "Off"}, {Value: "draft", Name: "With a draft"}} {
		o.Selected = o.Value == state
		data.States = append(data.States, o)
	}
	did, err := c.Desk.Activity(r.Context())
	if err != nil {
		return err
	}
	after := in.Get("after")
	if !slices.ContainsFunc(all, func(e automation.Entry) bool { return e.ID == after }) {
		after = ""
	}
	for _, e := range all {
		switch {
		case after != "":
			if e.ID == after {
				after = ""
			}
		case !matches(e, data.Q, state):
		case len(data.List) == automationsPerPage:
			in.Set("after", data.List[len(data.List)-1].ID)
			data.Next = Path + "automations?" + in.Encode()
			v.Data = data
			return nil
		default:
			data.List = append(data.List, listed{e, did[e.ID]})
		}
	}
	v.Data = data
	return nil
}

// matches reports whether an automation has all words of a search in its name, id or
// trigger, and is in a state.
func matches(e automation.Entry, q, state string) bool {
	switch state {
	case "on", "paused", "off":
		if e.Version == 0 && e.Name == "" || string(e.State) != state {
			return false
		}
	case "draft":
		if e.Draft == 0 {
			return false
		}
	}
	text := strings.ToLower(strings.Join([]string{e.Name, e.ID, string(e.On), triggerInWords(e.On)}, " "))
	return !slices.ContainsFunc(strings.Fields(strings.ToLower(q)), func(word string) bool { return !strings.Contains(text, word) })
}

// exportAutomations sends all automations as a file. It may name people.
func (c *Console) exportAutomations(w http.ResponseWriter, r *http.Request) {
	c.export(w, r, "automations.yaml", func() (string, error) { return c.Desk.Automations.Export(r.Context()) })
}

// exportAutomation sends one automation as a file.
func (c *Console) exportAutomation(w http.ResponseWriter, r *http.Request) {
	c.export(w, r, "automation.yaml", func() (string, error) {
		e, err := c.automation(r)
		return e.Text, err
	})
}

func (c *Console) export(w http.ResponseWriter, r *http.Request, name string, read func() (string, error)) {
	if v := c.view(r); !v.Operator() {
		c.fail(w, r, errForbidden)
		return
	}
	text, err := read()
	if err != nil {
		c.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/yaml; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	_, _ = w.Write([]byte(text)) // the client is gone if this fails
}

// automation reads the automation that an address names.
func (c *Console) automation(r *http.Request) (automation.Entry, error) {
	id, err := url.PathUnescape(chi.URLParam(r, "id"))
	if err != nil {
		return automation.Entry{}, errNotFound
	}
	e, err := c.Desk.Automations.Show(r.Context(), id)
	if errors.Is(err, automation.ErrUnknown) {
		err = errNotFound
	}
	return e, err
}

// called is what people call an automation: one that has only a draft has no name yet.
func called(e automation.Entry) string {
	if e.Name == "" {
		return e.ID
	}
	return e.Name
}

type automationData struct {
	automation.Entry
	Source string
	Draft  string // its text; "" = there is none, or it is all there is
	Run    *store.Apply
}

func (c *Console) automationPage(r *http.Request, v *view) error {
	v.Section = "automations"
	e, err := c.automation(r)
	if err != nil {
		return err
	}
	v.Title = called(e)
	data := automationData{Entry: e, Source: c.Desk.Automations.Source()}
	if e.Draft > 0 && e.Version > 0 {
		if data.Draft, err = c.Desk.Automations.Draft(r.Context(), e.ID); err != nil {
			return err
		}
	}
	run, ok, err := c.Desk.Automations.Progress(r.Context(), e.ID)
	if ok {
		data.Run = &run
	}
	v.Data = data
	return err
}

func (c *Console) setState(r *http.Request, v *view) (string, error) {
	e, err := c.automation(r)
	if err != nil {
		return "", err
	}
	state := mapping.State(r.PostForm.Get("state"))
	if !slices.Contains([]mapping.State{mapping.StateOn, mapping.StatePaused, mapping.StateOff}, state) {
		return "", problem("Choose on, paused or off.")
	}
	_, counting, err := c.Desk.SwitchState(r.Context(), v.Me.Name, e.ID, state, r.PostForm.Get("why"), time.Time{})
	if counting && err == nil {
		return automationPath(e.ID) + "/apply", nil
	}
	return automationPath(e.ID) + "?said=switched-" + string(state), stateProblem(err)
}

// stateProblem says why an automation cannot be switched on: it may have a mistake that an
// earlier version of Milepost did not find.
func stateProblem(err error) error {
	if wrong, ok := errors.AsType[*mapping.LoadError](err); ok {
		first := wrong.Mistakes[0]
		return problem("Nothing was changed. Edit the automation first: in line " + strconv.Itoa(first.Line) + ", " + first.Field + ": " + first.Message)
	}
	return editProblem(err)
}

func (c *Console) discardDraft(r *http.Request, v *view) (string, error) {
	e, err := c.automation(r)
	if err != nil {
		return "", err
	}
	next := automationPath(e.ID) + "?said=discarded"
	if e.Version == 0 {
		next = Path + "automations?said=discarded"
	}
	_, err = c.Desk.DiscardDraft(r.Context(), v.Me.Name, e.ID, "")
	return next, editProblem(err)
}

type historyData struct {
	automation.Entry
	Versions []automation.Version
	From, To int64 // that are compared; 0 = none are
	Lines    []automation.Line
	CanBe    bool // version To can be restored
}

// Same reports whether the compared versions have the same text.
func (h historyData) Same() bool {
	return !slices.ContainsFunc(h.Lines, func(l automation.Line) bool { return l.Mark != " " })
}

func (c *Console) historyPage(r *http.Request, v *view) error {
	v.Section = "automations"
	e, err := c.automation(r)
	if err != nil {
		return err
	}
	v.Title = "History of " + called(e)
	data := historyData{Entry: e, From: number(r, "from"), To: number(r, "to")}
	data.Versions, err = c.Desk.Automations.History(r.Context(), e.ID)
	if errors.Is(err, automation.ErrReadOnly) {
		return errNotFound
	} else if err != nil {
		return err
	}
	if data.From > 0 && data.To > 0 {
		data.Lines, err = c.Desk.Automations.Diff(r.Context(), e.ID, data.From, data.To)
		if _, ok := errors.AsType[automation.Refused](err); ok {
			return errNotFound
		}
		data.CanBe = data.To != e.Version && data.To != e.Draft // a draft is made live where it is edited
	}
	v.Data = data
	return err
}

func (c *Console) restoreVersion(r *http.Request, v *view) (string, error) {
	e, err := c.automation(r)
	if err != nil {
		return "", err
	}
	version, err := strconv.ParseInt(r.PostForm.Get("version"), 10, 64)
	if err != nil {
		return "", problem("Choose the version to restore.")
	}
	_, err = c.Desk.Restore(r.Context(), v.Me.Name, e.ID, version, r.PostForm.Get("why"))
	return automationPath(e.ID) + "?said=restored", editProblem(mistakesProblem(v, err))
}

// mistakes is what is wrong in a text that was not saved, for the page that shows it.
type mistakes []mapping.Mistake

// mistakesProblem makes a problem of mistakes, and keeps them for the page.
func mistakesProblem(v *view, err error) error {
	wrong, ok := errors.AsType[*mapping.LoadError](err)
	if !ok {
		return err
	}
	v.Data = mistakes(wrong.Mistakes)
	first := wrong.Mistakes[0]
	why := "Line " + strconv.Itoa(first.Line) + ": " + first.Message
	return problem("Nothing was saved: " + plural(int64(len(wrong.Mistakes)), "mistake", "mistakes") + ". " + why)
}

type editData struct {
	automation.Entry
	Source   string
	Path     string // of the page
	FormPath string
	Writing  string // the text as it is being written
	Why      string
	Base     int64 // the newest version that the writer has seen
	Mistakes []mistakeRow
	Readable bool // the text is, so it is known whom it mails
}

// mistakeRow is a mistake with the line that it is in.
type mistakeRow struct {
	mapping.Mistake
	Wrote string
}

// mistakeRows are the mistakes of a text that was not saved, each with its line.
func mistakeRows(v *view, text string) (rows []mistakeRow) {
	wrong, _ := v.Data.(mistakes)
	if len(wrong) > 0 { // the list says what they are
		v.Problem = "Nothing was saved: " + plural(int64(len(wrong)), "mistake", "mistakes") + "."
	}
	lines := strings.Split(text, "\n")
	for _, m := range wrong {
		row := mistakeRow{Mistake: m}
		if m.Line <= len(lines) {
			row.Wrote = strings.TrimSpace(lines[m.Line-1])
		}
		rows = append(rows, row)
	}
	return rows
}

// starter is the text that a new automation begins with.
const starter = "- name: \n  on: contact.changed\n  do:\n    - \n"

// changing begins a page on which an operator does something to an automation. find
// finds it; one without an id is new.
func (c *Console) changing(r *http.Request, v *view, does string, find func(*http.Request) (automation.Entry, error)) (automation.Entry, error) {
	v.Section = "automations"
	if !v.Operator() {
		return automation.Entry{}, errForbidden
	}
	e, err := find(r)
	switch {
	case err != nil:
	case e.ID == "":
		v.Title = "New automation"
	default:
		v.Title = does + " " + called(e)
	}
	return e, err
}

func (c *Console) editPage(r *http.Request, v *view) error {
	e, err := c.changing(r, v, "Edit", c.edited)
	if err != nil {
		return err
	}
	if v.page == "form" {
		return c.formPage(r, v)
	}
	data := editData{Entry: e, Source: c.Desk.Automations.Source(), Path: yamlPath(e.ID), FormPath: editorPath(e.ID), Base: max(e.Version, e.Draft)}
	if r.Method == http.MethodPost {
		data.Writing, data.Why = written(r), r.PostForm.Get("why")
		if data.Base, err = strconv.ParseInt(r.PostForm.Get("base"), 10, 64); err != nil {
			data.Base = 0 // that is of no version, so it must be opened again
		}
	} else if data.Writing, err = c.editText(r, e); err != nil {
		return err
	}
	if data.Writing == "" && e.ID == "" {
		data.Writing = starter
	}
	if f, err := automation.ReadFile("text", []byte(data.Writing)); err == nil && len(f.Set.Automations()) == 1 {
		data.Readable, data.Mails = true, f.Set.Automations()[0].Mails()
	}
	data.Mistakes = mistakeRows(v, data.Writing)
	v.Data = data
	return nil
}

// written is the text of the form. Browsers end lines with CR LF.
func written(r *http.Request) string {
	return strings.ReplaceAll(r.PostForm.Get("text"), "\r\n", "\n")
}

// saveText saves the text, or shows it as a form.
func (c *Console) saveText(r *http.Request, v *view) (string, error) {
	e, err := c.edited(r)
	if err != nil {
		return "", err
	}
	base, err := strconv.ParseInt(r.PostForm.Get("base"), 10, 64)
	if err != nil {
		return "", problem("The form could not be read. Open the page again.")
	}
	text, as := written(r), r.PostForm.Get("as")
	if as == "form" {
		return "", c.showForm(r, v, e, text, base)
	}
	next, err := c.saveEdited(r, v, e, text, r.PostForm.Get("why"), base, as != "live")
	return next, mistakesProblem(v, err)
}

// showForm shows a text as a form, if a form can show it.
func (c *Console) showForm(r *http.Request, v *view, e automation.Entry, text string, base int64) error {
	if text == starter {
		text = ""
	} else if _, err := mapping.Load("text", []byte(text)); err != nil {
		return mistakesProblem(v, err)
	}
	f, err := automation.ReadFile("text", []byte(text))
	if err == nil && len(f.Texts()) == 1 {
		text = f.Texts()[0]
	}
	form, err := fillForm(text, e.ID)
	if err != nil {
		return problem("The form cannot show this automation: " + err.Error() + ". Edit it as YAML.")
	}
	v.page, v.Data = "form", &filling{in: r.PostForm, base: base, form: form}
	return nil
}

type applyData struct {
	automation.Entry
	Planning *operate.Planning // nil = it was not counted
	Token    int64             // names the count
	Mailed   []string          // some of the people
	More     int               // and how many more
	Failed   string            // why it could not be counted
	Run      *store.Apply
}

// shownPeople is how many people a plan names.
const shownPeople = 20

func (c *Console) applyPage(r *http.Request, v *view) error {
	e, err := c.changing(r, v, "Apply", c.automation)
	if err != nil {
		return err
	}
	data := applyData{Entry: e}
	p, ok, err := c.Desk.Plan(r.Context(), e.ID)
	if err != nil {
		return err
	}
	if ok {
		data.Planning, data.Token = &p, p.Begun.UnixNano()
		if p.Plan != nil {
			data.Mailed, data.More = p.Plan.Names(shownPeople)
		}
		if p.Failed != nil {
			if data.Failed, err = vendorFailed(r, p.Failed); err != nil {
				c.Logger.Error().Err(err).Str("automation", e.ID).Msg("could not count what applying an automation would do")
				data.Failed = "Milepost could not read its data. Its log says why."
			}
		}
	}
	run, ok, err := c.Desk.Automations.Progress(r.Context(), e.ID)
	if ok && run.State == store.ApplyRunning {
		data.Run = &run
	}
	v.Data = data
	return err
}

func (c *Console) countApply(r *http.Request, _ *view) (string, error) {
	e, err := c.automation(r)
	if err != nil {
		return "", err
	}
	return automationPath(e.ID) + "/apply", c.Desk.StartPlan(context.WithoutCancel(r.Context()), e.ID)
}

func (c *Console) apply(r *http.Request, v *view) (string, error) {
	e, err := c.automation(r)
	if err != nil {
		return "", err
	}
	token, err := strconv.ParseInt(r.PostForm.Get("counted"), 10, 64)
	if err == nil {
		err = c.Desk.ApplyCounted(r.Context(), v.Me.Name, e.ID, time.Unix(0, token))
	}
	if errors.Is(err, operate.ErrNoPlan) || errors.Is(err, strconv.ErrSyntax) {
		return "", problem("Nothing was applied: the automation was changed since this was counted, or it was counted too long ago. Count again.")
	}
	if e.State == mapping.StatePaused {
		return automationPath(e.ID) + "?said=switched-on", stateProblem(err)
	}
	return automationPath(e.ID) + "?said=applied", err
}

func (c *Console) cancelApply(r *http.Request, v *view) (string, error) {
	e, err := c.automation(r)
	if err != nil {
		return "", err
	}
	was, err := c.Desk.CancelApply(r.Context(), v.Me.Name, e.ID)
	if err == nil && !was {
		return "", problem("No run is under way any more.")
	}
	return automationPath(e.ID) + "?said=apply-cancelled", err
}
