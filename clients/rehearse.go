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
	Operation string          `json:"operation"` // in words, as in Call
	Method    string          `json:"method"`
	Path      string          `json:"path"`
	Query     url.Values      `json:"query,omitempty"`
	Body      json.RawMessage `json:"body,omitempty"` // personal data
}

// Rehearsing returns a transport that sends only reads, and passes every other call to
// note. If note returns an error, the call fails with it. Otherwise the call gets the
// vendor's answer to a success, and a record that would be created gets an id that is
// clearly not a real one.
func (t *Transport) Rehearsing(note func(context.Context, Rehearsed) error) *Transport {
	own := *t
	n := 0
	own.pretend = func(ctx context.Context, call Call) error {
		made := Rehearsed{API: t.cfg.API, Operation: call.Operation, Method: call.Method, Path: call.Path, Query: call.Query}
		if call.Body != nil {
			body, err := json.Marshal(call.Body)
			if err != nil {
				return t.fail(call, Invalid, fmt.Errorf("cannot encode the body: %w", err))
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
			return t.fail(call, Unavailable, fmt.Errorf("the answer of a real call is not known: %w", err))
		}
		return nil
	}
	return &own
}
