package main

import (
	"testing"
	"time"

	"milepost/internal/app"
	"milepost/internal/store"
	"milepost/internal/testenv/testdb"
)

func TestRemovalsThatWaitAreAllowed(t *testing.T) {
	dir := testdb.DataDir(t)
	st, err := store.OpenSQLite(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		e := store.Entity{LocationID: "loc", Kind: "contact", ID: id}
		if _, err := st.MarkUnconfirmed(t.Context(), e, "HighLevel", time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, err := st.DecideRemoval(t.Context(), e, "HighLevel", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if err := (&allowRemovalsCmd{Config: app.Config{DataDir: dir}, Location: "loc", consent: consent{Yes: true}}).Run(t.Context()); err != nil {
		t.Error(err)
	}
}
