package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/rs/zerolog"

	"milepost/internal/app"
)

// tellSystemd tells systemd when a is ready, that it is alive, and when it stops. A
// process that systemd did not start as a unit of type notify tells nobody. It returns
// when ctx has ended.
func tellSystemd(ctx context.Context, a *app.App, logger zerolog.Logger) {
	if a.WaitReady(ctx) != nil {
		return
	}
	tell := func(state string) {
		if _, err := daemon.SdNotify(false, state); err != nil {
			logger.Warn().Err(err).Str("state", state).Msg("systemd cannot be told")
		}
	}
	tell(daemon.SdNotifyReady)
	defer tell(daemon.SdNotifyStopping)
	within, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		logger.Warn().Err(err).Msg("the watchdog of systemd is off: WATCHDOG_USEC or WATCHDOG_PID is wrong")
	}
	if within == 0 || err != nil {
		<-ctx.Done()
		return
	}
	tick := time.NewTicker(within / 3)
	defer tick.Stop()
	for {
		if err := alive(ctx, a.AdminURL(), within/3); err == nil {
			tell(daemon.SdNotifyWatchdog)
		} else if ctx.Err() == nil {
			logger.Warn().Err(err).Msg("no sign of life for the watchdog of systemd")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// alive asks Milepost itself, as a client would. It asks the admin listener, because
// strangers may keep the public one busy.
func alive(ctx context.Context, adminURL string, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, adminURL+"/healthz", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET /healthz answers %s", res.Status)
	}
	return nil
}
