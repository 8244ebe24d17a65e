package reconcile

import (
	"context"
	"slices"
	"sync"
	"time"

	"milepost/internal/meeting"
	"milepost/internal/store"
	"milepost/mapping"
)

// A database that was lost, or restored from an older copy, does not know all
// requests that were made here. Their markers follow from the record, the item and
// the generation, so the markers that a link may have had are computed and looked
// up in what the lists of the account show.

const (
	// laterGenerations is how many generations beyond the last one that is known are
	// looked for. Each is a replacement that the database has not seen. The chance that
	// one of so many markers belongs to another record is one in 10 million for each
	// unlinked request.
	laterGenerations = 100
	// firstGenerations is the same for records without a link, when the record of a
	// request is sought among all.
	firstGenerations = 16
)

// unlinked are the requests with a marker that no link knows, as the lists showed
// them before this process made its first request. Only this process and others
// with the same database make more, and they have links. So the lists are read
// once for an account and process.
type unlinked struct {
	mu       sync.Mutex
	looked   bool      // and showed nothing at all
	empty    time.Time // since when they show nothing at all, though some were made
	read     bool
	closed   bool                        // the list of closed requests was read, too
	requests map[string][]meeting.Listed // by marker
	owners   map[string]store.Entity
	searched map[string]bool // locations whose completed tasks were looked through for the owners
}

// pastRequest is an unlinked request of an item, with its generation.
type pastRequest struct {
	meeting.Listed
	generation int64
}

// unlinkedOf lists the unlinked requests of an item, the oldest generation first.
func (s *entitySync) unlinkedOf(ctx context.Context, e store.Entity, item string, generation int64) ([]pastRequest, error) {
	u := &s.conn.board.unlinked
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := s.readUnlinked(ctx); err != nil || len(u.requests) == 0 {
		return nil, err
	}
	var found []pastRequest
	for g, last := int64(1), generation+laterGenerations; g <= last; g++ {
		for _, r := range u.requests[meeting.Marker(e, item, g)] {
			found = append(found, pastRequest{r, g})
			last = max(last, g+laterGenerations)
		}
	}
	return found, nil
}

// settle drops the unlinked requests of an item, which its link accounts for now.
func (u *unlinked) settle(e store.Entity, item string, requests []pastRequest) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, r := range requests {
		delete(u.requests, meeting.Marker(e, item, r.generation))
	}
}

// readUnlinked reads the lists, unless they were read. The caller holds u.mu.
func (s *entitySync) readUnlinked(ctx context.Context) error {
	u := &s.conn.board.unlinked
	since := s.began.Add(-pollFresh)
	if !u.read {
		open, err := s.conn.board.look(ctx, s.conn.CalendarHero, since, s.now())
		if err != nil {
			return err
		}
		if len(open) == 0 { // a new account, or a bad answer: look again for the next record
			if closed, err := s.conn.board.lookBack(ctx, s.conn.CalendarHero, since, s.now()); err != nil || len(closed) == 0 {
				if err == nil {
					err = s.believable(ctx, since)
				}
				if err == nil && closed != nil && !u.looked {
					err = s.emptyForLong(ctx, u)
				}
				u.looked = u.looked || err == nil
				return err
			}
		}
		found, err := s.withoutLink(ctx, open)
		if err != nil {
			return err
		}
		u.requests, u.read = found, true
		if len(found) > 0 && !u.looked { // else it may be one that was replaced here meanwhile
			s.logger.Warn().Str("location", s.entity.LocationID).Int("requests", len(found)).
				Msg("CalendarHero has open meeting requests that this database does not know; Milepost adopts each when it syncs its record")
		}
	}
	if u.closed {
		return nil
	}
	closed, err := s.conn.board.lookBack(ctx, s.conn.CalendarHero, since, s.now())
	if err != nil || closed == nil {
		return err
	}
	found, err := s.withoutLink(ctx, closed)
	if err != nil {
		return err
	}
	for marker, requests := range found {
		u.requests[marker] = append(u.requests[marker], requests...)
	}
	u.closed = true
	return nil
}

// emptyForLong returns nil if it may be believed that the account has no meeting
// request: none was made for the location as far as the database knows, or the lists,
// which show also how one ended, have been empty for two hours.
func (s *entitySync) emptyForLong(ctx context.Context, u *unlinked) error {
	made, err := s.store.MadeRequests(ctx, s.entity.LocationID)
	if err != nil || !made {
		return err
	}
	if u.empty.IsZero() || u.empty.After(s.now()) {
		u.empty = s.now()
	}
	if next, more := nextLook(s.now().Sub(u.empty), whenListsAreEmpty()...); more {
		return &wait{d: next, why: "CalendarHero shows no meeting request at all, not even how earlier ones ended; Milepost checks again before it creates one"}
	}
	return nil
}

