package meeting

import (
	"strings"
	"time"

	"milepost/clients/calendarhero"
)

// Listed is a meeting request with the list of CalendarHero that shows it.
type Listed struct {
	calendarhero.ListedRequest
	List string // calendarhero.StateActive, StateUpcoming or StateClosed
}

// Open reports whether the request can still change.
func (r Listed) Open() bool { return r.List != calendarhero.StateClosed }

// Subject is the title without its marker.
func (r Listed) Subject() string { return OneSpaced(Unmarked(r.Title)) }

// Timed reports whether the list shows the times of the request.
func (r Listed) Timed() bool { return !r.Start.IsZero() && r.End.After(r.Start) }

// At reports whether the request has these times, but for what CalendarHero rounds.
func (r Listed) At(start, end time.Time) bool { return Near(r.Start, start) && Near(r.End, end) }

// ChangedSince reports whether the request changed in CalendarHero at or after a
// time; false if either time is unknown.
func (r Listed) ChangedSince(at time.Time) bool {
	return !at.IsZero() && !r.DateUpdated.IsZero() && !r.DateUpdated.Before(at)
}

// SaysMoved reports whether the status says that the meeting was moved.
func (r Listed) SaysMoved() bool {
	status := strings.ToLower(r.Status)
	return strings.Contains(status, "resched") || strings.Contains(status, "moved")
}

// SaysScheduled reports whether the status says that the meeting is scheduled.
func (r Listed) SaysScheduled() bool { return strings.Contains(strings.ToLower(r.Status), "schedul") }

// Near reports whether two times are the same but for what CalendarHero rounds.
func Near(a, b time.Time) bool { return a.Sub(b).Abs() < time.Minute }
