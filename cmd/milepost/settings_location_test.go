package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"milepost/internal/app"
	"milepost/internal/connection"
	"milepost/internal/sandbox"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

// The location that the settings name is connected once serve has run, and not
// if somebody removed it.
func TestCommandsSayWhatBecomesOfTheLocationOfTheSettings(t *testing.T) {
	testenv.Long(t)
	world, err := sandbox.Start(t.Context(), sandbox.WorldConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	config := app.Config{
		DataDir: testdb.DataDir(t), HighLevelBaseURL: world.HighLevelURL, HighLevelToken: world.HighLevelToken, HighLevelLocationID: world.Location.ID,
		CalendarHeroBaseURL: world.CalendarHeroURL, CalendarHeroToken: world.CalendarHeroToken, CalendarHeroAuth: "raw",
	}
	var said bytes.Buffer
	if err := (&listConnectionsCmd{Config: config}).list(t.Context(), &said); err != nil || !strings.Contains(said.String(), "`milepost serve` connects location "+world.Location.ID) {
		t.Errorf("before serve: %v\n%s", err, &said)
	}
	err = withState(t.Context(), config, func(state *app.State) error {
		served := store.Connection{LocationID: world.Location.ID, Source: connection.FromSettings, State: store.ConnectionActive}
		if err := state.Store.SaveConnection(t.Context(), served, time.Now()); err != nil {
			return err
		}
		return state.Store.RemoveConnection(t.Context(), world.Location.ID, time.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
	said.Reset()
	if err := (&checkCmd{Config: config}).report(t.Context(), &said); err == nil || !strings.Contains(said.String(), "use `milepost connections set`") {
		t.Errorf("after remove: %v\n%s", err, &said)
	}
}
