package highlevel

import (
	"strings"

	"milepost/clients"
)

// Cursor is where a page of a list ended: the id of its last record, and when that record
// was added. The zero value is before the first page.
type Cursor struct{ id, added string }

// nextPage reads the cursor from a list's meta; zero if there is no next page.
func nextPage(meta clients.Object) Cursor {
	if meta.Text("nextPage") == "" && meta.Text("nextPageUrl") == "" {
		return Cursor{}
	}
	return Cursor{meta.Text("startAfterId"), meta.Text("startAfter")}
}

// MarshalText encodes a cursor, so that a list can be continued later.
func (c Cursor) MarshalText() ([]byte, error) { return []byte(c.added + " " + c.id), nil }

// UnmarshalText decodes what MarshalText encoded.
func (c *Cursor) UnmarshalText(text []byte) error {
	c.added, c.id, _ = strings.Cut(string(text), " ")
	return nil
}
