package sync

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"milepost/clients/highlevel"
	"milepost/internal/outcome"
	chfake "milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/mapping"
)

// bothWays are automations with the milestone field as the job title.
func bothWays(conflict string) string {
	return `
- name: Contacts
  on: contact.changed
  conflict: ` + conflict + `
  do:
    - contact: { two_way: true, job_title: "{{ contact.milestone }}" }
`
}

// pair is a contact that both sides have.
type pair struct {
	*bundle
	e store.Entity
}

// paired syncs a contact of HighLevel for the first time.
func paired(t *testing.T, automations string) pair {
	t.Helper()
	b := setup(t, automations)
	b.cfg.Every = 15 * time.Minute
	b.start()
	c, err := b.hl.SeedContact(hlfake.Contact{
		LocationID: location, FirstName: "Jane", LastName: "van der Berg", Email: "jane@example.com", Phone: "+15551234567", CompanyName: "Northwind",
		CustomFields: map[string]any{"contact.milestone": "Buyer"},
	})
	b.must(err)
	p := pair{b, store.Entity{LocationID: location, Kind: string(mapping.KindContact), ID: c.ID}}
	b.do(p.e)
	return p
}

// hero is the one contact in CalendarHero.
func (p pair) hero() chfake.Contact {
	p.t.Helper()
	all := p.ch.Contacts()
	if len(all) != 1 {
		p.t.Fatalf("CalendarHero has %d contacts", len(all))
	}
	return all[0]
}

func (p pair) level() hlfake.Contact {
	p.t.Helper()
	c, ok := p.hl.Contact(p.e.ID)
	if !ok {
		p.t.Fatal("HighLevel has it no more")
	}
	return c
}

func (p pair) editHero(change func(*chfake.Contact)) {
	p.t.Helper()
	p.pass(time.Minute)
	p.must(p.ch.EditContact(p.hero().ID, change))
}

func (p pair) editLevel(change func(*hlfake.Contact)) {
	p.t.Helper()
	p.pass(time.Minute)
	p.must(p.hl.UpdateContact(p.e.ID, change))
}

// writes counts those to contacts on either side.
func (b *bundle) writes() (toHighLevel, toCalendarHero int) {
	return b.hl.Calls()["PUT /contacts/{contactId}"], b.ch.Calls()["PUT /contact/{id}"] + b.ch.Calls()["POST /contact"]
}

// settles syncs twice: the second time is the echo, and writes nothing.
func (p pair) settles() *result {
	p.t.Helper()
	first := p.do(p.e)
	hl, ch := p.writes()
	if res := p.do(p.e); res.outcome() != store.Unchanged {
		p.t.Errorf("the echo ended as %s: %s", res.outcome(), res.detail())
	}
	if hlAfter, chAfter := p.writes(); hlAfter != hl || chAfter != ch {
		p.t.Errorf("the echo wrote %d times to HighLevel and %d to CalendarHero", hlAfter-hl, chAfter-ch)
	}
	return first
}

// asked reports whether a poll asks for a sync.
func (p pair) asked() bool {
	p.t.Helper()
	before, err := p.store.EntityState(p.t.Context(), p.e)
	p.must(err)
	p.pass(p.cfg.Every)
	_, _, err = p.reconciler.PollContacts(p.t.Context(), location, 200)
	p.must(err)
	after, err := p.store.EntityState(p.t.Context(), p.e)
	p.must(err)
	return after.Wanted > before.Wanted
}

// told is what the timeline says of the contact.
func (p pair) told() string {
	p.t.Helper()
	entries, err := p.store.Timeline(p.t.Context(), location, p.e.ID)
	p.must(err)
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "%s: %s\n", e.What, e.Detail)
	}
	return b.String()
}

