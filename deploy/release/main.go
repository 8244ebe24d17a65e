// Command release builds Milepost for all platforms: an archive and a bill of materials
// (CycloneDX) for each, and a file of checksums. The same commit gives the same files.
//
//	go -C deploy run ./release -version 1.2.3 -out ../bin/release
package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const platforms = "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64"

// mostBytes is what a binary must stay below.
const mostBytes = 30 << 20

// enclosed are the files of the project that each archive brings, by their name in it.
var enclosed = map[string]string{
	"README.md": "README.md", "CHANGELOG.md": "CHANGELOG.md", "milepost.1": "deploy/man/milepost.1",
	"completion/milepost.bash": "deploy/completion/milepost.bash", "completion/_milepost": "deploy/completion/_milepost",
	"completion/milepost.fish": "deploy/completion/milepost.fish",
}

func main() {
	version := flag.String("version", "", "the version, such as 1.2.3")
	out := flag.String("out", "", "the folder to write to; what is in it is deleted")
	list := flag.String("platforms", platforms, "the platforms, separated by commas")
	flag.Parse()
	if *version == "" || *out == "" {
		fmt.Fprintln(os.Stderr, "release: say -version and -out")
		os.Exit(2)
	}
	r := release{version: *version, out: *out, limit: mostBytes}
	if err := r.run(strings.Split(*list, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release is a release in the making. It runs in the folder deploy.
type release struct {
	version, out string
	limit        int64 // of a binary, in bytes
	commit       string
	at           time.Time // of the commit
	made         []string  // names of files
}

func (r *release) run(platforms []string) error {
	git, err := output("git", "log", "-1", "--format=%H %cI")
	if err != nil {
		return err
	}
	commit, date, _ := strings.Cut(git, " ")
	if r.at, err = time.Parse(time.RFC3339, date); err != nil {
		return fmt.Errorf("read the date of the commit: %w", err)
	}
	r.commit, r.at = commit, r.at.UTC()
	if err := os.RemoveAll(r.out); err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	for _, platform := range platforms {
		goos, arch, ok := strings.Cut(platform, "/")
		if !ok {
			return fmt.Errorf("a platform is written like linux/amd64, not %q", platform)
		}
		if err := r.platform(goos, arch); err != nil {
			return fmt.Errorf("%s: %w", platform, err)
		}
	}
	return r.checksums()
}

// platform builds for one platform.
func (r *release) platform(goos, arch string) error {
	work, err := os.MkdirTemp("", "milepost-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	program := "milepost"
	if goos == "windows" {
		program += ".exe"
	}
	binary := filepath.Join(work, program)
	build := exec.Command("make", "-C", "..", "binary", "OS="+goos, "ARCH="+arch, "OUT="+binary,
		"VERSION="+r.version, "COMMIT="+r.commit, "DATE="+r.at.Format(time.RFC3339))
	build.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, text)
	}
	if info, err := os.Stat(binary); err != nil {
		return err
	} else if info.Size() >= r.limit {
		return fmt.Errorf("the binary has %d bytes and must have less than %d: docs/decisions/16-small-binary.md says how to find out why", info.Size(), r.limit)
	}
	name := fmt.Sprintf("milepost_%s_%s_%s", r.version, goos, arch)
	if _, err := output("go", "tool", "cyclonedx-gomod", "bin", "-json", "-std", "-noserial", "-notimestamp",
		"-version", r.version, "-output", filepath.Join(r.out, name+".cdx.json"), binary); err != nil {
		return err
	}
	files := map[string][]byte{}
	if files[program], err = os.ReadFile(binary); err != nil {
		return err
	}
	for as, path := range enclosed {
		if files[as], err = os.ReadFile(filepath.Join("..", path)); err != nil {
			return err
		}
	}
	var packed []byte
	extension := ".tar.gz"
	if goos == "windows" {
		extension = ".zip"
		packed, err = r.zip(name, files)
	} else {
		packed, err = r.tar(name, files)
	}
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	r.made = append(r.made, name+".cdx.json", name+extension)
	return os.WriteFile(filepath.Join(r.out, name+extension), packed, 0o644)
}

// mode is that of a file in an archive.
func mode(name string) os.FileMode {
	if strings.HasPrefix(name, "milepost") && !strings.HasSuffix(name, ".1") {
		return 0o755
	}
	return 0o644
}

func names(files map[string][]byte) (list []string) {
	for name := range files {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

func (r *release) tar(folder string, files map[string][]byte) ([]byte, error) {
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(z)
	for _, name := range names(files) {
		header := &tar.Header{Name: folder + "/" + name, Mode: int64(mode(name)), Size: int64(len(files[name])), ModTime: r.at, Format: tar.FormatUSTAR}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(files[name]); err != nil {
			return nil, err
		}
	}
	err = errors.Join(w.Close(), z.Close())
	return packed.Bytes(), err
}

func (r *release) zip(folder string, files map[string][]byte) ([]byte, error) {
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	for _, name := range names(files) {
		header := &zip.FileHeader{Name: folder + "/" + name, Method: zip.Deflate, Modified: r.at}
		header.SetMode(mode(name))
		f, err := w.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(files[name]); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return packed.Bytes(), err
}

// checksums writes a file that sha256sum -c reads.
func (r *release) checksums() error {
	slices.Sort(r.made)
	var text strings.Builder
	for _, name := range r.made {
		f, err := os.Open(filepath.Join(r.out, name))
		if err != nil {
			return err
		}
		sum := sha256.New()
		_, err = io.Copy(sum, f)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		fmt.Fprintf(&text, "%x  %s\n", sum.Sum(nil), name)
	}
	return os.WriteFile(filepath.Join(r.out, "checksums.txt"), []byte(text.String()), 0o644)
}

// output runs a program and returns what it prints.
func output(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	var wrong bytes.Buffer
	cmd.Stderr = &wrong
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, wrong.Bytes())
	}
	return strings.TrimSpace(string(out)), nil
}
