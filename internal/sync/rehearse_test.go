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

	"milepost/internal/account"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/mapping"
)

const rehearsedAutomations = toOwner + `
- { name: Contact, on: contact.changed, if: 'contact.city != "nowhere"', do: [contact: { name: "{{ contact.name }}", emails: ["{{ contact.email }}"] }] }
- { name: Invite, on: contact.tagged, tag: vip, do: [event: { title: "VIP {{ contact.first_name }}", start: "2030-06-01", invite: contact }] }
- { name: Tagged, on: contact.changed, if: 'contact.city == "Oslo"', do: [tags: { add: nordic }, highlevel_note: { text: "Lives in {{ contact.city }}, {{ contact.first_name }}" }] }
- { name: Task, on: task.changed, if: not task.completed, do: [task: { title: "{{ task.title }}", due: "{{ task.due }}" }] }
- { name: Deal, on: opportunity.changed, if: opportunity.status == "open", do: [event: { title: "{{ opportunity.name }} in {{ opportunity.stage }}", start: "2030-06-03" }] }
- { name: Won, on: opportunity.changed, if: opportunity.status == "won", do: [highlevel_note: { text: "{{ opportunity.name }} is won" }, request: { operation: highlevel.create_business, fields: { name: "{{ opportunity.name }} {{ opportunity.value }}" } }] }
- { name: Visit, on: appointment.changed, if: appointment.status != "cancelled", do: [event: { title: "{{ appointment.title }}", start: "{{ appointment.start }}", invite: contact }] }
- { name: Put, on: contact.changed, if: 'contact.city == "Rome"', do: [request: { operation: highlevel.update_contact, fields: { contactId: "{{ contact.id }}", source: "{{ contact.city }}" } }] }
- { name: Post, on: appointment.changed, do: [request: { operation: calendarhero.create_contact, fields: { name: "{{ appointment.title }}", email: ["{{ appointment.start }}@example.com"] } }] }
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
// the calls and mails of the sync. A thorough run plays 12 seeds.
func TestARehearsalSaysWhatTheSyncThenDoes(t *testing.T) {
	testenv.Long(t)
	seeds, steps := testenv.Rounds(12, 3), 40
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(uint64(seed), 1))
			b := setup(t, rehearsedAutomations)
			jane := b.jane("2030-05-02")
			task, err := b.hl.SeedTask(hlfake.Task{ContactID: jane.ID, Title: "Call", DueDate: time.Date(2030, 5, 20, 9, 0, 0, 0, time.UTC)})
			b.must(err)
			b.hl.SeedPipeline(location, hlfake.Pipeline{ID: salesPipeline, Name: "Sales", Stages: dealStages})
			deal, err := b.hl.SeedOpportunity(hlfake.Opportunity{ContactID: jane.ID, PipelineID: salesPipeline, Name: "House"})
			b.must(err)
			visit, err := b.hl.SeedAppointment(hlfake.Appointment{ContactID: jane.ID, CalendarID: "cal", Title: "Visit", Start: time.Date(2030, 5, 21, 9, 0, 0, 0, time.UTC)})
			b.must(err)
			entities := []store.Entity{
				jane,
				{LocationID: location, Kind: string(mapping.KindTask), ID: task.ID},
				{LocationID: location, Kind: string(mapping.KindOpportunity), ID: deal.ID},
				{LocationID: location, Kind: string(mapping.KindAppointment), ID: visit.ID},
			}
			did := 0
			for step := range steps {
				what := b.somethingHappens(random, jane.ID, deal.ID, visit.ID)
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

func TestARehearsalOfWhatIsNotThereSaysWhoseItIs(t *testing.T) {
	testenv.Long(t)
	b := setup(t, automationsOf(mapping.NewestWins))
	jane := b.jane("2030-05-02")
	b.do(jane)
	for kind, vendor := range map[mapping.Kind]string{
		mapping.KindContact: highLevelAPI, mapping.KindTask: highLevelAPI, mapping.KindNote: highLevelAPI, mapping.KindAppointment: highLevelAPI,
		mapping.KindOpportunity: highLevelAPI, mapping.KindWorkflow: highLevelAPI, mapping.KindMeeting: "CalendarHero",
	} {
		said, err := b.Rehearser(b.live(), nil).Rehearse(t.Context(), store.Entity{LocationID: location, Kind: string(kind), ID: "TYPO"}, jane.ID)
		if err != nil || said.Unknown != vendor {
			t.Errorf("of a %s: %+v, %v", kind, said, err)
		}
	}
	if said, err := b.Rehearser(b.live(), nil).Rehearse(t.Context(), jane, ""); err != nil || said.Unknown != "" {
		t.Errorf("of Jane: %+v, %v", said, err)
	}
}

// somethingHappens changes something and says what.
func (b *bundle) somethingHappens(random *rand.Rand, contact, deal, visit string) string {
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
		"a tag":  func() { b.must(b.hl.UpdateContact(contact, func(c *hlfake.Contact) { c.Tags = []string{"vip"} })) },
		"no tag": func() { b.must(b.hl.UpdateContact(contact, func(c *hlfake.Contact) { c.Tags = nil })) },
		"the deal moves": func() {
			b.must(b.hl.UpdateOpportunity(deal, func(o *hlfake.Opportunity) { o.StageID = dealStages[random.IntN(3)].ID }))
		},
		"the deal is won or not": func() {
			b.must(b.hl.UpdateOpportunity(deal, func(o *hlfake.Opportunity) { o.Status = []string{"open", "won"}[random.IntN(2)] }))
		},
		"the deal is worth more": func() { b.must(b.hl.UpdateOpportunity(deal, func(o *hlfake.Opportunity) { o.MonetaryValue++ })) },
		"the visit moves": func() {
			b.must(b.hl.UpdateAppointment(visit, func(a *hlfake.Appointment) {
				a.Start = a.Start.Add(time.Hour)
				a.End = a.Start.Add(time.Hour)
			}))
		},
		"the visit is off or on": func() {
			b.must(b.hl.UpdateAppointment(visit, func(a *hlfake.Appointment) { a.Status = []string{"cancelled", "confirmed"}[random.IntN(2)] }))
		},
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
	b.pass(account.ListsFresh) // a rehearsal reads them anew, and a sync when they are old
	return what
}
