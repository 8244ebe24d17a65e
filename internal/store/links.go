package store

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"
)

// LinkState is what Milepost knows about the object of a link.
type LinkState string

// The states of a link:
//
//	gone -> creating -> live -> deleting -> gone
//	           |-> unanswered -^
//
// Milepost stores a create or a delete before it sends it. After a crash or a lost answer,
// it searches for the object of a create before it creates it again. It sends a delete
// again before it assumes anything else about the object.
const (
	LinkCreating   LinkState = "creating"   // a create was about to be sent; whether the object exists is not known
	LinkUnanswered LinkState = "unanswered" // the same, but the create timed out and may take effect late
	LinkLive       LinkState = "live"
	LinkDeleting   LinkState = "deleting" // a delete was about to be sent; whether the object still exists is not known
	LinkGone       LinkState = "gone"
)

// Uncertain reports whether a create was sent and its object is not known yet.
func (s LinkState) Uncertain() bool { return s == LinkCreating || s == LinkUnanswered }

// Link ties an item of an entity to the object that Milepost created for it.
type Link struct {
	Entity      Entity
	Item        string // the item's key
	ItemKind    string
	Automation  string
	State       LinkState
	ObjectID    string    // CalendarHero's id; "" until known
	Owned       bool      // Milepost made the object; false if it already existed
	Marker      string    // part of the object, so that Milepost can find it
	Generation  int64     // raised by every create
	Material    string    // fingerprint; a difference replaces the object
	Content     string    // fingerprint of everything that was last written
	Title       string    // for people
	Start, End  time.Time // of an event or task; zero for others
	AttemptedAt time.Time // when the last create was about to be sent
	// SourceStart and SourceEnd are the times that the record asked for at the last
	// comparison. Start and End are the times of the meeting.
	SourceStart, SourceEnd time.Time
	// FollowedStart and FollowedEnd are the meeting's times that Milepost last wrote to the
	// record. If the record asks for them, no person changed it.
	FollowedStart, FollowedEnd time.Time
	Meeting                    string // the mapping.MeetingState last seen; "" for other items
	Base                       string // for a contact, what both sides last had: JSON, part to digest
	// Debounced is the Content of a new description that waits, and DebouncedSince is when
	// the wait began; "" = none waits.
	Debounced      string
	DebouncedSince time.Time
	Invited        string // the mapping.InviteWho of an event or task; "" = not known
	Left           string // why the object stays although its entity is gone; "" = it does not stay. No personal data
}

// BaseOf returns the link's Base if the link is of this object, else "".
func (l Link) BaseOf(objectID string) string {
	if l.ObjectID != objectID {
		return ""
	}
	return l.Base
}

func scanLink(r Rows) (l Link, err error) {
	var owned, start, end, attempted, sourceStart, sourceEnd, followedStart, followedEnd, resting int64
	err = r.Scan(&l.Entity.LocationID, &l.Entity.Kind, &l.Entity.ID, &l.Item, &l.ItemKind, &l.Automation, &l.State,
		&l.ObjectID, &owned, &l.Marker, &l.Generation, &l.Material, &l.Content, &l.Title, &start, &end, &attempted, &l.Left,
		&sourceStart, &sourceEnd, &l.Meeting, &l.Base, &followedStart, &followedEnd,
		&l.Debounced, &resting, &l.Invited)
	l.Owned, l.Start, l.End, l.AttemptedAt = owned == 1, fromMicros(start), fromMicros(end), fromMicros(attempted)
	l.SourceStart, l.SourceEnd = fromMicros(sourceStart), fromMicros(sourceEnd)
	l.FollowedStart, l.FollowedEnd = fromMicros(followedStart), fromMicros(followedEnd)
	l.DebouncedSince = fromMicros(resting)
	return l, err
}

const linkColumns = `location_id, kind, entity_id, item, item_kind, automation, state, object_id, owned, marker, generation,
	material, content, title, start_at, end_at, attempted_at, left_why, source_start_at, source_end_at, meeting, base,
	followed_start_at, followed_end_at, resting, resting_since, invited`

// Links reads the links of an entity by item key, including gone ones.
func (s *Store) Links(ctx context.Context, e Entity) (map[string]Link, error) {
	rows, err := s.Query(ctx, `SELECT `+linkColumns+` FROM links WHERE location_id = $1 AND kind = $2 AND entity_id = $3`,
		e.LocationID, e.Kind, e.ID)
	links, err := collect(rows, err, scanLink)
	if err != nil {
		return nil, fmt.Errorf("read the links of %s: %w", e, err)
	}
	out := make(map[string]Link, len(links))
	for _, l := range links {
		out[l.Item] = l
	}
	return out, nil
}

