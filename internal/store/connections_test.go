package store_test

import (
	"testing"
	"time"

	"milepost/internal/store"
	"milepost/internal/testenv"
)

func TestAConnectionKeepsFieldsLearntAtDifferentTimes(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		save := func(c store.Connection, at int64, secrets ...store.Secret) {
			t.Helper()
			if err := b.SaveConnection(t.Context(), c, time.Unix(at, 0), secrets...); err != nil {
				t.Fatal(err)
			}
		}
		save(store.Connection{LocationID: "l1", CompanyID: "g1", Source: "oauth", State: store.ConnectionPending, Problem: "waits"}, 1)
		save(store.Connection{LocationID: "l1", Name: "Northwind", Source: "oauth", State: store.ConnectionActive}, 2,
			store.Secret{Name: "grant/location/l1", Sealed: "k1:aaaa"})
		c, ok, err := b.Connection(t.Context(), "l1")
		want := store.Connection{
			LocationID: "l1", CompanyID: "g1", Name: "Northwind", Source: "oauth", State: store.ConnectionActive,
			CreatedAt: time.Unix(1, 0).UTC(), UpdatedAt: time.Unix(2, 0).UTC(),
		}
		if err != nil || !ok || c != want {
			t.Errorf("read back %+v, %v, %v; want %+v", c, ok, err, want)
		}
		// An answer without a name or a zone does not delete what is known.
		for _, said := range []struct{ name, zone, is, in string }{{"", "Europe/Berlin", "Northwind", "Europe/Berlin"}, {"Northwind\x1b Realty", "", "Northwind Realty", "Europe/Berlin"}} {
			if err := b.NoteLocation(t.Context(), "l1", said.name, said.zone); err != nil {
				t.Fatal(err)
			}
			if c, _, err := b.Connection(t.Context(), "l1"); err != nil || c.Name != said.is || c.Zone != said.in || c.UpdatedAt.Unix() != 2 {
				t.Errorf("after %+v it is %+v, %v", said, c, err)
			}
		}
		if sealed := must(b.Secret(t.Context(), "grant/location/l1"))(t); sealed != "k1:aaaa" {
			t.Errorf("the secret reads %q", sealed)
		}
		if err := b.SetConnectionState(t.Context(), "l1", store.ConnectionRemoved, "uninstalled", time.Unix(3, 0), "grant/location/l1"); err != nil {
			t.Fatal(err)
		}
		if list := must(b.Connections(t.Context()))(t); len(list) != 1 || list[0].State != store.ConnectionRemoved || list[0].Problem != "uninstalled" {
			t.Errorf("after the removal: %+v", list)
		}
		if sealed := must(b.Secret(t.Context(), "grant/location/l1"))(t); sealed != "" {
			t.Errorf("the secret of a removed connection is still there: %q", sealed)
		}
		if _, ok, err := b.Connection(t.Context(), "l2"); ok || err != nil {
			t.Errorf("a location that was never connected: %v, %v", ok, err)
		}
	})
}

func TestASecretIsReplacedOnlyIfItIsUnchanged(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		was := store.Secret{Name: "n", Sealed: "k1:aaaa"}
		if err := b.PutSecrets(t.Context(), time.Unix(1, 0), was, store.Secret{Name: "m", Sealed: "k2:bbbb"}); err != nil {
			t.Fatal(err)
		}
		if !must(b.ReplaceSecret(t.Context(), was, "k2:cccc", time.Unix(2, 0)))(t) {
			t.Error("an unchanged secret was not replaced")
		}
		if must(b.ReplaceSecret(t.Context(), was, "k2:dddd", time.Unix(3, 0)))(t) {
			t.Error("a secret that somebody else wrote was replaced")
		}
		if keys := must(b.SecretKeys(t.Context()))(t); len(keys) != 1 || keys["k2"] != 2 {
			t.Errorf("keys in use: %v", keys)
		}
		if list := must(b.SecretsNotUnder(t.Context(), "k3", 1))(t); len(list) != 1 || list[0] != (store.Secret{Name: "m", Sealed: "k2:bbbb"}) {
			t.Errorf("to encrypt again: %+v", list)
		}
		if err := b.DropSecret(t.Context(), "n"); err != nil {
			t.Fatal(err)
		}
		if sealed := must(b.Secret(t.Context(), "n"))(t); sealed != "" {
			t.Errorf("a dropped secret reads %q", sealed)
		}
	})
}

func TestATokensAgeCountsFromTheFirstTimeItWasSeen(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		for _, now := range []int64{100, 200} {
			if at := must(b.TokenFirstSeen(t.Context(), "d1", time.Unix(now, 0)))(t); !at.Equal(time.Unix(100, 0)) {
				t.Errorf("at %d it was first seen at %v", now, at)
			}
		}
	})
}

func TestTheNewestDeliveryIsTheRecordIfNoAPIReturnsIt(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		e := store.Entity{LocationID: "loc", Kind: store.KindWorkflow, ID: "c1.w1"}
		for i, body := range []string{"A", "B", "A2"} {
			b.deliver(t, store.Delivery{ID: int64(i + 1), Entity: e, ContactID: "c1", Body: []byte(body), ReceivedAt: time.Unix(int64(i), 0)})
		}
		b.deliver(t,
			store.Delivery{ID: 4, Entity: e, Body: []byte("C"), ReceivedAt: time.Unix(4, 0)},
			store.Delivery{ID: 5, Entity: e, Body: []byte("D"), ReceivedAt: time.Unix(5, 0)},
			store.Delivery{ID: 6, Entity: contact1, ReceivedAt: time.Unix(6, 0)})
		record, ok, err := b.Record(t.Context(), e)
		if err != nil || !ok || string(record.Body) != "D" || !record.ReceivedAt.Equal(time.Unix(5, 0)) {
			t.Errorf("the record is %q of %v, %v, %v; want D", record.Body, record.ReceivedAt, ok, err)
		}
		if _, ok, err := b.Record(t.Context(), contact1); ok || err != nil {
			t.Errorf("a record that can be fetched was kept: %v, %v", ok, err)
		}
	})
}

func TestAnOlderInstallNeverReplacesANewerOne(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		e := store.Entity{LocationID: "loc", Kind: store.KindInstall, ID: "loc"}
		install, old := `{"type":"INSTALL","timestamp":"2026-11-24T11:00:00Z"}`, `{"type":"UNINSTALL","timestamp":"2026-11-24T10:00:00Z"}`
		b.deliver(t, // in one batch
			store.Delivery{ID: 1, Entity: e, Body: []byte(install), ReceivedAt: time.Unix(1, 0)},
			store.Delivery{ID: 2, Entity: e, Body: []byte(old), ReceivedAt: time.Unix(2, 0)})
		b.deliver(t, store.Delivery{ID: 3, Entity: e, Body: []byte(old), ReceivedAt: time.Unix(3, 0)})
		if record, ok, err := b.Record(t.Context(), e); err != nil || !ok || string(record.Body) != install {
			t.Errorf("the record is %q, %v, %v; want the newer", record.Body, ok, err)
		}
		for i, body := range []string{`{"type":"UNINSTALL","timestamp":"2026-11-24T12:00:00Z"}`, `{"type":"INSTALL"}`} {
			b.deliver(t, store.Delivery{ID: int64(4 + i), Entity: e, Body: []byte(body), ReceivedAt: time.Unix(4, 0)})
			if record, _, err := b.Record(t.Context(), e); err != nil || string(record.Body) != body {
				t.Errorf("the record is %q, %v; want %s", record.Body, err, body)
			}
		}
	})
}
