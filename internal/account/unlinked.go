package account

import (
	"context"
	"slices"
	"sync"
	"time"

	"milepost/internal/meeting"
	"milepost/internal/outcome"
	"milepost/internal/store"
	"milepost/internal/tracing"
	"milepost/mapping"
)

// A database that was lost, or restored from an older copy, does not know all requests
// that Milepost created. Their markers follow from the record, the item and the
// generation. So Milepost computes the markers that a link may have had, and looks them
// up in what the lists of the account show.

const (
	// laterGenerations is how many generations beyond the last known one Milepost searches.
	// Each is a replacement that the database has not seen. For each unlinked request, the
	// chance is one in 10 million that one of so many markers belongs to another record.
	laterGenerations = 100
	// firstGenerations is the same for records without a link, when Milepost searches all
	// records for the one of a request.
	firstGenerations = 16
)

// Unlinked are the requests whose marker no link knows, as the lists showed them before
// this process made its first request. Only processes with the same database make more, and
// those have links. So the lists are read once for an account and process.
type Unlinked struct {
	mu         sync.Mutex
	looked     bool      // once, and the lists showed nothing at all
	emptySince time.Time // since when they show nothing at all, though a request is known
	readOpen   bool
	readClosed bool
	requests   map[string][]meeting.Listed // by marker
	owners     map[string]store.Entity
	searched   map[string]bool // locations whose completed tasks were searched for owners
}

// PastRequest is an unlinked request of an item, with its generation.
type PastRequest struct {
	meeting.Listed
	Generation int64
}

// Look says how to read the lists for unlinked requests.
type Look struct {
	Since time.Time // read no earlier
	// Believe returns nil if Milepost may believe lists that show no request at all.
	Believe func(ctx context.Context, since time.Time) error
}

// UnlinkedRequests lists the unlinked requests of an item, by the generation of its link,
// oldest first.
func (s *Session) UnlinkedRequests(ctx context.Context, look Look, e store.Entity, item string, generation int64) ([]PastRequest, error) {
	u := &s.lists.unlinked
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := s.readUnlinked(ctx, look); err != nil || len(u.requests) == 0 {
		return nil, err
	}
	var found []PastRequest
	for g, last := int64(1), generation+laterGenerations; g <= last; g++ {
		for _, r := range u.requests[meeting.Marker(e, item, g)] {
			found = append(found, PastRequest{r, g})
			last = max(last, g+laterGenerations)
		}
	}
	return found, nil
}

// Linked removes the unlinked requests of an item that now belong to its link.
func (s *Session) Linked(e store.Entity, item string, requests []PastRequest) {
	u := &s.lists.unlinked
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, r := range requests {
		delete(u.requests, meeting.Marker(e, item, r.Generation))
	}
}

// readUnlinked reads the lists, unless they were read. The caller holds the mutex.
func (s *Session) readUnlinked(ctx context.Context, look Look) error {
	u := &s.lists.unlinked
	if !u.readOpen {
		if err := s.readOpenUnlinked(ctx, look); err != nil || !u.readOpen {
			return err
		}
	}
	if u.readClosed {
		return nil
	}
	closed, err := s.ClosedRequests(ctx, look.Since)
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
	u.readClosed = true
	return nil
}

// readOpenUnlinked reads the open lists. Empty lists may be those of a new account, or a
// wrong answer, so they are read again for the next record.
func (s *Session) readOpenUnlinked(ctx context.Context, look Look) error {
	u := &s.lists.unlinked
	open, err := s.OpenRequests(ctx, look.Since)
	if err != nil {
		return err
	}
	if len(open) == 0 {
		closed, err := s.ClosedRequests(ctx, look.Since)
		if err != nil {
			return err
		}
		if len(closed) == 0 {
			return s.believeEmpty(ctx, look, closed != nil)
		}
	}
	found, err := s.withoutLink(ctx, open)
	if err != nil {
		return err
	}
	u.requests, u.readOpen = found, true
	if len(found) > 0 && !u.looked { // else it may be one that this process replaced since
		tracing.Log(ctx, s.cfg.Logger).Warn().Str("location", s.LocationID).Int("requests", len(found)).
			Msg("CalendarHero has open meeting requests that this database does not know; Milepost adopts each when it syncs its record")
	}
	return nil
}

