package adminapi

import (
	"context"
	"net/http"

	"milepost/internal/automation"
	"milepost/internal/operate"
	"milepost/mapping"
)

// Recipe is a ready-made automation.
type Recipe struct {
	ID    string         `json:"id"`
	Name  string         `json:"name"`
	Group string         `json:"group"`
	Does  string         `json:"does"`
	Needs mapping.Needed `json:"needs" doc:"What a location must have for it."`
	Mails []string       `json:"mails" nullable:"false" doc:"Whom it may mail. Empty: nobody."`
	YAML  string         `json:"yaml"`
	State string         `json:"state,omitempty" enum:"on,paused,off" doc:"Of the automation that it was added as. Missing if it was not added."`
}

func showRecipe(r operate.Recipe) Recipe {
	out := Recipe{ID: r.ID, Name: r.Name, Group: r.Group, Does: r.Does, Needs: r.Needs, YAML: r.YAML, Mails: each(r.Mails, mapping.Mailed.String)}
	if r.Added != nil {
		out.State = string(r.Added.State)
	}
	return out
}

// OneRecipe is the part of a request that names a recipe.
type OneRecipe struct {
	ID string `path:"id" maxLength:"200"`
}

type addRecipe struct {
	OneRecipe
	Body struct {
		State string `json:"state" enum:"on,off" doc:"on: it follows each record when that changes next."`
		Why   string `json:"why,omitempty" maxLength:"1000" doc:"For the history."`
	}
}

type needsQuery struct {
	OneRecipe
	Paging
	Location string `query:"location" required:"true" maxLength:"200" doc:"The id of the location."`
}

type createNeed struct {
	OneRecipe
	Body struct {
		Location string `json:"location" maxLength:"200"`
		What     string `json:"what" enum:"custom field,tag"`
		Name     string `json:"name" maxLength:"200" doc:"As the needs name it, such as contact.milestone_date."`
	}
}

func (a *API) recipes() {
	const tag = "recipes"
	get(a, endpoint{id: "list-recipes", path: "/recipes", tag: tag, summary: "Ready-made automations"},
		func(ctx context.Context, in *struct{ Paging }) (Page[Recipe], error) {
			list, err := a.Desk.Recipes(ctx)
			if err != nil {
				return Page[Recipe]{}, err
			}
			return pageOf(in.Paging, list, func(r operate.Recipe) string { return r.ID }, showRecipe)
		})
	get(a, endpoint{id: "get-recipe", path: "/recipes/{id}", tag: tag, summary: "One recipe"},
		func(ctx context.Context, in *OneRecipe) (Recipe, error) {
			r, err := a.Desk.Recipe(ctx, in.ID)
			return showRecipe(r), err
		})
	get(a, endpoint{
		id: "check-recipe", path: "/recipes/{id}/needs", tag: tag, operators: true, summary: "Whether a location has what a recipe needs",
		about: "It asks HighLevel and CalendarHero, which costs calls of the location's quota.",
	}, func(ctx context.Context, in *needsQuery) (Page[automation.Need], error) {
		r, err := a.Desk.Recipe(ctx, in.ID)
		if err != nil {
			return Page[automation.Need]{}, err
		}
		ctx, cancel := context.WithTimeout(ctx, vendorsAnswer)
		defer cancel()
		needs, err := a.Desk.Needs(ctx, in.Location, r.Recipe)
		if err != nil {
			return Page[automation.Need]{}, err
		}
		return pageOf(in.Paging, needs, func(n automation.Need) string { return string(n.What) + " " + n.Name }, asItIs)
	})
	post(a, http.MethodPost, endpoint{id: "add-recipe", path: "/recipes/{id}/add", tag: tag, summary: "Add a recipe as an automation"},
		func(ctx context.Context, in *addRecipe) (automation.Change, error) {
			if _, err := a.Desk.Recipe(ctx, in.ID); err != nil {
				return automation.Change{}, err
			}
			return a.Desk.AddRecipe(ctx, who(ctx), in.ID, mapping.State(in.Body.State), in.Body.Why)
		})
	act(a, http.MethodPost, endpoint{
		id: "create-need", path: "/recipes/{id}/create", tag: tag, summary: "Create a custom field or a tag in HighLevel that a recipe needs and a location lacks",
	}, func(ctx context.Context, in *createNeed) error {
		r, err := a.Desk.Recipe(ctx, in.ID)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, vendorsAnswer)
		defer cancel()
		return a.Desk.CreateNeed(ctx, who(ctx), in.Body.Location, r.Recipe, automation.NeedKind(in.Body.What), in.Body.Name)
	})
}
