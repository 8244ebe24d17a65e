package calendarhero

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
)

// Operation is a call of the client as it goes over the wire.
type Operation struct {
	Method string
	Path   string   // with its ids as in "/contact/{id}"
	Query  []string // the keys that may be sent
	Body   []Field  // what may be sent; nil = no body
}

// Field is a key of a body.
type Field struct {
	Key    string
	Type   string // JSON's: string, number, boolean, array or object
	Always bool   // it is in every body
}

// Name is "POST /contact".
func (o Operation) Name() string { return o.Method + " " + o.Path }

// Operations are all calls that the client makes.
func Operations() []Operation {
	return []Operation{
		{Method: http.MethodGet, Path: "/user"},
		{Method: http.MethodGet, Path: "/user/org"},
		{Method: http.MethodGet, Path: "/user/savings"},
		{Method: http.MethodGet, Path: "/user/meeting", Query: []string{"onlyTypes"}},
		{Method: http.MethodDelete, Path: "/user/meeting/{type}"},
		{Method: http.MethodGet, Path: "/user/directories"},
		{Method: http.MethodPost, Path: "/user/directories", Body: fieldsOf[directoryBody]()},
		{Method: http.MethodGet, Path: "/user/directories/{uuid}"},
		{Method: http.MethodPut, Path: "/user/directories/{uuid}", Body: fieldsOf[directoryBody]()},
		{Method: http.MethodDelete, Path: "/user/directories/{uuid}"},
		{Method: http.MethodGet, Path: "/provider", Query: []string{"org"}},
		{Method: http.MethodGet, Path: "/contact", Query: []string{"search", "filter", "all", "includeTeams"}},
		{Method: http.MethodPost, Path: "/contact", Body: slices.DeleteFunc(fieldsOf[contactBody](), func(f Field) bool {
			return f.Key == "providerId" || f.Key == "userId" // of an update only
		})},
		{Method: http.MethodGet, Path: "/contact/count"},
		{Method: http.MethodGet, Path: "/contact/{id}", Query: []string{"basic"}},
		{Method: http.MethodPut, Path: "/contact/{id}", Body: fieldsOf[contactBody]()},
		{Method: http.MethodDelete, Path: "/contact/{id}"},
		{Method: http.MethodPost, Path: "/meeting/tasks", Body: fieldsOf[meetingRequestBody]()},
		{Method: http.MethodGet, Path: "/meeting/tasks", Query: []string{"state", "skip", "take", "type", "tally"}},
		{Method: http.MethodDelete, Path: "/meeting/tasks/{id}"},
		{Method: http.MethodPut, Path: "/meeting/tasks/{id}/remind"},
		{Method: http.MethodGet, Path: "/meeting", Query: []string{"start", "end"}},
		{Method: http.MethodGet, Path: "/meeting/categories"},
		{Method: http.MethodPost, Path: "/webhook/{event}", Body: fieldsOf[hookBody]()},
		{Method: http.MethodGet, Path: "/webhook/{event}"},
		{Method: http.MethodDelete, Path: "/webhook/{event}"},
		{Method: http.MethodGet, Path: "/webhook/{event}/sample"},
	}
}

// fieldsOf reads the fields of a body from its type, so that what is said to
// be sent is what is sent.
func fieldsOf[T any]() []Field {
	var fields []Field
	for f := range reflect.TypeFor[T]().Fields() {
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		t := f.Type
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		kind := "string"
		switch t.Kind() {
		case reflect.Int:
			kind = "number"
		case reflect.Bool:
			kind = "boolean"
		case reflect.Slice:
			kind = "array"
		case reflect.Struct:
			kind = "object"
		}
		fields = append(fields, Field{key, kind, options != "omitempty"})
	}
	return fields
}
