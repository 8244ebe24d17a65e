package sync

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"milepost/internal/meeting"
	chfake "milepost/internal/sandbox/calendarhero"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/mapping"
)

// expected follows what the records in HighLevel ask for and what people do to the
// meetings in CalendarHero, by the recipes and the documentation as a person reads
// them. It knows nothing of Milepost's own computation but how a marker is made.
//
// Between two quiet points, at which all is told and worked, it does not ask in
// which order Milepost came to see what happened, so an item may have several
// right ends. It is strict where only one side changed.
type expected struct {
	h       *history
	zone    *time.Location
	items   map[itemID]*item
	foreign map[string]*foreign // meetings that people made, by CalendarHero's id
	touched map[string]bool     // notes of Milepost's that a person changed or deleted, by marker
	untag   map[string]bool     // contact and tag that a person took away
	came    map[int]int         // contacts that a place had
	renamed map[int]bool        // in CalendarHero
	moves   map[string][]move   // of requests by people, by CalendarHero's id
	edits   int                 // by people, on both sides
	mailed  int                 // mails that people cause

	forgotten bool // Milepost's database went back to an older state, or was lost
}

// itemID names what one meeting request is for.
type itemID struct{ kind, entity, item string }

// content is what a meeting request should say.
type content struct {
	title, description string
	times              times
	wanted             bool
}

type times struct{ start, end time.Time }

func (t times) String() string {
	return t.start.Format("02 15:04") + "–" + t.end.Format("15:04")
}

// item is one with what happened to it.
type item struct {
	contact   string
	now       content
	revisions int // how often a person changed it: each may cost one delete and one create

	said           map[string]bool // the descriptions it had
	moves, cancels int             // in CalendarHero, in all
	reopened       bool            // the task, after all
	orphan         bool            // its record was deleted, and the database lost before that was worked
	forgets        int             // how often the database went back
	blurred        bool            // which description its request has was forgotten once, and no list shows it
	overUnknown    string          // the request that took place unknown to the database of then; see tookPlaceUnknown

	// since the last quiet point
	noNotes  bool // its request was compared with a list of notes that lacked them
	was      content
	base     *times    // of the request that was live then
	material bool      // title, time or being changed in HighLevel
	retimed  bool      // the time did
	moved    []times   // to where people moved the request
	off      bool      // a person called it off, or its time passed
	must     *end      // how a clash must end; nil = there was none
	forgot   bool      // Milepost's database went back to before some of it
	lost     bool      // it did not know the record
	knows    time.Time // until when the oldest database knew what happened that it went back to
}

// end is the one right end of an item.
type end struct {
	since time.Time
	none  bool
	at    times
	loser string // what the timeline keeps
}

// foreign is a meeting that people made.
type foreign struct {
	contact string // whose it is; "" = nobody's who is known
	title   string
	seen    bool // it was live at a quiet point
	forgot  bool // what Milepost knew of it may be lost: what was there before is not reported
}

func newExpected(h *history) *expected {
	zone, err := time.LoadLocation("America/New_York")
	h.must(err)
	return &expected{h: h, zone: zone, items: map[itemID]*item{}, foreign: map[string]*foreign{}, touched: map[string]bool{}, untag: map[string]bool{}, came: map[int]int{}, renamed: map[int]bool{}, moves: map[string][]move{}}
}

const (
	eventItem = "milestone-to-calendar-event/1"
	taskItem  = "task-to-calendar-task/1"
)

// ours reports whether Milepost wrote a note or task.
func ours(body string) bool { return strings.Contains(body, "[ref: mp-") }

