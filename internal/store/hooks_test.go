package store_test

import (
	"testing"
	"time"

	"milepost/internal/store"
)

func TestAHookIsReadBackAndItsKeyStaysKnownAfterForget(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		s := setup(t, open, nil)
		ctx, now := t.Context(), time.UnixMicro(1_000_000).UTC()
		must(0, s.AddHookKey(ctx, store.HookKey{Digest: "d", Account: "a", CreatedAt: now}, store.Secret{Name: "calendarhero-hook/a", Sealed: "sealed"}))(t)
		want := store.HookKey{Digest: "d", Account: "a", CreatedAt: now}
		if k, ok, err := s.HookKey(ctx, "d"); err != nil || !ok || k != want {
			t.Errorf("the key reads back as %+v, %v, %v", k, ok, err)
		}
		if _, ok, err := s.HookKey(ctx, "unknown"); err != nil || ok {
			t.Errorf("an unknown key: %v, %v", ok, err)
		}

		first := store.Hook{
			Account: "a", Event: "meeting_started", State: store.HookForeign, Problem: "p", HookID: "h", URLDigest: "u", Allowed: true,
			CheckedAt: now, SetAt: now.Add(1000), SeenAt: now.Add(2000), FailedAt: now.Add(3000), NextAt: now.Add(4000),
		}
		must(0, s.SaveHooks(ctx, first, store.Hook{Account: "b", Event: "meeting_started", State: store.HookOff}))(t)
		if list := must(s.HooksOf(ctx, "a"))(t); len(list) != 1 || list[0] != first {
			t.Errorf("it reads back as %+v, want %+v", list, first)
		}
		second := store.Hook{Account: "a", Event: "meeting_started", State: store.HookOurs}
		must(0, s.SaveHooks(ctx, second))(t)
		if list := must(s.Hooks(ctx))(t); len(list) != 2 || list[0] != second || list[1].State != store.HookOff {
			t.Errorf("all read back as %+v", list)
		}

		if list := must(s.SecretsUnder(ctx, "calendarhero-hook/"))(t); len(list) != 1 || list[0].Sealed != "sealed" {
			t.Errorf("the secrets are %+v", list)
		}
		if list := must(s.SecretsUnder(ctx, "calendarhero-hook/aa"))(t); len(list) != 0 {
			t.Errorf("the secrets of another name are %+v", list)
		}
		must(0, s.ForgetHooks(ctx, "a", "calendarhero-hook/a"))(t)
		list, sealed := must(s.Hooks(ctx))(t), must(s.Secret(ctx, "calendarhero-hook/a"))(t)
		if _, ok, _ := s.HookKey(ctx, "d"); !ok || len(list) != 1 || sealed != "" {
			t.Errorf("after it is forgotten: key known %v, %+v, secret %q; want the digest alone, and the other account's", ok, list, sealed)
		}
	})
}

func TestACalendarHeroContactIsKept(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		e := store.Entity{LocationID: "loc", Kind: store.KindCalendarContact, ID: "c"}
		b.deliver(t, store.Delivery{ID: 1, Entity: e, Body: []byte("first"), ReceivedAt: time.UnixMicro(5)},
			store.Delivery{ID: 2, Entity: e, Body: []byte("second"), ReceivedAt: time.UnixMicro(6)})
		if r, ok, err := b.Record(t.Context(), e); err != nil || !ok || string(r.Body) != "second" {
			t.Errorf("the record is %s, %v, %v; want the second", r.Body, ok, err)
		}
	})
}
