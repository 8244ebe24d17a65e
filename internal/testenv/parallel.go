package testenv

import (
	"flag"
	"os"
	"runtime/debug"
	"testing"
)

// Long skips a test in a short run. That plays the main case of each part, and what costs
// little: a test that takes more than some 30 ms of processor time is long.
func Long(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes long: not with -short")
	}
}

// Thorough reports whether MILEPOST_TEST_THOROUGH is set, as CI does: then the long tests
// play all their rounds. A plain run, which somebody waits for, plays fewer.
func Thorough() bool { return os.Getenv("MILEPOST_TEST_THOROUGH") != "" }

// InCI skips a test in a run that is not thorough. It is for what takes seconds of processor
// time and has a cheaper relative that every run plays.
func InCI(t testing.TB) {
	t.Helper()
	if !Thorough() {
		t.Skip("it takes long: only with MILEPOST_TEST_THOROUGH=1, as in CI")
	}
}

// Rounds returns how many rounds of a long test to play: all in CI, else few.
func Rounds(all, few int) int {
	if Thorough() {
		return all
	}
	return few
}

// Main runs the tests of a package whose tests mostly wait: more of them side by
// side than there are processors, unless the command line says how many. Temporary
// folders are in memory where that is possible and TMPDIR names no other place.
func Main(m *testing.M) {
	inMemory()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // a tenth less processor time, for some memory
	}
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set(sideBySide)
	}
	os.Exit(m.Run())
}
