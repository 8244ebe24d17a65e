package connection

import (
	"context"
	"crypto/rand"

	"milepost/internal/store"
)

// NewFeedKey makes a key for a feed of a connected location.
func (r *Registry) NewFeedKey(ctx context.Context, feed store.Feed) (string, error) {
	if err := r.mayHaveKeys(ctx, feed.LocationID); err != nil {
		return "", err
	}
	key := rand.Text()
	return key, r.Store.AddFeedKey(ctx, store.FeedKey{Digest: digest(feedKey, key), Feed: feed, CreatedAt: r.Now()})
}

// Feed returns the feed that a key opens, and the name of its location, "" if that is not
// known; ok is false if the key is unknown or revoked. An error means that Feed could not
// find out.
func (r *Registry) Feed(ctx context.Context, key string) (feed store.Feed, location string, ok bool, err error) {
	if !isKey(key) {
		return store.Feed{}, "", false, nil
	}
	k, ok, err := r.Store.FeedKey(ctx, digest(feedKey, key))
	if err != nil || !ok {
		return store.Feed{}, "", false, err
	}
	c, _, err := r.stored(ctx, k.Feed.LocationID)
	return k.Feed, c.Name, err == nil, err
}
