package reference

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// contractFiles are the parts of HighLevel's OpenAPI that the contract covers.
var contractFiles = []string{
	"contacts.json", "locations.json", "users.json", "opportunities.json",
	"calendars.json", "custom-fields.json", "oauth.json", "businesses.json", "workflows.json", "campaigns.json",
}

// Contract is HighLevel's published OpenAPI as a judge of what goes over the
// wire: each violation fails the test it was made for. It is stricter than the
// documents where the real API is known to be (unknown body keys and unknown
// query parameters are refused), and more lenient only where a quirk below says so.
// It may be used by several goroutines.
type Contract struct {
	t          testing.TB
	operations []operation

	mu   sync.Mutex
	seen map[string]int
}

// An operation is one method of one path. Its two halves come from two loads
// of the document, because strictness is set on shared schemas: a request
// schema refuses unknown keys, an answer schema tolerates null.
type operation struct {
	name     string // as HighLevel calls it, e.g. "get-contact"
	method   string
	path     string // the template, e.g. "/contacts/{contactId}"
	segments []string
	request  *routers.Route
	answer   *openapi3.Operation
}

// HighLevelContract loads the contract. It skips the test where HighLevel's
// documents are not beside the checkout (see Shared).
func HighLevelContract(t testing.TB) *Contract {
	t.Helper()
	operations, err := documented(Shared(t, "highlevel-openapi"))
	if err != nil {
		t.Fatalf("HighLevel's contract: %v", err)
	}
	return &Contract{t: t, operations: operations, seen: map[string]int{}}
}

// documented reads the documents once a process, for it takes seconds under
// the race detector. Nothing changes them afterwards.
var documented = func() func(dir string) ([]operation, error) {
	var once sync.Once
	var operations []operation
	var err error
	return func(dir string) ([]operation, error) {
		once.Do(func() { operations, err = readOperations(dir) })
		return operations, err
	}
}()

func readOperations(dir string) ([]operation, error) {
	var operations []operation
	for _, file := range contractFiles {
		path := filepath.Join(dir, "apps", file)
		requests, err := loadSpec(path)
		if err != nil {
			return nil, err
		}
		answers, err := loadSpec(path)
		if err != nil {
			return nil, err
		}
		refuseUnknownKeys(requests)
		tolerateNull(answers)
		for _, q := range requestQuirks {
			q.apply(requests)
		}
		for _, q := range answerQuirks {
			q.apply(answers)
		}
		for template, item := range requests.Paths.Map() {
			for method, op := range item.Operations() {
				operations = append(operations, operation{
					name: op.OperationID, method: method, path: template, segments: strings.Split(template, "/"),
					request: &routers.Route{Spec: requests, Path: template, PathItem: item, Method: method, Operation: op},
					answer:  answers.Paths.Value(template).GetOperation(method),
				})
			}
		}
	}
	return operations, nil
}

// loadSpec reads one document without validating it as OpenAPI: HighLevel's
// hold arrays without items and examples that break their own schemas.
func loadSpec(path string) (*openapi3.T, error) {
	loader := openapi3.NewLoader()
	loader.IsExternalRefsAllowed = true // ../common/common-schemas.json
	spec, err := loader.LoadFromFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return spec, nil
}

// Transport returns a RoundTripper that hands every request to next and
// reports, through t.Errorf with operation and reason, each request and each
// 2xx answer that breaks the contract. Requests are matched by path alone,
// so the server may be any. next nil means http.DefaultTransport.
func (c *Contract) Transport(next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return contractTransport{c, next}
}

// Calls returns how often each operation (by HighLevel's operationId) was called.
func (c *Contract) Calls() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := make(map[string]int, len(c.seen))
	for name, n := range c.seen {
		calls[name] = n
	}
	return calls
}

// Operation returns what the contract says of a method and a path template, such as
// "/contacts/{contactId}"; nil where HighLevel documents no such operation.
func (c *Contract) Operation(method, template string) *openapi3.Operation {
	i := slices.IndexFunc(c.operations, func(op operation) bool { return op.method == method && op.path == template })
	if i < 0 {
		return nil
	}
	return c.operations[i].request.Operation
}

// Documented returns how many operations HighLevel documents in the apps that the
// contract covers.
func (c *Contract) Documented() int { return len(c.operations) }

type contractTransport struct {
	contract *Contract
	next     http.RoundTripper
}

