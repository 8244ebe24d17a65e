package clients

import (
	"context"
	"net/http"
)

// Priority decides which calls go first when calls are rationed.
type Priority struct {
	// Backfill calls use only what other work leaves.
	Backfill bool
	Claim    Claim
}

// Claim is the rank of a call among waiting calls.
type Claim int

const (
	// New calls wait behind all others.
	New Claim = iota
	// Waited calls came back after a RetryAfter.
	Waited
	// Begun calls belong to work that has already made calls. They may wait in place
	// for seconds, because otherwise that work starts again from the beginning.
	Begun
)

// gate asks for admission and permission before each try, so that retries count too. It
// also reports each answer.
type gate struct {
	*Transport
	call Call
	next http.RoundTripper
	h    *Heard
}

// notAdmitted is the error of a try that was not admitted. Nothing was sent.
type notAdmitted struct{ error }

func (h notAdmitted) Unwrap() error { return h.error }

func (g gate) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := g.pass(req.Context()); err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, notAdmitted{err}
	}
	res, err := g.next.RoundTrip(req)
	if err == nil && g.cfg.Observe != nil {
		g.cfg.Observe(req.Context(), res.StatusCode, res.Header)
	}
	return res, err
}

func (g gate) pass(ctx context.Context) error {
	if g.cfg.Admit != nil {
		began := g.cfg.Now()
		err := g.cfg.Admit(ctx, g.call.Priority)
		g.h.Queued += g.cfg.Now().Sub(began)
		if err != nil {
			return err
		}
	}
	if g.cfg.Permit != nil && g.call.Effect != Read {
		return g.cfg.Permit(ctx)
	}
	return nil
}
