package sandbox

import (
	"slices"
	"sync"
	"time"
)

// effectView is what Milepost did about a record. Its zero value shows nothing.
type effectView struct {
	Effect
	What, Anchor string // the record, and where it is on the page; "" = it is gone
	Request      string // id of a meeting request of the record that is on the page
}

// Words says what Milepost did and why.
func (e effectView) Words() string {
	words := map[string]string{
		"unchanged": "nothing to change", "skipped": "skipped", "gone": "the record is deleted", "retry": "will retry", "waiting": "waiting",
		"auth": "no working token", "invalid": "cannot be done", "conflict": "both sides changed", "unclear": "effect unknown", "stopped": "stopped",
	}[e.Outcome]
	switch {
	case e.Detail == "":
		return words
	case words == "", e.Outcome == "unchanged":
		return e.Detail
	}
	return words + ": " + e.Detail
}

// When is the time of day.
func (e effectView) When() string { return e.At.Format("3:04:05 PM") }

// tells reports whether it is more than a look that found nothing to do.
func (e Effect) tells() bool {
	return e.Detail != "" || e.Outcome != "unchanged" && e.Outcome != "skipped"
}

// record is one of HighLevel's.
type record struct{ kind, id, what string }

// effects remembers what the page showed last of each record, and which records a person
// deleted on the page.
type effects struct {
	mu      sync.Mutex
	last    map[record]Effect
	deleted []record
}

// echo is how soon after Milepost wrote something its own webhook makes it look again.
const echo = 10 * time.Second

// shown is what the page shows of a record: the newest effect, or the one before if the
// newest is but an echo of it, in which nothing was left to do.
func (s *effects) shown(r record, now Effect) Effect {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.last = map[record]Effect{}
	}
	before := s.last[r]
	if before.Outcome == "done" && (now.Outcome == "skipped" || !now.tells()) && now.At.Sub(before.At) < echo {
		before.Requests = now.Requests
		return before
	}
	s.last[r] = now
	return now
}

// remove notes that a person deleted a record. Only the last ten are shown.
func (s *effects) remove(r record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deleted = append(s.deleted[max(0, len(s.deleted)-9):], r)
}

func (s *effects) removed() []record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.deleted)
}
