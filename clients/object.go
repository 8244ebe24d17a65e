package clients

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Object is a JSON object that is read with tolerance: the vendors leave fields out, send
// null, and send numbers for strings. Its methods never fail; a value that cannot be read
// is the zero value.
type Object map[string]json.RawMessage

// byteOrderMark starts the UTF-8 texts of some senders. It means nothing, but encoding/json
// rejects it.
var byteOrderMark = []byte("\uFEFF")

// WithoutMark returns data without its byte order mark, if any.
func WithoutMark(data []byte) []byte { return bytes.TrimPrefix(data, byteOrderMark) }

// ParseObject reads a JSON object, and fails for anything else.
func ParseObject(data []byte) (Object, error) {
	var o Object
	data = WithoutMark(data)
	if err := json.Unmarshal(data, &o); err != nil {
		return nil, err
	}
	if o == nil {
		return nil, errors.New("null where an object was expected")
	}
	return o, nil
}

// ErrNoObject is wrapped by every error of ParseBody.
var ErrNoObject = errors.New("the body is no JSON object")

// ParseBody is ParseObject for a webhook's body, which anyone may have sent. Its error does
// not quote the body.
func ParseBody(body []byte) (Object, error) {
	if len(body) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrNoObject)
	}
	if !utf8.Valid(body) {
		return nil, fmt.Errorf("%w: it is not UTF-8", ErrNoObject)
	}
	o, err := ParseObject(body)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return nil, fmt.Errorf("%w: %w at byte %d", ErrNoObject, syntax, syntax.Offset)
	}
	if err != nil { // valid JSON of another type; the error's text would quote the body
		return nil, fmt.Errorf("%w: it is another JSON value", ErrNoObject)
	}
	return o, nil
}

// ParseRecord is ParseObject for an UnmarshalJSON method: as encoding/json expects, null is
// an object without fields.
func ParseRecord(data []byte) (Object, error) {
	if string(bytes.TrimSpace(data)) == "null" {
		return nil, nil
	}
	return ParseObject(data)
}

// Text returns a string unchanged, a number or boolean as written, and "" for anything
// else.
func (o Object) Text(key string) string { return text(o[key]) }

// Bool returns true for true and "true".
func (o Object) Bool(key string) bool { return text(o[key]) == "true" }

// Texts returns the texts of an array; a single text counts as an array of one. It leaves
// out empty ones.
func (o Object) Texts(key string) []string {
	raw := bytes.TrimSpace(o[key])
	var list []json.RawMessage
	if len(raw) > 0 && raw[0] == '[' {
		if json.Unmarshal(raw, &list) != nil {
			return nil
		}
	} else {
		list = []json.RawMessage{raw}
	}
	var texts []string
	for _, item := range list {
		if s := text(item); s != "" {
			texts = append(texts, s)
		}
	}
	return texts
}

// Objects returns the objects of an array, and leaves out anything else.
func (o Object) Objects(key string) []Object {
	var list []json.RawMessage
	if json.Unmarshal(o[key], &list) != nil {
		return nil
	}
	var objects []Object
	for _, item := range list {
		if object, err := ParseObject(item); err == nil {
			objects = append(objects, object)
		}
	}
	return objects
}

// Raw returns the JSON of a field, or nil for a missing field and for null.
func (o Object) Raw(key string) json.RawMessage {
	raw := bytes.TrimSpace(o[key])
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	return raw
}

func text(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return ""
	}
	switch raw[0] {
	case '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return ""
		}
		return s
	case '{', '[', 'n':
		return ""
	default:
		return string(raw)
	}
}
