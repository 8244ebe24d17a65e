// Command image writes the container image of the Dockerfile as a tarball, without a
// container engine. The same binary gives the same digest.
//
//	go -C deploy run ./image -binary ../bin/milepost -out ../bin/milepost-image.tar
package main

import (
	"archive/tar"
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// nobody runs Milepost in the container.
const nobody = 65532

// config says what the Dockerfile says; a test compares the two.
var config = v1.Config{
	User:         fmt.Sprintf("%d:%d", nobody, nobody),
	Env:          []string{"MILEPOST_DATA_DIR=/data", "MILEPOST_LOCK_DIR=/data/locks", "MILEPOST_ADMIN_LISTEN=:8081", "MILEPOST_LOG_FORMAT=json"},
	Volumes:      map[string]struct{}{"/data": {}},
	ExposedPorts: map[string]struct{}{"8080/tcp": {}, "8081/tcp": {}},
	Healthcheck:  &v1.HealthConfig{Test: []string{"CMD", "/milepost", "health"}, Interval: 10e9, Timeout: 3e9, StartPeriod: 10e9},
	Entrypoint:   []string{"/milepost"},
	Cmd:          []string{"serve"},
}

func main() {
	binary := flag.String("binary", "", "the binary for linux")
	arch := flag.String("arch", "amd64", "the architecture of the binary")
	certificates := flag.String("certificates", "/etc/ssl/certs/ca-certificates.crt", "the certificate authorities to trust")
	out := flag.String("out", "", "the tarball to write, for docker load")
	tag := flag.String("tag", "milepost:latest", "the name of the image")
	flag.Parse()
	if err := run(*binary, *arch, *certificates, *out, *tag); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(binary, arch, certificates, out, tag string) error {
	image, err := build(binary, arch, certificates)
	if err != nil {
		return err
	}
	ref, err := name.NewTag(tag)
	if err != nil {
		return err
	}
	if err := tarball.WriteToFile(out, ref, image); err != nil {
		return err
	}
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	fmt.Println(digest)
	return nil
}

// build makes the image: a layer with the certificates and the folder for the data,
// and one with the binary.
func build(binary, arch, certificates string) (v1.Image, error) {
	base, err := layer(
		entry{name: "etc/", mode: 0o755},
		entry{name: "etc/ssl/", mode: 0o755},
		entry{name: "etc/ssl/certs/", mode: 0o755},
		entry{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, from: certificates},
		entry{name: "data/", mode: 0o755, uid: nobody},
	)
	if err != nil {
		return nil, err
	}
	program, err := layer(entry{name: "milepost", mode: 0o755, from: binary})
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, base, program)
	if err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config = "linux", arch, config
	return mutate.ConfigFile(image, file)
}

// entry is a folder, or a file with the content of the file at from. Entries have no
// time, so that the same content gives the same digest.
type entry struct {
	name string // in the image; a folder ends with "/"
	mode int64
	uid  int
	from string
}

func layer(entries ...entry) (v1.Layer, error) {
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for _, e := range entries {
		var content []byte
		if e.from != "" {
			var err error
			if content, err = os.ReadFile(e.from); err != nil {
				return nil, err
			}
		}
		header := &tar.Header{Name: e.name, Mode: e.mode, Uid: e.uid, Gid: e.uid, Size: int64(len(content)), Format: tar.FormatUSTAR}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed.Bytes())), nil })
}
