package operate

import (
	"context"
	"fmt"

	"milepost/internal/store"
)

// OpenCalls lists the requests of automations that wait for a person, oldest first.
func (d *Desk) OpenCalls(ctx context.Context) ([]store.Call, error) {
	return d.Store.OpenCalls(ctx, d.Now())
}

// callName is what a request is called in the audit log.
func callName(q store.Call) string { return fmt.Sprintf("request %d, %s", q.ID, q) }

// SettleCall notes what a person found out of an unclear request: that it took effect,
// or, with again, that it did not and is to be sent again. It returns ErrUnknown if there
// is no such request. superseded reports that the record has changed since, so that this
// request is not sent again.
func (d *Desk) SettleCall(ctx context.Context, who string, id int64, again bool) (superseded bool, err error) {
	q, superseded, ok, err := d.Store.SettleCall(ctx, id, again, d.Now())
	switch {
	case err != nil:
		return false, err
	case !ok:
		return false, ErrUnknown
	}
	what := "settled as sent"
	if again {
		what = "settled as not sent"
	}
	return superseded, d.note(ctx, who, what, callName(q))
}

// ReleaseCalls lets an automation send requests again that sent too many, for the contact
// of a stopped request, and returns of how many records the requests are sent now. It
// returns ErrUnknown if no request of this number is stopped.
func (d *Desk) ReleaseCalls(ctx context.Context, who string, id int64) (records int, err error) {
	stopped, err := d.Store.ReleaseCalls(ctx, id)
	if err != nil {
		return 0, err
	}
	var list []store.AuditEntry
	for _, q := range stopped {
		list = append(list, store.AuditEntry{At: d.Now(), Who: who, What: "released", Subject: callName(q)})
	}
	if len(list) == 0 {
		return 0, ErrUnknown
	}
	return len(list), d.Store.Audit(ctx, list...)
}
