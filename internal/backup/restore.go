package backup

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// ErrNotEmpty means that a data directory holds files that a restore would overwrite.
var ErrNotEmpty = errors.New("the data directory is not empty")

// mostManifest is far more than a manifest needs.
const mostManifest = 1 << 20

// Restore puts the files of an archive into the data directory dir. It says when the
// archive was made and by which version. The caller holds the directory's lock.
func Restore(ctx context.Context, archive io.Reader, dir string) (madeAt time.Time, version string, err error) {
	fail := func(err error) (time.Time, string, error) { return time.Time{}, "", err }
	for _, name := range all {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if _, err := os.Lstat(filepath.Join(dir, name+suffix)); err == nil {
				return fail(fmt.Errorf("%w: it holds %s", ErrNotEmpty, name+suffix))
			}
		}
	}
	work, err := os.MkdirTemp(dir, "restore-")
	if err != nil {
		return fail(fmt.Errorf("make a folder for the files: %w", err))
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	m, err := unpack(archive, work)
	if err != nil {
		return fail(fmt.Errorf("read the archive: %w", err))
	}
	for _, name := range databases {
		if err := check(ctx, filepath.Join(work, name)); err != nil {
			return fail(fmt.Errorf("check %s: %w", name, err))
		}
	}
	// The state last: without it Milepost does not start, and says why.
	for _, name := range []string{keyFile, databases[1], databases[0]} {
		if !slices.ContainsFunc(m.Files, func(f file) bool { return f.Name == name }) {
			continue
		}
		if err := os.Rename(filepath.Join(work, name), filepath.Join(dir, name)); err != nil {
			return fail(err)
		}
	}
	return m.MadeAt, m.Version, syncDir(dir)
}

// IsArchive reports whether a file is an archive of any format that Write has written. Its
// first file is the manifest.
func IsArchive(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		return false
	}
	header, err := tar.NewReader(zip).Next()
	return err == nil && header.Name == manifestName
}

// unpack writes what the manifest names into dir, and nothing else.
func unpack(r io.Reader, dir string) (m manifest, err error) {
	zip, err := gzip.NewReader(r)
	if err != nil {
		return m, fmt.Errorf("it is not an archive of `milepost backup`: %w", err)
	}
	archive := tar.NewReader(zip)
	header, err := archive.Next()
	if err != nil || header.Name != manifestName {
		return m, errors.Join(errors.New("it is not an archive of `milepost backup`: its first file is not "+manifestName), err)
	}
	first, err := io.ReadAll(io.LimitReader(archive, mostManifest))
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(first, &m); err != nil {
		return m, fmt.Errorf("its %s is damaged: %w", manifestName, err)
	}
	if m.Format != format {
		return m, fmt.Errorf("its format is %d, and this Milepost reads %d: use Milepost %s", m.Format, format, m.Version)
	}
	for _, f := range m.Files {
		if !slices.Contains(all, f.Name) {
			return m, fmt.Errorf("it names %q, which no data directory has", f.Name)
		}
		header, err := archive.Next()
		if err != nil {
			return m, fmt.Errorf("%s is missing: %w", f.Name, err)
		}
		if header.Name != f.Name || header.Size != f.Bytes {
			return m, fmt.Errorf("%s is not as its %s says", f.Name, manifestName)
		}
		if err := unpackFile(filepath.Join(dir, f.Name), f, archive); err != nil {
			return m, err
		}
	}
	for _, name := range databases {
		if !slices.ContainsFunc(m.Files, func(f file) bool { return f.Name == name }) {
			return m, fmt.Errorf("it holds no %s", name)
		}
	}
	return m, nil
}

func unpackFile(path string, f file, content io.Reader) error {
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	h := sha256.New()
	_, err = io.CopyN(io.MultiWriter(to, h), content, f.Bytes)
	if err = errors.Join(err, to.Sync(), to.Close()); err != nil {
		return fmt.Errorf("unpack %s: %w", f.Name, err)
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != f.SHA256 {
		return fmt.Errorf("%s is damaged: its digest is %s, not %s", f.Name, sum, f.SHA256)
	}
	return nil
}

// syncDir makes renames durable, where the system can.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync() // Windows cannot
	return d.Close()
}
