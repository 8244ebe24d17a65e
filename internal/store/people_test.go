package store_test

import (
	"testing"
	"time"

	"milepost/internal/store"
)

func TestPeopleSessionsAndLinksAreKept(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
		ann := store.Person{Name: "ann", Role: "viewer", Password: "hash", CreatedAt: now}
		if added := must(b.AddPerson(t.Context(), ann))(t); !added {
			t.Error("ann is not added")
		}
		if again := must(b.AddPerson(t.Context(), store.Person{Name: "ann"}))(t); again {
			t.Error("ann is added twice")
		}
		session := func(digest, person string, expires time.Time) {
			t.Helper()
			if err := b.SaveSession(t.Context(), store.Session{Digest: digest, Person: person, Name: "n", CreatedAt: now, SeenAt: now, ExpiresAt: expires}); err != nil {
				t.Fatal(err)
			}
		}
		session("a", "ann", now.Add(time.Hour))
		session("b", "", now.Add(time.Hour))
		session("c", "nobody", now.Add(time.Hour))
		session("d", "ann", now.Add(time.Minute))
		if list := must(b.Sessions(t.Context(), now.Add(2*time.Minute)))(t); len(list) != 2 || list[0].Role != "viewer" || list[1].Role != "" {
			t.Errorf("the sessions are %+v", list)
		}
		if ok := must(b.ChangePerson(t.Context(), "ann", "operator", ""))(t); !ok {
			t.Error("ann cannot be changed")
		}
		if s, ok, err := b.Session(t.Context(), "a", now); err != nil || !ok || s.Role != "operator" {
			t.Errorf("the session is %+v, %t, %v", s, ok, err)
		}
		must(b.ChangePerson(t.Context(), "ann", "", "other hash"))(t)
		if _, ok, _ := b.Session(t.Context(), "a", now); ok {
			t.Error("a new password leaves a session")
		}
		if p, _, err := b.Person(t.Context(), "ann"); err != nil || p.Role != "operator" || p.Password != "other hash" || !p.CreatedAt.Equal(now) {
			t.Errorf("ann is %+v, %v", p, err)
		}
		if ok := must(b.RemovePerson(t.Context(), "ann"))(t); !ok {
			t.Error("ann cannot be removed")
		}
		if ok := must(b.RemovePerson(t.Context(), "ann"))(t); ok {
			t.Error("ann is removed twice")
		}

		if err := b.SaveSignInLink(t.Context(), "x", "first run", now, now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if name, ok, err := b.TakeSignInLink(t.Context(), "x", now); err != nil || !ok || name != "first run" {
			t.Errorf("the link is %q, %t, %v", name, ok, err)
		}
		if _, ok, _ := b.TakeSignInLink(t.Context(), "x", now); ok {
			t.Error("a link is used twice")
		}

		for i := range 3 {
			if err := b.Audit(t.Context(), store.AuditEntry{At: now.Add(time.Duration(i) * time.Hour), Who: "ann", What: "did", Subject: string(rune('a' + i))}); err != nil {
				t.Fatal(err)
			}
		}
		page := must(b.AuditPage(t.Context(), 0, 2))(t)
		if len(page) != 2 || page[0].Subject != "c" {
			t.Fatalf("the newest are %+v", page)
		}
		if older := must(b.AuditPage(t.Context(), page[1].ID, 2))(t); len(older) != 1 || older[0].Subject != "a" {
			t.Errorf("the older are %+v", older)
		}
		if n := must(b.PruneAudit(t.Context(), now.Add(30*time.Minute)))(t); n != 1 {
			t.Errorf("%d entries are pruned", n)
		}
	})
}

func TestTokensOfPeopleAreKept(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
		for _, name := range []string{"ann", "ben"} {
			must(b.AddPerson(t.Context(), store.Person{Name: name, Role: "viewer", CreatedAt: now}))(t)
			if err := b.SavePersonToken(t.Context(), store.PersonToken{Digest: "of " + name, Person: name, Label: "reports", By: "test", CreatedAt: now}); err != nil {
				t.Fatal(err)
			}
		}
		if list := must(b.PersonTokens(t.Context(), ""))(t); len(list) != 2 || list[0].Person != "ann" || list[0].Role != "viewer" || !list[0].SeenAt.IsZero() {
			t.Errorf("all tokens: %+v", list)
		}
		of := must(b.PersonTokens(t.Context(), "ben"))(t)
		if len(of) != 1 || of[0].Label != "reports" || of[0].By != "test" || !of[0].CreatedAt.Equal(now) {
			t.Fatalf("ben's tokens: %+v", of)
		}
		if err := b.SeePersonToken(t.Context(), of[0].ID, now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if v, ok, err := b.PersonToken(t.Context(), "of ben"); err != nil || !ok || !v.SeenAt.Equal(now.Add(time.Hour)) {
			t.Errorf("it is %+v, %t, %v", v, ok, err)
		}
		if ok := must(b.RevokePersonToken(t.Context(), "ann", of[0].ID))(t); ok {
			t.Error("ann's revocation ends ben's token")
		}
		if ok := must(b.RevokePersonToken(t.Context(), "ben", of[0].ID))(t); !ok {
			t.Error("ben's token cannot be revoked")
		}
		must(b.RemovePerson(t.Context(), "ann"))(t)
		must(b.AddPerson(t.Context(), store.Person{Name: "ann", Role: "operator", CreatedAt: now}))(t)
		if list := must(b.PersonTokens(t.Context(), ""))(t); len(list) != 0 {
			t.Errorf("once they are gone: %+v", list)
		}
	})
}
