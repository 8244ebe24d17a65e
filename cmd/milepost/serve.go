package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"

	"milepost/internal/app"
)

type serveCmd struct {
	app.Config `embed:""`

	TakeOver bool `help:"Take over accounts that another Milepost works. That one stops working them."`
}

// clock is real time, unless a test sets it.
var clock app.Clock

// Run serves until the process is told to stop.
func (c *serveCmd) Run(ctx context.Context) error {
	c.Config.TakeOver, c.Config.Clock = c.TakeOver, clock
	logger := newLogger(c.LogLevel, c.LogFormat)
	limitMemory(logger)
	a, err := app.New(ctx, c.Config, logger)
	if err != nil {
		return err
	}
	if link, err := a.FirstRunLink(ctx); err != nil {
		logger.Error().Err(err).Msg("could not create a sign-in link; use `milepost people add`")
	} else if link != "" {
		fmt.Printf("Nobody can sign in to the console yet. Open this link once, within a day, and add yourself:\n%s\n", link)
	}
	go tellSystemd(ctx, a, logger)
	debug.FreeOSMemory() // templates and forms leave much garbage, and Go lets the heap grow to twice of what it found
	return a.Run(ctx)
}

// memoryShare is how much of a container's memory Go may use. SQLite has some of
// its own.
const memoryShare = 0.8

// limitMemory sets GOMEMLIMIT from the limit of the container or systemd unit, if
// there is one and GOMEMLIMIT is not set.
func limitMemory(logger zerolog.Logger) {
	limit, err := memlimit.Set(memlimit.WithRatio(memoryShare))
	switch {
	case errors.Is(err, memlimit.ErrNoCgroup), errors.Is(err, memlimit.ErrCgroupsNotSupported):
	case err != nil:
		logger.Warn().Err(err).Msg("container memory limit unknown; set GOMEMLIMIT to four fifths of it")
	case limit < math.MaxInt64:
		logger.Info().Int64("mib", limit>>20).Msg("memory limit set")
	}
}

// newLogger logs to standard error: JSON lines, or text for people.
func newLogger(level, format string) zerolog.Logger {
	parsed, err := zerolog.ParseLevel(level)
	if err != nil {
		parsed = zerolog.InfoLevel
	}
	logger := zerolog.New(os.Stderr)
	if format == "text" || format == "auto" && isTerminal(os.Stderr) {
		logger = logger.Output(zerolog.ConsoleWriter{Out: os.Stderr, TimeFormat: time.TimeOnly})
	}
	return logger.Level(parsed).With().Timestamp().Logger()
}

// isTerminal reports whether a person may be looking, or typing.
func isTerminal(f *os.File) bool {
	return isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd())
}
