package console

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"milepost/internal/automation"
	"milepost/mapping"
)

// libraryRoutes are those of what is done with whole automations.
func (c *Console) libraryRoutes(r chi.Router) {
	c.page(r, "/automations/import", "import", c.importPage)
	c.actionOf(r, longestText, "/automations/import", "import", c.importPage, c.importAutomations)
	c.action(r, "/automations/{id}/copy", "automation", c.automationPage, c.copyAutomation)
	c.page(r, "/automations/{id}/delete", "delete", c.deletePage)
	c.action(r, "/automations/{id}/delete", "delete", c.deletePage, c.deleteAutomation)
}

type importData struct {
	Source   string // the file that is the only source
	Writing  string
	Why      string
	Mistakes []mistakeRow
}

func (c *Console) importPage(r *http.Request, v *view) error {
	v.Title = "Import automations"
	if !v.Operator() {
		return errForbidden
	}
	v.Section = "automations"
	data := importData{Source: c.Desk.Automations.Source(), Writing: written(r), Why: r.PostForm.Get("why")}
	data.Mistakes = mistakeRows(v, data.Writing)
	v.Data = data
	return nil
}

// importAutomations saves the automations of a text or a file as drafts.
func (c *Console) importAutomations(r *http.Request, v *view) (string, error) {
	file, header, err := r.FormFile("file")
	name := "text"
	switch {
	case err == nil:
		defer file.Close()
		text, err := io.ReadAll(file)
		if err != nil || !isText(string(text)) {
			return "", problem("The file could not be read. Choose a file of YAML, which is plain text.")
		}
		if len(text) > 0 {
			name = header.Filename
			r.PostForm.Set("text", string(text))
		}
	case !errors.Is(err, http.ErrMissingFile) && !errors.Is(err, http.ErrNotMultipart):
		return "", problem("The file could not be read.")
	}
	text := written(r)
	if strings.TrimSpace(text) == "" {
		return "", problem("Choose a file, or paste its text.")
	}
	made, err := c.Desk.Import(r.Context(), v.Me.Name, name, []byte(text), true, false, r.PostForm.Get("why"))
	if err == nil && !slices.ContainsFunc(made, func(m automation.Change) bool { return m.What != "unchanged" }) {
		return Path + "automations?said=same", nil
	}
	return Path + "automations?state=draft&said=imported", editProblem(mistakesProblem(v, err))
}

func (c *Console) copyAutomation(r *http.Request, v *view) (string, error) {
	e, err := c.automation(r)
	if err != nil {
		return "", err
	}
	id, err := c.Desk.Copy(r.Context(), v.Me.Name, e.ID)
	return automationPath(id) + "?said=copied", editProblem(err)
}

type deleteData struct {
	automation.Entry
	Source string
	Left   int64 // things that exist because of it
	Off    bool
}

func (c *Console) deletePage(r *http.Request, v *view) error {
	e, err := c.changing(r, v, "Delete", c.automation)
	if err != nil {
		return err
	}
	data := deleteData{Entry: e, Source: c.Desk.Automations.Source(), Off: e.State == mapping.StateOff}
	data.Left, err = c.Desk.Left(r.Context(), e.ID)
	v.Data = data
	return err
}

func (c *Console) deleteAutomation(r *http.Request, v *view) (string, error) {
	e, err := c.automation(r)
	if err != nil {
		return "", err
	}
	_, err = c.Desk.Delete(r.Context(), v.Me.Name, e.ID, r.PostForm.Get("why"))
	return Path + "automations?said=deleted", editProblem(err)
}
