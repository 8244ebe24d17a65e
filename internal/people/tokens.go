package people

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"milepost/internal/store"
)

// tokenPrefix begins the token of a person, so that people, and what scans files for
// secrets, know it by sight.
const tokenPrefix = "mpt_"

// longestLabel is in characters.
const longestLabel = 64

// NewToken returns a token with which somebody uses the admin API from a program, with
// the role that the person has at the time. Only its digest is stored, so nobody can
// read it again. label says what it is for.
func (r *Registry) NewToken(ctx context.Context, by, name, label string) (token string, err error) {
	name, label = normal(name), strings.TrimSpace(label)
	if label == "" || utf8.RuneCountInString(label) > longestLabel || !utf8.ValidString(label) || strings.ContainsFunc(label, unicode.IsControl) {
		return "", fmt.Errorf("%w: say what the token is for, in 1 to %d characters", ErrInvalid, longestLabel)
	}
	if _, known, err := r.store.Person(ctx, name); err != nil || !known {
		return "", errors.Join(err, tell(err == nil, ErrNobody))
	}
	token = tokenPrefix + strings.ToLower(rand.Text())
	if err := r.store.SavePersonToken(ctx, store.PersonToken{Digest: digest(token), Person: name, Label: label, By: by, CreatedAt: r.now()}); err != nil {
		return "", err
	}
	return token, r.Note(ctx, by, fmt.Sprintf("created a token (%s) for", label), name)
}

// Tokens lists the tokens of somebody, or with "" those of everybody.
func (r *Registry) Tokens(ctx context.Context, name string) ([]store.PersonToken, error) {
	return r.store.PersonTokens(ctx, normal(name))
}

// ErrNoSuchToken means that somebody has no token of that number.
var ErrNoSuchToken = errors.New("this token is revoked already")

// RevokeToken ends a token of somebody.
func (r *Registry) RevokeToken(ctx context.Context, by, name string, id int64) error {
	name = normal(name)
	ok, err := r.store.RevokePersonToken(ctx, name, id)
	if err != nil || !ok {
		return errors.Join(err, tell(err == nil, ErrNoSuchToken))
	}
	return r.Note(ctx, by, fmt.Sprintf("revoked token %d of", id), name)
}

// Bearer is who sends a token with a request: the admin token, or a person's. It fails
// with ErrWrongToken, or with *Locked after too many wrong guesses. A person's token is
// too long to be guessed, so it works for a client that is locked.
func (r *Registry) Bearer(ctx context.Context, client, token string) (Identity, error) {
	if strings.HasPrefix(token, tokenPrefix) {
		t, ok, err := r.store.PersonToken(ctx, digest(token))
		if err != nil {
			return Identity{}, err
		}
		if ok {
			now := r.now()
			if now.Sub(t.SeenAt) >= seenEvery {
				err = r.store.SeePersonToken(ctx, t.ID, now)
			}
			return Identity{Name: fmt.Sprintf("%s (%s)", t.Person, t.Label), Person: t.Person, Role: Role(t.Role)}, err
		}
	}
	err := r.checkToken(client, token)
	if errors.Is(err, ErrNoToken) {
		err = errors.Join(r.guesses.begin(r.now(), "token from "+client), ErrWrongToken)
	}
	if err != nil {
		return Identity{}, err
	}
	return Identity{Name: TokenName, Role: Operator}, nil
}
