package operate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"milepost/internal/automation"
	"milepost/internal/store"
	"milepost/mapping"
)

// SetState switches an automation on or off, or pauses it. One that was paused and is
// on again catches up with all records.
func (d *Desk) SetState(ctx context.Context, who, id string, state mapping.State, why string) (automation.Change, error) {
	made, err := d.Automations.SetState(ctx, id, state, automation.By{Who: who, Why: why})
	return made, d.changed(ctx, who, "switched to "+string(state), err, made)
}

// SwitchState is SetState for a person who sees first what it does. A paused automation that
// is switched on catches up with all records. So that is counted first, counting is true, and
// nothing changes yet: counted is when the count began that the person saw, zero = none was.
func (d *Desk) SwitchState(ctx context.Context, who, id string, state mapping.State, why string, counted time.Time) (made automation.Change, counting bool, err error) {
	now, err := d.Automations.Show(ctx, id)
	switch {
	case err != nil:
		return made, false, err
	case now.State != mapping.StatePaused || state != mapping.StateOn:
		made, err = d.SetState(ctx, who, id, state, why)
		return made, false, err
	case counted.IsZero():
		made = automation.Change{ID: id, What: "counting", State: now.State, Version: now.Version}
		return made, true, d.StartPlan(context.WithoutCancel(ctx), id)
	}
	made, err = d.applyCounted(ctx, who, id, why, counted)
	return made, false, err
}

// changed notes changes of automations, but for those that changed nothing.
func (d *Desk) changed(ctx context.Context, who, what string, err error, changes ...automation.Change) error {
	if err != nil {
		return err
	}
	var list []store.AuditEntry
	for _, made := range changes {
		e := store.AuditEntry{At: d.Now(), Who: who, What: what, Subject: fmt.Sprintf("version %d of the automation %s", made.Version, made.ID)}
		switch made.What {
		case "unchanged":
			continue
		case "deleted":
			e.What, e.Subject = "deleted", "automation "+made.ID
		case "draft saved":
			e.What, e.Subject = "saved", "a draft of the automation "+made.ID
		}
		list = append(list, e)
	}
	return d.Store.Audit(ctx, list...)
}

// Restore makes an earlier version of an automation live again.
func (d *Desk) Restore(ctx context.Context, who, id string, version int64, why string) (automation.Change, error) {
	made, err := d.Automations.Restore(ctx, id, version, automation.By{Who: who, Why: why})
	return made, d.changed(ctx, who, fmt.Sprintf("restored version %d as", version), err, made)
}

// Import saves the automations of a file, or with draft makes each of them a draft. With
// replace, those that are not in the file are deleted.
func (d *Desk) Import(ctx context.Context, who, name string, data []byte, draft, replace bool, why string) ([]automation.Change, error) {
	by := automation.By{Who: who, Why: why}
	if draft {
		made, err := d.Automations.ImportDrafts(ctx, name, data, by)
		return made, d.changed(ctx, who, "saved", err, made...)
	}
	made, err := d.Automations.Import(ctx, name, data, replace, by)
	return made, d.changed(ctx, who, "imported", err, made...)
}

// Delete deletes an automation. What it made stays, and its versions can be restored.
func (d *Desk) Delete(ctx context.Context, who, id, why string) (automation.Change, error) {
	made, err := d.Automations.Delete(ctx, id, automation.By{Who: who, Why: why})
	return made, d.changed(ctx, who, "deleted", err, made)
}

// ErrChangedSince means that somebody else changed an automation while it was edited.
var ErrChangedSince = errors.New("somebody changed this automation since you opened it")

// Save makes a text the live version of an automation, or with draft its draft. base
// is the newest version that the editor has seen.
func (d *Desk) Save(ctx context.Context, who, id, text, why string, base int64, draft bool) error {
	now, err := d.Automations.Show(ctx, id)
	switch {
	case err != nil:
		return err
	case max(now.Version, now.Draft) != base:
		return ErrChangedSince
	}
	by := automation.By{Who: who, Why: why}
	if !draft {
		made, err := d.Automations.Save(ctx, id, text, by)
		return d.changed(ctx, who, "saved", err, made)
	}
	f, err := automation.ReadFile("draft", []byte(text))
	if err != nil {
		return err
	}
	if list := f.Set.Automations(); len(list) == 1 && list[0].ID != id {
		return automation.Refused(fmt.Sprintf("the id of the automation would change from %s to %s; write id: %s into it", id, list[0].ID, id))
	}
	made, err := d.Automations.SaveDraft(ctx, text, by)
	return d.changed(ctx, who, "saved", err, made)
}

// Publish makes the draft of an automation live.
func (d *Desk) Publish(ctx context.Context, who, id, why string) (automation.Change, error) {
	made, err := d.Automations.Publish(ctx, id, automation.By{Who: who, Why: why})
	return made, d.changed(ctx, who, "published", err, made)
}

