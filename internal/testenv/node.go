package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// NodePackage copies the folder src, which holds package.json and
// package-lock.json, installs what they name by `npm ci` without running
// install scripts, and returns the copy. Tests that run at the same time share
// it; it is removed after the last of them. Without node and npm, or where the
// install fails, the test is skipped in words, or fails where
// MILEPOST_REQUIRE_NODE is set.
func NodePackage(t testing.TB, src string) string {
	t.Helper()
	packages.Lock()
	defer packages.Unlock()
	p := packages.of[src]
	if p == nil {
		p = &nodePackage{}
		if p.dir, p.err = os.MkdirTemp("", "milepost-node-"); p.err == nil { //nolint:usetesting // several tests share it
			p.err = errors.Join(os.CopyFS(p.dir, os.DirFS(src)), npmCI(t.Context(), p.dir))
		}
		packages.of[src] = p
	}
	p.users++
	t.Cleanup(func() {
		packages.Lock()
		defer packages.Unlock()
		if p.users--; p.users > 0 {
			return
		}
		delete(packages.of, src)
		if err := os.RemoveAll(p.dir); err != nil {
			t.Error(err)
		}
	})
	if p.err != nil {
		Missing(t, "MILEPOST_REQUIRE_NODE", "no Node packages of "+filepath.Base(src)+": "+p.err.Error())
	}
	return p.dir
}

// packages are those in use, by their source.
var packages = struct {
	sync.Mutex
	of map[string]*nodePackage
}{of: map[string]*nodePackage{}}

type nodePackage struct {
	dir   string
	err   error
	users int
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
