package meeting

import (
	"slices"
	"testing"
	"time"

	"milepost/clients/calendarhero"
	"milepost/internal/store"
	"milepost/mapping"
)

var (
	now   = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)
	start = now.Add(24 * time.Hour)
	end   = start.Add(time.Hour)
)

func known(state mapping.MeetingState) store.Meeting {
	return store.Meeting{ID: "m1", State: string(state), Start: start, End: end, Happened: map[string]time.Time{}}
}

func shown(list, status string, moved time.Duration) Listed {
	return Listed{ListedRequest: calendarhero.ListedRequest{ID: "m1", Title: "Closing", Status: status, Start: start.Add(moved), End: end.Add(moved)}, List: list}
}

func TestTheStateOfAMeetingThatAListShows(t *testing.T) {
	for _, c := range []struct {
		name    string
		before  mapping.MeetingState
		listed  Listed
		events  []mapping.Trigger
		want    mapping.MeetingState
		moved   time.Duration // where the meeting is then
		unclear bool
	}{
		{name: "nobody answered", before: mapping.MeetingPending, listed: shown("active", "", 0), want: mapping.MeetingPending},
		{name: "a proposal does not move it", before: mapping.MeetingPending, listed: shown("active", "", time.Hour), want: mapping.MeetingPending},
		{name: "the status says that it was moved", before: mapping.MeetingPending, listed: shown("active", "Rescheduled", time.Hour), want: mapping.MeetingRescheduled, moved: time.Hour},
		{name: "somebody accepted", before: mapping.MeetingPending, listed: shown("upcoming", "", 0), want: mapping.MeetingBooked},
		{name: "somebody accepted another time", before: mapping.MeetingPending, listed: shown("upcoming", "", time.Hour), want: mapping.MeetingRescheduled, moved: time.Hour},
		{name: "rounded to the minute", before: mapping.MeetingBooked, listed: shown("upcoming", "", 30*time.Second), want: mapping.MeetingBooked, moved: 30 * time.Second},
		{name: "first seen when booked", listed: shown("upcoming", "", time.Hour), want: mapping.MeetingBooked, moved: time.Hour},
		{name: "moved back stays moved", before: mapping.MeetingRescheduled, listed: shown("upcoming", "", 0), want: mapping.MeetingRescheduled},
		{name: "closed as cancelled", before: mapping.MeetingBooked, listed: shown("closed", "cancelled", 0), want: mapping.MeetingCancelled},
		{name: "closed as expired", before: mapping.MeetingPending, listed: shown("closed", "Expired", 0), want: mapping.MeetingExpired},
		{name: "closed as completed", before: mapping.MeetingBooked, listed: shown("closed", "completed", 0), want: mapping.MeetingCompleted},
		{name: "closed without a word before its time", before: mapping.MeetingBooked, listed: shown("closed", "", 0), want: mapping.MeetingGone},
		{name: "closed without a word after its time", before: mapping.MeetingBooked, listed: shown("closed", "", -48*time.Hour), want: mapping.MeetingCompleted, moved: -48 * time.Hour},
		{
			name: "an event says booked, the list does not", before: mapping.MeetingPending, listed: shown("active", "", 0),
			events: []mapping.Trigger{mapping.MeetingRequestSuccess}, want: mapping.MeetingPending, unclear: true,
		},
		{
			name: "an event says cancelled, the list shows it", before: mapping.MeetingBooked, listed: shown("upcoming", "", 0),
			events: []mapping.Trigger{mapping.MeetingRequestCancelled}, want: mapping.MeetingBooked, unclear: true,
		},
		{
			name: "an event says moved, the list shows the same time", before: mapping.MeetingBooked, listed: shown("upcoming", "", 0),
			events: []mapping.Trigger{mapping.MeetingMoved}, want: mapping.MeetingBooked, unclear: true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			view := View{Listed: c.listed, IsListed: true}
			for _, e := range c.events {
				view.Events = append(view.Events, string(e))
			}
			got, unclear := Observe(known(c.before), view, now)
			if got.State != string(c.want) || (unclear != nil) != c.unclear {
				t.Errorf("it is %q (unclear: %v), not %q", got.State, unclear, c.want)
			}
			if !got.Start.Equal(start.Add(c.moved)) {
				t.Errorf("it begins at %s, not %s", got.Start, start.Add(c.moved))
			}
		})
	}
}

func TestAMeetingIsMovedIfItIsNotWhereItWasAskedFor(t *testing.T) {
	link := store.Link{ObjectID: "m1", Start: start.Add(time.Hour), End: end.Add(time.Hour)}
	got, _ := Observe(store.Meeting{ID: "m1"}, View{Listed: shown("upcoming", "", 0), IsListed: true, Links: []store.Link{link}}, now)
	if got.State != string(mapping.MeetingRescheduled) {
		t.Errorf("it is %q", got.State)
	}
}

