package clients

import (
	"context"
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
// of the others to note. If note returns an error, that is the answer; else the answer
// is the vendor's when all goes well, and a record that would be created gets an id that
// says that it is none.
func (t *Transport) Rehearsing(note func(context.Context, Rehearsed) error) *Transport {
	own := *t
	n := 0
	own.pretend = func(ctx context.Context, call Call) error {
		made := Rehearsed{API: t.cfg.API, Operation: call.Operation, Method: call.Method, Path: call.Path, Query: call.Query}
		if call.Body != nil {
			body, err := json.Marshal(call.Body)
			if err != nil {
				return t.fail(call, Invalid, fmt.Errorf("the body cannot be encoded: %w", err))
			}
			made.Body = body
		}
		if err := note(ctx, made); err != nil {
			return err
		}
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
