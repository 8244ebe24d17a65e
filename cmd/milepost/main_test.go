package main

import (
	"os"
	"testing"

	"milepost/internal/testenv"
)

// TestMain lets this test program be milepost itself, so that a test can run, watch
// and kill it.
func TestMain(m *testing.M) {
	if os.Getenv("MILEPOST_TEST_AS_MAIN") != "" {
		main()
	}
	testenv.Main(m)
}
