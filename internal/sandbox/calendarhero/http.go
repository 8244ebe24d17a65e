package calendarhero

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"milepost/internal/sandbox/fakehttp"
)

// A call is one authenticated request to CalendarHero, made with the lock held.
type call struct {
	r     *http.Request
	query url.Values
	body  map[string]json.RawMessage
}

// A boom is an error answer in the form of hapi's Boom.
type boom struct {
	status  int
	message string
	source  string   // "payload" or "query", for invalid input
	keys    []string // what was invalid there
}

func boomf(status int, format string, args ...any) *boom {
	return &boom{status: status, message: fmt.Sprintf(format, args...)}
}

// invalid is what Joi says of input that does not fit.
func invalid(source, key, problem string) *boom {
	return &boom{http.StatusBadRequest, fmt.Sprintf("child %q fails because [%q %s]", key, key, problem), source, []string{key}}
}

type endpoint func(*call) (status int, answer any, no *boom)

// route says what a route takes beside its path; what is not listed is refused.
type route struct {
	query    []string
	body     []string // nil = no body is read
	required []string // of these, for swagger.json; the handler refuses what lacks them
	open     bool     // no token is asked for
}

type operation struct {
	method, pattern string
	takes           route
}

func (c *Server) routes() chi.Router {
	router := chi.NewRouter()
	add := func(method, pattern string, takes route, handle endpoint) {
		name := method + " " + pattern
		c.operations = append(c.operations, operation{method, pattern, takes})
		router.Method(method, pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c.calls.Add(name)
			c.faults.Serve(name, w, r, func(w http.ResponseWriter, status int) {
				writeBoom(w, boomf(status, "%s", fakehttp.FaultMessage(status)))
			}, func(w http.ResponseWriter, r *http.Request) { c.handle(w, r, takes, handle) })
		}))
	}
	add("GET", "/swagger.json", route{open: true}, c.getSwagger)
	add("GET", "/user", route{}, c.getUser)
	add("GET", "/user/org", route{}, c.getOrg)
	add("GET", "/user/savings", route{}, c.getSavings)
	add("GET", "/user/directories", route{}, c.listDirectories)
	add("POST", "/user/directories", route{body: []string{"directory"}, required: []string{"directory"}}, c.createDirectory)
	add("GET", "/user/directories/{uuid}", route{}, c.getDirectory)
	add("PUT", "/user/directories/{uuid}", route{body: []string{"directory"}, required: []string{"directory"}}, c.updateDirectory)
	add("DELETE", "/user/directories/{uuid}", route{}, c.deleteDirectory)
	add("GET", "/provider", route{query: []string{"org"}}, c.listProviders)
	add("GET", "/user/meeting", route{query: []string{"onlyTypes"}}, c.getMeetingTypes)
	add("DELETE", "/user/meeting/{type}", route{}, c.deleteMeetingType)
	add("GET", "/contact", route{query: []string{"search", "filter", "all", "includeTeams"}}, c.findContacts)
	add("POST", "/contact", route{body: contactKeys, required: []string{"email"}}, c.createContact)
	add("GET", "/contact/count", route{}, c.countContacts)
	add("GET", "/contact/{id}", route{query: []string{"basic"}}, c.getContact)
	add("PUT", "/contact/{id}", route{body: append(slices.Clone(contactKeys), "providerId", "userId"), required: []string{"email"}}, c.updateContact)
	add("DELETE", "/contact/{id}", route{}, c.deleteContact)
	add("POST", "/meeting/tasks", route{body: requestKeys, required: []string{"subject", "dateStart", "dateEnd"}}, c.createRequest)
	add("GET", "/meeting/tasks", route{query: []string{"state", "skip", "take", "type", "tally"}}, c.listRequests)
	add("DELETE", "/meeting/tasks/{id}", route{}, c.deleteRequest)
	add("PUT", "/meeting/tasks/{id}/remind", route{}, c.remindRequest)
	add("GET", "/meeting", route{query: []string{"start", "end"}, required: []string{"start", "end"}}, c.listMeetings)
	add("GET", "/meeting/categories", route{}, c.countMeetings)
	add("POST", "/webhook/{event}", route{body: []string{"hookUrl"}, required: []string{"hookUrl"}}, c.putHook)
	add("GET", "/webhook/{event}", route{}, c.getHook)
	add("DELETE", "/webhook/{event}", route{}, c.deleteHook)
	add("GET", "/webhook/{event}/sample", route{}, c.sampleHook)

	unknown := func(w http.ResponseWriter, r *http.Request) {
		c.calls.Add(fakehttp.UnknownRoute)
		c.faults.Serve(fakehttp.UnknownRoute, w, r, func(w http.ResponseWriter, status int) {
			writeBoom(w, boomf(status, "%s", fakehttp.FaultMessage(status)))
		}, func(w http.ResponseWriter, r *http.Request) { writeBoom(w, boomf(http.StatusNotFound, "Not Found")) })
	}
	router.NotFound(unknown)
	router.MethodNotAllowed(unknown)
	return router
}

