package main

import (
	"fmt"
	"os"
	"testing"
	"time"

	"milepost/internal/app"
	"milepost/internal/testenv"
)

// fast returns a clock that runs at speed from now on, and the variable that gives it
// to a milepost of this test program.
func fast(speed int) (c app.Clock, variable string) {
	c = app.Clock{Start: time.Unix(time.Now().Unix(), 0), Speed: speed}
	return c, fmt.Sprintf("MILEPOST_TEST_CLOCK=%d %d", c.Start.Unix(), speed)
}

// TestMain lets this test program be milepost itself, so that a test can run, watch
// and kill it. If MILEPOST_TEST_CLOCK is set, its time runs as fast says.
func TestMain(m *testing.M) {
	if os.Getenv("MILEPOST_TEST_AS_MAIN") != "" {
		if text := os.Getenv("MILEPOST_TEST_CLOCK"); text != "" {
			var start int64
			if _, err := fmt.Sscanf(text, "%d %d", &start, &clock.Speed); err != nil {
				panic(err)
			}
			clock.Start = time.Unix(start, 0)
		}
		main()
	}
	testenv.Main(m)
}
