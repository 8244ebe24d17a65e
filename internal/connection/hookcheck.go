package connection

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/internal/store"
)

// hookURLs are the URLs that an account's events go to.
type hookURLs struct {
	public, key string
}

func (u hookURLs) of(event string) string { return u.public + HookPath + u.key + "/" + event }

// hookURLs returns the account's URLs. If the account has no readable key, they get a new one.
func (r *Registry) hookURLs(ctx context.Context, a Account) (hookURLs, error) {
	urls := hookURLs{public: r.Address()}
	name := hookName(a.ID)
	sealed, err := r.Store.Secret(ctx, name)
	if err != nil {
		return urls, err
	}
	if sealed != "" {
		return urls, r.open(name, sealed, &urls.key)
	}
	urls.key = rand.Text()
	secret, err := r.seal(name, urls.key)
	if err != nil {
		return urls, err
	}
	return urls, r.Store.AddHookKey(ctx, store.HookKey{Digest: hookDigest(urls.key), Account: a.ID, CreatedAt: r.Now()}, secret)
}

// register checks the registrations of an account that are due, and logs what it did and
// which problems are new. It checks last what it tried last, so that a failing one does not
// hold up the others.
func (r *Registry) register(ctx context.Context, a Account, hooks []store.Hook, due func(store.Hook) bool) ([]store.Hook, error) {
	r.forget(a.Home()) // it may have been removed since
	conn, err := r.Lookup(ctx, a.Home())
	if errors.As(err, new(*NotConnected)) || err == nil && conn.Account != a.ID {
		return nil, nil // it changed since
	} else if err != nil {
		return nil, err
	}
	urls, err := r.hookURLs(ctx, a)
	if err != nil {
		return nil, err
	}
	check := hookCheck{Registry: r, account: a, hero: conn.CalendarHero, urls: urls}
	var turn []*store.Hook
	for i := range hooks {
		if due(hooks[i]) {
			turn = append(turn, &hooks[i])
		}
	}
	slices.SortStableFunc(turn, func(a, b *store.Hook) int { return a.CheckedAt.Compare(b.CheckedAt) })
	for _, h := range turn {
		if err := check.event(ctx, h); err != nil {
			return hooks, err
		}
	}
	for i := range hooks {
		if h := &hooks[i]; h.NextAt.Before(check.until) {
			h.NextAt = check.until
		}
	}
	check.logResults()
	return hooks, nil
}

// everyHook is a due of all.
func everyHook(store.Hook) bool { return true }

// hookCheck is one check of an account's registrations.
type hookCheck struct {
	*Registry
	account Account
	hero    *calendarhero.Client
	urls    hookURLs
	unread  *clients.Error // why the last read failed; nil = it did not
	row     int            // failures in a row that may pass
	stop    *clients.Error // why the check makes no more calls now; nil = it may
	until   time.Time      // CalendarHero asked for no call before this; zero = it did not ask

	did        map[string][]string // what was done, to the events
	began      []store.Hook        // those with a new problem
	unreadable []string            // events whose registration turned out to be unreadable
	failed     error               // the first new failure of a call
}

// event checks one registration. If the whole check must stop, it fails.
func (c *hookCheck) event(ctx context.Context, h *store.Hook) error {
	was := *h
	did, err := "", error(c.stop)
	if c.stop == nil {
		did, err = c.checkEvent(ctx, h)
	}
	if failed, ok := errors.AsType[*clients.Error](err); ok {
		if errors.Is(ctx.Err(), context.Canceled) {
			return ctx.Err() // shutting down
		}
		if c.fail(h, failed); was.FailedAt.IsZero() && c.failed == nil {
			c.failed = failed
		}
	} else if err != nil {
		return err
	} else {
		c.pass(h)
	}
	if h.State == store.HookOurs && h.Unverifiable() && !was.Unverifiable() {
		c.unreadable = append(c.unreadable, h.Event)
	}
	if did != "" {
		if c.did == nil {
			c.did = map[string][]string{}
		}
		c.did[did] = append(c.did[did], h.Event)
	}
	anew := h.State != was.State || h.URLDigest != was.URLDigest
	if h.State == store.HookFailed {
		anew = was.FailedAt.IsZero()
	}
	if h.Problem != "" && anew {
		c.began = append(c.began, *h)
	}
	return nil
}

