package highlevel

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"

	"milepost/internal/sandbox/fakehttp"
)

// Business is a company record of a location, which contacts can be linked to.
type Business struct {
	ID, LocationID         string
	Fields                 map[string]string // by HighLevel's names, such as "name" and "phone"
	DateAdded, DateUpdated time.Time
}

var (
	businessFields    = []string{"name", "phone", "email", "postalCode", "website", "address", "state", "city", "country", "description"}
	businessUpdateDTO = func() dto {
		d := dto{}
		for _, key := range businessFields {
			d[key] = text()
		}
		d["email"] = field{kind: anEmail}
		return d
	}()
	businessCreateDTO = businessUpdateDTO.with(dto{"name": required(aString), "locationId": required(aString)})
)

// SeedBusiness adds a business to a location and returns it with its id.
func (h *Server) SeedBusiness(locationID string, b Business) Business {
	h.mu.Lock()
	defer h.mu.Unlock()
	b.LocationID = locationID
	return *h.insertBusiness(b)
}

// Businesses returns all businesses of a location.
func (h *Server) Businesses(locationID string) (out []Business) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l := h.locations[locationID]; l != nil {
		for _, b := range l.businesses {
			out = append(out, *b)
		}
	}
	return out
}

func (h *Server) insertBusiness(b Business) *Business {
	b.ID = cmp.Or(b.ID, fakehttp.ObjectID())
	b.Fields = maps.Clone(b.Fields)
	b.DateAdded, b.DateUpdated = h.clock(), h.clock()
	if l := h.locations[b.LocationID]; l != nil {
		l.businesses = append(l.businesses, &b)
	}
	h.notice.Changed()
	return &b
}

func (b *Business) answer() map[string]any {
	a := map[string]any{
		"id": b.ID, "locationId": b.LocationID, "createdAt": fakehttp.ISOMillis(b.DateAdded), "updatedAt": fakehttp.ISOMillis(b.DateUpdated),
	}
	for _, key := range businessFields {
		if value := b.Fields[key]; value != "" {
			a[key] = value
		}
	}
	return a
}

// business finds the business that the path names, within the token's reach.
func (h *Server) business(c *call) (*Business, *refusal) {
	id := chi.URLParam(c.r, "businessId")
	for _, l := range h.locations {
		for _, b := range l.businesses {
			if b.ID == id {
				return b, c.tenant(l.ID)
			}
		}
	}
	return nil, refuse(http.StatusBadRequest, "Business with id %s not found", id)
}

func (h *Server) listBusinesses(c *call, l *location, values map[string]string) (int, any, *refusal) {
	businesses := answers(page(l.businesses, values["skip"], values["limit"]), (*Business).answer)
	return http.StatusOK, map[string]any{"businesses": businesses}, nil
}

func (h *Server) getBusiness(c *call, b *Business) (int, any, *refusal) {
	return http.StatusOK, map[string]any{"business": b.answer()}, nil
}

func (c *call) applyBusiness(b *Business) {
	for _, key := range businessFields {
		if value, ok := c.str(key); ok {
			b.Fields[key] = value
		}
	}
}

// createBusiness answers with HighLevel's own spelling.
func (h *Server) createBusiness(c *call, l *location) (int, any, *refusal) {
	b := Business{LocationID: l.ID, Fields: map[string]string{}}
	c.applyBusiness(&b)
	return http.StatusCreated, map[string]any{"success": true, "buiseness": h.insertBusiness(b).answer()}, nil
}

func (h *Server) updateBusiness(c *call, b *Business) (int, any, *refusal) {
	if b.Fields == nil {
		b.Fields = map[string]string{}
	}
	c.applyBusiness(b)
	b.DateUpdated = h.clock()
	h.notice.Changed()
	return http.StatusOK, map[string]any{"success": true, "buiseness": b.answer()}, nil
}

func (h *Server) deleteBusiness(c *call, b *Business) (int, any, *refusal) {
	l := h.locations[b.LocationID]
	l.businesses = slices.DeleteFunc(l.businesses, func(other *Business) bool { return other == b })
	h.notice.Changed()
	return http.StatusOK, map[string]any{"success": true}, nil
}
