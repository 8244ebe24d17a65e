package connection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/store"
)

const (
	// refreshBefore is how long before its end Milepost renews an access token (24 h).
	refreshBefore = 5 * time.Minute
	// refreshLimit ends a refresh. Its lease is longer, and shorter than the 30 s in which
	// HighLevel answers a repeated refresh with the same pair. If a process dies between a
	// refresh and its storing, the next process still gets that pair.
	refreshLimit = 15 * time.Second
	refreshLease = 20 * time.Second
	leasePoll    = 100 * time.Millisecond
)

// grants are the OAuth grants that this process has read, by secret name.
type grants struct {
	mu     sync.Mutex
	cached map[string]*cachedGrant
}

// cachedGrant is one grant. turn is a lock with a wait that a caller can cancel: its holder
// alone works on the grant in this process.
type cachedGrant struct {
	turn     chan struct{}
	sealed   string
	grant    grant
	unstored *grant // a renewed one that could not be stored yet; HighLevel takes the one before no more

	refusal error     // of the last renewal
	until   time.Time // when it may be tried again
}

// grant is an OAuth grant as it is stored.
type grant struct {
	highlevel.Grant
	Since time.Time // when it was given; a renewal keeps it

	sealed string // as it is stored
}

// refusalKept is how long Milepost does not retry a rejected renewal, however many jobs need
// the token.
const refusalKept = 30 * time.Second

func (g *grants) get(name string) *cachedGrant {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cached == nil {
		g.cached = map[string]*cachedGrant{}
	}
	h := g.cached[name]
	if h == nil {
		h = &cachedGrant{turn: make(chan struct{}, 1)}
		g.cached[name] = h
	}
	return h
}

func (g *grants) drop(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.cached, name)
}

// grantTokens gives a location's access token from its grant.
type grantTokens struct {
	*Registry
	locationID string
}

func (t grantTokens) Token(ctx context.Context, refused string) (string, error) {
	g, err := t.grant(ctx, locationGrant(t.locationID), refused, func(ctx context.Context, old grant) (highlevel.Grant, error) {
		return t.renew(ctx, t.locationID, old)
	})
	if errors.Is(err, errNoGrant) {
		return "", &clients.Error{
			API: "HighLevel", Operation: "get token of location", Subject: t.locationID, Reason: clients.Unauthorized,
			Message: "the location has no authorization", Todo: "install the app there: /oauth/highlevel/install",
		}
	}
	return g.AccessToken, err
}

// errNoGrant means that there is no grant of that name.
var errNoGrant = errors.New("there is no grant")

// grant returns a grant whose access token is valid for a while and is not the rejected one.
// If needed, one caller of one process renews it.
func (r *Registry) grant(ctx context.Context, name, refused string,
	renew func(context.Context, grant) (highlevel.Grant, error),
) (grant, error) {
	h := r.grants.get(name)
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return grant{}, context.Cause(ctx)
	}
	good := func() bool {
		return h.grant.AccessToken != "" && h.grant.AccessToken != refused && r.Now().Before(h.grant.Expires.Add(-refreshBefore))
	}
	if h.unstored != nil {
		if err := r.keep(ctx, name, h); err != nil {
			return grant{}, err
		}
	}
	if good() {
		return h.grant, nil
	}
	if err := r.reread(ctx, name, h); err != nil || good() {
		return h.grant, err
	}
	if left := h.until.Sub(r.Now()); h.refusal != nil && 0 < left && left <= refusalKept { // longer: the clock was put back
		return grant{}, h.refusal
	}
	release, err := r.lease(ctx, name, h, good)
	if err != nil || release == nil {
		return h.grant, err
	}
	defer release()
	if err := r.reread(ctx, name, h); err != nil || good() {
		return h.grant, err
	}
	// Not the caller's context: a pair that was asked for must be stored.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshLimit)
	defer cancel()
	old := h.grant
	old.sealed = h.sealed
	fresh, err := renew(ctx, old)
	if err != nil {
		if reason := clients.ReasonOf(err); reason == clients.Unauthorized || reason == clients.Forbidden || reason == clients.Inactive {
			h.refusal, h.until = err, r.Now().Add(refusalKept)
		}
		return grant{}, err
	}
	next := h.grant.over(fresh)
	h.unstored = &next
	err = r.keep(ctx, name, h)
	return h.grant, err
}

