package sync

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"milepost/clients/calendarhero"
	"milepost/internal/meeting"
	chfake "milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/mapping"
)

// usualStories are as many as a run plays that does not ask for others. A thorough run
// plays thoroughStories.
//
// MILEPOST_HISTORIES_ON=postgres plays them on PostgreSQL.
// MILEPOST_SURVIVE chooses among "lie restore jump": gateways that lie, restored or
// lost databases and clocks that jump. All happen by default.
//
//	MILEPOST_HISTORIES=1000 go test -run TestBothSidesEndInStep ./internal/sync
//	MILEPOST_HISTORY=17 go test -run TestBothSidesEndInStep ./internal/sync  # the one with that seed
//	MILEPOST_HISTORY=301 MILEPOST_HISTORIES=100 go test -run TestBothSidesEndInStep ./internal/sync  # 301 to 400
const usualStories, thoroughStories = 3, 10

// TestBothSidesEndInStep makes up histories. Both sides are edited, webhooks come twice,
// late, in another order or never, vendors fail, and Milepost dies between any two steps.
// Whenever all webhooks are delivered and synced, both sides agree, and everything was made
// once. Nobody got more mail than there were changes. Each conflict ended by its rule, with
// the loser in the timeline, and Milepost writes nothing more.
func TestBothSidesEndInStep(t *testing.T) {
	testenv.Long(t)
	stage := newStage(t)
	first, n := uint64(number(t, "MILEPOST_HISTORY", 1)), testenv.Rounds(thoroughStories, usualStories)
	if _, one := os.LookupEnv("MILEPOST_HISTORY"); one {
		n = 1
	}
	n = number(t, "MILEPOST_HISTORIES", n)
	sum := newTally()
	began := time.Now()
	for seed := first; seed < first+uint64(n); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h := stage.begin(t, seed)
			defer func() { sum.add(h.tally) }()
			h.play()
			if n == 1 {
				t.Log("\n  " + strings.Join(h.story, "\n  "))
			}
		})
	}
	t.Logf("%s\nin %s", sum, time.Since(began).Round(time.Second))
}

// number reads a positive number from the environment.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	s, ok := os.LookupEnv(name)
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q, want a number from 1", name, s)
	}
	return n
}

// play plays it to its end.
func (h *history) play() {
	h.people = make([]string, 3)
	for place := range h.people {
		h.person(func() { h.comes(place); h.milestone(place) })
	}
	for range 2 + h.rng.IntN(2) {
		for range 8 + h.rng.IntN(16) {
			h.step()
		}
		h.settle()
		if h.rng.IntN(2) == 0 {
			h.clash()
		}
	}
	h.tally.writes = h.written()
	h.bounded()
}

// person has a person do something, on either side.
func (h *history) person(do func()) {
	h.expected.edits++
	do()
	h.expected.revise(true)
	h.hear()
}

// step is one thing that happens.
func (h *history) step() {
	h.pass(choose(h, time.Second, 20*time.Second, time.Minute))
	happens := []string{"edit", "edit", "edit", "edit", "meeting", "meeting", "meeting", "fault", "crash", "time", "poll", "resend"}
	switch choose(h, append(happens, h.stage.survives...)...) {
	case "lie":
		h.lie()
	case "restore":
		if len(h.copies) == 0 || h.rng.IntN(2) == 0 {
			h.copyState()
		} else {
			h.restore()
		}
	case "jump":
		h.jump()
	case "edit":
		h.tally.highlevel++
		h.person(h.edit)
	case "meeting":
		h.tally.calendarhero++
		h.person(h.meeting)
	case "fault":
		h.fault()
	case "crash":
		h.mort.place, h.mort.left = choose(h, atWrite, beforeCall, afterCall), 1+h.rng.IntN(8)
		h.tell("Milepost is to die at the %dth time %s", h.mort.left, h.mort.place)
	case "time":
		d := choose(h, 2*time.Minute, 20*time.Minute, 3*time.Hour, 20*time.Hour)
		h.pass(d)
		h.ch.Settle()
		h.hear()
		h.tell("%s pass", d)
	case "poll":
		h.pollAll()
		h.contactsAll()
		h.sweepAll()
		h.askDue()
		h.remindAll()
		h.debounceAll()
	case "resend":
		if len(h.past) > 0 {
			h.tally.duplicated++
			h.arrive(choose(h, h.past...))
		}
	}
	for h.rng.IntN(3) > 0 && h.deliver("soon twice late") {
	}
	if h.rng.IntN(4) > 0 {
		h.work(h.rng.IntN(8))
	}
}

