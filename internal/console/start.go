package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/go-chi/chi/v5"

	"milepost/clients/highlevel"
	"milepost/internal/automation"
	"milepost/internal/connection"
	"milepost/internal/operate"
	"milepost/internal/people"
	"milepost/internal/store"
	"milepost/mapping"
)

const startPath = Path + "start"

// startSteps are the steps to the first synced contact.
var startSteps = []struct{ name, title string }{
	{"account", "Your account"}, {"highlevel", "HighLevel"}, {"calendarhero", "CalendarHero"}, {"recipe", "A recipe"}, {"preview", "A preview"}, {"on", "On"},
}

func (c *Console) startRoutes(r chi.Router) {
	r.Get("/start", c.start)
	for name, page := range map[string]pageFunc{
		"account": c.startAccount, "highlevel": c.startHighLevel, "calendarhero": c.startCalendarHero, "recipe": c.startRecipe, "preview": c.startPreview, "on": c.startOn,
	} {
		c.page(r, "/start/"+name, "start", page)
	}
	c.action(r, "/start/account", "start", c.startAccount, c.startAddPerson)
	c.action(r, "/start/app", "start", c.startHighLevel, c.setApp)
	c.action(r, "/start/highlevel", "start", c.startHighLevel, c.startConnect)
	c.action(r, "/start/calendarhero", "start", c.startCalendarHero, c.startBook)
	c.action(r, "/start/choose", "start", c.startRecipe, c.startChoose)
	c.action(r, "/start/need", "start", c.startRecipe, c.startNeed)
	c.action(r, "/start/on", "start", c.startPreview, c.startBegin)
}

type startStep struct {
	Title, Link   string
	Done, Current bool
}

// startData is what a step shows.
type startData struct {
	Step     string
	Steps    []startStep
	Next     string // address of the next step; "" = this one is not done
	Run      operate.FirstRun
	Location operate.FirstLocation // that the steps are about
	Install  operate.Install
	FromEnv  bool // the environment sets the app, so a form would change nothing

	Typed string // as it was typed in a form

	Recipes []operate.Recipe
	Recipe  *operate.Recipe // that was chosen
	Needs   []automation.Need
	Failed  string // why a vendor could not be asked

	Query    string
	Found    []foundContact
	Contact  string
	Preview  *automation.Preview
	Lines    []string // what it would do
	Mails    []string // whom it would mail
	Contacts *operate.Contact
}

// capitals gives the words of a name their capitals, which HighLevel's search drops.
func capitals(name string) string {
	if name != strings.ToLower(name) {
		return name
	}
	before := ' '
	return strings.Map(func(r rune) rune {
		if before == ' ' || before == '-' {
			before = r
			return unicode.ToUpper(r)
		}
		before = r
		return r
	}, strings.Join(strings.Fields(name), " "))
}

// foundContact is a contact that HighLevel found.
type foundContact struct{ ID, Called, Email string }

// Arguments are the choices so far, for a link to a step.
func (d startData) Arguments() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"location": d.Location.ID, "contact": d.Contact} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if d.Recipe != nil {
		q.Set("recipe", d.Recipe.ID)
	}
	return q
}

// To is the address of a step with the choices so far.
func (d startData) To(step string) string {
	return startPath + "/" + step + "?" + d.Arguments().Encode()
}

// WithContact is the address of the preview of a contact.
func (d startData) WithContact(id string) string {
	d.Contact = id
	return d.To("preview")
}

// begun reads how far the first run is, for a step.
func (c *Console) begun(r *http.Request, v *view, step string) (d startData, err error) {
	v.Title, v.Section, v.First = "First steps", "start", false
	if !v.Operator() {
		return d, errForbidden
	}
	d.Step = step
	if d.Run, err = c.Desk.FirstRun(r.Context()); err != nil {
		return d, err
	}
	d.Location = firstLocation(d.Run.Locations, r.FormValue("location"))
	if id := r.FormValue("recipe"); id != "" {
		recipe, err := c.Desk.Recipe(r.Context(), id)
		if err != nil && !errors.Is(err, operate.ErrUnknown) {
			return d, err
		}
		if err == nil {
			d.Recipe = &recipe
		}
	}
	empty, err := c.People.Empty(r.Context())
	if err != nil {
		return d, err
	}
	done := map[string]bool{
		"account":   !empty || v.Me.Name != people.FirstRunName,
		"highlevel": d.Location.ID != "", "calendarhero": d.Location.Served,
		"recipe": d.Location.Served && d.Recipe != nil || d.Run.Synced, "preview": d.Run.Synced, "on": d.Run.Synced,
	}
	for i, s := range startSteps {
		d.Steps = append(d.Steps, startStep{Title: s.title, Link: d.To(s.name), Done: done[s.name], Current: s.name == step})
		if s.name == step && done[step] && i+1 < len(startSteps) {
			d.Next = d.To(startSteps[i+1].name)
		}
	}
	return d, nil
}