// contents computes the items of the contacts as they are.
func (l *expected) contents() map[itemID]item {
	hl := l.h.hl
	out := map[itemID]item{}
	fields := hl.CustomFields(location)
	for _, c := range hl.Contacts() {
		notes := slices.DeleteFunc(hl.Notes(c.ID), func(n hlfake.Note) bool { return ours(n.Body) })
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
			day, err := time.ParseInLocation(time.DateOnly, date, l.zone)
			l.h.must(err)
			event.times.start = time.Date(day.Year(), day.Month(), day.Day(), 9, 0, 0, 0, l.zone).UTC()
			event.times.end = event.times.start.Add(30 * time.Minute)
		}
		out[itemID{"contact", c.ID, eventItem}] = item{contact: c.ID, now: event}
		for _, t := range hl.Tasks(c.ID) {
			if ours(t.Body) {
				continue
			}
			says := attached
			if t.Body != "" {
				says = append([]string{t.Body}, attached...)
			}
			out[itemID{"task", t.ID, taskItem}] = item{contact: c.ID, now: content{
				title: t.Title + " (" + c.Name() + ")", description: strings.Join(says, "\n\n"),
				times: times{t.DueDate.Add(-15 * time.Minute).UTC(), t.DueDate.UTC()}, wanted: !t.Completed,
			}}
		}
	}
	return out
}

// revise notes how the items changed, be it by a person or by Milepost itself. Of
// what Milepost writes, tags and names are a change of a request: it shows them.
func (l *expected) revise(person bool) {
	found := l.contents()
	for id, f := range found {
		it := l.items[id]
		if it == nil {
			it = &item{contact: f.contact, said: map[string]bool{}}
			l.items[id] = it
		}
		it.becomes(f.now, person)
	}
	for id, it := range l.items {
		if _, ok := found[id]; !ok {
			it.becomes(content{}, person)
		}
	}
}

func (it *item) becomes(next content, person bool) {
	before := it.now
	it.now = next
	if before == next {
		return
	}
	material := before.title != next.title || before.times != next.times || before.wanted != next.wanted
	it.said[next.description] = true
	if !person && material && before.title == next.title {
		return // a task that was moved or completed as its meeting was
	}
	it.revisions++
	it.material = it.material || material
	it.retimed = it.retimed || before.times != next.times || before.wanted != next.wanted
}

// missedNotes notes that a sync of a record read an empty list of its contact's notes.
// If Milepost knows none of them, it cannot tell that from the truth, and that they are
// there is a change later on.
func (l *expected) missedNotes(e store.Entity) {
	for id, it := range l.items {
		if id.kind != e.Kind || id.entity != e.ID || it.noNotes {
			continue
		}
		seen, err := l.h.store.LastSeenOf(l.h.t.Context(), location, it.contact, string(mapping.KindNote))
		l.h.must(err)
		if len(seen) == 0 && slices.ContainsFunc(l.h.hl.Notes(it.contact), func(n hlfake.Note) bool { return !ours(n.Body) }) {
			it.noNotes = true
			it.revisions++
		}
	}
}

// markers gives the item of every marker that can have been used.
func (l *expected) markers() map[string]itemID {
	out := map[string]itemID{}
	for id := range l.items {
		for generation := int64(1); generation < 40; generation++ {
			out[meeting.Marker(store.Entity{LocationID: location, Kind: id.kind, ID: id.entity}, id.item, generation)] = id
		}
	}
	return out
}

// requests gives the requests of each item, as they were made, and the live ones.
func (l *expected) requests() (made map[itemID][]chfake.MeetingRequest, live map[itemID][]chfake.MeetingRequest, wrong []string) {
	made, live = map[itemID][]chfake.MeetingRequest{}, map[itemID][]chfake.MeetingRequest{}
	byMarker, used := l.markers(), map[string]int{}
	for _, r := range slices.Concat(l.h.ch.Closed(), l.h.ch.Requests()) {
		mark := meeting.MarkerIn(r.Subject)
		if mark == "" {
			continue
		}
		id, known := byMarker[mark]
		if !known {
			wrong = append(wrong, fmt.Sprintf("a request of nobody: %q", r.Subject))
			continue
		}
		if used[mark]++; used[mark] == 2 {
			wrong = append(wrong, fmt.Sprintf("the marker %s of %v was made twice", mark, id))
		}
		made[id] = append(made[id], r)
		if r.State != chfake.StateClosed {
			live[id] = append(live[id], r)
		}
	}
	for _, list := range made {
		slices.SortStableFunc(list, func(a, b chfake.MeetingRequest) int { return a.DateAdded.Compare(b.DateAdded) })
	}
	return made, live, wrong
}

