// Package connection keeps the locations that Milepost serves: their tokens for HighLevel
// and CalendarHero, how a location is connected and removed, how its grant is renewed, and
// which webhooks are registered at CalendarHero.
//
// Guarantees: a token is never stored readable. A renewed pair is stored before its first
// use. If several processes need a new token at once, one requests it and the others use
// the result. Milepost never replaces another tool's webhook unasked.
//
// It must not know what is synced.
package connection

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/internal/budget"
	"milepost/internal/secret"
	"milepost/internal/store"
)

// Connection is a location with its clients. If its credentials change, it is replaced by
// another one, so that caches beside it can go with it.
type Connection struct {
	LocationID   string
	Account      string // names the CalendarHero account, which locations may share: a digest of its token
	HighLevel    *highlevel.Client
	CalendarHero *calendarhero.Client
	Claiming     *highlevel.Client // asks nobody whether it may write
	elsewhere    func() bool
}

// Elsewhere reports whether another Milepost certainly works the connection.
func (c *Connection) Elsewhere() bool { return c.elsewhere != nil && c.elsewhere() }

// Claims says whether another Milepost works a location and a CalendarHero account.
type Claims interface {
	// Permit returns nil if Milepost may write.
	Permit(ctx context.Context, locationID, account string) error
	// Elsewhere reports whether another Milepost certainly works them.
	Elsewhere(locationID, account string) bool
}

// NotConnected says why Milepost can do nothing for a location, in words for its operator.
type NotConnected struct{ Why string }

func (a *NotConnected) Error() string { return a.Why }

// Settings is the connection that the configuration makes.
type Settings struct {
	LocationID        string   // "" = none
	HighLevelTokens   []string // Private Integration Tokens, the newest first
	CalendarHeroToken string   // also of every location that has none of its own
}

// Config is what a Registry needs.
type Config struct {
	Store *store.Store
	Ring  *secret.Ring
	App   *highlevel.App // nil = the one that a person set, if any
	// NewApp makes the app that a person set: see AppSettings.
	NewApp       func(clientID, clientSecret string) *highlevel.App
	HighLevel    highlevel.Config
	CalendarHero calendarhero.Config
	Settings     Settings
	// Ended is called at the end of each call of a lane: of a location at HighLevel, of an
	// account at CalendarHero (LocationLane, AccountLane). nil = none.
	Ended func(lane string, failed bool)
	// Claims decides before each write to a vendor; nil = every write is permitted.
	Claims    Claims
	PublicURL string // how the vendors reach the public listener; "" = as a person set it, if at all
	Logger    zerolog.Logger
	Now       func() time.Time // nil = time.Now
	// Real returns how long a wait by Now really takes; nil = as long as it says.
	Real func(time.Duration) time.Duration
}

// Registry finds the connection of a location. Safe for concurrent use.
type Registry struct {
	Config
	mu     sync.Mutex
	known  map[string]*known // by location id
	shared accounts
	grants grants
	noted  noted

	settings atomic.Pointer[storedSettings] // nil = nothing was set
	reading  sync.Mutex                     // held from a read of the settings until they are in use
}

// known is the last read state of a location.
type known struct {
	at   time.Time
	is   identity
	conn *Connection // nil: absent says why
	err  error
}

// identity is the part of a connection that makes it another one when it changes.
type identity struct{ source, highLevel, calendarHero string }

// fresh is how long a read state of a location is used without another read. A change by
// another process takes effect after that.
const fresh = time.Second

// The sources of a connection.
const (
	FromSettings = "settings" // MILEPOST_HIGHLEVEL_TOKEN and its like
	FromOAuth    = "oauth"
	FromToken    = "token" // `milepost connections set`
)

// The names of the secrets.
func locationGrant(id string) string    { return "grant/location/" + id }
func companyGrant(id string) string     { return "grant/company/" + id }
func tokensName(id string) string       { return "highlevel-tokens/" + id }
func calendarHeroName(id string) string { return calendarHeroNames + id }
func hookName(account string) string    { return "calendarhero-hook/" + account }

