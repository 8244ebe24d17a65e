package clients

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// Rehearsed is a call that was not sent.
type Rehearsed struct {
	API       string          `json:"api"`
	Operation string          `json:"operation"` // in words
	Method    string          `json:"method"`
	Path      string          `json:"path"`
	Query     url.Values      `json:"query,omitempty"`
	Body      json.RawMessage `json:"body,omitempty"` // personal data
}

// Rehearsing returns a transport that sends its reads and no other call. It hands each
// of the others to note, and answers it as the vendor does when all goes well; a
// record that would be created gets an id that says that it is none.
func (t *Transport) Rehearsing(note func(Rehearsed)) *Transport {
	own := *t
	n := 0
	own.pretend = func(call Call) error {
		made := Rehearsed{API: t.cfg.API, Operation: call.Operation, Method: call.Method, Path: call.Path, Query: call.Query}
		if call.Body != nil {
			body, err := json.Marshal(call.Body)
			if err != nil {
				return t.fail(call, Invalid, fmt.Errorf("the body cannot be encoded: %w", err))
			}
			made.Body = body
		}
		note(made)
		id := call.Subject
		if call.Method == http.MethodPost {
			n++
			id = fmt.Sprintf("not-created-%d", n)
		}
		if call.Out == nil {
			return nil
		}
		record := map[string]string{"id": id}
		answer, err := json.Marshal(map[string]any{
			"id": id, "note": record, "task": record, "contact": record, "new": true, "success": true, "succeeded": true, "succeded": true,
		})
		if err == nil {
			err = json.Unmarshal(answer, call.Out)
		}
		if err != nil {
			return t.fail(call, Unavailable, fmt.Errorf("what it would answer is not known: %w", err))
		}
		return nil
	}
	return &own
}
