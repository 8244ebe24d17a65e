package operate

import (
	"context"
	"fmt"

	"milepost/internal/store"
)

// Considered says what one automation made of the record of a delivery.
type Considered struct {
	store.Considered
	Name   string // of the automation; its id if it is not known any more
	Result string // in words
	Tone   string // good if it applied, calm if it did not
}

// readConsidered reads what the automations made of a delivery's record in the sync that
// answered it.
func (d *Desk) readConsidered(ctx context.Context, out *Delivery) error {
	sync, ok, err := d.Store.SyncOf(ctx, out.Entity, out.Wanted)
	if err != nil || !ok {
		return err
	}
	out.MoreConsidered = sync.More
	out.add(sync.Made)
	for _, c := range sync.Considered {
		row := Considered{Considered: c, Name: d.automationName(ctx, c.Automation), Tone: "calm"}
		switch {
		case c.Left:
			row.Result = c.Reason
		case c.Wants > 0 && c.Reason != "":
			row.Tone, row.Result = "good", fmt.Sprintf("Applied, and asked for %d items. For another one, %s", c.Wants, c.Reason)
		case c.Wants == 1:
			row.Tone, row.Result = "good", "Applied, and asked for 1 item"
		case c.Wants > 1:
			row.Tone, row.Result = "good", fmt.Sprintf("Applied, and asked for %d items", c.Wants)
		case c.Condition != "":
			row.Result = "Did not apply: the condition was not met"
		case c.Reason != "":
			row.Result = "Did not apply: " + c.Reason
		default:
			row.Result = "Did not apply: it asks for nothing"
		}
		out.Considered = append(out.Considered, row)
	}
	return nil
}
