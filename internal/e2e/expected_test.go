package e2e_test

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	chfake "milepost/internal/sandbox/calendarhero"
	hlfake "milepost/internal/sandbox/highlevel"
)

// expectations are what the records in HighLevel ask for, from the recipes as a
// person reads them, and how often that changed. They know nothing of Milepost's
// own computation.
type expectations map[itemID]*revision

// itemID names what one meeting request is for.
type itemID struct{ kind, entity, item string }

// content is what a meeting request should say.
type content struct {
	title, description string
	start, end         time.Time
	wanted             bool
}

// revision is what an item says now, and how often that changed.
type revision struct {
	location, contact string
	now               content
	count             int
	material, worded  int // mails that its changes ask for: of title, time and being; of the description alone
}

// contents computes the items of contacts as they are.
func contents(hl *hlfake.Server, contacts ...hlfake.Contact) (map[itemID]revision, error) {
	out := map[itemID]revision{}
	zones := map[string]*time.Location{}
	for _, l := range hl.Locations() {
		zone, err := time.LoadLocation(l.TimeZone)
		if err != nil {
			return nil, err
		}
		zones[l.ID] = zone
	}
	for _, c := range contacts {
		zone, fields := zones[c.LocationID], hl.CustomFields(c.LocationID)
		notes := hl.Notes(c.ID)
		slices.SortStableFunc(notes, func(a, b hlfake.Note) int {
			return cmp.Or(b.DateAdded.Truncate(time.Millisecond).Compare(a.DateAdded.Truncate(time.Millisecond)), cmp.Compare(a.ID, b.ID))
		})
		var attached []string
		if len(notes) > 0 {
			text := "Notes:"
			for _, n := range notes {
				text += "\n- " + n.Body
			}
			attached = append(attached, text)
		}
		if len(c.Tags) > 0 {
			attached = append(attached, "Tags: "+strings.Join(slices.Sorted(slices.Values(c.Tags)), ", "))
		}
		name, _ := c.CustomFields[fields[0].ID].(string)
		date, _ := c.CustomFields[fields[1].ID].(string)
		event := content{title: name + ": " + c.Name(), description: strings.Join(attached, "\n\n"), wanted: name != "" && date != ""}
		if date != "" {
			day, err := time.ParseInLocation(time.DateOnly, date, zone)
			if err != nil {
				return nil, err
			}
			event.start = time.Date(day.Year(), day.Month(), day.Day(), 9, 0, 0, 0, zone).UTC()
			event.end = event.start.Add(30 * time.Minute)
		}
		out[itemID{"contact", c.ID, "milestone-to-calendar-event/1"}] = revision{location: c.LocationID, contact: c.ID, now: event}
		for _, t := range hl.Tasks(c.ID) {
			says := attached
			if t.Body != "" {
				says = append([]string{t.Body}, attached...)
			}
			out[itemID{"task", t.ID, "task-to-calendar-task/1"}] = revision{location: c.LocationID, contact: c.ID, now: content{
				title: t.Title + " (" + c.Name() + ")", description: strings.Join(says, "\n\n"),
				start: t.DueDate.Add(-15 * time.Minute), end: t.DueDate, wanted: !t.Completed,
			}}
		}
	}
	return out, nil
}

// revise counts the items of contacts that say something else than before.
func (l expectations) revise(hl *hlfake.Server, contacts ...hlfake.Contact) error {
	found, err := contents(hl, contacts...)
	for id, r := range found {
		last := l[id]
		if last == nil {
			last = &revision{location: r.location, contact: r.contact}
			l[id] = last
		}
		if last.count == 0 || last.now != r.now {
			last.becomes(r.now)
			last.count++
		}
	}
	for id, last := range l { // tasks that were deleted
		if _, ok := found[id]; !ok && slices.ContainsFunc(contacts, func(c hlfake.Contact) bool { return c.ID == last.contact }) {
			last.becomes(content{})
		}
	}
	return err
}

// drop notes that a contact was deleted.
func (l expectations) drop(contactID string) {
	for _, last := range l {
		if last.contact == contactID {
			last.becomes(content{})
		}
	}
}