// pass stores that a registration was checked.
func (c *hookCheck) pass(h *store.Hook) {
	c.row = 0
	h.CheckedAt, h.NextAt = c.Now(), time.Time{}
	if c.unread == nil { // else it was registered unread, and still cannot be read
		h.FailedAt = time.Time{}
	}
}

// fail stores that a call for a registration failed, and when to retry it: soon, then less
// and less often. If calls for the others would fail too, it stops, and gives them the same
// failure without a call.
func (c *hookCheck) fail(h *store.Hook, failed *clients.Error) {
	now, wait := c.Now(), hookLatest
	if h.FailedAt.IsZero() {
		h.FailedAt = now
	}
	passes := failed.Reason == clients.Unavailable || failed.Reason == clients.Unclear || failed.Reason == clients.RateLimited
	if passes {
		wait = min(max(3*now.Sub(h.FailedAt), hookSoonest), hookLatest)
	}
	if c.stop == nil {
		h.CheckedAt = now
		if passes {
			c.row++
		}
		if refused(failed) || failed.RetryAfter > 0 || c.row == 2 {
			c.stop = failed
		}
		if failed.RetryAfter > 0 {
			c.until = now.Add(failed.RetryAfter)
		}
	}
	h.NextAt = now.Add(wait)
	if h.NextAt.Before(c.until) {
		h.NextAt = c.until
	}
	since := h.FailedAt.Format(time.RFC3339)
	switch {
	case h.State == store.HookOff:
		h.Problem = fmt.Sprintf("Milepost cannot delete it since %s, and retries: %v", since, failed)
		return
	case failed == c.unread && !refused(failed):
		h.Problem = fmt.Sprintf("Milepost cannot read the registration since %s, and retries. It registers nothing unread: %v. To register Milepost anyway: %s --yes",
			since, failed, c.takeCommand(h.Event))
	default:
		h.Problem = fmt.Sprintf("Milepost cannot register since %s, and retries: %v", since, failed)
	}
	if !h.SetAt.IsZero() {
		h.Problem += ". Milepost was registered last " + h.SetAt.Format(time.RFC3339)
	}
	h.State = store.HookFailed
}

// refused reports whether CalendarHero rejected the token.
func refused(failed *clients.Error) bool {
	return failed.Reason == clients.Unauthorized || failed.Reason == clients.Forbidden
}

// read reads one registration, or stores why that failed.
func (c *hookCheck) read(ctx context.Context, event string) (found calendarhero.Hook, registered bool, err error) {
	found, registered, err = c.hero.Hook(ctx, event)
	c.unread, _ = errors.AsType[*clients.Error](err)
	return found, registered, err
}

// What is done to a registration, in words for the log.
const (
	hookRegistered = "registered"
	hookRepaired   = "repaired: the registration had vanished"
	hookRenewed    = "renewed: an older URL of this Milepost was there"
	hookTook       = "taken over from another tool, as allowed"
	hookUnread     = "registered without reading the old registration, as allowed"
	hookDeleted    = "deleted"
)

// checkEvent reads the registration of one event and repairs it if needed.
func (c *hookCheck) checkEvent(ctx context.Context, h *store.Hook) (did string, err error) {
	now := c.Now()
	if h.State == store.HookOff {
		return c.settleOff(ctx, h)
	}
	var found calendarhero.Hook
	var registered bool
	if !h.Allowed || c.unread == nil { // else it is no use, and not needed
		found, registered, err = c.read(ctx, h.Event)
	}
	if err != nil && (!h.Allowed || c.unread == nil || refused(c.unread)) {
		return "", err
	}
	owner, err := c.ownerOf(ctx, found.URL)
	if err != nil {
		return "", err
	}
	want := c.urls.of(h.Event)
	if did = c.decide(h, found, registered, owner); did == "" {
		return "", nil
	}
	id, err := c.hero.SetHook(ctx, h.Event, want)
	if err != nil {
		return "", err
	}
	h.HookID, h.SetAt, h.SeenAt = id, now, time.Time{}
	// Once ours has been read there it is known that it can be, and that it vanished when it cannot.
	if c.unread == nil {
		if found, registered, err = c.read(ctx, h.Event); err == nil && registered && sameURL(found.URL, want) {
			h.SeenAt = now
		}
	}
	c.ours(h)
	return did, nil
}