// over completes a renewed grant with the values that its answer may leave out.
func (g grant) over(fresh highlevel.Grant) grant {
	fresh.RefreshToken = cmp.Or(fresh.RefreshToken, g.RefreshToken)
	fresh.CompanyID = cmp.Or(fresh.CompanyID, g.CompanyID)
	fresh.LocationID = cmp.Or(fresh.LocationID, g.LocationID)
	return grant{Grant: fresh, Since: g.Since}
}

// keep stores a renewed grant before anyone uses it. If that fails, it holds the grant, and
// stores it before anything else happens to the grant.
func (r *Registry) keep(ctx context.Context, name string, h *cachedGrant) error {
	next := *h.unstored
	sealed, err := r.seal(name, next)
	if err != nil {
		return err
	}
	replaced, err := r.Store.ReplaceSecret(ctx, store.Secret{Name: name, Sealed: h.sealed}, sealed.Sealed, r.Now())
	if err != nil {
		return err
	}
	if !replaced { // removed, connected anew or encrypted under another key meanwhile
		before := h.grant.RefreshToken
		err := r.reread(ctx, name, h)
		switch {
		case errors.Is(err, errNoGrant), err == nil && h.grant.RefreshToken != before:
			h.unstored = nil
			return err
		case err != nil:
			return err
		}
		if err := r.Store.PutSecrets(ctx, r.Now(), sealed); err != nil {
			return err
		}
	}
	h.sealed, h.grant, h.unstored, h.refusal = sealed.Sealed, next, nil, nil
	if next.UserType != highlevel.UserTypeCompany {
		if err := r.restore(ctx, next.LocationID); err != nil {
			r.Logger.Error().Err(err).Str("location", next.LocationID).Msg("could not save that the connection works again")
		}
	}
	return nil
}

// reread reads the stored grant.
func (r *Registry) reread(ctx context.Context, name string, h *cachedGrant) error {
	sealed, err := r.Store.Secret(ctx, name)
	if err != nil {
		return err
	}
	if sealed == "" {
		h.sealed, h.grant = "", grant{}
		return fmt.Errorf("%w: %s", errNoGrant, name)
	}
	if sealed == h.sealed {
		return nil
	}
	var stored grant
	if err := r.open(name, sealed, &stored); err != nil {
		return err
	}
	h.sealed, h.grant, h.refusal = sealed, stored, nil
	return nil
}

// lease takes the right to renew a grant. If another process has it, lease waits for its
// result: release is then nil, and the grant is valid.
func (r *Registry) lease(ctx context.Context, name string, h *cachedGrant, good func() bool) (release func(), err error) {
	lease, holder := "renew "+name, uuid.NewString()
	for {
		now := time.Now() // not the injected clock: a lease is between machines
		taken, err := r.Store.Lease(ctx, lease, holder, now, now.Add(refreshLease))
		if err != nil {
			return nil, err
		}
		if taken {
			return func() {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
				defer cancel()
				if err := r.Store.Release(ctx, lease, holder); err != nil {
					r.Logger.Warn().Err(err).Msg("could not release a lease; it expires by itself")
				}
			}, nil
		}
		timer := time.NewTimer(leasePoll)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, context.Cause(ctx)
		case <-timer.C:
		}
		if err := r.reread(ctx, name, h); err != nil || good() {
			return nil, err
		}
	}
}

