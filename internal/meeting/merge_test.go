package meeting

import (
	"strings"
	"testing"
	"time"

	"milepost/internal/store"
	"milepost/mapping"
)

func event() mapping.Item {
	return mapping.Item{Key: "a/1", Kind: mapping.ItemEvent, Automation: "A", Title: "Closing", Start: start, End: end, Zone: time.UTC, Invite: mapping.Invite{Who: mapping.InviteOwner}}
}

// asked is an item with the request that was made for it.
func asked(item mapping.Item) (store.Link, Request) {
	want := Compose(item, "", "owner@example.com")
	return store.Link{
		Item: item.Key, ItemKind: string(item.Kind), State: store.LinkLive, ObjectID: "m1", Title: item.Title, Meeting: string(mapping.MeetingPending),
		Material: want.Material, Content: want.Content, Start: item.Start, End: item.End, SourceStart: item.Start, SourceEnd: item.End,
	}, want
}

func TestWhoseChangeOfAMeetingWins(t *testing.T) {
	hour := time.Hour
	for _, c := range []struct {
		name      string
		state     mapping.MeetingState // in CalendarHero
		moved     time.Duration        // there
		retimed   time.Duration        // in HighLevel
		title     string               // in HighLevel, if it changed
		rule      mapping.ConflictRule
		newer     bool // CalendarHero's change is the newer one
		want      Action
		wantStart time.Duration // of the request that is asked for
		conflict  string
	}{
		{name: "nothing changed", state: mapping.MeetingPending, want: Nothing},
		{name: "booked", state: mapping.MeetingBooked, want: Nothing},
		{name: "moved in CalendarHero", state: mapping.MeetingRescheduled, moved: hour, want: Nothing, wantStart: hour},
		{name: "moved in HighLevel", state: mapping.MeetingPending, retimed: hour, want: Replace, wantStart: hour},
		{name: "moved to the same time in both", state: mapping.MeetingRescheduled, moved: hour, retimed: hour, want: Nothing, wantStart: hour},
		{name: "moved in both, HighLevel wins", state: mapping.MeetingRescheduled, moved: hour, retimed: 2 * hour, rule: mapping.HighLevelWins, want: Replace, wantStart: 2 * hour, conflict: "the time in HighLevel wins"},
		{name: "moved in both, CalendarHero wins", state: mapping.MeetingRescheduled, moved: hour, retimed: 2 * hour, rule: mapping.CalendarHeroWins, want: Nothing, wantStart: hour, conflict: "the time in CalendarHero wins"},
		{name: "moved in both, the newer wins: HighLevel", state: mapping.MeetingRescheduled, moved: hour, retimed: 2 * hour, rule: mapping.NewestWins, want: Replace, wantStart: 2 * hour, conflict: "the time in HighLevel wins"},
		{name: "moved in both, the newer wins: CalendarHero", state: mapping.MeetingRescheduled, moved: hour, retimed: 2 * hour, rule: mapping.NewestWins, newer: true, want: Nothing, wantStart: hour, conflict: "the time in CalendarHero wins"},
		{name: "moved in CalendarHero, renamed in HighLevel", state: mapping.MeetingRescheduled, moved: hour, title: "Signing", want: Replace, wantStart: hour},
		{name: "called off", state: mapping.MeetingCancelled, want: Nothing},
		{name: "called off, and changed: HighLevel wins", state: mapping.MeetingCancelled, retimed: hour, rule: mapping.HighLevelWins, want: Create, wantStart: hour, conflict: "the change in HighLevel wins"},
		{name: "called off, and changed: CalendarHero wins", state: mapping.MeetingCancelled, retimed: hour, rule: mapping.CalendarHeroWins, want: Nothing, wantStart: hour, conflict: "the cancellation in CalendarHero wins"},
		{name: "expired, and asked for at another time", state: mapping.MeetingExpired, retimed: hour, want: Create, wantStart: hour},
		{name: "called off, and asked for in the past and back", state: mapping.MeetingCancelled, retimed: -72 * hour, rule: mapping.CalendarHeroWins, want: Nothing, wantStart: -72 * hour, conflict: "the cancellation in CalendarHero wins"},
		{name: "took place", state: mapping.MeetingCompleted, title: "Signing", want: Nothing},
		{name: "took place, and asked for at another time", state: mapping.MeetingCompleted, retimed: hour, want: Create, wantStart: hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			item := event()
			link, _ := asked(item)
			item.Conflict = c.rule
			item.Start, item.End = item.Start.Add(c.retimed), item.End.Add(c.retimed)
			if c.title != "" {
				item.Title = c.title
			}
			want := Compose(item, "", "owner@example.com")
			m := store.Meeting{ID: "m1", State: string(c.state), Start: start.Add(c.moved), End: end.Add(c.moved), ChangedAt: now}
			changedAt := now.Add(time.Minute)
			if c.newer {
				changedAt = now.Add(-time.Minute)
			}
			got := Merge(link, m, item, want, changedAt, now)
			if got.Conflict != c.conflict || got.Moved != (c.moved != 0) {
				t.Errorf("conflict %q, moved %t", got.Conflict, got.Moved)
			}
			if action := Decide(got.Link, item, got.Want, true, now); action != c.want {
				t.Errorf("the action is %d, not %d", action, c.want)
			}
			if !got.Want.Start.Equal(start.Add(c.wantStart)) {
				t.Errorf("the request is for %s", got.Want.Start)
			}
			if again := Merge(got.Link, m, item, want, changedAt, now); len(again.Entries) > 0 || again.Conflict != "" && c.want == Nothing {
				t.Errorf("the next sync says again %v, %q", again.Entries, again.Conflict)
			}
		})
	}
}

