package mapping

import (
	"fmt"
	"slices"
	"strings"
)

// synonyms are what people write for a name that is spelled otherwise. The first of them
// that exists is meant.
var synonyms = map[string][]string{
	"trigger": {"on"}, "event": {"on"}, "when": {"if", "start"}, "condition": {"if"}, "conditions": {"if"}, "filter": {"if"},
	"action": {"do"}, "actions": {"do"}, "then": {"do"}, "steps": {"do"}, "status": {"state"}, "title": {"name"},
	"date": {"start", "due"}, "time": {"at", "start"}, "start": {"due"}, "due_date": {"due"}, "duedate": {"due"}, "due": {"start"}, "begin": {"start"},
	"end": {"duration"}, "length": {"duration"}, "location": {"place"}, "address": {"place"}, "where": {"place"},
	"invitee": {"invite"}, "invitees": {"invite"}, "attendees": {"invite"}, "guests": {"invite"}, "subject": {"title"}, "name": {"title"},
	"body": {"text", "description"}, "description": {"text", "body"}, "note": {"text"}, "content": {"text"}, "notes": {"description", "text"},
	"user": {"assigned_to"}, "assignee": {"assigned_to"}, "owner": {"assigned_to"}, "alarm": {"reminders"}, "remind": {"reminders"},
	"tags": {"add"}, "tag": {"add"}, "company": {"organization"}, "email": {"emails"}, "phone": {"phones"},
	"customer": {"contact"}, "client": {"contact"}, "lead": {"contact"}, "me": {"owner"}, "user_email": {"owner"}, "contact.email": {"contact"},
	"create_event": {"event"}, "meeting": {"event"}, "create_task": {"highlevel_task"}, "create_note": {"highlevel_note"}, "add_note": {"highlevel_note"},
	"add_tag": {"tags"}, "remove_tag": {"tags"}, "add_tags": {"tags"}, "create_contact": {"upsert_contact"}, "http": {"request"}, "webhook": {"request"},
	"canceled": {"cancelled"}, "no_show": {"noshow"}, "confirm": {"confirmed"}, "closed": {"won"},
}

// meant returns the known name that was meant by another one.
func meantName[S ~string](name string, known []S) (S, bool) {
	if before, _, ok := strings.Cut(name, ":"); ok && slices.Contains(known, S(before)) {
		return S(before), true
	}
	for _, other := range synonyms[strings.ToLower(name)] {
		if slices.Contains(known, S(other)) {
			return S(other), true
		}
	}
	return nearest(name, known)
}

// unknown returns an error about an unknown name, with a suggestion.
func unknown[S ~string](what, name string, known []S) error {
	near, ok := meantName(name, known)
	if after, cut := strings.CutPrefix(name, string(near)+":"); ok && cut && (what == "field" || what == "action") {
		return fmt.Errorf("unknown %s %q; write a blank after the colon: %s: %s", what, name, near, after)
	}
	if ok {
		return fmt.Errorf("unknown %s %q; did you mean %q?", what, name, near)
	}
	if len(known) == 0 {
		return fmt.Errorf("unknown %s %q; there are none", what, name)
	}
	return fmt.Errorf("unknown %s %q; known are %s", what, name, enumerate(known))
}

func enumerate[S ~string](names []S) string {
	parts := make([]string, len(names))
	for i, n := range names {
		parts[i] = string(n)
	}
	return strings.Join(parts, ", ")
}

// nearest finds the known name that takes the fewest changes, if a person would
// call it similar.
func nearest[S ~string](name string, known []S) (S, bool) {
	var best S
	least := 1 + max(1, len(name)/3)
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(string(k))); d < least {
			best, least = k, d
		}
	}
	return best, best != ""
}

// distance counts the letters to insert, delete, replace or swap with their neighbour to
// turn a into b.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	if len(s) > 64 || len(t) > 64 {
		return 64 // too long for a typing error
	}
	d := make([][]int, len(s)+1)
	for i := range d {
		d[i] = make([]int, len(t)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(s); i++ {
		for j := 1; j <= len(t); j++ {
			change := 1
			if s[i-1] == t[j-1] {
				change = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+change)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(s)][len(t)]
}

// DidYouMean asks about the known name that a person probably meant. If none is similar, it
// says something else.
func DidYouMean(name string, known []string, otherwise string) string {
	if near, ok := nearest(name, known); ok {
		return "did you mean " + near + "?"
	}
	return otherwise
}

// Nearest returns the known name that a person probably meant; "" if none is similar.
func Nearest(name string, known []string) string {
	near, _ := nearest(name, known)
	return near
}
