package adminapi

import (
	"encoding/base64"
	"encoding/json"
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

// Paging is the part of a request for a list. Huma reads no embedded type that is not
// exported.
type Paging struct {
	Cursor string `query:"cursor" maxLength:"1000" doc:"Where the page begins: the next of the answer before. Without it, the list begins."`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many items a page has."`
}

// Page is one page of a list.
type Page[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next,omitempty" doc:"The cursor of the next page. The list ends where it is missing. A page may be empty and still have one: a search reads some records at a time."`
}

// cursor is where a page begins, as a caller sends it back.
func cursor(place any) string {
	text, err := json.Marshal(place)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// after reads a cursor into place, and leaves that as it is without one.
func (p Paging) after(place any) error {
	if p.Cursor == "" {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err == nil {
		err = json.Unmarshal(text, place)
	}
	if err != nil {
		return p.invalid("it is not the next of an earlier answer")
	}
	return nil
}

func (p Paging) invalid(why string) error {
	return huma.Error422UnprocessableEntity("the cursor cannot be used", &huma.ErrorDetail{Message: why, Location: "query.cursor"})
}

// before reads a cursor that is a number: that of the last item of the page before.
func (p Paging) before() (n int64, err error) {
	err = p.after(&n)
	if err == nil && n < 0 {
		err = p.invalid("it is not the next of an earlier answer")
	}
	return n, err
}

// older is the page of a list that is read by falling numbers; next is 0 at its end.
func older[T any](items []T, next int64) Page[T] {
	page := Page[T]{Items: items}
	if next > 0 {
		page.Next = cursor(next)
	}
	return page
}

// pageOf is a page of a list that is in memory. name is what an item is found by again.
func pageOf[T, U any](p Paging, list []T, name func(T) string, show func(T) U) (Page[U], error) {
	var last string
	if err := p.after(&last); err != nil {
		return Page[U]{}, err
	}
	from := 0
	if last != "" {
		from = slices.IndexFunc(list, func(v T) bool { return name(v) == last }) + 1
		if from == 0 {
			return Page[U]{}, p.invalid("the item that it ends with is gone: read the list from its beginning")
		}
	}
	to := min(from+p.Limit, len(list))
	page := Page[U]{Items: each(list[from:to], show)}
	if to < len(list) {
		page.Next = cursor(name(list[to-1]))
	}
	return page, nil
}

// each shows all items of a list.
func each[T, U any](list []T, show func(T) U) []U {
	out := make([]U, len(list))
	for i, v := range list {
		out[i] = show(v)
	}
	return out
}