const calendarHeroNames = "calendarhero-token/"

// Open makes the registry. It changes nothing, so a command may use it beside a running Milepost.
func Open(cfg Config) *Registry {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Registry{Config: cfg, known: map[string]*known{}}
}

// CheckKeys fails with secret.ErrUnknownKey if a stored secret cannot be read. Then the
// process that serves does not start.
func (r *Registry) CheckKeys(ctx context.Context) error {
	keys, err := r.Store.SecretKeys(ctx)
	if err != nil {
		return err
	}
	for id, n := range keys {
		if !r.Ring.Has(id) {
			return fmt.Errorf("%d stored secrets are %w: key id %q; put it back into MILEPOST_ENCRYPTION_KEYS or the key file in the data directory. If it is lost for good, run `milepost keys drop`, which deletes what the key encrypted, and connect those locations again", n, secret.ErrUnknownKey, id)
		}
	}
	return r.probe(ctx)
}

// probeName is bound into the probe of the keys.
const probeName = "key probe"

// probe warns if the keys differ from those of the first process. As long as nothing is
// encrypted, nothing else would show that, and nothing is wrong yet.
func (r *Registry) probe(ctx context.Context) error {
	mine, err := r.Ring.Seal(nil, probeName)
	if err != nil {
		return err
	}
	stored, err := r.Store.KeyProbe(ctx, mine)
	if err != nil {
		return err
	}
	if _, err = r.Ring.Open(stored, probeName); err != nil {
		r.Logger.Warn().Str("key", secret.KeyID(stored)).Msg("another Milepost on this database has, or had, other encryption keys: give all of them the same MILEPOST_ENCRYPTION_KEYS before they store a token")
	}
	return nil
}

// ConnectBySettings stores the connection in the settings, for the process that serves. A
// location that the operator removed stays removed.
func (r *Registry) ConnectBySettings(ctx context.Context) error {
	id := r.Settings.LocationID
	if id == "" {
		return nil
	}
	c, ok, err := r.Store.Connection(ctx, id)
	switch {
	case err != nil:
		return err
	case c.ByOperator:
		r.Logger.Warn().Str("location", id).Msg("location in the settings was removed with `milepost connections remove` and stays removed; delete it from the settings, or connect it with `milepost connections set`")
		return nil
	case ok && c.Source == FromSettings && c.State == store.ConnectionActive:
		return nil
	}
	return r.Store.SaveConnection(ctx, store.Connection{LocationID: id, Source: FromSettings, State: store.ConnectionActive}, r.Now())
}

// Lookup returns the connection of a location, or a *NotConnected that says why there is
// none. Any other error means that Lookup could not find out.
func (r *Registry) Lookup(ctx context.Context, locationID string) (*Connection, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.known[locationID]
	if k != nil && r.isFresh(k.at) {
		return k.conn, k.err
	}
	is, absent, err := r.read(ctx, locationID)
	if err != nil {
		return nil, err
	}
	next := &known{at: r.Now(), is: is}
	switch {
	case absent != "":
		next.err = &NotConnected{absent}
	case k != nil && k.conn != nil && k.is == is:
		next.conn = k.conn
	default:
		if next.conn, err = r.connect(locationID, is); err != nil {
			return nil, err
		}
	}
	if len(r.known) > 10000 {
		clear(r.known) // unknown locations can be made up by whoever may sign
	}
	r.known[locationID] = next
	return next.conn, next.err
}

// isFresh reports whether a state read at a time is still used. A read in the future, by a
// clock that was put back since, is not.
func (r *Registry) isFresh(at time.Time) bool {
	age := r.Now().Sub(at)
	return 0 <= age && age < fresh
}

// forget makes the next Lookup read the location again.
func (r *Registry) forget(locationID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.known[locationID]; k != nil {
		k.at = time.Time{}
	}
	r.shared.at = time.Time{}
}

