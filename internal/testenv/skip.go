// Package testenv finds what some tests need beyond Go: programs, Node packages, a browser
// and Python modules. Package testdb makes databases.
//
// Guarantee: if something is missing, the test is skipped and says why; in CI the
// matching MILEPOST_REQUIRE_… variable turns that skip into a failure.
//
// Only tests import it.
package testenv

import (
	"os"
	"testing"
)

// Missing skips the test for the given reason, or fails it where the
// environment variable require is set.
func Missing(t testing.TB, require, why string) {
	t.Helper()
	if os.Getenv(require) != "" {
		t.Fatalf("%s, and %s is set", why, require)
	}
	t.Skip("skipped: " + why)
}
