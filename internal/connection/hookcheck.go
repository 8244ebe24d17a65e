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

// hookURLs returns the account's URLs, with a new key where it has none that can be read.
func (r *Registry) hookURLs(ctx context.Context, a Account) (hookURLs, error) {
	urls := hookURLs{public: strings.TrimSuffix(r.PublicURL, "/")}
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

// register brings the registrations of an account in step, and tells the log
// what it did and what is wrong now that was not before.
func (r *Registry) register(ctx context.Context, a Account, hooks []store.Hook) ([]store.Hook, error) {
	r.forget(a.Home()) // it may have been removed since
	conn, err := r.Lookup(ctx, a.Home())
	if errors.As(err, new(*Absent)) || err == nil && conn.Account != a.ID {
		return nil, nil // it changed since
	} else if err != nil {
		return nil, err
	}
	urls, err := r.hookURLs(ctx, a)
	if err != nil {
		return nil, err
	}
	check := hookCheck{Registry: r, account: a, hero: conn.CalendarHero, urls: urls}
	for i := range hooks {
		if err := check.event(ctx, &hooks[i]); err != nil {
			return hooks[:i], err
		}
	}
	check.tell()
	return hooks, nil
}

// hookCheck is one look through an account's registrations.
type hookCheck struct {
	*Registry
	account Account
	hero    *calendarhero.Client
	urls    hookURLs
	refused error // the token is not taken: there is no need to ask again

	did    map[string][]string // what was done, to the events
	began  []store.Hook        // those with a new problem
	failed error               // the first call that failed anew
}

// event checks one registration. It fails where the check is to be broken off.
func (c *hookCheck) event(ctx context.Context, h *store.Hook) error {
	was := *h
	did, err := "", c.refused
	if err == nil {
		did, err = c.settle(ctx, h)
	}
	if failed, ok := errors.AsType[*clients.Error](err); ok {
		if errors.Is(ctx.Err(), context.Canceled) {
			return ctx.Err() // shutting down
		}
		c.refuse(failed)
		if h.Problem = failed.Error(); h.State != store.HookOff {
			h.State = store.HookFailed
		}
		if was.State != h.State && c.failed == nil {
			c.failed = failed
		}
	} else if err != nil {
		return err
	}
	h.CheckedAt = c.Now()
	if did != "" {
		if c.did == nil {
			c.did = map[string][]string{}
		}
		c.did[did] = append(c.did[did], h.Event)
	}
	if h.Problem != "" && (h.State != was.State || h.URLDigest != was.URLDigest) {
		c.began = append(c.began, *h)
	}
	return nil
}

// refuse notes that a token is not taken, if that is what failed.
func (c *hookCheck) refuse(failed *clients.Error) {
	if failed.Reason == clients.Unauthorized || failed.Reason == clients.Forbidden {
		c.refused = failed
	}
}

// What is done to a registration, in words for the log.
const (
	hookRegistered = "registered"
	hookRepaired   = "repaired: it had vanished"
	hookRenewed    = "renewed: an older URL of this Milepost was there"
	hookTook       = "taken over from another tool, as allowed"
	hookDeleted    = "deleted"
)

// settle reads one registration and does what is to be done about it.
func (c *hookCheck) settle(ctx context.Context, h *store.Hook) (did string, err error) {
	now := c.Now()
	if h.State == store.HookOff {
		if h.SetAt.IsZero() && h.Problem == "" {
			return "", nil
		}
		deleted, err := c.delete(ctx, h)
		if deleted {
			did = hookDeleted
		}
		return did, err
	}
	found, registered, err := c.hero.Hook(ctx, h.Event)
	if err != nil {
		return "", err
	}
	whose, err := c.whose(ctx, found.URL)
	if err != nil {
		return "", err
	}
	ours := func() { h.State, h.Problem, h.URLDigest, h.Allowed = store.HookOurs, "", "", false }
	want := c.urls.of(h.Event)
	switch {
	case registered && sameURL(found.URL, want):
		ours()
		h.HookID, h.SeenAt = found.ID, now
		if h.SetAt.IsZero() {
			h.SetAt = now
		}
		return "", nil
	case (!registered || found.URL == "") && !h.Allowed && !h.SetAt.IsZero() && h.SeenAt.IsZero() && (registered || now.Sub(h.SetAt) < hookBlind):
		ours() // as far as is known: this server does not let it be read
		return "", nil
	case !registered && !h.SetAt.IsZero() && !h.SeenAt.IsZero():
		did = hookRepaired
	case !registered:
		did = hookRegistered
	case whose == hookOfThis:
		did = hookRenewed
	case whose == hookOfSibling:
		ours()
		h.Problem = "it arrives for another location, whose token is of the same CalendarHero account: give all of them the same token"
		return "", nil
	case h.Allowed:
		did = hookTook
	case found.URL == "":
		h.State, h.URLDigest, h.SetAt = store.HookUnknown, "", time.Time{}
		h.Problem = "something is registered there, and CalendarHero does not say what: it is left alone. To have Milepost told instead: " + c.take(h.Event)
		return "", nil
	default:
		sum := sha256.Sum256([]byte(found.URL))
		h.State, h.URLDigest, h.SetAt = store.HookForeign, hex.EncodeToString(sum[:]), time.Time{}
		h.Problem = fmt.Sprintf("another tool is told (%s): it is left alone. To have Milepost told instead: %s", hostOf(found.URL), c.take(h.Event))
		return "", nil
	}
	id, err := c.hero.SetHook(ctx, h.Event, want)
	if err != nil {
		return "", err
	}
	ours()
	h.HookID, h.SetAt = id, now
	// Once ours has been read there it is known that it can be, and that it vanished when it cannot.
	if found, registered, err = c.hero.Hook(ctx, h.Event); err == nil && registered && sameURL(found.URL, want) {
		h.SeenAt = now
	}
	return did, nil
}

// take is the command that lets an event be taken over.
func (c *hookCheck) take(event string) string {
	return fmt.Sprintf("milepost hooks take %s --event %s", c.account.Home(), event)
}

// delete ends a registration where it is ours, and notes that it is none any more.
func (c *hookCheck) delete(ctx context.Context, h *store.Hook) (deleted bool, err error) {
	found, registered, err := c.hero.Hook(ctx, h.Event)
	if err != nil {
		return false, err
	}
	whose, err := c.whose(ctx, found.URL)
	if err != nil {
		return false, err
	}
	unreadable := (!registered || found.URL == "") && !h.SetAt.IsZero() && h.SeenAt.IsZero()
	if deleted = whose == hookOfThis || unreadable; deleted {
		if err := c.hero.DeleteHook(ctx, h.Event); err != nil && clients.ReasonOf(err) != clients.NotFound {
			return false, err
		}
	}
	h.HookID, h.URLDigest, h.Problem, h.SetAt = "", "", "", time.Time{}
	return deleted, nil
}

// Whose a registered URL is.
type hookOwner int

const (
	hookOfOthers  hookOwner = iota
	hookOfThis              // of this account: an older key, event or address among them
	hookOfSibling           // of another account here that is connected: the same one, by another token
)

// whose tells it by the key in the URL. Under our own address it is ours even
// where the key is not known, as with a database that was restored.
func (c *hookCheck) whose(ctx context.Context, raw string) (hookOwner, error) {
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

// hostOf is what may be shown of another tool's URL.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || !plainHost.MatchString(u.Hostname()) {
		return "its address cannot be read"
	}
	return u.Hostname()
}

