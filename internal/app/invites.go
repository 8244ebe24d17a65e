package app

import (
	"context"

	"milepost/mapping"
)

func keys(requests []mapping.Request) []string {
	list := make([]string, len(requests))
	for i, r := range requests {
		list[i] = r.Key
	}
	return list
}

// tellInvites says at the start, and when the automations changed, which open requests an automation would turn to
// somebody else, had a person agreed.
func (a *App) logInvites(ctx context.Context) error {
	requests := a.automations.Set().InvitesOthers()
	if err := a.store.KeepConsents(ctx, keys(requests)); err != nil {
		return err
	}
	held, err := a.store.HeldInvites(ctx, keys(requests), a.clock.Now())
	if err != nil {
		return err
	}
	for _, h := range held {
		a.logger.Warn().Str("location", h.LocationID).Str("item", h.Item).Int("requests", h.Requests).
			Msg("automation no longer invites the account's owner; open requests stay with the owner until you agree (see `milepost invites`)")
	}
	return nil
}