func TestAnotherHourOrDurationReachesAMeetingThatNobodyMoved(t *testing.T) {
	for _, c := range []struct {
		name          string
		dateOnly      bool
		moved         time.Duration // in CalendarHero, earlier
		later, longer time.Duration // in the automation
		want          Action
	}{
		{name: "longer", longer: 15 * time.Minute, want: Replace},
		{name: "another hour for a date", dateOnly: true, later: 2 * time.Hour, want: Replace},
		{name: "another hour for a date, and somebody has moved it on its day", dateOnly: true, moved: time.Hour, later: 2 * time.Hour, want: Nothing},
		{name: "another hour for a date, and somebody has moved it to another day", dateOnly: true, moved: 72 * time.Hour, later: 2 * time.Hour, want: Nothing},
		{name: "longer, and somebody has moved it", moved: time.Hour, longer: 15 * time.Minute, want: Nothing},
		{name: "another time in HighLevel, and somebody has moved it", moved: time.Hour, later: 2 * time.Hour, want: Replace},
	} {
		item := event()
		item.DateOnly = c.dateOnly
		link, _ := asked(item)
		link.Start, link.End = link.Start.Add(c.moved), link.End.Add(c.moved)
		item.Start, item.End = item.Start.Add(c.later), item.End.Add(c.later+c.longer)
		m := store.Meeting{ID: "m1", State: link.Meeting, Start: link.Start, End: link.End}
		got := Merge(link, m, item, Compose(item, "", "owner@example.com"), now, now)
		if action := Decide(got.Link, item, got.Want, true, now); action != c.want || got.Conflict != "" {
			t.Errorf("%s: the action is %d, not %d; conflict %q", c.name, action, c.want, got.Conflict)
		}
	}
}

func TestAnEndedMeetingThatIsAskedForInThePast(t *testing.T) {
	item := event()
	link, former := asked(item)
	link.Meeting = string(mapping.MeetingCancelled)
	item.Start, item.End = now.Add(-2*time.Hour), now.Add(-time.Hour)
	m := store.Meeting{ID: "m1", State: link.Meeting, Start: start, End: end}
	got := Merge(link, m, item, Compose(item, "", "owner@example.com"), now, now)
	if action := Decide(got.Link, event(), former, true, now); action != Create {
		t.Errorf("asked for at its former time again, the action is %d", action)
	}
}

func TestOurOwnWriteToARecordIsNoChange(t *testing.T) {
	item := event()
	link, _ := asked(item)
	link.Start, link.End, link.FollowedStart, link.FollowedEnd = start.Add(time.Hour), end.Add(time.Hour), start.Add(time.Hour), end.Add(time.Hour)
	item.Start, item.End = link.Start, link.End // Milepost wrote the meeting's time to the record
	want := Compose(item, "", "owner@example.com")
	got := Acknowledge(link, item, want)
	if !got.SourceStart.Equal(item.Start) || !got.FollowedStart.IsZero() || got.Material != want.Material {
		t.Errorf("the echo leaves %+v", got)
	}
	item.Start, item.End = item.Start.Add(time.Minute*5), item.End.Add(time.Minute*5)
	if got := Acknowledge(link, item, Compose(item, "", "owner@example.com")); !got.SourceStart.Equal(start) || !got.FollowedStart.IsZero() {
		t.Errorf("a person's change passes for the echo: %+v", got)
	}
}

