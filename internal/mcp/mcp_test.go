package mcp_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"milepost/internal/mcp"
)

type greeting struct {
	Name  string `json:"name" doc:"Whom to greet."`
	Times int    `json:"times,omitempty"`
}

// setup returns a server with two tools, and notes its calls.
func setup() (server *mcp.Server, called *[]string) {
	called = &[]string{}
	return &mcp.Server{Name: "test", Version: "1", Instructions: "Be kind.", Tools: []mcp.Tool{
		mcp.NewTool("greet", "Says hello.", true, func(_ context.Context, in greeting) (any, error) {
			if in.Name == "nobody" {
				return nil, errors.New("nobody is there")
			}
			return map[string]any{"said": strings.Repeat("hello "+in.Name, max(1, in.Times))}, nil
		}),
		mcp.NewTool("list", "Lists all.", true, func(context.Context, struct{}) (any, error) { return map[string]any{"all": true}, nil }),
	}, Called: func(_ context.Context, name string, exists bool) error {
		if name == "forbidden" {
			return errors.New("the audit log is full")
		}
		*called = append(*called, name)
		return nil
	}}, called
}

// TestEachVersionOfTheProtocol lets the official SDK's client talk to the server, in the
// newest version that it knows and in the oldest.
func TestEachVersionOfTheProtocol(t *testing.T) {
	for _, version := range []string{"", "2025-11-25", "2025-03-26", "2024-11-05"} {
		t.Run(version, func(t *testing.T) {
			s, called := setup()
			server := httptest.NewServer(s)
			defer server.Close()
			client := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil)
			session, err := client.Connect(t.Context(), &sdk.StreamableClientTransport{Endpoint: server.URL, DisableStandaloneSSE: true, MaxRetries: -1}, &sdk.ClientSessionOptions{ProtocolVersion: version})
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			about := session.InitializeResult()
			if version != "" && about.ProtocolVersion != version || about.Instructions != "Be kind." {
				t.Errorf("the server says %+v", about)
			}
			tools, err := session.ListTools(t.Context(), nil)
			if err != nil || len(tools.Tools) != 2 || tools.Tools[0].Description != "Says hello." || !tools.Tools[0].Annotations.ReadOnlyHint {
				t.Fatalf("the tools are %+v (%v)", tools, err)
			}
			schema, _ := json.Marshal(tools.Tools[0].InputSchema)
			for _, want := range []string{`"description":"Whom to greet."`, `"required":["name"]`, `"additionalProperties":false`, `"type":"object"`} {
				if !strings.Contains(string(schema), want) {
					t.Errorf("the schema has no %s: %s", want, schema)
				}
			}
			for arguments, want := range map[string]string{
				`{"name":"Ann"}`:             `{"said":"hello Ann"}`,
				`{"name":"Ann","times":"x"}`: "times",
				`{"name":"Ann","more":1}`:    "more",
				`{}`:                         "name",
				`{"name":"nobody"}`:          "nobody is there",
			} {
				result, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "greet", Arguments: json.RawMessage(arguments)})
				if err != nil {
					t.Fatal(arguments, err)
				}
				got := result.Content[0].(*sdk.TextContent).Text
				if !strings.Contains(got, want) || result.IsError != (want[0] != '{') {
					t.Errorf("%s: the answer is %q (an error: %t)", arguments, got, result.IsError)
				}
			}
			if _, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "shout"}); err == nil || !strings.Contains(err.Error(), "unknown tool") {
				t.Errorf("an unknown tool: %v", err)
			}
			if _, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "forbidden"}); err == nil || !strings.Contains(err.Error(), "audit log") {
				t.Errorf("a call that cannot be noted: %v", err)
			}
			if len(*called) != 6 {
				t.Errorf("%d calls were noted: %v", len(*called), *called)
			}
		})
	}
}

func TestRequestsOnTheWire(t *testing.T) {
	const modern = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}`
	headers := func(pairs ...string) http.Header {
		h := http.Header{"Content-Type": {"application/json"}}
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	newest := headers("Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/list")
	for name, test := range map[string]struct {
		header http.Header
		body   string
		status int
		want   string
	}{
		"a handshake that asks too much": {headers(), `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2099-01-01"}}`, 200, `"protocolVersion":"2025-11-25"`},
		"a ping":                         {headers(), `{"jsonrpc":"2.0","id":"a","method":"ping"}`, 200, `{"jsonrpc":"2.0","id":"a","result":{}}`},
		"a notification":                 {headers(), `{"jsonrpc":"2.0","method":"notifications/initialized"}`, 202, ""},
		"a list":                         {headers(), `[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]`, 200, `[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"result":{}}]`},
		"a list where there is none":     {headers("Mcp-Protocol-Version", "2025-06-18"), `[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, 400, "JSON-RPC"},
		"an empty list":                  {headers(), `[]`, 400, "JSON-RPC"},
		"an id of null":                  {headers(), `{"jsonrpc":"2.0","id":null,"method":"ping"}`, 400, "JSON-RPC"},
		"an id that is an object":        {headers(), `{"jsonrpc":"2.0","id":{},"method":"ping"}`, 400, "JSON-RPC"},
		"no version of JSON-RPC":         {headers(), `{"id":1,"method":"ping"}`, 400, "JSON-RPC"},
		"an answer":                      {headers(), `{"jsonrpc":"2.0","id":1,"result":{}}`, 400, "JSON-RPC"},
		"a negative id":                  {headers(), `{"jsonrpc":"2.0","id":-1,"method":"ping"}`, 200, `"id":-1`},
		"arguments of null":              {headers(), `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list","arguments":null}}`, 200, `"structuredContent":{"all":true}`},
		"an unknown method":              {headers(), `{"jsonrpc":"2.0","id":1,"method":"resources/list"}`, 200, "-32601"},
		"not JSON":                       {headers(), `{`, 400, "JSON-RPC"},
		"another type":                   {http.Header{"Content-Type": {"text/plain"}}, `{}`, 415, "application/json"},
		"an old version":                 {headers("Mcp-Protocol-Version", "2020-01-01"), `{}`, 400, "not supported"},
		"too large":                      {headers(), strings.Repeat(" ", 1<<20) + `{}`, 413, "too large"},
		"without a handshake":            {newest, `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{` + modern + `}}`, 200, `"resultType":"complete"`},
		"no version in the body":         {newest, `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}`, 400, "-32602"},
		"no version in the header":       {headers(), `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{` + modern + `}}`, 400, "-32020"},
		"another method in the header":   {newest, `{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{` + modern + `}}`, 400, "-32020"},
		"another tool in the header": {
			headers("Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/call", "Mcp-Name", "shout"),
			`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"greet",` + modern + `}}`, 400, "-32020",
		},
		"a version to come": {
			headers("Mcp-Protocol-Version", "2099-01-01", "Mcp-Method", "tools/list"),
			`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2099-01-01"}}}`, 400, `"supported":["2026-07-28"`,
		},
		"a method that went": {headers("Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "ping"), `{"jsonrpc":"2.0","id":1,"method":"ping","params":{` + modern + `}}`, 404, "-32601"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := setup()
			r := httptest.NewRequest(http.MethodPost, "/mcp", strings.NewReader(test.body))
			r.Header = test.header
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.want) {
				t.Errorf("the answer is %d: %s", w.Code, w.Body)
			}
		})
	}
	s, _ := setup()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/mcp", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET is answered %d", w.Code)
	}
}
