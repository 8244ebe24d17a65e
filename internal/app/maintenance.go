package app

import (
	"context"
	"errors"
	"time"

	"milepost/internal/connection"
	"milepost/internal/outage"
	"milepost/internal/store"
)

// repeat runs a task after a while, and again after the time that it returns
// each time, until ctx ends.
func repeat(ctx context.Context, first time.Duration, task func(context.Context) (next time.Duration)) {
	timer := time.NewTimer(first)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(task(ctx))
	}
}

// report logs how a task ended; its end by ctx is no failure.
func report(ctx context.Context, outages *outage.Log, err error) {
	switch {
	case err == nil:
		outages.Succeeded()
	case ctx.Err() == nil:
		outages.Failed(err)
	}
}

// watchSettings reads what a person set in the console, in this process or another one.
func (a *App) watchSettings(ctx context.Context) (next time.Duration) {
	report(ctx, a.watchingSettings, a.connections.ReadSettings(ctx))
	return time.Second
}

// prune deletes webhooks that no vendor can send again, what is known of older
// ones, items that are long gone, and what happened long ago.
func (a *App) prune(ctx context.Context) (next time.Duration) {
	n, err := a.inbox.Prune(ctx, a.clock.Now().Add(-inboxKept))
	for _, old := range []struct {
		prune func(context.Context, time.Time) (int64, error)
		kept  time.Duration
	}{
		{a.store.PruneDeliveries, deliveriesKept},
		{a.store.PruneConsidered, deliveriesKept},
		{a.store.PruneMeetings, deliveriesKept},
		{a.store.PruneItems, removedKept},
		{a.store.PruneTimeline, timelineKept},
		{a.store.PruneAudit, auditKept},
		{a.store.PruneWaits, deliveriesKept},
		{a.store.PruneCauses, deliveriesKept},
		{a.store.PruneReplays, deliveriesKept},
		{a.store.PruneAlerts, alertsKept},
		{a.store.PruneCalls, store.CallsKept},
	} {
		m, pruneErr := old.prune(ctx, a.clock.Now().Add(-old.kept))
		n, err = n+m, errors.Join(err, pruneErr)
	}
	err = errors.Join(err, a.store.PruneLeases(ctx, a.clock.Now()))
	report(ctx, a.pruning, err)
	if err == nil && n > 0 {
		return time.Second // there may be more; the inbox must not stall meanwhile
	}
	return time.Hour
}

// watchAutomations loads automations that a person changed, in this process or
// another one.
func (a *App) watchAutomations(ctx context.Context) (next time.Duration) {
	changed, err := a.automations.Watch(ctx)
	if err == nil && changed {
		a.logger.Info().Int("automations", len(a.automations.Set().Automations())).Msg("automations loaded")
		err = a.logInvites(ctx)
	}
	report(ctx, a.watching, err)
	return time.Second
}

// askDue asks for the records of which the clock changes what they ask for.
func (a *App) askDue(ctx context.Context) (next time.Duration) {
	n, err := a.store.AskDue(ctx, a.clock.Now())
	report(ctx, a.asking, err)
	if err == nil && n > 0 {
		return 0 // there may be more
	}
	return max(a.clock.Real(time.Second), 50*time.Millisecond)
}

const (
	clockEvery   = time.Second
	clockHealing = time.Minute
	clockJump    = time.Second // less than this is not worth a line
)

// watchClock is a task that notices when the clock is put back or jumps forward.
// Once a minute, and at once after it was put back, it takes back what a clock that
// was ahead noted: another process, or this one before it was started, may have had it.
func (a *App) watchClock() func(context.Context) (next time.Duration) {
	var last, healed, started time.Time // started by the monotonic clock, last by the workers'
	return func(ctx context.Context) (next time.Duration) {
		machine, now := time.Now(), a.clock.Now().Round(0)
		back := healed.IsZero() // or it was put back before this process was started
		heal := back || machine.Sub(healed) >= clockHealing
		if !last.IsZero() {
			// By the machine's time, since the two readings lie a moment apart.
			switch by := a.clock.Real(now.Sub(last)) - machine.Sub(started); {
			case by < -clockJump:
				a.logger.Warn().Str("by", (-by).Round(time.Millisecond).String()).Msg("clock was put back")
				heal, back = true, true
			case by > clockJump:
				a.logger.Info().Str("by", by.Round(time.Millisecond).String()).Msg("clock jumped forward")
			}
		}
		last, started = now, machine
		if !heal {
			return clockEvery
		}
		healed = machine
		jobs, err := a.store.ClockPutBack(ctx, now, a.every)
		if back && err == nil {
			err = a.store.SyncedAhead(ctx, now)
		}
		switch {
		case err != nil && ctx.Err() == nil:
			a.logger.Error().Err(err).Msg("could not reschedule the jobs of a clock that was ahead; retrying in 1m")
		case jobs > 0:
			a.logger.Warn().Int64("jobs", jobs).Msg("jobs were scheduled by a clock that was ahead; they are due now")
		}
		return clockEvery
	}
}

// scrubFiles removes what was erased from the files of both databases.
func (a *App) scrubFiles(ctx context.Context) error {
	return errors.Join(a.inbox.Scrub(ctx), a.store.Scrub(ctx))
}

// queueReconciliations sees to it that each connected location is reconciled,
// those too that another process or a command connected.
func (a *App) queueReconciliations(ctx context.Context) (next time.Duration) {
	list, err := a.store.Connections(ctx)
	var ids []string
	for _, c := range list {
		if c.State == store.ConnectionActive {
			ids = append(ids, c.LocationID)
		}
	}
	if err == nil {
		err = a.store.QueueReconciliations(ctx, ids)
	}
	var accounts []connection.Account
	if err == nil {
		accounts, err = a.connections.Accounts(ctx)
	}
	if err == nil {
		ids = ids[:0]
		for _, account := range accounts {
			ids = append(ids, account.ID)
		}
		err = a.store.QueuePolls(ctx, ids)
	}
	report(ctx, a.queueing, err)
	return max(a.clock.Real(time.Minute), time.Second)
}

// hooksEvery is how often CalendarHero is asked whether its webhooks still come here.
const hooksEvery = 15 * time.Minute

// checkHooks is a task that looks at once at the webhooks of all CalendarHero
// accounts, then every hooksEvery, at those of a new account within a minute,
// and at what failed when it is to be tried again.
func (a *App) checkHooks() func(context.Context) (next time.Duration) {
	age := time.Duration(0)
	return func(ctx context.Context) (next time.Duration) {
		next, err := a.connections.CheckHooks(ctx, age)
		report(ctx, a.hooking, err)
		age = hooksEvery
		return max(a.clock.Real(next), time.Second)
	}
}

// warnOfOldTokens says once a day which Private Integration Tokens should be rotated.
func (a *App) warnOfOldTokens(ctx context.Context) (next time.Duration) {
	if err := a.connections.WarnOfOldTokens(ctx); err != nil && ctx.Err() == nil {
		a.logger.Error().Err(err).Msg("could not read the age of the tokens")
	}
	return 24 * time.Hour
}
