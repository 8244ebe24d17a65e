package sync

import (
	"strings"
	"testing"
	"time"

	"milepost/internal/sandbox/fakehttp"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/mapping"
)

const toContact = `
- name: Milestone
  on: milestone.changed
  milestone: { name: contact.milestone, date: contact.milestone_date }
  if: milestone.name != "" and milestone.date != nil
  do:
    - event: { title: "{{ milestone.name }}", start: "{{ milestone.date }}", invite: contact, attach: [notes, tags] }
`

// use changes the automations, as a start with another file does.
func (b *bundle) use(yaml string) {
	b.t.Helper()
	set, err := mapping.Load("automations.yaml", []byte(yaml))
	b.must(err)
	b.live = func() *mapping.Set { return set }
	var items []string
	for _, r := range set.InvitesOthers() {
		items = append(items, r.Key)
	}
	b.must(b.store.KeepConsents(b.t.Context(), items))
}

// mailed are the kinds and addresses of the mails since the last call.
func (b *bundle) mailed(since *int) string {
	b.t.Helper()
	var all []string
	for _, m := range b.ch.Mails()[*since:] {
		all = append(all, string(m.Kind)+" "+m.To)
	}
	*since = len(b.ch.Mails())
	return strings.Join(all, ", ")
}

func TestRequestsThatAreOpenStayWithTheOwnerUntilSomebodyAgrees(t *testing.T) {
	testenv.Long(t)
	const owned, customer = ownerMail, "jane@example.com"
	for _, c := range []struct {
		name   string
		before string
		after  string
		item   string
		harm   func(*bundle)
	}{
		{"the same automation", toOwner, toContact, "milestone/1", nil},
		{"one of another name", toOwner, strings.Replace(toContact, "name: Milestone", "name: Other", 1), "other/1", nil},
		{"one that an expression chooses", toOwner, strings.Replace(toContact, "invite: contact", `invite: '{{ contact.email }}'`, 1), "milestone/1", nil},
		{"a request of an earlier version", toOwner, toContact, "milestone/1", func(b *bundle) {
			b.must(b.store.InTx(b.t.Context(), func(tx *store.Tx) error {
				_, err := tx.Exec(b.t.Context(), `UPDATE links SET invited = ''`)
				return err
			}))
		}},
		{"an automation of another name, and a crash", toOwner, strings.Replace(toContact, "name: Milestone", "name: Other", 1), "other/1", func(b *bundle) {
			b.ch.Faults().Next("POST /meeting/tasks", 1, fakehttp.FailWith(503))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t, c.before)
			e, mails := b.jane("2030-05-02"), 0
			b.do(e)
			if got := b.mailed(&mails); got != "invite "+owned {
				t.Fatalf("mailed %q", got)
			}
			b.use(c.after)
			if c.harm != nil {
				c.harm(b)
			}
			if _, err := b.run(e); err != nil {
				b.pass(time.Minute)
				b.do(e)
			}
			if got := b.mailed(&mails); strings.Contains(got, customer) {
				t.Fatalf("nobody agreed, and mailed was %q", got)
			}
			res := b.do(e)
			if !strings.Contains(res.detail(), "stays with the account's owner until you agree") {
				t.Errorf("it does not say so: %q", res.detail())
			}
			b.setDate(e, "2030-05-03")
			b.do(e)
			if got, want := b.mailed(&mails), "cancel "+owned+", invite "+owned; got != want {
				t.Errorf("a change of the date mailed %q, want %q", got, want)
			}
			held, err := b.store.HeldInvites(t.Context(), []string{c.item, "x"}, b.now())
			b.must(err)
			if len(held) != 1 || held[0] != (store.HeldInvites{Item: c.item, LocationID: location, Requests: 1}) {
				t.Errorf("it waits %+v", held)
			}
			before, err := b.store.EntityState(t.Context(), e)
			b.must(err)
			n, err := b.store.AllowInvites(t.Context(), []string{c.item}, b.now())
			b.must(err)
			after, err := b.store.EntityState(t.Context(), e)
			b.must(err)
			if n != 1 || after.Wanted == before.Wanted {
				t.Errorf("%d were allowed, and a sync wanted: %v", n, after.Wanted > before.Wanted)
			}
			b.do(e)
			if got, want := b.mailed(&mails), "cancel "+owned+", invite "+customer; got != want {
				t.Errorf("allowed, it mailed %q, want %q", got, want)
			}
			if held, err := b.store.HeldInvites(t.Context(), []string{c.item}, b.now()); err != nil || len(held) != 0 {
				t.Errorf("it still waits: %+v, %v", held, err)
			}
		})
	}
}

func TestAnAutomationThatInvitesTheCustomerInvitesThemToNewRequests(t *testing.T) {
	b := setup(t, toOwner)
	b.use(toContact)
	e, mails := b.jane("2030-05-02"), 0
	b.do(e)
	b.setDate(e, "2030-05-03")
	b.do(e)
	if got, want := b.mailed(&mails), "invite jane@example.com, cancel jane@example.com, invite jane@example.com"; got != want {
		t.Errorf("mailed %q, want %q", got, want)
	}
}

func TestWhatWasAgreedToHoldsUntilTheOwnerIsInvitedAgain(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	e, mails := b.jane("2030-05-02"), 0
	b.do(e)
	b.use(toContact)
	_, err := b.store.AllowInvites(t.Context(), []string{"milestone/1"}, b.now())
	b.must(err)
	b.use(toContact) // a restart
	b.do(e)
	b.use(toOwner)
	b.do(e)
	b.mailed(&mails)
	b.use(toContact)
	b.do(e)
	if got := b.mailed(&mails); got != "" {
		t.Errorf("changed a second time, it mailed %q", got)
	}
}
