//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"milepost/internal/sandbox/calendarhero"
	"milepost/internal/testenv/testdb"
)

// TestABackupUnderLoadIsRestoredAndNothingIsMadeTwice makes a backup while webhooks come
// in, lets the world go on, loses the files, and restores them.
func TestABackupUnderLoadIsRestoredAndNothingIsMadeTwice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := setupCommands(t, "MILEPOST_DATA_DIR="+dir, "MILEPOST_RECONCILE_EVERY=15s")
	r.connect()
	const before, after = 12, 4
	var ids []string
	want := map[string]bool{}
	add := func(i int) {
		name := fmt.Sprintf("C%02d", i)
		ids = append(ids, r.contact(name))
		want["Closing: "+name+" Doe"], want["Call "+name+" ("+name+" Doe)"] = true, true
	}
	for i := range before {
		add(i)
	}
	tell := func(id string, n int) {
		r.webhook(fmt.Sprintf(`{"type":"ContactUpdate","locationId":%q,"id":%q,"webhookId":"%s-%d"}`, place, id, id, n))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	first := slices.Clone(ids)
	var load sync.WaitGroup
	stop := make(chan struct{})
	load.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				tell(first[n%len(first)], n)
			}
		}
	})
	if err := r.ch.WaitFor(ctx, func() bool { return len(r.ch.Requests()) >= before/2 }); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(t.TempDir(), "milepost.tar.gz")
	if said := r.must("backup", archive); !strings.Contains(said, "personal data") {
		t.Errorf("backup says:\n%s", said)
	}
	if info, err := os.Stat(archive); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the archive: %v %v", info, err)
	}
	close(stop)
	load.Wait()

	// What the archive does not know: a new date, a milestone that is cleared, new contacts.
	if err := r.hl.SetCustomFields(ids[0], map[string]any{"contact.milestone_date": "2030-06-03"}); err != nil {
		t.Fatal(err)
	}
	if err := r.hl.SetCustomFields(ids[1], map[string]any{"contact.milestone": ""}); err != nil {
		t.Fatal(err)
	}
	delete(want, "Closing: C01 Doe")
	for i := range after {
		add(before + i)
	}
	for _, id := range ids {
		tell(id, 1_000_000)
	}
	inStep := func() bool {
		subjects, starts := r.subjects(), map[string]time.Time{}
		for _, request := range r.ch.Requests() {
			subject, _, _ := strings.Cut(request.Subject, " [mp-")
			starts[subject] = request.Start
		}
		return len(subjects) == len(want) && starts["Closing: C00 Doe"].Month() == time.June && !slices.ContainsFunc(subjects, func(s string) bool { return !want[s] })
	}
	r.must("backfill", "--location", place, "--since", "7d", "--wait")
	if !inStep() {
		t.Fatalf("before the loss there are %q", r.subjects())
	}
	mails := len(r.ch.Mails())
	if err := r.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}

	if said, err := r.run("restore", archive); err == nil || !strings.Contains(said, "not empty") {
		t.Errorf("it restores over what is there: %v %s", err, said)
	}
	if err := os.Rename(dir, dir+".lost"); err != nil {
		t.Fatal(err)
	}
	if said := r.must("restore", archive); !strings.Contains(said, "milepost serve") {
		t.Errorf("restore says:\n%s", said)
	}
	r.start()
	r.must("backfill", "--location", place, "--since", "7d", "--wait")
	if !inStep() {
		t.Errorf("after the restore there are %q", r.subjects())
	}
	if n := len(r.ch.Mails()); n != mails {
		t.Errorf("the restore mailed somebody: %d mails, then %d: %v", mails, n, r.ch.Mails()[mails:])
	}
}

// TestAMoveToPostgreSQLGoesOnWhereTheFilesStopped moves a Milepost that has made
// things, and lets it work on.
func TestAMoveToPostgreSQLGoesOnWhereTheFilesStopped(t *testing.T) {
	t.Parallel()
	url := testdb.Postgres(t)
	r := setupCommands(t)
	r.connect()
	id := r.contact("Ann")
	r.contact("Ben")
	r.must("backfill", "--location", place, "--since", "7d", "--wait")
	before, mails := r.subjects(), len(r.ch.Mails())
	if said, err := r.run("move", "--to", url); err == nil || !strings.Contains(said, "another milepost is running") {
		t.Errorf("it moves what serve works: %v %s", err, said)
	}
	if err := r.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if said := r.must("move", "--to", url); !strings.Contains(said, "Moved and compared") {
		t.Errorf("move says:\n%s", said)
	}
	r.env = append(r.env, "DATABASE_URL="+url)
	r.start()
	r.must("backfill", "--location", place, "--since", "7d", "--wait")
	if after := r.subjects(); !slices.Equal(after, before) || len(r.ch.Mails()) != mails {
		t.Errorf("after the move there are %q and %d mails, before there were %q and %d", after, len(r.ch.Mails()), before, mails)
	}
	if err := r.hl.SetCustomFields(id, map[string]any{"contact.milestone_date": "2030-07-01"}); err != nil {
		t.Fatal(err)
	}
	r.webhook(`{"type":"ContactUpdate","locationId":"` + place + `","id":"` + id + `","webhookId":"after"}`)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.ch.WaitFor(ctx, func() bool {
		return slices.ContainsFunc(r.ch.Requests(), func(m calendarhero.MeetingRequest) bool {
			return strings.HasPrefix(m.Subject, "Closing: Ann") && m.Start.Month() == time.July
		})
	}); err != nil {
		t.Errorf("after the move no change arrives: %v", err)
	}
	if len(r.subjects()) != len(before) {
		t.Errorf("a change made something twice: %q", r.subjects())
	}
}
