package store

import (
	"context"
	"fmt"
	"time"
)

// FeedKey describes a key in the URL of an iCalendar feed. The key itself is not stored.
type FeedKey struct {
	Digest    string // SHA-256 of the key, hex
	Feed      Feed   // what the feed shows
	CreatedAt time.Time
}

// AddFeedKey stores a new key.
func (s *Store) AddFeedKey(ctx context.Context, k FeedKey) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO feed_keys (digest, location_id, contact_id, assigned_to, created_at) VALUES ($1, $2, $3, $4, $5)`,
			k.Digest, k.Feed.LocationID, k.Feed.ContactID, k.Feed.AssignedTo, micros(k.CreatedAt))
		return err
	})
	if err != nil {
		return fmt.Errorf("store a feed key of location %s: %w", k.Feed.LocationID, err)
	}
	return nil
}

// FeedKeys lists the keys of a location, newest first.
func (s *Store) FeedKeys(ctx context.Context, locationID string) ([]FeedKey, error) {
	return s.feedKeys(ctx, `location_id = $1`, locationID)
}

// FeedKey looks a key up by its digest; ok is false if there is none.
func (s *Store) FeedKey(ctx context.Context, digest string) (k FeedKey, ok bool, err error) {
	list, err := s.feedKeys(ctx, `digest = $1`, digest)
	if err != nil || len(list) == 0 {
		return FeedKey{}, false, err
	}
	return list[0], true, nil
}

func (s *Store) feedKeys(ctx context.Context, where, arg string) ([]FeedKey, error) {
	rows, err := s.Query(ctx, `SELECT digest, location_id, contact_id, assigned_to, created_at FROM feed_keys
		WHERE `+where+` ORDER BY created_at DESC, digest`, arg)
	list, err := collect(rows, err, func(r Rows) (k FeedKey, err error) {
		var created int64
		err = r.Scan(&k.Digest, &k.Feed.LocationID, &k.Feed.ContactID, &k.Feed.AssignedTo, &created)
		k.CreatedAt = fromMicros(created)
		return k, err
	})
	if err != nil {
		return nil, fmt.Errorf("look up feed keys: %w", err)
	}
	return list, nil
}

// RevokeFeedKeys deletes keys by their digests and returns how many there were.
func (s *Store) RevokeFeedKeys(ctx context.Context, digests ...string) (int64, error) {
	return s.revoke(ctx, "feed_keys", digests)
}