// move is one of a request by people.
type move struct {
	at  time.Time
	end time.Time // before
}

// endAt is when a request was to end, as it was known at a time.
func (l *expected) endAt(r chfake.MeetingRequest, at time.Time) time.Time {
	for _, m := range l.moves[r.ID] {
		if m.at.After(at) {
			return m.end
		}
	}
	return r.End
}

// reschedules has people move a request.
func (l *expected) reschedules(r chfake.MeetingRequest, to times) {
	l.moves[r.ID] = append(l.moves[r.ID], move{l.h.now(), r.End})
	l.h.must(l.h.ch.Reschedule(r.ID, to.start, to.end))
}

// itemOf gives the item of a request; nil of one that people made.
func (l *expected) itemOf(r chfake.MeetingRequest) *item {
	return l.items[l.markers()[meeting.MarkerIn(r.Subject)]]
}

// passes notes what ended by time alone.
func (l *expected) passes() {
	for _, it := range l.items {
		it.off = it.off || it.base != nil && !it.base.end.After(l.h.now())
		for _, m := range it.moved {
			it.off = it.off || !m.end.After(l.h.now())
		}
	}
}

// forget notes that Milepost's database went back to an older state, or was lost.
func (l *expected) forget(knows time.Time) {
	l.forgotten = true
	for _, f := range l.foreign {
		f.forgot = true
	}
	for id, it := range l.items {
		state, err := l.h.store.EntityState(l.h.t.Context(), store.Entity{LocationID: location, Kind: id.kind, ID: id.entity})
		l.h.must(err)
		it.forgets++
		if !it.forgot || knows.Before(it.knows) {
			it.knows = knows
		}
		it.forgot, it.blurred, it.lost = true, true, it.lost || neverRead(state)
	}
}

// quiet begins anew: all that happened so far is settled.
func (l *expected) quiet() {
	made, live, _ := l.requests()
	for id, it := range l.items {
		if list := made[id]; len(list) > 0 && it.tookPlaceUnknown(list[len(list)-1]) {
			it.overUnknown = list[len(list)-1].ID
		}
		it.noNotes = false
		it.was, it.base, it.material, it.retimed, it.moved, it.off, it.must, it.forgot, it.lost = it.now, nil, false, false, nil, false, nil, false, false
		if list := live[id]; len(list) == 1 {
			it.base = &times{list[0].Start, list[0].End}
		}
	}
	for _, r := range l.h.ch.Requests() {
		if f := l.foreign[r.ID]; f != nil {
			f.seen = true
		}
	}
}

// Kinds of what may be wrong; the last is for all that differs without one of these.
const (
	lost       = "lost"
	doubled    = "doubled"
	removed    = "removed without a change"
	mailed     = "mailed without a change"
	outOfOrder = "otherwise out of step"
)

// kindOf is the kind of a complaint of the audit.
func kindOf(wrong string) string {
	for _, k := range []struct{ words, kind string }{
		{"is missing", lost},
		{"ended with nothing", lost},
		{"live requests", doubled},
		{"twice", doubled},
		{"2 notes", doubled},
		{"called off by Milepost", removed},
		{"mail", mailed},
		{"it is there again", mailed},
	} {
		if strings.Contains(wrong, k.words) {
			return k.kind
		}
	}
	return outOfOrder
}

