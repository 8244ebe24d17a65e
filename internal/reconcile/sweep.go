package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/store"
	"milepost/mapping"
)

const (
	// sweepOverlap is how far a sweep looks back before what the one before saw:
	// the search index lags behind writes, a minute was seen.
	sweepOverlap = 5 * time.Minute
	sweepPage    = 100
	longestTurn  = 5 * time.Second // that a sweep waits for, with its worker; else it goes on later
)

// sweep is one walk through a location for what no webhook told: contacts by
// their dateUpdated, their notes, and all open tasks. Each record's own mark
// of change, or its fingerprint, is compared with what was last seen; those
// that differ are asked to be synced, by the jobs that webhooks use.
type sweep struct {
	*Reconciler
	session  *session
	hl       *highlevel.Client // gives way to webhooks
	at       store.Reconciliation
	progress func(store.Reconciliation, []store.Found)
	dry      bool // looks, and asks for nothing
}

// place is where a sweep is, in its stored form.
type place struct {
	Phase string          `json:"phase"` // contacts, tasks, walk
	After json.RawMessage `json:"after,omitempty"`
}

const (
	phaseContacts = "contacts"
	phaseTasks    = "tasks"
	phaseWalk     = "walk"
)

// Sweep carries on with the sweep of that name, or begins one that looks at
// contacts changed since a time, until it is done or ctx ends. It can be
// interrupted anywhere: what was found is asked for in the transaction that
// notes how far it is. progress, which may be nil, is told after each step,
// with what was found in it. A dry sweep asks for nothing and is not noted.
func (r *Reconciler) Sweep(ctx context.Context, name, locationID string, since time.Time, dry bool, progress func(store.Reconciliation, []store.Found)) (store.Reconciliation, error) {
	session, err := r.session(ctx, locationID)
	if err != nil {
		return store.Reconciliation{}, err
	}
	s := &sweep{Reconciler: r, session: session, hl: session.HighLevel.Backfill(), progress: progress, dry: dry}
	if s.at, err = r.store.Reconciliation(ctx, name); err != nil {
		return s.at, err
	}
	if s.at.Place == "" || dry {
		s.at = store.Reconciliation{
			Name: name, LocationID: locationID, Since: since, Until: s.at.Until, FinishedAt: s.at.FinishedAt, StartedAt: r.now(),
			TasksKnown: s.at.TasksKnown,
		}
		if err := s.next(ctx, place{Phase: phaseContacts}, nil); err != nil {
			return s.at, err
		}
	}
	return s.at, s.run(ctx)
}

