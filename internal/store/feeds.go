package store

import (
	"context"
	"fmt"
	"time"
)

// Feed says whose items a calendar shows: those of a location, or of one
// contact or user of it.
type Feed struct {
	LocationID string
	ContactID  string // "" = of any
	AssignedTo string // "" = to anybody
}

// where selects the rows of a feed by $1 and $2, the args. At most one of
// ContactID and AssignedTo is set.
func (f Feed) where() (condition string, args []any) {
	switch {
	case f.ContactID != "":
		return `location_id = $1 AND contact_id = $2`, []any{f.LocationID, f.ContactID}
	case f.AssignedTo != "":
		return `location_id = $1 AND assigned_to = $2`, []any{f.LocationID, f.AssignedTo}
	}
	return `location_id = $1 AND $2 = ''`, []any{f.LocationID, ""}
}

// FeedState is what changes when any item of a feed does.
type FeedState struct {
	Items     int64
	Revisions int64     // the sum
	Newest    time.Time // change of one of them; zero = there are none
	// ChangedAt is no earlier than the last change of the feed, that of an item
	// which left it included: it is that of its location.
	ChangedAt time.Time
}

// FeedState reads the state of a feed from its index alone.
func (s *Store) FeedState(ctx context.Context, f Feed) (FeedState, error) {
	condition, args := f.where()
	rows, err := s.Query(ctx, readFeedState+condition, args...)
	list, err := collect(rows, err, func(r Rows) (st FeedState, err error) {
		var newest, changed int64
		err = r.Scan(&st.Items, &st.Revisions, &newest, &changed)
		st.Newest, st.ChangedAt = fromMicros(newest), fromMicros(changed)
		return st, err
	})
	if err != nil {
		return FeedState{}, fmt.Errorf("read the state of a feed of location %s: %w", f.LocationID, err)
	}
	return list[0], nil
}

const readFeedState = `SELECT count(*), CAST(coalesce(sum(revision), 0) AS BIGINT), coalesce(max(updated_at), 0),
	(SELECT coalesce(max(updated_at), 0) FROM items WHERE location_id = $1) FROM items WHERE `

// FeedItems lists up to limit items of a feed, removed ones included, in the
// order of their UIDs, from after one on; "" = from the first.
func (s *Store) FeedItems(ctx context.Context, f Feed, after string, limit int) ([]Item, error) {
	condition, args := f.where()
	rows, err := s.Query(ctx, `SELECT `+itemColumns+` FROM items WHERE `+condition+pageOfFeed, append(args, after, limit)...)
	list, err := collect(rows, err, scanItem)
	if err != nil {
		return nil, fmt.Errorf("read a feed of location %s: %w", f.LocationID, err)
	}
	return list, nil
}

const pageOfFeed = ` AND uid > $3 ORDER BY uid LIMIT $4`

// ZoneSpan is a time zone and the time that the items in it span.
type ZoneSpan struct {
	Zone     string
	From, To time.Time
}

// FeedZones lists the time zones of a feed's items.
func (s *Store) FeedZones(ctx context.Context, f Feed) ([]ZoneSpan, error) {
	condition, args := f.where()
	rows, err := s.Query(ctx, `SELECT zone, min(start_at), max(CASE WHEN end_at > start_at THEN end_at ELSE start_at END)
		FROM items WHERE `+condition+` GROUP BY zone ORDER BY zone`, args...)
	list, err := collect(rows, err, func(r Rows) (z ZoneSpan, err error) {
		var from, to int64
		err = r.Scan(&z.Zone, &from, &to)
		z.From, z.To = fromMicros(from), fromMicros(to)
		return z, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the time zones of a feed of location %s: %w", f.LocationID, err)
	}
	return list, nil
}
