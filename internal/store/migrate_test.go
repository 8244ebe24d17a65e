package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

// newestReleased is the last migration of the last release. Raise it with a release,
// together with the digests below.
const newestReleased = "00023"

// A database records the number of a migration, not its text. So if a released migration
// changed, new databases would differ from old ones.
func TestReleasedMigrationsDoNotChange(t *testing.T) {
	for engine, want := range map[Engine]string{
		SQLite:   "d2d8b4eab4dd7b01a1339c933460ce6c871c4570827b4c8d90d0bde9bf69e3c5",
		Postgres: "37f0e317a30cf0aed8ceed4a2bef10ce1f103cc166b0ac73d1f11e03d27ab152",
	} {
		files, err := migrationsOf(engine)
		if err != nil {
			t.Fatal(err)
		}
		names, err := fs.Glob(files, "*.sql") // sorted
		if err != nil {
			t.Fatal(err)
		}
		digest := sha256.New()
		for _, name := range names {
			if name[:len(newestReleased)] > newestReleased {
				break
			}
			text, err := fs.ReadFile(files, name)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(digest, "%s\n%s\n", name, strings.Join(strings.Fields(string(text)), " "))
		}
		if got := hex.EncodeToString(digest.Sum(nil)); got != want {
			t.Errorf("%s: the migrations up to %s have digest %s, want %s", engine, newestReleased, got, want)
		}
	}
}

// While processes are upgraded one by one, those of the last release work on the new
// tables. So a migration only adds. What the new release no longer uses goes with the
// release after it, and is then listed here.
func TestNewMigrationsOnlyAdd(t *testing.T) {
	files, err := migrationsOf(Postgres) // SQLite has one process
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if name[:len(newestReleased)] <= newestReleased {
			continue
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, statement := range breaking(string(text)) {
			t.Errorf("%s: %s\nbreaks processes of the last release, which work beside the new one during an upgrade", name, statement)
		}
	}
}

func TestAMigrationThatTakesSomethingAwayIsFound(t *testing.T) {
	for statement, breaks := range map[string]bool{
		`DROP TABLE links`:                                                   true,
		`ALTER TABLE links DROP COLUMN state`:                                true,
		`ALTER TABLE links RENAME TO bonds`:                                  true,
		`ALTER TABLE links RENAME COLUMN state TO status`:                    true,
		`ALTER TABLE links ALTER COLUMN state TYPE BIGINT`:                   true,
		`ALTER TABLE links ALTER state SET NOT NULL`:                         true,
		`ALTER TABLE links ADD CONSTRAINT c CHECK (n > 0)`:                   true,
		"alter table links\n\tadd column n bigint not null":                  true,
		`ALTER TABLE links ADD COLUMN n BIGINT NOT NULL DEFAULT 0, DROP m`:   true,
		`ALTER TABLE links ADD n BIGINT NOT NULL`:                            true,
		`CREATE UNIQUE INDEX links_n ON links (n)`:                           true,
		`DELETE FROM links`:                                                  true,
		`TRUNCATE links`:                                                     true,
		`ALTER TABLE links ADD COLUMN n BIGINT NOT NULL DEFAULT 0`:           false,
		`ALTER TABLE links ADD COLUMN n BIGINT`:                              false,
		`CREATE TABLE notes (n BIGINT NOT NULL UNIQUE)`:                      false,
		"CREATE TABLE notes (n BIGINT);\nCREATE UNIQUE INDEX i ON notes (n)": false,
		`DROP INDEX links_n`:                                                 false, // the older one is slower
		`-- DROP TABLE links`:                                                false,
	} {
		if got := len(breaking("-- +goose Up\n"+statement+";\n")) > 0; got != breaks {
			t.Errorf("%s: breaks the last release: %v, want %v", statement, got, breaks)
		}
	}
}

// breaking returns the statements of a migration that the last release may not work with.
func breaking(migration string) (found []string) {
	own := map[string]bool{} // tables that the migration makes
	text, _, _ := strings.Cut(migration, "-- +goose Down")
	for statement := range strings.SplitSeq(sqlComment.ReplaceAllString(text, ""), ";") {
		words := strings.Join(strings.Fields(statement), " ")
		if made := createdTable.FindStringSubmatch(words); made != nil {
			own[made[1]] = true
		}
		on := touchedTable.FindStringSubmatch(words)
		if on != nil && own[on[1]] {
			continue
		}
		adds := addedColumn.FindString(words)
		if takesAway.MatchString(words) || adds != "" && notNull.MatchString(adds) && !hasDefault.MatchString(adds) {
			found = append(found, words)
		}
	}
	return found
}

var (
	sqlComment   = regexp.MustCompile(`--[^\n]*`)
	gooseWord    = regexp.MustCompile(`(?mi)^-- *\+goose +(statement|no|env).*`) // what is neither Up nor Down
	createdTable = regexp.MustCompile(`(?i)^CREATE TABLE (\w+)`)
	touchedTable = regexp.MustCompile(`(?i)^(?:ALTER TABLE|CREATE UNIQUE INDEX \w+ ON|DELETE FROM) (\w+)`)
	takesAway    = regexp.MustCompile(`(?i)^(DROP (TABLE|COLUMN|VIEW|FUNCTION|TRIGGER)|TRUNCATE|DELETE|CREATE UNIQUE INDEX|CREATE TRIGGER)\b|^ALTER TABLE .*\b(DROP|RENAME|ALTER|ADD (CONSTRAINT|CHECK|UNIQUE|FOREIGN|PRIMARY))\b`)
	addedColumn  = regexp.MustCompile(`(?i)^ALTER TABLE \w+ ADD\b.*`)
	notNull      = regexp.MustCompile(`(?i)\bNOT NULL\b`)
	hasDefault   = regexp.MustCompile(`(?i)\bDEFAULT\b`)
)

func TestEachEngineHasEveryMigrationOnce(t *testing.T) {
	numbers := map[Engine]string{}
	for _, engine := range []Engine{SQLite, Postgres} {
		files, err := migrationsOf(engine)
		if err != nil {
			t.Fatal(err)
		}
		names, err := fs.Glob(files, "*.sql")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			numbers[engine] += name[:5] + " "
			text, err := fs.ReadFile(files, name)
			if err != nil {
				t.Fatal(err)
			}
			if word := strings.TrimSpace(gooseWord.FindString(string(text))); word != "" {
				t.Errorf("%s has the line %q, which Migrate does not know", name, word)
			}
		}
	}
	if sqlite, postgres := numbers[SQLite], numbers[Postgres]; sqlite != postgres {
		t.Errorf("SQLite has the migrations %s, PostgreSQL %s", sqlite, postgres)
	}
}