// edit is what a person does in HighLevel.
func (h *history) edit() {
	place := h.rng.IntN(len(h.people))
	id := h.people[place]
	if id == "" {
		h.comes(place)
		return
	}
	tasks := slices.DeleteFunc(h.hl.Tasks(id), func(t hlfake.Task) bool { return ours(t.Body) })
	notes := h.hl.Notes(id)
	options := []string{"milestone", "milestone", "milestone", "no milestone", "rename", "new task", "new task", "new note", "tag", "untag", "move house", "move house", "move house", "move house", "move house", "delete"}
	options = append(options, h.dealEdits(id)...)
	if len(tasks) > 0 {
		options = append(options, "edit task", "edit task", "move task", "move task", "complete task", "reopen task", "delete task")
	}
	if len(notes) > 0 {
		options = append(options, "edit note", "delete note")
	}
	what := choose(h, options...)
	h.tell("person %d: %s", place, what)
	bodies := []string{"Prefers mornings", "Alarm is off #vip", "Parks behind the house #keys #vip"}
	if h.dealEdit(what, id) {
		return
	}
	switch what {
	case "milestone":
		h.milestone(place)
	case "no milestone":
		h.must(h.hl.SetCustomField(id, choose(h, "contact.milestone", "contact.milestone_date"), ""))
	case "move house":
		h.movesHouse(id)
	case "rename":
		name := choose(h, "Ann", "Bea")
		h.must(h.hl.UpdateContact(id, func(c *hlfake.Contact) { c.FirstName = name }))
	case "new task":
		_, err := h.hl.CreateTask(hlfake.Task{ContactID: id, Title: choose(h, "Call", "Send the papers"), DueDate: h.dueDate(), Body: choose(h, "", "Bring the keys")})
		h.must(err)
	case "new note":
		_, err := h.hl.CreateNote(hlfake.Note{ContactID: id, Body: choose(h, bodies...)})
		h.must(err)
	case "tag":
		h.must(h.hl.AddTags(id, choose(h, "vip", "buyer")))
	case "untag":
		tag := choose(h, "vip", "buyer", "meeting-booked")
		h.expected.untag[id+tag] = true
		h.must(h.hl.RemoveTags(id, tag))
	case "delete":
		h.must(h.hl.DeleteContact(id))
		h.people[place] = ""
	case "edit note", "delete note":
		note := choose(h, notes...)
		if ours(note.Body) {
			h.expected.touched[refIn(note.Body)] = true
		}
		switch body := choose(h, bodies...); {
		case what == "delete note":
			h.must(h.hl.DeleteNote(note.ID))
		case ours(note.Body): // a word more, above the last line
			h.must(h.hl.UpdateNote(note.ID, func(n *hlfake.Note) { n.Body = "Seen. " + n.Body }))
		default:
			h.must(h.hl.UpdateNote(note.ID, func(n *hlfake.Note) { n.Body = body }))
		}
	default:
		task := choose(h, tasks...)
		switch title, due := choose(h, "Call", "Send the papers"), h.dueDate(); what {
		case "edit task":
			h.must(h.hl.UpdateTask(task.ID, func(t *hlfake.Task) { t.Title = title }))
		case "move task":
			h.must(h.hl.UpdateTask(task.ID, func(t *hlfake.Task) { t.DueDate = due }))
		case "complete task":
			h.must(h.hl.CompleteTask(task.ID))
		case "reopen task":
			h.expected.items[itemID{"task", task.ID, taskItem}].reopened = task.Completed
			h.must(h.hl.UpdateTask(task.ID, func(t *hlfake.Task) { t.Completed = false }))
		case "delete task":
			h.must(h.hl.DeleteTask(task.ID))
		}
	}
}

