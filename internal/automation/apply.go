package automation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/riverqueue/river"

	"milepost/internal/store"
	"milepost/internal/sync"
	"milepost/mapping"
)

// ApplyPlan says what a run of an automation over the records that exist would do. It
// was rehearsed, so it holds as long as nothing changes.
type ApplyPlan struct {
	Automation string        `json:"automation"`
	State      mapping.State `json:"state"` // "" = it is deleted
	Records    int64         `json:"records"`
	Created    int           `json:"created"` // meeting requests
	Replaced   int           `json:"replaced"`
	Removed    int           `json:"removed"`
	Written    int           `json:"written"`   // other calls that write, in either system
	Unchanged  int           `json:"unchanged"` // records
	Waiting    int           `json:"waiting"`   // records that could not be told, because their sync waits or fails
	// Others is what other automations would do in the same syncs, because a change of
	// theirs has not reached these records yet.
	Others struct {
		Created, Replaced, Removed, Written int
	} `json:"others"`
	People map[string]int `json:"people"` // mails by address; personal data
}

// ErrPaused means that a paused automation has nothing to apply.
var ErrPaused = errors.New("the automation is paused, so what it made stays as it is; switch it on or off first")

// scope says which records a run of an automation is about.
func (l *Library) scope(ctx context.Context, id string) (store.ApplyScope, *mapping.Automation, error) {
	if _, err := l.Watch(ctx); err != nil {
		return store.ApplyScope{}, nil, err
	}
	v := store.ApplyScope{Automation: id}
	a := l.Set().Find(id)
	switch {
	case a == nil:
		left, err := l.store.ItemsLeft(ctx, id)
		if err != nil || left > 0 {
			return v, nil, err
		}
		if _, err := l.History(ctx, id); err != nil {
			return v, nil, fmt.Errorf("%w: %q, and nothing is there that it made", ErrUnknown, id)
		}
	case a.State == mapping.StatePaused:
		return v, a, fmt.Errorf("%s: %w", id, ErrPaused)
	case a.State == mapping.StateOn:
		return scopeOn(a), a, nil
	}
	return v, a, nil
}

// scopeOn is the scope of an automation that is on.
func scopeOn(a *mapping.Automation) store.ApplyScope {
	return store.ApplyScope{Automation: a.ID, Kind: string(a.Kind()), Meetings: a.Kind() == mapping.KindMeeting}
}

// PlanApply rehearses a run over the records that Milepost knows. progress, which may
// be nil, is told how many of how many are done.
func (l *Library) PlanApply(ctx context.Context, r Rehearsals, id, location string, progress func(done, of int64)) (*ApplyPlan, error) {
	scope, a, err := l.scope(ctx, id)
	if err != nil {
		return nil, err
	}
	scope.LocationID = location
	plan := &ApplyPlan{Automation: id, People: map[string]int{}}
	set := l.Set()
	if a != nil {
		plan.State = a.State
	}
	if a == nil || a.State == mapping.StateOff {
		set = set.Removing([]string{id})
	}
	return plan, l.rehearse(ctx, r.Rehearser(set, func(item string) bool { return mapping.AutomationOf(item) == id }), scope, plan, progress)
}

// PlanResume rehearses what a paused automation would do if it were switched on: see
// SetState.
func (l *Library) PlanResume(ctx context.Context, r Rehearsals, id string, progress func(done, of int64)) (*ApplyPlan, error) {
	e, err := l.Show(ctx, id)
	if err != nil {
		return nil, err
	}
	set, err := l.with(id, e.Text, e.Version)
	if err != nil {
		return nil, err
	}
	plan := &ApplyPlan{Automation: id, State: mapping.StateOn, People: map[string]int{}}
	return plan, l.rehearse(ctx, r.Rehearser(set, nil), scopeOn(set.Find(id)), plan, progress)
}

// PlanReplay rehearses a replay of records: what their syncs would do now, by whichever
// automation. progress is told how many of how many are done.
func (l *Library) PlanReplay(ctx context.Context, r Rehearsals, records []store.ApplyRecord, progress func(done, of int64)) (*ApplyPlan, error) {
	if _, err := l.Watch(ctx); err != nil {
		return nil, err
	}
	plan := &ApplyPlan{People: map[string]int{}, Records: int64(len(records))}
	rehearser := r.Rehearser(l.Set(), nil)
	for i, record := range records {
		said, err := rehearser.Rehearse(ctx, record.Entity, record.ContactID)
		if err != nil {
			return nil, err
		}
		plan.add(said)
		progress(int64(i+1), plan.Records)
	}
	return plan, nil
}

// rehearse adds to a plan what the syncs of all records of a scope would do.
func (l *Library) rehearse(ctx context.Context, rehearser *sync.Rehearser, scope store.ApplyScope, plan *ApplyPlan, progress func(done, of int64)) (err error) {
	if plan.Records, err = l.store.CountApply(ctx, scope); err != nil {
		return err
	}
	const page = 200
	for done, last := int64(0), (store.Entity{}); ; {
		list, err := l.store.ApplyPage(ctx, scope, last, page)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return nil
		}
		for _, record := range list {
			said, err := rehearser.Rehearse(ctx, record.Entity, record.ContactID)
			if err != nil {
				return err
			}
			plan.add(said)
			if done++; progress != nil {
				progress(done, plan.Records)
			}
		}
		last = list[len(list)-1].Entity
	}
}