// becomes counts the mails of a change: one where the request comes or goes,
// two where it is replaced.
func (r *revision) becomes(next content) {
	before := r.now
	r.now = next
	switch {
	case before.wanted != next.wanted:
		r.material++
	case !next.wanted:
	case before.title != next.title || !before.start.Equal(next.start) || !before.end.Equal(next.end):
		r.material += 2
	case before.description != next.description:
		r.worded += 2
	}
}

// markers gives the item of every marker that can have been used.
func (l expectations) markers() map[string]itemID {
	out := map[string]itemID{}
	for id, r := range l {
		for generation := range 20*r.count + 100 {
			sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%s\x00%d", r.location, id.kind, id.entity, id.item, generation))
			out["mp-"+strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5]))] = id
		}
	}
	return out
}

// audit tells where CalendarHero is not what the records ask for, what was
// there twice, who was mailed that should not be, and what was mailed more
// often than something changed.
func (l expectations) audit(hl *hlfake.Server, ch *chfake.Server) (wrong []string, err error) {
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	byMarker := l.markers()
	made := map[itemID][]chfake.MeetingRequest{}
	markers := map[string]int{}
	there := map[itemID]content{}
	for _, r := range slices.Concat(ch.Requests(), ch.Closed()) {
		subject, marker, ok := strings.Cut(strings.TrimSuffix(r.Subject, "]"), " [")
		id, known := byMarker[marker]
		if !ok || !known {
			complain("a request of nobody: %q", r.Subject)
			continue
		}
		if markers[marker]++; markers[marker] == 2 {
			complain("the marker %s of %v was made twice", marker, id)
		}
		if !slices.Equal(r.Invitees, []string{ownerMail}) {
			complain("%q invites %v", r.Subject, r.Invitees)
		}
		made[id] = append(made[id], r)
		if r.State != chfake.StateClosed {
			text := strings.TrimSpace(strings.TrimSuffix(r.Description, "[ref: "+marker+"]"))
			there[id] = content{title: subject, description: text, start: r.Start, end: r.End, wanted: true}
		}
	}
	wanted, err := contents(hl, hl.Contacts()...)
	if err != nil {
		return nil, err
	}
	for id, r := range wanted {
		got, ok := there[id]
		want := r.now
		switch {
		case want.wanted && !ok:
			complain("%v is missing: %+v", id, want)
		case !want.wanted && ok:
			complain("%v should not be there: %+v", id, got)
		case want.wanted && got != want:
			complain("%v is\n      %+v\n    want\n      %+v", id, got, want)
		}
	}
	for id, got := range there {
		if _, ok := wanted[id]; !ok {
			complain("%v is left of a deleted record: %+v", id, got)
		}
	}
	tagged := map[string]int{} // tags are changed by Milepost too, and requests show them
	for _, s := range hl.Sent() {
		var event struct {
			ID string `json:"id"`
		}
		if s.Type == "ContactTagUpdate" && json.Unmarshal(s.Body, &event) == nil {
			tagged[event.ID]++
		}
	}
	for id, list := range made {
		slices.SortFunc(list, func(a, b chfake.MeetingRequest) int { return a.DateAdded.Compare(b.DateAdded) })
		for i, r := range list[1:] {
			if before := list[i]; before.State != chfake.StateClosed || r.DateAdded.Before(before.DateUpdated) {
				complain("%v was there twice at once: %q and %q", id, before.Subject, r.Subject)
			}
		}
		if changes := l[id].count + tagged[l[id].contact]; len(list) > changes {
			complain("%v was made, and mailed, %d times for %d changes", id, len(list), changes)
		}
	}
	for _, m := range ch.Mails() {
		if m.To != ownerMail {
			complain("%s was mailed: %s %q", m.To, m.Kind, m.Subject)
		}
	}
	return wrong, nil
}

// untagged tells which contacts lack a tag that a hashtag of their notes asks for.
func untagged(hl *hlfake.Server, contacts ...hlfake.Contact) (wrong []string) {
	for _, c := range contacts {
		for _, n := range hl.Notes(c.ID) {
			for _, word := range strings.Fields(n.Body) {
				if tag, ok := strings.CutPrefix(word, "#"); ok && !slices.Contains(c.Tags, tag) {
					wrong = append(wrong, fmt.Sprintf("%s has no tag %q", c.Name(), tag))
				}
			}
		}
	}
	return wrong
}
