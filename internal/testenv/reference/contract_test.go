package reference

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"milepost/internal/testenv"
)

// A recorder is a testing.TB that keeps what would have failed the test.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func TestContractReportsWhatBreaksIt(t *testing.T) {
	testenv.Long(t)
	for _, tc := range []struct {
		name, method, path, body string
		noVersion                bool
		status                   int
		answer                   string
		want                     string // part of the violation; "" = none
	}{
		{name: "a read as documented", method: "GET", path: "/contacts/abc", status: 200, answer: `{"contact":{"id":"abc","assignedTo":null,"customFields":[{"id":"x","value":7}]}}`},
		{name: "an unknown path", method: "GET", path: "/contact/abc", status: 404, want: "no such path"},
		{name: "a method that the path has not", method: "PATCH", path: "/contacts/abc", status: 404, want: "DELETE, GET, PUT only"},
		{name: "no Version header", method: "GET", path: "/contacts/abc", noVersion: true, status: 401, want: "Version"},
		{name: "an unknown query parameter", method: "GET", path: "/contacts/abc?full=1", status: 200, answer: `{}`, want: `unknown query parameter "full"`},
		{name: "a missing query parameter", method: "GET", path: "/users/", status: 200, answer: `{}`, want: "locationId"},
		{name: "a value outside its list", method: "GET", path: "/locations/l/customFields?model=task", status: 200, answer: `{}`, want: "model"},
		{name: "a body as documented", method: "POST", path: "/contacts/abc/tags", body: `{"tags":["a"]}`, status: 201, answer: `{"tags":["a"]}`},
		{name: "an unknown key in the body", method: "POST", path: "/contacts/abc/tags", body: `{"tags":["a"],"note":1}`, status: 201, answer: `{}`, want: "note"},
		{name: "an unknown key in task search", method: "POST", path: "/locations/l/tasks/search", body: `{"page":1}`, status: 200, answer: `{}`, want: "page"},
		{name: "task search answers tasks", method: "POST", path: "/locations/l/tasks/search", body: `{"skip":25}`, status: 200, answer: `{"tasks":[{"id":"t"}]}`},
		{name: "a missing key in contact search", method: "POST", path: "/contacts/search", body: `{"locationId":"l"}`, status: 200, answer: `{}`, want: "pageLimit"},
		{name: "a null value clears a contact's field", method: "PUT", path: "/contacts/abc", body: `{"email":null,"customFields":[{"key":"k","field_value":"2026-12-01"},{"id":"n","field_value":4}]}`, status: 200, answer: `{}`},
		{name: "the location of a contact cannot be updated", method: "PUT", path: "/contacts/abc", body: `{"locationId":"l"}`, status: 200, answer: `{}`, want: "locationId"},
		{name: "a task without due date", method: "POST", path: "/contacts/abc/tasks", body: `{"title":"t","completed":false}`, status: 201, answer: `{}`, want: "dueDate"},
		{name: "the wrong success status", method: "POST", path: "/contacts/abc/tags", body: `{"tags":["a"]}`, status: 200, answer: `{"tags":["a"]}`, want: "status is not documented"},
		{name: "an upsert that creates", method: "POST", path: "/contacts/upsert", body: `{"locationId":"l"}`, status: 201, answer: `{"new":true}`},
		{name: "an answer of another shape", method: "GET", path: "/contacts/abc/tasks", status: 200, answer: `{"tasks":{}}`, want: "tasks"},
		{name: "an answer that is no JSON", method: "GET", path: "/contacts/abc/tasks", status: 200, answer: `<html>`, want: "no JSON"},
		{name: "a body on a read", method: "GET", path: "/contacts/abc/tasks", body: `{}`, status: 200, answer: `{}`, want: "none is documented"},
		{name: "errors are not judged", method: "GET", path: "/contacts/abc", status: 500, answer: `oops`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got, _ := io.ReadAll(r.Body)
				if string(got) != tc.body {
					t.Errorf("the server got %q, want %q", got, tc.body)
				}
				w.WriteHeader(tc.status)
				io.WriteString(w, tc.answer)
			}))
			defer server.Close()
			rec := &recorder{TB: t}
			c := HighLevelContract(t)
			c.t = rec
			req, err := http.NewRequest(tc.method, server.URL+tc.path, strings.NewReader(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer x")
			req.Header.Set("Content-Type", "application/json")
			if !tc.noVersion {
				req.Header.Set("Version", "2021-07-28")
			}
			res, err := (&http.Client{Transport: c.Transport(nil)}).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.StatusCode != tc.status || string(got) != tc.answer {
				t.Errorf("the client got %d %q, want %d %q", res.StatusCode, got, tc.status, tc.answer)
			}
			all := strings.Join(rec.errors, "\n")
			switch {
			case tc.want == "" && all != "":
				t.Errorf("reported: %s", all)
			case tc.want != "" && !strings.Contains(all, tc.want):
				t.Errorf("reported %q, want something with %q", all, tc.want)
			}
		})
	}
}
