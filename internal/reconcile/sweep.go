// Package reconcile finds changes without a webhook, and queues their syncs. It searches a
// location for changed contacts, notes and tasks, rechecks each contact once a day, and
// polls CalendarHero's meetings and contacts. The backfill is the same search from the
// beginning.
//
// Guarantees: a search can be interrupted anywhere, and continues from there. A location in
// step costs a few calls. The package must not know how records are synced.
package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/account"
	"milepost/internal/facts"
	"milepost/internal/fingerprint"
	"milepost/internal/jobs"
	"milepost/internal/store"
	"milepost/mapping"
)

const (
	// Overlap is how far a sweep searches back before the end of the last one: the search index
	// lags behind writes, by up to a minute as measured.
	Overlap    = 5 * time.Minute
	sweepPage  = 100
	sweepFound = 4 * sweepPage // so many records are noted at once, those of one contact more
	// shortPage is the length of HighLevel's own pages of tasks. A shorter page is the last one,
	// even if HighLevel returns fewer than requested.
	shortPage = 25
	// mostCompleted bounds how many completed tasks are searched.
	mostCompleted = 200 * sweepPage
)

// sweep is one search of a location for changes without a webhook: contacts by their
// dateUpdated, their notes, and all open tasks. It compares each record's own mark of
// change, or its fingerprint, with the last one. It queues those that differ, as webhooks
// do.
type sweep struct {
	*Reconciler
	automations *mapping.Set
	session     *account.Session
	hl          *highlevel.Client // gives way to webhooks
	at          store.Reconciliation
	progress    func(store.Reconciliation, []store.Found)
	dry         bool            // looks, and asks for nothing
	looked      map[string]bool // the tasks that this turn has come by
}

// place is where a sweep is, in its stored form.
type place struct {
	Phase string          `json:"phase"` // contacts, tasks, missing, completed, opportunities, lost, calendars, walk
	After json.RawMessage `json:"after,omitempty"`
	Skip  int             `json:"skip,omitempty"` // tasks, or calendars
}

const (
	phaseContacts  = "contacts"
	phaseTasks     = "tasks"
	phaseMissing   = "missing"
	phaseCompleted = "completed"
	phaseRecheck   = "walk"

	phaseOpportunities = "opportunities"
	phaseLost          = "lost" // of them
	phaseCalendars     = "calendars"
)

