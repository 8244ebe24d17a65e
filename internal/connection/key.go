package connection

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"milepost/internal/store"
)

// A key in a URL is 26 letters and digits with 130 random bits (rand.Text), of
// which only the SHA-256 is kept.
const keyLength = 26

// What a key is for is part of its digest, so that none opens anything else.
const (
	workflowKey = "workflow"
	feedKey     = "feed"
)

// isKey reports whether a text may be a key; what is none is not worth a query.
func isKey(text string) bool {
	return len(text) == keyLength && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// digest needs no salt and no slow hash: a key is random, not chosen.
func digest(purpose, key string) string {
	sum := sha256.Sum256([]byte("milepost " + purpose + " key\x00" + key))
	return hex.EncodeToString(sum[:])
}

// mayHaveKeys fails for a location that is not connected.
func (r *Registry) mayHaveKeys(ctx context.Context, locationID string) error {
	c, ok, err := r.stored(ctx, locationID)
	if err == nil && (!ok || c.State == store.ConnectionRemoved) {
		err = fmt.Errorf("location %s is not connected; `milepost connections` lists those that are", locationID)
	}
	return err
}
