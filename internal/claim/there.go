package claim

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/store"
)

// record is what a Milepost writes at HighLevel. Each write has a new token, which the
// state database keeps. So a Milepost that continues with an old copy of the database
// counts as another one.
type record struct {
	Token   string    `json:"milepost"`
	Machine string    `json:"machine,omitempty"`
	Place   string    `json:"place,omitempty"`
	Until   time.Time `json:"until"`
	Holder
}

// valueName is the custom value's name. A location may be paired with several CalendarHero
// accounts.
func (p *pair) valueName() string { return "Milepost claim " + p.Account[:min(8, len(p.Account))] }

// found is a custom value that holds a claim.
type found struct {
	id string
	record
}

// checkThere reads the claims at HighLevel, and claims the pair if it may.
func (k *Keeper) checkThere(ctx context.Context, p *pair) (*Held, error) {
	client, err := k.cfg.Client(ctx, p.Pair)
	if err != nil {
		return nil, err
	}
	release, err := k.withLease(ctx, p)
	if err != nil {
		return nil, err
	}
	defer release()
	bounded, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	held, err := k.claimThere(bounded, client, p)
	if err != nil {
		if _, ok := errors.AsType[*clients.Error](err); ok {
			err = k.unanswered(ctx, p, err)
		}
		return nil, err
	}
	if held == nil {
		p.checked, p.asked, p.unreadable, p.claimed = time.Now(), time.Time{}, false, true
	}
	return held, nil
}

// withLease keeps other processes of the same database from renewing a claim at the same
// time. On SQLite there is only one process.
func (k *Keeper) withLease(ctx context.Context, p *pair) (release func(), err error) {
	if k.cfg.Store.File() != nil {
		return func() {}, nil
	}
	lease, holder := "claim "+p.Location+" "+p.Account, rand.Text()
	now := time.Now() // the real clock, because machines share the lease
	taken, err := k.cfg.Store.Lease(ctx, lease, holder, now, now.Add(2*lookLimit))
	if err == nil && !taken {
		err = wait(time.Second, "another process is looking whether the location is worked elsewhere")
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = k.cfg.Store.Release(ctx, lease, holder) // otherwise it expires
	}, err
}

// sorted splits claims into our own, valid ones of others, and expired ones.
func sorted(claims []found, isOurs func(found) bool, now time.Time) (own, others, ended []found) {
	for _, c := range claims {
		switch {
		case isOurs(c):
			own = append(own, c)
		case c.Until.After(now):
			others = append(others, c)
		default:
			ended = append(ended, c)
		}
	}
	return own, others, ended
}

// heldBy returns the claim of the Milepost that holds the pair, unless this one may take it
// over.
func (k *Keeper) heldBy(p *pair, own, others []found) *Held {
	taking := k.cfg.TakeOver && !p.claimed
	for _, c := range others {
		switch {
		case taking:
			k.cfg.Logger.Warn().Str("location", p.Location).Str("from", c.Holder.String()).Msg("took over from another Milepost, seen at HighLevel; writing begins in a minute")
		case len(own) == 0 || !precedes(own[0], c):
			return &Held{Pair: p.Pair, By: c.Holder, Until: c.Until}
		}
	}
	return nil
}

// claimThere compares the claims at HighLevel with our own, and renews or takes it.
func (k *Keeper) claimThere(ctx context.Context, client *highlevel.Client, p *pair) (*Held, error) {
	claims, err := p.claims(ctx, client)
	if err != nil {
		return nil, err
	}
	known, err := k.cfg.Store.Claim(ctx, p.Location, p.Account)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	isOurs := func(c found) bool { return k.isOurs(c.record, known, p) }
	own, others, ended := sorted(claims, isOurs, now)
	if held := k.heldBy(p, own, others); held != nil {
		return held, nil
	}
	lastToken := "" // our token at HighLevel
	if len(own) > 0 {
		lastToken = own[0].Token
		if known.Has(lastToken) && len(claims) == 1 && own[0].Until.Sub(now) > renewAt && (p.claimed || own[0].Place == k.cfg.Place && own[0].Machine == k.here) {
			p.until = own[0].Until
			return nil, nil
		}
	} else if len(claims) > 0 { // its holder may notice late, and so may another Milepost that takes the pair now
		p.quiet = latest(p.quiet, now.Add(quietThere))
	}
	all := slices.Concat(own, ended, others)
	id := "" // the custom value to write; the others are removed
	if len(all) > 0 {
		id = all[0].id
	}
	token, err := k.renew(ctx, client, p, id, lastToken)
	if err != nil {
		return nil, err
	}
	for _, c := range all[min(1, len(all)):] {
		if err := client.DeleteCustomValue(ctx, p.Location, c.id); err != nil && clients.ReasonOf(err) != clients.NotFound {
			return nil, err
		}
	}
	if len(all) > 0 {
		return nil, nil
	}
	return k.confirm(ctx, client, p, token)
}

