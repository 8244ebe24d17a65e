package meeting

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"milepost/clients/calendarhero"
	"milepost/internal/fingerprint"
	"milepost/internal/order"
	"milepost/internal/store"
	"milepost/mapping"
)

// Request is a composed meeting request with the fingerprints by which Milepost
// knows that it changed. The marker is not part of them.
type Request struct {
	calendarhero.MeetingRequest
	Material string // of what a new request is made for: all but the description
	Content  string // of everything
}

// Compose turns an event or task item into a request that is pinned to its time: the
// window is exactly as long as the meeting.
func Compose(item mapping.Item, meetingType, address string) Request {
	r := Request{MeetingRequest: calendarhero.MeetingRequest{
		Subject: item.Title, Start: item.Start, End: item.End,
		Length: item.End.Sub(item.Start), Type: meetingType,
		ContactEmails: []string{address}, Description: Describe(item), Location: item.Place,
	}}
	r.Digest()
	return r
}

// Digest takes the fingerprints of what the request asks for.
func (r *Request) Digest() {
	r.Content = fingerprint.OfText(r.MeetingRequest)
	bare := r.MeetingRequest
	bare.Description = ""
	r.Material = fingerprint.Of(bare)
}

// Pin has the request ask for other times. Its fingerprints stay as they are.
func (r *Request) Pin(start, end time.Time) { r.Start, r.End, r.Length = start, end, end.Sub(start) }

// Pinned is the request at other times, with their fingerprints.
func (r Request) Pinned(start, end time.Time) Request {
	r.Pin(start, end)
	r.Digest()
	return r
}

// Marked returns the request with the marker in its subject, the only text that the
// lists of CalendarHero return, and in its description.
func (r Request) Marked(marker string) calendarhero.MeetingRequest {
	m := r.MeetingRequest
	m.Subject, m.Description = Marked(m.Subject, marker), Signed(m.Description, marker)
	return m
}

// longestDescription bounds a description, in bytes; CalendarHero names no limit.
const longestDescription = 8000

// Describe writes the description: own text, notes newest first, tags.
func Describe(item mapping.Item) string {
	var parts []string
	if text := item.Description; strings.TrimSpace(text) != "" {
		parts = append(parts, Clip(text, longestDescription/2))
	}
	size := 0
	var notes strings.Builder
	for i, n := range item.Notes {
		line := "- " + strings.ReplaceAll(n, "\n", "\n  ")
		if size += len(line); size > longestDescription/2 && i > 0 {
			fmt.Fprintf(&notes, "\n(and %d older notes)", len(item.Notes)-i)
			break
		}
		notes.WriteString("\n" + Clip(line, longestDescription/2))
	}
	if notes.Len() > 0 {
		parts = append(parts, "Notes:"+notes.String())
	}
	if len(item.Tags) > 0 {
		parts = append(parts, "Tags: "+strings.Join(item.Tags, ", "))
	}
	return strings.Join(parts, "\n\n")
}

// Clip cuts a text to at most n bytes, at a character, and marks the cut.
func Clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// RemindedOf is the moment that the reminders of a link are counted back from: the
// start of an event, the due date of a task.
func RemindedOf(link store.Link) time.Time {
	if link.ItemKind == string(mapping.ItemTask) {
		return link.End
	}
	return link.Start
}

// Reminders lists the reminders of a link that are still ahead, soonest first: those
// that its item asks for, by the times that the link has now. They are saved with the
// link when it becomes live and whenever its times change.
func Reminders(link store.Link, item mapping.Item, now time.Time) []store.Reminder {
	of := RemindedOf(link).Truncate(time.Microsecond) // as the database returns it
	var out []store.Reminder
	for _, d := range item.Reminders {
		if at := mapping.Before(of, d, item.Zone); at.After(now) {
			out = append(out, store.Reminder{At: at, Before: d, Of: of})
		}
	}
	order.By(out, func(a, b store.Reminder) int { return a.At.Compare(b.At) })
	return slices.CompactFunc(out, func(a, b store.Reminder) bool { return a.At.Equal(b.At) })
}
