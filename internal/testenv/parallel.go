package testenv

import (
	"flag"
	"os"
	"testing"
)

// Long skips a test in a short run.
func Long(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes long: not with -short")
	}
}

// Main runs the tests of a package whose tests mostly wait: more of them side by
// side than there are processors, unless the command line says how many. Temporary
// folders are in memory where that is possible and TMPDIR names no other place.
func Main(m *testing.M) {
	inMemory()
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set(sideBySide)
	}
	os.Exit(m.Run())
}
