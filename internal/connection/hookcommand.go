package connection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/internal/order"
	"milepost/internal/store"
)

// HookReport lists an account's registrations, one for each event in the order of
// calendarhero.Events. The State is "" if Milepost has not checked it yet.
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
	of, err := r.hooksByAccount(ctx)
	if err != nil {
		return nil, err
	}
	reports := make([]HookReport, len(list))
	for i, a := range list {
		reports[i] = HookReport{Account: a, Hooks: everyEvent(a, of[a.ID])}
	}
	order.By(reports, func(a, b HookReport) int { return cmp.Compare(a.Home(), b.Home()) })
	return reports, nil
}

// OtherHook is an event that another tool receives now, or may receive.
type OtherHook struct {
	Event  string
	Host   string // of its URL, which may hold a secret; or why the host is unknown
	Unread string // why Milepost cannot read the registration; "" = it can
}

// OtherHooks reads at CalendarHero which of the events TakeHooks would take away
// from another tool, or might, because CalendarHero does not say.
func (r *Registry) OtherHooks(ctx context.Context, a Account, events []string) (others []OtherHook, err error) {
	conn, err := r.Lookup(ctx, a.Home())
	if err != nil {
		return nil, err
	}
	c := hookCheck{Registry: r, account: a, hero: conn.CalendarHero, urls: hookURLs{public: r.Address()}}
	known, err := r.Store.HooksOf(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	for _, h := range everyEvent(a, known) {
		if !slices.Contains(events, h.Event) {
			continue
		}
		other, is, err := c.other(ctx, &h)
		if err != nil {
			return nil, err
		}
		if is {
			others = append(others, other)
		}
	}
	return others, nil
}

// other reads a registration, and reports whether it is another tool's, or may be.
func (c *hookCheck) other(ctx context.Context, h *store.Hook) (_ OtherHook, is bool, err error) {
	var found calendarhero.Hook
	var registered bool
	if c.stop == nil {
		var failed error
		found, registered, failed = c.read(ctx, h.Event)
		switch {
		case failed == nil:
			c.pass(h)
		case c.unread == nil || refused(c.unread) || ctx.Err() != nil:
			return OtherHook{}, false, failed
		default:
			c.fail(h, c.unread)
		}
	}
	switch {
	case c.unread != nil:
		return OtherHook{Event: h.Event, Unread: c.unread.Error()}, true, nil //nolint:nilerr // what could not be read is part of the answer
	case (!registered || found.URL == "") && h.Unverifiable():
		return OtherHook{Event: h.Event, Unread: "CalendarHero does not show the registration"}, true, nil
	}
	owner, err := c.ownerOf(ctx, found.URL)
	return OtherHook{Event: h.Event, Host: hostOf(found.URL)}, registered && owner == hookOfOthers, err
}

// errBusy means that another process works on an account's registrations.
var errBusy = errors.New("another process is changing the webhooks of this account, or stopped while it did: retry in three minutes")

// TakeHooks registers Milepost for events, even if another tool is registered or that cannot
// be read, and ends an earlier ReleaseHooks of them. It returns the state of all the
// account's events. It replaces another tool's registration only once: if that tool
// registers again later, Milepost leaves it alone.
func (r *Registry) TakeHooks(ctx context.Context, a Account, events []string) (hooks []store.Hook, err error) {
	done, err := r.withHookLease(ctx, a, hookWait, func(ctx context.Context, known []store.Hook) ([]store.Hook, error) {
		for i := range known {
			if slices.Contains(events, known[i].Event) {
				known[i].Allowed = true
				if known[i].State == store.HookOff {
					known[i].State, known[i].Problem, known[i].FailedAt = "", "", time.Time{}
				}
			}
		}
		var err error
		hooks, err = r.register(ctx, a, known, everyHook)
		return hooks, err
	})
	if err == nil && !done {
		err = errBusy
	}
	return hooks, err
}

// ReleaseHooks deletes our registrations at CalendarHero, revokes the key in their URLs, and
// leaves all events of the account alone until TakeHooks, which makes a new key. If a
// registration cannot be read, it may be another tool's by now, so ReleaseHooks deletes it
// only if unread allows it. CheckHooks retries a failed delete; its Problem says why.
func (r *Registry) ReleaseHooks(ctx context.Context, a Account, unread bool) (hooks []store.Hook, err error) {
	done, err := r.withHookLease(ctx, a, hookWait, func(ctx context.Context, known []store.Hook) ([]store.Hook, error) {
		for i := range known {
			known[i].State, known[i].Allowed, known[i].FailedAt = store.HookOff, unread, time.Time{}
		}
		hooks = known
		if _, err := r.deleteAll(ctx, a, a.Home(), hooks); err != nil {
			return hooks, err
		}
		return hooks, r.Store.EndHookKeys(ctx, a.ID, hookName(a.ID), r.Now())
	})
	if err == nil && !done {
		err = errBusy
	}
	return hooks, err
}

// deleteAll deletes our registrations, and returns how many. If a delete fails, it has a Problem.
func (r *Registry) deleteAll(ctx context.Context, a Account, locationID string, hooks []store.Hook) (deleted int, err error) {
	conn, err := r.Lookup(ctx, locationID)
	if err != nil {
		return 0, err
	}
	c := hookCheck{Registry: r, account: a, hero: conn.CalendarHero, urls: hookURLs{public: r.Address()}}
	for i := range hooks {
		h := &hooks[i]
		was, err := false, error(c.stop)
		if c.stop == nil {
			was, err = c.delete(ctx, h)
		}
		if was {
			deleted++
		}
		if failed, ok := errors.AsType[*clients.Error](err); ok {
			h.State = store.HookOff
			c.fail(h, failed)
		} else if err != nil {
			return deleted, err
		} else {
			c.pass(h)
		}
	}
	return deleted, nil
}

// dropAccount calls drop, which deletes the CalendarHero token of a location. If no
// other location has the account, it deletes our webhooks there first. It calls drop
// even if that fails. said tells a person what is left to do; "" = nothing.
func (r *Registry) dropAccount(ctx context.Context, locationID string, drop func() error) (said string, err error) {
	var of departure
	a, last, err := r.lastWithHooks(ctx, locationID)
	if err == nil && last {
		err = r.leaveHooks(ctx, a, locationID, drop, &of)
	}
	switch {
	case err != nil && of.dropped:
		return "", err
	case !of.dropped:
		return of.said(err), drop()
	}
	return of.said(nil), nil
}

// departure is the state in which the webhooks of an account were left.
type departure struct {
	deleted, left, unread int
	problem               string // of one that is left
	dropped               bool   // the token
}

// leaveHooks deletes the webhooks of an account, and drops its token.
func (r *Registry) leaveHooks(ctx context.Context, a Account, locationID string, drop func() error, of *departure) error {
	done, err := r.withHookLease(ctx, a, hookWait, func(ctx context.Context, hooks []store.Hook) (_ []store.Hook, err error) {
		for i := range hooks {
			if hooks[i].Allowed = true; hooks[i].Unverifiable() {
				of.unread++
			}
		}
		if of.deleted, err = r.deleteAll(ctx, a, locationID, hooks); err != nil {
			return nil, err
		}
		for _, h := range hooks {
			if h.Problem != "" {
				of.left++
				of.problem = cmp.Or(of.problem, h.Problem)
			}
		}
		of.dropped = true
		if err := drop(); err != nil { // before another process can register again
			return nil, err
		}
		return nil, r.Store.ForgetHooks(context.WithoutCancel(ctx), a.ID, hookName(a.ID))
	})
	if err == nil && !done {
		err = errBusy
	}
	return err
}

// said is what a person should know of a departure; "" = nothing.
func (of departure) said(err error) (said string) {
	switch {
	case err != nil:
		said = "Milepost could not delete the webhooks of its CalendarHero account, and rejects what they send: " + err.Error()
	case of.left > 0:
		said = fmt.Sprintf("%d webhooks of its CalendarHero account remain there, and Milepost rejects what they send: %s", of.left, of.problem)
	case of.deleted > 0:
		said = fmt.Sprintf("deleted the %d webhooks of its CalendarHero account", of.deleted)
	}
	if of.deleted > 0 && of.unread > 0 {
		said += fmt.Sprintf("; Milepost could not read %d of them: a tool that registered there since must register again", of.unread)
	}
	return said
}

// lastWithHooks returns the account of a location if no other location uses it and it has,
// or may soon have, registered webhooks; else false.
func (r *Registry) lastWithHooks(ctx context.Context, locationID string) (a Account, last bool, err error) {
	list, err := r.readAccounts(ctx, func(store.Connection) bool { return true })
	i := slices.IndexFunc(list, func(a Account) bool { return slices.Contains(a.Locations, locationID) })
	if err != nil || i < 0 || len(list[i].Locations) > 1 {
		return Account{}, false, err
	}
	known, err := r.Store.HooksOf(ctx, list[i].ID)
	if err != nil || len(known) > 0 {
		return list[i], len(known) > 0, err
	}
	key, err := r.Store.Secret(ctx, hookName(list[i].ID)) // they are just being registered
	return list[i], key != "", err
}
