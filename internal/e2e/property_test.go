package e2e_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"milepost/internal/app"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
)

// TestEveryHistoryEndsInStep makes up histories: changes in HighLevel whose
// webhooks come twice, late, again or in another order, vendors that fail, and
// a Milepost that is drained or dies at any moment. Once all is told and the
// faults are over, CalendarHero holds what the final records ask for, nothing
// was ever there twice, nobody was mailed more often than something changed,
// and no delivery is left without its outcome.
//
// In CI it is 8 histories, in a plain run 3, unless -rapid.checks says how many.
func TestEveryHistoryEndsInStep(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	// A history is told in full where it fails. It does not repeat itself to the
	// letter, for much of it happens at once, so a file to replay it is no help.
	unlessSet(t, "rapid.checks", fmt.Sprint(testenv.Rounds(8, 3)))
	unlessSet(t, "rapid.nofailfile", "true")
	unlessSet(t, "rapid.shrinktime", "5s")
	root := t.TempDir()
	empty := emptyData(t)
	var sum tally
	lives := 0
	dir := func() string {
		lives++
		path := filepath.Join(root, fmt.Sprint(lives))
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	rapid.Check(t, func(rt *rapid.T) {
		h := begin(rt, empty, dir())
		for slot := range h.people {
			h.change(func() { h.arrive(slot) })
			h.change(func() { h.setMilestone(h.people[slot], "Signing", "2030-06-03") })
		}
		latency := choose(h, "latency", 0, 2*time.Millisecond, 10*time.Millisecond)
		h.tell("both vendors take %s for each call", latency)
		h.hl.Faults().SetLatency(latency)
		h.ch.Faults().SetLatency(latency)
		for range 12 + pick(h, "steps", 16) {
			h.step(dir)
		}
		h.tell("the end: all is told, the faults are over")
		h.relay.take(normally)
		h.relay.release()
		h.tally.faults += h.strikes()
		h.hl.Faults().Clear()
		h.ch.Faults().Clear()
		h.settle()
		h.check()
		h.end()
		sum.add(h.tally)
	})
	t.Log(sum)
}

// unlessSet sets a flag for the time of the test, unless the command line does.
func unlessSet(t *testing.T, name, value string) {
	t.Helper()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == name })
	if asked {
		return
	}
	f := flag.Lookup(name)
	before := f.Value.String()
	if err := f.Value.Set(value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Value.Set(before) })
}