// audit tells what is wrong at a quiet point.
func (l *expected) audit() (wrong []string) {
	h := l.h
	made, live, wrong := l.requests()
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	l.passes()
	for id, it := range l.items {
		if why := l.wrongEnd(id, it, made[id], live[id]); why != "" {
			complain("%s of %s: %s", id.item, h.name(store.Entity{Kind: id.kind, ID: id.entity}), why)
		}
	}
	creates, deletes := 0, 0
	for id, list := range made {
		it := l.items[id]
		for i := range list[1:] {
			a, b := list[i], list[i+1]
			// Nothing tells Milepost that its own clock is wrong. What is over by it is left, for
			// to call it off would mail people about the past. Once the clock is right, it is
			// removed, if it is still open.
			if ahead := h.ahead; ahead > 0 && a.State == chfake.StateClosed && !l.endAt(a, b.DateAdded).After(b.DateAdded.Add(ahead)) {
				continue
			}
			if a.State != chfake.StateClosed || b.DateAdded.Before(a.DateUpdated) {
				complain("%v was there twice at once: %q and %q", id, a.Subject, b.Subject)
			}
		}
		called := 0
		for _, r := range list {
			if r.Status == "cancelled" {
				called++
			}
		}
		// Who moved it, and that this was to stand, may be forgotten.
		justified := it.revisions + min(it.moves, it.forgets)
		if len(list) > justified {
			complain("%v was made, and mailed, %d times for %d changes", id, len(list), justified)
		}
		if called-it.cancels > justified {
			complain("%v was called off by Milepost, and mailed, %d times for %d changes", id, called-it.cancels, justified)
		}
		creates, deletes = creates+len(list), deletes+called-it.cancels
	}
	reminds, moves := 0, 0
	for _, m := range h.ch.Mails() {
		if m.Kind == chfake.MailRemind {
			reminds++
		}
	}
	for _, it := range l.items {
		moves += it.moves
	}
	if n := len(h.ch.Mails()) - reminds; n != creates+deletes+l.mailed {
		complain("%d mails, of which %d creates and %d deletes explain %d, and people %d", n, creates, deletes, creates+deletes, l.mailed)
	}
	if reminds > 2*(creates+moves) {
		complain("%d reminders for %d requests that were moved %d times", reminds, creates, moves)
	}
	h.tally.creates, h.tally.deletes, h.tally.reminders, h.tally.mails = creates, deletes, reminds, len(h.ch.Mails())
	wrong = append(wrong, l.notes()...)
	wrong = append(wrong, l.contacts()...)
	wrong = append(wrong, h.deals.audit(h)...)
	wrong = append(wrong, h.auditCalls()...)
	return wrong
}