// authenticate takes the bare token and a bearer's.
func (c *Server) authenticate(r *http.Request) *boom {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case token == "":
		return boomf(http.StatusUnauthorized, "Missing authentication")
	case c.config.Token == "" || token != c.config.Token:
		return boomf(http.StatusUnauthorized, "Invalid token")
	}
	return nil
}

// handle checks token, query keys and body keys, in this order.
func (c *Server) handle(w http.ResponseWriter, r *http.Request, takes route, handle endpoint) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, fakehttp.BodyLimit))
	if err != nil {
		writeBoom(w, boomf(http.StatusRequestEntityTooLarge, "Payload content length greater than maximum allowed: %d", fakehttp.BodyLimit))
		return
	}
	status, answer, no := func() (int, any, *boom) {
		if no := c.authenticate(r); no != nil && !takes.open {
			return 0, nil, no
		}
		call := &call{r: r, query: r.URL.Query(), body: map[string]json.RawMessage{}}
		for key := range call.query {
			if !slices.Contains(takes.query, key) {
				return 0, nil, invalid("query", key, "is not allowed")
			}
		}
		if takes.body != nil {
			if len(raw) > 0 {
				if err := json.Unmarshal(raw, &call.body); err != nil || call.body == nil {
					return 0, nil, boomf(http.StatusBadRequest, "Invalid request payload JSON format")
				}
			}
			for key := range call.body {
				if !slices.Contains(takes.body, key) {
					return 0, nil, invalid("payload", key, "is not allowed")
				}
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.settle()
		return handle(call)
	}()
	if no != nil {
		writeBoom(w, no)
		return
	}
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return
	}
	fakehttp.WriteJSON(w, status, answer)
}

// id is the path's id; one that is not 24 hex digits is refused.
func (call *call) id() (string, *boom) {
	id := chi.URLParam(call.r, "id")
	if !isObjectID(id) {
		return "", invalid("params", "id", "with value \""+id+"\" fails to match the required pattern: /^[0-9a-f]{24}$/")
	}
	return id, nil
}

func isObjectID(s string) bool {
	return len(s) == 24 && strings.Trim(s, "0123456789abcdef") == ""
}

// text decodes a string of the body; "" when it is absent.
func (call *call) text(key string) (string, *boom) {
	raw, ok := call.body[key]
	if !ok {
		return "", nil
	}
	var s string
	if json.Unmarshal(raw, &s) != nil || string(raw) == "null" {
		return "", invalid("payload", key, "must be a string")
	}
	return s, nil
}

// texts decodes a list of strings of the body; nil when it is absent.
func (call *call) texts(key string) ([]string, *boom) {
	raw, ok := call.body[key]
	if !ok {
		return nil, nil
	}
	var list []string
	if json.Unmarshal(raw, &list) != nil || string(raw) == "null" {
		return nil, invalid("payload", key, "must be an array of strings")
	}
	return list, nil
}

func writeBoom(w http.ResponseWriter, no *boom) {
	text := http.StatusText(no.status)
	if text == "" {
		text = "Unknown"
	}
	body := map[string]any{"statusCode": no.status, "error": text, "message": no.message}
	if no.source != "" {
		body["validation"] = map[string]any{"source": no.source, "keys": no.keys}
	}
	fakehttp.WriteJSON(w, no.status, body)
}
