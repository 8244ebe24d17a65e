package meeting

import (
	"time"

	"milepost/internal/store"
	"milepost/mapping"
)

// Action is what to do with the meeting request of an item.
type Action int

const (
	Nothing  Action = iota
	Skip            // its time has passed, and it never existed
	Wait            // a new description waits for the next material change
	Debounce        // a new description waits until the record has not changed for a while
	Create
	Replace
	Remove // it moved into the past
)

// Decide compares the request that an item asks for with its settled link. A meeting
// that ended is created again only for a material change of the record. quiet reports
// whether a new description may replace its request now.
func Decide(link store.Link, item mapping.Item, want Request, quiet bool, now time.Time) Action {
	past := !want.End.After(now)
	if link.State != store.LinkLive {
		if past {
			return Skip
		}
		return Create
	}
	sameMaterial := link.Material == want.Material
	if link.Content == want.Content || sameMaterial && past {
		return Nothing
	}
	state := mapping.MeetingState(link.Meeting)
	if state.Ended() {
		return decideEnded(state, link, item, sameMaterial || past)
	}
	switch {
	case sameMaterial && (item.Invite.Who != mapping.InviteOwner || state != mapping.MeetingPending):
		return Wait
	case past:
		return Remove
	case sameMaterial && !quiet:
		return Debounce
	}
	return Replace
}

func decideEnded(state mapping.MeetingState, link store.Link, item mapping.Item, stays bool) Action {
	tookPlace := state == mapping.MeetingCompleted && item.Start.Equal(link.SourceStart) && item.End.Equal(link.SourceEnd)
	switch {
	case stays, tookPlace: // it is asked for at no other time
		return Nothing
	case state == mapping.MeetingGone:
		return Replace // in case it still exists
	}
	return Create
}