func TestWhatChangedInCalendarHeroIsWrittenBackAlone(t *testing.T) {
	testenv.Long(t)
	for _, c := range []struct {
		name    string
		edit    func(*chfake.Contact)
		body    string // of the one write to HighLevel
		company bool
	}{
		{name: "first name", edit: func(c *chfake.Contact) { c.Name = "Joan van der Berg" }, body: `{"firstName":"Joan"}`},
		{name: "last name", edit: func(c *chfake.Contact) { c.Name = "Jane  Smith" }, body: `{"lastName":"Smith"}`},
		{name: "the whole name", edit: func(c *chfake.Contact) { c.Name = "Ann Lee Wu" }, body: `{"firstName":"Ann","lastName":"Lee Wu"}`},
		{name: "one name is left", edit: func(c *chfake.Contact) { c.Name = "Jane" }, body: `{"lastName":null}`},
		{name: "main address", edit: func(c *chfake.Contact) {
			c.Email, c.DefaultEmail = []string{"jane@example.com", "Joan@example.com"}, "Joan@example.com"
		}, body: `{"email":"joan@example.com"}`},
		{name: "the one address", edit: func(c *chfake.Contact) { c.Email, c.DefaultEmail = []string{"joan@example.com"}, "" }, body: `{"email":"joan@example.com"}`},
		{name: "phone, as HighLevel keeps it", edit: func(c *chfake.Contact) { c.Telephone = []string{"(555) 765-4321"} }, body: `{"phone":"+15557654321"}`},
		{name: "job title, in a custom field", edit: func(c *chfake.Contact) { c.Title = "Seller" }, body: `field_value":"Seller"`},
		{name: "form alone", edit: func(c *chfake.Contact) {
			c.Name, c.Email, c.DefaultEmail, c.Telephone = " Jane van  der Berg", []string{"JANE@example.com"}, "JANE@example.com", []string{"555 1234567"}
		}},
		{name: "what HighLevel has and CalendarHero lost", edit: func(c *chfake.Contact) { c.Name, c.Telephone, c.Title = "", nil, "" }},
		{name: "company, which HighLevel does not take", edit: func(c *chfake.Contact) { c.Organization = "Acme" }},
		{name: "a further address", edit: func(c *chfake.Contact) {
			c.Email, c.DefaultEmail = []string{"jane@example.com", "x@example.com"}, "jane@example.com"
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := paired(t, bothWays("newest"))
			before := p.level()
			bodies := p.bodies(http.MethodPut)
			p.editHero(c.edit)
			hero := p.hero()
			p.settles()
			switch sent := bodies(); {
			case c.body == "" && len(sent) > 0, c.body != "" && (len(sent) != 1 || !strings.Contains(sent[0], c.body)):
				t.Errorf("HighLevel got %q, want %s", sent, c.body)
			}
			if after := p.level(); after.CompanyName != before.CompanyName || !slices.Equal(after.Tags, before.Tags) {
				t.Errorf("it became %+v", after)
			}
			if fmt.Sprint(p.hero()) != fmt.Sprint(hero) {
				t.Errorf("CalendarHero's became %+v, was %+v", p.hero(), hero)
			}
			if p.asked() {
				t.Error("a poll asks for it again")
			}
		})
	}
}

func TestWhatChangedInHighLevelGoesToCalendarHeroAndClearsNothing(t *testing.T) {
	p := paired(t, bothWays("newest"))
	p.editHero(func(c *chfake.Contact) {
		c.Organization, c.Telephone = "Acme", append(c.Telephone, "+49 30 1")
	})
	p.settles()
	p.editLevel(func(c *hlfake.Contact) { c.Email, c.Phone, c.LastName = "new@example.com", "+15550000000", "" })
	p.settles()
	got := p.hero()
	if got.Name != "Jane" || got.DefaultEmail != "new@example.com" || !slices.Equal(got.Email, []string{"new@example.com", "jane@example.com"}) ||
		!slices.Equal(got.Telephone, []string{"+15550000000", "+15551234567", "+49 30 1"}) || got.Organization != "Acme" {
		t.Errorf("it became %+v", got)
	}
	p.editLevel(func(c *hlfake.Contact) { c.Phone = "" })
	p.setTitle("")
	p.settles()
	if got := p.hero(); got.Telephone[0] != "+15550000000" || got.Title != "Buyer" || p.level().Phone != "" {
		t.Errorf("it became %+v", got)
	}
	p.editHero(func(c *chfake.Contact) { c.Telephone = []string{"+15559999999"} })
	p.settles()
	if got := p.level().Phone; got != "+15559999999" {
		t.Errorf("the phone that HighLevel lacked became %q", got)
	}
	if hl, _ := p.writes(); hl != 1 {
		t.Errorf("%d writes to HighLevel, want 1", hl)
	}
}

