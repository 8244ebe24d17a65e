package connection

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"milepost/internal/secret"
	"milepost/internal/store"
)

// Account is a CalendarHero account and the locations that use it.
type Account struct {
	ID        string   // as Connection.Account
	Locations []string // sorted; at least one
}

// Home is the location that stands for the account in work that belongs to no single location.
func (a Account) Home() string { return a.Locations[0] }

// accountOf names the account of a token.
func accountOf(token string) string {
	sum := sha256.Sum256([]byte("milepost account\x00" + token))
	return hex.EncodeToString(sum[:])
}

// accounts is the last result of Accounts.
type accounts struct {
	at   time.Time
	list []Account
}

// Accounts lists the CalendarHero accounts of the active connections, by id. The result may
// be a second old. It costs two queries, whatever the number of locations. It leaves out an
// account whose token was lost with its key.
func (r *Registry) Accounts(ctx context.Context) ([]Account, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.shared.at.IsZero() && r.isFresh(r.shared.at) {
		return r.shared.list, nil
	}
	list, err := r.readAccounts(ctx, func(c store.Connection) bool { return c.State == store.ConnectionActive })
	if err == nil {
		r.shared = accounts{r.Now(), list}
	}
	return list, err
}

// AccountOf returns the account of an active location; ok is false if the location is not
// active or has none.
func (r *Registry) AccountOf(ctx context.Context, locationID string) (a Account, ok bool, err error) {
	list, err := r.Accounts(ctx)
	i := slices.IndexFunc(list, func(a Account) bool { return slices.Contains(a.Locations, locationID) })
	if err != nil || i < 0 {
		return Account{}, false, err
	}
	return list[i], true, nil
}

// accountToken is the CalendarHero token of a location: its own, or that of the settings;
// "" if there is none that can be read.
func (r *Registry) accountToken(own store.Secret) (token string, err error) {
	switch {
	case own.Name == "":
		return r.Settings.CalendarHeroToken, nil
	case !r.Ring.Has(secret.KeyID(own.Sealed)):
		return "", nil
	}
	err = r.open(own.Name, own.Sealed, &token)
	return token, err
}

// readAccounts lists the accounts of the connections that Milepost serves.
func (r *Registry) readAccounts(ctx context.Context, counts func(store.Connection) bool) ([]Account, error) {
	list, err := r.Store.Connections(ctx) // by location
	if err != nil {
		return nil, err
	}
	isOfSettings := func(c store.Connection) bool { return c.LocationID == r.Settings.LocationID }
	if r.Settings.LocationID != "" && !slices.ContainsFunc(list, isOfSettings) { // nothing has served with these settings yet
		c, _, err := r.stored(ctx, r.Settings.LocationID)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	sealed, err := r.Store.SecretsUnder(ctx, calendarHeroNames)
	if err != nil {
		return nil, err
	}
	own := make(map[string]store.Secret, len(sealed))
	for _, s := range sealed {
		own[strings.TrimPrefix(s.Name, calendarHeroNames)] = s
	}
	byID := map[string]*Account{}
	for _, c := range list {
		if !counts(c) || r.unserved(c) != "" {
			continue
		}
		token, err := r.accountToken(own[c.LocationID])
		if err != nil {
			return nil, err
		}
		if token == "" {
			continue
		}
		id := accountOf(token)
		if byID[id] == nil {
			byID[id] = &Account{ID: id}
		}
		byID[id].Locations = append(byID[id].Locations, c.LocationID)
	}
	out := make([]Account, 0, len(byID))
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		slices.Sort(byID[id].Locations)
		out = append(out, *byID[id])
	}
	return out, nil
}

// OwnAccount reports whether a location has a CalendarHero token of its own.
func (r *Registry) OwnAccount(ctx context.Context, locationID string) (bool, error) {
	sealed, err := r.Store.Secret(ctx, calendarHeroName(locationID))
	return sealed != "", err
}
