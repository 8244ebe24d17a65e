package highlevel

import "encoding/json"

// Text is a text field of a write: unchanged (the zero value), set, or cleared. Use it with
// the tag omitzero. Fields that HighLevel does not clear by null have plain or pointer
// types in this package. For them, nil means unchanged, and so does "" in a create.
type Text struct {
	value *string
	sent  bool
}

// Set returns a text that replaces the field's value. "" is sent too.
func Set(value string) Text { return Text{&value, true} }

// Clear returns a text that clears the field: it is sent as null.
func Clear() Text { return Text{sent: true} }

// IsZero reports whether the field is left unchanged.
func (t Text) IsZero() bool { return !t.sent }

// MarshalJSON writes the text, or null if it is cleared.
func (t Text) MarshalJSON() ([]byte, error) { return json.Marshal(t.value) }
