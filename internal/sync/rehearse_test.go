package sync

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/mapping"
)

const rehearsedAutomations = toOwner + `
- { name: Contact, on: contact.changed, if: 'contact.city != "nowhere"', do: [contact: { name: "{{ contact.name }}", emails: ["{{ contact.email }}"] }] }
- { name: Invite, on: contact.tagged, tag: vip, do: [event: { title: "VIP {{ contact.first_name }}", start: "2030-06-01", invite: contact }] }
- { name: Tagged, on: contact.changed, if: 'contact.city == "Oslo"', do: [tags: { add: nordic }, highlevel_note: { text: "Lives in {{ contact.city }}, {{ contact.first_name }}" }] }
- { name: Task, on: task.changed, if: not task.completed, do: [task: { title: "{{ task.title }}", due: "{{ task.due }}" }] }
`

// written are the calls of both fakes that write, by what they do.
func (b *bundle) written() map[string]int {
	b.t.Helper()
	all := map[string]int{}
	for _, calls := range []map[string]int{b.hl.Calls(), b.ch.Calls()} {
		for call, n := range calls {
			if method, path, _ := strings.Cut(call, " "); method != "GET" && !strings.HasSuffix(path, "/search") {
				all[method+" "+pattern(path)] += n
			}
		}
	}
	return all
}

// pattern is a path with a star for each id.
func pattern(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if strings.ContainsFunc(p, func(r rune) bool { return r == '{' || unicode.IsDigit(r) || unicode.IsUpper(r) }) {
			parts[i] = "*"
		}
	}
	return strings.Join(parts, "/")
}

func less(after, before map[string]int) map[string]int {
	out := map[string]int{}
	for k, n := range after {
		if n > before[k] {
			out[k] = n - before[k]
		}
	}
	return out
}

// TestARehearsalSaysWhatTheSyncThenDoes changes records, automations and meetings at
// random. Before each sync it rehearses it: the rehearsal must write nothing, and name
// the calls and mails of the sync.
func TestARehearsalSaysWhatTheSyncThenDoes(t *testing.T) {
	seeds, steps := 12, 25
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(uint64(seed), 1))
			b := setup(t, rehearsedAutomations)
			jane := b.jane("2030-05-02")
			task, err := b.hl.SeedTask(hlfake.Task{ContactID: jane.ID, Title: "Call", DueDate: time.Date(2030, 5, 20, 9, 0, 0, 0, time.UTC)})
			b.must(err)
			entities := []store.Entity{jane, {LocationID: location, Kind: string(mapping.KindTask), ID: task.ID}}
			did := 0
			for step := range steps {
				what := b.somethingHappens(random, jane.ID, task.ID)
				e := entities[random.IntN(len(entities))]
				before, mails := b.written(), len(b.ch.Mails())
				links, err := b.store.Links(t.Context(), e)
				b.must(err)
				said, err := b.Rehearser(b.live(), nil).Rehearse(t.Context(), e, jane.ID)
				b.must(err)
				if wrote := less(b.written(), before); len(wrote) > 0 || len(b.ch.Mails()) != mails {
					t.Fatalf("step %d, %s: the rehearsal wrote %v", step, what, wrote)
				}
				after, err := b.store.Links(t.Context(), e)
				b.must(err)
				if diff := cmp.Diff(links, after); diff != "" {
					t.Fatalf("step %d, %s: the rehearsal stored %s", step, what, diff)
				}
				want := map[string]int{}
				for _, call := range said.Calls {
					want[call.Method+" "+pattern(call.Path)]++
				}
				_, err = b.run(e)
				if (err != nil) != (said.Waits != "") {
					t.Errorf("step %d, %s: the sync ended with %v, and the rehearsal said %q", step, what, err, said.Waits)
				}
				did += len(want)
				if diff := cmp.Diff(want, less(b.written(), before)); diff != "" {
					t.Errorf("step %d, %s, %s: the sync made other calls than were rehearsed (-rehearsed +made):\n%s\n%s", step, what, e.Kind, diff, said.Detail)
				}
				var sent, told []string
				for _, m := range b.ch.Mails()[mails:] {
					sent = append(sent, m.To+" "+strings.NewReplacer("invite", "invitation", "cancel", "cancellation").Replace(string(m.Kind)))
				}
				for _, m := range said.Mails {
					told = append(told, m.To+" "+m.What)
				}
				slices.Sort(sent)
				slices.Sort(told)
				if diff := cmp.Diff(told, sent); diff != "" {
					t.Errorf("step %d, %s, %s: the sync mailed others than were rehearsed (-rehearsed +mailed):\n%s", step, what, e.Kind, diff)
				}
			}
			if did == 0 {
				t.Error("no sync did anything")
			}
		})
	}
}

// somethingHappens changes something and says what.
func (b *bundle) somethingHappens(random *rand.Rand, contact, task string) string {
	b.t.Helper()
	day := fmt.Sprintf("2030-05-%02d", 1+random.IntN(5))
	changes := map[string]func(){
		"the date moves":    func() { b.must(b.hl.SetCustomField(contact, "contact.milestone_date", day)) },
		"the date goes":     func() { b.must(b.hl.SetCustomField(contact, "contact.milestone_date", "")) },
		"another milestone": func() { b.must(b.hl.SetCustomField(contact, "contact.milestone", "M"+day[8:])) },
		"a note": func() {
			_, err := b.hl.SeedNote(hlfake.Note{ContactID: contact, Body: "a note of " + day})
			b.must(err)
		},
		"another city": func() {
			b.must(b.hl.UpdateContact(contact, func(c *hlfake.Contact) { c.City = []string{"Oslo", "Rome", "nowhere"}[random.IntN(3)] }))
		},
		"a tag":                 func() { b.must(b.hl.UpdateContact(contact, func(c *hlfake.Contact) { c.Tags = []string{"vip"} })) },
		"no tag":                func() { b.must(b.hl.UpdateContact(contact, func(c *hlfake.Contact) { c.Tags = nil })) },
		"time passes":           func() { b.pass(10 * time.Minute) },
		"an automation pauses":  func() { b.use(switched(rehearsedAutomations, "paused")) },
		"an automation is off":  func() { b.use(switched(rehearsedAutomations, "off")) },
		"all automations on":    func() { b.use(rehearsedAutomations) },
		"an automation is gone": func() { b.use(strings.Replace(rehearsedAutomations, toOwner, "", 1)) },
		"somebody accepts": func() {
			if all := b.ch.Requests(); len(all) > 0 {
				_ = b.ch.Accept(all[random.IntN(len(all))].ID)
			}
		},
		"somebody cancels": func() {
			if all := b.ch.Requests(); len(all) > 0 {
				_ = b.ch.Cancel(all[random.IntN(len(all))].ID)
			}
		},
	}
	what := slices.Sorted(maps.Keys(changes))[random.IntN(len(changes))]
	changes[what]()
	return what
}