func (p pair) setTitle(v string) {
	p.t.Helper()
	p.must(p.hl.SetCustomField(p.e.ID, "contact.milestone", v))
}

func TestBothChangedAndTheRuleDecides(t *testing.T) {
	testenv.Long(t)
	for _, c := range []struct {
		rule, order string // which side changed last
		want        string
		loser       string
	}{
		{"highlevel", "CalendarHero", "Hanna van der Berg", "Carla"},
		{"calendarhero", "HighLevel", "Carla van der Berg", "Hanna"},
		{"newest", "HighLevel", "Hanna van der Berg", "Carla"},
		{"newest", "CalendarHero", "Carla van der Berg", "Hanna"},
		{"newest", "CalendarHero, but nobody looked between", "Hanna van der Berg", "Carla"},
	} {
		t.Run(c.rule+", last "+c.order, func(t *testing.T) {
			p := paired(t, bothWays(c.rule))
			hanna := func() { p.editLevel(func(c *hlfake.Contact) { c.FirstName = "Hanna" }) }
			carla := func() { p.editHero(func(c *chfake.Contact) { c.Name = "Carla van der Berg" }) }
			switch c.order {
			case "HighLevel":
				carla()
				p.asked()
				hanna()
			case "CalendarHero":
				hanna() // its webhook is lost
				if p.asked() {
					t.Fatal("a poll sees what is not there")
				}
				carla()
			default:
				hanna()
				carla()
			}
			for _, fault := range []fakehttp.Fault{fakehttp.FailWith(503), fakehttp.LoseAnswer()} {
				p.hl.Faults().Next("PUT /contacts/{contactId}", -1, fault)
				p.ch.Faults().Next("PUT /contact/{id}", -1, fault)
				for range 2 {
					_, _ = p.try(p.e)
				}
				p.hl.Faults().Clear()
				p.ch.Faults().Clear()
			}
			p.settles()
			if hero, level := p.hero().Name, p.level().Name(); hero != c.want || level != c.want {
				t.Errorf("CalendarHero has %q, HighLevel %q, want %q", hero, level, c.want)
			}
			if told := p.told(); strings.Count(told, "wins: the other was "+c.loser) != 1 {
				t.Errorf("the loser is not told once:\n%s", told)
			}
		})
	}
}

func TestAnAddressThatAnotherContactHasIsRefusedOnce(t *testing.T) {
	testenv.Long(t)
	p := paired(t, bothWays("newest"))
	other, err := p.hl.SeedContact(hlfake.Contact{LocationID: location, FirstName: "Other", Email: "taken@example.com"})
	p.must(err)
	p.editHero(func(c *chfake.Contact) {
		c.Name, c.Email, c.DefaultEmail = "Joan van der Berg", []string{"taken@example.com"}, "taken@example.com"
	})
	res := p.do(p.e)
	if res.outcome() != store.Invalid || !strings.Contains(res.detail(), other.ID) || p.level().Name() != "Joan van der Berg" || p.level().Email != "jane@example.com" {
		t.Errorf("%s: %s; HighLevel has %+v", res.outcome(), res.detail(), p.level())
	}
	if strings.Contains(strings.Join(res.why(), " "), "@") {
		t.Errorf("the log tells the address: %v", res.why())
	}
	hl, ch := p.writes()
	for range 3 {
		if res := p.do(p.e); res.outcome() != store.Unchanged || !strings.Contains(res.detail(), "rejected CalendarHero's email") {
			t.Errorf("then it ended as %s: %s", res.outcome(), res.detail())
		}
	}
	if hlAfter, chAfter := p.writes(); hlAfter != hl || chAfter != ch || p.asked() {
		t.Errorf("it is tried again: %d and %d writes", hlAfter-hl, chAfter-ch)
	}
	p.editHero(func(c *chfake.Contact) { c.Email, c.DefaultEmail = []string{"free@example.com"}, "" })
	if p.settles(); p.level().Email != "free@example.com" {
		t.Errorf("HighLevel has %q", p.level().Email)
	}
}

