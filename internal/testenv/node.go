package testenv

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// NodePackage copies the folder src, which holds package.json and
// package-lock.json, installs what they name by `npm ci` without running
// install scripts, and returns the copy, which is removed after the test.
// Without node and npm, or where the install fails, the test is skipped in
// words, or fails where MILEPOST_REQUIRE_NODE is set.
func NodePackage(t testing.TB, src string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(src)); err != nil {
		t.Fatal(err)
	}
	if err := npmCI(t.Context(), dir); err != nil {
		missing(t, "MILEPOST_REQUIRE_NODE", "no Node packages of "+filepath.Base(src)+": "+err.Error())
	}
	return dir
}

func npmCI(ctx context.Context, dir string) error {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is not installed", program)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error")
	npm.Dir, npm.WaitDelay = dir, 10*time.Second
	out, err := npm.CombinedOutput()
	if err != nil {
		said, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("npm ci: %w: %s", err, said)
	}
	return nil
}
