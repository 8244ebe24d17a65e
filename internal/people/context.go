package people

import "context"

type contextKey struct{}

// With notes in a context who makes a request.
func With(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, contextKey{}, id)
}

// From is who makes a request; the zero Identity, which may do nothing, if nobody
// was noted.
func From(ctx context.Context) Identity {
	id, _ := ctx.Value(contextKey{}).(Identity)
	return id
}
