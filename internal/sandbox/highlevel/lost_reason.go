package highlevel

import (
	"net/http"
	"strings"

	"milepost/internal/sandbox/fakehttp"
)

// LostReason is why opportunities of a location are lost.
type LostReason struct{ ID, Name string }

// SeedLostReason adds a reason to a location and returns it with its id.
func (h *Server) SeedLostReason(locationID string, reason LostReason) LostReason {
	h.mu.Lock()
	defer h.mu.Unlock()
	if reason.ID == "" {
		reason.ID = newID()
	}
	if l := h.locations[locationID]; l != nil {
		l.lostReasons = append(l.lostReasons, reason)
	}
	return reason
}

func (h *Server) listLostReasons(c *call) (int, any, *refusal) {
	l, values, no := h.queryLocation(c, "name", "deleted", "query", "skip", "limit", "getCount")
	if no != nil {
		return 0, nil, no
	}
	at := fakehttp.ISOMillis(h.clock())
	found := []any{}
	for _, reason := range l.lostReasons {
		if values["name"] != "" && values["name"] != reason.Name || !strings.Contains(strings.ToLower(reason.Name), strings.ToLower(values["query"])) {
			continue
		}
		found = append(found, map[string]any{"id": reason.ID, "name": reason.Name, "locationId": l.ID, "createdAt": at, "updatedAt": at})
	}
	return http.StatusOK, map[string]any{"lostReasons": page(found, values["skip"], values["limit"]), "total": len(found)}, nil
}
