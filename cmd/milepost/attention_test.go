package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"milepost/internal/app"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

func TestWhatNeedsAttentionIsListedAndActedOn(t *testing.T) {
	testenv.Long(t)
	dir := testdb.DataDir(t)
	st, err := store.OpenSQLite(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	e := store.Entity{LocationID: "loc", Kind: "contact", ID: "c1"}
	if _, err := st.NewQueue(store.QueueConfig{}); err != nil {
		t.Fatal(err)
	}
	_, err = st.Dispatch(t.Context(), func(context.Context, *store.Tx) ([]store.Delivery, error) {
		return []store.Delivery{{ID: 7, Type: "ContactUpdate", Entity: e, ReceivedAt: time.Now()}}, nil
	})
	if err == nil {
		_, err = st.FinishSync(t.Context(), nil, store.Finish{
			Entity: e, Wanted: 1, Outcome: store.Invalid, Detail: "no\nsuch \x1b[31mtype", Cause: store.Cause{Vendor: "CalendarHero", Status: 422, Operation: "create meeting request", Automation: "A"}, Now: time.Now(),
		})
	}
	if err == nil {
		err = st.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	cfg := app.Config{DataDir: dir}
	list := func(c listAttentionCmd, want ...string) string {
		t.Helper()
		c.Config = cfg
		var out strings.Builder
		if err := c.list(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		for _, text := range want {
			if !strings.Contains(out.String(), text) {
				t.Errorf("the list says %q, want %q in it", out.String(), text)
			}
		}
		return out.String()
	}
	said := list(listAttentionCmd{}, "CalendarHero rejects what the automation A asks for", "open, location loc, 1 record,", "milepost explain 7", "then retry")
	if strings.Contains(said, "\x1b") {
		t.Errorf("the list steers the terminal: %q", said)
	}
	key, _, _ := strings.Cut(said, " ")
	one := oneConcern{Key: key, Config: cfg}
	var out strings.Builder
	if err := (&retryAttentionCmd{one}).retry(t.Context(), &out); err != nil || !strings.Contains(out.String(), "syncs 1 records now") {
		t.Errorf("the retry says %q, %v", out.String(), err)
	}
	if err := (&ackAttentionCmd{one}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	list(listAttentionCmd{}, "Nothing needs you.", "1 more are being retried, acknowledged or snoozed")
	list(listAttentionCmd{All: true}, "acknowledged", "by "+byCommand)
	if err := (&reopenCmd{one}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := (&snoozeCmd{For: "1w", oneConcern: one}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	list(listAttentionCmd{asJSON: asJSON{true}}, `"state": "snoozed"`, `"count": 1`, `"sample_delivery": 7`)
	if err := (&ackAttentionCmd{oneConcern{Key: "nothing", Config: cfg}}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "milepost attention --all") {
		t.Errorf("an unknown key: %v", err)
	}
}