// precedes decides which of two claims made at the same moment wins.
func precedes(a, b found) bool { return a.id < b.id }

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// claims reads the claims of a pair.
func (p *pair) claims(ctx context.Context, client *highlevel.Client) ([]found, error) {
	values, err := client.CustomValues(ctx, p.Location)
	if err != nil {
		return nil, err
	}
	var list []found
	for _, v := range values {
		if v.Name != p.valueName() {
			continue
		}
		f := found{id: v.ID}
		_ = json.Unmarshal([]byte(v.Value), &f.record) // a value that a person changed counts as expired
		list = append(list, f)
	}
	return list, nil
}

// isOurs reports whether a claim belongs to this Milepost. The token alone proves it only
// after this process has seen the claim once: a copy of the database on another machine has
// the same token. A claim from this machine also counts as ours if we hold its lock file,
// because its Milepost is dead.
func (k *Keeper) isOurs(r record, known store.Claim, p *pair) bool {
	if p.claimed {
		return known.Has(r.Token)
	}
	return known.Has(r.Token) && r.Place == k.cfg.Place || k.here != "" && p.file != nil && r.Machine == k.here
}

// renew writes our claim with a new token, which it saves in the state database first. seen
// is the claim that it replaces.
func (k *Keeper) renew(ctx context.Context, client *highlevel.Client, p *pair, id, lastToken string) (token string, err error) {
	r := record{Token: rand.Text(), Machine: k.here, Place: k.cfg.Place, Until: time.Now().UTC().Add(lasts).Truncate(time.Second), Holder: k.self}
	r.Home = "" // not for the eyes of HighLevel's users
	text, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	if err := k.cfg.Store.SaveClaim(ctx, p.Location, p.Account, store.Claim{Token: lastToken, Next: r.Token}); err != nil {
		return "", err
	}
	if id == "" {
		_, err = client.CreateCustomValue(ctx, p.Location, p.valueName(), string(text))
	} else {
		err = client.UpdateCustomValue(ctx, p.Location, id, p.valueName(), string(text))
	}
	if err != nil {
		return "", err
	}
	p.until = r.Until
	return r.Token, k.cfg.Store.SaveClaim(context.WithoutCancel(ctx), p.Location, p.Account, store.Claim{Token: r.Token})
}

// confirm reads a new claim a second time. Two Mileposts that found no claim at the same
// moment have both made one. One of them wins, but waits until the other must have noticed,
// because the other may have read before this claim was written.
func (k *Keeper) confirm(ctx context.Context, client *highlevel.Client, p *pair, token string) (*Held, error) {
	claims, err := p.claims(ctx, client)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(claims, func(c found) bool { return c.Token == token })
	if i < 0 {
		return nil, &clients.Error{API: "HighLevel", Operation: "claim location", Subject: p.Location, Reason: clients.Invalid, Message: "what was written is not there"}
	}
	own := claims[i]
	for _, c := range slices.Delete(claims, i, i+1) {
		if precedes(own, c) {
			p.quiet = latest(p.quiet, time.Now().Add(quietThere))
			continue
		}
		if err := client.DeleteCustomValue(ctx, p.Location, own.id); err != nil {
			return nil, err
		}
		return &Held{Pair: p.Pair, By: c.Holder, Until: c.Until}, nil
	}
	return nil, nil
}

// unanswered decides whether Milepost may write if HighLevel did not answer the check.
// Nobody can take a claim of ours that has not expired, except by a take-over, which also
// needs HighLevel's answer. If the check is impossible, work continues.
func (k *Keeper) unanswered(ctx context.Context, p *pair, cause error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	failed, _ := errors.AsType[*clients.Error](cause)
	now := time.Now()
	passes := failed.Reason == clients.Unavailable || failed.Reason == clients.Unclear || failed.Reason == clients.RateLimited
	if passes && !failed.Foreign {
		if now.Before(p.until) {
			p.checked = now.Add(soon - busyEvery)
			return nil
		}
		if p.asked.IsZero() {
			p.asked = now
		}
		if now.Sub(p.asked) < unseen {
			return wait(max(soon, min(failed.RetryAfter, unseen)), "HighLevel does not say whether another Milepost works the location")
		}
	}
	p.checked = now
	if !passes {
		p.checked = now.Add(idleEvery - busyEvery) // this does not change soon
	}
	if !p.unreadable {
		p.unreadable = true
		level := zerolog.WarnLevel
		if k.blind.Swap(true) {
			level = zerolog.DebugLevel // an app without the scopes lacks them in all locations
		}
		k.cfg.Logger.WithLevel(level).Err(failed).Str("location", p.Location).
			Msg("cannot check at HighLevel whether another Milepost works this location; work continues. The check needs the scopes locations/customValues.readonly and locations/customValues.write")
	}
	return nil
}

// release removes our claim at HighLevel, unless another process of this database still
// works.
func (k *Keeper) release(ctx context.Context, p *pair) error {
	if only, err := k.cfg.Store.OnlyProcess(ctx); err != nil || !only {
		return err
	}
	client, err := k.cfg.Client(ctx, p.Pair)
	if err != nil {
		return err
	}
	known, err := k.cfg.Store.Claim(ctx, p.Location, p.Account)
	if err != nil {
		return err
	}
	claims, err := p.claims(ctx, client)
	if err != nil {
		return err
	}
	for _, c := range claims {
		if known.Has(c.Token) {
			if err := client.DeleteCustomValue(ctx, p.Location, c.id); err != nil {
				return err
			}
		}
	}
	return nil
}
