package main

import (
	"context"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"

	"milepost/internal/app"
)

type serveCmd struct {
	app.Config `embed:""`
}

// Run serves until the process is told to stop.
func (c *serveCmd) Run(ctx context.Context) error {
	a, err := app.New(ctx, c.Config, newLogger(c.LogLevel, c.LogFormat))
	if err != nil {
		return err
	}
	return a.Run(ctx)
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
