package tracing

import (
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// variables reads the OTEL_ variables. OpenTelemetry demands that a number, a name or an
// attribute that cannot be read is ignored with a warning: the same variables are often set
// for many programs at once.
type variables struct {
	getenv func(string) string
	logger zerolog.Logger
}

func (v variables) get(name string) string { return strings.TrimSpace(v.getenv(name)) }

// word returns a value that is one of a few words, in small letters.
func (v variables) word(name string) string { return strings.ToLower(v.get(name)) }

// ignore warns of a value. It says what the value must be, and not what it is: the value may
// be a secret in the wrong place.
func (v variables) ignore(name, must string) {
	v.logger.Warn().Str("variable", name).Str("must", must).Msg("setting of traces ignored")
}

// number returns a number of at least least. What is not set is otherwise.
func (v variables) number(name string, least, otherwise int) int {
	text := v.get(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < int64(least) {
		v.ignore(name, "be a whole number, "+strconv.Itoa(least)+" or more")
		return otherwise
	}
	return int(n)
}

// delay returns a number of milliseconds.
func (v variables) delay(name string, otherwise int) time.Duration {
	return time.Duration(max(1, v.number(name, 0, otherwise))) * time.Millisecond
}

// timeout returns a number of milliseconds, where 0 is as long as it takes.
func (v variables) timeout(name string, otherwise int) time.Duration {
	n := v.number(name, 0, otherwise)
	if n == 0 {
		n = 1<<31 - 1 // 24 days
	}
	return time.Duration(n) * time.Millisecond
}

// exporting returns the name of a variable of the exporter: that for traces goes before the
// one for all signals.
func (v variables) exporting(name string) string {
	if traces := "OTEL_EXPORTER_OTLP_TRACES_" + name; v.get(traces) != "" {
		return traces
	}
	return "OTEL_EXPORTER_OTLP_" + name
}
