package operate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"milepost/internal/outcome"
	"milepost/internal/store"
)

// The limits are those of deploy/prometheus/rules.yml.
const (
	// quotaLow is the share of the day's calls, in percent, below which a location has few left.
	quotaLow = 10
	// signaturesOver is the time in which most webhooks must have no valid signature.
	signaturesOver = 30 * time.Minute
	// signaturesFew is how many it takes: now and then a stranger sends one.
	signaturesFew = 10
	// reconciliationOver is how long a reconciliation may fail: vendors have short outages. A
	// rejected token does not mend itself.
	reconciliationOver = 30 * time.Minute
	// usualBackupAge is from when a backup is too old, unless it is set.
	usualBackupAge = 48 * time.Hour
)

// reconciliations looks for locations that cannot be reconciled. In a quiet one, no sync
// would meet a rejected token.
func (d *Desk) reconciliations(ctx context.Context, v *Attention, connections []store.Connection) error {
	failures, err := d.Store.ReconciliationFailures(ctx)
	if err != nil {
		return err
	}
	for _, f := range failures {
		i := slices.IndexFunc(connections, func(c store.Connection) bool { return c.LocationID == f.Cause.LocationID })
		if i < 0 || connections[i].State != store.ConnectionActive || f.Last.Before(connections[i].UpdatedAt) {
			continue
		}
		rejected := f.Cause.Outcome == store.Auth
		if !rejected && f.Last.Sub(f.First) < reconciliationOver {
			continue
		}
		if slices.ContainsFunc(v.Concerns, func(c Concern) bool {
			return c.Kind == ConcernFailing && c.LocationID == f.Cause.LocationID && c.Cause.Outcome == f.Cause.Outcome && c.Cause.Vendor == f.Cause.Vendor
		}) {
			continue // its syncs say so
		}
		c := Concern{Key: keyOf(ConcernConnection, f.Cause.LocationID, "reconciliation"), Kind: ConcernConnection, LocationID: f.Cause.LocationID, FirstAt: f.First, LastAt: f.Last, Cause: f.Cause, Detail: f.Detail}
		if c.What, c.Todo = outcome.Advice(f.Cause); !rejected {
			c.What = "Milepost cannot look for changes in the location: " + c.What
		}
		v.Concerns = append(v.Concerns, c)
	}
	return nil
}

// quota looks for locations with few calls left. HighLevel counts by the day, in UTC.
func (d *Desk) quota(ctx context.Context, v *Attention, connections []store.Connection) error {
	budgets, err := d.Store.Budgets(ctx)
	if err != nil {
		return err
	}
	day := v.At.UTC().Truncate(24 * time.Hour)
	for _, c := range connections {
		l := Location{c, budgets[c.LocationID]}
		percent, ok := l.Left(v.At)
		if c.State != store.ConnectionActive || !ok || percent >= quotaLow || l.Budget.DailyAt.Before(day) {
			continue
		}
		v.Concerns = append(v.Concerns, Concern{
			Key: keyOf(ConcernQuota, c.LocationID), Kind: ConcernQuota, LocationID: c.LocationID, FirstAt: day,
			What:   fmt.Sprintf("The location has less than %d %% of its HighLevel calls of the day left", quotaLow),
			Todo:   "All apps of the location share these calls. Pause a backfill, or find out which app uses them up. When there are none left, Milepost waits until midnight UTC and goes on by itself.",
			Detail: fmt.Sprintf("%d of %d calls are left.", l.Budget.DailyRemaining, l.Budget.DailyMax),
		})
	}
	return nil
}

// signatures looks whether most webhooks have no valid signature.
func (d *Desk) signatures(ctx context.Context, v *Attention) error {
	counts, err := d.Store.SignatureCounts(ctx, v.At.Add(-signaturesOver))
	var accepted, rejected int64
	for _, c := range counts {
		accepted, rejected = accepted+c.Accepted, rejected+c.Rejected
	}
	if err != nil || rejected < signaturesFew || rejected <= accepted {
		return err
	}
	all, err := d.Store.SignatureCounts(ctx, time.Time{})
	if err != nil {
		return err
	}
	first := v.At
	for _, c := range all { // newest first, back to a time without any
		if c.Rejected > 0 && first.Sub(c.At) > signaturesOver {
			break
		}
		if c.Rejected > 0 {
			first = c.At
		}
	}
	v.Concerns = append(v.Concerns, Concern{
		Key: keyOf(ConcernSignatures), Kind: ConcernSignatures, Count: rejected, FirstAt: first,
		What: "Most webhooks at the address for HighLevel have no valid signature, so Milepost rejects them",
		Todo: "If HighLevel's own webhooks are among them, MILEPOST_HIGHLEVEL_WEBHOOK_KEYS is wrong, or something on the way changes the bodies. If not, somebody sends made-up ones: they change nothing, and you can block their addresses. The log has both.",
	})
	return nil
}

// backup looks whether the last backup is too old. Milepost knows of those by `milepost
// backup` alone, which is for SQLite.
func (d *Desk) backup(ctx context.Context, v *Attention, connections []store.Connection) error {
	if d.Store.File() == nil {
		return nil
	}
	last, err := d.Store.LastBackup(ctx)
	if err != nil {
		return err
	}
	c := Concern{
		Key: keyOf(ConcernBackup), Kind: ConcernBackup,
		What: "The last backup is too old", Todo: "Run `milepost backup FILE`, and look why the job that does it failed. docs/restore.md says how to run it each night.",
	}
	age := d.BackupAge
	if last.IsZero() && age > 0 { // from the first connection on there is something to lose
		c.What = "No backup was ever made"
		for _, l := range connections {
			if last.IsZero() || l.CreatedAt.Before(last) {
				last = l.CreatedAt
			}
		}
	}
	if age == 0 {
		age = usualBackupAge
	}
	if c.FirstAt = last.Add(age); last.IsZero() || v.At.Before(c.FirstAt) {
		return nil
	}
	v.Concerns = append(v.Concerns, c)
	return nil
}
