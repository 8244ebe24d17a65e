// Package reference finds HighLevel's published contract and examples, and holds
// requests against the contract.
//
// Guarantee: if the material is missing, the test is skipped and says why; in CI
// MILEPOST_REQUIRE_SHARED turns that skip into a failure.
//
// Only tests import it. It knows nothing of the store, so that a test that imports it is
// linked quickly.
package reference

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
	why := "HighLevel's reference material (../shared/reference/" + name + ") is not beside this checkout"
	if os.Getenv("MILEPOST_REQUIRE_SHARED") != "" {
		t.Fatal(why + ", and MILEPOST_REQUIRE_SHARED is set")
	}
	t.Skip("skipped: " + why)
	return ""
}
