package sync

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"milepost/internal/contactmerge"
	chfake "milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/mapping"
)

// usualHistories are as many as a run makes that does not ask for -rapid.checks. A thorough
// run makes thoroughHistories.
const usualHistories, thoroughHistories = 5, 15

// TestContactsEndEqualAfterEveryHistory makes up edits of contacts on both sides, in many
// forms. Webhooks arrive twice or never, polls run, calls fail, and answers are lost before
// the write is stored. At the end, both sides agree on every part, and there were no more
// writes than edits.
func TestContactsEndEqualAfterEveryHistory(t *testing.T) {
	testenv.Long(t)
	checks := testenv.Rounds(thoroughHistories, usualHistories)
	flag.Visit(func(f *flag.Flag) {
		if f.Name == "rapid.checks" {
			checks = 0
		}
	})
	if f := flag.Lookup("rapid.checks"); checks > 0 {
		before := f.Value.String()
		_ = f.Value.Set(fmt.Sprint(checks))
		t.Cleanup(func() { _ = f.Value.Set(before) })
	}
	_ = flag.Set("rapid.nofailfile", "true")
	_ = flag.Set("rapid.shrinktime", "5s")
	var histories, edits, syncs, polls, faults, toHighLevel, toCalendarHero, conflicts int
	rules := []string{"newest", "highlevel", "calendarhero"}
	worlds := map[string]*bundle{}
	for _, rule := range rules {
		worlds[rule] = setup(t, bothWays(rule))
		worlds[rule].cfg.Every = 15 * time.Minute
		worlds[rule].start()
	}
	rapid.Check(t, func(rt *rapid.T) {
		h := &contactHistory{bundle: worlds[rapid.SampledFrom(rules).Draw(rt, "rule")], rt: rt}
		h.empty()
		hlBefore, chBefore := h.writes()
		for i := range 3 {
			h.arrive(i)
		}
		for range rapid.IntRange(8, 24).Draw(rt, "steps") {
			h.pass(time.Duration(rapid.IntRange(1, 1200).Draw(rt, "seconds")) * time.Second)
			h.step()
		}
		h.finish()
		hl, ch := h.writes()
		hl, ch = hl-hlBefore, ch-chBefore
		if limit := 2*h.edits + 4*h.struck() + 2*len(h.people); hl+ch > limit {
			rt.Errorf("%d writes for %d edits and %d faults of %d contacts", hl+ch, h.edits, h.struck(), len(h.people))
		}
		histories, edits, syncs, polls, faults = histories+1, edits+h.edits, syncs+h.syncs, polls+h.polls, faults+h.struck()
		toHighLevel, toCalendarHero, conflicts = toHighLevel+hl, toCalendarHero+ch, conflicts+h.conflicts()
	})
	t.Logf("%d histories: %d edits, %d syncs, %d polls, %d faults struck; %d writes to HighLevel, %d to CalendarHero, %d conflicts",
		histories, edits, syncs, polls, faults, toHighLevel, toCalendarHero, conflicts)
}

type contactHistory struct {
	*bundle
	rt                  *rapid.T
	people              []store.Entity
	armed               []*fakehttp.Armed
	edits, syncs, polls int
}

// empty clears away the history before.
func (h *contactHistory) empty() {
	h.hl.Faults().Clear()
	h.ch.Faults().Clear()
	for _, c := range h.hl.Contacts() {
		h.must(h.hl.DeleteContact(c.ID))
	}
	for _, c := range h.ch.Contacts() {
		h.must(h.conn().CalendarHero.DeleteContact(h.t.Context(), c.ID))
	}
	h.must(h.store.InTx(h.t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(h.t.Context(), `DELETE FROM links`)
		return err
	}))
	h.pass(time.Hour)
}

