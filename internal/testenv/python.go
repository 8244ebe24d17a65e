package testenv

import (
	"cmp"
	"os"
	"os/exec"
	"testing"
)

// Python returns the path of a Python that has the module, Debian's by default.
// Without one the test is skipped in words, or fails where
// MILEPOST_REQUIRE_PYTHON is set.
func Python(t testing.TB, module string) string {
	t.Helper()
	python := cmp.Or(os.Getenv("MILEPOST_TEST_PYTHON"), "/usr/bin/python3")
	if err := exec.CommandContext(t.Context(), python, "-c", "import "+module).Run(); err != nil {
		Missing(t, "MILEPOST_REQUIRE_PYTHON", "no Python with the module "+module+" (Debian: python3-"+module+"): "+err.Error())
	}
	return python
}
