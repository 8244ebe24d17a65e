package store_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"milepost/internal/store"
	"milepost/internal/testenv"
)

func TestANoteOnAReminderIsFoundByTheNextRun(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		st := open()
		var runs []bool // whether each run found the note
		ended := make(chan error, 1)
		workers := river.NewWorkers()
		river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, job *river.Job[store.RemindArgs]) error {
			runs = append(runs, store.ReminderNoted(job))
			if n := len(runs); n < 3 {
				if err := st.NoteReminder(ctx, job, n == 1); err != nil {
					return err
				}
				return river.JobSnooze(0)
			}
			err := st.FinishReminder(ctx, job, store.TimelineEntry{At: time.Unix(7, 0), Entity: contact1, ContactID: "c1", What: "reminder sent"})
			ended <- err
			return err
		}))
		queue := must(st.NewQueue(store.QueueConfig{Workers: workers, Logger: slog.New(slog.DiscardHandler)}))(t)
		if err := queue.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		soon := store.Reminder{At: now.Add(time.Millisecond), Of: now.Add(time.Hour), Before: time.Hour}
		l := store.Link{Entity: contact1, Item: "a/1", ItemKind: "event", State: store.LinkLive, Start: soon.Of}
		if err := st.SaveLink(t.Context(), l, now, []store.Reminder{soon}); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the reminder does not come to its end")
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := queue.Stop(ctx); err != nil {
			t.Error(err)
		}
		if len(runs) != 3 || runs[0] || !runs[1] || runs[2] {
			t.Errorf("the runs found the note: %v, want the second alone", runs)
		}
		if got := must(st.Timeline(t.Context(), "loc", "c1"))(t); len(got) != 1 {
			t.Errorf("timeline = %+v", got)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
}
