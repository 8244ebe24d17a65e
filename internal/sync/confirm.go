package sync

import (
	"time"

	"milepost/clients/calendarhero"
	"milepost/internal/outcome"
	"milepost/internal/store"
)

// unconfirmed returns nil when what a fetch said of a record is to be believed, and
// else how long to wait before the record is asked for again: a read may lag
// behind a write. Where fetch and events agree, or a fetch says again that a
// record is gone, there is no doubt. A record that is not found, though no event
// said that it was deleted, is looked for once more; so is one that is found
// though an event said that it was. A record that was never read is new, and
// most likely HighLevel's search does not know it yet: it is looked for during
// ten minutes.
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

// neverRead reports whether a record is new. One that was synced is not, though
// an earlier version may have kept no fingerprint of it.
func neverRead(state store.EntityState) bool {
	return state.Fingerprint == "" && state.SyncedAt.IsZero()
}

// newRecordLooks are the times after the first look at which a record that was
// never read is looked for again.
func newRecordLooks() []time.Duration {
	return []time.Duration{
		2 * time.Second, 5 * time.Second, 15 * time.Second, 40 * time.Second, 90 * time.Second,
		3 * time.Minute, 5 * time.Minute, 10 * time.Minute,
	}
}

// whose says which vendor has the record.
func whose(state store.EntityState) string {
	if state.Kind == store.KindCalendarContact {
		return calendarhero.API
	}
	return "HighLevel"
}

// whyGone says why a record is taken for deleted.
func whyGone(state store.EntityState) string {
	switch {
	case state.DeleteAsked():
		return whose(state) + " says that the record was deleted"
	case neverRead(state):
		return whose(state) + " did not find the record for ten minutes"
	}
	return whose(state) + " no longer finds the record"
}