func TestTheStateOfAMeetingThatNoListShows(t *testing.T) {
	for _, c := range []struct {
		name    string
		before  mapping.MeetingState
		event   mapping.Trigger
		later   time.Duration
		want    mapping.MeetingState
		unclear bool
	}{
		{name: "before its time it is gone", before: mapping.MeetingBooked, want: mapping.MeetingGone, unclear: true},
		{name: "after its time it took place", before: mapping.MeetingBooked, later: 48 * time.Hour, want: mapping.MeetingCompleted, unclear: true},
		{name: "moved and after its time it took place", before: mapping.MeetingRescheduled, later: 48 * time.Hour, want: mapping.MeetingCompleted, unclear: true},
		{name: "not booked and after its time it expired", before: mapping.MeetingPending, later: 48 * time.Hour, want: mapping.MeetingExpired, unclear: true},
		{name: "an event says that it was cancelled", before: mapping.MeetingBooked, event: mapping.MeetingRequestCancelled, want: mapping.MeetingCancelled},
		{name: "an event says that it is over", before: mapping.MeetingBooked, event: mapping.MeetingOver, want: mapping.MeetingCompleted},
		{name: "an event says that it expired", before: mapping.MeetingPending, event: mapping.MeetingRequestExpired, want: mapping.MeetingExpired},
		{name: "it had ended before", before: mapping.MeetingCancelled, want: mapping.MeetingCancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			view := View{}
			if c.event != "" {
				view.Events = []string{string(c.event)}
			}
			got, unclear := Observe(known(c.before), view, now.Add(c.later))
			if got.State != string(c.want) || (unclear != nil) != c.unclear || got.MissingAt.IsZero() == c.unclear {
				t.Errorf("it is %q (unclear: %v, missing since %s), not %q", got.State, unclear, got.MissingAt, c.want)
			}
		})
	}
}

func TestAStateImpliesWhatHappenedBefore(t *testing.T) {
	for _, c := range []struct {
		state mapping.MeetingState
		at    time.Time
		want  []mapping.Trigger
	}{
		{mapping.MeetingPending, now, []mapping.Trigger{mapping.NewMeetingRequest}},
		{mapping.MeetingBooked, now, []mapping.Trigger{mapping.NewMeetingRequest, mapping.MeetingRequestSuccess}},
		{mapping.MeetingBooked, start, []mapping.Trigger{mapping.NewMeetingRequest, mapping.MeetingRequestSuccess, mapping.MeetingStarted}},
		{mapping.MeetingRescheduled, now, []mapping.Trigger{mapping.NewMeetingRequest, mapping.MeetingRequestSuccess, mapping.MeetingMoved}},
		{mapping.MeetingCompleted, end, []mapping.Trigger{mapping.NewMeetingRequest, mapping.MeetingRequestSuccess, mapping.MeetingStarted, mapping.MeetingOver}},
		{mapping.MeetingExpired, end, []mapping.Trigger{mapping.NewMeetingRequest, mapping.MeetingRequestExpired}},
		{mapping.MeetingGone, now, []mapping.Trigger{mapping.NewMeetingRequest, mapping.MeetingRequestCancelled}},
	} {
		got := Happened(known(c.state), c.at)
		for _, trigger := range c.want {
			if at := got[string(trigger)]; !at.Equal(c.at) {
				t.Errorf("%s at %s: %s is noted at %s", c.state, c.at, trigger, at)
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%s at %s: %v happened, not %v", c.state, c.at, got, c.want)
		}
	}
}

func TestAMeetingThatWasThereBeforeIsNoNews(t *testing.T) {
	m := AsFound("loc", shown("upcoming", "", 0), now)
	if m.Title != "" || m.Emails != nil || m.State != string(mapping.MeetingBooked) {
		t.Errorf("it is kept as %+v", m)
	}
	if facts := Facts(m, ""); len(facts.Happened) != 0 {
		t.Errorf("automations see that %v happened", facts.Happened)
	}
}

func TestALookAtTheListsFindsWhatDiffers(t *testing.T) {
	m := known(mapping.MeetingBooked)
	m.Title, m.Status = "Closing", "Scheduled"
	for _, c := range []struct {
		name   string
		known  store.Meeting
		listed Listed
		at     time.Time
		want   bool
	}{
		{name: "nothing", known: m, listed: shown("upcoming", "Scheduled", 0), at: now},
		{name: "its status", known: m, listed: shown("upcoming", "Held", 0), at: now, want: true},
		{name: "its time", known: m, listed: shown("upcoming", "Scheduled", time.Hour), at: now, want: true},
		{name: "its list", known: m, listed: shown("active", "Scheduled", 0), at: now, want: true},
		{name: "its title", known: func() store.Meeting { o := m; o.Title = "Opening"; return o }(), listed: shown("upcoming", "Scheduled", 0), at: now, want: true},
		{name: "that it has begun", known: m, listed: shown("upcoming", "Scheduled", 0), at: start, want: true},
		{name: "that it exists again", known: known(mapping.MeetingGone), listed: shown("upcoming", "", 0), at: now, want: true},
		{name: "no proposal of a pending one", known: known(mapping.MeetingPending), listed: shown("active", "", time.Hour), at: now},
	} {
		if got := Differs(c.known, c.listed, c.at); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

func TestAMarkerIsFoundInATitle(t *testing.T) {
	marker := Marker(store.Entity{LocationID: "l", Kind: "contact", ID: "c"}, "a/1", 1)
	if got := MarkerIn(Marked("Closing", marker)); got != marker {
		t.Errorf("found %q, not %q", got, marker)
	}
	for _, title := range []string{"Closing", "Closing [mp-1]", "Closing [mp-ABCDEFGH]"} {
		if got := MarkerIn(title); got != "" {
			t.Errorf("found %q in %q", got, title)
		}
	}
	if got := Unmarked(Marked("Closing", marker)); got != "Closing" {
		t.Errorf("without its marker it is %q", got)
	}
	if other := Marker(store.Entity{LocationID: "l", Kind: "contact", ID: "c"}, "a/1", 2); slices.Contains([]string{"", marker}, other) {
		t.Errorf("the next generation has the marker %q", other)
	}
}
