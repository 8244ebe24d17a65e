package connection

import (
	"context"
	"errors"

	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
)

// Rejected means that tokens were tried at the vendors, and do not work.
type Rejected struct{ Err error }

func (r *Rejected) Error() string { return r.Err.Error() }

// Unwrap returns what the vendors said.
func (r *Rejected) Unwrap() error { return r.Err }

// Try calls both vendors with tokens that are not stored; "" is not tried. It returns
// the name of the location, if HighLevel told it, and *Rejected if a token does not work.
func (r *Registry) Try(ctx context.Context, locationID, highLevelToken, calendarHeroToken string) (name string, err error) {
	var failed []error
	if highLevelToken != "" {
		cfg := r.HighLevel
		cfg.Tokens = highlevel.StaticTokens(highLevelToken)
		location, err := highlevel.New(cfg).Location(ctx, locationID)
		if name = location.Name; err != nil {
			failed = append(failed, err)
		}
	}
	if calendarHeroToken != "" {
		cfg := r.CalendarHero
		cfg.Token = calendarHeroToken
		if _, err := calendarhero.New(cfg).User(ctx); err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 {
		return "", &Rejected{errors.Join(failed...)}
	}
	return name, nil
}
