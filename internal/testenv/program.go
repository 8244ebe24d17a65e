package testenv

import (
	"os/exec"
	"testing"
)

// Program returns the path of a program that Debian packages under its own name, such
// as nginx. Without it the test is skipped in words, or fails where
// MILEPOST_REQUIRE_PROGRAMS is set.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/" + name); err != nil { // not on everybody's path
			Missing(t, "MILEPOST_REQUIRE_PROGRAMS", name+" is not installed (Debian: apt-get install "+name+")")
		}
	}
	return path
}
