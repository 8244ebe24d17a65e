package operate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"milepost/mapping"
)

// mostListed is how many names an error lists, if none is similar.
const mostListed = 20

// KnowsLocation fails if a location was never connected: then its id is mistyped, most
// likely. Also are ids that count as known.
func (d *Desk) KnowsLocation(ctx context.Context, locationID string, also ...string) error {
	list, err := d.Store.Connections(ctx)
	if err != nil {
		return err
	}
	ids := make([]string, len(list))
	for i, conn := range list {
		ids[i] = conn.LocationID
	}
	all := "these are: " + strings.Join(ids, ", ")
	switch {
	case slices.Contains(ids, locationID), slices.Contains(also, locationID):
		return nil
	case len(ids) == 0:
		return fmt.Errorf("location %s is not connected, and no other is", locationID)
	case len(ids) > mostListed:
		all = fmt.Sprintf("`milepost connections` lists the %d that are", len(ids))
	}
	return fmt.Errorf("location %s is not connected; %s", locationID, mapping.DidYouMean(locationID, ids, all))
}

// KnowsContact reports whether Milepost has a record of a contact.
func (d *Desk) KnowsContact(ctx context.Context, locationID, contactID string) (bool, error) {
	records, err := d.Store.RecordsOf(ctx, locationID, contactID)
	return len(records) > 0, err
}
