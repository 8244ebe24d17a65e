package licences

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write licences.txt.gz")

func TestTheLicencesAreUpToDate(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes long: not with -short")
	}
	if testing.Short() {
		t.Skip("skipped: it lists the packages of six platforms")
	}
	want := collect(t)
	if *update {
		var out bytes.Buffer
		w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
		_, err := io.WriteString(w, want)
		if err := errors.Join(err, w.Close(), os.WriteFile("licences.txt.gz", out.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
		packed = out.Bytes()
	}
	if got, err := Text(); err != nil || got != want {
		t.Errorf("licences.txt.gz is not of the modules that go.mod names (%v): run `go generate ./internal/licences`", err)
	}
}

// licence matches the names of files that hold licences or notices.
var licence = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|unlicense)([-._].*)?$`)

// collect returns the licences of all modules that a release contains, each text once.
func collect(t *testing.T) string {
	t.Helper()
	folders := map[string][]string{} // by module, those of its packages
	for _, os := range []string{"linux", "darwin", "windows"} {
		for _, arch := range []string{"amd64", "arm64"} {
			list(t, os, arch, folders)
		}
	}
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	folders["Go"] = []string{strings.TrimSpace(string(root))}
	modules := map[string][]string{} // by text
	for module, dirs := range folders {
		slices.Sort(dirs)
		var texts []string
		for _, dir := range slices.Compact(dirs) {
			files, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				if f.Type().IsRegular() && licence.MatchString(f.Name()) && !strings.HasSuffix(f.Name(), ".go") {
					b, err := os.ReadFile(filepath.Join(dir, f.Name()))
					if err != nil {
						t.Fatal(err)
					}
					texts = append(texts, strings.TrimSpace(strings.ReplaceAll(string(b), "\r\n", "\n")))
				}
			}
		}
		if len(texts) == 0 {
			t.Errorf("no licence was found for %s in %v", module, dirs)
		}
		slices.Sort(texts)
		for _, text := range slices.Compact(texts) {
			modules[text] = append(modules[text], module)
		}
	}
	var parts []string
	for text, of := range modules {
		slices.Sort(of)
		parts = append(parts, fmt.Sprintf("%s\n\n%s\n", strings.Join(of, "\n"), text))
	}
	slices.Sort(parts)
	return "Milepost contains code of others, under these licences.\n\n" + strings.Join(parts, "\n"+strings.Repeat("-", 80)+"\n\n")
}

// list adds the folders of the packages of one platform, and those of their modules.
func list(t *testing.T, goos, arch string, folders map[string][]string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=Dir,Module", "milepost/cmd/milepost")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+arch)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Dir    string
			Module *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Module != nil && !p.Module.Main {
			module := p.Module.Path + " " + p.Module.Version
			folders[module] = append(folders[module], p.Dir, p.Module.Dir)
		}
	}
}
