package reconcile

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/riverqueue/river"

	"milepost/clients"
	"milepost/internal/store"
	"milepost/mapping"
)

// goneSettle is how long a record must stay "not found" before its items are
// removed, where no delete event said so: a read may lag behind a write.
const goneSettle = time.Minute

// rest is how long an entity is left alone after a sync, so that a burst on it
// costs few calls: HighLevel allows 100 in 10 s. River looks for jobs that
// have rested once a second.
const rest = 500 * time.Millisecond

// syncJob works one sync job: the whole way of one entity.
func (r *Reconciler) syncJob(ctx context.Context, job *river.Job[store.SyncArgs]) error {
	start := r.now()
	e := job.Args.Entity()
	state, err := r.store.EntityState(ctx, e)
	if err != nil {
		return err
	}
	if ago := start.Sub(state.SyncedAt); 0 < ago && ago < rest {
		return river.JobSnooze(rest - ago)
	}
	res, err := r.sync(ctx, state)
	if err != nil {
		return r.postpone(ctx, state, err)
	}
	again, err := r.store.FinishSync(ctx, job, store.Finish{
		Entity: e, Seen: state.Wanted, ContactID: res.contactID, Fingerprint: res.fingerprint,
		Outcome: res.outcome(), Detail: res.detail(), Now: r.now(),
		Touch: res.touch, Deleted: res.gone, Timeline: res.timeline,
	})
	if err != nil {
		return err
	}
	r.logger.Info().Str("location", e.LocationID).Str("kind", e.Kind).Str("id", e.ID).
		Str("outcome", res.outcome()).Strs("did", res.did).Dur("took", r.now().Sub(start)).Msg("synced")
	if again {
		return river.JobSnooze(rest)
	}
	return nil
}

// result gathers what one sync did.
type result struct {
	contactID   string
	fingerprint string
	gone        bool
	did         []string // "event created": no personal data
	skipped     []string // reasons; may name an automation
	invalid     []string // what could not be done as it is
	notes       []string // remarks
	timeline    []store.TimelineEntry
	touch       []store.Entity
}

func (res *result) outcome() string {
	switch {
	case len(res.invalid) > 0:
		return store.Invalid
	case res.gone:
		return store.Gone
	case len(res.did) > 0:
		return store.Done
	case len(res.notes) == 0 && len(res.skipped) > 0:
		return store.Skipped
	}
	return store.Unchanged
}

func (res *result) detail() string {
	var parts []string
	for _, list := range [][]string{res.invalid, res.did, res.notes, res.skipped} {
		parts = append(parts, list...)
	}
	return strings.Join(parts, "; ")
}

// sync brings the items of one entity in step with its record.
func (r *Reconciler) sync(ctx context.Context, state store.EntityState) (*result, error) {
	conn := r.connections[state.LocationID]
	if conn == nil {
		return &result{skipped: []string{"location " + state.LocationID + " is not connected"}}, nil
	}
	needs := r.automations.Needs(mapping.Kind(state.Kind))
	if !needs.Any {
		return &result{skipped: []string{"no automation that is switched on looks at " + state.Kind + "s"}}, nil
	}
	if left := conn.parked.left(r.now()); left > 0 {
		return nil, &wait{left, "the vendor asked to wait"}
	}
	s := &entitySync{Reconciler: r, conn: conn, entity: state.Entity, contactID: state.ContactID, result: &result{}}
	var err error
	if s.links, err = r.store.Links(ctx, state.Entity); err != nil {
		return nil, err
	}
	facts, err := s.read(ctx, needs)
	switch {
	case clients.ReasonOf(err) == clients.NotFound:
		if err := r.believeGone(ctx, state); err != nil {
			return nil, err
		}
		s.gone = true
		if err := s.removeAll(ctx); err != nil {
			return nil, err
		}
	case clients.ReasonOf(err) == clients.Invalid:
		s.invalid = append(s.invalid, err.Error()) // what exists stays as it is
	case err != nil:
		return nil, err
	default:
		if err := s.apply(ctx, r.automations.Plan(mapping.Kind(state.Kind), facts)); err != nil {
			return nil, err
		}
	}
	s.result.contactID = s.contactID
	if len(s.invalid) > 0 && err != nil {
		return s.result, nil // nothing was read
	}
	return s.result, s.findTouched(ctx, state, facts)
}

// believeGone returns nil when a record that was not found is to be taken for
// deleted: a delete event said so, or it was not found a minute ago either.
func (r *Reconciler) believeGone(ctx context.Context, state store.EntityState) error {
	if state.DeleteAsked() {
		return nil
	}
	first := state.GoneAt
	if first.IsZero() {
		first = r.now()
		if err := r.store.Postpone(ctx, state.Entity, state.Wanted, store.Waiting, notFoundYet, first); err != nil {
			return err
		}
	}
	if left := goneSettle - r.now().Sub(first); left > 0 {
		return river.JobSnooze(left)
	}
	return nil
}