func TestAContactDeletedInCalendarHeroComesBackWithTheNextChangeInHighLevel(t *testing.T) {
	testenv.Long(t)
	p := paired(t, bothWays("newest"))
	p.must(p.conn().CalendarHero.DeleteContact(t.Context(), p.hero().ID))
	if !p.asked() {
		t.Error("the poll does not see it")
	}
	if _, err := p.run(p.e); err == nil {
		t.Error("it was believed at once")
	}
	p.pass(time.Minute)
	if res := p.do(p.e); !strings.Contains(res.detail(), "deleted in CalendarHero") || !strings.Contains(p.told(), "contact deleted in CalendarHero") {
		t.Errorf("%s: %s", res.outcome(), res.detail())
	}
	if res := p.do(p.e); res.outcome() != store.Unchanged || len(p.ch.Contacts()) != 0 || p.asked() {
		t.Errorf("then %s: %s, %d contacts", res.outcome(), res.detail(), len(p.ch.Contacts()))
	}
	p.level() // is there
	p.editLevel(func(c *hlfake.Contact) { c.FirstName = "Joan" })
	p.settles()
	if got := p.hero(); got.Name != "Joan van der Berg" {
		t.Errorf("%+v", got)
	}
}

func TestAServerThatHasOnlyTheSearch(t *testing.T) {
	testenv.Long(t)
	p := paired(t, bothWays("newest"))
	p.ch.Faults().Next("GET /contact/{id}", -1, fakehttp.FailWith(404))
	if p.asked() {
		t.Error("a poll asks for what did not change")
	}
	p.editHero(func(c *chfake.Contact) { c.Telephone = []string{"+15550001111"} })
	if !p.asked() {
		t.Error("a poll does not see a new phone")
	}
	if p.settles(); p.level().Phone != "+15550001111" {
		t.Errorf("HighLevel has %+v", p.level())
	}
	p.editHero(func(c *chfake.Contact) { c.Email, c.DefaultEmail = []string{"joan@example.com"}, "" })
	p.settles()
	p.editHero(func(c *chfake.Contact) { c.Name = "Joan van der Berg" })
	p.settles()
	if got := p.level(); got.Email != "joan@example.com" || got.Name() != "Joan van der Berg" || len(p.ch.Contacts()) != 1 {
		t.Errorf("HighLevel has %+v", got)
	}
}

func TestTwoHighLevelContactsWithOneInCalendarHeroDoNotFight(t *testing.T) {
	testenv.Long(t)
	for _, rule := range []string{"newest", "highlevel", "calendarhero"} {
		t.Run(rule, func(t *testing.T) {
			p := paired(t, bothWays(rule))
			p.editHero(func(c *chfake.Contact) {
				c.Email, c.DefaultEmail = []string{"jane@example.com", "john@example.com"}, "jane@example.com"
			})
			c, err := p.hl.SeedContact(hlfake.Contact{LocationID: location, FirstName: "John", LastName: "Doe", Email: "john@example.com", Phone: "+15552223333"})
			p.must(err)
			john := store.Entity{LocationID: location, Kind: string(mapping.KindContact), ID: c.ID}
			rounds := func() {
				for range 5 {
					p.asked()
					p.do(p.e)
					p.do(john)
				}
			}
			rounds()
			p.editHero(func(c *chfake.Contact) { c.Name = "Both of them" })
			p.editLevel(func(c *hlfake.Contact) { c.FirstName = "Joan" })
			rounds()
			hl, ch := p.writes()
			t.Logf("%d writes to HighLevel, %d to CalendarHero", hl, ch)
			after, _ := p.hl.Contact(john.ID)
			if hl != 0 || ch > 4 || after.Name() != "John Doe" || after.Email != "john@example.com" || p.level().Email != "jane@example.com" {
				t.Errorf("%d writes to HighLevel and %d to CalendarHero; %+v", hl, ch, after)
			}
			if p.asked() {
				t.Error("a poll asks for it still")
			}
		})
	}
}