// comes has the contact of a place come, with the e-mail address of the one before.
func (h *history) comes(place int) {
	h.tell("person %d comes", place)
	c, err := h.hl.CreateContact(hlfake.Contact{LocationID: location, FirstName: "Ann", LastName: fmt.Sprint("P", place), Email: mailOf(place)})
	h.must(err)
	h.people[place] = c.ID
	h.expected.came[place]++
	h.deals.came = append(h.deals.came, c.ID)
}

func mailOf(place int) string { return fmt.Sprintf("p%d@example.com", place) }

func (h *history) milestone(place int) {
	name, date := choose(h, "Closing", "Inspection"), h.day(choose(h, -1, 1, 2, 4, 9))
	h.tell("  %s on %s", name, date)
	h.must(h.hl.SetCustomFields(h.people[place], map[string]any{"contact.milestone": name, "contact.milestone_date": date}))
}

func (h *history) day(n int) string { return h.now().AddDate(0, 0, n).Format(time.DateOnly) }

func (h *history) dueDate() time.Time {
	return h.now().Truncate(time.Hour).Add(choose(h, 3*time.Hour, 30*time.Hour, 75*time.Hour, 200*time.Hour, -2*time.Hour))
}

// meeting is what people do in CalendarHero.
func (h *history) meeting() {
	requests := h.ch.Requests()
	if h.rng.IntN(6) == 0 && h.renamedThere() {
		return
	}
	if h.rng.IntN(4) == 0 || len(requests) == 0 {
		h.newMeeting()
		return
	}
	r := choose(h, requests...)
	it, what := h.expected.itemOf(r), choose(h, "accept", "accept", "move", "move", "move", "cancel")
	h.tell("%s %q in CalendarHero", what, r.Subject)
	switch what {
	case "accept":
		if r.State == chfake.StateActive {
			h.must(h.ch.Accept(r.ID))
		}
	case "move":
		start := h.now().Truncate(time.Hour).Add(choose(h, 2*time.Hour, 28*time.Hour, 76*time.Hour, 190*time.Hour))
		to := times{start, start.Add(choose(h, 15*time.Minute, 30*time.Minute))}
		h.tell("  to %s", to)
		h.expected.reschedules(r, to)
		if it != nil {
			it.moved, it.moves = append(it.moved, to), it.moves+1
		}
	case "cancel":
		h.must(h.ch.Cancel(r.ID))
		h.expected.mailed++
		if it != nil {
			it.off, it.cancels = true, it.cancels+1
		}
	}
}

// renamedThere gives a contact another name in CalendarHero, if there is one.
func (h *history) renamedThere() bool {
	place := h.rng.IntN(len(h.people))
	for _, c := range h.ch.Contacts() {
		if h.people[place] != "" && slices.Contains(c.Email, mailOf(place)) && strings.Contains(c.Name, " ") {
			name := choose(h, "Cleo P", "Dora P") + fmt.Sprint(place)
			h.tell("person %d is called %s in CalendarHero", place, name)
			h.expected.renamed[place] = true
			h.must(h.ch.EditContact(c.ID, func(c *chfake.Contact) { c.Name = name }))
			return true
		}
	}
	return false
}

// newMeeting is one that people make, with somebody who may be a contact.
func (h *history) newMeeting() {
	place := h.rng.IntN(len(h.people) + 1)
	h.meetings++
	title, start := fmt.Sprintf("Chat %d", h.meetings), h.now().Truncate(time.Hour).Add(choose(h, 4*time.Hour, 50*time.Hour, 100*time.Hour))
	f := &foreign{title: title, forgot: h.unpolled}
	if place < len(h.people) {
		f.contact = h.people[place]
	}
	var r chfake.MeetingRequest
	var err error
	if h.rng.IntN(2) == 0 {
		h.tell("person %d books %q by a link", place, title)
		r, err = h.ch.BookByLink(chfake.Contact{Name: "Ann P" + fmt.Sprint(place), Email: []string{mailOf(place)}}, title, start, start.Add(30*time.Minute))
	} else {
		h.tell("the holder asks person %d for %q", place, title)
		r, err = h.ch.Request(title, []string{mailOf(place)}, start, start.Add(30*time.Minute))
		h.expected.mailed++
	}
	h.must(err)
	h.expected.foreign[r.ID] = f
}

