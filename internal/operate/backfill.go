package operate

import (
	"context"
	"errors"
	"sync"
	"time"

	"milepost/internal/store"
)

// Searcher searches a location for records that differ from what was last seen. A
// reconcile.Reconciler is one.
type Searcher interface {
	Sweep(ctx context.Context, name, locationID string, since time.Time, dry bool, progress func(store.Reconciliation, []store.Found)) (store.Reconciliation, error)
}

// BackfillCount is what a backfill of a location would do. It takes as long as it takes
// to read the records that differ.
type BackfillCount struct {
	Begun    time.Time
	Ended    time.Time // zero = it is under way
	Since    string    // as of a store.Backfill
	Search   store.Reconciliation
	Searched bool     // the search is over, and the records that differ are read
	Records  int      // that differ
	Read     int      // of them
	Changes  int      // that would be made
	Lines    []string // some of the changes, in words; personal data
	Failed   error
}

// mostLines bounds how many changes a count of a backfill lists.
const mostLines = 200

// counts are the newest counts of backfills, by location. They are lost when Milepost ends.
type counts struct {
	mu sync.Mutex
	of map[string]*BackfillCount
}

// ErrSince means that a text is neither a day of the past nor all.
var ErrSince = errors.New("give a day of the past, such as 2026-11-01, or all")

// sinceOf reads since when contacts are looked at.
func sinceOf(text string, now time.Time) (time.Time, error) {
	if text == "all" {
		return time.Time{}, nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil || day.After(now) {
		return day, ErrSince
	}
	return day, nil
}

// CountBackfill begins to count what a backfill would do, unless the same is being counted.
func (d *Desk) CountBackfill(ctx context.Context, locationID, since string) error {
	from, err := sinceOf(since, d.Now())
	if err != nil {
		return err
	}
	if _, err := d.Connections.Lookup(ctx, locationID); err != nil {
		return err
	}
	d.backfills.mu.Lock()
	defer d.backfills.mu.Unlock()
	if c := d.backfills.of[locationID]; c != nil && c.Ended.IsZero() {
		return nil // one at a time: each reads much
	}
	if d.backfills.of == nil {
		d.backfills.of = map[string]*BackfillCount{}
	}
	c := &BackfillCount{Begun: d.Now(), Since: since}
	d.backfills.of[locationID] = c
	ctx, cancel := d.background(ctx)
	go func() {
		defer cancel()
		err := d.countBackfill(ctx, c, locationID, from)
		d.backfills.mu.Lock()
		defer d.backfills.mu.Unlock()
		c.Failed, c.Ended = err, d.Now()
	}()
	return nil
}

func (d *Desk) countBackfill(ctx context.Context, c *BackfillCount, locationID string, from time.Time) error {
	set := func(change func()) {
		d.backfills.mu.Lock()
		defer d.backfills.mu.Unlock()
		change()
	}
	var differ []store.Found
	name := store.Backfill{LocationID: locationID, Since: c.Since}.Name()
	_, err := d.Search.Sweep(ctx, name, locationID, from, true, func(at store.Reconciliation, found []store.Found) {
		for _, f := range found {
			if f.Differs {
				differ = append(differ, f)
			}
		}
		set(func() { c.Search, c.Records = at, len(differ) })
	})
	if err != nil {
		return err
	}
	set(func() { c.Searched = true })
	for _, f := range differ {
		lines, err := d.Counting.Changes(ctx, f.Entity, f.ContactID)
		if err != nil {
			return err
		}
		set(func() {
			c.Read, c.Changes = c.Read+1, c.Changes+len(lines)
			c.Lines = append(c.Lines, lines[:min(len(lines), mostLines-len(c.Lines))]...)
		})
	}
	return nil
}

// BackfillCount returns the newest count of a location; ok is false if there is none, or
// if it is too old to act on.
func (d *Desk) BackfillCount(locationID string) (c BackfillCount, ok bool) {
	d.backfills.mu.Lock()
	defer d.backfills.mu.Unlock()
	found := d.backfills.of[locationID]
	if found == nil || !found.Ended.IsZero() && d.Now().Sub(found.Ended) > planHolds {
		return c, false
	}
	return *found, true
}

// BackfillRun is the last backfill of a location, and how far its search is.
type BackfillRun struct {
	store.Backfill
	Search store.Reconciliation
}

// Backfills lists the last backfill of each location that has one.
func (d *Desk) Backfills(ctx context.Context) (out []BackfillRun, err error) {
	list, err := d.Store.Backfills(ctx)
	for _, b := range list {
		run := BackfillRun{Backfill: b}
		if run.Search, err = d.Store.Reconciliation(ctx, b.Name()); err != nil {
			return nil, err
		}
		out = append(out, run)
	}
	return out, err
}

// BackfillOf reads the last backfill of a location; ok is false if there was none.
func (d *Desk) BackfillOf(ctx context.Context, locationID string) (run BackfillRun, ok bool, err error) {
	if run.Backfill, ok, err = d.Store.BackfillOf(ctx, locationID); err != nil || !ok {
		return run, false, err
	}
	run.Search, err = d.Store.Reconciliation(ctx, run.Name())
	return run, err == nil, err
}

// ErrNotCounted means that a backfill was not counted, or too long ago.
var ErrNotCounted = errors.New("this backfill was not counted, or it was counted too long ago")

// StartBackfill begins the backfill that was counted at a time. A running Milepost works
// it below the work of webhooks, and goes on after a restart.
func (d *Desk) StartBackfill(ctx context.Context, who, locationID string, begun time.Time) error {
	c, ok := d.BackfillCount(locationID)
	if !ok || c.Ended.IsZero() || c.Failed != nil || !c.Begun.Equal(begun) {
		return ErrNotCounted
	}
	if err := d.Store.StartBackfill(ctx, store.Backfill{LocationID: locationID, Since: c.Since, By: who, AskedAt: d.Now()}); err != nil {
		return err
	}
	d.backfills.mu.Lock()
	delete(d.backfills.of, locationID)
	d.backfills.mu.Unlock()
	return d.NoteBackfill(ctx, who, locationID, c.Since)
}

// NoteBackfill notes that somebody began a backfill: StartBackfill does, and a command
// that searches by itself.
func (d *Desk) NoteBackfill(ctx context.Context, who, locationID, since string) error {
	return d.note(ctx, who, "began a backfill ("+since+") of", locationName(locationID))
}

// CancelBackfill ends a backfill, and reports whether one was running. What it found
// already is synced.
func (d *Desk) CancelBackfill(ctx context.Context, who, locationID string) (was bool, err error) {
	was, err = d.Store.CancelBackfill(ctx, locationID, d.Now())
	if err != nil || !was {
		return was, err
	}
	return true, d.note(ctx, who, "cancelled the backfill of", locationName(locationID))
}
