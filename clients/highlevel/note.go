package highlevel

import (
	"context"
	"net/http"

	"milepost/clients"
)

const (
	opNotes = "list notes of contact"
	opNote  = "get note"

	opCreateNote = "create note"
	opUpdateNote = "update note"
	opDeleteNote = "delete note"
)

// Note is a note of a contact. HighLevel does not store when it changed.
type Note struct {
	ID        string
	Title     string
	Body      string // may be HTML; people write it, so do not trust it
	UserID    string
	ContactID string
	DateAdded string // RFC 3339
	Color     string // "#FFAA00"
	Pinned    bool
}

// UnmarshalJSON reads the record with tolerance.
func (n *Note) UnmarshalJSON(data []byte) error {
	o, err := clients.ParseRecord(data)
	if err != nil {
		return err
	}
	*n = Note{
		ID: o.Text("id"), Title: o.Text("title"), Body: o.Text("body"), UserID: o.Text("userId"),
		ContactID: o.Text("contactId"), DateAdded: o.Text("dateAdded"), Color: o.Text("color"), Pinned: o.Bool("pinned"),
	}
	return nil
}

// Notes lists all notes of a contact; the API does not page this list.
func (c *Client) Notes(ctx context.Context, contactID string) ([]Note, error) {
	var out struct{ Notes *[]Note }
	err := c.do(ctx, route{operation: opNotes, method: http.MethodGet, path: "/contacts/%s/notes", ids: []string{contactID}}, &out)
	return listed(opNotes, contactID, out.Notes, func(n Note) string { return n.ID }, err)
}

// Note fetches one note; NotFound if the note or its contact is gone.
func (c *Client) Note(ctx context.Context, contactID, noteID string) (Note, error) {
	var out struct{ Note Note }
	err := c.do(ctx, route{operation: opNote, method: http.MethodGet, path: "/contacts/%s/notes/%s", ids: []string{contactID, noteID}}, &out)
	err = theOne(opNote, noteID, out.Note.ID, err)
	if n := out.Note; err == nil && n.Body+n.Title+n.DateAdded == "" {
		err = incomplete(opNote, noteID)
	}
	if out.Note.ContactID == "" {
		out.Note.ContactID = contactID
	}
	return out.Note, err
}

// NewNote is a note to create; Body is required.
type NewNote struct {
	Body   string `json:"body"`
	Title  string `json:"title,omitempty"`
	UserID string `json:"userId,omitempty"` // the author
	Color  string `json:"color,omitempty"`  // "#FFAA00"
	Pinned bool   `json:"pinned,omitempty"`
}

// NoteFields are the fields that an update writes; nil leaves a field unchanged. HighLevel
// documents no null here.
type NoteFields struct {
	Body   *string `json:"body,omitempty"`
	Title  *string `json:"title,omitempty"`
	UserID *string `json:"userId,omitempty"`
	Color  *string `json:"color,omitempty"`
	Pinned *bool   `json:"pinned,omitempty"`
}

// CreateNote creates a note of a contact. HighLevel has no idempotency key: check Notes
// before you repeat an Unclear create.
func (c *Client) CreateNote(ctx context.Context, contactID string, note NewNote) (Note, error) {
	out, err := c.writeNote(ctx, route{
		operation: opCreateNote, method: http.MethodPost, path: "/contacts/%s/notes", ids: []string{contactID},
		effect: clients.Once, body: note,
	}, contactID)
	if err == nil && out.ID == "" {
		err = lostRecord(opCreateNote, contactID)
	}
	return out, err
}

// UpdateNote writes the fields that are set.
func (c *Client) UpdateNote(ctx context.Context, contactID, noteID string, fields NoteFields) (Note, error) {
	out, err := c.writeNote(ctx, route{
		operation: opUpdateNote, method: http.MethodPut, path: "/contacts/%s/notes/%s", ids: []string{contactID, noteID},
		effect: clients.Idempotent, body: fields,
	}, contactID)
	err = theOne(opUpdateNote, noteID, out.ID, err)
	return out, err
}

func (c *Client) writeNote(ctx context.Context, r route, contactID string) (Note, error) {
	var out struct{ Note Note }
	err := c.do(ctx, r, &out)
	if out.Note.ContactID == "" {
		out.Note.ContactID = contactID
	}
	return out.Note, err
}

// DeleteNote deletes a note; NotFound if it is already gone.
func (c *Client) DeleteNote(ctx context.Context, contactID, noteID string) error {
	return c.act(ctx, route{
		operation: opDeleteNote, method: http.MethodDelete, path: "/contacts/%s/notes/%s", ids: []string{contactID, noteID},
		effect: clients.Idempotent,
	})
}
