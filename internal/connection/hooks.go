package connection

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/internal/store"
)

// HookPath is where CalendarHero's webhooks go; the account's key, "/" and the
// event follow.
const HookPath = "/webhooks/calendarhero/"

const (
	hookTime   = 2 * time.Minute // for all of an account's registrations
	hookLease  = 3 * time.Minute
	hookWait   = 30 * time.Second // how long a command waits for a process that is at it
	hookBlind  = 24 * time.Hour   // after which ours is registered again where it cannot be read
	hooksLanes = 4                // accounts at once
)

// HookLocation returns the location that a webhook under a key is stored for:
// its account's home. ok is false for a key that is none, or whose account no
// active location uses. An error means that it could not be found out.
func (r *Registry) HookLocation(ctx context.Context, key string) (locationID string, ok bool, err error) {
	if !looksLikeKey(key) {
		return "", false, nil
	}
	k, ok, err := r.Store.HookKey(ctx, hookDigest(key))
	if err != nil || !ok {
		return "", false, err
	}
	list, err := r.Accounts(ctx)
	i := slices.IndexFunc(list, func(a Account) bool { return a.ID == k.Account })
	if err != nil || i < 0 {
		return "", false, err
	}
	return list[i].Home(), true, nil
}

func hookDigest(key string) string {
	sum := sha256.Sum256([]byte("milepost calendarhero key\x00" + key))
	return hex.EncodeToString(sum[:])
}

// CheckHooks sees to it that CalendarHero tells this Milepost of every event of
// each account, where no other tool is told. It reads what is registered first:
// what is missing is registered, what is ours and wrong is put right, and
// another tool's is left alone unless TakeHooks allowed it. Accounts that were
// checked within age, by whatever process, are left for later. Without a
// PublicURL it does nothing. What is wrong with an account is logged when it
// begins and kept for HookReport; the error is of the state database.
func (r *Registry) CheckHooks(ctx context.Context, age time.Duration) error {
	if r.PublicURL == "" {
		return nil
	}
	list, err := r.Accounts(ctx)
	if err != nil {
		return err
	}
	known, err := r.Store.Hooks(ctx)
	if err != nil {
		return err
	}
	of := map[string][]store.Hook{}
	for _, h := range known {
		of[h.Account] = append(of[h.Account], h)
	}
	var (
		due   = make(chan Account)
		lanes sync.WaitGroup
		mu    sync.Mutex
		errs  []error
	)
	for range hooksLanes {
		lanes.Go(func() {
			for a := range due {
				_, err := r.alone(ctx, a, 0, func(ctx context.Context, hooks []store.Hook) ([]store.Hook, error) {
					if r.checkedWithin(age, hooks) { // by another process, meanwhile
						return nil, nil
					}
					return r.register(ctx, a, hooks)
				})
				if err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			}
		})
	}
	for _, a := range list {
		if ctx.Err() == nil && !r.checkedWithin(age, of[a.ID]) {
			due <- a
		}
	}
	close(due)
	lanes.Wait()
	return errors.Join(errs...)
}

// checkedWithin reports whether every event was checked within a time.
func (r *Registry) checkedWithin(age time.Duration, hooks []store.Hook) bool {
	after := r.Now().Add(-age)
	return len(hooks) >= len(calendarhero.Events) &&
		!slices.ContainsFunc(hooks, func(h store.Hook) bool { return !h.CheckedAt.After(after) })
}

// alone does something with an account's registrations while no other process
// does, and keeps what it returns. It waits for another one at most for wait;
// with none it returns false without an error.
func (r *Registry) alone(ctx context.Context, a Account, wait time.Duration, do func(context.Context, []store.Hook) ([]store.Hook, error)) (done bool, err error) {
	name, holder := "calendarhero hooks "+a.ID, rand.Text()
	for giveUp := time.Now().Add(wait); ; {
		now := r.Now()
		taken, err := r.Store.Lease(ctx, name, holder, now, now.Add(hookLease))
		if err != nil {
			return false, err
		}
		if taken {
			break
		}
		if !time.Now().Before(giveUp) {
			return false, nil
		}
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
	kept := context.WithoutCancel(ctx) // what was done is noted
	defer func() { err = errors.Join(err, r.Store.Release(kept, name, holder)) }()
	known, err := r.Store.HooksOf(ctx, a.ID)
	if err != nil {
		return false, err
	}
	hooks := everyEvent(a, known)
	bounded, cancel := context.WithTimeout(ctx, hookTime)
	defer cancel()
	hooks, err = do(bounded, hooks)
	return true, errors.Join(err, r.Store.SaveHooks(kept, hooks...))
}

// everyEvent is what is known in the order of calendarhero.Events, with an empty
// state where nothing is.
func everyEvent(a Account, known []store.Hook) []store.Hook {
	hooks := make([]store.Hook, len(calendarhero.Events))
	for i, event := range calendarhero.Events {
		hooks[i] = store.Hook{Account: a.ID, Event: event}
		if j := slices.IndexFunc(known, func(h store.Hook) bool { return h.Event == event }); j >= 0 {
			hooks[i] = known[j]
		}
	}
	return hooks
}

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
	if err != nil || u.Hostname() == "" {
		return "its address cannot be read"
	}
	return u.Hostname()
}

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

// HookReport is what is known of an account's registrations, one of each event
// in the order of calendarhero.Events; the State is "" where none was checked yet.
type HookReport struct {
	Account
	Hooks []store.Hook
}