func (tr contractTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	c := tr.contract
	c.t.Helper()
	op, params, err := c.find(req.Method, req.URL.EscapedPath())
	if err != nil {
		c.t.Errorf("HighLevel's contract: %s %s: %v", req.Method, req.URL.Path, err)
		return tr.next.RoundTrip(req)
	}
	c.mu.Lock()
	c.seen[op.name]++
	c.mu.Unlock()

	var body []byte
	if req.Body != nil {
		body, err = io.ReadAll(req.Body)
		req.Body.Close()
		if err != nil {
			return nil, err
		}
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	if err := op.checkRequest(req, body, params); err != nil {
		c.t.Errorf("HighLevel's contract: request %s (%s %s): %v", op.name, op.method, op.path, err)
	}
	res, err := tr.next.RoundTrip(req)
	if err != nil || res.StatusCode < 200 || res.StatusCode > 299 {
		return res, err
	}
	answer, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		// The reader of the answer is to see the same broken connection.
		res.Body = io.NopCloser(io.MultiReader(bytes.NewReader(answer), brokenReader{err}))
		return res, nil
	}
	res.Body = io.NopCloser(bytes.NewReader(answer))
	if err := op.checkAnswer(res.StatusCode, answer); err != nil {
		c.t.Errorf("HighLevel's contract: answer %d to %s (%s %s): %v", res.StatusCode, op.name, op.method, op.path, err)
	}
	return res, nil
}

type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }

// find returns the operation for a path, and the values of its {…} segments.
// Of several templates that fit, the one with the fewest parameters wins
// (/contacts/search before /contacts/{contactId}).
func (c *Contract) find(method, escaped string) (*operation, map[string]string, error) {
	segments := strings.Split(escaped, "/")
	var best *operation
	var bestParams map[string]string
	var methods []string
	for i := range c.operations {
		op := &c.operations[i]
		params, ok := match(op.segments, segments)
		if !ok {
			continue
		}
		if op.method != method {
			methods = append(methods, op.method)
			continue
		}
		if best == nil || len(params) < len(bestParams) {
			best, bestParams = op, params
		}
	}
	switch {
	case best != nil:
		return best, bestParams, nil
	case methods != nil:
		slices.Sort(methods)
		return nil, nil, fmt.Errorf("HighLevel documents this path for %s only", strings.Join(methods, ", "))
	default:
		return nil, nil, fmt.Errorf("HighLevel documents no such path")
	}
}

func match(template, segments []string) (map[string]string, bool) {
	if len(template) != len(segments) {
		return nil, false
	}
	params := map[string]string{}
	for i, part := range template {
		if !strings.HasPrefix(part, "{") {
			if part != segments[i] {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(segments[i])
		if err != nil || value == "" {
			return nil, false
		}
		params[strings.Trim(part, "{}")] = value
	}
	return params, true
}

func (op *operation) checkRequest(req *http.Request, body []byte, params map[string]string) error {
	declared := op.request.Operation.Parameters
	for key := range req.URL.Query() {
		known := slices.ContainsFunc(declared, func(p *openapi3.ParameterRef) bool {
			return p.Value.In == "query" && (p.Value.Name == key || p.Value.Name+"[]" == key)
		})
		if !known {
			return fmt.Errorf("unknown query parameter %q", key)
		}
	}
	if op.request.Operation.RequestBody != nil && len(body) > 0 {
		media, _, _ := strings.Cut(req.Header.Get("Content-Type"), ";")
		if media != "application/json" && media != "application/x-www-form-urlencoded" {
			return fmt.Errorf("a body with Content-Type %q", media)
		}
	}
	if op.request.Operation.RequestBody == nil && len(body) > 0 {
		return fmt.Errorf("a body where none is documented")
	}
	// A copy, because the validation consumes the body.
	probe := req.Clone(req.Context())
	probe.Body = io.NopCloser(bytes.NewReader(body))
	probe.ContentLength = int64(len(body))
	err := openapi3filter.ValidateRequest(req.Context(), &openapi3filter.RequestValidationInput{
		Request: probe, PathParams: params, Route: op.request,
		Options: &openapi3filter.Options{
			AuthenticationFunc:  bearerOnly,
			SkipSettingDefaults: true, // a document's default must not change what is sent
		},
	})
	return err
}

// checkAnswer holds a success against the documented ones. A documented
// success without a schema accepts any JSON.
func (op *operation) checkAnswer(status int, body []byte) error {
	documented := op.answer.Responses.Status(status)
	if documented == nil {
		allowed, ok := extraSuccess[op.name]
		if !ok || allowed.status != status {
			return fmt.Errorf("this status is not documented")
		}
		documented = op.answer.Responses.Status(allowed.likeStatus)
	}
	media := documented.Value.Content.Get("application/json")
	if len(body) == 0 && media == nil {
		return nil
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return fmt.Errorf("the body is no JSON: %w", err)
	}
	if media == nil || media.Schema == nil {
		return nil
	}
	return media.Schema.Value.VisitJSON(value, openapi3.VisitAsResponse())
}
