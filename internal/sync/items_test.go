package sync

import (
	"strings"
	"testing"
	"time"

	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/mapping"
)

// calendar lists the items of an entity by kind.
func (b *bundle) calendar(e store.Entity) map[string]store.Item {
	b.t.Helper()
	list, err := b.store.ItemsOf(b.t.Context(), e)
	b.must(err)
	out := map[string]store.Item{}
	for _, i := range list {
		out[i.Kind] = i
	}
	return out
}

func TestAMilestoneIsInTheCalendarAsCalendarHeroHasIt(t *testing.T) {
	b := setup(t, toOwner)
	e := b.jane("2030-05-02")
	event := func() store.Item { b.do(e); return b.calendar(e)["event"] }
	nine := time.Date(2030, 5, 2, 13, 0, 0, 0, time.UTC)

	i := event()
	if i.Content.Title != "Closing" || i.Status != store.StatusTentative || !i.Start.Equal(nine) || i.Zone != "America/New_York" || i.ContactID != e.ID || !i.Content.DateOnly {
		t.Errorf("it is %+v", i)
	}
	if again := event(); again.Revision != 1 {
		t.Errorf("a sync that changed nothing made revision %d", again.Revision)
	}
	for _, c := range []struct {
		meeting mapping.MeetingState
		moved   time.Duration
		status  string
	}{
		{mapping.MeetingBooked, 0, store.StatusConfirmed},
		{mapping.MeetingRescheduled, time.Hour, store.StatusConfirmed},
		{mapping.MeetingExpired, time.Hour, store.StatusTentative},
		{mapping.MeetingCancelled, time.Hour, store.StatusCancelled},
	} {
		link := b.item(e)
		link.Meeting, link.Start, link.End = string(c.meeting), nine.Add(c.moved), nine.Add(c.moved+30*time.Minute)
		got := meetingItem(mapping.Item{Kind: mapping.ItemEvent, Start: nine, End: nine.Add(30 * time.Minute), Zone: time.UTC, DateOnly: true}, link, mapping.Facts{})
		if got.Status != c.status || !got.Start.Equal(link.Start) || got.Content.DateOnly != (c.moved == 0) {
			t.Errorf("%s: it is %+v", c.meeting, got)
		}
	}

	b.setDate(e, "2030-05-03")
	if i = event(); i.Sequence != 1 || !i.Start.Equal(nine.AddDate(0, 0, 1)) {
		t.Errorf("moved it is %+v", i)
	}
	b.setDate(e, "2030-04-01")
	if i = event(); i.Status != store.StatusConfirmed || !i.RemovedAt.IsZero() || !i.Start.Before(nine) {
		t.Errorf("one of the past, which CalendarHero does not have, is %+v", i)
	}
	b.setDate(e, "")
	if i = event(); i.RemovedAt.IsZero() || i.Status != store.StatusCancelled {
		t.Errorf("no longer wanted it is %+v", i)
	}
}

func TestTasksAndNotesAreInTheCalendar(t *testing.T) {
	b := setup(t, "")
	jane := b.jane("")
	task, err := b.hl.SeedTask(hlfake.Task{ContactID: jane.ID, Title: "Call", DueDate: time.Date(2030, 5, 2, 15, 0, 0, 0, time.UTC), AssignedTo: "user1"})
	b.must(err)
	e := store.Entity{LocationID: location, Kind: "task", ID: task.ID}
	b.must(b.store.Requeue(t.Context(), []store.Entity{e}, false))
	b.must(b.store.LearnContact(t.Context(), e, jane.ID))
	b.do(e)
	i := b.calendar(e)["task"]
	if !strings.HasPrefix(i.Content.Title, "Call") || i.Status != store.StatusNeedsAction || i.AssignedTo != "user1" || len(i.Content.Reminders) != 2 || i.End.Hour() != 15 {
		t.Errorf("the task is %+v", i)
	}
	b.must(b.hl.CompleteTask(task.ID))
	b.do(e)
	if i = b.calendar(e)["task"]; i.Status != store.StatusCompleted || i.RemovedAt.IsZero() {
		t.Errorf("the completed task is %+v", i)
	}

	note, err := b.hl.SeedNote(hlfake.Note{ContactID: jane.ID, Body: "Prefers mornings\n#VIP"})
	b.must(err)
	e = store.Entity{LocationID: location, Kind: "note", ID: note.ID}
	b.must(b.store.Requeue(t.Context(), []store.Entity{e}, false))
	b.must(b.store.LearnContact(t.Context(), e, jane.ID))
	b.do(e)
	if i = b.calendar(e)["note"]; !strings.HasPrefix(i.Content.Text, "Prefers mornings") || len(i.Content.Tags) != 1 || i.Content.Tags[0] != "vip" || !i.Start.Equal(b.now()) {
		t.Errorf("the note is %+v", i)
	}
	b.must(b.hl.DeleteNote(note.ID))
	b.must(b.store.Requeue(t.Context(), []store.Entity{e}, true))
	b.do(e)
	if i = b.calendar(e)["note"]; i.Status != store.StatusCancelled || i.Content.Text != "" {
		t.Errorf("the deleted note is %+v", i)
	}
}
