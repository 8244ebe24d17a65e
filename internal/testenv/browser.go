package testenv

import (
	"os/exec"
	"testing"
)

// Browser returns the path of a Chromium. Without one the test is skipped in
// words, or fails where MILEPOST_REQUIRE_BROWSER is set.
func Browser(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	Missing(t, "MILEPOST_REQUIRE_BROWSER", "no Chromium is installed (Debian: apt-get install chromium)")
	return ""
}
