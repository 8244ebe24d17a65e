package highlevel

import (
	"context"
	"net/http"

	"milepost/clients"
)

const (
	opNotes = "list notes of contact"
	opNote  = "get note"
)

// Note is a note of a contact. It has no time of change.
type Note struct {
	ID        string
	Title     string
	Body      string // may be HTML, written by people: not to be trusted
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

// Notes lists all notes of a contact; the API has no pages here.
func (c *Client) Notes(ctx context.Context, contactID string) ([]Note, error) {
	var out struct{ Notes *[]Note }
	err := c.do(ctx, route{operation: opNotes, method: http.MethodGet, path: "/contacts/%s/notes", ids: []string{contactID}}, &out)
	return listed(opNotes, contactID, out.Notes, func(n Note) string { return n.ID }, err)
}

// Note fetches one note; NotFound where the note or its contact is gone.
func (c *Client) Note(ctx context.Context, contactID, noteID string) (Note, error) {
	var out struct{ Note Note }
	err := c.do(ctx, route{operation: opNote, method: http.MethodGet, path: "/contacts/%s/notes/%s", ids: []string{contactID, noteID}}, &out)
	if err == nil && out.Note.ID == "" {
		err = incomplete(opNote, noteID)
	}
	if out.Note.ContactID == "" {
		out.Note.ContactID = contactID
	}
	return out.Note, err
}
