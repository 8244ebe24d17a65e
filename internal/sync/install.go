package sync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"milepost/clients/highlevel"
	"milepost/internal/connection"
	"milepost/internal/outcome"
	"milepost/internal/store"
)

const (
	awaitedWait  = 10 * time.Second // between two looks for an authorization
	awaitedLimit = 24 * time.Hour   // then nobody will give it any more
)

// syncInstall connects or disconnects a location or agency, as the newest INSTALL or
// UNINSTALL event says.
func (r *Syncer) syncInstall(ctx context.Context, state store.EntityState) (*result, error) {
	record, ok, err := r.store.Record(ctx, state.Entity)
	if err != nil {
		return nil, err
	}
	var event highlevel.Event
	if ok {
		if event, err = highlevel.ParseEvent(record.Body); err != nil {
			res := &result{}
			res.cannot(err.Error(), err.Error(), store.Cause{})
			return res, nil
		}
	}
	o, err := r.connections.Installed(ctx, state.Entity, event)
	switch {
	case errors.Is(err, connection.ErrPending) && ok && r.now().Sub(record.ReceivedAt) > awaitedLimit:
		res, why := &result{}, fmt.Sprintf("%v for a day; connect at /oauth/highlevel/install", err)
		res.cannot(why, why, store.Cause{})
		return res, nil
	case errors.Is(err, connection.ErrPending):
		return nil, &outcome.Wait{For: awaitedWait, Why: err.Error()}
	case err != nil:
		return nil, err
	}
	res := &result{requeue: o.Follow}
	if o.Did != "" {
		res.did = append(res.did, o.Did)
	} else {
		res.skipped = append(res.skipped, o.Why)
	}
	return res, nil
}
