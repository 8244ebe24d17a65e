// Package httpjson writes the two kinds of JSON answers, documents and problems (RFC 9457),
// and holds what else answers have in common.
//
// Guarantee: every endpoint answers in the same form. The package must not know which
// endpoint answers.
package httpjson

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
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

// Recorder keeps the status of an answer.
type Recorder struct {
	http.ResponseWriter
	status int
}

// Status returns the status of the answer, or 0 if there is none yet.
func (r *Recorder) Status() int { return r.status }

// WriteHeader keeps the first status that ends the request.
func (r *Recorder) WriteHeader(status int) {
	if r.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write answers with 200 if there is no status yet.
func (r *Recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (r *Recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// AcceptsGzip reads an Accept-Encoding header (RFC 9110 12.5.3).
func AcceptsGzip(accept string) bool {
	for coding := range strings.SplitSeq(accept, ",") {
		name, parameter, _ := strings.Cut(coding, ";")
		if name = strings.TrimSpace(name); !strings.EqualFold(name, "gzip") && name != "*" {
			continue
		}
		quality, weighted := strings.CutPrefix(strings.ReplaceAll(parameter, " ", ""), "q=")
		q, err := strconv.ParseFloat(quality, 64)
		return !weighted || err == nil && q > 0
	}
	return false
}
