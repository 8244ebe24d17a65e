package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
)

// A heroCall is one authenticated request to CalendarHero, made with the lock held.
type heroCall struct {
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

type heroEndpoint func(*heroCall) (status int, answer any, no *boom)

// heroRoute says what a route takes beside its path; what is not listed is refused.
type heroRoute struct {
	query    []string
	body     []string // nil = no body is read
	required []string // of these, for swagger.json; the handler refuses what lacks them
	open     bool     // no token is asked for
}

type heroOperation struct {
	method, pattern string
	takes           heroRoute
}

func (c *CalendarHero) routes() chi.Router {
	router := chi.NewRouter()
	add := func(method, pattern string, takes heroRoute, handle heroEndpoint) {
		operation := method + " " + pattern
		c.operations = append(c.operations, heroOperation{method, pattern, takes})
		router.Method(method, pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c.calls.add(operation)
			c.faults.serve(operation, w, r, func(w http.ResponseWriter, status int) {
				writeBoom(w, boomf(status, "%s", faultMessage(status)))
			}, func(w http.ResponseWriter, r *http.Request) { c.handle(w, r, takes, handle) })
		}))
	}
	add("GET", "/swagger.json", heroRoute{open: true}, c.getSwagger)
	add("GET", "/user", heroRoute{}, c.getUser)
	add("GET", "/user/org", heroRoute{}, c.getOrg)
	add("GET", "/user/savings", heroRoute{}, c.getSavings)
	add("GET", "/user/directories", heroRoute{}, c.listDirectories)
	add("POST", "/user/directories", heroRoute{body: []string{"directory"}, required: []string{"directory"}}, c.createDirectory)
	add("GET", "/user/directories/{uuid}", heroRoute{}, c.getDirectory)
	add("PUT", "/user/directories/{uuid}", heroRoute{body: []string{"directory"}, required: []string{"directory"}}, c.updateDirectory)
	add("DELETE", "/user/directories/{uuid}", heroRoute{}, c.deleteDirectory)
	add("GET", "/provider", heroRoute{query: []string{"org"}}, c.listProviders)
	add("GET", "/user/meeting", heroRoute{query: []string{"onlyTypes"}}, c.getMeetingTypes)
	add("DELETE", "/user/meeting/{type}", heroRoute{}, c.deleteMeetingType)
	add("GET", "/contact", heroRoute{query: []string{"search", "filter", "all", "includeTeams"}}, c.findContacts)
	add("POST", "/contact", heroRoute{body: contactKeys, required: []string{"email"}}, c.createContact)
	add("GET", "/contact/count", heroRoute{}, c.countContacts)
	add("GET", "/contact/{id}", heroRoute{query: []string{"basic"}}, c.getContact)
	add("PUT", "/contact/{id}", heroRoute{body: append(slices.Clone(contactKeys), "providerId", "userId"), required: []string{"email"}}, c.updateContact)
	add("DELETE", "/contact/{id}", heroRoute{}, c.deleteContact)
	add("POST", "/meeting/tasks", heroRoute{body: requestKeys, required: []string{"subject", "dateStart", "dateEnd"}}, c.createRequest)
	add("GET", "/meeting/tasks", heroRoute{query: []string{"state", "skip", "take", "type", "tally"}}, c.listRequests)
	add("DELETE", "/meeting/tasks/{id}", heroRoute{}, c.deleteRequest)
	add("PUT", "/meeting/tasks/{id}/remind", heroRoute{}, c.remindRequest)
	add("GET", "/meeting", heroRoute{query: []string{"start", "end"}, required: []string{"start", "end"}}, c.listMeetings)
	add("GET", "/meeting/categories", heroRoute{}, c.countMeetings)
	add("POST", "/webhook/{event}", heroRoute{body: []string{"hookUrl"}, required: []string{"hookUrl"}}, c.putHook)
	add("GET", "/webhook/{event}", heroRoute{}, c.getHook)
	add("DELETE", "/webhook/{event}", heroRoute{}, c.deleteHook)
	add("GET", "/webhook/{event}/sample", heroRoute{}, c.sampleHook)

	unknown := func(w http.ResponseWriter, r *http.Request) {
		c.calls.add(unknownRoute)
		c.faults.serve(unknownRoute, w, r, func(w http.ResponseWriter, status int) {
			writeBoom(w, boomf(status, "%s", faultMessage(status)))
		}, func(w http.ResponseWriter, r *http.Request) { writeBoom(w, boomf(http.StatusNotFound, "Not Found")) })
	}
	router.NotFound(unknown)
	router.MethodNotAllowed(unknown)
	return router
}

// authenticate takes the bare token and a bearer's.
func (c *CalendarHero) authenticate(r *http.Request) *boom {
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
func (c *CalendarHero) handle(w http.ResponseWriter, r *http.Request, takes heroRoute, handle heroEndpoint) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	if err != nil {
		writeBoom(w, boomf(http.StatusRequestEntityTooLarge, "Payload content length greater than maximum allowed: %d", bodyLimit))
		return
	}
	status, answer, no := func() (int, any, *boom) {
		if no := c.authenticate(r); no != nil && !takes.open {
			return 0, nil, no
		}
		call := &heroCall{r: r, query: r.URL.Query(), body: map[string]json.RawMessage{}}
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
	writeJSON(w, status, answer)
}

// id is the path's id; one that is not 24 hex digits is refused.
func (call *heroCall) id() (string, *boom) {
	id := chi.URLParam(call.r, "id")
	if !isObjectID(id) {
		return "", invalid("params", "id", "with value \""+id+"\" fails to match the required pattern: /^[0-9a-f]{24}$/")
	}
	return id, nil
}

// text decodes a string of the body; "" when it is absent.
func (call *heroCall) text(key string) (string, *boom) {
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
func (call *heroCall) texts(key string) ([]string, *boom) {
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
	writeJSON(w, no.status, body)
}
