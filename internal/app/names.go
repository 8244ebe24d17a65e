package app

import (
	"context"

	"milepost/internal/automation"
	"milepost/internal/store"
)

// warnOfNames logs, once at the start, what in the automations fails whenever they run,
// and the names that a connected location does not have. It stops nothing.
func (a *App) warnOfNames(ctx context.Context) {
	named := a.automations.Named()
	for _, m := range named.Doubts() {
		a.logger.Warn().Str("file", m.File).Int("line", m.Line).Str("field", m.Field).Msg(m.Message)
	}
	if len(named.Sets) == 0 {
		return
	}
	list, err := a.store.Connections(ctx)
	if err != nil {
		a.logger.Warn().Err(err).Msg("could not check the names in the automations")
		return
	}
	for _, c := range list {
		if c.State != store.ConnectionActive {
			continue
		}
		conn, err := a.connections.Lookup(ctx, c.LocationID)
		if err != nil || ctx.Err() != nil {
			continue // it is said already that it is not served
		}
		found, unread := automation.UnknownNames(ctx, named, conn.HighLevel, conn.CalendarHero, c.LocationID)
		for _, m := range found {
			a.logger.Warn().Str("location", c.LocationID).Str("file", m.File).Int("line", m.Line).Str("field", m.Field).Msg(m.Message)
		}
		for _, err := range unread {
			if ctx.Err() == nil {
				a.logger.Warn().Str("location", c.LocationID).Msg(err.Error())
			}
		}
	}
}