// wrongEnd tells what is wrong with where an item ended, or "".
func (l *expected) wrongEnd(id itemID, it *item, made, live []chfake.MeetingRequest) string {
	want, now := it.now, l.h.now()
	past := !want.times.end.After(now)
	if len(live) > 1 {
		return fmt.Sprintf("%d live requests", len(live))
	}
	if !want.wanted {
		if len(live) > 0 && (it.lost || it.orphan) && !l.exists(id) { // nobody knows any more what it was made for
			if !it.orphan {
				l.h.tally.survived["orphaned request"]++
			}
			it.orphan = true
			return ""
		}
		if len(live) > 0 {
			return fmt.Sprintf("%q is there, and nothing asks for it", live[0].Subject)
		}
		return ""
	}
	if it.must != nil {
		l.h.tally.clashes[string(l.h.rule)]++
		if wrong := l.wrongClash(id, it, live); wrong != "" {
			return wrong
		}
	}
	if len(live) == 0 {
		switch {
		case past, it.off:
			if id.kind == "task" && past && len(made) > 0 && made[len(made)-1].Status == "completed" && !it.reopened && !it.material && !it.tookPlaceUnknown(made[len(made)-1]) {
				return "its meeting is over, and the task is not completed"
			}
			return ""
		case it.base == nil && (!it.material || it.changedBack()) && it.was.wanted && !it.was.times.end.IsZero() && len(made) > 0:
			return "" // it ended before, and nothing asked for another
		case it.forgot && l.h.rule == mapping.CalendarHeroWins && it.cancels > 0 && len(made) > 0 && made[len(made)-1].DateUpdated.After(it.knows):
			return "" // a database from before it was called off takes that and a later change for a conflict
		case !it.retimed && len(made) > 0 && made[len(made)-1].Status == "completed":
			return "" // it took place, and nothing asked for another time
		case it.must != nil:
			return ""
		case it.forgot && l.halfReplaced(it, made):
			l.h.tally.survived["request lost between its removal and its replacement"]++
			return ""
		}
		return fmt.Sprintf("it is missing: %+v", want)
	}
	r := live[0]
	got := times{r.Start, r.End}
	title, _, _ := strings.Cut(r.Subject, " [")
	description := strings.TrimSpace(strings.TrimSuffix(r.Description, "[ref: "+meeting.MarkerIn(r.Subject)+"]"))
	switch {
	case title != want.title:
		return fmt.Sprintf("it is called %q, want %q", title, want.title)
	case description != want.description && (r.State == chfake.StateActive && !it.blurred || !it.said[description]): // that of a booked one waits, and no list shows one
		return fmt.Sprintf("it says %q, want %q", description, want.description)
	// If a person had moved it, a database from before that takes the time that the
	// record asks for, for a new one.
	case it.off && !it.material && it.base != nil && len(it.moved) == 0 && !(it.forgot && *it.base != want.times):
		return "it was called off, nothing in HighLevel changed, and it is there again"
	case id.kind == "task" && !got.end.Equal(want.times.end) && !(it.forgot && it.moves > 0): // who changed it last is forgotten
		return fmt.Sprintf("it ends at %s, and its task is due at %s", got.end, want.times.end)
	}
	var right []times
	switch {
	case it.forgot: // who moved it, and from where, may be forgotten
		right = append(append(right, want.times), it.moved...)
		if it.base != nil {
			right = append(right, *it.base)
		}
	case !it.retimed && it.off && it.material:
		right = append(append(right, want.times), it.moved...) // it ended, and was asked for again
		if it.base != nil {
			right = append(right, *it.base)
		}
	case !it.retimed && len(it.moved) > 0:
		right = append(right, it.moved[len(it.moved)-1]) // nobody but CalendarHero changed the time
	case !it.retimed && it.base != nil:
		right = append(right, *it.base)
	default:
		right = append(right, want.times)
		if it.base != nil && (it.was.times == want.times || sameDay(it.base.start, want.times.start, l.zone)) {
			right = append(right, *it.base)
		}
		right = append(right, it.moved...)
	}
	if id.kind == "task" && len(it.moved) > 0 {
		right = append(right, want.times)
	}
	if len(right) == 1 {
		l.h.tally.exact++
	} else {
		l.h.tally.open++
	}
	if !slices.Contains(right, got) {
		return fmt.Sprintf("it is at %s, want one of %s", got, right)
	}
	return ""
}

// halfReplaced reports whether Milepost itself removed the last request of an item. If
// its database went back between that and the replacement, it takes this for a
// cancellation by a person, until the record changes again.
func (l *expected) halfReplaced(it *item, made []chfake.MeetingRequest) bool {
	cancelled := 0
	for _, r := range made {
		if r.Status == "cancelled" {
			cancelled++
		}
	}
	return len(made) > 0 && made[len(made)-1].Status == "cancelled" && cancelled > it.cancels
}

// changedBack reports whether a request would say the same as at the last quiet point:
// Milepost may not have seen what it was in between.
func (it *item) changedBack() bool {
	return it.now.title == it.was.title && it.now.times == it.was.times && it.now.wanted == it.was.wanted
}

