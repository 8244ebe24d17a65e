package highlevel

import (
	"cmp"
	"net/http"
	"strings"

	"milepost/internal/sandbox/fakehttp"
)

// LostReason is why opportunities of a location are lost.
type LostReason struct{ ID, Name string }

// SeedLostReason adds a reason to a location and returns it with its id.
func (h *Server) SeedLostReason(locationID string, reason LostReason) LostReason {
	reason.ID = cmp.Or(reason.ID, newID())
	h.seed(locationID, func(l *location) { l.lostReasons = append(l.lostReasons, reason) })
	return reason
}

func (h *Server) listLostReasons(c *call, l *location, values map[string]string) (int, any, *refusal) {
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
