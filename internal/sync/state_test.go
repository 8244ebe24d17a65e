package sync

import (
	"fmt"
	"strings"
	"testing"

	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/mapping"
)

// switched is an automation with a state.
func switched(yaml, state string) string {
	return strings.Replace(yaml, "  on:", "  state: "+state+"\n  on:", 1)
}

// requests are the subjects and days of the open meeting requests, without markers.
func (b *bundle) open() string {
	b.t.Helper()
	var all []string
	for _, r := range b.ch.Requests() {
		subject, _, _ := strings.Cut(r.Subject, " [")
		all = append(all, fmt.Sprintf("%s %s", subject, r.Start.Format("2006-01-02")))
	}
	return strings.Join(all, ", ")
}

func TestWhatAnAutomationMadeStaysAsItIsWhileItIsNotOn(t *testing.T) {
	testenv.Long(t)
	const gone = `- { name: Another, on: note.changed, do: [note: {}] }`
	for name, after := range map[string]string{
		"paused": switched(toOwner, "paused"), "off": switched(toOwner, "off"), "off, as it was written before": strings.Replace(toOwner, "  on:", "  enabled: false\n  on:", 1),
		"deleted": gone, "off beside another one": switched(toOwner, "off") + `
- { name: Contact, on: contact.changed, do: [contact: { name: "{{ contact.name }}", emails: ["{{ contact.email }}"] }] }
`,
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t, toOwner)
			e, mails := b.jane("2030-05-02"), 0
			b.do(e)
			before := b.open()
			b.mailed(&mails)
			b.use(after)
			b.do(e)
			b.setDate(e, "2030-05-03")
			res := b.do(e)
			b.setDate(e, "")
			b.do(e)
			if got := b.open(); got != before || before == "" {
				t.Errorf("CalendarHero has %q, had %q", got, before)
			}
			if got := b.mailed(&mails); got != "" {
				t.Errorf("mailed %q", got)
			}
			items, err := b.store.ItemsOf(t.Context(), e)
			b.must(err)
			if len(items) != 1 || !items[0].RemovedAt.IsZero() {
				t.Errorf("calendars show %+v", items)
			}
			if name == "off beside another one" && (len(res.considered) != 2 || !res.considered[0].Left || res.considered[0].Automation != "milestone") {
				t.Errorf("it says %+v", res.considered)
			}

			// Somebody agrees that it is removed. A paused one stays.
			set, err := mapping.Load("automations.yaml", []byte(after))
			b.must(err)
			b.live = func() *mapping.Set { return set.Removing([]string{"milestone"}) }
			b.do(e)
			want, mail := "", "cancel "+ownerMail
			if name == "paused" {
				want, mail = before, ""
			}
			if got := b.open(); got != want {
				t.Errorf("once agreed, CalendarHero has %q, want %q", got, want)
			}
			if got := b.mailed(&mails); got != mail {
				t.Errorf("once agreed, mailed %q, want %q", got, mail)
			}
		})
	}
}

func TestAnAutomationThatIsOnAgainCatchesUp(t *testing.T) {
	b := setup(t, toOwner)
	e := b.jane("2030-05-02")
	b.do(e)
	b.use(switched(toOwner, "paused"))
	b.setDate(e, "2030-05-03")
	b.do(e)
	b.use(toOwner)
	b.do(e)
	if got := b.open(); !strings.HasSuffix(got, "2030-05-03") || strings.Contains(got, ",") {
		t.Errorf("CalendarHero has %q", got)
	}
}

func TestADeletedRecordTakesAlongWhatAPausedAutomationMade(t *testing.T) {
	b := setup(t, toOwner)
	e := b.jane("2030-05-02")
	b.do(e)
	b.use(switched(toOwner, "paused"))
	b.must(b.hl.DeleteContact(e.ID))
	b.must(b.store.Requeue(t.Context(), []store.Entity{e}, true))
	b.do(e)
	if got := b.open(); got != "" {
		t.Errorf("CalendarHero has %q", got)
	}
}
