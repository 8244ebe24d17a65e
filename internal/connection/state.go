package connection

import (
	"context"
	"crypto/rand"
	"strconv"
	"strings"
	"time"
)

// StateFor is how long a person may take on HighLevel's page.
const StateFor = 15 * time.Minute

// stateOf is what the signature of a state is for.
const stateOf = "oauth state"

// NewState returns a state for an installation that begins here now: when it
// expires, a random part and a signature. Nothing is stored of it, so that
// beginning installations costs nothing.
func (r *Registry) NewState() (string, error) {
	text := strconv.FormatInt(r.Now().Add(StateFor).Unix(), 36) + "." + rand.Text()
	signature, err := r.Ring.Sign(text, stateOf)
	return text + "." + signature, err
}

// StateGood reports whether a state was made by NewState, here or by a process
// that shares the keys, and has not expired. It does not look up whether it was used.
func (r *Registry) StateGood(state string) bool {
	_, _, ok := r.parseState(state)
	return ok
}

// UseState reports whether a state is good and was not used before; from then
// on it is used, for all processes that share the database.
func (r *Registry) UseState(ctx context.Context, state string) (bool, error) {
	random, expires, ok := r.parseState(state)
	if !ok {
		return false, nil
	}
	// A lease that nobody releases. It is deleted some time after the state expires.
	return r.Store.Lease(ctx, stateOf+" "+random, rand.Text(), r.Now(), expires)
}

func (r *Registry) parseState(state string) (random string, expires time.Time, ok bool) {
	end := strings.LastIndexByte(state, '.')
	if end < 0 || !r.Ring.Signed(state[:end], state[end+1:], stateOf) {
		return "", time.Time{}, false
	}
	at, random, _ := strings.Cut(state[:end], ".")
	seconds, err := strconv.ParseInt(at, 36, 64)
	expires = time.Unix(seconds, 0)
	return random, expires, err == nil && r.Now().Before(expires)
}
