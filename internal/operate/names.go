package operate

import (
	"cmp"
	"context"

	"milepost/internal/store"
)

// ContactsOf tells whose records deliveries are about, one for each. A contact that no
// sync has read has only its ids; one that is not known has none.
func (d *Desk) ContactsOf(ctx context.Context, list []store.Delivery) ([]store.Contact, error) {
	type key struct{ location, id string }
	records, cards := map[store.Entity]string{}, map[key]store.Contact{}
	out := make([]store.Contact, len(list))
	for i, delivery := range list {
		e := delivery.Entity
		id, asked := records[e]
		switch {
		case e.Kind == "contact":
			id = e.ID
		case !asked && e.ID != "":
			state, err := d.Store.EntityState(ctx, e)
			if err != nil {
				return nil, err
			}
			id = state.ContactID
			records[e] = id
		}
		id = cmp.Or(id, delivery.ContactID)
		if id == "" {
			continue
		}
		card, asked := cards[key{e.LocationID, id}]
		if !asked {
			known, ok, err := d.Store.ContactOf(ctx, e.LocationID, id)
			if err != nil {
				return nil, err
			}
			if card = known; !ok {
				card = store.Contact{LocationID: e.LocationID, ID: id}
			}
			cards[key{e.LocationID, id}] = card
		}
		out[i] = card
	}
	return out, nil
}
