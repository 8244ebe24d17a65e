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

func TestWebhooksAreReplayedAfterADryRun(t *testing.T) {
	testenv.Long(t)
	dir := testdb.DataDir(t)
	st, err := store.OpenSQLite(t.Context(), dir)
	if err == nil {
		_, err = st.NewQueue(store.QueueConfig{})
	}
	now := time.Now()
	e := store.Entity{LocationID: "loc", Kind: "contact", ID: "c1"}
	if err == nil {
		_, err = st.Dispatch(t.Context(), func(context.Context, *store.Tx) ([]store.Delivery, error) {
			return []store.Delivery{{ID: 7, Type: "ContactUpdate", Entity: e, ReceivedAt: now}, {ID: 8, Type: "Nonsense", Skip: "unknown", ReceivedAt: now}}, nil
		})
	}
	if err == nil {
		_, err = st.FinishSync(t.Context(), nil, store.Finish{Entity: e, Wanted: 1, Outcome: store.Skipped, Now: now})
	}
	if err == nil {
		err = st.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	run := func(c replayCmd) (string, error) {
		t.Helper()
		c.Config = app.Config{DataDir: dir, HighLevelBaseURL: "http://127.0.0.1:1", CalendarHeroBaseURL: "http://127.0.0.1:1"}
		var out strings.Builder
		err := c.replay(t.Context(), &out, false, now)
		return out.String(), err
	}
	says := func(c replayCmd, want ...string) {
		t.Helper()
		said, err := run(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range want {
			if !strings.Contains(said, text) {
				t.Errorf("it says %q, want %q in it", said, text)
			}
		}
	}
	says(replayCmd{Since: "all", consent: consent{DryRun: true}}, "the records of all webhooks again", "Left out are 1 webhooks", "1 records.", "Nobody is mailed.", "Nothing was changed.")
	says(replayCmd{IDs: []int64{7}, consent: consent{Yes: true}}, "the records of webhook 7 again", "works replay 1 now")
	says(replayCmd{Status: 1}, "replay 1 of webhook 7: running, 0 of 1 records reached")
	says(replayCmd{Cancel: 1, asJSON: asJSON{true}}, `"state": "cancelled"`)
	says(replayCmd{Outcome: "skipped", consent: consent{DryRun: true}, asJSON: asJSON{true}}, `"left_out": 1`, `"records": 1`)
	for want, c := range map[string]replayCmd{
		"--since all means all":         {},
		"not several of them":           {IDs: []int64{7}, Location: "loc"},
		`there is no outcome "nothing"`: {Outcome: "nothing"},
		"nothing matches":               {Record: "nobody"},
		"location nowhere is not":       {Location: "nowhere"},
		"delivery 99":                   {IDs: []int64{99}},
		"there is no replay 9":          {Status: 9},
		"replay 1 is not under way":     {Cancel: 1},
	} {
		if said, err := run(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %q, %v", want, said, err)
		}
	}
}
