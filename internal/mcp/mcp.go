// Package mcp offers tools to assistants by the Model Context Protocol, over HTTP.
//
// Guarantees: it keeps no session, so each request stands for itself; a tool sees only
// arguments that its schema allows; a request of any version since 2024-11-05 is answered
// as that version says.
//
// It knows nothing of what the tools do, and offers nothing but tools. The official SDK
// takes two MiB of the binary: see docs/decisions/16-small-binary.md. Its client plays the
// assistant in the tests.
package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// stateless is the first version without a handshake: each request says its version, in a
// header and in its parameters.
const stateless = "2026-07-28"

// versions are those of the protocol, the newest first.
var versions = []string{stateless, "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"}

// batched is the last version in which a body may be a list of requests.
const batched = "2025-03-26"

// mostBody is the longest request, in bytes.
const mostBody = 1 << 20

// Tool is something that an assistant may call.
type Tool struct {
	name, about string
	reads       bool
	schemas     huma.Registry
	input       *huma.Schema
	call        func(ctx context.Context, arguments json.RawMessage) (any, error)
}

// NewTool returns a tool. Its arguments are the fields of In, a struct, with tags as huma
// reads them. An error of do is told to the assistant. reads says that it changes nothing.
func NewTool[In any](name, about string, reads bool, do func(context.Context, In) (any, error)) Tool {
	t := Tool{name: name, about: about, reads: reads, schemas: huma.NewMapRegistry("#/", huma.DefaultSchemaNamer)}
	t.input = huma.SchemaFromType(t.schemas, reflect.TypeFor[In]())
	t.input.PrecomputeMessages()
	t.call = func(ctx context.Context, arguments json.RawMessage) (any, error) {
		var in In
		if err := json.Unmarshal(arguments, &in); err != nil {
			return nil, err
		}
		return do(ctx, in)
	}
	return t
}

// Server answers one assistant.
type Server struct {
	Name, Version, Instructions string
	Tools                       []Tool
	// Called is told of each call before it is made, with the name that was asked for, and
	// whether there is such a tool. If it fails, nothing is called.
	Called func(ctx context.Context, name string, exists bool) error
}

// request is a JSON-RPC request, or a notification if it has no id.
type request struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
}

// valid reports whether it is a request as the protocol has them: an id is a text or a
// number, and never null.
func (q request) valid() bool {
	return q.Version == "2.0" && q.Method != "" && (len(q.ID) == 0 || strings.IndexByte(`"-0123456789`, q.ID[0]) >= 0)
}

type response struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  any             `json:"result,omitempty"`
	Error   *rpcError       `json:"error,omitempty"`
}

type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

func (e *rpcError) Error() string { return e.Message }

// The codes of errors.
const (
	noSuchMethod       = -32601
	wrongParams        = -32602
	internalError      = -32603
	wrongHeader        = -32020
	unsupportedVersion = -32022
)

func refuse(code int, format string, args ...any) *rpcError {
	return &rpcError{Code: code, Message: fmt.Sprintf(format, args...)}
}

type object = map[string]any

// ServeHTTP answers a POST of one request, or of a list of them where the version has lists.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "the endpoint takes only POST", http.StatusMethodNotAllowed)
		return
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		http.Error(w, "Content-Type must be application/json", http.StatusUnsupportedMediaType)
		return
	}
	version := r.Header.Get("Mcp-Protocol-Version")
	if version != "" && version < stateless && !slices.Contains(versions, version) {
		http.Error(w, "the protocol version is not supported; supported are "+strings.Join(versions, ", "), http.StatusBadRequest)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBody))
	if err != nil {
		http.Error(w, "the request is too large, or was not sent to its end", http.StatusRequestEntityTooLarge)
		return
	}
	list, many, err := read(body)
	if err != nil || many && version > batched {
		http.Error(w, "the body is no JSON-RPC request", http.StatusBadRequest)
		return
	}
	status := http.StatusAccepted
	var answers []response
	for _, q := range list {
		if len(q.ID) > 0 { // in a notification, there is nothing to do
			var a response
			a, status = s.one(r, version, q)
			answers = append(answers, a)
		}
	}
	if len(answers) == 0 {
		w.WriteHeader(status)
		return
	}
	var out any = answers
	if !many {
		out = answers[0]
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out)
}

// read reads a body. many reports that it is a list.
func read(body []byte) (list []request, many bool, err error) {
	if many = bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")); many {
		err = json.Unmarshal(body, &list)
	} else {
		list = make([]request, 1)
		err = json.Unmarshal(body, &list[0])
	}
	if err == nil && (len(list) == 0 || slices.ContainsFunc(list, func(q request) bool { return !q.valid() })) {
		err = errors.New("it is no request")
	}
	return list, many, err
}

// one answers one request, with the status for HTTP.
func (s *Server) one(r *http.Request, version string, q request) (response, int) {
	a := response{Version: "2.0", ID: q.ID}
	if a.Error = check(r.Header, version, q); a.Error != nil {
		return a, http.StatusBadRequest
	}
	result, err := s.answer(r.Context(), version, q)
	switch {
	case err == nil:
		a.Result = result
	case err.Code == noSuchMethod && version >= stateless:
		a.Error = err
		return a, http.StatusNotFound
	default:
		a.Error = err
	}
	return a, http.StatusOK
}

