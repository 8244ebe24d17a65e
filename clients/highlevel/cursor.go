package highlevel

import (
	"strings"

	"milepost/clients"
)

// Cursor is where a page of a list ended: the id of its last record and when
// that was added. Its zero value stands before the first page.
type Cursor struct{ id, added string }

// nextPage reads the cursor from a list's meta; zero where no page follows.
func nextPage(meta clients.Object) Cursor {
	if meta.Text("nextPage") == "" && meta.Text("nextPageUrl") == "" {
		return Cursor{}
	}
	return Cursor{meta.Text("startAfterId"), meta.Text("startAfter")}
}

// MarshalText writes a cursor, so that a list can be gone on with later.
func (c Cursor) MarshalText() ([]byte, error) { return []byte(c.added + " " + c.id), nil }

// UnmarshalText reads what MarshalText wrote.
func (c *Cursor) UnmarshalText(text []byte) error {
	c.added, c.id, _ = strings.Cut(string(text), " ")
	return nil
}