// tookPlaceUnknown reports whether a request may have been over before Milepost saw it
// for the first time on the database that it has. Then its task stays as it is:
// that it is open may mean that a person opened it again, and the database that
// would tell is gone.
func (it *item) tookPlaceUnknown(r chfake.MeetingRequest) bool {
	return r.ID == it.overUnknown || it.forgot && r.Status == "completed" && r.DateAdded.After(it.knows)
}

// exists reports whether the record of an item is still there.
func (l *expected) exists(id itemID) bool {
	_, ok := l.contents()[id]
	return ok
}

func sameDay(a, b time.Time, zone *time.Location) bool {
	return a.In(zone).Format(time.DateOnly) == b.In(zone).Format(time.DateOnly)
}

// wrongClash tells what is wrong with how a conflict ended.
func (l *expected) wrongClash(id itemID, it *item, live []chfake.MeetingRequest) string {
	switch {
	case it.must.none && len(live) > 0:
		return fmt.Sprintf("the conflict ended with a request at %s, and by the rule that it was called off stands", times{live[0].Start, live[0].End})
	case !it.must.none && len(live) == 0:
		return fmt.Sprintf("the conflict ended with nothing, want %s", it.must.at)
	case !it.must.none && live[0].Start != it.must.at.start:
		return fmt.Sprintf("the conflict ended at %s, want %s", times{live[0].Start, live[0].End}, it.must.at)
	}
	entries, err := l.h.store.Timeline(l.h.t.Context(), location, it.contact)
	l.h.must(err)
	told := 0
	for _, e := range entries {
		if e.What == "conflict" && !e.At.Before(it.must.since) && e.Entity.ID == id.entity && strings.Contains(e.Detail, it.must.loser) {
			told++
		}
	}
	if told != 1 {
		return fmt.Sprintf("the timeline keeps %q of the conflict %d times, want once: %+v", it.must.loser, told, entries)
	}
	return ""
}

// notes tells what is wrong with what Milepost wrote in HighLevel.
func (l *expected) notes() (wrong []string) {
	h := l.h
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	made := map[string]int{}
	for _, s := range h.hl.Sent() {
		var event struct {
			Body string `json:"body"`
		}
		if s.Type == "NoteCreate" && json.Unmarshal(s.Body, &event) == nil && ours(event.Body) {
			made[refIn(event.Body)]++
		}
	}
	h.tally.notes = len(made)
	if l.forgotten { // what became of an earlier note, and of its contact, is forgotten: no two at once
		clear(made)
		for _, c := range h.hl.Contacts() {
			for _, n := range h.hl.Notes(c.ID) {
				if ours(n.Body) {
					made[refIn(n.Body)]++
				}
			}
		}
	}
	for mark, n := range made {
		if n > 1 {
			complain("the note %s was made %d times", mark, n)
		}
	}
	// Each item has one note, whatever became of the creates before.
	keys := map[itemID]bool{}
	for id := range l.items {
		for _, a := range []string{"booked-meeting-to-highlevel-note", "cancelled-meeting-to-highlevel-note", "expired-meeting-to-highlevel-note"} {
			keys[itemID{id.kind, id.entity, a + "/1@" + id.item}] = true
		}
	}
	for id := range l.foreign {
		for _, a := range []string{"scheduled", "moved-scheduled", "cancelled-scheduled"} {
			keys[itemID{"meeting", id, a + "-meeting-to-highlevel-note/1"}] = true
		}
	}
	h.deals.keys(h, keys)
	known := 0
	for key := range keys {
		n := 0
		for generation := int64(1); generation < 20; generation++ {
			mark := meeting.Marker(store.Entity{LocationID: location, Kind: key.kind, ID: key.entity}, key.item, generation)
			known += made[mark]
			if !l.touched[mark] { // else it may have been deleted before Milepost learned that it was made
				n += made[mark]
			}
		}
		if n > 1 {
			complain("%v has %d notes", key, n)
		}
	}
	if known != len(made) && !l.forgotten {
		complain("of %d notes that Milepost wrote, %d are of known items", len(made), known)
	}
	wrong = append(wrong, l.foreignNotes()...)
	for _, c := range h.hl.Contacts() {
		for _, n := range h.hl.Notes(c.ID) {
			for _, word := range strings.Fields(n.Body) {
				if tag, ok := strings.CutPrefix(word, "#"); ok && !slices.Contains(c.Tags, tag) && !l.untag[c.ID+tag] {
					complain("%s has no tag %q", h.name(store.Entity{ID: c.ID}), tag)
				}
			}
		}
	}
	return wrong
}

