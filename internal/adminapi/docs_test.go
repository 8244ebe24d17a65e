package adminapi_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"milepost/internal/operate"
)

var update = flag.Bool("update", false, "write docs/api.md")

func TestTheDocumentationIsMadeFromTheDocument(t *testing.T) {
	const file = "../../docs/api.md"
	want := page(document(t, handler(t, operate.Config{}, nil)))
	if *update {
		must(t, os.WriteFile(file, []byte(want), 0o644))
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("docs/api.md is not what the OpenAPI document says (%v): run `go test -run Documentation ./internal/adminapi -update`", err)
	}
}

const introduction = `# Admin API

<!-- ` + "`go test -run Documentation ./internal/adminapi -update`" + ` makes this page from internal/adminapi. -->

The admin listener (` + "`MILEPOST_ADMIN_LISTEN`" + `) serves the admin API below ` + "`/api/v1`" + `. It does what the [console](console.md) does, with the same functions. Its
OpenAPI 3.1 document is at ` + "`/api/v1/openapi.json`" + `. It describes every field of every answer, so client generators can use it.

` + "```sh" + `
curl -H "Authorization: Bearer $MILEPOST_ADMIN_TOKEN" http://127.0.0.1:8081/api/v1/overview
` + "```" + `

- **Who**: send ` + "`MILEPOST_ADMIN_TOKEN`" + ` as the bearer token, or a token of a person (` + "`milepost people token NAME --label TEXT`" + `), which may do
  what the person may. The session of somebody who is signed in to the console works too.
  Viewers may only read. Whatever changes something is in the audit log, with who did it.
- **Lists** come in pages of ` + "`limit`" + ` items (50, and 200 at most). Send the ` + "`next`" + ` of an answer as ` + "`cursor`" + ` to read on. An answer without ` + "`next`" + ` is the last page.
- **Personal data** is masked for viewers, as in the console. If they send the header ` + "`Milepost-Show: personal-data`" + `, they see it, and the audit log says so.
- **Errors** are problems as of RFC 9457 (` + "`application/problem+json`" + `). ` + "`detail`" + ` says what to do, and ` + "`errors`" + ` names each place. A parameter or field that an
  endpoint does not know is an error (422). 401: no token, or a wrong one. 403: for operators only. 404: there is no such thing. 409: not in its state
  of now. 502 and 504: HighLevel or CalendarHero did not answer as it should.
- **Times** are in UTC, as of RFC 3339.

In the tables, **bold** is required.
`

// page is docs/api.md.
func page(doc *openapi3.T) string {
	var b strings.Builder
	b.WriteString(introduction)
	var tags []string
	rows := map[string][]string{}
	for _, path := range doc.Paths.InMatchingOrder() {
		item := doc.Paths.Value(path)
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
			if o := item.GetOperation(method); o != nil {
				tag := o.Tags[0]
				if rows[tag] == nil {
					tags = append(tags, tag)
				}
				rows[tag] = append(rows[tag], fmt.Sprintf("| `%s %s` | %s | %s |", method, path, cell(sentence(o)), cell(takes(o))))
			}
		}
	}
	slices.Sort(tags)
	for _, tag := range tags {
		slices.SortFunc(rows[tag], func(a, b string) int { return strings.Compare(byPath(a), byPath(b)) })
		fmt.Fprintf(&b, "\n## %s\n\n| endpoint | what it does | takes |\n|---|---|---|\n%s\n", strings.ToUpper(tag[:1])+tag[1:], strings.Join(rows[tag], "\n"))
	}
	return b.String()
}

// byPath orders the rows by path, and those of a path by method.
func byPath(row string) string {
	method, path, _ := strings.Cut(strings.TrimPrefix(row, "| `"), " ")
	path, _, _ = strings.Cut(path, "`")
	return path + " " + fmt.Sprint(slices.Index([]string{"GET", "POST", "PUT", "DELETE"}, method))
}

func sentence(o *openapi3.Operation) string {
	text := o.Summary + "."
	if o.Description != "" {
		text += " " + o.Description
	}
	return text
}

// takes lists what may be sent, apart from what is the same everywhere.
func takes(o *openapi3.Operation) string {
	var list []string
	add := func(name string, required bool, s *openapi3.Schema, about string) {
		if required {
			name = "**" + name + "**"
		}
		var more []string
		for _, v := range s.Enum {
			more = append(more, fmt.Sprint(v))
		}
		if about == "" {
			about = s.Description
		}
		if text := strings.Join(more, ", "); text != "" || about != "" {
			name += ": " + strings.TrimSpace(strings.Join([]string{text, about}, ". "))
			name = strings.TrimPrefix(strings.ReplaceAll(name, ": . ", ": "), ". ")
		}
		list = append(list, strings.TrimSuffix(strings.TrimSpace(name), "."))
	}
	for _, p := range o.Parameters {
		if v := p.Value; v.In == "query" && v.Name != "cursor" && v.Name != "limit" {
			add(v.Name, v.Required, v.Schema.Value, v.Description)
		}
	}
	if o.RequestBody != nil {
		for kind, media := range o.RequestBody.Value.Content {
			if kind != "application/json" {
				list = append(list, "the body: "+kind)
				continue
			}
			s := media.Schema.Value
			names := make([]string, 0, len(s.Properties))
			for name := range s.Properties {
				names = append(names, name)
			}
			slices.Sort(names)
			for _, name := range names {
				add(name, slices.Contains(s.Required, name), s.Properties[name].Value, "")
			}
		}
	}
	return strings.Join(list, "; ")
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