var plainHost = regexp.MustCompile(`^[A-Za-z0-9.:-]{1,253}$`) // nothing that would steer a terminal

// tell logs one line for each thing that was done, and for each kind of problem
// that began.
func (c *hookCheck) tell() {
	for _, did := range []string{hookRegistered, hookRepaired, hookRenewed, hookTook, hookDeleted} {
		if events := c.did[did]; len(events) > 0 {
			c.Logger.Info().Str("location", c.account.Home()).Strs("events", events).Msg("webhooks of CalendarHero " + did)
		}
	}
	of := map[store.HookState][]string{}
	for _, h := range c.began {
		of[h.State] = append(of[h.State], h.Event)
	}
	warn := func(state store.HookState, err error, what string) {
		if len(of[state]) > 0 {
			c.Logger.Warn().Err(err).Str("location", c.account.Home()).Strs("events", of[state]).
				Msg(what + "; what happens there is found by polling, which is slower. `milepost hooks` says what to do")
		}
	}
	warn(store.HookForeign, nil, "another tool is registered for webhooks of this CalendarHero account, and is left alone")
	warn(store.HookUnknown, nil, "it cannot be read who is registered for webhooks of this CalendarHero account")
	warn(store.HookFailed, c.failed, "webhooks of CalendarHero could not be checked or registered")
}