// check compares the headers of a request with its body, which versions without a handshake
// ask for: what stands between reads only the headers.
func check(h http.Header, version string, q request) *rpcError {
	var params struct {
		Meta struct {
			Version string `json:"io.modelcontextprotocol/protocolVersion"`
		} `json:"_meta"`
		Name string `json:"name"`
	}
	_ = json.Unmarshal(q.Params, &params) // what is missing is empty
	switch said := params.Meta.Version; {
	case version < stateless && said == "":
		return nil
	case said == "":
		return refuse(wrongParams, "_meta has no io.modelcontextprotocol/protocolVersion")
	case said != version:
		return refuse(wrongHeader, "the header Mcp-Protocol-Version is %q, and the request says %q", version, said)
	case !slices.Contains(versions, version):
		e := refuse(unsupportedVersion, "the protocol version is not supported")
		e.Data = object{"supported": versions, "requested": version}
		return e
	case version < stateless:
		return nil
	case h.Get("Mcp-Method") != q.Method:
		return refuse(wrongHeader, "the header Mcp-Method is %q, and the request says %q", h.Get("Mcp-Method"), q.Method)
	case q.Method == "tools/call" && h.Get("Mcp-Name") != params.Name:
		return refuse(wrongHeader, "the header Mcp-Name is %q, and the request says %q", h.Get("Mcp-Name"), params.Name)
	}
	return nil
}

// answer answers a request.
func (s *Server) answer(ctx context.Context, version string, q request) (object, *rpcError) {
	var result object
	modern := version >= stateless
	capabilities, about := object{"tools": object{}}, object{"name": s.Name, "version": s.Version}
	switch {
	case q.Method == "initialize" && !modern:
		var params struct {
			Version string `json:"protocolVersion"`
		}
		if err := json.Unmarshal(q.Params, &params); err != nil {
			return nil, refuse(wrongParams, "the parameters cannot be read")
		}
		if params.Version >= stateless || !slices.Contains(versions, params.Version) {
			params.Version = versions[1] // the newest with a handshake
		}
		return object{"protocolVersion": params.Version, "capabilities": capabilities, "serverInfo": about, "instructions": s.Instructions}, nil
	case q.Method == "ping" && !modern:
		return object{}, nil
	case q.Method == "server/discover" && modern:
		result = object{"supportedVersions": versions, "capabilities": capabilities, "instructions": s.Instructions}
	case q.Method == "tools/list":
		list := make([]object, len(s.Tools))
		for i, t := range s.Tools {
			list[i] = object{"name": t.name, "description": t.about, "inputSchema": t.input, "annotations": object{"readOnlyHint": t.reads, "destructiveHint": false}}
		}
		result = object{"tools": list}
	case q.Method == "tools/call":
		var err *rpcError
		if result, err = s.call(ctx, q.Params); err != nil {
			return nil, err
		}
	default:
		return nil, refuse(noSuchMethod, "there is no method %q", q.Method)
	}
	if modern {
		result["resultType"] = "complete"
		result["_meta"] = object{"io.modelcontextprotocol/serverInfo": about}
		if q.Method != "tools/call" {
			result["ttlMs"], result["cacheScope"] = 0, "private" // the tools depend on who asks
		}
	}
	return result, nil
}

// call calls a tool. That it failed is a result, so that the assistant reads why.
func (s *Server) call(ctx context.Context, params json.RawMessage) (object, *rpcError) {
	var p struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	}
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, refuse(wrongParams, "the parameters cannot be read")
	}
	i := slices.IndexFunc(s.Tools, func(t Tool) bool { return t.name == p.Name })
	if err := s.Called(ctx, p.Name, i >= 0); err != nil {
		return nil, refuse(internalError, "%s", err)
	}
	if i < 0 {
		return nil, refuse(wrongParams, "unknown tool %q", p.Name)
	}
	if len(p.Arguments) == 0 || string(p.Arguments) == "null" {
		p.Arguments = json.RawMessage("{}")
	}
	data, err := s.Tools[i].run(ctx, p.Arguments)
	if err != nil {
		return object{"content": text(err.Error()), "isError": true}, nil
	}
	written, err := json.Marshal(data)
	if err != nil {
		return nil, refuse(internalError, "the answer of %s cannot be written", p.Name)
	}
	return object{"content": text(string(written)), "structuredContent": json.RawMessage(written)}, nil
}

// run calls the tool with arguments that its schema allows.
func (t Tool) run(ctx context.Context, arguments json.RawMessage) (any, error) {
	var values any
	if err := json.Unmarshal(arguments, &values); err != nil {
		return nil, err
	}
	var found huma.ValidateResult
	huma.Validate(t.schemas, t.input, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, values, &found)
	if len(found.Errors) > 0 {
		return nil, errors.Join(found.Errors...)
	}
	return t.call(ctx, arguments)
}

func text(words string) []object { return []object{{"type": "text", "text": words}} }
