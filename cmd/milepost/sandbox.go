package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"milepost/handlers"
	"milepost/internal/app"
	"milepost/internal/sandbox"
)

type sandboxCmd struct {
	Once      bool   `help:"Play the scenario and end; the exit status says whether the end state is right."`
	Addresses string `help:"Write a JSON object with all addresses and tokens to this file once all is ready." placeholder:"FILE" type:"path"`

	Listen             string `default:"127.0.0.1:0" help:"Milepost's public listener."`
	AdminListen        string `default:"127.0.0.1:0" help:"Milepost's admin listener."`
	HighLevelListen    string `name:"highlevel-listen" default:"127.0.0.1:0" help:"The fake HighLevel."`
	CalendarHeroListen string `name:"calendarhero-listen" default:"127.0.0.1:0" help:"The fake CalendarHero."`
	PageListen         string `default:"127.0.0.1:0" help:"The page that shows and changes both."`
	DataDir            string `help:"Keep Milepost's files here; a temporary folder by default." type:"path"`
	LogLevel           string `default:"warn" enum:"debug,info,warn,error" help:"Least level that is logged: ${enum}."`
}

// Run starts the fakes and Milepost, plays the scenario, and stays up.
func (c *sandboxCmd) Run(ctx context.Context) error {
	return c.run(ctx, os.Stdout)
}

func (c *sandboxCmd) run(ctx context.Context, out io.Writer) (err error) {
	world, err := sandbox.Start(ctx, sandbox.WorldConfig{
		HighLevelAddr: c.HighLevelListen, CalendarHeroAddr: c.CalendarHeroListen, PageAddr: c.PageListen,
		HighLevel: func(cfg *sandbox.HighLevelConfig) { cfg.RateLimit = true },
	})
	if err != nil {
		return err
	}
	defer world.Close()
	if c.DataDir == "" {
		if c.DataDir, err = os.MkdirTemp("", "milepost-sandbox-"); err != nil {
			return err
		}
		defer os.RemoveAll(c.DataDir)
	}
	milepost, err := app.New(ctx, app.Config{
		Listen: c.Listen, AdminListen: c.AdminListen, DataDir: c.DataDir,
		HighLevelBaseURL: world.HighLevelURL, HighLevelAppID: world.HighLevel.AppID(),
		HighLevelToken: world.HighLevelToken, HighLevelLocationID: world.Location.ID,
		HighLevelWebhookKeys: world.HighLevel.PublicKeyPEM(),
		HighLevelClientID:    world.App.ClientID, HighLevelClientSecret: world.App.ClientSecret,
		HighLevelAuthorizeURL: world.HighLevelURL + "/v2/oauth/chooselocation", ReconcileEvery: 5 * time.Second, VendorsHere: true,
		CalendarHeroBaseURL: world.CalendarHeroURL, CalendarHeroToken: world.CalendarHeroToken, CalendarHeroAuth: "raw",
	}, newLogger(c.LogLevel, "auto"))
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- milepost.Run(running) }()
	defer func() {
		stop()
		err = errors.Join(err, <-done)
	}()
	starting, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	if err := milepost.WaitReady(starting); err != nil {
		return fmt.Errorf("milepost did not become ready: %w", err)
	}
	world.HighLevel.SetWebhookURL(milepost.PublicURL() + "/webhooks/highlevel")

	fmt.Fprintf(out, "Milepost      %s   (admin %s)\nHighLevel     %s   fake, location %s\nCalendarHero  %s   fake\nPage          %s   change a record, watch the calendar\nInstall       %s   connect a location as a HighLevel user does\n\n",
		milepost.PublicURL(), milepost.AdminURL(), world.HighLevelURL, world.Location.Name, world.CalendarHeroURL, world.PageURL,
		milepost.PublicURL()+handlers.InstallPath)
	if c.Addresses != "" {
		if err := writeAddresses(c.Addresses, world, milepost); err != nil {
			return err
		}
	}
	if err := play(ctx, out, world, milepost); err != nil {
		if c.Once || ctx.Err() != nil {
			return err
		}
		fmt.Fprintln(out, "The scenario did not end as it should:", err)
	}
	if c.Once {
		return nil
	}
	fmt.Fprintf(out, "\nNow it is your turn: open %s and change something. Ctrl-C ends it.\n", world.PageURL)
	select {
	case <-ctx.Done():
		return nil
	case err := <-done:
		done <- nil // for the deferred wait
		return err
	}
}

// writeAddresses writes the file for programs that drive the sandbox. It
// appears whole: written beside and renamed.
func writeAddresses(path string, world *sandbox.World, milepost *app.App) error {
	b, err := json.MarshalIndent(map[string]string{
		"highlevel": world.HighLevelURL, "calendarhero": world.CalendarHeroURL, "page": world.PageURL,
		"public": milepost.PublicURL(), "admin": milepost.AdminURL(),
		"location_id":     world.Location.ID,
		"highlevel_token": world.HighLevelToken, "calendarhero_token": world.CalendarHeroToken,
		"client_id": world.App.ClientID, "client_secret": world.App.ClientSecret,
		"authorize": world.HighLevelURL + "/v2/oauth/chooselocation",
	}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the addresses: %w", err)
	}
	return os.Rename(path+".new", path)
}

// stepLimit is how long one step of the scenario may take.
const stepLimit = 30 * time.Second