func TestAContactThatChangesWhileItIsWrittenBackIsReadAgain(t *testing.T) {
	p := paired(t, bothWays("calendarhero"))
	p.editHero(func(c *chfake.Contact) { c.Name = "Joan van der Berg" })
	hold := make(chan struct{})
	armed := p.ch.Faults().Next("GET /contact/{id}", 1, fakehttp.HoldUntil(hold))
	done := make(chan error, 1)
	go func() {
		_, err := p.try(p.e)
		done <- err
	}()
	<-armed.Hit()
	p.editLevel(func(c *hlfake.Contact) { c.Email = "joan@example.com" })
	close(hold)
	var w *outcome.Wait
	if err := <-done; !errors.As(err, &w) {
		t.Errorf("it ended with %v", err)
	}
	p.settles()
	if got := p.level(); got.Name() != "Joan van der Berg" || got.Email != "joan@example.com" || p.hero().DefaultEmail != "joan@example.com" {
		t.Errorf("HighLevel has %+v, CalendarHero %+v", got, p.hero())
	}
}

func TestThePollLooksAtTheOldestAndStopsWhereItIsAskedTo(t *testing.T) {
	testenv.Long(t)
	p := paired(t, bothWays("newest"))
	for i := range 4 {
		c, err := p.hl.SeedContact(hlfake.Contact{LocationID: location, FirstName: "P", Email: fmt.Sprintf("p%d@example.com", i)})
		p.must(err)
		p.do(store.Entity{LocationID: location, Kind: string(mapping.KindContact), ID: c.ID})
	}
	poll := func(limit int) (looked int, err error) {
		p.pass(time.Second)
		looked, _, err = p.reconciler.PollContacts(t.Context(), location, limit)
		return looked, err
	}
	count := func() int { return p.ch.Calls()["GET /contact/{id}"] }
	before := count()
	p.pass(p.cfg.Every)
	for _, want := range []int{2, 2, 1, 0} { // each once in an interval
		if n, err := poll(2); n != want || err != nil {
			t.Errorf("%d looked at, want %d: %v", n, want, err)
		}
	}
	if n := count() - before; n != 5 {
		t.Errorf("%d calls for 5 contacts", n)
	}
	p.pass(p.cfg.Every)
	p.ch.Faults().Next("GET /contact/{id}", 1, fakehttp.RateLimited(time.Minute))
	if n, err := poll(9); n != 0 || err == nil {
		t.Errorf("limited: %d looked at, %v", n, err)
	}
	if n, err := poll(9); n != 0 || err != nil {
		t.Errorf("while it is to wait: %d looked at, %v", n, err)
	}
	p.pass(time.Minute)
	if n, err := poll(9); n != 5 || err != nil {
		t.Errorf("then %d looked at, %v", n, err)
	}
}

func TestASideThatKeepsAValueInAFormOfItsOwnIsNotWrittenAgain(t *testing.T) {
	testenv.Long(t)
	p := paired(t, bothWays("newest"))
	p.through(func(r *http.Request, body []byte) []byte {
		return bytes.ReplaceAll(body, []byte("smith"), []byte("Smith"))
	})
	p.editHero(func(c *chfake.Contact) { c.Name = "Jane smith" })
	p.settles()
	if hl, _ := p.writes(); hl != 1 || p.level().LastName != "Smith" || p.hero().Name != "Jane smith" {
		t.Errorf("%d writes; HighLevel has %q, CalendarHero %q", hl, p.level().LastName, p.hero().Name)
	}
	if p.asked() {
		t.Error("a poll asks for it again")
	}
}

// bodies returns what HighLevel was sent by a method since.
func (b *bundle) bodies(method string) func() []string {
	var mu sync.Mutex
	var sent []string
	b.through(func(r *http.Request, body []byte) []byte {
		if r.Method == method {
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, string(body))
		}
		return body
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(sent)
	}
}

// through has what is sent to HighLevel go through pass.
func (b *bundle) through(pass func(r *http.Request, body []byte) []byte) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(pass(r, body)))
		b.hl.ServeHTTP(w, r)
	}))
	b.t.Cleanup(server.Close)
	own := *b.conn()
	own.HighLevel = highlevel.New(highlevel.Config{BaseURL: server.URL, Tokens: highlevel.StaticTokens("pit-test"), RetryWait: func(int) time.Duration { return 0 }})
	b.cfg.Connections = only{&own}
	b.start()
}
