package main

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

func TestTheImageIsThatOfTheDockerfile(t *testing.T) {
	b, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, final, _ := strings.Cut(string(b), "FROM scratch\n")
	var volumes, ports []string
	for line := range strings.SplitSeq(strings.TrimSpace(final), "\n") {
		word, rest, _ := strings.Cut(line, " ")
		var list []string
		_ = json.Unmarshal([]byte(rest), &list)
		switch word {
		case "COPY":
		case "USER":
			equal(t, word, config.User, rest)
		case "ENV":
			equal(t, word, strings.Join(config.Env, " "), rest)
		case "VOLUME":
			volumes = append(volumes, strings.Fields(rest)...)
		case "EXPOSE":
			ports = append(ports, strings.Fields(rest)...)
		case "HEALTHCHECK":
			h := config.Healthcheck
			equal(t, word, "--interval="+h.Interval.String()+" --timeout="+h.Timeout.String()+" --start-period="+h.StartPeriod.String()+` CMD ["`+strings.Join(h.Test[1:], `", "`)+`"]`, rest)
		case "ENTRYPOINT":
			equal(t, word, strings.Join(config.Entrypoint, " "), strings.Join(list, " "))
		case "CMD":
			equal(t, word, strings.Join(config.Cmd, " "), strings.Join(list, " "))
		default:
			t.Errorf("nothing compares %q", line)
		}
	}
	for _, volume := range volumes {
		if _, ok := config.Volumes[volume]; !ok || len(volumes) != len(config.Volumes) {
			t.Errorf("the volumes are %v, not %v", config.Volumes, volumes)
		}
	}
	for _, port := range ports {
		if _, ok := config.ExposedPorts[port+"/tcp"]; !ok || len(ports) != len(config.ExposedPorts) {
			t.Errorf("the ports are %v, not %v", config.ExposedPorts, ports)
		}
	}
}

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: the image says %q, the Dockerfile %q", what, got, want)
	}
}

func TestTheSameBinaryGivesTheSameDigest(t *testing.T) {
	certificates := filepath.Join(t.TempDir(), "certificates")
	if err := os.WriteFile(certificates, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	var digests []v1.Hash
	for range 2 {
		image, err := build(os.Args[0], "amd64", certificates)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := image.Digest()
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, digest)
	}
	if digests[0] != digests[1] {
		t.Errorf("the digests are %v", digests)
	}
}

// TestTheImageStarts unpacks the image and starts Milepost in it, as its user and with
// nothing else in sight. MILEPOST_TEST_BINARY names the binary to pack.
func TestTheImageStarts(t *testing.T) {
	binary := os.Getenv("MILEPOST_TEST_BINARY")
	if binary == "" || os.Geteuid() != 0 {
		t.Skip("skipped: it needs root, and a binary in MILEPOST_TEST_BINARY")
	}
	image, err := build(binary, "amd64", "/etc/ssl/certs/ca-certificates.crt")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for dir := root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // another user enters it
			t.Fatal(err)
		}
	}
	unpack(t, image, root)
	const public = "127.83.71.13:8080"
	var said strings.Builder
	cmd := exec.Command(config.Entrypoint[0], config.Cmd...)
	cmd.Dir, cmd.Env = "/", append(slices.Clone(config.Env), "MILEPOST_LISTEN="+public, "MILEPOST_ADMIN_LISTEN=127.83.71.13:8081")
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	health := func() error {
		ask := exec.Command(config.Healthcheck.Test[1], config.Healthcheck.Test[2:]...)
		ask.Dir, ask.Env, ask.SysProcAttr = "/", cmd.Env, cmd.SysProcAttr
		return ask.Run()
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if err = health(); err == nil || time.Now().After(deadline) {
			break
		}
	}
	if err != nil {
		t.Errorf("it is not healthy: %v", err)
	}
	if res, err := http.Get("http://" + public + "/readyz"); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("/readyz: %v %v", res, err)
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ends with %v:\n%s", err, said.String())
	}
}

func unpack(t *testing.T, image v1.Image, root string) {
	t.Helper()
	files := mutate.Extract(image)
	defer files.Close()
	for r := tar.NewReader(files); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(root, header.Name)
		if header.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o755)
		} else {
			var content []byte
			if content, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, content, header.FileInfo().Mode())
			}
		}
		if err = errors.Join(err, os.Chown(path, header.Uid, header.Gid)); err != nil {
			t.Fatal(err)
		}
	}
}