func (s *sweep) run(ctx context.Context) error {
	for s.at.Place != "" {
		var p place
		if err := json.Unmarshal([]byte(s.at.Place), &p); err != nil {
			return fmt.Errorf("the place of the reconciliation %s cannot be read: %w", s.at.Name, err)
		}
		step := s.contacts
		switch p.Phase {
		case phaseTasks:
			step = s.tasks
		case phaseWalk:
			step = s.walk
		}
		if err := step(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// next notes the place that is now reached, and what was found on the way.
// The zero place is the end.
func (s *sweep) next(ctx context.Context, p place, found []store.Found) error {
	for _, f := range found {
		if f.Differs {
			s.at.Touched++
		}
	}
	if p.Phase == "" {
		s.at.Place, s.at.Until, s.at.FinishedAt = "", s.at.StartedAt, s.now()
	} else {
		b, err := json.Marshal(p)
		if err != nil {
			return err
		}
		s.at.Place = string(b)
	}
	if !s.dry {
		if err := s.store.SaveReconciliation(ctx, s.at, found); err != nil {
			return err
		}
	}
	if s.progress != nil {
		s.progress(s.at, found)
	}
	return nil
}

// contacts looks at one page of contacts that changed, the oldest change first:
// what changes meanwhile comes again at the end, and none is missed.
func (s *sweep) contacts(ctx context.Context, p place) error {
	if !s.automations.Needs(mapping.KindContact).Any && !s.automations.Needs(mapping.KindNote).Any {
		return s.next(ctx, place{Phase: phaseTasks}, nil)
	}
	search := highlevel.ContactSearch{
		LocationID: s.at.LocationID, PageLimit: sweepPage, SearchAfter: p.After,
		Sort: []highlevel.ContactSort{{Field: "dateUpdated", Direction: "asc"}},
	}
	if p.After == nil {
		search.Page = 1
	}
	if !s.at.Since.IsZero() {
		search.Filters = []highlevel.ContactFilter{{
			Field: "dateUpdated", Operator: "range", Value: map[string]string{"gte": s.at.Since.UTC().Format("2006-01-02T15:04:05.000Z")},
		}}
	}
	s.at.Calls++
	var rows []highlevel.ContactRow
	var total int
	err := s.call(ctx, func(hl *highlevel.Client) (err error) {
		rows, total, err = hl.SearchContacts(ctx, search)
		return err
	})
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return s.next(ctx, place{Phase: phaseTasks}, nil)
	}
	if p.After == nil {
		s.at.ContactsTotal = int64(total)
	}
	found, err := s.changedContacts(ctx, rows)
	if err != nil {
		return err
	}
	s.at.Contacts += int64(len(rows))
	after := rows[len(rows)-1].SearchAfter
	if after == nil || string(after) == string(p.After) {
		return s.next(ctx, place{Phase: phaseTasks}, found) // the server does not go on
	}
	return s.next(ctx, place{Phase: phaseContacts, After: after}, found)
}

// changedContacts finds the contacts of a page that differ from what was last
// synced, and the notes of those that changed since a sweep last came by: a
// contact that a webhook told of may have notes that none told of.
func (s *sweep) changedContacts(ctx context.Context, rows []highlevel.ContactRow) (found []store.Found, err error) {
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	seen, err := s.store.Seen(ctx, s.at.LocationID, string(mapping.KindContact), ids)
	if err != nil {
		return nil, err
	}
	synced := s.automations.Needs(mapping.KindContact).Any
	for _, row := range rows {
		known := seen[row.ID]
		if row.DateUpdated != "" && known.Swept == row.DateUpdated && (known.Mark == row.DateUpdated || !synced) {
			continue
		}
		notes, err := s.changedNotes(ctx, row.ID)
		if err != nil {
			return nil, err
		}
		found = append(found, store.Found{
			Entity: s.entity(mapping.KindContact, row.ID), ContactID: row.ID, Swept: row.DateUpdated,
			Differs: synced && (row.DateUpdated == "" || known.Mark != row.DateUpdated),
		})
		found = append(found, notes...)
	}
	return found, nil
}

func (s *sweep) changedNotes(ctx context.Context, contactID string) (found []store.Found, err error) {
	if !s.automations.Needs(mapping.KindNote).Any {
		return nil, nil
	}
	s.at.Calls++
	var notes []highlevel.Note
	err = s.call(ctx, func(hl *highlevel.Client) (err error) {
		notes, err = hl.Notes(ctx, contactID)
		return err
	})
	if err != nil {
		return nil, err
	}
	seen, err := s.store.SeenNotes(ctx, s.at.LocationID, contactID)
	if err != nil {
		return nil, err
	}
	for _, n := range notes {
		if seen[n.ID].Fingerprint != fingerprint(noteFacts(n)) {
			found = append(found, store.Found{Entity: s.entity(mapping.KindNote, n.ID), ContactID: contactID, Differs: true})
		}
		delete(seen, n.ID)
	}
	for id := range seen { // no longer there
		found = append(found, store.Found{Entity: s.entity(mapping.KindNote, id), ContactID: contactID, Differs: true})
	}
	return found, nil
}

// tasks looks at all open tasks: no page of them is more recent than another.
// A task has no mark of its own, so the fingerprint of its row in the search is
// taken. Where a row is not like the record, a change of it is synced once more.
// The tasks that were there before a location's first look are only noted: a
// request for each would mail its owner, and it is for a backfill to ask for that.
func (s *sweep) tasks(ctx context.Context, _ place) error {
	if !s.automations.Needs(mapping.KindTask).Any {
		s.at.TasksKnown = false // what is made from now on was there before
		return s.next(ctx, place{Phase: phaseWalk}, nil)
	}
	known, err := s.store.OpenTasks(ctx, s.at.LocationID)
	if err != nil {
		return err
	}
	s.at.Tasks = 0
	backfill := s.at.Name != s.at.LocationID
	var found []store.Found
	looked := map[string]bool{}
	open := false
	for {
		s.at.Calls++
		var page []highlevel.Task
		err := s.call(ctx, func(hl *highlevel.Client) (err error) {
			page, err = hl.SearchTasks(ctx, s.at.LocationID, highlevel.TaskSearch{Completed: &open, Limit: sweepPage, Skip: len(looked)})
			return err
		})
		if err != nil {
			return err
		}
		ids := make([]string, len(page))
		for i, t := range page {
			ids[i] = t.ID
		}
		seen, err := s.store.Seen(ctx, s.at.LocationID, string(mapping.KindTask), ids)
		if err != nil {
			return err
		}
		before := len(looked)
		for _, t := range page {
			if looked[t.ID] {
				continue
			}
			looked[t.ID] = true
			mark := fingerprint(taskFacts(t))
			task, heardOf := seen[t.ID]
			if task.Swept != mark || (backfill && task.Fingerprint == "") {
				found = append(found, store.Found{
					Entity: s.entity(mapping.KindTask, t.ID), ContactID: t.ContactID, Differs: heardOf || backfill || s.at.TasksKnown, Swept: mark,
				})
			}
		}
		if len(looked) == before { // an empty page, or one with nothing new
			break
		}
		s.at.Tasks = int64(len(looked))
		if s.progress != nil {
			s.progress(s.at, nil)
		}
	}
	for id := range known {
		if !looked[id] { // completed or deleted
			found = append(found, store.Found{Entity: s.entity(mapping.KindTask, id), Differs: true})
		}
	}
	s.at.TasksKnown = true
	return s.next(ctx, place{Phase: phaseWalk}, found)
}

// call makes a call, and again when it is sent away for a moment: a page that
// is half looked at would else be begun again.
func (s *sweep) call(ctx context.Context, do func(*highlevel.Client) error) error {
	err := do(s.hl)
	for {
		failed, ok := errors.AsType[*clients.Error](err)
		if !ok || failed.Reason != clients.RateLimited || failed.Status != 0 || failed.RetryAfter > longestTurn {
			return err
		}
		timer := time.NewTimer(s.real(failed.RetryAfter))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
		err = do(s.hl.With(clients.Waited))
	}
}

func (s *sweep) entity(kind mapping.Kind, id string) store.Entity {
	return store.Entity{LocationID: s.at.LocationID, Kind: string(kind), ID: id}
}
