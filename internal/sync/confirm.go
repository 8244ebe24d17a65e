package sync

import (
	"time"

	"milepost/clients/calendarhero"
	"milepost/internal/outcome"
	"milepost/internal/store"
)

// unconfirmed returns nil if the result of a fetch is confirmed. Otherwise it returns how
// long to wait before the next fetch, because a read may lag behind a write. A result is
// confirmed if it agrees with the events, or if a second fetch also finds no record.
// Milepost fetches once more if a record is missing without a delete event, or exists in
// spite of one. A record that was never read is new, and HighLevel's search probably does
// not know it yet, so Milepost searches for ten minutes.
func (r *Syncer) unconfirmed(state store.EntityState, gone bool) error {
	if gone == state.DeleteAsked() || (gone && state.Fingerprint == store.FingerprintGone) {
		return nil
	}
	first := state.GoneAt
	if first.IsZero() || first.After(r.now()) { // by a clock that was put back since
		first = r.now()
	}
	looks, why := []time.Duration{time.Minute}, whose(state)+" does not find the record; Milepost checks once more in a minute before it removes the items"
	switch {
	case !gone:
		why = "an event says that the record was deleted, and " + whose(state) + " still shows it; Milepost checks once more in a minute"
	case neverRead(state):
		looks, why = newRecordLooks(), whose(state)+" does not find the new record yet; Milepost checks again for ten minutes"
	}
	next, more := outcome.NextCheck(r.now().Sub(first), looks...)
	if !more {
		return nil
	}
	return &outcome.Wait{For: next, Why: why, Unconfirmed: first}
}

// neverRead reports whether a record is new. A record that was synced is not, even if an
// earlier version stored no fingerprint of it.
func neverRead(state store.EntityState) bool {
	return state.Fingerprint == "" && state.SyncedAt.IsZero()
}

// newRecordLooks are the times of the next searches for a record that was never read.
func newRecordLooks() []time.Duration {
	return []time.Duration{
		2 * time.Second, 5 * time.Second, 15 * time.Second, 40 * time.Second, 90 * time.Second,
		3 * time.Minute, 5 * time.Minute, 10 * time.Minute,
	}
}

// whose returns the vendor that has the record.
func whose(state store.EntityState) string {
	if state.Kind == store.KindCalendarContact {
		return calendarhero.API
	}
	return "HighLevel"
}

// whyGone returns why a record counts as deleted.
func whyGone(state store.EntityState) string {
	switch {
	case state.DeleteAsked():
		return whose(state) + " says that the record was deleted"
	case neverRead(state):
		return whose(state) + " did not find the record for ten minutes"
	}
	return whose(state) + " no longer finds the record"
}
