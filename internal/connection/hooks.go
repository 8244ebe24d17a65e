package connection

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"time"

	"milepost/clients/calendarhero"
	"milepost/internal/store"
)

// HookPath is where CalendarHero's webhooks go; the account's key, "/" and the
// event follow.
const HookPath = "/webhooks/calendarhero/"

const (
	hookTime         = 2 * time.Minute // for all of an account's registrations
	hookLease        = 3 * time.Minute
	hookWait         = 30 * time.Second // how long a command waits for a process that is at it
	hookUnverifiable = 24 * time.Hour   // after which ours is registered again where it cannot be read
	hooksLanes       = 4                // accounts at once

	// Milepost retries a failure after three times as long as it has lasted, within these
	// bounds: at 15 s, 1 min, 4 min, 16 min, and then every quarter of an hour.
	hookSoonest = 15 * time.Second
	hookLatest  = 15 * time.Minute
	// hookFarthest is the longest wait that a vendor's Retry-After asks for. A stored time
	// further ahead comes from a clock that was put back since.
	hookFarthest = 24 * time.Hour
	hookSlack    = 5 * time.Second // what is due so soon is done with the rest of its account
	hookWake     = time.Minute     // after which a new account is looked for
)

// HookLocation returns the location for which Milepost stores a webhook under a key: the
// account's home. ok is false if the key is unknown, or no active location uses its account.
// An error means that HookLocation could not find out.
func (r *Registry) HookLocation(ctx context.Context, key string) (locationID string, ok bool, err error) {
	if !isKey(key) {
		return "", false, nil
	}
	k, ok, err := r.Store.HookKey(ctx, hookDigest(key))
	if err != nil || !ok || !k.EndedAt.IsZero() {
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

// CheckHooks registers this Milepost for every event of each CalendarHero account
// that no other tool has registered. It first reads the registrations. It
// registers missing ones and corrects Milepost's own. It leaves another tool's
// alone, unless TakeHooks allowed to replace it.
//
// It skips what any process has checked within age, and what failed and is not
// yet due for a retry. Without a PublicURL it does nothing. It logs a
// problem of an account when it begins, and keeps it for HookReports. An error
// comes from the state database. next is how long to wait before the next check,
// at most a minute.
func (r *Registry) CheckHooks(ctx context.Context, age time.Duration) (next time.Duration, err error) {
	if r.Address() == "" {
		return hookWake, nil
	}
	list, err := r.Accounts(ctx)
	if err != nil {
		return hookWake, err
	}
	of, err := r.hooksByAccount(ctx)
	if err != nil {
		return hookWake, err
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
				_, err := r.withHookLease(ctx, a, 0, func(ctx context.Context, hooks []store.Hook) ([]store.Hook, error) {
					return r.register(ctx, a, hooks, r.due(age, hookSlack)) // what another process did not, meanwhile
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
		if ctx.Err() == nil && slices.ContainsFunc(everyEvent(a, of[a.ID]), r.due(age, 0)) {
			due <- a
		}
	}
	close(due)
	lanes.Wait()
	of, err = r.hooksByAccount(ctx)
	return r.nextCheck(list, of), errors.Join(append(errs, err)...)
}

// nextCheck returns how long to wait before the next check of the accounts' webhooks.
func (r *Registry) nextCheck(list []Account, of map[string][]store.Hook) time.Duration {
	next := hookWake
	for _, a := range list {
		for _, h := range of[a.ID] {
			if h.NextAt.IsZero() {
				continue
			}
			wait := h.NextAt.Sub(r.Now())
			if wait <= 0 { // it was left to another process
				wait = hookSoonest
			}
			next = min(next, wait)
		}
	}
	return next
}

// due returns the registrations to check now or within slack: those that nobody checked
// within age, and those that failed and are due for a retry.
func (r *Registry) due(age, slack time.Duration) func(store.Hook) bool {
	now := r.Now().Add(slack)
	return func(h store.Hook) bool {
		if !h.NextAt.IsZero() {
			return !now.Before(h.NextAt) || h.NextAt.Sub(now) > hookFarthest
		}
		return !h.CheckedAt.After(now.Add(-age)) || h.CheckedAt.After(now.Add(time.Minute)) // the clock was put back
	}
}

// hooksByAccount returns all stored registrations.
func (r *Registry) hooksByAccount(ctx context.Context) (map[string][]store.Hook, error) {
	known, err := r.Store.Hooks(ctx)
	of := map[string][]store.Hook{}
	for _, h := range known {
		of[h.Account] = append(of[h.Account], h)
	}
	return of, err
}

// withHookLease calls do with an account's registrations and saves what do returns,
// under a lease that keeps other processes out. It waits for the lease for at most
// wait. If wait is 0 and another process has the lease, done is false.
func (r *Registry) withHookLease(ctx context.Context, a Account, wait time.Duration, do func(context.Context, []store.Hook) ([]store.Hook, error)) (done bool, err error) {
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

// everyEvent returns the states in the order of calendarhero.Events, with an empty one if
// nothing is stored.
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
