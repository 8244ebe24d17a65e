// Package testenv finds what some tests need beyond Go: HighLevel's published
// contract and examples, a PostgreSQL server, Node packages, a browser and Python
// modules.
//
// Guarantee: if something is missing, the test is skipped and says why; in CI the
// matching MILEPOST_REQUIRE_… variable turns that skip into a failure.
//
// Only tests import it.
package testenv

import (
	"os"
	"path/filepath"
	"testing"
)

// Shared returns the path of name inside the reference folder
// (highlevel-openapi, highlevel-webhooks) that lies beside a checkout as
// ../shared/reference. It skips the test where that folder is not there, and
// fails it there if MILEPOST_REQUIRE_SHARED is set.
func Shared(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			path := filepath.Join(dir, "..", "shared", "reference", name)
			if _, err := os.Stat(path); err == nil {
				return path
			}
			break
		}
	}
	missing(t, "MILEPOST_REQUIRE_SHARED", "HighLevel's reference material (../shared/reference/"+name+") is not beside this checkout")
	return ""
}

// missing skips the test for the given reason, or fails it where the
// environment variable require is set.
func missing(t testing.TB, require, why string) {
	t.Helper()
	if os.Getenv(require) != "" {
		t.Fatalf("%s, and %s is set", why, require)
	}
	t.Skip("skipped: " + why)
}