// read reads the connection of a location, or returns why there is none.
func (r *Registry) read(ctx context.Context, locationID string) (is identity, absent string, err error) {
	if locationID == "" {
		return is, "the event names no location", nil
	}
	c, ok, err := r.stored(ctx, locationID)
	if err != nil {
		return is, "", err
	}
	if !ok {
		return is, fmt.Sprintf("location %s is not connected", locationID), nil
	}
	if why := r.unserved(c); why != "" {
		return is, why, nil
	}
	is.source = c.Source
	if c.Source == FromToken {
		if is.highLevel, err = r.Store.Secret(ctx, tokensName(locationID)); err != nil {
			return is, "", err
		}
	}
	if is.calendarHero, err = r.Store.Secret(ctx, calendarHeroName(locationID)); err != nil {
		return is, "", err
	}
	if is.calendarHero == "" && r.Settings.CalendarHeroToken == "" {
		return is, fmt.Sprintf("location %s has no CalendarHero account: set MILEPOST_CALENDARHERO_TOKEN, or give the location its own with `milepost connections set`", locationID), nil
	}
	return is, "", nil
}

// unserved returns why Milepost can do nothing for a location, by its connection, or "".
func (r *Registry) unserved(c store.Connection) string {
	switch {
	case c.ByOperator:
		return fmt.Sprintf("location %s was removed by the operator", c.LocationID)
	case c.State == store.ConnectionRemoved:
		return fmt.Sprintf("the app was uninstalled from location %s", c.LocationID)
	case c.State == store.ConnectionPending:
		return fmt.Sprintf("location %s: %v", c.LocationID, ErrPending)
	case c.Source == FromSettings && c.LocationID != r.Settings.LocationID:
		return fmt.Sprintf("location %s was connected by settings that this process does not have: set MILEPOST_HIGHLEVEL_LOCATION_ID and MILEPOST_HIGHLEVEL_TOKEN", c.LocationID)
	case c.Source == FromOAuth && r.MarketplaceApp() == nil:
		return fmt.Sprintf("location %s was connected by OAuth; set MILEPOST_HIGHLEVEL_CLIENT_ID and MILEPOST_HIGHLEVEL_CLIENT_SECRET", c.LocationID)
	}
	return ""
}

// stored reads a connection. If no process has served with these settings yet, it returns
// that of the settings.
func (r *Registry) stored(ctx context.Context, locationID string) (c store.Connection, ok bool, err error) {
	c, ok, err = r.Store.Connection(ctx, locationID)
	if err == nil && !ok && locationID == r.Settings.LocationID {
		c, ok = store.Connection{LocationID: locationID, Source: FromSettings, State: store.ConnectionActive}, true
	}
	return c, ok, err
}

// connect makes the clients of a connection.
func (r *Registry) connect(locationID string, is identity) (*Connection, error) {
	hl, ch := r.HighLevel, r.CalendarHero
	hl.Budget = budget.New(budget.Config{Store: r.Store, LocationID: locationID, Logger: r.Logger, Now: r.Now, Real: r.Real})
	switch is.source {
	case FromOAuth:
		hl.Tokens = grantTokens{r, locationID}
	case FromToken:
		var tokens []string
		if err := r.open(tokensName(locationID), is.highLevel, &tokens); err != nil {
			return nil, err
		}
		hl.Tokens = highlevel.StaticTokens(tokens...)
	default:
		hl.Tokens = highlevel.StaticTokens(r.Settings.HighLevelTokens...)
	}
	ch.Token = r.Settings.CalendarHeroToken
	if is.calendarHero != "" {
		if err := r.open(calendarHeroName(locationID), is.calendarHero, &ch.Token); err != nil {
			return nil, err
		}
	}
	account := accountOf(ch.Token)
	hl.Ended, ch.Ended = r.ended(LocationLane(locationID)), r.ended(AccountLane(account))
	hl.Succeeded, ch.Succeeded = r.succeeded(LocationLane(locationID)), r.succeeded(AccountLane(account))
	claiming := highlevel.New(hl).With(clients.Begun)
	hl.Permit, ch.Permit = r.permit("HighLevel", locationID, account), r.permit(calendarhero.API, locationID, account)
	return &Connection{
		LocationID: locationID, Account: account,
		HighLevel: highlevel.New(hl), CalendarHero: calendarhero.New(ch), Claiming: claiming,
		elsewhere: func() bool { return r.Claims != nil && r.Claims.Elsewhere(locationID, account) },
	}, nil
}