// emptyData makes a data directory with an empty database of each kind.
func emptyData(t *testing.T) string {
	dir := t.TempDir()
	a, err := app.New(t.Context(), app.Config{Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", DataDir: dir, CalendarHeroAuth: "raw"}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return dir
}

// pick draws a number below n, each as likely as the others: rapid's own
// generators prefer the first.
func pick(h *history, label string, n int) (i int) {
	for range 8 {
		i = 2 * i
		if rapid.Bool().Draw(h.rt, label) {
			i++
		}
	}
	return i % n
}

// choose draws one of the options.
func choose[T any](h *history, label string, options ...T) T {
	return options[pick(h, label, len(options))]
}

// step is one thing that happens.
func (h *history) step(dir func() string) {
	switch choose(h, "step",
		"change", "change", "change", "change", "change", "change", "change", "change", "fault", "fault", "fault",
		"rest", "rest", "release", "resend", "drain", "crash",
	) {
	case "change":
		h.route = choose(h, "route", normally, normally, twice, late, unheard, slowFirst)
		h.relay.take(h.route)
		h.change(h.drawChange())
	case "fault":
		h.fault()
		h.route = normally
		h.relay.take(h.route)
		h.change(h.drawChange()) // something to strike
	case "release":
		h.tell("what was late is let go")
		h.relay.release()
	case "resend":
		if sent := h.hl.Sent(); len(sent) > 0 {
			s := choose(h, "webhook", sent...)
			h.tell("%s %s is sent again", s.Type, s.ID)
			h.must(h.hl.Resend(s.ID))
		}
	case "rest":
		h.tell("a rest")
		h.rest()
	case "drain":
		h.tally.drains++
		h.tell("a drain and a start")
		h.end()
		h.start()
	case "crash":
		h.tally.crashes++
		h.tell("a crash and a start")
		h.crash(dir())
	}
}

// rest waits until Milepost owes nothing of what it knows, for at most 0.3 s.
func (h *history) rest() {
	for deadline := time.Now().Add(300 * time.Millisecond); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if h.worked() {
			return
		}
	}
}

// fault arms one.
func (h *history) fault() {
	vendor := choose(h, "vendor", "HighLevel", "CalendarHero")
	faults, patterns := h.hl.Faults(), []string{
		"*", "GET /contacts/{contactId}", "GET /contacts/*", "POST /contacts/{contactId}/tags", "POST /locations/{locationId}/tasks/search",
	}
	if vendor == "CalendarHero" {
		faults, patterns = h.ch.Faults(), []string{
			"*", "POST /meeting/tasks", "POST /meeting/tasks", "DELETE /meeting/tasks/*", "DELETE /meeting/tasks/*", "GET /meeting/tasks", "POST /contact", "PUT *",
		}
	}
	pattern := choose(h, "pattern", patterns...)
	n := 1 + pick(h, "times", 4)
	what := choose(h, "fault", "429", "429 with Retry-After", "500", "503", "dropped", "lost answer", "lost answer", "malformed answer")
	h.tell("%s: %s for the next %d of %s", vendor, what, n, pattern)
	h.armed = append(h.armed, faults.Next(pattern, n, map[string]fakehttp.Fault{
		"429": fakehttp.RateLimited(0), "429 with Retry-After": fakehttp.RateLimited(7 * time.Second),
		"500": fakehttp.FailWith(500), "503": fakehttp.FailWith(503), "dropped": fakehttp.DropBefore(),
		"lost answer": fakehttp.LoseAnswer(), "malformed answer": fakehttp.MalformedAnswer(),
	}[what]))
}

// strikes counts how often the faults struck.
func (h *history) strikes() (n int) {
	for _, a := range h.armed {
		n += a.Hits()
	}
	return n
}

// change makes a change and notes what it changes of the items.
func (h *history) change(do func()) {
	h.tally.changes++
	do()
	h.revise()
}

// drawChange chooses what a person does in HighLevel.
func (h *history) drawChange() func() {
	slot := pick(h, "person", len(h.people))
	id := h.people[slot]
	if id == "" {
		return func() { h.arrive(slot) }
	}
	tasks, notes := h.hl.Tasks(id), h.hl.Notes(id)
	options := []string{"milestone", "milestone", "new task", "milestone", "no milestone", "rename", "new note", "delete"}
	if len(tasks) > 0 {
		options = append(options, "edit task", "complete task", "reopen task", "delete task")
	}
	if len(notes) > 0 {
		options = append(options, "edit note", "delete note")
	}
	what := choose(h, "change", options...)
	due := func() time.Time {
		return time.Date(2030, 3, 9+pick(h, "day", 4), 15, 0, 0, 0, time.UTC)
	}
	h.tell("person %d: %s, its webhooks go %s", slot, what, h.route)
	switch what {
	case "milestone":
		name, date := choose(h, "milestone", "Closing", "Inspection"), choose(h, "date", "2030-03-09", "2030-03-10", "2030-11-03", "2031-01-31")
		h.tell("  %s on %s", name, date)
		return func() { h.setMilestone(id, name, date) }
	case "no milestone":
		return func() {
			h.must(h.hl.SetCustomField(id, choose(h, "field", "contact.milestone", "contact.milestone_date"), ""))
		}
	case "rename":
		name := choose(h, "name", "Ann", "Bea")
		return func() { h.must(h.hl.UpdateContact(id, func(c *hlfake.Contact) { c.FirstName = name })) }
	case "new task":
		task := hlfake.Task{ContactID: id, Title: choose(h, "title", "Call", "Send the papers"), DueDate: due(), Body: choose(h, "body", "", "Bring the keys")}
		return func() {
			_, err := h.hl.CreateTask(task)
			h.must(err)
		}
	case "new note":
		note := hlfake.Note{ContactID: id, Body: choose(h, "note", noteBodies...)}
		return func() {
			_, err := h.hl.CreateNote(note)
			h.must(err)
		}
	case "delete":
		return func() {
			h.must(h.hl.DeleteContact(id))
			h.people[slot] = ""
		}
	case "edit note":
		note, body := choose(h, "which", notes...), choose(h, "note", noteBodies...)
		return func() { h.must(h.hl.UpdateNote(note.ID, func(n *hlfake.Note) { n.Body = body })) }
	case "delete note":
		note := choose(h, "which", notes...)
		return func() { h.must(h.hl.DeleteNote(note.ID)) }
	}
	task := choose(h, "which", tasks...)
	switch what {
	case "complete task":
		return func() { h.must(h.hl.CompleteTask(task.ID)) }
	case "delete task":
		return func() { h.must(h.hl.DeleteTask(task.ID)) }
	case "reopen task":
		return func() {
			h.must(h.hl.UpdateTask(task.ID, func(t *hlfake.Task) { t.Completed = false }))
			h.nudge(task.ID, id)
		}
	}
	title, at := choose(h, "title", "Call", "Send the papers"), due()
	return func() {
		h.must(h.hl.UpdateTask(task.ID, func(t *hlfake.Task) { t.Title, t.DueDate = title, at }))
		h.nudge(task.ID, id)
	}
}

func (h *history) setMilestone(id, name, date string) {
	h.must(h.hl.SetCustomFields(id, map[string]any{"contact.milestone": name, "contact.milestone_date": date}))
}

var noteBodies = []string{"Prefers mornings", "Alarm is off #vip", "Parks behind the house #keys #vip"}

// arrive makes the contact of a slot, with the e-mail address of the one before.
func (h *history) arrive(slot int) {
	h.tell("person %d arrives, its webhook goes %s", slot, h.route)
	c, err := h.hl.CreateContact(hlfake.Contact{LocationID: location, FirstName: "Ann", LastName: fmt.Sprint("P", slot), Email: mailOf(slot)})
	h.must(err)
	h.people[slot] = c.ID
}

func mailOf(slot int) string { return fmt.Sprintf("p%d@example.com", slot) }

// revise counts the items that say something else than before.
func (h *history) revise() { h.must(h.expected.revise(h.hl, h.hl.Contacts()...)) }

// check holds the end against what the records ask for.
func (h *history) check() {
	wrong, err := h.expected.audit(h.hl, h.ch)
	h.must(err)
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for slot, id := range h.people {
		var names []string
		for _, c := range h.ch.Contacts() {
			if slices.Contains(c.Email, mailOf(slot)) {
				names = append(names, c.Name)
			}
		}
		c, _ := h.hl.Contact(id)
		if len(names) > 1 || id != "" && !slices.Equal(names, []string{c.Name()}) {
			complain("the contacts of %s are %q, want %q once", mailOf(slot), names, c.Name())
		}
	}
	wrong = append(wrong, untagged(h.hl, h.hl.Contacts()...)...)
	for _, d := range h.deliveries() {
		if d.Outcome == store.Invalid || d.Outcome == store.Auth {
			complain("%s %s ended as %s: %s", d.WebhookID, d.Type, d.Outcome, d.Detail)
		}
	}
	for _, d := range h.unfinished() {
		complain("unfinished: %s", d)
	}
	h.tally.histories = 1
	h.tally.webhooks, h.tally.refused = h.relay.counts()
	h.tally.creates, h.tally.deletes, h.tally.mails = len(h.ch.Requests())+len(h.ch.Closed()), len(h.ch.Closed()), len(h.ch.Mails())
	if len(wrong) > 0 {
		h.fail("%s", "at the end:\n  "+strings.Join(wrong, "\n  "))
	}
}
