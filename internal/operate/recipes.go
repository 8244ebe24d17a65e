package operate

import (
	"context"
	"fmt"
	"slices"

	"milepost/internal/automation"
	"milepost/mapping"
)

// Recipe is a ready-made automation, and what became of it here.
type Recipe struct {
	mapping.Recipe
	Added *automation.Entry // nil = it was not added
}

// On reports whether the recipe acts on what changes.
func (r Recipe) On() bool { return r.Added != nil && r.Added.State == mapping.StateOn }

// Recipes lists the recipes in the order of their groups.
func (d *Desk) Recipes(ctx context.Context) ([]Recipe, error) {
	entries, err := d.Automations.List(ctx)
	if err != nil {
		return nil, err
	}
	book := mapping.RecipeBook()
	list := make([]Recipe, len(book))
	for i, r := range book {
		list[i].Recipe = r
		if at := slices.IndexFunc(entries, func(e automation.Entry) bool { return e.ID == r.ID }); at >= 0 {
			list[i].Added = &entries[at]
		}
	}
	return list, nil
}

// Recipe returns the recipe of an id, or ErrUnknown.
func (d *Desk) Recipe(ctx context.Context, id string) (Recipe, error) {
	list, err := d.Recipes(ctx)
	if err != nil {
		return Recipe{}, err
	}
	i := slices.IndexFunc(list, func(r Recipe) bool { return r.ID == id })
	if i < 0 {
		return Recipe{}, ErrUnknown
	}
	return list[i], nil
}

// AddRecipe saves a recipe as an automation, in that state.
func (d *Desk) AddRecipe(ctx context.Context, who, id string, state mapping.State, why string) (automation.Change, error) {
	made, err := d.Automations.AddRecipe(ctx, id, state, automation.By{Who: who, Why: why})
	if err != nil {
		return made, err
	}
	return made, d.note(ctx, who, "added, switched "+string(state)+",", "recipe "+id)
}

// Needs asks HighLevel and CalendarHero whether a location has what a recipe needs, and
// compares the scopes that were granted.
func (d *Desk) Needs(ctx context.Context, locationID string, r mapping.Recipe) ([]automation.Need, error) {
	c, err := d.Connections.Lookup(ctx, locationID)
	if err != nil {
		return nil, err
	}
	needs, err := automation.CheckNeeds(ctx, c.HighLevel, c.CalendarHero, locationID, r.Needs)
	if err != nil {
		return nil, err
	}
	granted, known, err := d.Connections.Granted(ctx, locationID)
	if err != nil {
		return nil, err
	}
	return append(needs, automation.ScopeNeeds(r.Needs.Scopes, granted.Scopes, known)...), nil
}

// CreateNeed creates a custom field or a tag that a recipe needs and a location lacks.
// It does nothing if the location has it by now.
func (d *Desk) CreateNeed(ctx context.Context, who, locationID string, r mapping.Recipe, what automation.NeedKind, name string) error {
	needs, err := d.Needs(ctx, locationID, r)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(needs, func(n automation.Need) bool { return n.What == what && n.Name == name && n.Creatable() })
	switch {
	case i < 0:
		return ErrUnknown
	case needs[i].Has == automation.Yes:
		return nil
	}
	c, err := d.Connections.Lookup(ctx, locationID)
	if err != nil {
		return err
	}
	if err := d.note(ctx, who, "asked to create", fmt.Sprintf("%s %s in location %s", what, name, locationID)); err != nil {
		return err
	}
	return automation.CreateNeed(ctx, c.HighLevel, locationID, needs[i])
}
