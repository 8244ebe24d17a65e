package highlevel

import (
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"
)

// Records of every kind are found, shown and changed in the same ways: by a call
// that names one, and by a method of Server. What these share is here.

// owned is a record that belongs to a location and to a contact.
type owned interface {
	owner() (locationID, contactID string)
}

// of makes an endpoint that answers for what find finds.
func of[R any](find func(*call) (R, *refusal), answer func(*call, R) (int, any, *refusal)) endpoint {
	return func(c *call) (int, any, *refusal) {
		r, no := find(c)
		if no != nil {
			return 0, nil, no
		}
		return answer(c, r)
	}
}

// ofBoth is of where two things are found, such as a list and a place in it.
func ofBoth[A, B any](find func(*call) (A, B, *refusal), answer func(*call, A, B) (int, any, *refusal)) endpoint {
	return func(c *call) (int, any, *refusal) {
		a, b, no := find(c)
		if no != nil {
			return 0, nil, no
		}
		return answer(c, a, b)
	}
}

// find finds the record whose id the path has at key, within the token's reach.
func find[R owned](c *call, records map[string]R, key, kind string) (R, *refusal) {
	id := chi.URLParam(c.r, key)
	r, ok := records[id]
	if !ok {
		return r, refuse(http.StatusBadRequest, "%s with id %s not found", kind, id)
	}
	locationID, _ := r.owner()
	return r, c.tenant(locationID)
}

// findOf finds such a record of the contact that the path names before it.
func findOf[R owned](h *Server, c *call, records map[string]R, key, kind string) (r R, no *refusal) {
	contact, no := h.contact(c)
	if no != nil {
		return r, no
	}
	id := chi.URLParam(c.r, key)
	if found, ok := records[id]; ok {
		if _, contactID := found.owner(); contactID == contact.ID {
			return found, nil
		}
	}
	return r, refuse(h.config.UnknownChildStatus, "%s with id %s not found", kind, id)
}

// answers shows the members of a list.
func answers[R any](list []R, answer func(R) map[string]any) []any {
	out := make([]any, len(list))
	for i, r := range list {
		out[i] = answer(r)
	}
	return out
}

// get returns a record as value shows it, and whether it exists.
func get[R, V any](h *Server, records map[string]R, id string, value func(R) V) (v V, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, ok := records[id]
	if ok {
		v = value(r)
	}
	return v, ok
}

// value is a record that keeps nothing besides what it shows.
func value[T any](r *T) T { return *r }

// with calls do with the record that has the id.
func with[R any](h *Server, what, kind string, records map[string]R, id string, do func(R) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, ok := records[id]
	if !ok {
		return fmt.Errorf("%s %s: no %s %q", what, kind, kind, id)
	}
	if err := do(r); err != nil {
		return fmt.Errorf("%s %s: %w", what, kind, err)
	}
	return nil
}

// edit lets change edit the value of the record that has the id, and replaces it.
func edit[R, V any](h *Server, what, kind string, records map[string]R, id string, value func(R) V, change func(*V), replace func(R, V)) error {
	return with(h, what, kind, records, id, func(r R) error {
		updated := value(r)
		change(&updated)
		replace(r, updated)
		return nil
	})
}

// remove removes the record that has the id.
func remove[R any](h *Server, what, kind string, records map[string]R, id string, do func(R)) error {
	return with(h, what, kind, records, id, func(r R) error {
		do(r)
		return nil
	})
}

// seed lets add add something to a location, if it exists.
func (h *Server) seed(locationID string, add func(*location)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l := h.locations[locationID]; l != nil {
		add(l)
	}
}