const notFoundYet = "HighLevel does not find the record; it is asked once more in a minute before the items are removed"

// entitySync is one sync under way.
type entitySync struct {
	*Reconciler
	*result
	conn      *Connection
	entity    store.Entity
	contactID string
	links     map[string]store.Link
}

// tell notes something done: what in the log, detail beside it in the timeline.
func (s *entitySync) tell(what, detail string) store.TimelineEntry {
	s.did = append(s.did, what)
	return store.TimelineEntry{At: s.now(), Entity: s.entity, ContactID: s.contactID, What: what, Detail: detail}
}

// apply removes what is no longer wanted, then makes what is.
func (s *entitySync) apply(ctx context.Context, plan mapping.Plan) error {
	keep := map[string]bool{}
	for _, p := range plan.Problems {
		keep[p.Key] = true // what exists stays until it can be computed again
		s.invalid = append(s.invalid, fmt.Sprintf("%s: %s: %s", p.Automation, p.Field, p.Message))
	}
	for _, sk := range plan.Skipped {
		s.skipped = append(s.skipped, fmt.Sprintf("%s: %s", sk.Automation, sk.Reason))
	}
	for _, item := range plan.Items {
		keep[item.Key] = true
	}
	for key, link := range s.links {
		if !keep[key] {
			if err := s.remove(ctx, link); err != nil {
				return err
			}
		}
	}
	for _, item := range plan.Items {
		err := s.applyItem(ctx, item)
		if clients.ReasonOf(err) == clients.Invalid {
			s.invalid = append(s.invalid, fmt.Sprintf("%s: %v", item.Automation, err))
			continue // the others need not suffer
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *entitySync) applyItem(ctx context.Context, item mapping.Item) error {
	switch item.Kind {
	case mapping.ItemContact:
		return s.applyContact(ctx, item)
	case mapping.ItemTags:
		return s.applyTags(ctx, item)
	case mapping.ItemNote:
		return s.applyNote(ctx, item)
	case mapping.ItemEvent, mapping.ItemTask:
		return s.applyRequest(ctx, item)
	}
	return fmt.Errorf("automation %q wants an item of unknown kind %q", item.Automation, item.Kind)
}

// remove takes away what was made for a link whose item is no longer wanted.
func (s *entitySync) remove(ctx context.Context, link store.Link) error {
	if link.State == store.LinkGone {
		return nil
	}
	switch mapping.ItemKind(link.ItemKind) {
	case mapping.ItemEvent, mapping.ItemTask:
		return s.removeRequest(ctx, link)
	case mapping.ItemContact:
		if s.gone {
			return s.removeContact(ctx, link)
		}
	}
	// Tags stay where they are: that the note said so remains true. So does a
	// contact that merely no longer fits an automation. A note has no object.
	return s.forget(ctx, link, link.ItemKind+" no longer kept in step")
}

// forget marks a link gone without touching any object.
func (s *entitySync) forget(ctx context.Context, link store.Link, what string) error {
	link.State = store.LinkGone
	return s.store.SaveLink(ctx, link, s.now(), nil, s.tell(what, link.Title))
}

// removeAll takes away everything made for an entity that is gone.
func (s *entitySync) removeAll(ctx context.Context) error {
	for _, link := range s.links {
		if err := s.remove(ctx, link); err != nil {
			return err
		}
	}
	return nil
}

// findTouched lists the entities whose items show something of this one: a
// contact's tasks show its name and tags, its requests show its notes.
func (s *entitySync) findTouched(ctx context.Context, state store.EntityState, facts mapping.Facts) (err error) {
	s.fingerprint = state.Fingerprint
	switch mapping.Kind(state.Kind) {
	case mapping.KindContact:
		if s.gone {
			s.touch, err = s.store.EntitiesOf(ctx, state.LocationID, state.ID)
			return err
		}
		s.fingerprint = fingerprint(facts.Contact)
		if s.fingerprint == state.Fingerprint {
			return nil
		}
	case mapping.KindNote:
		s.fingerprint = fingerprint(facts.Note)
		if s.gone {
			s.fingerprint = ""
		}
		if s.fingerprint == state.Fingerprint {
			return nil
		}
	default:
		return nil
	}
	if s.contactID == "" {
		return nil
	}
	attached, err := s.store.Attached(ctx, state.LocationID, s.contactID)
	for _, e := range attached {
		if e != state.Entity {
			s.touch = append(s.touch, e)
		}
	}
	return err
}
