package e2e_test

import (
	"context"
	"slices"
	"testing"
	"time"

	hlfake "milepost/internal/sandbox/highlevel"
)

// call makes Jane with a task that is due at a time, with reminders a day and an
// hour before, and returns her id.
func (w *world) call(due time.Time) (contactID string) {
	w.t.Helper()
	id := w.contact("Jane", "Doe", "jane@example.com")
	_, err := w.hl.CreateTask(hlfake.Task{ContactID: id, Title: "Call", DueDate: due})
	w.must(err)
	w.settle()
	return id
}

// wantTold waits until the timeline of a contact says these things of reminders.
func (w *world) wantTold(contactID string, want ...string) {
	w.t.Helper()
	told := func() (told []string) {
		list, err := w.app.Store().Timeline(context.Background(), location, contactID)
		w.must(err)
		for _, entry := range list {
			if entry.What != "task created" {
				told = append(told, entry.What+": "+entry.Detail)
			}
		}
		slices.Sort(told)
		return told
	}
	for deadline := time.Now().Add(10 * time.Second); !slices.Equal(told(), want); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("the timeline says %q, want %q", told(), want)
		}
	}
}

// startLater stops Milepost, and starts it after d.
func (w *world) startLater(d time.Duration) {
	w.t.Helper()
	w.stop()
	w.ahead.Add(int64(d))
	w.start()
	w.hurry(d)
}

// nudges counts the reminders that CalendarHero was asked for.
func (w *world) nudges() int { return w.calls("PUT /meeting/tasks/{id}/remind") }

func TestRemindersAreSentAtTheirMomentsAndOnlyWhileTheRequestIsOpen(t *testing.T) {
	onEachBackend(t, func(t *testing.T, w *world) {
		id := w.call(w.now().Add(26 * time.Hour))
		w.advance(time.Hour)
		if n := w.nudges(); n != 0 {
			t.Errorf("%d reminders were sent early", n)
		}
		w.advance(time.Hour + time.Second)
		w.wantTold(id, "reminder sent: 1d before Call (Jane Doe)")
		w.must(w.ch.Accept(w.ch.Requests()[0].ID))
		w.advance(23 * time.Hour)
		w.wantTold(id, "reminder dropped: 1h before Call (Jane Doe): CalendarHero says that the meeting request is no longer open", "reminder sent: 1d before Call (Jane Doe)")
	})
}

func TestAfterALateStartOnlyTheLastReminderIsSent(t *testing.T) {
	onEachBackend(t, func(t *testing.T, w *world) {
		id := w.call(w.now().Add(26 * time.Hour))
		w.startLater(25*time.Hour + 30*time.Minute)
		w.wantTold(id,
			"reminder dropped: 1d before Call (Jane Doe): it was 23h30m late, and the one 1h before follows",
			"reminder sent: 1h before Call (Jane Doe): 30m late")
		if n := w.nudges(); n != 1 {
			t.Errorf("%d reminders were sent", n)
		}
	})
}

func TestAfterAStartThatIsTooLateNoReminderIsSent(t *testing.T) {
	w := setup(t)
	id := w.call(w.now().Add(26 * time.Hour))
	w.startLater(27 * time.Hour)
	w.wantTold(id,
		"reminder dropped: 1d before Call (Jane Doe): it was 1d1h late, and the one 1h before follows",
		"reminder dropped: 1h before Call (Jane Doe): it was 2h late, and the meeting is over")
	if n := w.nudges(); n != 0 {
		t.Errorf("%d reminders were sent", n)
	}
}

func TestAReminderIsSentOnceThoughTheClockLeapsAheadAndBack(t *testing.T) {
	onEachBackend(t, func(t *testing.T, w *world) {
		id := w.call(w.now().Add(3 * time.Hour))
		w.hurry(2*time.Hour + time.Second) // handed out by a clock that is put back then
		w.pause()
		if n := w.nudges(); n != 0 {
			t.Errorf("%d reminders were sent early", n)
		}
		w.advance(2*time.Hour + time.Second)
		w.wantTold(id, "reminder sent: 1h before Call (Jane Doe)")
		w.ahead.Store(0)
		w.advance(2*time.Hour + time.Second)
		w.wantTold(id, "reminder sent: 1h before Call (Jane Doe)")
		if n := w.nudges(); n != 1 {
			t.Errorf("%d reminders were sent", n)
		}
	})
}
