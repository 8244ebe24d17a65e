package adminapi

import (
	"context"
	"fmt"
	"slices"

	"milepost/internal/catalog"
	"milepost/internal/operate"
)

type catalogQuery struct {
	Paging
	Text   string `query:"q" maxLength:"200" doc:"Words that the entry has in its name, group, summary, path or fields."`
	Vendor string `query:"vendor" enum:"highlevel,calendarhero,milepost"`
	Kind   string `query:"kind" enum:"trigger,operation"`
	Group  string `query:"group"`
}

type oneEntry struct {
	Name string `path:"name" maxLength:"200"`
}

func (a *API) catalog() {
	const tag = "catalog"
	get(a, endpoint{
		id: "list-catalog", path: "/catalog", tag: tag, summary: "Triggers that an automation can start from, and operations that Milepost can call",
	}, func(_ context.Context, in *catalogQuery) (Page[catalog.Entry], error) {
		found := slices.DeleteFunc(catalog.Search(in.Text), func(e catalog.Entry) bool {
			return in.Vendor != "" && e.Vendor != in.Vendor || in.Kind != "" && e.Kind != in.Kind || in.Group != "" && e.Group != in.Group
		})
		return pageOf(in.Paging, found, func(e catalog.Entry) string { return e.Name }, asItIs)
	})
	get(a, endpoint{id: "get-catalog-entry", path: "/catalog/{name}", tag: tag, summary: "One trigger or operation"},
		func(_ context.Context, in *oneEntry) (catalog.Entry, error) {
			e, ok := catalog.Find(in.Name)
			if !ok {
				return e, fmt.Errorf("%s: %w", in.Name, operate.ErrUnknown)
			}
			return e, nil
		})
}

func asItIs[T any](v T) T { return v }