func (h *contactHistory) arrive(i int) {
	c, err := h.hl.SeedContact(hlfake.Contact{LocationID: location, FirstName: "Ann", LastName: "Lee", Email: fmt.Sprintf("p%d@example.com", i)})
	h.must(err)
	h.people = append(h.people, store.Entity{LocationID: location, Kind: string(mapping.KindContact), ID: c.ID})
	if rapid.Bool().Draw(h.rt, "was there") {
		_, err := h.ch.SeedContact(chfake.Contact{Name: "A. Lee", Email: []string{fmt.Sprintf("other%d@example.com", i), fmt.Sprintf("P%d@example.com", i)}, Title: "Buyer", Telephone: []string{fmt.Sprintf("(555) 000-000%d", i)}})
		h.must(err)
	}
	h.sync(i)
}

func (h *contactHistory) step() {
	i := rapid.IntRange(0, len(h.people)-1).Draw(h.rt, "person")
	n := rapid.IntRange(0, 3).Draw(h.rt, "value")
	switch rapid.SampledFrom([]string{"level", "level", "hero", "hero", "hero", "sync", "sync", "poll", "fault"}).Draw(h.rt, "step") {
	case "level":
		h.edits++
		part := rapid.SampledFrom([]string{"first", "last", "email", "phone", "company", "title"}).Draw(h.rt, "part")
		if part == "title" {
			h.must(h.hl.SetCustomField(h.people[i].ID, "contact.milestone", fmt.Sprint("Level title ", n)))
		} else {
			h.must(h.hl.UpdateContact(h.people[i].ID, func(c *hlfake.Contact) {
				switch part {
				case "first":
					c.FirstName = fmt.Sprint("First", n)
				case "last":
					c.LastName = fmt.Sprint("Last ", n)
				case "email":
					c.Email = fmt.Sprintf("level%d-%d@example.com", i, n)
				case "phone":
					c.Phone = fmt.Sprintf("+1555%d000%03d", i, n)
				case "company":
					c.CompanyName = fmt.Sprint("Company ", n)
				}
			}))
		}
		for range rapid.IntRange(0, 2).Draw(h.rt, "told") {
			h.sync(i)
		}
	case "hero":
		have, ok := h.hero(i)
		if !ok {
			return // its create is not settled
		}
		h.edits++
		part := rapid.SampledFrom([]string{"name", "name", "email", "emails", "phone", "title", "form"}).Draw(h.rt, "part")
		h.must(h.ch.EditContact(have.ID, func(c *chfake.Contact) {
			switch part {
			case "name":
				c.Name = rapid.SampledFrom([]string{"Hero", "Ann Lee", "First1 Hero", "Hero  van Last 1", "Hero Last 2"}).Draw(h.rt, "name")
			case "email":
				c.Email, c.DefaultEmail = []string{fmt.Sprintf("Hero%d-%d@example.com", i, n)}, ""
			case "emails":
				main := fmt.Sprintf("hero%d-%d@example.com", i, n)
				c.Email, c.DefaultEmail = append(without(c.Email, main), main), main
			case "phone":
				c.Telephone = []string{fmt.Sprintf(rapid.SampledFrom([]string{"+1555%d999%03d", "(555) %d99-9%03d", "001 555%d999%03d"}).Draw(h.rt, "form"), i, n)}
			case "title":
				c.Title = fmt.Sprint("Hero title ", n)
			case "form":
				c.Name = "  " + strings.ReplaceAll(c.Name, " ", "  ")
				for j := range c.Email {
					c.Email[j] = strings.ToUpper(c.Email[j])
				}
				c.DefaultEmail = strings.ToUpper(c.DefaultEmail)
			}
		}))
	case "sync":
		h.sync(i)
	case "poll":
		h.poll()
	case "fault":
		fault := rapid.SampledFrom([]fakehttp.Fault{fakehttp.LoseAnswer(), fakehttp.FailWith(503), fakehttp.DropBefore(), fakehttp.RateLimited(time.Minute)}).Draw(h.rt, "fault")
		times := rapid.IntRange(1, 5).Draw(h.rt, "times")
		h.armed = append(h.armed, h.hl.Faults().Next("PUT *", times, fault), h.ch.Faults().Next("* /contact*", times, fault))
	}
}

