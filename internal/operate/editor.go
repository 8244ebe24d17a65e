package operate

import (
	"context"
	"fmt"

	"milepost/internal/automation"
)

// Create saves a text as a new automation, as a draft or live, and returns its id.
func (d *Desk) Create(ctx context.Context, who, text, why string, draft bool) (id string, err error) {
	made, err := d.Automations.Create(ctx, text, draft, automation.By{Who: who, Why: why})
	if err != nil {
		return "", err
	}
	return made.ID, d.changed(ctx, who, "created", nil, made)
}

// Copy saves a copy of an automation as a new draft, and returns its id.
func (d *Desk) Copy(ctx context.Context, who, id string) (copied string, err error) {
	made, err := d.Automations.Copy(ctx, id, automation.By{Who: who})
	if err != nil {
		return "", err
	}
	return made.ID, d.note(ctx, who, "copied", fmt.Sprintf("the automation %s to the draft %s", id, made.ID))
}

// Left counts the things that exist because of an automation.
func (d *Desk) Left(ctx context.Context, id string) (int64, error) {
	return d.Store.ItemsLeft(ctx, id)
}

// PreviewAutomation says what an automation, or with draft its draft, would do with a
// record now. It reads the record from HighLevel, and sends nothing.
func (d *Desk) PreviewAutomation(ctx context.Context, id string, draft bool, t automation.Target) (*automation.Preview, error) {
	return d.Automations.Preview(ctx, d.Rehearsals, id, draft, t)
}