// fault arms one.
func (h *history) fault() {
	vendor := choose(h, "HighLevel", "CalendarHero", "CalendarHero")
	faults, patterns := h.hl.Faults(), []string{
		"*", "GET /contacts/{contactId}", "GET /contacts/*", "POST /contacts/*", "PUT /contacts/*", "POST /contacts/{contactId}/notes", "POST /locations/{locationId}/tasks/search", "POST /businesses/", "POST /businesses/", "POST /businesses/", "POST /businesses/",
	}
	if vendor == "CalendarHero" {
		faults, patterns = h.ch.Faults(), []string{
			"*", "POST /meeting/tasks", "POST /meeting/tasks", "DELETE /meeting/tasks/*", "DELETE /meeting/tasks/*", "GET /meeting/tasks", "POST /contact", "PUT *",
		}
	}
	pattern, n := choose(h, patterns...), 1+h.rng.IntN(4)
	what := choose(h, "429", "429 with Retry-After", "500", "503", "dropped", "lost answer", "lost answer", "malformed answer", "time-out")
	h.tell("%s: %s for the next %d of %s", vendor, what, n, pattern)
	if what == "time-out" {
		h.wire[vendor].timeouts += n
		return
	}
	h.armed = append(h.armed, faults.Next(pattern, n, map[string]fakehttp.Fault{
		"429": fakehttp.RateLimited(0), "429 with Retry-After": fakehttp.RateLimited(30 * time.Second),
		"500": fakehttp.FailWith(500), "503": fakehttp.FailWith(503), "dropped": fakehttp.DropBefore(),
		"lost answer": fakehttp.LoseAnswer(), "malformed answer": fakehttp.MalformedAnswer(),
	}[what]))
	h.tally.armed[what]++
}

// settle ends the faults, tells all that is not lost, lets Milepost look for that,
// and holds both sides against each other once nothing is left to do.
func (h *history) settle() {
	h.t.Helper()
	h.tell("all is told, and the faults are over")
	h.hl.Faults().Clear()
	h.ch.Faults().Clear()
	for _, w := range h.wire {
		w.timeouts = 0
	}
	h.mort.place = ""
	h.turn(0)
	h.pass(10 * time.Minute) // after which all contacts are looked at in CalendarHero
	h.rounds()
	if h.needCheck {
		h.pass(25 * time.Hour)
		h.needCheck = false
		h.tell("a day passes")
		h.rounds()
	}
	h.needCheck = false
	if h.settleCalls() {
		h.rounds()
	}
	h.tally.settled++
	if wrong := h.expected.audit(); len(wrong) > 0 {
		slices.Sort(wrong)
		for _, w := range wrong {
			h.tally.wrong[kindOf(w)]++
		}
		h.fail("at %s:\n  %s", h.now(), strings.Join(wrong, "\n  "))
	}
	h.still()
	h.expected.quiet()
	h.tell("both sides agree")
}

// rounds polls, sweeps and works until nothing is found any more.
func (h *history) rounds() {
	h.t.Helper()
	for quiet, round := 0, 0; quiet < 2; round++ {
		if round == 40 {
			h.fail("it does not settle: %v is owed", h.owedAll())
		}
		h.pollAll()
		h.contactsAll()
		h.sweepAll()
		h.askDue()
		h.backfill()
		h.agree()
		h.remindAll()
		h.orphanAll()
		rests := h.debounceAll()
		for h.deliver("soon twice late lost") {
		}
		if len(h.owedAll()) == 0 && len(h.untold) == 0 {
			if rests {
				h.pass(h.quiet)
			} else {
				quiet++
			}
			continue
		}
		quiet = 0
		for turn := 0; ; turn++ {
			idle, next := h.work(20)
			for h.deliver("soon twice late lost") {
				idle = false
			}
			if idle {
				break
			}
			h.agree()
			if turn == 100 {
				h.fail("the syncs do not end: %v", h.owedAll())
			}
			if next.After(h.now()) {
				h.set(next)
				h.ch.Settle()
				h.hear()
			}
		}
	}
}

