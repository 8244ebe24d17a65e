package store

import (
	"context"
	"fmt"
	"time"
)

// Feed selects the items that a calendar shows: those of a location, or of one of its
// contacts or users.
type Feed struct {
	LocationID string
	ContactID  string // "" = any contact
	AssignedTo string // "" = any user
}

// where returns the SQL condition of a feed; args are its parameters $1 and $2. At most one
// of ContactID and AssignedTo is set.
func (f Feed) where() (condition string, args []any) {
	switch {
	case f.ContactID != "":
		return `location_id = $1 AND contact_id = $2`, []any{f.LocationID, f.ContactID}
	case f.AssignedTo != "":
		return `location_id = $1 AND assigned_to = $2`, []any{f.LocationID, f.AssignedTo}
	}
	return `location_id = $1 AND $2 = ''`, []any{f.LocationID, ""}
}

// FeedState changes whenever an item of the feed changes.
type FeedState struct {
	Items     int64
	Revisions int64     // the sum over all items
	Newest    time.Time // the newest change of an item; zero = no items
	// ChangedAt is no earlier than the last change of the feed, even if an item left it. It
	// is the last change of the location's items.
	ChangedAt time.Time
}

// FeedState reads the state of a feed from the index, without the rows.
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

// FeedItems lists up to limit items of a feed, including removed ones, ordered by UID after
// the given one; "" = from the first.
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

// ZoneSpan is a time zone, and the period that its items cover.
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
