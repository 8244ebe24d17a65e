package connection

import (
	"context"
	"crypto/rand"
	"time"

	"milepost/internal/store"
)

// NewWorkflowKey makes a key for the workflow webhooks of a connected location.
// othersUntil is when the location's other keys expire; the zero time leaves
// them alone.
func (r *Registry) NewWorkflowKey(ctx context.Context, locationID string, othersUntil time.Time) (string, error) {
	if err := r.mayHaveKeys(ctx, locationID); err != nil {
		return "", err
	}
	key := rand.Text()
	return key, r.Store.AddWorkflowKey(ctx, store.WorkflowKey{
		Digest: digest(workflowKey, key), LocationID: locationID, CreatedAt: r.Now(),
	}, othersUntil)
}

// WorkflowLocation returns the location whose workflow webhooks a key lets in;
// ok is false for a key that is unknown, revoked or expired. An error means
// that it could not be found out.
func (r *Registry) WorkflowLocation(ctx context.Context, key string) (locationID string, ok bool, err error) {
	if !isKey(key) {
		return "", false, nil
	}
	k, ok, err := r.Store.WorkflowKey(ctx, digest(workflowKey, key))
	if err != nil || !ok || !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(r.Now()) {
		return "", false, err
	}
	return k.LocationID, true, nil
}
