package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"milepost/internal/app"
	"milepost/internal/store"
	"milepost/internal/testenv/testdb"
)

func TestTheTimelineIsReadableAndItsNewestIsLast(t *testing.T) {
	t.Parallel()
	config := app.Config{DataDir: testdb.DataDir(t), CalendarHeroAuth: "raw", HighLevelLocationID: "loc", HighLevelToken: "pit-test", CalendarHeroToken: "ch-test"}
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	if err := withState(t.Context(), config, func(state *app.State) error {
		if _, err := state.Store.NewQueue(store.QueueConfig{Logger: slog.New(slog.DiscardHandler)}); err != nil {
			return err
		}
		for i, detail := range []string{"Closing", "Prefers mornings\nhas a dog \x1b[2J", strings.Repeat("é", 300)} {
			e := store.Entity{LocationID: "loc", Kind: "contact", ID: []string{"c1", "c2", "c1"}[i]}
			l := store.Link{Entity: e, Item: "a/1", ItemKind: "note", State: store.LinkGone}
			entry := store.TimelineEntry{At: now.AddDate(0, 0, i-10), Entity: e, ContactID: e.ID, What: "note added", Detail: detail}
			if err := state.Store.SaveLink(t.Context(), l, now, nil, entry); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	run := func(change func(*timelineCmd)) []string {
		t.Helper()
		command := timelineCmd{Config: config, Location: "loc", Since: "all", Limit: 200}
		change(&command)
		var out bytes.Buffer
		if err := command.run(t.Context(), &out, now); err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(out.String()), "\n")
	}
	all := run(func(*timelineCmd) {})
	if len(all) != 4 || !strings.HasSuffix(all[1], "Closing") || !strings.HasSuffix(all[2], "Prefers mornings has a dog [2J") || !strings.HasSuffix(all[3], "é…") || strings.Contains(all[2], "\x1b") {
		t.Errorf("it is\n%s", strings.Join(all, "\n"))
	}
	for what, c := range map[string]struct {
		change func(*timelineCmd)
		lines  int
	}{
		"one contact": {func(c *timelineCmd) { c.Contact = "c1" }, 3},
		"since":       {func(c *timelineCmd) { c.Since = "9d" }, 3},
		"the newest":  {func(c *timelineCmd) { c.Limit = 1 }, 2},
	} {
		if got := run(c.change); len(got) != c.lines || c.lines == 2 && !strings.HasSuffix(got[1], "é…") {
			t.Errorf("%s: %q", what, got)
		}
	}
	command := timelineCmd{Config: config, Location: "lok", Since: "all", Limit: 200}
	if err := command.run(t.Context(), new(bytes.Buffer), now); err == nil || !strings.Contains(err.Error(), "lok is not connected") {
		t.Errorf("a mistyped location: %v", err)
	}
}