// Sweep continues the sweep of that name, or begins one over the contacts changed since a
// time, until it is done or ctx ends. It can be interrupted anywhere: it queues what it
// found in the transaction that stores its progress. After each step it calls progress,
// which may be nil, with what the step found. A dry sweep queues and stores nothing.
func (r *Reconciler) Sweep(ctx context.Context, name, locationID string, since time.Time, dry bool, progress func(store.Reconciliation, []store.Found)) (store.Reconciliation, error) {
	session, err := r.sessions.Of(ctx, locationID)
	if err != nil {
		return store.Reconciliation{}, err
	}
	s := &sweep{Reconciler: r, automations: r.live(), session: session, hl: session.HighLevel.Backfill(), progress: progress, dry: dry, looked: map[string]bool{}}
	if s.at, err = r.store.Reconciliation(ctx, name); err != nil {
		return s.at, err
	}
	if s.at.Place == "" || dry {
		s.at = store.Reconciliation{
			Name: name, LocationID: locationID, Since: since, Until: earliest(s.at.Until, r.now()), FinishedAt: s.at.FinishedAt, StartedAt: r.now(),
			TasksKnown: s.at.TasksKnown,
		}
		if s.at.Until.IsZero() {
			s.at.Until = since
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
		case phaseMissing:
			step = s.missing
		case phaseCompleted:
			step = s.completed
		case phaseOpportunities:
			step = s.opportunities
		case phaseLost:
			step = s.lost
		case phaseCalendars:
			step = s.calendars
		case phaseRecheck:
			step = s.recheck
		}
		if err := step(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// next stores the place that the sweep has reached, and queues what it found. The zero place
// is the end. It does so even after ctx has ended, because the calls are already made.
func (s *sweep) next(ctx context.Context, p place, found []store.Found) error {
	for _, f := range found {
		if f.Differs {
			s.at.Differing++
		}
	}
	if p.Phase == "" {
		s.at.Place, s.at.FinishedAt = "", s.now()
	} else {
		b, err := json.Marshal(p)
		if err != nil {
			return err
		}
		s.at.Place = string(b)
	}
	if !s.dry {
		ctx, cancel := jobs.Detached(ctx)
		defer cancel()
		if err := s.store.SaveReconciliation(ctx, s.at, found); err != nil {
			return err
		}
	}
	if s.progress != nil {
		s.progress(s.at, found)
	}
	return nil
}

// contacts reads one page of contacts that changed, the oldest change first. A contact that
// changes during the sweep comes again at the end, so none is missed.
func (s *sweep) contacts(ctx context.Context, p place) error {
	if !s.automations.Follows(mapping.KindContact) && !s.automations.Follows(mapping.KindNote) && !s.automations.Follows(mapping.KindAppointment) {
		s.at.Until = s.at.StartedAt // none is missed
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
	found, done, err := s.changedContacts(ctx, rows)
	if done == 0 {
		return err
	}
	s.at.Contacts += int64(done)
	// By HighLevel's clock, because ours may be ahead.
	if changed, err := time.Parse(time.RFC3339, rows[done-1].DateUpdated); err == nil {
		s.at.Until = latest(s.at.Until, earliest(changed, s.now()))
	}
	after := rows[done-1].SearchAfter
	switch stays := after == nil || string(after) == string(p.After); {
	case p.After == nil && done == len(rows) && total == len(rows):
		return s.next(ctx, place{Phase: phaseTasks}, found) // that is all
	case stays && done == len(rows):
		return s.next(ctx, place{Phase: phaseTasks}, found) // the server does not go on
	case stays:
		after = p.After
	}
	return errors.Join(err, s.next(ctx, place{Phase: phaseContacts, After: after}, found))
}

// changedContacts finds the contacts of a page that differ from their last sync, and the
// notes of those that changed since the last sweep: a webhook may have reported the contact
// but not its notes. It returns how many of the page's contacts it has read, which is not
// all if it finds much or fails.
func (s *sweep) changedContacts(ctx context.Context, rows []highlevel.ContactRow) (found []store.Found, done int, err error) {
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	seen, err := s.store.LastSeen(ctx, s.at.LocationID, string(mapping.KindContact), ids)
	if err != nil {
		return nil, 0, err
	}
	synced := s.automations.Follows(mapping.KindContact)
	for done, row := range rows {
		if len(found) >= sweepFound {
			return found, done, nil
		}
		known := seen[row.ID]
		differs := synced && (row.DateUpdated == "" || known.Mark != row.DateUpdated)
		if row.DateUpdated == "" || known.Swept != row.DateUpdated {
			records, err := s.changedRecords(ctx, row.ID)
			if err != nil {
				return found, done, err
			}
			found = append(found, records...)
		} else if !differs {
			continue
		}
		found = append(found, store.Found{
			Entity: s.entity(mapping.KindContact, row.ID), ContactID: row.ID, Swept: row.DateUpdated, Differs: differs,
		})
	}
	return found, len(rows), nil
}

func (s *sweep) changedNotes(ctx context.Context, contactID string) (found []store.Found, err error) {
	if !s.automations.Follows(mapping.KindNote) {
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
	seen, err := s.store.LastSeenOf(ctx, s.at.LocationID, contactID, string(mapping.KindNote))
	if err != nil {
		return nil, err
	}
	for _, n := range notes {
		if seen[n.ID].Fingerprint != fingerprint.Of(facts.Note(n)) {
			found = append(found, store.Found{Entity: s.entity(mapping.KindNote, n.ID), ContactID: contactID, Differs: true})
		}
		delete(seen, n.ID)
	}
	for id := range seen { // no longer there
		found = append(found, store.Found{Entity: s.entity(mapping.KindNote, id), ContactID: contactID, Differs: true})
	}
	return found, nil
}

// tasks reads all open tasks, because they come in no order of change. A task has no mark
// of change, so the sweep takes the fingerprint of its row in the search. If a row differs
// from the record, a change is synced once more. The sweep only stores the tasks that
// existed before a location's first one: a request for each would mail its owner. A backfill
// may queue them.
func (s *sweep) tasks(ctx context.Context, p place) error {
	if !s.automations.Follows(mapping.KindTask) {
		s.at.TasksKnown = false // what is made from now on was there before
		return s.next(ctx, place{Phase: phaseOpportunities}, nil)
	}
	s.at.Calls++
	open := false
	var page []highlevel.Task
	err := s.call(ctx, func(hl *highlevel.Client) (err error) {
		page, err = hl.SearchTasks(ctx, s.at.LocationID, highlevel.TaskSearch{Completed: &open, Limit: sweepPage, Skip: p.Skip})
		return err
	})
	if err != nil {
		return err
	}
	ids := make([]string, len(page))
	for i, t := range page {
		ids[i] = t.ID
	}
	seen, err := s.store.LastSeen(ctx, s.at.LocationID, string(mapping.KindTask), ids)
	if err != nil {
		return err
	}
	backfill := s.at.Name != s.at.LocationID
	var found []store.Found
	for _, t := range page {
		if s.looked[t.ID] {
			continue
		}
		s.looked[t.ID] = true
		f := store.Found{Entity: s.entity(mapping.KindTask, t.ID), ContactID: t.ContactID, Open: true}
		known, heardOf := seen[t.ID]
		if mark := fingerprint.Of(facts.Task(t)); known.Swept != mark || (backfill && known.Fingerprint == "") {
			f.Swept, f.Differs = mark, heardOf || backfill || s.at.TasksKnown
		}
		found = append(found, f)
	}
	if len(found) == 0 { // an empty page, or one with nothing new
		return s.next(ctx, place{Phase: phaseMissing}, nil)
	}
	s.at.Tasks = int64(p.Skip + len(found))
	if len(page) < shortPage {
		return s.next(ctx, place{Phase: phaseMissing}, found)
	}
	return s.next(ctx, place{Phase: phaseTasks, Skip: p.Skip + len(found)}, found)
}

// missing queues the tasks that are no longer open. They were completed or deleted, or moved
// from a page that the sweep had not read yet to one that it had.
func (s *sweep) missing(ctx context.Context, p place) error {
	var after string
	if p.After != nil {
		if err := json.Unmarshal(p.After, &after); err != nil {
			return err
		}
	}
	ids, err := s.store.MissingTasks(ctx, s.at.LocationID, s.at.StartedAt, latest(s.at.StartedAt, s.now()), after, sweepPage)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		s.at.TasksKnown = true
		if s.at.Name != s.at.LocationID && !s.dry { // a backfill leaves none to another one
			if err := s.store.TasksKnown(ctx, s.at.LocationID); err != nil {
				return err
			}
		}
		return s.next(ctx, place{Phase: phaseCompleted}, nil)
	}
	var found []store.Found
	for _, id := range ids {
		if !s.looked[id] { // which is noted nowhere else, where nothing is
			found = append(found, store.Found{Entity: s.entity(mapping.KindTask, id), Differs: true})
		}
	}
	return s.next(ctx, place{Phase: phaseMissing, After: quoted(ids[len(ids)-1])}, found)
}

// completed searches for tasks that were created and completed while a lost or restored
// database did not know them. Their requests are open in CalendarHero, and nothing else
// shows their contacts. It runs once, if there are such requests.
func (s *sweep) completed(ctx context.Context, p place) error {
	ownerless, err := s.session.Ownerless(ctx)
	if err != nil {
		return err
	}
	if p.Skip >= mostCompleted {
		s.session.OwnersSearched()
	}
	if len(ownerless) == 0 || p.Skip >= mostCompleted {
		return s.next(ctx, place{Phase: phaseOpportunities}, nil)
	}
	s.at.Calls++
	done := true
	var page []highlevel.Task
	err = s.call(ctx, func(hl *highlevel.Client) (err error) {
		page, err = hl.SearchTasks(ctx, s.at.LocationID, highlevel.TaskSearch{Completed: &done, Limit: sweepPage, Skip: p.Skip})
		return err
	})
	if err != nil {
		return err
	}
	var found []store.Found
	for _, t := range page {
		if e := s.entity(mapping.KindTask, t.ID); s.session.MayOwn(e, ownerless) {
			found = append(found, store.Found{Entity: e, ContactID: t.ContactID, Differs: true})
		}
	}
	next := place{Phase: phaseCompleted, Skip: p.Skip + len(page)}
	if len(page) < sweepPage {
		next.Skip = mostCompleted
	}
	return s.next(ctx, next, found)
}

// quoted returns an id in the form that a place stores.
func quoted(id string) json.RawMessage { return json.RawMessage(strconv.Quote(id)) }

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// call makes a call, and repeats it after a short rate limit, so that a half-read page does
// not have to start again.
func (s *sweep) call(ctx context.Context, do func(*highlevel.Client) error) error {
	err := do(s.hl)
	for s.jobs.AtLimit(ctx, err) {
		err = do(s.hl.With(clients.Waited))
	}
	return err
}

func (s *sweep) entity(kind mapping.Kind, id string) store.Entity {
	return store.Entity{LocationID: s.at.LocationID, Kind: string(kind), ID: id}
}
