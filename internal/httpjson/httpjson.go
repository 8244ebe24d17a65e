// Package httpjson writes the two kinds of JSON answers: documents and problems
// (RFC 9457).
//
// Guarantee: every endpoint answers in the same form. The package must not know which
// endpoint answers.
package httpjson

import (
	"encoding/json"
	"net/http"
)

// Problem answers a request with an RFC 9457 problem document. detail says
// what was wrong and what to do; it must hold no secret and no personal data.
func Problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct { // the client is gone if this fails
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{http.StatusText(status), status, detail})
}

// Write answers a request with a JSON document.
func Write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone if this fails
}