// Relinquish marks the link of a deleted entity as deleting. It reports whether to delete
// the object too: only if Milepost created it and no other entity has a live link to it, in
// any location with the same CalendarHero account. If another entity has such a link, that
// link now owns the object.
func (s *Store) Relinquish(ctx context.Context, l Link, now time.Time) (sole bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		own := []any{l.Entity.LocationID, l.Entity.Kind, l.Entity.ID, l.Item}
		rows, err := tx.Query(ctx, `UPDATE links SET state = 'deleting', updated_at = $5
			WHERE location_id = $1 AND kind = $2 AND entity_id = $3 AND item = $4 RETURNING owned`, append(own, micros(now))...)
		owned, err := collect(rows, err, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
		if err != nil || len(owned) == 0 || owned[0] == 0 {
			return err
		}
		// Two entities that let go at once lock each other's rows; PostgreSQL aborts one,
		// which tries again.
		heirs, err := tx.Exec(ctx, `UPDATE links SET owned = 1 WHERE object_id = $1 AND item_kind = $2
			AND state = 'live' AND NOT (location_id = $3 AND kind = $4 AND entity_id = $5)`,
			l.ObjectID, l.ItemKind, l.Entity.LocationID, l.Entity.Kind, l.Entity.ID)
		if sole = heirs == 0; sole || err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE links SET owned = 0 WHERE location_id = $1 AND kind = $2 AND entity_id = $3 AND item = $4`, own...)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("release object %s of %s: %w", l.ObjectID, l.Entity, err)
	}
	return sole, nil
}

// ContactLinks lists at most n links of a location to CalendarHero contacts that have a
// name and belong to entities other than e.
func (s *Store) ContactLinks(ctx context.Context, e Entity, n int) ([]Link, error) {
	rows, err := s.Query(ctx, `SELECT `+linkColumns+` FROM links WHERE location_id = $1 AND kind = 'contact' AND item_kind = 'contact' AND state = 'live'
		AND title <> '' AND entity_id <> $2 LIMIT $3`, e.LocationID, e.ID, n)
	list, err := collect(rows, err, scanLink)
	if err != nil {
		return nil, fmt.Errorf("list the contacts of location %s in CalendarHero: %w", e.LocationID, err)
	}
	return list, nil
}

// SaveLink writes a link. In the same transaction it queues the link's reminders, which are
// soonest first, and adds to the timeline.
func (s *Store) SaveLink(ctx context.Context, l Link, now time.Time, reminders []Reminder, timeline ...TimelineEntry) error {
	return s.saveLink(ctx, l, now, remindJobs(l, now, reminders), timeline)
}

// GiveUp marks a link gone after no search found the object of its create, and queues
// searches in case the object appears later.
func (s *Store) GiveUp(ctx context.Context, l Link, now time.Time) error {
	l.State = LinkGone
	return s.saveLink(ctx, l, now, []river.InsertManyParams{{Args: OrphanArgs{
		LocationID: l.Entity.LocationID, RecordKind: l.Entity.Kind, EntityID: l.Entity.ID,
		Item: l.Item, Generation: l.Generation, GivenUpAt: now.UTC(),
	}}}, nil)
}

// Confirm queues a check, after a time by the machine's clock, whether a meeting request
// still exists.
func (s *Store) Confirm(ctx context.Context, of OrphanArgs, after time.Duration) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		return s.queue.insert(ctx, tx, []river.InsertManyParams{{Args: of, InsertOpts: &river.InsertOpts{Queue: queueBackground, ScheduledAt: time.Now().Add(after)}}})
	})
	if err != nil {
		return fmt.Errorf("queue a check of meeting request %s: %w", of.DeletedID, err)
	}
	return nil
}

// Debounce writes a link with a waiting description, and queues the end of the wait after a
// time, by the machine's clock.
func (s *Store) Debounce(ctx context.Context, l Link, now time.Time, after time.Duration) error {
	return s.saveLink(ctx, l, now, []river.InsertManyParams{{
		Args:       DebounceArgs{LocationID: l.Entity.LocationID, RecordKind: l.Entity.Kind, EntityID: l.Entity.ID, Item: l.Item, Since: l.DebouncedSince.UTC()},
		InsertOpts: &river.InsertOpts{Queue: queueBackground, ScheduledAt: time.Now().Add(after)},
	}}, nil)
}

func (s *Store) saveLink(ctx context.Context, l Link, now time.Time, jobs []river.InsertManyParams, timeline []TimelineEntry) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		if err := tx.writeLink(ctx, l, now); err != nil {
			return err
		}
		if err := s.queue.insert(ctx, tx, jobs); err != nil {
			return err
		}
		return tx.appendTimeline(ctx, timeline)
	})
	if err != nil {
		return fmt.Errorf("write the link of item %s of %s: %w", l.Item, l.Entity, err)
	}
	return nil
}

func (tx *Tx) writeLink(ctx context.Context, l Link, now time.Time) error {
	owned := int64(0)
	if l.Owned {
		owned = 1
	}
	_, err := tx.Exec(ctx, `INSERT INTO links (`+linkColumns+`, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28)
		ON CONFLICT (location_id, kind, entity_id, item) DO UPDATE SET
			item_kind = excluded.item_kind, automation = excluded.automation, state = excluded.state,
			object_id = excluded.object_id, owned = excluded.owned, marker = excluded.marker,
			generation = excluded.generation, material = excluded.material, content = excluded.content,
			title = excluded.title, start_at = excluded.start_at, end_at = excluded.end_at,
			attempted_at = excluded.attempted_at, left_why = excluded.left_why,
			source_start_at = excluded.source_start_at, source_end_at = excluded.source_end_at,
			meeting = excluded.meeting, base = excluded.base,
			followed_start_at = excluded.followed_start_at, followed_end_at = excluded.followed_end_at,
			resting = excluded.resting, resting_since = excluded.resting_since, invited = excluded.invited, updated_at = excluded.updated_at`,
		l.Entity.LocationID, l.Entity.Kind, l.Entity.ID, l.Item, l.ItemKind, l.Automation, string(l.State), l.ObjectID,
		owned, l.Marker, l.Generation, l.Material, l.Content, l.Title,
		micros(l.Start), micros(l.End), micros(l.AttemptedAt), l.Left,
		micros(l.SourceStart), micros(l.SourceEnd), l.Meeting, l.Base,
		micros(l.FollowedStart), micros(l.FollowedEnd), l.Debounced, micros(l.DebouncedSince), l.Invited, micros(now))
	return err
}
