package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"milepost/internal/app"
	"milepost/internal/store"
	"milepost/internal/testenv/testdb"
)

func TestRequestsAreListedSettledAndReleased(t *testing.T) {
	dir := testdb.DataDir(t)
	st, err := store.OpenSQLite(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	begin := func(id, item string, n int) (last store.Call) {
		t.Helper()
		e := store.Entity{LocationID: "loc", Kind: "contact", ID: id}
		for i := range n {
			link := store.Link{Entity: e, Item: item, ItemKind: "request", State: store.LinkCreating, Generation: int64(i + 1), Content: "x"}
			last, _, err = st.BeginCall(t.Context(), store.Call{Entity: e, Item: item, Generation: int64(i + 1), Automation: "notes", Operation: "highlevel.create_note"}, id, link, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if last.State == store.CallSending && n == 1 {
				link.State = store.LinkUnanswered
				if err := st.EndCall(t.Context(), last, store.CallUnclear, "", link, time.Now()); err != nil {
					t.Fatal(err)
				}
			}
		}
		return last
	}
	unclear, stopped := begin("c1", "notes/1", 1), begin("c2", "notes/1", store.CallsAtOnce+1)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	cfg := app.Config{DataDir: dir}
	says := func(what string, run func(out *strings.Builder) error, want ...string) {
		t.Helper()
		var out strings.Builder
		if err := run(&out); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		for _, text := range want {
			if !strings.Contains(out.String(), text) {
				t.Errorf("%s says %q, want %q in it", what, out.String(), text)
			}
		}
	}
	list := func(out *strings.Builder) error { return (&listRequestsCmd{Config: cfg}).list(t.Context(), out) }
	says("the list", list, "unclear", "stopped", "highlevel.create_note", "contact c1", "contact c2", "milepost requests settle")
	says("settle", func(out *strings.Builder) error {
		return (&settleRequestCmd{Config: cfg, ID: unclear.ID, Again: true}).settle(t.Context(), out)
	}, "a running milepost sends it again")
	says("release", func(out *strings.Builder) error {
		return (&releaseRequestCmd{Config: cfg, ID: stopped.ID}).release(t.Context(), out)
	}, "syncs 1 records")
	says("the list", list, "No request waits for you.")
	want := []string{
		fmt.Sprintf("released request %d, highlevel.create_note of contact c2", stopped.ID),
		fmt.Sprintf("settled as not sent request %d, highlevel.create_note of contact c1", unclear.ID),
	}
	if got := audited(t, cfg); !slices.Equal(got, want) {
		t.Errorf("the audit log is %q, want %q", got, want)
	}
}
