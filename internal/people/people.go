// Package people says who may use the console and the admin API: people with a
// name and a password, anyone with the admin token, and links that sign in once.
//
// Guarantees: passwords are stored as argon2id hashes, tokens and codes as digests;
// guessing is stopped before a password is hashed; one hash is computed at a time,
// so that many guesses cost no memory; who is removed is signed out.
//
// It does not know HTTP, and not what an operator may do.
package people

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"

	"milepost/internal/store"
)

// Role says what somebody may do.
type Role string

// The roles.
const (
	Operator Role = "operator" // everything
	Viewer   Role = "viewer"   // look; personal data only after asking for it
)

// Identity is who makes a request.
type Identity struct {
	Name    string // for people, and in the audit log
	Person  string // the name to sign in with; "" of the admin token and links
	Role    Role
	Session string // digest of the session; "" of a bearer token
}

// Config is what a Registry needs.
type Config struct {
	Store      *store.Store
	AdminToken string           // signs in too, and is the bearer token of the API; "" = there is none
	Now        func() time.Time // nil = time.Now
}

// Registry knows the people, the sessions and the admin token. Safe for concurrent use.
type Registry struct {
	store   *store.Store
	token   string // digest of the admin token; "" = there is none
	now     func() time.Time
	hashing chan struct{} // holds one token while a password is hashed
	guesses guesses
}

// Open returns the registry of a store.
func Open(cfg Config) *Registry {
	r := &Registry{store: cfg.Store, now: cfg.Now, hashing: make(chan struct{}, 1)}
	if cfg.AdminToken != "" {
		r.token = digest(cfg.AdminToken)
	}
	if r.now == nil {
		r.now = time.Now
	}
	return r
}

// Errors that a person can put right.
var (
	ErrWrong   = errors.New("the name or the password is wrong")
	ErrNobody  = errors.New("nobody has this name")
	ErrTaken   = errors.New("somebody has this name already")
	ErrInvalid = errors.New("not allowed")
)

// shortestPassword is as NIST SP 800-63B asks for.
const shortestPassword = 8

// longestName is in characters. It is no repetition of nameForm, since a counted one
// takes milliseconds to compile at each start.
const longestName = 64

var nameForm = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N}._@+-]*$`)

// isName reports whether somebody may be called so.
func isName(name string) bool {
	return utf8.RuneCountInString(name) <= longestName && nameForm.MatchString(name)
}

// normal is the form of a name that is stored and compared.
func normal(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// CheckRole reads a role.
func CheckRole(text string) (Role, error) {
	if r := Role(text); r == Operator || r == Viewer {
		return r, nil
	}
	return "", fmt.Errorf("%w: the role must be operator or viewer", ErrInvalid)
}

// Add adds somebody who can sign in from then on.
func (r *Registry) Add(ctx context.Context, by, name, password string, role Role) error {
	name = normal(name)
	if !isName(name) {
		return fmt.Errorf("%w: a name has 1 to 64 letters, digits or . _ @ + - and begins with a letter or digit", ErrInvalid)
	}
	if _, err := CheckRole(string(role)); err != nil {
		return err
	}
	if _, taken, err := r.store.Person(ctx, name); err != nil || taken {
		return errors.Join(err, tell(taken, ErrTaken))
	}
	hash, err := r.hash(ctx, password)
	if err != nil {
		return err
	}
	added, err := r.store.AddPerson(ctx, store.Person{Name: name, Role: string(role), Password: hash, CreatedAt: r.now()})
	if err != nil || !added {
		return errors.Join(err, tell(err == nil, ErrTaken))
	}
	return r.Note(ctx, by, "added the "+string(role), name)
}

// SetPassword gives somebody another password, and ends the person's sessions.
func (r *Registry) SetPassword(ctx context.Context, by, name, password string) error {
	hash, err := r.hash(ctx, password)
	if err != nil {
		return err
	}
	return r.change(ctx, by, name, "", hash, "changed the password of")
}

// SetRole gives somebody another role, at once.
func (r *Registry) SetRole(ctx context.Context, by, name string, role Role) error {
	if _, err := CheckRole(string(role)); err != nil {
		return err
	}
	return r.change(ctx, by, name, string(role), "", "gave the role "+string(role)+" to")
}

func (r *Registry) change(ctx context.Context, by, name, role, hash, what string) error {
	name = normal(name)
	ok, err := r.store.ChangePerson(ctx, name, role, hash)
	if err != nil || !ok {
		return errors.Join(err, tell(err == nil, ErrNobody))
	}
	return r.Note(ctx, by, what, name)
}

// Remove removes somebody, and ends the person's sessions.
func (r *Registry) Remove(ctx context.Context, by, name string) error {
	name = normal(name)
	ok, err := r.store.RemovePerson(ctx, name)
	if err != nil || !ok {
		return errors.Join(err, tell(err == nil, ErrNobody))
	}
	return r.Note(ctx, by, "removed", name)
}

// List lists everybody by name.
func (r *Registry) List(ctx context.Context) ([]store.Person, error) { return r.store.People(ctx) }

// Note adds to the audit log. subject is an id, never personal data of a contact.
func (r *Registry) Note(ctx context.Context, who, what, subject string) error {
	return r.store.Audit(ctx, store.AuditEntry{At: r.now(), Who: who, What: what, Subject: subject})
}

// AuditPage lists entries of the audit log, as store.AuditPage does.
func (r *Registry) AuditPage(ctx context.Context, before int64, limit int) ([]store.AuditEntry, error) {
	return r.store.AuditPage(ctx, before, limit)
}

// GeneratePassword returns a password that nobody guesses.
func GeneratePassword() string { return strings.ToLower(rand.Text()[:20]) }

func tell(is bool, err error) error {
	if is {
		return err
	}
	return nil
}

// params are OWASP's for argon2id with little memory: 19 MiB a hash.
var params = &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// nobody is the hash of a password that is not known: an unknown name then takes as
// long as a wrong password.
const nobody = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func (r *Registry) hash(ctx context.Context, password string) (string, error) {
	if n := utf8.RuneCountInString(password); n < shortestPassword || len(password) > 1024 {
		return "", fmt.Errorf("%w: a password has at least %d characters, and not more than 1024 bytes", ErrInvalid, shortestPassword)
	}
	release, err := r.hashTurn(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	return argon2id.CreateHash(password, params)
}

// hashTurn waits until no other password is hashed.
func (r *Registry) hashTurn(ctx context.Context) (release func(), err error) {
	select {
	case r.hashing <- struct{}{}:
		return func() { <-r.hashing }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for another password to be hashed: %w", context.Cause(ctx))
	}
}
