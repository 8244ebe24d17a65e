package clients

import (
	"context"
	"net/http"
)

// A Turn says how a call stands in line where calls are rationed.
type Turn struct {
	// Backfill takes only what interactive work leaves.
	Backfill bool
	Claim    Claim
}

// A Claim is what a call can say for itself where others wait too.
type Claim int

const (
	// New stands behind those who wait.
	New Claim = iota
	// Waited was sent away with a RetryAfter, and has come back.
	Waited
	// Begun belongs to work that has made calls already. It may wait in place
	// for seconds: the work would else be done again from its beginning.
	Begun
)

// gate asks for a turn and for permission before each try, so that retries count
// too, and tells what was answered.
type gate struct {
	*Transport
	call Call
	next http.RoundTripper
}

// notAdmitted is a try that got no turn: certainly nothing was sent.
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
		if err := g.cfg.Admit(ctx, g.call.Turn); err != nil {
			return err
		}
	}
	if g.cfg.Permit != nil && g.call.Effect != Read {
		return g.cfg.Permit(ctx)
	}
	return nil
}
