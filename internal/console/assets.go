package console

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"milepost/internal/operate"
)

// asset is a static file. Its name holds a digest of its content, so browsers keep
// it for good.
type asset struct {
	kind    string
	content []byte
}

var assets, assetURLs = readAssets()

func readAssets() (map[string]asset, map[string]string) {
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	byName, urls := map[string]asset{}, map[string]string{}
	entries, err := fs.ReadDir(files, "static")
	if err != nil {
		panic(err) // embedded
	}
	for _, entry := range entries {
		content, err := files.ReadFile("static/" + entry.Name())
		if err != nil {
			panic(err) // embedded
		}
		sum, ext := sha256.Sum256(content), path.Ext(entry.Name())
		name := strings.TrimSuffix(entry.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext
		byName[name] = asset{kinds[ext], content}
		urls[entry.Name()] = staticPath + name
	}
	return byName, urls
}

func serveAsset(w http.ResponseWriter, r *http.Request) {
	a, ok := assets[chi.URLParam(r, "name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(a.content) // the client is gone if this fails
}

// functions are what templates call.
var functions = template.FuncMap{
	"asset": func(name string) (string, error) {
		if u, ok := assetURLs[name]; ok {
			return u, nil
		}
		return "", fmt.Errorf("there is no static file %s", name)
	},
	"stamp":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"utc":    func(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04:05 UTC") },
	"add":    func(a, b int) int { return a + b },
	"plural": plural, "thousands": thousands, "took": took, "indented": indented,
	"outcome": operate.OutcomeName, "happening": operate.Happening, "tone": outcomeTone, "kind": kindName, "job": jobName, "contactpath": contactPath, "item": itemName, "linkstate": linkState,
	"connectionpath": connectionPath, "calendarheroapi": func() string { return "https://app.calendarhero.com/settings/user#API" },
	"ticked": ticked, "vendor": vendorName, "catalogpath": catalogPath, "recipepath": recipePath, "automationpath": automationPath, "trigger": triggerInWords, "dict": dict, "int64": func(n int) int64 { return int64(n) },
}

// dict are named values for a template that needs several.
func dict(pairs ...any) (map[string]any, error) {
	out := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("%v is no name", pairs[i])
		}
		out[name] = pairs[i+1]
	}
	return out, nil
}

// ticked shows what stands between backticks as a command.
func ticked(text string) template.HTML {
	parts := strings.Split(text, "`")
	for i, part := range parts {
		parts[i] = template.HTMLEscapeString(part)
		if i%2 == 1 {
			parts[i] = "<code>" + parts[i] + "</code>"
		}
	}
	return template.HTML(strings.Join(parts, "")) //nolint:gosec // each part is escaped
}

// indented is a JSON text for people; another text stays as it is.
func indented(text string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(text), "", "  ") != nil {
		return text
	}
	return b.String()
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + many
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int64) string {
	if n < 0 {
		return "-" + thousands(-n)
	}
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
