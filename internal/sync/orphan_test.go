package sync

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"milepost/internal/outcome"
	"milepost/internal/sandbox/fakehttp"
	"milepost/internal/store"
	"milepost/internal/testenv"
)

// confirms works the jobs that confirm deletes, as they are due after a minute, and
// returns how many are not over.
func (b *bundle) confirms() (left int) {
	b.t.Helper()
	b.pass(time.Minute)
	rows, err := b.store.Query(b.t.Context(), `SELECT json(args) FROM river_job WHERE kind = 'stray' ORDER BY id`)
	b.must(err)
	var jobs []*river.Job[store.OrphanArgs]
	for rows.Next() {
		var args string
		b.must(rows.Scan(&args))
		job := &river.Job[store.OrphanArgs]{JobRow: &rivertype.JobRow{}}
		b.must(json.Unmarshal([]byte(args), &job.Args))
		jobs = append(jobs, job)
	}
	b.must(rows.Err())
	rows.Close()
	for _, job := range jobs {
		err := b.orphanJob(b.t.Context(), job)
		if _, again := errors.AsType[*rivertype.JobSnoozeError](err); again {
			left++
			continue
		}
		b.must(err)
	}
	return left
}

func TestADeleteThatAGatewayAnsweredIsSentAgain(t *testing.T) {
	testenv.Long(t)
	for _, c := range []struct{ name, date string }{{"of a request that is replaced", "2030-06-09"}, {"of a request that is removed", ""}} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t, toOwner)
			e := b.jane("2030-06-02")
			b.do(e)
			lie := b.ch.Faults().Next("DELETE /meeting/tasks/{id}", -1, fakehttp.Say(204, ""))
			b.setDate(e, c.date)
			b.do(e)
			want := len(b.ch.Requests()) - 1
			if left := b.confirms(); left != 1 || len(b.ch.Requests()) != want+1 {
				t.Errorf("while the gateway answers, %d deletes are unconfirmed and %d requests are open", left, len(b.ch.Requests()))
			}
			b.ch.Faults().Disarm(lie)
			if left := b.confirms(); left != 1 || len(b.ch.Requests()) != want {
				t.Errorf("after it is gone, %d deletes are unconfirmed and %d requests are open, want %d", left, len(b.ch.Requests()), want)
			}
			if left := b.confirms(); left != 0 {
				t.Errorf("%d deletes are unconfirmed in the end", left)
			}
		})
	}
}

func TestARequestThatWasMovedUnseenIsNotLeftAsOver(t *testing.T) {
	b := setup(t, toOwner)
	e := b.jane("2030-05-02")
	b.do(e)
	to := time.Date(2030, 5, 9, 15, 0, 0, 0, time.UTC)
	b.must(b.ch.Reschedule(b.request().ID, to, to.Add(time.Hour)))
	b.set(time.Date(2030, 5, 3, 12, 0, 0, 0, time.UTC)) // when it was to be over
	b.setDate(e, "")
	b.do(e)
	if n := len(b.ch.Requests()); n != 0 {
		t.Errorf("%d requests are open", n)
	}
}

func TestADeleteIsConfirmedByAnyLookSinceThen(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	e := b.jane("2030-06-02")
	b.do(e)
	b.setDate(e, "2030-06-09")
	b.do(e)
	b.pass(time.Second)
	b.polls()
	reads := b.listReads()
	if left := b.confirms(); left != 0 || b.listReads() != reads {
		t.Errorf("%d deletes are unconfirmed after %d more reads of the lists", left, b.listReads()-reads)
	}
}

func TestALookAtARateLimitWaitsNoLongerThanAnyOther(t *testing.T) {
	b := setup(t, toOwner)
	b.ch.Faults().Next("GET /meeting/tasks", -1, fakehttp.RateLimited(24*time.Hour))
	for name, args := range map[string]store.OrphanArgs{
		"for a late create":     {Item: "milestone/1", Generation: 1},
		"to confirm a deletion": {DeletedID: "000000000000000000000001"},
	} {
		args.LocationID, args.RecordKind, args.EntityID, args.GivenUpAt = location, "contact", "jane", b.now()
		err := b.orphanJob(t.Context(), &river.Job[store.OrphanArgs]{JobRow: &rivertype.JobRow{}, Args: args})
		snooze, ok := errors.AsType[*rivertype.JobSnoozeError](err)
		if longest := outcome.LongestWait * 11 / 10; !ok || snooze.Duration > longest+time.Second || snooze.Duration < outcome.RateLimitWait {
			t.Errorf("the look %s ends with %v, want a wait of at most %s", name, err, longest)
		}
	}
}
