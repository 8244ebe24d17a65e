package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"milepost/internal/app"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

func TestTheDeliveriesSayWhatBecameOfEachWebhook(t *testing.T) {
	testenv.Long(t)
	config := app.Config{DataDir: testdb.DataDir(t), CalendarHeroAuth: "raw"}
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	err := withState(t.Context(), config, func(state *app.State) error {
		if _, err := state.Store.NewQueue(store.QueueConfig{Logger: slog.New(slog.DiscardHandler)}); err != nil {
			return err
		}
		for _, location := range []string{"loc", "other", "quiet"} {
			if err := state.Store.SaveConnection(t.Context(), store.Connection{LocationID: location, Source: "token", State: store.ConnectionRemoved}, now); err != nil {
				return err
			}
		}
		_, err := state.Store.Dispatch(t.Context(), func(context.Context, *store.Tx) ([]store.Delivery, error) {
			return []store.Delivery{
				{ID: 1, Type: "ContactUpdate", Entity: store.Entity{LocationID: "loc", Kind: "contact", ID: "c1"}, ReceivedAt: now.AddDate(0, 0, -8), Skip: "old"},
				{ID: 2, Type: "NoteCreate", Entity: store.Entity{LocationID: "loc", Kind: "note", ID: "n1"}, ReceivedAt: now.AddDate(0, 0, -2), Skip: "no automation\nasks for it \x1b[2J" + strings.Repeat("é", 300) + "!"},
				{ID: 3, Type: "TaskCreate", Entity: store.Entity{LocationID: "other", Kind: "task", ID: "t1"}, ReceivedAt: now.AddDate(0, 0, -1)},
			}, nil
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	run := func(change func(*listDeliveriesCmd)) string {
		t.Helper()
		command := listDeliveriesCmd{Config: config, Since: "7d", Limit: 50}
		change(&command)
		var out bytes.Buffer
		if err := command.run(t.Context(), &out, now); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	lines := strings.Split(strings.TrimSpace(run(func(*listDeliveriesCmd) {})), "\n")
	if len(lines) != 3 || !strings.Contains(lines[1], "skipped") || !strings.Contains(lines[1], "no automation asks for it [2J") ||
		!strings.HasSuffix(lines[1], "é!") || !strings.Contains(lines[2], "pending") {
		t.Errorf("it is\n%s", strings.Join(lines, "\n"))
	}
	for what, c := range map[string]struct {
		change func(*listDeliveriesCmd)
		shows  string
	}{
		"a location": {func(c *listDeliveriesCmd) { c.Location = "other" }, "t1"},
		"a record":   {func(c *listDeliveriesCmd) { c.Record = "n1" }, "n1"},
		"an outcome": {func(c *listDeliveriesCmd) { c.Outcome = store.Pending }, "t1"},
		"all":        {func(c *listDeliveriesCmd) { c.Since, c.Record = "all", "c1" }, "old"},
		"the newest": {func(c *listDeliveriesCmd) { c.Limit = 1 }, "t1"},
		"none":       {func(c *listDeliveriesCmd) { c.Location = "quiet" }, "no such webhook"},
		"JSON":       {func(c *listDeliveriesCmd) { c.Location, c.JSON = "quiet", true }, "[]"},
	} {
		if said := run(c.change); !strings.Contains(said, c.shows) || strings.Count(said, "\n") > 2 {
			t.Errorf("%s: %s", what, said)
		}
	}
}
