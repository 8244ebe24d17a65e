package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// archiveOf makes an archive of a small data directory.
func archiveOf(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	for _, name := range databases {
		if err := onDatabase(filepath.Join(dir, name), func(db *sql.DB) error {
			_, err := db.ExecContext(t.Context(), `CREATE TABLE t (v TEXT); INSERT INTO t VALUES ('`+name+`')`)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, keyFile), []byte("k1:secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Write(t.Context(), dir, t.TempDir(), "v1.2.3", time.Unix(1_800_000_000, 0), &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestARestoreBringsBackWhatWasSaved(t *testing.T) {
	dir := t.TempDir()
	madeAt, version, err := Restore(t.Context(), bytes.NewReader(archiveOf(t)), dir)
	if err != nil || version != "v1.2.3" || madeAt.Unix() != 1_800_000_000 {
		t.Fatalf("restored %v by %q: %v", madeAt, version, err)
	}
	for _, name := range databases {
		if err := onDatabase(filepath.Join(dir, name), func(db *sql.DB) error {
			var v string
			err := db.QueryRowContext(t.Context(), `SELECT v FROM t`).Scan(&v)
			if v != name {
				t.Errorf("%s holds %q", name, v)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	}
	if keys, err := os.ReadFile(filepath.Join(dir, keyFile)); err != nil || string(keys) != "k1:secret" {
		t.Errorf("the keys are %q: %v", keys, err)
	}
}

func TestNothingIsRestoredFromAnArchiveThatIsNotWhole(t *testing.T) {
	good := archiveOf(t)
	for name, bad := range map[string]struct{ archive, want string }{
		"no archive": {"hello", "not an archive"},
		"cut off":    {string(good[:len(good)/2]), "unexpected EOF"},
		"another file": {repack(t, good, func(h *tar.Header, b []byte) (string, []byte) {
			return strings.Replace(h.Name, "inbox.db", "../inbox.db", 1), b
		}), "not as its manifest"},
		"a strange one": {repack(t, good, func(h *tar.Header, b []byte) (string, []byte) {
			return h.Name, bytes.Replace(b, []byte(`"inbox.db"`), []byte(`"../../x"`), 1)
		}), "no data directory has"},
		"a new format": {repack(t, good, func(h *tar.Header, b []byte) (string, []byte) {
			return h.Name, bytes.Replace(b, []byte(`"format": 1`), []byte(`"format": 2`), 1)
		}), "use Milepost v1.2.3"},
		"a changed byte": {repack(t, good, func(h *tar.Header, b []byte) (string, []byte) {
			if h.Name == "milepost.db" {
				b[len(b)-1] ^= 1
			}
			return h.Name, b
		}), "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			_, _, err := Restore(t.Context(), strings.NewReader(bad.archive), dir)
			if err == nil || !strings.Contains(err.Error(), bad.want) {
				t.Errorf("it says %v, want %q", err, bad.want)
			}
			if left, _ := os.ReadDir(dir); len(left) != 0 {
				t.Errorf("it leaves %v", left)
			}
		})
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	for _, there := range []string{"milepost.db", "inbox.db-wal", keyFile} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, there), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Restore(t.Context(), bytes.NewReader(archiveOf(t)), dir); !errors.Is(err, ErrNotEmpty) {
			t.Errorf("beside %s it says %v", there, err)
		}
	}
}

func TestABackupOfNothingFails(t *testing.T) {
	dir := t.TempDir()
	if err := Write(context.Background(), dir, t.TempDir(), "v1", time.Now(), &bytes.Buffer{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it says %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("it made %v", left)
	}
}

// repack changes names and contents in an archive.
func repack(t *testing.T, archive []byte, change func(*tar.Header, []byte) (string, []byte)) string {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	to := tar.NewWriter(w)
	for from := tar.NewReader(zip); ; {
		h, err := from.Next()
		if err != nil {
			break
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(from); err != nil {
			t.Fatal(err)
		}
		name, content := change(h, b.Bytes())
		if err := to.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(to.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
