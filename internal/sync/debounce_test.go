package sync

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
)

// resting are the jobs that end the waits of new descriptions.
func (b *bundle) resting() (jobs []*river.Job[store.DebounceArgs]) {
	b.t.Helper()
	rows, err := b.store.Query(b.t.Context(), `SELECT json(args) FROM river_job WHERE kind = 'rest' ORDER BY id`)
	b.must(err)
	defer rows.Close()
	for rows.Next() {
		var args string
		b.must(rows.Scan(&args))
		job := &river.Job[store.DebounceArgs]{JobRow: &rivertype.JobRow{}}
		b.must(json.Unmarshal([]byte(args), &job.Args))
		jobs = append(jobs, job)
	}
	return jobs
}

// woken works the nth wait's job, and reports whether it asked for a sync.
func (b *bundle) woken(n int) (asked bool, err error) {
	b.t.Helper()
	job := b.resting()[n]
	before, err := b.store.EntityState(b.t.Context(), job.Args.Entity())
	b.must(err)
	err = b.debounceJob(b.t.Context(), job)
	after, readErr := b.store.EntityState(b.t.Context(), job.Args.Entity())
	b.must(readErr)
	return after.Wanted > before.Wanted, err
}

// wantMails fails unless so many mails were sent in all.
func (b *bundle) wantMails(n int, when string) {
	b.t.Helper()
	if mails := b.ch.Mails(); len(mails) != n {
		b.t.Errorf("%s: %d mails, want %d: %+v", when, len(mails), n, mails)
	}
}

func TestABurstOfDescriptionsCostsOneReplacement(t *testing.T) {
	b := setup(t, toOwner)
	b.quiet = 5 * time.Minute
	zone, err := time.LoadLocation("America/New_York")
	b.must(err)
	e := b.jane("2030-05-02")
	b.do(e)
	for i := range 8 { // a sync without a change begins no wait anew
		b.must(b.hl.AddTags(e.ID, fmt.Sprintf("tag-%d", i)))
		b.do(e)
		until := b.now().Add(b.quiet).In(zone).Format("Mon 2 Jan 15:04:05 MST")
		b.pass(30 * time.Second)
		if res := b.do(e); res.outcome() != store.Unchanged || !strings.Contains(res.detail(), "quiet for 5m: until "+until+", if") {
			t.Errorf("it became %s: %s; want %q", res.outcome(), res.detail(), until)
		}
		b.pass(30 * time.Second)
	}
	b.wantMails(1, "while it is edited")
	if asked, err := b.woken(0); asked || err != nil {
		t.Errorf("the first edit's wait asked for a sync: %v, %v", asked, err)
	}
	_, err = b.woken(7)
	if snooze, ok := errors.AsType[*rivertype.JobSnoozeError](err); !ok || snooze.Duration != 4*time.Minute {
		t.Errorf("the last edit's wait ended early with %v", err)
	}
	b.pass(4 * time.Minute)
	if asked, err := b.woken(7); !asked || err != nil {
		t.Errorf("the last edit's wait asked for no sync: %v, %v", asked, err)
	}
	if res := b.do(e); res.detail() != "event replaced, because its description changed" {
		t.Errorf("it says that it did %s", res.detail())
	}
	b.wantMails(3, "once it was quiet")
	if r := b.ch.Requests(); len(r) != 1 || !strings.Contains(r[0].Description, "tag-7") {
		t.Errorf("the requests are %+v", r)
	}
	if asked, err := b.woken(7); asked || err != nil {
		t.Errorf("a wait that is over asked for a sync: %v, %v", asked, err)
	}
}

func TestAMaterialChangeTakesTheDescriptionAlongAtOnce(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	b.quiet = 5 * time.Minute
	e := b.jane("2030-05-02")
	b.do(e)
	b.must(b.hl.AddTags(e.ID, "vip"))
	b.do(e)
	b.setDate(e, "2030-05-03")
	if res := b.do(e); res.detail() != "event replaced, because its time changed" {
		t.Errorf("it says that it did %s", res.detail())
	}
	b.wantMails(3, "after it moved")
	if r := b.ch.Requests(); len(r) != 1 || !strings.Contains(r[0].Description, "vip") {
		t.Errorf("the requests are %+v", r)
	}
	b.pass(time.Hour)
	if asked, err := b.woken(0); asked || err != nil {
		t.Errorf("what was taken along is still waited for: %v, %v", asked, err)
	}
}

func TestADescriptionThatBecomesWhatItWasCostsNothing(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	b.quiet = 5 * time.Minute
	e := b.jane("2030-05-02")
	b.do(e)
	b.must(b.hl.AddTags(e.ID, "vip"))
	b.do(e)
	b.must(b.hl.UpdateContact(e.ID, func(c *hlfake.Contact) { c.Tags = nil }))
	b.do(e)
	b.pass(time.Hour)
	if asked, err := b.woken(0); asked || err != nil {
		t.Errorf("it is still waited for: %v, %v", asked, err)
	}
	b.must(b.hl.AddTags(e.ID, "vip")) // the same again begins a wait of its own
	b.do(e)
	b.wantMails(1, "after the same change again")
}

func TestDescriptionsAloneReplaceNothingIfTheSettingSaysSo(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	e := b.jane("2030-05-02")
	b.do(e)
	b.quiet = 5 * time.Minute
	b.must(b.hl.AddTags(e.ID, "vip"))
	b.do(e)
	b.quiet = -1
	b.pass(time.Hour)
	_, err := b.woken(0)
	b.must(err)
	res := b.do(e)
	b.wantMails(1, "switched off")
	if !strings.Contains(res.detail(), "MILEPOST_DESCRIPTION_AFTER=never") {
		t.Errorf("it says %q", res.detail())
	}
	b.quiet = 5 * time.Minute // switched on again, it waits anew
	b.do(e)
	b.pass(5 * time.Minute)
	if asked, err := b.woken(1); !asked || err != nil {
		t.Errorf("the new wait asked for no sync: %v, %v", asked, err)
	}
	b.do(e)
	b.wantMails(3, "switched on again")
}

func TestNothingIsWaitedForOnceTheRequestIsRemoved(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	b.quiet = 5 * time.Minute
	e := b.jane("2030-05-02")
	b.do(e)
	b.must(b.hl.AddTags(e.ID, "vip"))
	b.do(e)
	b.setDate(e, "")
	b.do(e)
	b.wantMails(2, "after it was removed")
	b.pass(time.Hour)
	if asked, err := b.woken(0); asked || err != nil {
		t.Errorf("it is still waited for: %v, %v", asked, err)
	}
}

func TestAWaitThatBeganInTheFutureIsOver(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	b.quiet = 5 * time.Minute
	e := b.jane("2030-05-03")
	b.do(e)
	b.must(b.hl.AddTags(e.ID, "vip"))
	b.pass(time.Hour)
	b.do(e)
	b.pass(-time.Hour) // the clock is put back
	if asked, err := b.woken(0); !asked || err != nil {
		t.Errorf("it waits for the clock: %v, %v", asked, err)
	}
	b.do(e)
	b.wantMails(3, "after the clock was put back")
}