// believeEmpty returns nil if lists that show nothing at all may be believed.
func (s *Session) believeEmpty(ctx context.Context, look Look, closedRead bool) error {
	u := &s.lists.unlinked
	err := look.Believe(ctx, look.Since)
	if err == nil && closedRead && !u.looked {
		err = s.emptyForLong(ctx)
	}
	u.looked = u.looked || err == nil
	return err
}

// emptyForLong returns nil if the database knows no meeting request of the location.
// Otherwise the lists, including the list of closed requests, must have been empty for two
// hours.
func (s *Session) emptyForLong(ctx context.Context) error {
	u, now := &s.lists.unlinked, s.cfg.Now()
	known, err := s.cfg.Store.KnowsRequests(ctx, s.LocationID)
	if err != nil || !known {
		return err
	}
	if u.emptySince.IsZero() || u.emptySince.After(now) {
		u.emptySince = now
	}
	if next, more := outcome.NextCheck(now.Sub(u.emptySince), WhenListsAreEmpty()...); more {
		return &outcome.Wait{For: next, Why: "CalendarHero shows no meeting request at all, not even how earlier ones ended; Milepost checks again before it creates one"}
	}
	return nil
}

// withoutLink returns the requests that have a marker and no link, by marker.
func (s *Session) withoutLink(ctx context.Context, listed map[string]meeting.Listed) (map[string][]meeting.Listed, error) {
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
	links, err := s.cfg.Store.LinksWithMarkers(ctx, markers)
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

// OwnerOf finds the known record for which an unlinked request was made.
func (s *Session) OwnerOf(ctx context.Context, look Look, marker string) (e store.Entity, found bool, err error) {
	u := &s.lists.unlinked
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := s.readUnlinked(ctx, look); err != nil || len(u.requests[marker]) == 0 {
		return e, false, err
	}
	if err := s.findOwners(ctx); err != nil {
		return e, false, err
	}
	e, found = u.owners[marker]
	return e, found, nil
}

// findOwners computes, once, the markers that requests of all known records may have. The
// caller holds the mutex.
func (s *Session) findOwners(ctx context.Context) error {
	u := &s.lists.unlinked
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
	if err := s.cfg.Store.EachRequestLink(ctx, func(e store.Entity, item string, generation int64) {
		note(e, item, generation+laterGenerations)
	}); err != nil {
		return err
	}
	err := s.cfg.Store.EachEntity(ctx, func(e store.Entity) {
		for _, request := range s.cfg.Automations().Requests(mapping.Kind(e.Kind)) {
			note(e, request.Key, firstGenerations)
		}
	})
	if err == nil {
		u.owners = owners
	}
	return err
}

// Ownerless returns the markers of open unlinked requests that belong to no known record.
// After OwnersSearched there are none.
func (s *Session) Ownerless(ctx context.Context) (map[string]bool, error) {
	u := &s.lists.unlinked
	u.mu.Lock()
	defer u.mu.Unlock()
	found := map[string]bool{}
	for marker, requests := range u.requests {
		if !u.searched[s.LocationID] && slices.ContainsFunc(requests, meeting.Listed.Open) {
			found[marker] = true
		}
	}
	if len(found) == 0 {
		return nil, nil
	}
	err := s.findOwners(ctx)
	for marker := range u.owners {
		delete(found, marker)
	}
	return found, err
}

// OwnersSearched notes that the location was searched for the owners of requests.
func (s *Session) OwnersSearched() {
	u := &s.lists.unlinked
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.searched == nil {
		u.searched = map[string]bool{}
	}
	u.searched[s.LocationID] = true
}

// MayOwn reports whether one of the markers may belong to a request of the record.
func (s *Session) MayOwn(e store.Entity, markers map[string]bool) bool {
	for _, r := range s.cfg.Automations().Requests(mapping.Kind(e.Kind)) {
		for g := int64(1); g <= firstGenerations; g++ {
			if markers[meeting.Marker(e, r.Key, g)] {
				return true
			}
		}
	}
	return false
}