// DiscardDraft drops the draft of an automation.
func (d *Desk) DiscardDraft(ctx context.Context, who, id, why string) (automation.Change, error) {
	made, err := d.Automations.DiscardDraft(ctx, id, automation.By{Who: who, Why: why})
	if err != nil {
		return made, err
	}
	return made, d.note(ctx, who, "discarded", "the draft of the automation "+id)
}

// Planning is a rehearsal of a run of an automation over the records that exist. It
// takes as long as it takes to read the records.
type Planning struct {
	Begun    time.Time
	Ended    time.Time // zero = it is under way
	Version  int64     // of the automation
	State    mapping.State
	Done, Of int64                 // records
	Plan     *automation.ApplyPlan // nil = it is under way, or it failed
	Failed   error
}

// plans are the newest rehearsals, by automation. They are lost when Milepost ends.
type plans struct {
	mu sync.Mutex
	of map[string]*Planning
}

const (
	longestPlan = 30 * time.Minute
	// planHolds is how long a plan may be acted on.
	planHolds = 15 * time.Minute
)

// StartPlan begins to rehearse a run, unless a rehearsal of the same is under way. Of a
// paused automation it rehearses what happens if that is switched on.
func (d *Desk) StartPlan(ctx context.Context, id string) error {
	now, err := d.Automations.Show(ctx, id)
	if err != nil {
		return err
	}
	d.plans.mu.Lock()
	defer d.plans.mu.Unlock()
	if p := d.plans.of[id]; p != nil && p.Ended.IsZero() && p.Version == now.Version {
		return nil
	}
	if d.plans.of == nil {
		d.plans.of = map[string]*Planning{}
	}
	p := &Planning{Begun: d.Now(), Version: now.Version, State: now.State}
	d.plans.of[id] = p
	ctx, cancel := d.background(ctx)
	go func() {
		defer cancel()
		progress := func(done, of int64) {
			d.plans.mu.Lock()
			defer d.plans.mu.Unlock()
			p.Done, p.Of = done, of
		}
		var plan *automation.ApplyPlan
		var err error
		if now.State == mapping.StatePaused {
			plan, err = d.Automations.PlanResume(ctx, d.Rehearsals, id, progress)
		} else {
			plan, err = d.Automations.PlanApply(ctx, d.Rehearsals, id, "", progress)
		}
		d.plans.mu.Lock()
		defer d.plans.mu.Unlock()
		p.Plan, p.Failed, p.Ended = plan, err, d.Now()
	}()
	return nil
}

// Plan returns the newest rehearsal of an automation as it stands; ok is false if there
// is none, or if it does not hold any more.
func (d *Desk) Plan(ctx context.Context, id string) (p Planning, ok bool, err error) {
	now, err := d.Automations.Show(ctx, id)
	if err != nil {
		return p, false, err
	}
	d.plans.mu.Lock()
	defer d.plans.mu.Unlock()
	found := d.plans.of[id]
	if found == nil || found.Version != now.Version || found.State != now.State || !found.Ended.IsZero() && d.Now().Sub(found.Ended) > planHolds {
		return p, false, nil
	}
	return *found, true, nil
}

// ErrNoPlan means that a run was not rehearsed, or that its rehearsal does not hold
// any more.
var ErrNoPlan = errors.New("the automation was changed since this was counted, or it was counted too long ago")

// ApplyCounted begins the run that was rehearsed at a time: see StartPlan. A paused
// automation is switched on, and catches up.
func (d *Desk) ApplyCounted(ctx context.Context, who, id string, begun time.Time) error {
	_, err := d.applyCounted(ctx, who, id, "", begun)
	return err
}

func (d *Desk) applyCounted(ctx context.Context, who, id, why string, begun time.Time) (made automation.Change, err error) {
	p, ok, err := d.Plan(ctx, id)
	if err != nil {
		return made, err
	}
	if !ok || p.Plan == nil || !p.Begun.Equal(begun) {
		return made, ErrNoPlan
	}
	if p.State == mapping.StatePaused {
		made, err = d.SetState(ctx, who, id, mapping.StateOn, why)
	} else {
		_, err = d.Apply(ctx, who, id, "")
	}
	if err != nil {
		return made, err
	}
	d.plans.mu.Lock()
	delete(d.plans.of, id)
	d.plans.mu.Unlock()
	return made, nil
}

// Apply begins a run of an automation over the records that exist; location "" = of all
// locations. The person was told what it does and whom it mails.
func (d *Desk) Apply(ctx context.Context, who, id, location string) (store.Apply, error) {
	run, err := d.Automations.Apply(ctx, id, location, automation.By{Who: who})
	if err != nil {
		return run, err
	}
	subject := "automation " + id
	if location != "" {
		subject += " in location " + location
	}
	return run, d.note(ctx, who, "applied to what exists", subject)
}

// CancelApply ends the run of an automation, and reports whether one was running.
func (d *Desk) CancelApply(ctx context.Context, who, id string) (was bool, err error) {
	was, err = d.Automations.CancelApply(ctx, id)
	if err != nil || !was {
		return was, err
	}
	return true, d.note(ctx, who, "cancelled the run of", "automation "+id)
}