// still looks at everything once more, twice, and finds nothing to write.
func (h *history) still() {
	h.t.Helper()
	for range 2 {
		writes, events := h.written(), len(h.ch.Sent())
		var all []store.Entity
		h.must(h.store.InTx(h.t.Context(), func(tx *store.Tx) error {
			rows, err := tx.Query(h.t.Context(), `SELECT location_id, kind, id FROM entities ORDER BY kind, id`)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var e store.Entity
				if err := rows.Scan(&e.LocationID, &e.Kind, &e.ID); err != nil {
					return err
				}
				if !h.expected.strange(e.ID) {
					all = append(all, e)
				}
			}
			return rows.Err()
		}))
		h.must(h.store.Requeue(h.t.Context(), all, false))
		last := max(0, len(h.past)-10)
		for i, w := range h.past[last:] {
			if last+i < h.unheard && eventTriggers[w.kind] != "" {
				continue // to this database, that it happened is news
			}
			if id, err := calendarhero.ParseEvent(w.body); err != nil || !h.expected.strange(id) {
				h.arrive(w)
			}
		}
		h.rounds()
		if n := h.written() - writes; n > 0 && len(h.ch.Sent()) == events {
			h.fail("nothing changed any more, and Milepost wrote %d times", n)
		}
	}
}

// clash has both sides change one item before Milepost looks, and holds the end
// against the rule.
func (h *history) clash() {
	h.t.Helper()
	_, live, _ := h.expected.requests()
	var ids []itemID
	for id, list := range live {
		if len(list) == 1 && h.expected.items[id].now.wanted && list[0].Start.After(h.now().Add(time.Hour)) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return
	}
	slices.SortFunc(ids, func(a, b itemID) int { return strings.Compare(a.kind+a.entity, b.kind+b.entity) })
	id := choose(h, ids...)
	it, r := h.expected.items[id], live[id][0]
	began := h.now()
	h.tell("both sides change %s of %s", id.item, h.name(store.Entity{Kind: id.kind, ID: id.entity}))
	h.asked++ // for no time that was asked for before
	start := h.now().Truncate(time.Hour).Add(150*time.Hour + time.Duration(h.asked)*time.Minute)
	to := times{start, start.Add(30 * time.Minute)}
	off := h.rng.IntN(3) == 0
	there := func() {
		h.tally.calendarhero++
		if off {
			h.tell("  it is called off in CalendarHero")
			h.must(h.ch.Cancel(r.ID))
			h.expected.mailed++
			it.off, it.cancels = true, it.cancels+1
			return
		}
		h.tell("  it is moved to %s in CalendarHero", to)
		h.expected.reschedules(r, to)
		it.moved, it.moves = append(it.moved, to), it.moves+1
	}
	here := func() {
		h.tally.highlevel++
		if id.kind == "task" {
			h.must(h.hl.UpdateTask(id.entity, func(t *hlfake.Task) {
				t.DueDate = h.now().Truncate(time.Hour).Add(222*time.Hour + time.Duration(h.asked)*time.Minute)
			}))
		} else {
			h.must(h.hl.SetCustomField(id.entity, "contact.milestone_date", h.day(11+h.asked)))
		}
		h.tell("  HighLevel asks for another time")
	}
	hereLast := h.rng.IntN(2) == 0
	both := []func(){there, here}
	if !hereLast {
		both = []func(){here, there}
	}
	for _, do := range both {
		h.person(do)
		h.pass(time.Minute)
	}
	asked := it.now.times
	recordWins := h.rule == mapping.HighLevelWins || h.rule == mapping.NewestWins && (hereLast || id.kind == "task")
	it.must = &end{since: began, at: asked, loser: meeting.Period(to.start, to.end, h.expected.zone)}
	switch {
	case recordWins && off:
		it.must.loser = "it was cancelled in CalendarHero"
	case off:
		it.must.none, it.must.loser = true, "HighLevel asked for"
	case !recordWins:
		it.must.at, it.must.loser = to, "HighLevel asked for "+meeting.Period(asked.start, asked.end, h.expected.zone)
	}
	for h.rng.IntN(3) > 0 {
		switch choose(h, "fault", "crash", "poll", "tell", "work") {
		case "fault":
			h.fault()
		case "crash":
			h.mort.place, h.mort.left = choose(h, atWrite, beforeCall, afterCall), 1+h.rng.IntN(6)
		case "poll":
			h.pollAll()
		case "tell":
			h.deliver("soon twice late")
		case "work":
			h.work(4)
		}
	}
	h.settle()
}

