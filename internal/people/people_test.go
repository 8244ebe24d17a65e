package people_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"milepost/internal/people"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

type bundle struct {
	*people.Registry
	store *store.Store
	clock time.Time
	t     *testing.T
}

func setup(t *testing.T, token string) *bundle {
	t.Helper()
	t.Parallel()
	st, err := store.OpenSQLite(t.Context(), testdb.DataDir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	b := &bundle{store: st, clock: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC), t: t}
	b.Registry = people.Open(people.Config{Store: st, AdminToken: token, Now: func() time.Time { return b.clock }})
	return b
}

func (b *bundle) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

var laptop = people.Browser{Address: "192.0.2.1", Agent: "Firefox"}

const good = "correct horse"

func TestAPersonSignsInWithThePasswordAlone(t *testing.T) {
	testenv.Long(t)
	b := setup(t, "")
	b.must(b.Add(t.Context(), "cli", " Olivia ", good, people.Viewer))
	if err := b.Add(t.Context(), "cli", "olivia", good, people.Viewer); !errors.Is(err, people.ErrTaken) {
		t.Errorf("the same name again: %v", err)
	}
	b.must(b.Add(t.Context(), "cli", strings.Repeat("ö", 64), good, people.Viewer))
	for name, err := range map[string]error{
		"a short password": b.Add(t.Context(), "cli", "ann", "short", people.Viewer),
		"no name":          b.Add(t.Context(), "cli", "", good, people.Viewer),
		"a name too long":  b.Add(t.Context(), "cli", strings.Repeat("ö", 65), good, people.Viewer),
		"markup":           b.Add(t.Context(), "cli", "<b>", good, people.Viewer),
		"no role":          b.Add(t.Context(), "cli", "ann", good, "owner"),
	} {
		if !errors.Is(err, people.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, password := range map[string]string{"olivia": "wrong horse", "nobody": good} {
		if _, err := b.SignIn(t.Context(), laptop, name, password); !errors.Is(err, people.ErrWrong) {
			t.Errorf("%s with %q: %v", name, password, err)
		}
	}
	token, err := b.SignIn(t.Context(), laptop, "OLIVIA", good)
	b.must(err)
	id, ok, err := b.Session(t.Context(), token)
	if err != nil || !ok || id.Name != "olivia" || id.Role != people.Viewer {
		t.Fatalf("the session is %+v, %t, %v", id, ok, err)
	}
	person, _, err := b.store.Person(t.Context(), "olivia")
	if err != nil || !strings.HasPrefix(person.Password, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the password is stored as %s (%v)", person.Password, err)
	}
	b.must(b.SetRole(t.Context(), "cli", "olivia", people.Operator))
	if id, _, _ := b.Session(t.Context(), token); id.Role != people.Operator {
		t.Errorf("a new role takes effect at once, but it is %s", id.Role)
	}
	b.must(b.SetPassword(t.Context(), "cli", "olivia", "battery staple"))
	if _, ok, _ := b.Session(t.Context(), token); ok {
		t.Error("a new password leaves the old sessions")
	}
	token, err = b.SignIn(t.Context(), laptop, "olivia", "battery staple")
	b.must(err)
	b.must(b.Remove(t.Context(), "cli", "olivia"))
	if _, ok, _ := b.Session(t.Context(), token); ok {
		t.Error("someone who was removed is still signed in")
	}
}

func TestASessionEndsByItselfAndOnRequest(t *testing.T) {
	testenv.Long(t)
	b := setup(t, "")
	b.must(b.Add(t.Context(), "cli", "olivia", good, people.Operator))
	signIn := func() string {
		token, err := b.SignIn(t.Context(), laptop, "olivia", good)
		b.must(err)
		return token
	}
	alive := func(token string) bool {
		_, ok, err := b.Session(t.Context(), token)
		b.must(err)
		return ok
	}
	idle := signIn()
	b.clock = b.clock.Add(6 * 24 * time.Hour)
	if !alive(idle) {
		t.Error("a session ends after six days")
	}
	b.clock = b.clock.Add(6 * 24 * time.Hour)
	if !alive(idle) {
		t.Error("use does not prolong a session")
	}
	b.clock = b.clock.Add(8 * 24 * time.Hour)
	if alive(idle) {
		t.Error("a session lives after eight days without use")
	}
	used := signIn()
	for range 7 {
		b.clock = b.clock.Add(5 * 24 * time.Hour)
		alive(used)
	}
	if alive(used) {
		t.Error("a session lives for more than 30 days")
	}
	one, other := signIn(), signIn()
	list, err := b.Sessions(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatalf("%d sessions, %v", len(list), err)
	}
	id, _, err := b.Session(t.Context(), one)
	b.must(err)
	b.must(b.EndSession(t.Context(), "olivia", id.Session))
	if alive(one) || !alive(other) {
		t.Error("the wrong session was ended")
	}
}

func TestTheAdminTokenSignsInWhileItIsSet(t *testing.T) {
	b := setup(t, "the-admin-token")
	token, err := b.SignInByToken(t.Context(), laptop, "the-admin-token")
	b.must(err)
	if id, ok, _ := b.Session(t.Context(), token); !ok || id.Role != people.Operator {
		t.Errorf("it is %+v", id)
	}
	if _, err := b.SignInByToken(t.Context(), laptop, "another"); !errors.Is(err, people.ErrWrongToken) {
		t.Errorf("another token: %v", err)
	}
	if _, err := b.Bearer(t.Context(), "192.0.2.9", "another"); !errors.Is(err, people.ErrWrongToken) {
		t.Errorf("another bearer: %v", err)
	}
	if id, err := b.Bearer(t.Context(), "192.0.2.9", "the-admin-token"); err != nil || id.Role != people.Operator {
		t.Errorf("the bearer is %+v, %v", id, err)
	}
	rotated := people.Open(people.Config{Store: b.store, AdminToken: "a-new-token", Now: func() time.Time { return b.clock }})
	if _, ok, _ := rotated.Session(t.Context(), token); ok {
		t.Error("a session of the former token is alive")
	}
	none := people.Open(people.Config{Store: b.store})
	if _, err := none.Bearer(t.Context(), "192.0.2.9", ""); !errors.Is(err, people.ErrWrongToken) {
		t.Errorf("an empty token where none is set: %v", err)
	}
}

func TestATokenIsItsPersonUntilItIsRevoked(t *testing.T) {
	b := setup(t, "")
	b.must(b.Add(t.Context(), "cli", "olivia", good, people.Viewer))
	for name, label := range map[string]string{"no label": " ", "a long one": strings.Repeat("x", 65), "a line": "a\nb"} {
		if _, err := b.NewToken(t.Context(), "cli", "olivia", label); !errors.Is(err, people.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.NewToken(t.Context(), "cli", "nobody", "reports"); !errors.Is(err, people.ErrNobody) {
		t.Errorf("of nobody: %v", err)
	}
	token, err := b.NewToken(t.Context(), "cli", "Olivia", "reports")
	b.must(err)
	other, err := b.NewToken(t.Context(), "cli", "olivia", "phone")
	b.must(err)
	is := func(token string, want people.Role) {
		t.Helper()
		id, err := b.Bearer(t.Context(), "192.0.2.9", token)
		if want == "" && !errors.Is(err, people.ErrWrongToken) || want != "" && (err != nil || id.Role != want || id.Person != "olivia" || id.Session != "") {
			t.Errorf("%+v, %v, want %q", id, err, want)
		}
	}
	is(token, people.Viewer)
	b.must(b.SetRole(t.Context(), "cli", "olivia", people.Operator))
	is(token, people.Operator)
	list, err := b.Tokens(t.Context(), "olivia")
	b.must(err)
	if len(list) != 2 || list[0].Label != "reports" || !list[0].SeenAt.Equal(b.clock) || !list[1].SeenAt.IsZero() || strings.Contains(list[0].Digest, token[4:]) {
		t.Errorf("the tokens: %+v", list)
	}
	b.must(b.Add(t.Context(), "cli", "victor", good, people.Viewer))
	if err := b.RevokeToken(t.Context(), "cli", "victor", list[0].ID); !errors.Is(err, people.ErrNoSuchToken) {
		t.Errorf("another's token: %v", err)
	}
	b.must(b.RevokeToken(t.Context(), "cli", "olivia", list[0].ID))
	is(token, "")
	is(other, people.Operator)
	for range 6 {
		_, err = b.Bearer(t.Context(), "192.0.2.9", "mpt_wrong")
	}
	if _, locked := errors.AsType[*people.Locked](err); !locked {
		t.Errorf("after many wrong ones: %v", err)
	}
	is(other, people.Operator)
	b.must(b.Remove(t.Context(), "cli", "olivia"))
	b.must(b.Add(t.Context(), "cli", "olivia", good, people.Operator))
	b.clock = b.clock.Add(time.Hour)
	is(other, "")
}

func TestALinkSignsInOnce(t *testing.T) {
	b := setup(t, "")
	code, err := b.NewLink(t.Context(), people.FirstRunName, time.Hour)
	b.must(err)
	old, err := b.NewLink(t.Context(), people.FirstRunName, time.Minute)
	b.must(err)
	token, err := b.SignInByLink(t.Context(), laptop, code)
	b.must(err)
	if id, ok, _ := b.Session(t.Context(), token); !ok || id.Role != people.Operator {
		t.Errorf("it is %+v", id)
	}
	b.clock = b.clock.Add(2 * time.Minute)
	for name, code := range map[string]string{"used": code, "expired": old, "made up": "x"} {
		if _, err := b.SignInByLink(t.Context(), laptop, code); !errors.Is(err, people.ErrLink) {
			t.Errorf("a link that is %s: %v", name, err)
		}
	}
}

func TestGuessingIsStoppedBeforeAPasswordIsHashed(t *testing.T) {
	testenv.Long(t)
	b := setup(t, "")
	b.must(b.Add(t.Context(), "cli", "olivia", good, people.Operator))
	guess := func(address, name, password string) error {
		_, err := b.SignIn(t.Context(), people.Browser{Address: address}, name, password)
		return err
	}
	for range 5 {
		if err := guess("192.0.2.1", "olivia", "wrong"); !errors.Is(err, people.ErrWrong) {
			t.Fatal(err)
		}
	}
	locked := func(err error) time.Duration {
		t.Helper()
		l, ok := errors.AsType[*people.Locked](err)
		if !ok {
			t.Fatalf("it is not locked: %v", err)
		}
		return l.Wait
	}
	start := time.Now()
	for _, err := range []error{
		guess("192.0.2.1", "olivia", good),  // even the right one
		guess("192.0.2.2", "olivia", good),  // the name, from elsewhere
		guess("192.0.2.1", "another", good), // the client, at another name
	} {
		if wait := locked(err); wait != 30*time.Second {
			t.Errorf("locked for %s", wait)
		}
	}
	if took := time.Since(start); took > 15*time.Millisecond {
		t.Logf("three locked guesses took %s", took) // a hash takes longer
	}
	b.clock = b.clock.Add(31 * time.Second)
	if err := guess("192.0.2.1", "olivia", "wrong"); !errors.Is(err, people.ErrWrong) {
		t.Fatal(err)
	}
	if wait := locked(guess("192.0.2.1", "olivia", good)); wait != time.Minute {
		t.Errorf("the next lock is %s", wait)
	}
	b.clock = b.clock.Add(61 * time.Second)
	if err := guess("192.0.2.1", "olivia", good); err != nil {
		t.Errorf("after the lock: %v", err)
	}
	for range 4 {
		if err := guess("192.0.2.1", "olivia", "wrong"); !errors.Is(err, people.ErrWrong) {
			t.Errorf("a right guess does not begin the count again: %v", err)
		}
	}
}