// withoutLink are those of the requests that have a marker and no link, by marker.
func (s *entitySync) withoutLink(ctx context.Context, listed map[string]meeting.Listed) (map[string][]meeting.Listed, error) {
	found := map[string][]meeting.Listed{}
	var markers []string
	for _, r := range listed {
		if marker := meeting.MarkerIn(r.Title); marker != "" {
			if found[marker] == nil {
				markers = append(markers, marker)
			}
			found[marker] = append(found[marker], r)
		}
	}
	links, err := s.store.LinksWithMarkers(ctx, markers)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		found[l.Marker] = slices.DeleteFunc(found[l.Marker], func(r meeting.Listed) bool {
			return l.State.Uncertain() || l.ObjectID == r.ID && l.State != store.LinkGone
		})
		if len(found[l.Marker]) == 0 {
			delete(found, l.Marker)
		}
	}
	return found, nil
}

// ownerOf finds the record that an unlinked request was made for, among those
// that the database knows.
func (s *entitySync) ownerOf(ctx context.Context, marker string) (e store.Entity, found bool, err error) {
	u := &s.conn.board.unlinked
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := s.readUnlinked(ctx); err != nil || len(u.requests[marker]) == 0 {
		return e, false, err
	}
	if err := s.findOwners(ctx, u); err != nil {
		return e, false, err
	}
	e, found = u.owners[marker]
	return e, found, nil
}

// findOwners computes the markers that the requests of all known records may have,
// unless it was done. The caller holds u.mu.
func (r *Reconciler) findOwners(ctx context.Context, u *unlinked) error {
	if u.owners != nil {
		return nil
	}
	owners := map[string]store.Entity{}
	note := func(e store.Entity, item string, last int64) {
		for g := int64(1); g <= last; g++ {
			if m := meeting.Marker(e, item, g); u.requests[m] != nil {
				owners[m] = e
			}
		}
	}
	if err := r.store.EachRequestLink(ctx, func(e store.Entity, item string, generation int64) {
		note(e, item, generation+laterGenerations)
	}); err != nil {
		return err
	}
	err := r.store.EachEntity(ctx, func(e store.Entity) {
		for _, request := range r.live().Requests(mapping.Kind(e.Kind)) {
			note(e, request.Key, firstGenerations)
		}
	})
	if err == nil {
		u.owners = owners
	}
	return err
}

// strangers are the markers of the open unlinked requests that were made for no record
// that the database knows. There are none once the location was looked through.
func (r *Reconciler) strangers(ctx context.Context, u *unlinked, locationID string) (map[string]bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	found := map[string]bool{}
	for marker, requests := range u.requests {
		if !u.searched[locationID] && slices.ContainsFunc(requests, meeting.Listed.Open) {
			found[marker] = true
		}
	}
	if len(found) == 0 {
		return nil, nil
	}
	err := r.findOwners(ctx, u)
	for marker := range u.owners {
		delete(found, marker)
	}
	return found, err
}

// lookedThrough notes that a location was looked through for the owners of requests.
func (u *unlinked) lookedThrough(locationID string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.searched == nil {
		u.searched = map[string]bool{}
	}
	u.searched[locationID] = true
}

// freshFor is when the lists are to be read that are believed about past requests.
// A generation after the link's is certainly of another time. An earlier one may have
// been replaced while the lists were read, by another process with this database.
func (s *entitySync) freshFor(link store.Link, past []pastRequest) time.Time {
	if link.State != "" && past[0].generation <= link.Generation {
		return s.began
	}
	return s.began.Add(-pollFresh)
}

// listedNow is where the lists, read no earlier than since, show a request; false
// if none does.
func (s *entitySync) listedNow(ctx context.Context, id string, since time.Time) (meeting.Listed, bool, error) {
	open, err := s.conn.board.look(ctx, s.conn.CalendarHero, since, s.now())
	if err != nil {
		return meeting.Listed{}, false, err
	}
	if r, ok := open[id]; ok {
		return r, true, nil
	}
	closed, err := s.conn.board.lookBack(ctx, s.conn.CalendarHero, since, s.now())
	r, ok := closed[id]
	return r, ok, err
}
