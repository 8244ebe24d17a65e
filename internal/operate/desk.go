// Package operate is what an operator can see and do. The console, the admin API and
// the commands call the same functions.
//
// Guarantee: what changes something is in the audit log, with who did it.
//
// It knows neither pages nor command lines, and not how anything is synced. What it
// rehearses, and what automations are, others know.
package operate

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"milepost/internal/alert"
	"milepost/internal/automation"
	"milepost/internal/connection"
	"milepost/internal/store"
)

// Bodies are the webhooks as they came. The inbox is one.
type Bodies interface {
	Body(ctx context.Context, id int64) (body []byte, ok bool, err error)
	Find(ctx context.Context, webhookID string) (id int64, ok bool, err error)
}

// Previewer says what a sync of a record would change, a line each, and changes
// nothing. contactID is the contact that it belongs to, as far as the caller knows. A
// sync.Syncer is one.
type Previewer interface {
	Changes(ctx context.Context, e store.Entity, contactID string) ([]string, error)
}

// Config is what a Desk needs. A command that only lists needs only the Store.
type Config struct {
	Store   *store.Store
	Bodies  Bodies
	Preview Previewer
	Now     func() time.Time // nil = time.Now

	Automations *automation.Library
	Connections *connection.Registry
	Rehearsals  automation.Rehearsals
	Search      Searcher        // for counting backfills
	Counting    Previewer       // as Preview, but it waits at a rate limit
	Closing     <-chan struct{} // closed when Milepost ends; nil = it never does
	Alerts      *alert.Alerter  // nil = there is no channel
	BackupAge   time.Duration   // from which a backup is too old; 0 = usualBackupAge, once there was one
}

// Desk is where an operator works. Safe for concurrent use.
type Desk struct {
	Config
	mu        sync.Mutex // held while counting: the others wait for the one count
	overview  Overview
	plans     plans
	replays   replayPlans
	backfills counts

	attention struct {
		mu   sync.Mutex // as mu, for the newest look at what needs attention
		last Attention
	}
	synced   atomic.Bool // a contact was ever synced
	choices  choices
	activity activity
}

// New returns a desk.
func New(cfg Config) *Desk {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Desk{Config: cfg}
}

// background is the context of what goes on after a request has been answered: it ends
// when Milepost does, and after longestPlan.
func (d *Desk) background(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestPlan)
	go func() {
		select {
		case <-d.Closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// note adds to the audit log. subject is an id, never personal data.
func (d *Desk) note(ctx context.Context, who, what, subject string) error {
	return d.Store.Audit(ctx, store.AuditEntry{At: d.Now(), Who: who, What: what, Subject: subject})
}

// newest lists the newest limit rows since a time, newest first, page by page. about
// tells a row's id and time. A clock that was put back may have older rows between
// them.
func newest[T any](limit int, since time.Time, page func(before int64, n int) ([]T, error), about func(T) (id int64, at time.Time)) (list []T, err error) {
	const most = 500
	for before := int64(0); len(list) < limit; {
		rows, err := page(before, most)
		if err != nil {
			return nil, err
		}
		var last time.Time
		for _, row := range rows {
			if before, last = about(row); !last.Before(since) && len(list) < limit {
				list = append(list, row)
			}
		}
		if len(rows) < most || last.Before(since) {
			break
		}
	}
	return list, nil
}

// Timeline lists the newest limit entries of a location since a time, newest first.
// contactID names the contact whose they are; "" = any.
func (d *Desk) Timeline(ctx context.Context, locationID, contactID string, since time.Time, limit int) ([]store.TimelineEntry, error) {
	return newest(limit, since, func(before int64, n int) ([]store.TimelineEntry, error) {
		return d.Store.TimelinePage(ctx, locationID, contactID, before, n)
	}, func(e store.TimelineEntry) (int64, time.Time) { return e.ID, e.At })
}
