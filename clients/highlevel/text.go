package highlevel

import "encoding/json"

// Text is a text field of a write: left alone (the zero value), set, or
// cleared. It goes with the tag omitzero. Fields that HighLevel does not
// clear by null are plain or pointers in the structs of this package: nil and,
// in a create, "" leave them out.
type Text struct {
	value *string
	sent  bool
}

// Set is a text that replaces what the field holds. "" is sent as it is.
func Set(value string) Text { return Text{&value, true} }

// Clear empties the field: it is sent as null.
func Clear() Text { return Text{sent: true} }

// IsZero reports whether the field is left unchanged.
func (t Text) IsZero() bool { return !t.sent }

// MarshalJSON writes the text, or null if it is cleared.
func (t Text) MarshalJSON() ([]byte, error) { return json.Marshal(t.value) }