func TestWhatToDoWithARequest(t *testing.T) {
	past := now.Add(-time.Hour)
	for _, c := range []struct {
		name   string
		change func(*store.Link, *mapping.Item)
		busy   bool // the record changed a moment ago
		want   Action
	}{
		{name: "in step", change: func(*store.Link, *mapping.Item) {}, want: Nothing},
		{name: "none was made", change: func(l *store.Link, _ *mapping.Item) { l.State = "" }, want: Create},
		{name: "none was made, and its time has passed", change: func(l *store.Link, i *mapping.Item) { l.State, i.End = "", past }, want: Skip},
		{name: "another title", change: func(_ *store.Link, i *mapping.Item) { i.Title = "Signing" }, want: Replace},
		{name: "it moved into the past", change: func(_ *store.Link, i *mapping.Item) { i.Start, i.End = past.Add(-time.Hour), past }, want: Remove},
		{name: "another description", change: func(_ *store.Link, i *mapping.Item) { i.Description = "new" }, want: Replace},
		{name: "another description a moment ago", change: func(_ *store.Link, i *mapping.Item) { i.Description = "new" }, busy: true, want: Debounce},
		{name: "another description of a booked one", change: func(l *store.Link, i *mapping.Item) {
			l.Meeting, i.Description = string(mapping.MeetingBooked), "new"
		}, want: Wait},
		{name: "another description that a customer would be mailed for", change: func(l *store.Link, i *mapping.Item) {
			i.Description, i.Invite.Who = "new", mapping.InviteContact
		}, want: Wait},
		{name: "deleted in CalendarHero, and another title", change: func(l *store.Link, i *mapping.Item) {
			l.Meeting, i.Title = string(mapping.MeetingGone), "Signing"
		}, want: Replace},
	} {
		item := event()
		link, _ := asked(item)
		c.change(&link, &item)
		if got := Decide(link, item, Compose(item, "", "owner@example.com"), !c.busy, now); got != c.want {
			t.Errorf("%s: the action is %d, not %d", c.name, got, c.want)
		}
	}
}

func TestAnItemAgreesWithTheTimeOfItsMeeting(t *testing.T) {
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	event, task := event(), event()
	task.Kind = mapping.ItemTask
	dateOnly := event
	dateOnly.DateOnly, dateOnly.Zone = true, newYork
	for _, c := range []struct {
		name       string
		item       mapping.Item
		start, end time.Time
		want       bool
	}{
		{"an event, by its start", event, start, end.Add(time.Hour), true},
		{"an event at another start", event, start.Add(time.Hour), end, false},
		{"a task, by its end", task, start.Add(-time.Hour), end, true},
		{"a task with another end", task, start, end.Add(time.Hour), false},
		{"a date, by its day", dateOnly, start.Add(5 * time.Hour), end, true},
		{"a date on another day in its zone", dateOnly, start.Add(16 * time.Hour), end, false},
	} {
		if got := Agrees(c.item, c.start, c.end); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

func TestADescriptionNeverGrowsBeyondItsBounds(t *testing.T) {
	for _, c := range []struct {
		name string
		item mapping.Item
		ends string
	}{
		{"nothing", mapping.Item{}, ""},
		{"blanks", mapping.Item{Description: " \n "}, ""},
		{"a long text of long characters", mapping.Item{Description: strings.Repeat("ü", longestDescription)}, "ü…"},
		{"one note that is longer than all may be", mapping.Item{Notes: []string{strings.Repeat("x", 3*longestDescription)}}, "x…"},
		{"many notes", mapping.Item{Notes: make([]string, 3*longestDescription)}, "older notes)"},
		{"tags behind all of them", mapping.Item{Description: "a", Notes: []string{"b"}, Tags: []string{"c", "d"}}, "a\n\nNotes:\n- b\n\nTags: c, d"},
		{"a note of two lines", mapping.Item{Notes: []string{"one\ntwo"}}, "Notes:\n- one\n  two"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Describe(c.item)
			if len(got) > longestDescription+100 || !strings.HasSuffix(got, c.ends) || c.ends == "" && got != "" {
				t.Errorf("%d bytes ending in %q, want %q", len(got), got[max(0, len(got)-40):], c.ends)
			}
			if strings.Contains(got, "\uFFFD") {
				t.Error("a character was cut in two")
			}
		})
	}
}

func TestASpanIsWrittenInTheUnitsThatItHas(t *testing.T) {
	for d, want := range map[time.Duration]string{
		26*time.Hour + 30*time.Minute: "1d2h30m", 90 * time.Minute: "1h30m", 5 * time.Minute: "5m", 15 * time.Second: "15s", 0: "0s",
	} {
		if got := Span(d); got != want {
			t.Errorf("%s is written %q, want %q", d, got, want)
		}
	}
}
