package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"
)

// A database records the number of a migration, not its text. So a migration that
// was released must not change, or new databases differ from old ones.
func TestReleasedMigrationsDoNotChange(t *testing.T) {
	const newest = "00023" // raise it with a release, together with the digests
	for dialect, want := range map[goose.Dialect]string{
		goose.DialectSQLite3:  "d2d8b4eab4dd7b01a1339c933460ce6c871c4570827b4c8d90d0bde9bf69e3c5",
		goose.DialectPostgres: "37f0e317a30cf0aed8ceed4a2bef10ce1f103cc166b0ac73d1f11e03d27ab152",
	} {
		files, err := migrationsOf(dialect)
		if err != nil {
			t.Fatal(err)
		}
		names, err := fs.Glob(files, "*.sql") // sorted
		if err != nil {
			t.Fatal(err)
		}
		digest := sha256.New()
		for _, name := range names {
			if name[:len(newest)] > newest {
				break
			}
			text, err := fs.ReadFile(files, name)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(digest, "%s\n%s\n", name, strings.Join(strings.Fields(string(text)), " "))
		}
		if got := hex.EncodeToString(digest.Sum(nil)); got != want {
			t.Errorf("%s: the migrations up to %s have digest %s, want %s", dialect, newest, got, want)
		}
	}
}

func TestEachEngineHasEveryMigrationOnce(t *testing.T) {
	numbers := map[goose.Dialect]string{}
	for _, dialect := range []goose.Dialect{goose.DialectSQLite3, goose.DialectPostgres} {
		files, err := migrationsOf(dialect)
		if err != nil {
			t.Fatal(err)
		}
		names, err := fs.Glob(files, "*.sql")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			numbers[dialect] += name[:5] + " "
		}
	}
	if sqlite, postgres := numbers[goose.DialectSQLite3], numbers[goose.DialectPostgres]; sqlite != postgres {
		t.Errorf("SQLite has the migrations %s, PostgreSQL %s", sqlite, postgres)
	}
}