// settleOff deletes a registration that is switched off.
func (c *hookCheck) settleOff(ctx context.Context, h *store.Hook) (did string, err error) {
	if h.SetAt.IsZero() && h.Problem == "" {
		return "", nil
	}
	deleted, err := c.delete(ctx, h)
	if deleted {
		did = hookDeleted
	}
	return did, err
}

// decide compares a registration with the one found at CalendarHero. It returns what the
// next write does; "" if the registration stays as it is, which decide stores.
func (c *hookCheck) decide(h *store.Hook, found calendarhero.Hook, registered bool, owner hookOwner) (does string) {
	now := c.Now()
	switch {
	case c.unread != nil:
		return hookUnread
	case registered && sameURL(found.URL, c.urls.of(h.Event)):
		h.HookID, h.SeenAt = found.ID, now
		if h.SetAt.IsZero() {
			h.SetAt = now
		}
		c.ours(h)
	case (!registered || found.URL == "") && !h.Allowed && h.Unverifiable() && (registered || now.Sub(h.SetAt) < hookUnverifiable):
		c.ours(h) // as far as is known: this server does not let it be read
	case !registered && !h.SetAt.IsZero() && !h.SeenAt.IsZero():
		return hookRepaired
	case !registered:
		return hookRegistered
	case owner == hookOfThis:
		return hookRenewed
	case owner == hookOfSibling:
		c.ours(h)
		h.Problem = "the event arrives for another location, whose token belongs to the same CalendarHero account: give all of them the same token"
	case h.Allowed:
		return hookTook
	case found.URL == "":
		h.State, h.URLDigest, h.SetAt = store.HookUnknown, "", time.Time{}
		h.Problem = "CalendarHero does not say what is registered; Milepost leaves it alone. To register Milepost instead: " + c.takeCommand(h.Event)
	default:
		sum := sha256.Sum256([]byte(found.URL))
		h.State, h.URLDigest, h.SetAt = store.HookForeign, hex.EncodeToString(sum[:]), time.Time{}
		h.Problem = fmt.Sprintf("another tool is registered (%s); Milepost leaves it alone. To register Milepost instead: %s", hostOf(found.URL), c.takeCommand(h.Event))
	}
	return ""
}

// ours notes that Milepost is registered.
func (c *hookCheck) ours(h *store.Hook) {
	h.State, h.Problem, h.URLDigest, h.Allowed = store.HookOurs, "", "", false
	if h.Unverifiable() {
		h.Problem = fmt.Sprintf("Milepost cannot read the registration. Milepost was registered last %s. If another tool has registered since, and you want Milepost instead: %s --yes",
			h.SetAt.Format(time.RFC3339), c.takeCommand(h.Event))
	}
}

// takeCommand is the command with which a person replaces another tool's webhook.
func (c *hookCheck) takeCommand(event string) string {
	return fmt.Sprintf("milepost hooks take %s --event %s", c.account.Home(), event)
}

