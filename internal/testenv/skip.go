// Package testenv finds what some tests need beyond Go: a PostgreSQL server, Node
// packages, a browser and Python modules.
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

// missing skips the test for the given reason, or fails it where the
// environment variable require is set.
func missing(t testing.TB, require, why string) {
	t.Helper()
	if os.Getenv(require) != "" {
		t.Fatalf("%s, and %s is set", why, require)
	}
	t.Skip("skipped: " + why)
}