// bounded holds the writes against what was changed.
func (h *history) bounded() {
	h.t.Helper()
	l := h.expected
	struck := 0
	for _, a := range h.armed {
		struck += a.Hits()
	}
	for _, w := range h.wire {
		struck += w.timedOut
	}
	h.tally.struck = struck
	for _, n := range h.tally.crashes {
		struck += n
	}
	// A change of an item costs a delete and a create. A change of a contact or a note
	// costs an update of the other side's contact or its tags. A change of a meeting costs
	// a note, tags and a task.
	requests, over := 0, 0
	for _, it := range l.items {
		requests += 2 * it.revisions
	}
	for _, r := range h.ch.Closed() {
		if r.Status != "cancelled" {
			over++
		}
	}
	others := 3*h.tally.highlevel + 5*len(h.people) + 3*h.tally.calendarhero + 2*over
	h.tally.bound = requests + others + struck
	asked := h.wire["CalendarHero"].requests
	if n := h.written() - asked; asked > requests+struck || n > others+struck {
		h.fail("%d writes of requests and %d others for %d edits; want at most %d and %d, and %d for what failed", asked, n, l.edits, requests, others, struck)
	}
}

// tally counts what the histories had.
type tally struct {
	histories, highlevel, calendarhero int
	told, duplicated, lost             int
	syncs, settled                     int
	crashes                            map[string]int
	armed                              map[string]int
	struck                             int
	creates, deletes, mails, reminders int
	notes, writes, bound               int
	exact, open                        int
	clashes                            map[string]int
	survived                           map[string]int
	wrong                              map[string]int
}

func newTally() tally {
	return tally{crashes: map[string]int{}, armed: map[string]int{}, clashes: map[string]int{}, survived: map[string]int{}, wrong: map[string]int{}}
}

func (t *tally) add(o tally) {
	t.histories += o.histories
	t.highlevel += o.highlevel
	t.calendarhero += o.calendarhero
	t.told += o.told
	t.duplicated += o.duplicated
	t.lost += o.lost
	t.syncs += o.syncs
	t.settled += o.settled
	t.struck += o.struck
	t.creates += o.creates
	t.deletes += o.deletes
	t.mails += o.mails
	t.reminders += o.reminders
	t.notes += o.notes
	t.writes += o.writes
	t.bound += o.bound
	t.exact += o.exact
	t.open += o.open
	for _, m := range []struct{ to, from map[string]int }{{t.crashes, o.crashes}, {t.armed, o.armed}, {t.clashes, o.clashes}, {t.survived, o.survived}, {t.wrong, o.wrong}} {
		for k, v := range m.from {
			m.to[k] += v
		}
	}
}

func (t tally) String() string {
	return fmt.Sprintf(`%d histories: %d edits in HighLevel, %d in CalendarHero
webhooks: %d told, of which %d again, and %d lost
faults armed: %v, struck %d times; crashes: %v; survived: %v
%d syncs, settled %d times; ends: %d with one right answer, %d with several; conflicts by rule: %v
CalendarHero: %d requests made, %d removed, %d mails, of which %d reminders; HighLevel: %d notes of meetings
%d writes, at most %d justified
found wrong: %d lost, %d doubled, %d removed and %d mailed without a change, %d otherwise out of step`,
		t.histories, t.highlevel, t.calendarhero, t.told, t.duplicated, t.lost, t.armed, t.struck, t.crashes, t.survived,
		t.syncs, t.settled, t.exact, t.open, t.clashes, t.creates, t.deletes, t.mails, t.reminders, t.notes, t.writes, t.bound,
		t.wrong[lost], t.wrong[doubled], t.wrong[removed], t.wrong[mailed], t.wrong[outOfOrder])
}
