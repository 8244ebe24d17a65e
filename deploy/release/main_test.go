package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheSameCommitGivesTheSameFiles makes a release for one platform twice. The second
// has other folders for its work.
func TestTheSameCommitGivesTheSameFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: it links twice")
	}
	t.Chdir("..")
	var sums []string
	for range 2 {
		t.Setenv("TMPDIR", t.TempDir())
		out := filepath.Join(t.TempDir(), "release")
		r := release{version: "1.2.3", out: out, limit: mostBytes}
		if err := r.run([]string{"linux/amd64"}); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(out, "checksums.txt"))
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, string(b))
	}
	if sums[0] != sums[1] || strings.Count(sums[0], "\n") != 2 {
		t.Errorf("two releases of the same commit differ:\n%s\n%s", sums[0], sums[1])
	}
}

func TestABinaryThatIsTooLargeIsNotReleased(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: it links")
	}
	t.Chdir("..")
	r := release{version: "1.2.3", out: t.TempDir(), limit: 1 << 20}
	if err := r.run([]string{"linux/amd64"}); err == nil || !strings.Contains(err.Error(), "must have less than 1048576") {
		t.Errorf("a binary of more than 1 MiB: %v", err)
	}
}