func without(list []string, v string) (out []string) {
	for _, have := range list {
		if !strings.EqualFold(have, v) {
			out = append(out, have)
		}
	}
	return out
}

// sync is one, which may fail.
func (h *contactHistory) sync(i int) error {
	h.syncs++
	_, err := h.try(h.people[i])
	return err
}

// poll looks at all, and syncs those that it asks for.
func (h *contactHistory) poll() (asked int) {
	h.polls++
	before := h.wanted()
	_, _, _ = h.reconciler.PollContacts(h.t.Context(), location, 200)
	for i, n := range h.wanted() {
		if n > before[i] {
			asked++
			_ = h.sync(i)
		}
	}
	return asked
}

func (h *contactHistory) wanted() (out []int64) {
	for _, e := range h.people {
		state, err := h.store.EntityState(h.t.Context(), e)
		h.must(err)
		out = append(out, state.Wanted)
	}
	return out
}

// hero is the contact in CalendarHero that a person is linked with.
func (h *contactHistory) hero(i int) (chfake.Contact, bool) {
	links, err := h.store.Links(h.t.Context(), h.people[i])
	h.must(err)
	for _, l := range links {
		for _, c := range h.ch.Contacts() {
			if c.ID == l.ObjectID && l.State == store.LinkLive {
				return c, true
			}
		}
	}
	return chfake.Contact{}, false
}

func (h *contactHistory) struck() (n int) {
	for _, a := range h.armed {
		n += a.Hits()
	}
	return n
}

// finish ends the faults, tells of every HighLevel contact once, as a
// reconciliation does, and polls until nothing more is asked for.
func (h *contactHistory) finish() {
	h.hl.Faults().Clear()
	h.ch.Faults().Clear()
	h.pass(time.Hour)
	for i := range h.people {
		if err := h.sync(i); err != nil {
			h.rt.Fatalf("person %d: %v", i, err)
		}
	}
	for round := 0; ; round++ {
		h.pass(time.Hour)
		if h.poll() == 0 {
			break
		}
		if round == 3 {
			h.rt.Fatal("it does not settle")
		}
	}
	hl, ch := h.writes()
	for i, e := range h.people {
		if res := h.do(e); res.outcome() != store.Unchanged {
			h.rt.Errorf("person %d is still %s: %s", i, res.outcome(), res.detail())
		}
		level, _ := h.hl.Contact(e.ID)
		hero, ok := h.hero(i)
		if !ok {
			h.rt.Fatalf("person %d is not in CalendarHero", i)
		}
		title, _ := level.CustomFields[h.hl.CustomFields(location)[0].ID].(string)
		email := hero.DefaultEmail
		if email == "" {
			email = hero.Email[0]
		}
		phone := ""
		if len(hero.Telephone) > 0 {
			phone = hero.Telephone[0]
		}
		if strings.Join(strings.Fields(hero.Name), " ") != level.Name() || !strings.EqualFold(email, level.Email) || hero.Title != title ||
			!contactmerge.SamePhone(phone, level.Phone) || (level.CompanyName != "" && hero.Organization != level.CompanyName) {
			h.rt.Errorf("person %d: CalendarHero has\n\t%+v\nand HighLevel\n\t%+v", i, hero, level)
		}
	}
	if n := len(h.ch.Contacts()); n != len(h.people) {
		h.rt.Errorf("CalendarHero has %d contacts for %d people: %+v", n, len(h.people), h.ch.Contacts())
	}
	if hlAfter, chAfter := h.writes(); hlAfter != hl || chAfter != ch {
		h.rt.Errorf("what is settled is written again: %d and %d", hlAfter-hl, chAfter-ch)
	}
}

func (h *contactHistory) conflicts() (n int) {
	for _, e := range h.people {
		entries, err := h.store.Timeline(h.t.Context(), location, e.ID)
		h.must(err)
		for _, t := range entries {
			if strings.HasPrefix(t.What, "conflict: ") {
				n++
			}
		}
	}
	return n
}