// permit holds back this process's writes if others may work the same location: other
// processes by now, or another Milepost. Claims may be set after the connections are
// opened.
func (r *Registry) permit(api, locationID, account string) func(context.Context) error {
	return func(ctx context.Context) error {
		if r.Store.Fenced() {
			return &clients.Error{API: api, Reason: clients.RateLimited, RetryAfter: fencedWait, Message: "this process did not reach the state database for some seconds, so other processes may do this work"}
		}
		if r.Claims == nil {
			return nil
		}
		return r.Claims.Permit(ctx, locationID, account)
	}
}

// fencedWait is when a job comes back after it was held back. By then the database is
// reachable again, or the job belongs to another process.
const fencedWait = 2 * time.Second

// LocationLane names the lane of calls to HighLevel for a location.
func LocationLane(locationID string) string { return "location " + locationID }

// AccountLane names the lane of calls to a CalendarHero account.
func AccountLane(account string) string { return "account " + account }

// ended passes on how calls end. Ended may be set after the connections are opened.
func (r *Registry) ended(lane string) func(failed bool) {
	return func(failed bool) {
		if r.Ended != nil {
			r.Ended(lane, failed)
		}
	}
}

// seal encrypts a value as JSON under its name.
func (r *Registry) seal(name string, v any) (store.Secret, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return store.Secret{}, err
	}
	sealed, err := r.Ring.Seal(plain, name)
	return store.Secret{Name: name, Sealed: sealed}, err
}

// open decrypts what seal made.
func (r *Registry) open(name, sealed string, v any) error {
	plain, err := r.Ring.Open(sealed, name)
	if err != nil {
		return err
	}
	if json.Unmarshal(plain, v) != nil { // its error would quote the secret
		return fmt.Errorf("open the secret %s: it is not what this version writes", name)
	}
	return nil
}

// withToken seals a HighLevel token in front of the one that was there before.
func (r *Registry) withToken(ctx context.Context, locationID, token string) (store.Secret, error) {
	var tokens []string
	sealed, err := r.Store.Secret(ctx, tokensName(locationID))
	if err != nil {
		return store.Secret{}, err
	}
	if sealed != "" {
		if err := r.open(tokensName(locationID), sealed, &tokens); err != nil && !errors.Is(err, secret.ErrUnknownKey) {
			return store.Secret{}, err // tokens that nobody can read any more are overwritten
		}
	}
	tokens = slices.Insert(slices.DeleteFunc(tokens, func(t string) bool { return t == token }), 0, token)
	return r.seal(tokensName(locationID), tokens[:min(2, len(tokens))])
}

// Set connects a location by tokens: a Private Integration Token of HighLevel, a CalendarHero
// token, or both; "" keeps the stored one. Set keeps the former HighLevel token behind the
// new one, because HighLevel accepts both for seven days during a rotation.
func (r *Registry) Set(ctx context.Context, locationID, highLevelToken, calendarHeroToken string) error {
	c, ok, err := r.Store.Connection(ctx, locationID)
	if err != nil {
		return err
	}
	var secrets []store.Secret
	moved := false // to another CalendarHero account
	if highLevelToken != "" {
		s, err := r.withToken(ctx, locationID, highLevelToken)
		if err != nil {
			return err
		}
		secrets = append(secrets, s)
		c.Source = FromToken
	} else if !ok || c.State == store.ConnectionRemoved {
		return &NotConnected{fmt.Sprintf("location %s is not connected: add its HighLevel token, or install the app there", locationID)}
	}
	if calendarHeroToken != "" {
		s, err := r.seal(calendarHeroName(locationID), calendarHeroToken)
		if err != nil {
			return err
		}
		secrets = append(secrets, s)
		if conn, err := r.Lookup(ctx, locationID); err == nil {
			moved = conn.Account != accountOf(calendarHeroToken)
		}
	}
	c.LocationID, c.State, c.Problem = locationID, store.ConnectionActive, ""
	save := func() error {
		err := r.Store.SaveConnection(ctx, c, r.Now(), secrets...)
		r.forget(locationID)
		return err
	}
	if moved {
		var said string
		said, err = r.dropAccount(ctx, locationID, save)
		r.logRemoval(locationID, said)
	} else {
		err = save()
	}
	if err != nil {
		return err
	}
	_, _, _, err = r.TokenAge(ctx, c) // it counts from now
	return err
}