// HookReports lists all accounts, by their home.
func (r *Registry) HookReports(ctx context.Context) ([]HookReport, error) {
	list, err := r.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	known, err := r.Store.Hooks(ctx)
	if err != nil {
		return nil, err
	}
	of := map[string][]store.Hook{}
	for _, h := range known {
		of[h.Account] = append(of[h.Account], h)
	}
	reports := make([]HookReport, len(list))
	for i, a := range list {
		reports[i] = HookReport{Account: a, Hooks: everyEvent(a, of[a.ID])}
	}
	slices.SortFunc(reports, func(a, b HookReport) int { return cmp.Compare(a.Home(), b.Home()) })
	return reports, nil
}

// OtherHook is an event of which another tool is told now.
type OtherHook struct {
	Event string
	Host  string // of its URL, which may hold a secret; or in words why it is not known
}

// OtherHooks reads at CalendarHero which of the events TakeHooks would take away
// from another tool.
func (r *Registry) OtherHooks(ctx context.Context, a Account, events []string) (others []OtherHook, err error) {
	conn, err := r.Lookup(ctx, a.Home())
	if err != nil {
		return nil, err
	}
	c := hookCheck{Registry: r, account: a, hero: conn.CalendarHero, urls: hookURLs{public: strings.TrimSuffix(r.PublicURL, "/")}}
	for _, event := range events {
		found, registered, err := c.hero.Hook(ctx, event)
		if err != nil {
			return nil, err
		}
		whose, err := c.whose(ctx, found.URL)
		if err != nil {
			return nil, err
		}
		if registered && whose == hookOfOthers {
			others = append(others, OtherHook{event, hostOf(found.URL)})
		}
	}
	return others, nil
}

// errBusy means that another process is at an account's registrations.
var errBusy = errors.New("another process is at the webhooks of this account just now: try again in a minute")

// TakeHooks has Milepost told of events from now on, also where another tool is
// told so far, and ends a ReleaseHooks of them. It returns what became of all of
// the account's events. The permission is used up when it was made use of: a
// tool that registers itself later is left alone again.
func (r *Registry) TakeHooks(ctx context.Context, a Account, events []string) (hooks []store.Hook, err error) {
	done, err := r.alone(ctx, a, hookWait, func(ctx context.Context, known []store.Hook) ([]store.Hook, error) {
		for i := range known {
			if slices.Contains(events, known[i].Event) {
				known[i].Allowed = true
				if known[i].State == store.HookOff {
					known[i].State, known[i].Problem = "", ""
				}
			}
		}
		var err error
		hooks, err = r.register(ctx, a, known)
		return hooks, err
	})
	if err == nil && !done {
		err = errBusy
	}
	return hooks, err
}

// ReleaseHooks deletes what is ours at CalendarHero and leaves all events of the
// account alone until TakeHooks. What could not be deleted is tried again by
// CheckHooks; its Problem says why.
func (r *Registry) ReleaseHooks(ctx context.Context, a Account) (hooks []store.Hook, err error) {
	done, err := r.alone(ctx, a, hookWait, func(ctx context.Context, known []store.Hook) ([]store.Hook, error) {
		for i := range known {
			known[i].State, known[i].Allowed = store.HookOff, false
		}
		hooks = known
		_, err := r.deleteAll(ctx, a, a.Home(), hooks)
		return hooks, err
	})
	if err == nil && !done {
		err = errBusy
	}
	return hooks, err
}

// deleteAll deletes what is ours, and returns how many were. What could not be
// deleted has a Problem.
func (r *Registry) deleteAll(ctx context.Context, a Account, locationID string, hooks []store.Hook) (deleted int, err error) {
	conn, err := r.Lookup(ctx, locationID)
	if err != nil {
		return 0, err
	}
	c := hookCheck{Registry: r, account: a, hero: conn.CalendarHero, urls: hookURLs{public: strings.TrimSuffix(r.PublicURL, "/")}}
	for i := range hooks {
		h := &hooks[i]
		was, err := false, c.refused
		if err == nil {
			was, err = c.delete(ctx, h)
		}
		if was {
			deleted++
		}
		if failed, ok := errors.AsType[*clients.Error](err); ok {
			c.refuse(failed)
			h.Problem = "it could not be deleted: " + failed.Error()
		} else if err != nil {
			return deleted, err
		}
		h.CheckedAt = c.Now()
	}
	return deleted, nil
}

// LeaveHooks ends the webhooks of the account of a location that is about to
// lose its CalendarHero token, where it is the last one with that account. It
// returns what a person should know of it; "" = there was nothing to do.
func (r *Registry) LeaveHooks(ctx context.Context, locationID string) (said string, err error) {
	list, err := r.readAccounts(ctx, func(store.Connection) bool { return true })
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(list, func(a Account) bool { return slices.Contains(a.Locations, locationID) })
	if i < 0 || len(list[i].Locations) > 1 {
		return "", nil
	}
	a := list[i]
	if known, err := r.Store.HooksOf(ctx, a.ID); err != nil || len(known) == 0 {
		return "", err
	}
	var deleted, left int
	var problem string
	done, err := r.alone(ctx, a, hookWait, func(ctx context.Context, hooks []store.Hook) (_ []store.Hook, err error) {
		if deleted, err = r.deleteAll(ctx, a, locationID, hooks); err != nil {
			return nil, err
		}
		for _, h := range hooks {
			if h.Problem != "" {
				left++
				problem = cmp.Or(problem, h.Problem)
			}
		}
		return nil, r.Store.ForgetHooks(context.WithoutCancel(ctx), a.ID, hookName(a.ID))
	})
	switch {
	case err != nil:
		return "", err
	case !done:
		return "", errBusy
	case left > 0:
		return fmt.Sprintf("%d webhooks of its CalendarHero account are left there, and what they send is refused from now on (%s)", left, problem), nil
	case deleted > 0:
		return fmt.Sprintf("the %d webhooks of its CalendarHero account are deleted there", deleted), nil
	}
	return "", nil
}
