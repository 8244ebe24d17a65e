package connection

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"milepost/internal/store"
)

// looksLikeKey reports whether a text may be a key of ours (rand.Text): what is
// none is not worth a query.
func looksLikeKey(s string) bool {
	return len(s) == 26 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// NewWorkflowKey makes a key for the workflow webhooks of a connected location:
// 26 letters and digits with 130 random bits, of which only the SHA-256 is
// kept. othersUntil is when the location's other keys expire; the zero time
// leaves them alone.
func (r *Registry) NewWorkflowKey(ctx context.Context, locationID string, othersUntil time.Time) (string, error) {
	c, ok, err := r.stored(ctx, locationID)
	switch {
	case err != nil:
		return "", err
	case !ok || c.State == store.ConnectionRemoved:
		return "", fmt.Errorf("location %s is not connected; `milepost connections` lists those that are", locationID)
	}
	key := rand.Text()
	return key, r.Store.AddWorkflowKey(ctx, store.WorkflowKey{
		Digest: workflowDigest(key), LocationID: locationID, CreatedAt: r.Now(),
	}, othersUntil)
}

// WorkflowLocation returns the location whose workflow webhooks a key lets in;
// ok is false for a key that is unknown, revoked or expired. An error means
// that it could not be found out.
func (r *Registry) WorkflowLocation(ctx context.Context, key string) (locationID string, ok bool, err error) {
	if !looksLikeKey(key) {
		return "", false, nil
	}
	k, ok, err := r.Store.WorkflowKey(ctx, workflowDigest(key))
	if err != nil || !ok || !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(r.Now()) {
		return "", false, err
	}
	return k.LocationID, true, nil
}

// workflowDigest needs no salt and no slow hash: a key is random, not chosen.
func workflowDigest(key string) string {
	sum := sha256.Sum256([]byte("milepost workflow key\x00" + key))
	return hex.EncodeToString(sum[:])
}