// firstLocation is the location that the steps are about: the wanted one, else one that
// is served, else the first.
func firstLocation(list []operate.FirstLocation, wanted string) (l operate.FirstLocation) {
	for _, is := range []func(operate.FirstLocation) bool{
		func(l operate.FirstLocation) bool { return l.ID == wanted },
		func(l operate.FirstLocation) bool { return l.Served },
		func(operate.FirstLocation) bool { return true },
	} {
		if i := slices.IndexFunc(list, is); i >= 0 {
			return list[i]
		}
	}
	return l
}

// start leads to the first step that is not done.
func (c *Console) start(w http.ResponseWriter, r *http.Request) {
	v := c.view(r)
	d, err := c.begun(r, v, "")
	if err != nil {
		c.fail(w, r, err)
		return
	}
	i := slices.IndexFunc(d.Steps, func(s startStep) bool { return !s.Done })
	if i < 0 {
		i = len(d.Steps) - 1
	}
	http.Redirect(w, r, d.Steps[i].Link, http.StatusSeeOther)
}

func (c *Console) startAccount(r *http.Request, v *view) error {
	d, err := c.begun(r, v, "account")
	d.Typed = r.PostFormValue("name")
	v.Data = d
	return err
}

func (c *Console) startAddPerson(r *http.Request, v *view) (string, error) {
	if r.PostForm.Get("password") != r.PostForm.Get("again") {
		return "", problem("The two passwords differ. Type them again.")
	}
	err := c.People.Add(r.Context(), v.Me.Name, r.PostForm.Get("name"), r.PostForm.Get("password"), people.Operator)
	return startPath + "/highlevel?said=account", correctable(err)
}

func (c *Console) startHighLevel(r *http.Request, v *view) error {
	d, err := c.begun(r, v, "highlevel")
	if err != nil {
		return err
	}
	d.Typed, d.FromEnv = r.PostFormValue("typed"), c.Desk.Connections.App != nil
	d.Install, err = c.Desk.Install(r.Context())
	v.Data = d
	return err
}

// setApp stores the public address and the HighLevel app.
func (c *Console) setApp(r *http.Request, v *view) (string, error) {
	s := connection.AppSettings{}
	for name, to := range map[string]*string{"url": &s.PublicURL, "client": &s.ClientID, "secret": &s.ClientSecret} {
		*to = strings.TrimSpace(r.PostForm.Get(name))
	}
	if s == (connection.AppSettings{}) {
		return "", problem("Fill in at least one field.")
	}
	err := c.Desk.SetApp(r.Context(), v.Me.Name, s)
	if bad, ok := errors.AsType[*operate.BadAddress](err); ok {
		return "", problem(sentence(bad))
	}
	if errors.Is(err, connection.ErrOAuthPair) {
		return "", problem(sentence(connection.ErrOAuthPair))
	}
	return startPath + "/highlevel?said=app-set", err
}

func (c *Console) startConnect(r *http.Request, v *view) (string, error) {
	id := locationID(r.PostForm.Get("typed"))
	if strings.TrimSpace(r.PostForm.Get("highlevel")) == "" {
		return "", problem("Paste the Private Integration Token.")
	}
	r.PostForm.Del("calendarhero")
	return startPath + "/calendarhero?" + url.Values{"location": {id}, "said": {"connected"}}.Encode(), c.setTokensOf(r, v, id)
}

func (c *Console) startCalendarHero(r *http.Request, v *view) error {
	d, err := c.begun(r, v, "calendarhero")
	v.Data = d
	return err
}

func (c *Console) startBook(r *http.Request, v *view) (string, error) {
	id := r.PostForm.Get("location")
	r.PostForm.Del("highlevel")
	return startPath + "/recipe?" + url.Values{"location": {id}, "said": {"connected"}}.Encode(), c.setTokensOf(r, v, id)
}

func (c *Console) startRecipe(r *http.Request, v *view) error {
	d, err := c.begun(r, v, "recipe")
	if err != nil {
		return err
	}
	if d.Recipes, err = c.Desk.FirstRecipes(r.Context()); err != nil {
		return err
	}
	if d.Recipe != nil && d.Location.Served {
		ctx, cancel := context.WithTimeout(r.Context(), dryRun)
		defer cancel()
		d.Needs, err = c.Desk.Needs(ctx, d.Location.ID, d.Recipe.Recipe)
		if d.Failed, err = vendorFailed(r, err); err != nil {
			return err
		}
	}
	v.Data = d
	return nil
}