// Remove deletes the tokens of a location and its workflow keys, for the operator. No INSTALL
// connects the location again, only Set or a grant of that location. If no other location
// uses its CalendarHero account, Remove deletes the account's webhooks there; said is what
// a person should know of that, "" = nothing.
func (r *Registry) Remove(ctx context.Context, locationID string) (said string, err error) {
	return r.dropAccount(ctx, locationID, func() error {
		err := r.Store.RemoveConnection(ctx, locationID, r.Now(), secretsOf(locationID)...)
		r.grants.drop(locationGrant(locationID))
		r.forget(locationID)
		return err
	})
}

// uninstalled deletes the tokens of a location that no longer has the app.
func (r *Registry) uninstalled(ctx context.Context, locationID string) error {
	said, err := r.dropAccount(ctx, locationID, func() error {
		err := r.Store.SetConnectionState(ctx, locationID, store.ConnectionRemoved, "the app was uninstalled", r.Now(), secretsOf(locationID)...)
		r.grants.drop(locationGrant(locationID))
		r.forget(locationID)
		return err
	})
	r.logRemoval(locationID, said)
	return err
}

// logRemoval logs what dropAccount said about a location, if anything.
func (r *Registry) logRemoval(locationID, said string) {
	if said != "" {
		r.Logger.Info().Str("location", locationID).Msg(said)
	}
}

func secretsOf(locationID string) []string {
	return []string{locationGrant(locationID), tokensName(locationID), calendarHeroName(locationID)}
}

// tokenWarning is when a Private Integration Token should be rotated: HighLevel
// advises every 90 days.
const tokenWarning = 80 * 24 * time.Hour

// TokenAge returns the age of the newest Private Integration Token of a location since
// Milepost first saw it, and whether it is time to rotate it; ok is false if the location
// has none.
func (r *Registry) TokenAge(ctx context.Context, c store.Connection) (age time.Duration, rotate, ok bool, err error) {
	var tokens []string
	switch {
	case c.State == store.ConnectionRemoved:
	case c.Source == FromSettings && c.LocationID == r.Settings.LocationID:
		tokens = r.Settings.HighLevelTokens
	case c.Source == FromToken:
		sealed, err := r.Store.Secret(ctx, tokensName(c.LocationID))
		if err != nil || sealed == "" {
			return 0, false, false, err
		}
		if err := r.open(tokensName(c.LocationID), sealed, &tokens); err != nil {
			return 0, false, false, err
		}
	}
	if len(tokens) == 0 {
		return 0, false, false, nil
	}
	digest := sha256.Sum256([]byte("milepost token age\x00" + tokens[0]))
	seen, err := r.Store.TokenFirstSeen(ctx, hex.EncodeToString(digest[:]), r.Now())
	if err != nil {
		return 0, false, false, err
	}
	age = r.Now().Sub(seen)
	return age, age >= tokenWarning, true, nil
}

// WarnOfOldTokens logs each location whose token should be rotated.
func (r *Registry) WarnOfOldTokens(ctx context.Context) error {
	list, err := r.Store.Connections(ctx)
	if err != nil {
		return err
	}
	for _, c := range list {
		age, rotate, ok, err := r.TokenAge(ctx, c)
		if err != nil {
			return err
		}
		if ok && rotate {
			r.Logger.Warn().Str("location", c.LocationID).Int("days", int(age.Hours()/24)).
				Msg("rotate the Private Integration Token: in HighLevel, Settings, Private Integrations, choose Rotate and expire this token later; then set the new token in front of the old one")
		}
	}
	return nil
}
