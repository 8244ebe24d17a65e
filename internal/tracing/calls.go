package tracing

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/rs/zerolog"
)

// Transport makes a span of each request to a vendor, named as its operation, and at debug
// level a log line with the form of its bodies. A request whose vendor is "" is none of them.
func (t *Tracer) Transport(next http.RoundTripper, operation func(*http.Request) (vendor, name string), logger zerolog.Logger) http.RoundTripper {
	logged := logger.GetLevel() <= zerolog.DebugLevel
	if t == nil && !logged {
		return next
	}
	return roundTripper(func(r *http.Request) (res *http.Response, err error) {
		vendor, name := operation(r)
		if vendor == "" {
			return next.RoundTrip(r)
		}
		if t != nil {
			ctx, span := t.start(r.Context(), name, clientKind,
				text("milepost.vendor", vendor), text("http.request.method", r.Method), text("server.address", r.URL.Hostname()), text("url.path", r.URL.Path))
			r = r.WithContext(ctx)
			defer func() {
				if err == nil {
					span.set(number("http.response.status_code", int64(res.StatusCode)))
				}
				if err != nil || res.StatusCode >= 400 {
					span.failed()
				}
				span.end()
			}()
		}
		if !logged {
			return next.RoundTrip(r)
		}
		return logCall(next, r, vendor, name, logger)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// mostShown is the longest body that is looked at, in bytes.
const mostShown = 64 << 10

// logCall sends a request, and logs the form of what was asked and answered.
func logCall(next http.RoundTripper, r *http.Request, vendor, name string, logger zerolog.Logger) (*http.Response, error) {
	r = r.WithContext(r.Context()) // a copy, whose body may be another
	start, line := time.Now(), Log(r.Context(), logger).Debug().Str("vendor", vendor).Str("operation", name).Str("method", r.Method).Str("path", r.URL.Path)
	if r.Body != nil {
		first := peek(&r.Body)
		line.Str("request", form(first))
	}
	res, err := next.RoundTrip(r)
	if err == nil {
		line.Int("status", res.StatusCode).Str("answer", form(peek(&res.Body)))
	}
	line.Bool("answered", err == nil).Dur("took", time.Since(start)).Msg("vendor called")
	return res, err
}

// peek returns the beginning of a body, which can still be read whole.
func peek(body *io.ReadCloser) []byte {
	first, err := io.ReadAll(io.LimitReader(*body, mostShown+1))
	rest := io.Reader(*body)
	if err != nil {
		rest = failing{err}
	}
	*body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(first), rest), *body}
	return first
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// form says what a body looks like: the names of its fields and the types of their values,
// and no value. Of a list it says what the first element looks like, and how many there are.
func form(body []byte) string {
	var v any
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return ""
	case len(body) > mostShown:
		return fmt.Sprintf("longer than %d bytes", mostShown)
	case json.Unmarshal(body, &v) != nil:
		return fmt.Sprintf("%d bytes that are not JSON", len(body))
	}
	text, _ := json.Marshal(shape(v)) // of plain values
	return string(text)
}

func shape(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, value := range v {
			if len(name) > 40 || strings.ContainsFunc(name, unlikeAName) || !strings.ContainsFunc(name, unicode.IsLetter) {
				name = "(a name)" // it may be somebody's address or number
			}
			out[name] = shape(value)
		}
		return out
	case []any:
		if len(v) == 0 {
			return []any{}
		}
		return []any{shape(v[0]), fmt.Sprintf("%d in all", len(v))}
	case string:
		return "text"
	case float64:
		return "number"
	case bool:
		return "true or false"
	}
	return v // null
}

func unlikeAName(r rune) bool {
	return r != '_' && r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}