// Lacks reports whether the location lacks something that the recipe needs.
func (d startData) Lacks() bool {
	return slices.ContainsFunc(d.Needs, func(n automation.Need) bool { return n.Has == automation.No })
}

func (c *Console) startNeed(r *http.Request, v *view) (string, error) {
	d, err := c.begun(r, v, "recipe")
	if err != nil {
		return "", err
	}
	if d.Recipe == nil {
		return "", problem("Choose a recipe first.")
	}
	err = c.createNeedOf(r, v, d.Recipe.Recipe)
	return d.To("recipe") + "&said=need-created", err
}

func (c *Console) startPreview(r *http.Request, v *view) error {
	d, err := c.begun(r, v, "preview")
	if err != nil {
		return err
	}
	d.Query, d.Contact = strings.TrimSpace(r.FormValue("q")), r.FormValue("contact")
	v.Data = d
	if !d.Chosen() {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), dryRun)
	defer cancel()
	if d.Contact == "" {
		var rows []highlevel.ContactRow
		rows, err = c.Desk.FindInHighLevel(ctx, d.Location.ID, d.Query)
		for _, row := range rows {
			name := capitals(strings.TrimSpace(row.FirstName + " " + row.LastName))
			d.Found = append(d.Found, foundContact{row.ID, cmp.Or(name, capitals(row.Name), row.Email, row.ID), row.Email})
		}
	} else {
		err = c.tryOut(ctx, &d)
	}
	d.Failed, err = vendorFailed(r, err)
	v.Data = d
	return err
}

// Chosen reports whether there is a recipe to show on a contact.
func (d startData) Chosen() bool {
	return d.Location.Served && d.Recipe != nil && d.Recipe.Added != nil
}

// startChoose adds the recipe that was chosen, off: so it can be shown, and does nothing.
func (c *Console) startChoose(r *http.Request, v *view) (string, error) {
	d, err := c.begun(r, v, "recipe")
	switch {
	case err != nil:
		return "", err
	case d.Recipe == nil:
		return "", problem("Choose a recipe first.")
	case d.Recipe.Added == nil:
		_, err = c.Desk.AddRecipe(r.Context(), v.Me.Name, d.Recipe.ID, mapping.StateOff, "first steps")
	}
	return d.To("preview"), editProblem(err)
}

// tryOut fills in what the recipe would do with the contact.
func (c *Console) tryOut(ctx context.Context, d *startData) error {
	p, err := c.Desk.TryOut(ctx, d.Recipe.ID, d.Location.ID, d.Contact)
	if err != nil {
		return err
	}
	d.Preview = p
	for _, item := range p.Items {
		line := itemName(string(item.Kind))
		if item.Title != "" {
			line += " “" + item.Title + "”"
		}
		if item.Start != nil {
			at := *item.Start
			if zone, err := mapping.LoadZone(item.Zone); err == nil {
				at = at.In(zone)
			}
			line += ", " + at.Format("Mon 2 Jan 2006 15:04 MST")
		}
		d.Lines = append(d.Lines, line)
	}
	for _, mail := range append(p.Mails, p.Others.Mails...) {
		if !slices.Contains(d.Mails, mail.To) {
			d.Mails = append(d.Mails, mail.To)
		}
	}
	return nil
}

func (c *Console) startBegin(r *http.Request, v *view) (string, error) {
	d, err := c.begun(r, v, "preview")
	if err != nil {
		return "", err
	}
	d.Contact = r.PostForm.Get("contact")
	if d.Recipe == nil || !isID.MatchString(d.Contact) || !d.Location.Served {
		return "", problem("Choose a recipe and a contact first.")
	}
	err = c.Desk.Begin(r.Context(), v.Me.Name, d.Recipe.ID, d.Location.ID, d.Contact)
	if errors.Is(err, operate.ErrForgotten) {
		return "", problem(sentence(operate.ErrForgotten))
	}
	return d.To("on"), editProblem(err)
}

func (c *Console) startOn(r *http.Request, v *view) error {
	d, err := c.begun(r, v, "on")
	if err != nil {
		return err
	}
	if d.Contact = r.FormValue("contact"); d.Contact != "" && d.Location.ID != "" {
		contact, ok, err := c.Desk.Contact(r.Context(), d.Location.ID, d.Contact, 0, pageSize)
		if err != nil {
			return err
		}
		if ok {
			d.Contacts = &contact
		}
	}
	v.Data = d
	return nil
}

// InStep reports whether the first contact was synced well.
func (d startData) InStep() bool {
	return d.Contacts != nil && (d.Contacts.State.Outcome == store.Done || d.Contacts.State.Outcome == store.Unchanged)
}
