package people

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"

	"milepost/internal/store"
)

// How long a session lives: after its last use, and in all.
const (
	sessionIdle = 7 * 24 * time.Hour
	sessionMost = 30 * 24 * time.Hour
	seenEvery   = time.Minute // how exact the last use is
)

// Names of those who sign in without a password.
const (
	TokenName    = "admin token"
	FirstRunName = "first run"
	SandboxName  = "sandbox"
)

// Browser is where somebody signs in.
type Browser struct {
	Address string // of the client
	Agent   string // as the browser names itself
}

// SignIn signs somebody in by name and password, and returns the session's token.
// It fails with ErrWrong, or with *Locked after too many wrong guesses.
func (r *Registry) SignIn(ctx context.Context, from Browser, name, password string) (token string, err error) {
	name = normal(name)
	about := []string{"name " + name, "client " + from.Address}
	if err := r.guesses.begin(r.now(), about...); err != nil {
		return "", err
	}
	var person store.Person
	known := isName(name)
	if known {
		if person, known, err = r.store.Person(ctx, name); err != nil {
			return "", err
		}
	}
	hash := person.Password
	if !known {
		hash = nobody
	}
	match, err := r.compare(ctx, password, hash)
	if err != nil {
		return "", err
	}
	if !match || !known {
		return "", ErrWrong
	}
	r.guesses.right(about...)
	return r.begin(ctx, from, store.Session{Person: name, Name: name}, "signed in by password")
}

func (r *Registry) compare(ctx context.Context, password, hash string) (bool, error) {
	release, err := r.hashTurn(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	return argon2id.ComparePasswordAndHash(password, hash)
}

// SignInByToken signs in with the admin token.
func (r *Registry) SignInByToken(ctx context.Context, from Browser, adminToken string) (token string, err error) {
	if err := r.checkToken(from.Address, adminToken); err != nil {
		return "", err
	}
	return r.begin(ctx, from, store.Session{Name: TokenName, Credential: r.token}, "signed in by the admin token")
}

// ErrWrongToken means that a token is not the admin token.
var ErrWrongToken = errors.New("the token is wrong")

// ErrNoToken means that no admin token is set.
var ErrNoToken = errors.New("no admin token is set: set MILEPOST_ADMIN_TOKEN, or sign in by name and password")

func (r *Registry) checkToken(client, adminToken string) error {
	if r.token == "" {
		return ErrNoToken
	}
	about := "token from " + client
	if err := r.guesses.begin(r.now(), about); err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(digest(adminToken)), []byte(r.token)) != 1 {
		return ErrWrongToken
	}
	r.guesses.right(about)
	return nil
}

// HasToken reports whether an admin token is set.
func (r *Registry) HasToken() bool { return r.token != "" }

// Empty reports whether nobody has a password yet.
func (r *Registry) Empty(ctx context.Context) (bool, error) {
	list, err := r.store.People(ctx)
	return len(list) == 0, err
}

// ErrLink means that a sign-in link was used already or has expired.
var ErrLink = errors.New("this link was used already, or has expired")

// NewLink returns the code of a link that signs in once, as an operator.
func (r *Registry) NewLink(ctx context.Context, name string, valid time.Duration) (code string, err error) {
	code = rand.Text()
	now := r.now()
	return code, r.store.SaveSignInLink(ctx, digest(code), name, now, now.Add(valid))
}

// SignInByLink signs in by the code of a link, which is used up by it.
func (r *Registry) SignInByLink(ctx context.Context, from Browser, code string) (token string, err error) {
	name, ok, err := r.store.TakeSignInLink(ctx, digest(code), r.now())
	if err != nil || !ok {
		return "", errors.Join(err, tell(err == nil, ErrLink))
	}
	return r.begin(ctx, from, store.Session{Name: name}, "signed in by a link")
}

// begin saves a session and returns its token.
func (r *Registry) begin(ctx context.Context, from Browser, s store.Session, what string) (token string, err error) {
	token = rand.Text()
	s.Digest, s.Client = digest(token), short(from.Agent)
	s.CreatedAt = r.now()
	s.SeenAt, s.ExpiresAt = s.CreatedAt, s.CreatedAt.Add(sessionIdle)
	if err := r.store.SaveSession(ctx, s); err != nil {
		return "", err
	}
	return token, r.Note(ctx, s.Name, what, "")
}

// Session is who holds a session's token; ok is false if it has ended or expired.
func (r *Registry) Session(ctx context.Context, token string) (id Identity, ok bool, err error) {
	now := r.now()
	s, ok, err := r.store.Session(ctx, digest(token), now)
	if err != nil || !ok || s.Credential != "" && s.Credential != r.token {
		return Identity{}, false, err
	}
	if now.Sub(s.SeenAt) >= seenEvery {
		expires := now.Add(sessionIdle)
		if end := s.CreatedAt.Add(sessionMost); expires.After(end) {
			expires = end
		}
		if err := r.store.SeeSession(ctx, s.Digest, now, expires); err != nil {
			return Identity{}, false, err
		}
	}
	id = Identity{Name: s.Name, Person: s.Person, Role: Operator, Session: s.Digest}
	if s.Person != "" {
		id.Role = Role(s.Role)
	}
	return id, true, nil
}

// Sessions lists who is signed in, the last seen first.
func (r *Registry) Sessions(ctx context.Context) ([]store.Session, error) {
	return r.store.Sessions(ctx, r.now())
}

// SignOut ends one's own session.
func (r *Registry) SignOut(ctx context.Context, id Identity) error {
	_, err := r.store.EndSession(ctx, id.Session)
	if err != nil {
		return err
	}
	return r.Note(ctx, id.Name, "signed out", "")
}

// EndSession ends somebody's session, by its digest.
func (r *Registry) EndSession(ctx context.Context, by, session string) error {
	ok, err := r.store.EndSession(ctx, session)
	if err != nil || !ok {
		return errors.Join(err, tell(err == nil, fmt.Errorf("%w: this session has ended already", ErrInvalid)))
	}
	return r.Note(ctx, by, "ended the session", session[:min(8, len(session))])
}

// short cuts what a browser says of itself.
func short(agent string) string {
	const most = 200
	agent = strings.ToValidUTF8(agent, "?")
	if len(agent) <= most {
		return agent
	}
	cut := agent[:most]
	for !utf8.ValidString(cut) && cut != "" {
		cut = cut[:len(cut)-1]
	}
	return cut
}

// digest is how a token or code is stored. They are random, so it needs no salt.
func digest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
