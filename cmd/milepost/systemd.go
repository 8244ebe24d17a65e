package main

import (
	"context"
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
		// As a client would, and at the admin listener: strangers may keep the public one busy.
		if err := ask(ctx, a.AdminURL()+"/healthz", within/3); err == nil {
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
