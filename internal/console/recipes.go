package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"

	"milepost/clients"
	"milepost/internal/automation"
	"milepost/internal/connection"
	"milepost/internal/operate"
	"milepost/internal/store"
	"milepost/mapping"
)

func recipePath(id string) string { return Path + "recipes/" + url.PathEscape(id) }

// Mailed lists whom an automation may mail; nil = nobody.
func (v *view) Mailed(list []mapping.Mailed) (who []string) {
	for _, m := range list {
		m.Address = v.Email(m.Address)
		who = append(who, m.String())
	}
	return who
}

type recipesData struct {
	Source string // the file that is the only source of automations
	Groups []recipeGroup
}

type recipeGroup struct {
	Title   string
	Recipes []operate.Recipe
}

func (c *Console) recipesPage(r *http.Request, v *view) error {
	v.Title, v.Section = "Recipes", "recipes"
	list, err := c.Desk.Recipes(r.Context())
	data := recipesData{Source: c.Desk.Automations.Source()}
	group := ""
	for _, recipe := range list {
		if recipe.Group != group {
			group = recipe.Group
			data.Groups = append(data.Groups, recipeGroup{Title: strings.ToUpper(group[:1]) + group[1:]})
		}
		last := &data.Groups[len(data.Groups)-1]
		last.Recipes = append(last.Recipes, recipe)
	}
	v.Data = data
	return err
}

type recipeData struct {
	operate.Recipe
	Source    string
	Locations []option
	Location  string // that was asked; "" = none was
	Needs     []automation.Need
	Failed    string // why it is not known whether the location has them
}

// NeedsNothing reports whether the recipe needs nothing but scopes.
func (r recipeData) NeedsNothing() bool {
	return len(r.Recipe.Needs.Fields)+len(r.Recipe.Needs.Tags)+len(r.Recipe.Needs.Stages)+len(r.Recipe.Needs.MeetingTypes) == 0
}

func (c *Console) recipe(r *http.Request) (operate.Recipe, error) {
	recipe, err := c.Desk.Recipe(r.Context(), chi.URLParam(r, "id"))
	if errors.Is(err, operate.ErrUnknown) {
		return recipe, errNotFound
	}
	return recipe, err
}

func (c *Console) recipePage(r *http.Request, v *view) error {
	v.Section = "recipes"
	recipe, err := c.recipe(r)
	if err != nil {
		return err
	}
	v.Title = recipe.Name
	data := recipeData{Recipe: recipe, Source: c.Desk.Automations.Source(), Location: r.FormValue("location")}
	connections, err := c.Desk.Store.Connections(r.Context())
	if err != nil {
		return err
	}
	for _, l := range connections {
		if l.State == store.ConnectionActive && len(data.Locations) < mostChoices {
			name := l.Name
			if name == "" {
				name = l.LocationID
			}
			data.Locations = append(data.Locations, option{l.LocationID, name, l.LocationID == data.Location})
		}
	}
	switch {
	case data.Location == "":
	case !v.Operator():
		return errForbidden // it costs calls of the location's quota
	default:
		ctx, cancel := context.WithTimeout(r.Context(), dryRun)
		defer cancel()
		data.Needs, err = c.Desk.Needs(ctx, data.Location, recipe.Recipe)
		if data.Failed, err = vendorFailed(r, err); err != nil {
			return err
		}
	}
	v.Data = data
	return nil
}

// vendorFailed says in a sentence why a vendor could not be asked, or returns what is
// no fault of a vendor or a connection.
func vendorFailed(r *http.Request, err error) (string, error) {
	if failed, ok := errors.AsType[*clients.Error](err); ok {
		return sentence(failed), nil
	}
	if absent, ok := errors.AsType[*connection.NotConnected](err); ok {
		return sentence(absent), nil
	}
	if errors.Is(err, context.DeadlineExceeded) && r.Context().Err() == nil {
		return "HighLevel or CalendarHero did not answer within " + took(dryRun) + ". Try again.", nil
	}
	return "", err
}

func (c *Console) addRecipe(r *http.Request, v *view) (string, error) {
	recipe, err := c.recipe(r)
	if err != nil {
		return "", err
	}
	state := mapping.State(r.PostForm.Get("state"))
	switch {
	case recipe.Added != nil:
		return "", problem("This recipe was added already.")
	case state != mapping.StateOn && state != mapping.StateOff:
		return "", problem("Choose whether to add it switched on or off.")
	}
	_, err = c.Desk.AddRecipe(r.Context(), v.Me.Name, recipe.ID, state, "")
	return recipePath(recipe.ID) + "?said=recipe-" + string(state), editProblem(err)
}

// editProblem makes a problem of why automations cannot be edited like that.
func editProblem(err error) error {
	if refused, ok := errors.AsType[automation.Refused](err); ok {
		return problem(sentence(refused))
	}
	if errors.Is(err, automation.ErrReadOnly) {
		return problem(sentence(automation.ErrReadOnly))
	}
	return err
}

func (c *Console) createNeed(r *http.Request, v *view) (string, error) {
	recipe, err := c.recipe(r)
	if err != nil {
		return "", err
	}
	return recipePath(recipe.ID) + "?" + url.Values{"location": {r.PostForm.Get("location")}, "said": {"need-created"}}.Encode(), c.createNeedOf(r, v, recipe.Recipe)
}

// createNeedOf creates in HighLevel what a form names of what a recipe needs.
func (c *Console) createNeedOf(r *http.Request, v *view, recipe mapping.Recipe) error {
	ctx, cancel := context.WithTimeout(r.Context(), dryRun)
	defer cancel()
	location, what, name := r.PostForm.Get("location"), automation.NeedKind(r.PostForm.Get("what")), r.PostForm.Get("name")
	err := c.Desk.CreateNeed(ctx, v.Me.Name, location, recipe, what, name)
	if errors.Is(err, operate.ErrUnknown) {
		return problem("The recipe needs no such thing.")
	}
	if other, ok := errors.AsType[*automation.OtherKey](err); ok {
		return problem(sentence(other))
	}
	failed, err := vendorFailed(r, err)
	if failed != "" {
		return problem(failed)
	}
	return err
}