func refIn(body string) string {
	_, after, _ := strings.Cut(body, "[ref: ")
	mark, _, _ := strings.Cut(after, "]")
	return mark[:min(len(mark), len("mp-abcdefgh"))] // without its check
}

// strange reports whether an id is of a meeting that people made, and that Milepost
// had no reason to look at while there was something to say of it: nobody who was
// invited was a contact, or it was over before it was seen. Who looks later may find
// more.
func (l *expected) strange(id string) bool {
	f := l.foreign[id]
	if f == nil {
		return false
	}
	_, known := l.h.hl.Contact(f.contact)
	return !known || !f.seen && slices.ContainsFunc(l.h.ch.Closed(), func(r chfake.MeetingRequest) bool { return r.ID == id })
}

// foreignNotes tells which meetings that people made are not in the notes of their
// contact.
func (l *expected) foreignNotes() (wrong []string) {
	h := l.h
	for _, r := range slices.Concat(h.ch.Requests(), h.ch.Closed()) {
		f := l.foreign[r.ID]
		if f == nil || f.contact == "" || f.forgot {
			continue
		}
		if _, ok := h.hl.Contact(f.contact); !ok {
			continue
		}
		var text, key string
		at := r.Start.In(l.zone).Format("2006-01-02 15:04")
		switch {
		case r.Status == "scheduled":
			text, key = "Meeting booked: "+f.title+", "+at, "scheduled"
		case r.Status == "rescheduled":
			text, key = "Meeting moved: "+f.title+", now "+at, "moved-scheduled"
		case r.Status == "cancelled" && f.seen:
			text, key = "Meeting cancelled: "+f.title+", ", "cancelled-scheduled" // when it was, as it was seen last
		default:
			continue
		}
		touched := false
		for generation := int64(1); generation < 20; generation++ {
			touched = touched || l.touched[meeting.Marker(store.Entity{LocationID: location, Kind: string(mapping.KindMeeting), ID: r.ID}, key+"-meeting-to-highlevel-note/1", generation)]
		}
		n := 0
		for _, note := range h.hl.Notes(f.contact) {
			if strings.HasPrefix(note.Body, text) {
				n++
			}
		}
		if n != 1 && !touched {
			var bodies []string
			for _, note := range h.hl.Notes(f.contact) {
				bodies = append(bodies, note.Body)
			}
			wrong = append(wrong, fmt.Sprintf("%d notes say %q, want one: %q", n, text, bodies))
		}
	}
	return wrong
}

// contacts tells which contacts are not the same on both sides.
func (l *expected) contacts() (wrong []string) {
	for place, id := range l.h.people {
		var names []string
		for _, c := range l.h.ch.Contacts() {
			if slices.Contains(c.Email, mailOf(place)) {
				names = append(names, c.Name)
			}
		}
		c, _ := l.h.hl.Contact(id)
		if l.renamed[place] && l.came[place] > 1 {
			if len(names) > 1 || id != "" && len(names) == 0 {
				wrong = append(wrong, fmt.Sprintf("the contacts of %s are %q, want one", mailOf(place), names))
			}
			continue // while two contacts shared it, what was edited in CalendarHero was neither's
		}
		if len(names) > 1 || id != "" && !slices.Equal(names, []string{c.Name()}) {
			wrong = append(wrong, fmt.Sprintf("the contacts of %s are %q, want %q once", mailOf(place), names, c.Name()))
		}
	}
	return wrong
}
