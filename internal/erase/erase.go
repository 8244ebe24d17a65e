// Package erase removes what Milepost stores of a contact that was deleted or that a
// person asked it to forget.
//
// Guarantee: an erasure ends only after a sync has removed everything that Milepost created
// for the contact, and after its bytes are gone from the files of the databases. The
// package must not know how a sync removes objects.
package erase

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"
	"github.com/rs/zerolog"

	"milepost/internal/account"
	"milepost/internal/connection"
	"milepost/internal/jobs"
	"milepost/internal/lane"
	"milepost/internal/store"
	"milepost/mapping"
)

// eraseWait is how often the erasure of a contact checks whether its items are gone.
// Their removal would write again what was erased before.
const (
	eraseWait    = 5 * time.Second
	eraseMaxWait = 15 * time.Minute
)

// Config is what an Eraser needs.
type Config struct {
	Store    *store.Store
	Sessions *account.Sessions
	Jobs     *jobs.Runner
	// EraseBodies empties the bodies of the webhooks that named a contact, and of
	// deliveries by id, and returns how many had one.
	EraseBodies func(ctx context.Context, locationID, contactID string, ids []int64) (int64, error)
	// ScrubFiles removes what was erased from the files of the databases; nil = nothing to do.
	ScrubFiles func(ctx context.Context) error
}

// Eraser works the erasures.
type Eraser struct {
	Config
	logger   zerolog.Logger
	now      func() time.Time
	scrubber *scrubber
}

// New makes an Eraser. Its files are scrubbed while Scrub runs.
func New(cfg Config) *Eraser {
	return &Eraser{Config: cfg, logger: cfg.Jobs.Logger, now: cfg.Jobs.Now, scrubber: newScrubber(cfg.ScrubFiles)}
}

// Register adds the worker.
func (r *Eraser) Register(workers *river.Workers) {
	jobs.Add(r.Jobs, workers, lane.Background, func(a store.EraseArgs) string { return a.LocationID }, r.work)
}

// work erases what is stored of a deleted or forgotten contact, once all
// that was made for it is removed.
func (r *Eraser) work(ctx context.Context, job *river.Job[store.EraseArgs]) error {
	location, contact := job.Args.LocationID, job.Args.ContactID
	asked, ok, err := r.Store.Erasure(ctx, location, contact)
	if err != nil || !ok {
		return err // or the contact may be synced again by now
	}
	owed, err := r.Store.Owed(ctx, location, contact)
	if err != nil {
		return err
	}
	if owed > 0 {
		// A tenth of how long it has waited: soon at first, and seldom where a vendor is away.
		return r.Jobs.Snooze(min(max(eraseWait, r.now().Sub(asked.AskedAt)/10), eraseMaxWait))
	}
	if !r.scrubber.known(asked) {
		if err := r.emptyRows(ctx, asked); err != nil {
			return err
		}
		r.scrubber.add(asked)
	}
	// Not erased before its bytes are gone from the files.
	if !r.scrubber.done(ctx, asked) {
		return r.Jobs.Snooze(eraseWait)
	}
	done, again, err := r.Store.Erased(ctx, job, asked, r.now())
	if err != nil {
		return err
	}
	r.scrubber.drop(asked)
	if again {
		return r.Jobs.Snooze(eraseWait)
	}
	r.logger.Info().Str("location", location).Str("id", contact).Bool("on_request", done.OnRequest).
		Int64("payloads", done.Payloads).Int64("timeline", done.Entries).Int64("items", done.Items).Int64("objects", done.Objects).
		Msg("contact data erased")
	return nil
}

// emptyRows erases the contact from the rows of the databases.
func (r *Eraser) emptyRows(ctx context.Context, asked store.Erasure) error {
	remaining, err := r.remaining(ctx, asked)
	if err != nil {
		return err
	}
	ids, err := r.Store.DeliveriesOf(ctx, asked.LocationID, asked.ContactID)
	if err != nil {
		return err
	}
	payloads, err := r.EraseBodies(ctx, asked.LocationID, asked.ContactID, ids)
	if err != nil {
		return err
	}
	return r.Store.Erase(ctx, asked, payloads, remaining, r.now())
}

// remaining says why objects of a contact that owes no sync remain in CalendarHero; "" if
// none do. The syncs of a forgotten contact were skipped while its location was not
// connected. Once it is, they are queued again.
func (r *Eraser) remaining(ctx context.Context, e store.Erasure) (why string, err error) {
	n, err := r.Store.Standing(ctx, e.LocationID, e.ContactID)
	if err != nil || n == 0 || !e.OnRequest {
		return "", err
	}
	_, err = r.Sessions.Of(ctx, e.LocationID)
	if absent, ok := errors.AsType[*connection.NotConnected](err); ok {
		return absent.Why, nil
	} else if err != nil {
		return "", err
	}
	contact := store.Entity{LocationID: e.LocationID, Kind: string(mapping.KindContact), ID: e.ContactID}
	if err := r.Store.Requeue(ctx, []store.Entity{contact}, true); err != nil {
		return "", err
	}
	return "", r.Jobs.Snooze(eraseWait)
}