// delete deletes a registration if it is ours, and stores that. If it cannot be read, delete
// deletes it only if that is allowed.
func (c *hookCheck) delete(ctx context.Context, h *store.Hook) (deleted bool, err error) {
	found, registered, err := c.read(ctx, h.Event)
	unread := h.Allowed && !h.SetAt.IsZero() && c.unread != nil && !refused(c.unread)
	if err != nil && !unread {
		return false, err
	}
	owner, err := c.ownerOf(ctx, found.URL)
	if err != nil {
		return false, err
	}
	unread = unread || (!registered || found.URL == "") && h.Allowed && h.Unverifiable()
	if deleted = owner == hookOfThis || unread; deleted {
		if err := c.hero.DeleteHook(ctx, h.Event); err != nil && clients.ReasonOf(err) != clients.NotFound {
			return false, err
		}
	}
	c.unread = nil
	h.HookID, h.URLDigest, h.Problem, h.Allowed, h.SetAt = "", "", "", false, time.Time{}
	return deleted, nil
}

// Whose a registered URL is.
type hookOwner int

const (
	hookOfOthers  hookOwner = iota
	hookOfThis              // of this account: an older key, event or address among them
	hookOfSibling           // of another account here that is connected: the same one, by another token
)

// ownerOf returns the owner of a registered URL, by the key in it. A URL under our own
// address is ours even if the key is unknown, for example after a restore.
func (c *hookCheck) ownerOf(ctx context.Context, raw string) (hookOwner, error) {
	_, rest, ok := strings.Cut(raw, HookPath)
	if !ok {
		return hookOfOthers, nil
	}
	key, _, _ := strings.Cut(rest, "/")
	k, known, err := c.Store.HookKey(ctx, hookDigest(key))
	switch {
	case err != nil:
		return hookOfOthers, err
	case !known && strings.HasPrefix(raw, c.urls.public+HookPath) && c.urls.public != "":
		return hookOfThis, nil
	case !known:
		return hookOfOthers, nil
	case k.Account == c.account.ID:
		return hookOfThis, nil
	}
	list, err := c.Accounts(ctx)
	if slices.ContainsFunc(list, func(a Account) bool { return a.ID == k.Account }) {
		return hookOfSibling, err
	}
	return hookOfThis, err
}

// sameURL allows for what a server may write differently.
func sameURL(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := url.Parse(a)
	y, errY := url.Parse(b)
	return errX == nil && errY == nil && x.Scheme == y.Scheme && strings.EqualFold(x.Host, y.Host) &&
		strings.TrimSuffix(x.Path, "/") == strings.TrimSuffix(y.Path, "/") && x.RawQuery == y.RawQuery
}

// hostOf returns the part of another tool's URL that may be shown.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || !plainHost.MatchString(u.Hostname()) {
		return "unreadable address"
	}
	return u.Hostname()
}

var plainHost = regexp.MustCompile(`^[A-Za-z0-9.:-]{1,253}$`) // nothing that would steer a terminal

// logResults logs one line for each thing done, and for each kind of problem that began.
func (c *hookCheck) logResults() {
	for _, did := range []string{hookRegistered, hookRepaired, hookRenewed, hookTook, hookUnread, hookDeleted} {
		if events := c.did[did]; len(events) > 0 {
			c.Logger.Info().Str("location", c.account.Home()).Strs("events", events).Msg("webhooks of CalendarHero " + did)
		}
	}
	if len(c.unreadable) > 0 {
		c.Logger.Info().Str("location", c.account.Home()).Strs("events", c.unreadable).
			Msg("cannot read CalendarHero's registrations; Milepost will not notice if another tool registers later")
	}
	of := map[store.HookState][]string{}
	for _, h := range c.began {
		of[h.State] = append(of[h.State], h.Event)
	}
	warn := func(state store.HookState, err error, what string) {
		if len(of[state]) > 0 {
			c.Logger.Warn().Err(err).Str("location", c.account.Home()).Strs("events", of[state]).
				Msg(what + "; Milepost polls CalendarHero instead, which is slower (see `milepost hooks`)")
		}
	}
	warn(store.HookForeign, nil, "another tool is registered for webhooks of this CalendarHero account; Milepost leaves it alone")
	warn(store.HookUnknown, nil, "cannot read the webhook registrations of this CalendarHero account")
	warn(store.HookFailed, c.failed, "could not check or register webhooks at CalendarHero")
}
