package e2e_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"milepost/internal/app"
	chfake "milepost/internal/sandbox/calendarhero"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/testenv/testdb"
)

// vendors is what both vendors had when the release before stopped.
type vendors struct {
	Contacts         []hlfake.Contact // CustomFields by key
	Tasks            []hlfake.Task
	Notes            []hlfake.Note
	CalendarContacts []chfake.Contact
	Requests         []chfake.MeetingRequest
}

// The release before stopped while both vendors failed. It had a job for each record:
// testdata/upgrade/README.md says which. After the upgrade every one of them is worked, and
// CalendarHero mails only what they ask for, even when this version looks at all records.
func TestAnUpgradeWorksWhatTheReleaseBeforeLeftAndMailsNobodyElse(t *testing.T) {
	together(t)
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			var was vendors
			w := setup(t, func(w *world, _ *hlfake.Config) {
				w.cfg.DescriptionAfter = app.Wait(5 * time.Minute)
				was = w.restore(engine)
				w.seed = func() { w.hasVendors(was) }
			})
			w.eventually("what was left is worked", func() bool {
				n, err := w.app.Store().Backlog(t.Context())
				return err == nil && n == 0
			})
			w.pause()
			w.posted.Add(int64(len(w.deliveries()))) // to the release before
			for _, c := range was.Contacts {         // so that this version looks at all that was in step too
				_, _ = w.postSigned(event("ContactUpdate", c.ID, "webhookId", "contact-"+c.ID))
			}
			for _, task := range was.Tasks {
				_, _ = w.postSigned(event("TaskCreate", task.ID, "webhookId", "task-"+task.ID, "contactId", task.ContactID))
			}
			w.settle()
			if diff := cmp.Diff([]string{
				"cancel Call (Jane Doe)", // the task was deleted
				"cancel Closing: Jane Doe", "cancel Send the papers (Joe Roe)", "cancel Signing: Joe Roe",
				"invite Call the bank (Joseph Roe)",
				"invite Closing: Jane Doe", // it moved
				"invite Moving: Zoe Loe", "invite Order the cake (Jane Doe)",
				"invite Send the papers (Joseph Roe)", "invite Signing: Joseph Roe", // the contact was renamed
			}, w.mailed()); diff != "" {
				t.Errorf("other mails (-want +sent):\n%s", diff)
			}
			// Nothing had changed of Kim's. The answer to the create of Ann's was lost.
			for _, r := range was.Requests {
				stays := strings.Contains(r.Subject, "Kim Poe") || strings.Contains(r.Subject, "Ann Moe")
				if is := slices.ContainsFunc(w.ch.Requests(), func(now chfake.MeetingRequest) bool { return now.ID == r.ID }); is != stays {
					t.Errorf("the request %q is still there: %v, want %v", r.Subject, is, stays)
				}
			}
			if n := len(w.ch.Requests()); n != 10-1 {
				t.Errorf("there are %d requests, want 9", n)
			}
			for _, d := range w.deliveries() {
				if d.FinishedAt.IsZero() || d.Outcome == "retry" {
					t.Errorf("the delivery %d of %s %s is %q", d.ID, d.Entity.Kind, d.Entity.ID, d.Outcome)
				}
			}
			w.eventually("all jobs end", func() bool { // a periodic one may run just now
				return w.count(`SELECT count(*) FROM river_job WHERE state NOT IN ('completed', 'scheduled')`) == 0
			})
		})
	}
}

// restore brings back what the release before stored, and returns what the vendors had.
func (w *world) restore(engine string) (v vendors) {
	w.t.Helper()
	packed, err := os.ReadFile(filepath.Join("testdata/upgrade", engine+".tar.gz"))
	w.must(err)
	plain, err := gzip.NewReader(bytes.NewReader(packed))
	w.must(err)
	files := tar.NewReader(plain)
	for {
		file, err := files.Next()
		if errors.Is(err, io.EOF) {
			return v
		}
		w.must(err)
		text, err := io.ReadAll(files)
		w.must(err)
		switch name := filepath.Base(file.Name); {
		case !file.FileInfo().Mode().IsRegular():
		case name == "vendors.json":
			w.must(json.Unmarshal(text, &v))
		case name == "milepost.sql":
			w.cfg.DatabaseURL = w.database(string(text))
		default:
			w.must(os.WriteFile(filepath.Join(w.cfg.DataDir, name), text, 0o600))
		}
	}
}

// database makes a PostgreSQL database of a dump. Servers know other settings than the one
// that was dumped.
func (w *world) database(dump string) (url string) {
	w.t.Helper()
	server := testdb.Postgres(w.t) // skips the test if there is none
	url, drop, err := testdb.CreateDatabase(context.Background(), server)
	w.must(err)
	w.t.Cleanup(func() { w.must(drop()) })
	conn, err := pgx.Connect(context.Background(), url)
	w.must(err)
	defer conn.Close(context.Background())
	dump = regexp.MustCompile(`(?m)^(SET |\\).*$`).ReplaceAllString(dump, "")
	_, err = conn.PgConn().Exec(context.Background(), dump).ReadAll()
	w.must(err)
	return url
}

// hasVendors fills both fakes.
func (w *world) hasVendors(v vendors) {
	w.t.Helper()
	for _, c := range v.Contacts {
		_, err := w.hl.SeedContact(c)
		w.must(err)
	}
	for _, task := range v.Tasks {
		_, err := w.hl.SeedTask(task)
		w.must(err)
	}
	for _, n := range v.Notes {
		_, err := w.hl.SeedNote(n)
		w.must(err)
	}
	for _, c := range v.CalendarContacts {
		_, err := w.ch.SeedContact(c)
		w.must(err)
	}
	for _, r := range v.Requests {
		w.ch.SeedRequest(r)
	}
}

// mailed lists what CalendarHero mailed, without markers.
func (w *world) mailed() (list []string) {
	for _, m := range w.ch.Mails() {
		subject, _, _ := strings.Cut(m.Subject, " [mp-")
		list = append(list, string(m.Kind)+" "+subject)
	}
	slices.Sort(list)
	return list
}