// renew gets a new grant for a location: by its refresh token, else from the agency's grant.
// If HighLevel accepts neither, the connection is broken until a person connects it again.
func (r *Registry) renew(ctx context.Context, locationID string, old grant) (highlevel.Grant, error) {
	err := error(&clients.Error{API: "HighLevel", Operation: "refresh token", Subject: locationID, Reason: clients.Unauthorized, Message: "the grant has no refresh token"})
	var next highlevel.Grant
	if old.RefreshToken != "" {
		next, err = r.MarketplaceApp().Refresh(ctx, old.RefreshToken, highlevel.UserTypeLocation)
	}
	switch {
	case err == nil:
		return next, nil
	case clients.ReasonOf(err) == clients.Inactive:
		problem := "HighLevel says that the location is not active (paused or unpaid); Milepost keeps the grant, and continues when the location is active again"
		return next, errors.Join(err, r.degrade(ctx, locationID, old, store.ConnectionSuspended, problem))
	case clients.ReasonOf(err) != clients.Unauthorized:
		return next, err
	}
	next, mintErr := r.mint(ctx, old.CompanyID, locationID)
	switch {
	case mintErr == nil:
		return next, nil
	case errors.Is(mintErr, errNoGrant), clients.ReasonOf(mintErr) == clients.Forbidden, clients.ReasonOf(mintErr) == clients.Invalid,
		clients.ReasonOf(mintErr) == clients.Unauthorized, clients.ReasonOf(mintErr) == clients.NotFound:
		problem := "HighLevel rejected the renewal of the authorization; install the app again at /oauth/highlevel/install"
		return next, errors.Join(err, r.degrade(ctx, locationID, old, store.ConnectionBroken, problem))
	}
	return next, mintErr
}

// mint gets a location's grant from its agency's.
func (r *Registry) mint(ctx context.Context, companyID, locationID string) (highlevel.Grant, error) {
	company, err := r.company(ctx, companyID, "")
	if err != nil {
		return highlevel.Grant{}, err
	}
	next, err := r.MarketplaceApp().LocationToken(ctx, company.AccessToken, companyID, locationID)
	if clients.ReasonOf(err) != clients.Unauthorized {
		return next, err
	}
	if company, err = r.company(ctx, companyID, company.AccessToken); err != nil {
		return highlevel.Grant{}, err
	}
	return r.MarketplaceApp().LocationToken(ctx, company.AccessToken, companyID, locationID)
}

// company returns the agency's grant, and renews it if needed.
func (r *Registry) company(ctx context.Context, companyID, refused string) (grant, error) {
	return r.grant(ctx, companyGrant(companyID), refused, func(ctx context.Context, old grant) (highlevel.Grant, error) {
		return r.MarketplaceApp().Refresh(ctx, old.RefreshToken, highlevel.UserTypeCompany)
	})
}

// restore stores that a location's grant works again.
func (r *Registry) restore(ctx context.Context, locationID string) error {
	changed, err := r.Store.MoveConnection(ctx, store.Move{
		LocationID: locationID, From: []store.ConnectionState{store.ConnectionPending, store.ConnectionSuspended, store.ConnectionBroken},
		To: store.ConnectionActive,
	}, r.Now())
	if changed {
		r.Logger.Info().Str("location", locationID).Msg("the connection works again")
	}
	return err
}

// degrade stores why a location's grant does not work, unless the grant was removed or
// replaced since the failed call.
func (r *Registry) degrade(ctx context.Context, locationID string, refused grant, state store.ConnectionState, problem string) error {
	changed, err := r.Store.MoveConnection(ctx, store.Move{
		LocationID: locationID, From: []store.ConnectionState{store.ConnectionActive, store.ConnectionSuspended},
		To: state, Problem: problem, While: store.Secret{Name: locationGrant(locationID), Sealed: refused.sealed},
	}, r.Now())
	if changed {
		r.Logger.Warn().Str("location", locationID).Str("state", string(state)).Msg(problem)
	}
	return err
}

// Granted is what HighLevel granted for a location.
type Granted struct {
	Scopes  []string
	Since   time.Time // when a person connected the location
	Expires time.Time // of the access token, which Milepost renews before
}

// Granted returns what HighLevel granted for a location; ok is false if that is not
// known, as of a Private Integration Token.
func (r *Registry) Granted(ctx context.Context, locationID string) (g Granted, ok bool, err error) {
	name := locationGrant(locationID)
	sealed, err := r.Store.Secret(ctx, name)
	if err != nil || sealed == "" {
		return g, false, err
	}
	var stored grant
	err = r.open(name, sealed, &stored)
	return Granted{stored.Scopes, stored.Since, stored.Expires}, err == nil, err
}
