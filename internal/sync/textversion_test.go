package sync

import (
	"strings"
	"testing"

	"milepost/internal/fingerprint"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/mapping"
)

const textsOfATask = `
- name: Task
  on: task.changed
  do:
    - task: { title: "{{ task.title }}", description: "{{ task.body }}", attach: [notes], invite: owner }
    - tags: { hashtags_of: "{{ task.body }}" }
    - highlevel_note: { text: "Noted: {{ task.body }}" }
    - highlevel_task: { title: "{{ task.body }}", body: "{{ task.body }}", due: "{{ task.due }}" }
- name: By its text
  on: task.changed
  do:
    - event: { title: "{{ task.body }}", start: "{{ task.due }}", invite: owner }
- name: Note
  on: note.changed
  do:
    - note: {}
`

const (
	bodyOfATask = `<p>See <a href="https://x.example/1">the plan</a> &amp; call #soon</p><ol><li><p>One</p></li></ol>`
	bodyOfANote = "Follow the <style> guide #urgent"
)

// taskWithTexts is a task of a contact that has a note, synced once.
func (b *bundle) taskWithTexts() store.Entity {
	contact := b.jane("")
	_, err := b.hl.CreateNote(hlfake.Note{ContactID: contact.ID, Body: bodyOfANote})
	b.must(err)
	task, err := b.hl.CreateTask(hlfake.Task{ContactID: contact.ID, Title: "Call", Body: bodyOfATask, DueDate: b.now().AddDate(0, 0, 3)})
	b.must(err)
	e := store.Entity{LocationID: location, Kind: string(mapping.KindTask), ID: task.ID}
	b.do(e)
	return e
}

// beforeTextVersion2 gives the links the digests that they had before.
func (b *bundle) beforeTextVersion2(e store.Entity) {
	b.t.Helper()
	links, err := b.store.Links(b.t.Context(), e)
	b.must(err)
	for key, digests := range map[string][2]string{ // material, content
		"task/2":        {"", "d985cb46d4f70fc439599a79"},
		"task/3":        {"", "aa60eeb46a77035530845e7d"},
		"task/4":        {"", "5b48c1a749a8051e09cef04a"},
		"by-its-text/1": {"8a649b8fbfbfa074cc096745", "8a649b8fbfbfa074cc096745"},
		"task/1":        {"ed5b2f9fec8cf9bfd5158536", "999dae3fcf0e41bc5ef06a21"},
	} {
		l := links[key]
		l.Material, l.Content = digests[0], digests[1]
		b.must(b.store.SaveLink(b.t.Context(), l, b.now(), nil))
	}
}

// allWrites counts what was written on either side, and mailed.
func (b *bundle) allWrites() (n int) {
	for what, calls := range b.ch.Calls() {
		if !strings.HasPrefix(what, "GET ") {
			n += calls
		}
	}
	for what, calls := range b.hl.Calls() {
		if !strings.HasPrefix(what, "GET ") && !strings.Contains(what, "search") {
			n += calls
		}
	}
	return n + len(b.ch.Mails())
}

func TestAnUpgradeOfTheRulesForTextsWritesNothing(t *testing.T) {
	testenv.Long(t)
	b := setup(t, textsOfATask)
	e := b.taskWithTexts()
	if r := b.ch.Requests(); len(r) != 2 || !strings.Contains(r[0].Description+r[1].Description, "the plan (https://x.example/1)") {
		t.Fatalf("the new rules are not in use: %+v", r)
	}
	b.beforeTextVersion2(e)
	before := b.allWrites()
	for range 2 {
		if res := b.do(e); len(res.did) > 0 {
			t.Errorf("it did %q", res.did)
		}
	}
	if n := b.allWrites() - before; n != 0 {
		t.Errorf("%d writes and mails", n)
	}
	links, err := b.store.Links(t.Context(), e)
	b.must(err)
	for key, l := range links {
		if !fingerprint.IsCurrent(l.Content) {
			t.Errorf("%s has the content %q", key, l.Content)
		}
	}
}

// The link is all that is added, and the former rules would not have seen it.
func TestAChangeAfterTheUpgradeIsOne(t *testing.T) {
	testenv.Long(t)
	for _, c := range []struct{ name, body string }{
		{"of words", strings.Replace(bodyOfATask, "One", "Two", 1)},
		{"of a link", strings.Replace(bodyOfATask, "example/1", "example/2", 1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t, textsOfATask)
			e := b.taskWithTexts()
			b.beforeTextVersion2(e)
			b.do(e)
			b.must(b.hl.UpdateTask(e.ID, func(t *hlfake.Task) { t.Body = c.body }))
			b.do(e)
			got := ""
			for _, r := range b.ch.Requests() {
				got += r.Description
			}
			if want := mapping.PlainText(c.body); !strings.Contains(got, want) {
				t.Errorf("the descriptions are %q, want %q in them", got, want)
			}
		})
	}
}

func TestAChangeDuringTheUpgradeIsOne(t *testing.T) {
	testenv.Long(t)
	b := setup(t, textsOfATask)
	e := b.taskWithTexts()
	b.beforeTextVersion2(e)
	b.must(b.hl.UpdateTask(e.ID, func(t *hlfake.Task) { t.Body = strings.Replace(bodyOfATask, "plan", "map", 1) }))
	b.do(e)
	for _, r := range b.ch.Requests() {
		if !strings.Contains(r.Description+r.Subject, "the map (https://x.example/1)") {
			t.Errorf("%q has the description %q", r.Subject, r.Description)
		}
	}
}

// A text may look like HTML. It is not read as such on its way to either side.
func TestTextArrivesAsItWasWritten(t *testing.T) {
	b := setup(t, textsOfATask)
	const text = "  Dear <Name>,\nuse <p>one</p> &amp; a=1&copy=2\n\n\n<b>x</b>"
	contact := b.jane("")
	task, err := b.hl.CreateTask(hlfake.Task{ContactID: contact.ID, Title: "<i>Call</i> &amp; ask", Body: text, DueDate: b.now().AddDate(0, 0, 3)})
	b.must(err)
	e := store.Entity{LocationID: location, Kind: string(mapping.KindTask), ID: task.ID}
	b.do(e)
	var described, noted bool
	for _, r := range b.ch.Requests() {
		described = described || strings.HasPrefix(r.Description, text+"\n\n[ref: ") && strings.HasPrefix(r.Subject, "<i>Call</i> &amp; ask [")
	}
	for _, n := range b.hl.Notes(contact.ID) {
		noted = noted || strings.HasPrefix(n.Body, "Noted: "+text+"\n\n[ref: ")
	}
	if !described || !noted {
		t.Errorf("in the request: %v, in the note: %v", described, noted)
	}
	for _, i := range b.calendar(e) {
		if i.Content.Description != "" && i.Content.Description != text {
			t.Errorf("the calendar has %q", i.Content.Description)
		}
	}
}
