package reconcile

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"milepost/internal/store"
	"milepost/mapping"
)

// eraseWait is how often a contact's erasure looks whether its items are gone:
// what is erased before would be written again by their removal.
const (
	eraseWait    = 5 * time.Second
	eraseMaxWait = 15 * time.Minute
)

// eraseJob erases what is stored of a deleted or forgotten contact, once all
// that was made for it is removed.
func (r *Reconciler) eraseJob(ctx context.Context, job *river.Job[store.EraseArgs]) error {
	location, contact := job.Args.LocationID, job.Args.ContactID
	asked, ok, err := r.store.Erasure(ctx, location, contact)
	if err != nil || !ok {
		return err // let be synced again meanwhile
	}
	owed, err := r.store.Owed(ctx, location, contact)
	if err != nil {
		return err
	}
	if owed > 0 {
		// A tenth of how long it has waited: soon at first, and seldom where a vendor is away.
		return r.snooze(min(max(eraseWait, r.now().Sub(asked.AskedAt)/10), eraseMaxWait))
	}
	ids, err := r.store.DeliveriesOf(ctx, location, contact)
	if err != nil {
		return err
	}
	payloads, err := r.erase(ctx, ids)
	if err != nil {
		return err
	}
	done, err := r.store.Erase(ctx, location, contact, payloads, r.now())
	if err != nil {
		return err
	}
	r.logger.Info().Str("location", location).Str("id", contact).Bool("on_request", done.OnRequest).
		Int64("payloads", done.Payloads).Int64("timeline", done.Entries).Int64("objects", done.Objects).
		Msg("what was stored of a contact is erased")
	return nil
}

// forgotten reports whether a person asked for the contact of the entity to be forgotten.
func (s *entitySync) forgotten(ctx context.Context) (bool, error) {
	contact := s.contactID
	if s.entity.Kind == string(mapping.KindContact) {
		contact = s.entity.ID
	}
	if contact == "" {
		return false, nil
	}
	e, _, err := s.store.Erasure(ctx, s.entity.LocationID, contact)
	return e.OnRequest, err
}
