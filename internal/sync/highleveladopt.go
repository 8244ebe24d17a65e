package sync

import (
	"context"
	"regexp"
	"slices"
	"sync"
	"time"

	"milepost/clients/highlevel"

	"milepost/internal/account"
	"milepost/internal/meeting"
	"milepost/internal/outcome"
	"milepost/internal/store"
	"milepost/mapping"
)

// refForm matches the marker of a note or task that Milepost wrote in HighLevel.
// A person may have added text after it.
var refForm = regexp.MustCompile(`\[ref:(?:\s|&nbsp;)(mp-[a-z2-7]{8})(?:-[a-z2-7]{4})?\]`)

// laterWrites is how many generations beyond the known one the search for a note or task
// covers. Milepost updates them in place, so it creates another one only if one was lost.
const laterWrites = 8

// writtenIDs returns the ids of a contact's notes or tasks that have a marker, by marker.
type writtenIDs map[string]string

func (w writtenIDs) add(id, body string) {
	for _, m := range refForm.FindAllStringSubmatch(body, -1) {
		w[m[1]] = id
	}
}

// backReads remembers the contacts whose notes or tasks were read since the process
// started. That read finds everything that this database does not know.
type backReads struct {
	mu   sync.Mutex
	read map[backRead]writtenIDs
}

type backRead struct {
	kind    mapping.ItemKind
	contact string
}

// adoptWritten adopts the note or task that was written for an item before the database was
// lost or copied. It does not change the text, because a person may have edited it.
func (s highLevelWrites) adoptWritten(ctx context.Context, link store.Link, item mapping.Item, content, title string, read func() (writtenIDs, error)) (store.Link, error) {
	reads := &s.conn.backReads
	reads.mu.Lock()
	ids, known := reads.read[backRead{item.Kind, s.contactID}]
	reads.mu.Unlock()
	if !known {
		var err error
		if ids, err = read(); err != nil {
			return link, err
		}
		reads.mu.Lock()
		if reads.read == nil {
			reads.read = map[backRead]writtenIDs{}
		}
		reads.read[backRead{item.Kind, s.contactID}] = ids
		reads.mu.Unlock()
	}
	return s.adoptLater(ctx, link, item, content, title, ids)
}

// adoptLater adopts the object of a later generation than the link's, if there is one.
func (s highLevelWrites) adoptLater(ctx context.Context, link store.Link, item mapping.Item, content, title string, ids writtenIDs) (store.Link, error) {
	if len(ids) == 0 {
		return link, nil
	}
	for g := link.Generation + laterWrites; g > link.Generation; g-- {
		id := ids[meeting.Marker(s.entity, item.Key, g)]
		if id == "" {
			continue
		}
		link = store.Link{
			Entity: s.entity, Item: item.Key, ItemKind: string(item.Kind), Automation: item.Automation, State: store.LinkLive,
			ObjectID: id, Owned: true, Marker: meeting.Marker(s.entity, item.Key, g), Generation: g, Content: content, Title: title, AttemptedAt: s.now(),
		}
		return link, s.store.SaveLink(ctx, link, s.now(), nil, s.tell(whatWritten(item.Kind)+" adopted", title))
	}
	return link, nil
}

// Markers of former releases have no check, and those under a lost key cannot be checked.
// If no link knows such a marker, it is Milepost's only if it follows from a record of the
// contact or a meeting, and an automation. Anybody can write a text that looks like a
// marker. So if a marker follows from nothing, its text counts as a person's.

// followsFromKnown reports whether a marker follows from a record of the contact that the
// database knows.
func (s *entitySync) followsFromKnown(ctx context.Context, marker string) (bool, error) {
	if s.mayHaveWritten(mapping.KindContact, s.contactID, marker) {
		return true, nil
	}
	known, err := s.store.EntitiesOf(ctx, s.entity.LocationID, s.contactID)
	return slices.ContainsFunc(known, func(e store.Entity) bool { return s.mayHaveWritten(mapping.Kind(e.Kind), e.ID, marker) }), err
}

// followsFromShown reports whether a marker follows from a meeting or a task of the contact
// that the vendors show.
func (s *entitySync) followsFromShown(ctx context.Context, marker string) (bool, error) {
	if ours, err := s.meetingWrote(ctx, marker); ours || err != nil {
		return ours, err
	}
	tasks, err := s.contactTasks(ctx)
	if err != nil {
		return false, outcome.NonRecord(err)
	}
	return slices.ContainsFunc(tasks, func(t highlevel.Task) bool { return s.mayHaveWritten(mapping.KindTask, t.ID, marker) }), nil
}

// mayHaveWritten reports whether automations write a marker for a record.
func (s *entitySync) mayHaveWritten(kind mapping.Kind, id, marker string) bool {
	e := store.Entity{LocationID: s.entity.LocationID, Kind: string(kind), ID: id}
	found := false
	s.automations.WritesBack(kind, s.now(), func(key string) bool {
		for g := int64(1); g <= laterWrites && !found; g++ {
			found = meeting.Marker(e, key, g) == marker
		}
		return found
	})
	return found
}

// meetingWrote reports whether automations write a marker for a meeting that a list
// shows.
func (s *entitySync) meetingWrote(ctx context.Context, marker string) (bool, error) {
	since := s.began.Add(-account.ListsFresh)
	if err := s.believable(ctx, since); err != nil {
		return false, err
	}
	open, err := s.conn.OpenRequests(ctx, since)
	if err != nil {
		return false, err
	}
	closed, err := s.conn.ClosedRequests(ctx, since)
	if err != nil {
		return false, err
	}
	for _, list := range []map[string]meeting.Listed{open, closed} {
		for id := range list {
			if s.mayHaveWritten(mapping.KindMeeting, id, marker) {
				return true, nil
			}
		}
	}
	return false, nil
}

// proofs remembers the markers without a check that are proven to be Milepost's, and those
// for which the vendors lately showed nothing.
type proofs struct {
	mu      sync.Mutex
	ours    map[proof]bool
	nothing map[proof]time.Time // when they showed nothing
}

type proof struct{ contact, marker string }

const (
	// mostProofs bounds the memory, because people can make up markers.
	mostProofs = 10000
	// nothingFor is how long Milepost does not ask the vendors again. Their answer may have
	// been wrong.
	nothingFor = 10 * time.Minute
)

// wroteUnknown reports whether Milepost wrote a note or task with a marker that no link
// knows, and that has no check.
func (s *entitySync) wroteUnknown(ctx context.Context, marker string) (bool, error) {
	p, of := &s.conn.proofs, proof{s.contactID, marker}
	p.mu.Lock()
	ours, asked := p.ours[of], p.nothing[of]
	p.mu.Unlock()
	if ours || s.contactID == "" {
		return ours, nil
	}
	ours, err := s.followsFromKnown(ctx, marker)
	if since := s.now().Sub(asked); err == nil && !ours && (since < 0 || since >= nothingFor) {
		ours, err = s.followsFromShown(ctx, marker)
		asked = s.now()
	}
	if err != nil {
		return false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ours == nil || len(p.ours)+len(p.nothing) >= mostProofs {
		p.ours, p.nothing = map[proof]bool{}, map[proof]time.Time{}
	}
	if delete(p.nothing, of); ours {
		p.ours[of] = true
	} else {
		p.nothing[of] = asked
	}
	return ours, nil
}
