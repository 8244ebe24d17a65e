package operate

import (
	"context"
	"slices"
	"sync"
	"time"

	"milepost/internal/store"
)

// Activity is what an automation did of late: in 24 hours, and in no more than the
// newest syncs of all automations.
type Activity struct {
	Last   time.Time // the newest sync in which it asked for something
	Syncs  int       // in which it asked for something
	Failed int       // of those: that failed
}

const (
	activityFor  = 24 * time.Hour
	mostSyncs    = 2000
	activityHold = 30 * time.Second
)

// activity is what was counted last.
type activity struct {
	mu sync.Mutex // held while counting: the others wait for the one count
	at time.Time
	of map[string]Activity
}

// Activity tells what the automations did of late, by id. It may be half a minute old.
func (d *Desk) Activity(ctx context.Context) (map[string]Activity, error) {
	d.activity.mu.Lock()
	defer d.activity.mu.Unlock()
	if now := d.Now(); d.activity.of != nil && now.Sub(d.activity.at) < activityHold {
		return d.activity.of, nil
	}
	now := d.Now()
	list, err := d.Store.RecentSyncs(ctx, now.Add(-activityFor), mostSyncs)
	if err != nil {
		return nil, err
	}
	of := map[string]Activity{}
	for _, s := range list {
		failed := slices.Contains(store.FailedOutcomes, s.Outcome)
		for _, c := range s.Considered {
			if c.Wants == 0 {
				continue
			}
			a := of[c.Automation]
			if a.Syncs++; a.Last.IsZero() {
				a.Last = s.At
			}
			if failed {
				a.Failed++
			}
			of[c.Automation] = a
		}
	}
	d.activity.at, d.activity.of = now, of
	return of, nil
}