// add counts what the sync of one record would do.
func (p *ApplyPlan) add(said *sync.Rehearsal) {
	created, replaced, removed, written := said.Changed(p.Automation)
	p.Created, p.Replaced, p.Removed, p.Written = p.Created+created, p.Replaced+replaced, p.Removed+removed, p.Written+written
	allCreated, allReplaced, allRemoved, allWritten := said.Changed("")
	p.Others.Created += allCreated - created
	p.Others.Replaced += allReplaced - replaced
	p.Others.Removed += allRemoved - removed
	p.Others.Written += allWritten - written
	switch {
	case said.Waits != "":
		p.Waiting++
	case len(said.Calls) == 0:
		p.Unchanged++
	}
	for _, m := range said.Mails {
		p.People[m.To]++
	}
}

// Apply begins a run of an automation over the records that exist. Of one that is off
// or deleted it removes what it made, from now on; of one that is on, it brings all
// records in step. A running Milepost works it below live work, a page at a time.
// The person was told whom it mails: see PlanApply.
func (l *Library) Apply(ctx context.Context, id, location string, by By) (store.Apply, error) {
	scope, a, err := l.scope(ctx, id)
	if err != nil {
		return store.Apply{}, err
	}
	scope.LocationID = location
	run := store.Apply{Automation: id, By: by.Who, AskedAt: l.now(), LocationID: location, State: store.ApplyRunning}
	if run.Total, err = l.store.CountApply(ctx, scope); err != nil {
		return run, err
	}
	var invites []string
	if a == nil || a.State == mapping.StateOff {
		if err := l.agree(ctx, store.AutomationRemoval{ID: id, By: by.Who, At: l.now()}); err != nil {
			return run, err
		}
	} else {
		for _, r := range l.Set().InvitesOthers() {
			if mapping.AutomationOf(r.Key) == id {
				invites = append(invites, r.Key)
			}
		}
	}
	return run, l.store.StartApply(ctx, run, invites)
}

// catchUp begins a run for an automation that was paused. Requests that its owner has
// stay with the owner until a person agrees.
func (l *Library) catchUp(ctx context.Context, id string, by By) (store.Apply, error) {
	scope, _, err := l.scope(ctx, id)
	if err != nil {
		return store.Apply{}, err
	}
	run := store.Apply{Automation: id, By: by.Who, AskedAt: l.now()}
	if run.Total, err = l.store.CountApply(ctx, scope); err != nil {
		return run, err
	}
	return run, l.store.StartApply(ctx, run, nil)
}

// agree notes that what an automation made is removed.
func (l *Library) agree(ctx context.Context, v store.AutomationRemoval) error {
	for {
		n, err := l.store.AutomationChanges(ctx)
		if err != nil {
			return err
		}
		err = l.store.EditAutomations(ctx, store.AutomationEdit{Expect: n, Agreed: []store.AutomationRemoval{v}})
		if !errors.Is(err, store.ErrAutomationsChanged) {
			if err == nil {
				_, err = l.Reload(ctx)
			}
			return err
		}
	}
}

// Progress returns the last run of an automation; ok is false where there was none.
func (l *Library) Progress(ctx context.Context, id string) (run store.Apply, ok bool, err error) {
	return l.store.ApplyOf(ctx, id)
}

// CancelApply ends the run of an automation, and reports whether one was running. What
// it has reached stays as it is.
func (l *Library) CancelApply(ctx context.Context, id string) (was bool, err error) {
	return l.store.CancelApply(ctx, id, l.now())
}

const (
	applyPage = 50
	// applySettle is how long a run waits for every process to load what it is about:
	// see Watch.
	applySettle = 3 * time.Second
	applyPause  = time.Second // between two looks whether a page is done
)

// Register adds the worker of runs. real is how long a wait really takes; nil = as
// long as it says.
func (l *Library) Register(workers *river.Workers, real func(time.Duration) time.Duration) {
	if real == nil {
		real = func(d time.Duration) time.Duration { return d }
	}
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, job *river.Job[store.ApplyArgs]) error {
		run, ok, err := l.store.ApplyOf(ctx, job.Args.Automation)
		if err != nil {
			return err
		}
		if left := applySettle - l.now().Sub(run.AskedAt); ok && run.Page == 0 && 0 < left && left <= applySettle {
			return river.JobSnooze(real(left))
		}
		scope := store.ApplyScope{Automation: job.Args.Automation, Replay: store.ReplayOf(job.Args.Automation)}
		if scope.Replay == 0 {
			scope, _, err = l.scope(ctx, job.Args.Automation)
		}
		if errors.Is(err, ErrPaused) || errors.Is(err, ErrUnknown) { // since it began
			_, err = l.store.CancelApply(ctx, job.Args.Automation, l.now())
		}
		if err != nil {
			return err
		}
		wait, done, err := l.store.ContinueApply(ctx, job, scope, applyPage, l.now())
		switch {
		case err != nil:
			return err
		case done && ok && scope.Replay > 0:
			l.logger.Info().Int64("replay", scope.Replay).Int64("records", run.Queued).Msg("webhooks replayed")
			return nil
		case done && ok:
			l.logger.Info().Str("automation", job.Args.Automation).Int64("records", run.Queued).Msg("automation applied")
			return nil
		case done:
			return nil
		case wait:
			return river.JobSnooze(real(applyPause))
		}
		return river.JobSnooze(real(applyPause / 10))
	}))
}

// Names lists up to n of the people that a plan mails, and how many there are more.
func (p *ApplyPlan) Names(n int) (some []string, more int) {
	for address := range p.People {
		some = append(some, address)
	}
	slices.Sort(some)
	if len(some) > n {
		return some[:n], len(some) - n
	}
	return some, 0
}
