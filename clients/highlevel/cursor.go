package highlevel

import "milepost/clients"

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
