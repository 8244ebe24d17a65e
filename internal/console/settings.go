package console

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"milepost/internal/people"
	"milepost/internal/store"
)

type peopleData struct {
	People []store.Person
	Empty  bool   // nobody has a password yet
	Name   string // as it was typed in the form
}

type sessionRow struct {
	store.Session
	Mine bool
	How  string
}

func (c *Console) settingsRoutes(r chi.Router) {
	r.Get("/settings", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, Path+"settings/people", http.StatusSeeOther)
	})
	c.page(r, "/settings/people", "people", c.peoplePage)
	c.action(r, "/settings/people", "people", c.peoplePage, c.addPerson)
	c.page(r, "/settings/people/{name}", "person", c.personPage)
	c.action(r, "/settings/people/{name}/role", "person", c.personPage, c.setRole)
	c.action(r, "/settings/people/{name}/password", "person", c.personPage, c.setPassword)
	c.action(r, "/settings/people/{name}/remove", "person", c.personPage, c.removePerson)
	c.action(r, "/settings/people/{name}/tokens", "person", c.personPage, c.newToken)
	c.action(r, "/settings/people/{name}/tokens/revoke", "person", c.personPage, c.revokeToken)
	c.page(r, "/settings/sessions", "sessions", c.sessionsPage)
	c.action(r, "/settings/sessions/end", "sessions", c.sessionsPage, c.endSession)
	c.page(r, "/settings/audit", "audit", c.auditPage)
	c.page(r, "/settings/alerts", "alerts", c.alertsPage)
	c.action(r, "/settings/alerts/test", "alerts", c.alertsPage, c.testAlerts)
}

func (c *Console) settings(v *view, title string) error {
	v.Title, v.Section = title, "settings"
	if !v.Operator() {
		return errForbidden
	}
	return nil
}

func (c *Console) peoplePage(r *http.Request, v *view) error {
	if err := c.settings(v, "People"); err != nil {
		return err
	}
	list, err := c.People.List(r.Context())
	v.Data = peopleData{list, len(list) == 0, r.PostFormValue("name")}
	return err
}

func (c *Console) addPerson(r *http.Request, v *view) (string, error) {
	if r.PostForm.Get("password") != r.PostForm.Get("again") {
		return "", problem("The two passwords differ. Type them again.")
	}
	role, err := people.CheckRole(r.PostForm.Get("role"))
	if err == nil {
		err = c.People.Add(r.Context(), v.Me.Name, r.PostForm.Get("name"), r.PostForm.Get("password"), role)
	}
	return Path + "settings/people?said=added", correctable(err)
}

// correctable makes a problem of what a person can put right.
func correctable(err error) error {
	for _, known := range []error{people.ErrInvalid, people.ErrTaken, people.ErrNobody} {
		if errors.Is(err, known) {
			return problem(sentence(errors.New(strings.TrimPrefix(err.Error(), people.ErrInvalid.Error()+": "))))
		}
	}
	return err
}

type personData struct {
	store.Person
	Tokens []store.PersonToken
	New    string // a token that was just made
}

func (c *Console) personPage(r *http.Request, v *view) error {
	if err := c.settings(v, ""); err != nil {
		return err
	}
	list, err := c.People.List(r.Context())
	if err != nil {
		return err
	}
	for _, p := range list {
		if p.Name == chi.URLParam(r, "name") {
			data := personData{Person: p}
			data.Tokens, err = c.People.Tokens(r.Context(), p.Name)
			data.New, _ = v.Result.(string)
			v.Title, v.Data = p.Name, data
			return err
		}
	}
	return errNotFound
}

func (c *Console) setRole(r *http.Request, v *view) (string, error) {
	name := chi.URLParam(r, "name")
	role, err := people.CheckRole(r.PostForm.Get("role"))
	if err == nil && role != people.Operator && name == v.Me.Person {
		return "", problem("You cannot make a viewer of yourself: nobody could undo it here. Ask another operator.")
	}
	if err == nil {
		err = c.People.SetRole(r.Context(), v.Me.Name, name, role)
	}
	return Path + "settings/people?said=changed", correctable(err)
}

func (c *Console) setPassword(r *http.Request, v *view) (string, error) {
	if r.PostForm.Get("password") != r.PostForm.Get("again") {
		return "", problem("The two passwords differ. Type them again.")
	}
	err := c.People.SetPassword(r.Context(), v.Me.Name, chi.URLParam(r, "name"), r.PostForm.Get("password"))
	return Path + "settings/people?said=changed", correctable(err)
}

func (c *Console) removePerson(r *http.Request, v *view) (string, error) {
	if chi.URLParam(r, "name") == v.Me.Person {
		return "", problem("You cannot remove yourself. Ask another operator.")
	}
	return Path + "settings/people?said=removed", correctable(c.People.Remove(r.Context(), v.Me.Name, chi.URLParam(r, "name")))
}

// newToken shows a token once. Nothing shows it again.
func (c *Console) newToken(r *http.Request, v *view) (string, error) {
	token, err := c.People.NewToken(r.Context(), v.Me.Name, chi.URLParam(r, "name"), r.PostForm.Get("label"))
	v.Result = token
	return "", correctable(err)
}

func (c *Console) revokeToken(r *http.Request, v *view) (string, error) {
	name := chi.URLParam(r, "name")
	id, err := strconv.ParseInt(r.PostForm.Get("id"), 10, 64)
	if err == nil {
		err = c.People.RevokeToken(r.Context(), v.Me.Name, name, id)
	}
	if errors.Is(err, people.ErrNoSuchToken) || errors.Is(err, strconv.ErrSyntax) {
		return "", problem(sentence(people.ErrNoSuchToken))
	}
	return Path + "settings/people/" + url.PathEscape(name) + "?said=revoked", err
}

func (c *Console) sessionsPage(r *http.Request, v *view) error {
	if err := c.settings(v, "Sessions"); err != nil {
		return err
	}
	list, err := c.People.Sessions(r.Context())
	rows := make([]sessionRow, len(list))
	for i, s := range list {
		how := "by a link"
		switch {
		case s.Person != "":
			how = "by password"
		case s.Credential != "":
			how = "by the admin token"
		}
		rows[i] = sessionRow{s, s.Digest == v.Me.Session, how}
	}
	v.Data = rows
	return err
}

func (c *Console) endSession(r *http.Request, v *view) (string, error) {
	return Path + "settings/sessions?said=ended", correctable(c.People.EndSession(r.Context(), v.Me.Name, r.PostForm.Get("session")))
}

// pageSize is how many rows a list shows at a time.
const pageSize = 50

type auditData struct {
	Entries []store.AuditEntry
	First   bool
	Older   int64 // where the next page begins; 0 = there is none
}

func (c *Console) auditPage(r *http.Request, v *view) error {
	if err := c.settings(v, "Audit log"); err != nil {
		return err
	}
	before := number(r, "before")
	entries, err := c.People.AuditPage(r.Context(), before, pageSize+1)
	data := auditData{Entries: entries, First: before == 0}
	if len(entries) > pageSize {
		data.Entries = entries[:pageSize]
		data.Older = entries[pageSize-1].ID
	}
	v.Data = data
	return err
}

// number is a number in the address of a page; 0 if it is none.
func number(r *http.Request, name string) int64 {
	n, err := strconv.ParseInt(r.URL.Query().Get(name), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
