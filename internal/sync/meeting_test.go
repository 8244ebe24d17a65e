package sync

import (
	"errors"
	"strings"
	"testing"
	"time"

	"milepost/clients"
	"milepost/internal/connection"
	"milepost/internal/outcome"
	chfake "milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/mapping"
)

// settle polls CalendarHero and does all syncs that are asked for, until none
// is. Time passes where a sync has to wait.
func (b *bundle) settle() {
	b.t.Helper()
	b.pass(time.Second) // since it last looked
	accounts, err := b.connections.Accounts(b.t.Context())
	b.must(err)
	for _, a := range accounts {
		_, err := b.reconciler.PollMeetings(b.t.Context(), a)
		b.must(err)
	}
	for range 100 {
		e, ok := b.owed()
		if !ok {
			return
		}
		state, err := b.store.EntityState(b.t.Context(), e)
		b.must(err)
		res, err := b.sync(b.t.Context(), &state)
		var w *outcome.Wait
		if clients.ReasonOf(err) == clients.Unclear {
			b.pass(outcome.UnclearSettle)
			continue
		}
		if errors.As(err, &w) {
			if !w.Unconfirmed.IsZero() {
				state.GoneAt = w.Unconfirmed
			}
			b.must(b.store.Postpone(b.t.Context(), store.Postponed{Entity: e, Wanted: state.Wanted, Outcome: store.Waiting, Detail: w.Why, GoneAt: state.GoneAt}))
			b.pass(w.For)
			continue
		}
		b.must(err)
		b.finish(e, state, res)
	}
	b.t.Fatal("the syncs do not end")
}

// finish records the end of a sync.
func (b *bundle) finish(e store.Entity, state store.EntityState, res *result) {
	b.t.Helper()
	_, err := b.store.FinishSync(b.t.Context(), nil, store.Finish{
		Entity: e, Wanted: state.Wanted, ContactID: res.contactID, Fingerprint: res.fingerprint, Mark: res.mark,
		Outcome: res.outcome(), Detail: res.detail(), Now: b.now(), Requeue: res.requeue, Timeline: res.timeline,
	})
	b.must(err)
}

// owed returns an entity that is to be synced.
func (b *bundle) owed() (e store.Entity, ok bool) {
	b.t.Helper()
	b.must(b.store.InTx(b.t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Query(b.t.Context(), `SELECT location_id, kind, id FROM entities WHERE wanted > done ORDER BY kind, id LIMIT 1`)
		if err != nil {
			return err
		}
		defer rows.Close()
		if ok = rows.Next(); !ok {
			return rows.Err()
		}
		return rows.Scan(&e.LocationID, &e.Kind, &e.ID)
	}))
	return e, ok
}

// ask has an entity synced, and all that follows from it.
func (b *bundle) ask(e store.Entity) {
	b.t.Helper()
	b.must(b.store.Requeue(b.t.Context(), []store.Entity{e}, false))
	b.settle()
}

// request is the one live request there is.
func (b *bundle) request() chfake.MeetingRequest {
	b.t.Helper()
	list := b.ch.Requests()
	if len(list) != 1 {
		b.t.Fatalf("there are %d live requests, want one", len(list))
	}
	return list[0]
}

func TestAMoveIsNotUndoneWhileAGatewayShowsNoMeetings(t *testing.T) {
	testenv.Long(t)
	b := setup(t, "")
	e := b.jane("2030-06-03")
	b.ask(e)
	r := b.request()
	_, err := b.ch.Request("Chat", []string{"jane@example.com"}, movedTo, movedTo.Add(time.Hour))
	b.must(err)
	b.settle()
	b.ask(e)
	b.must(b.ch.Reschedule(r.ID, movedTo, movedTo.Add(30*time.Minute)))
	lie := b.ch.Faults().Next("GET /meeting/tasks", -1, fakehttp.Say(200, `[]`))
	b.must(b.hl.UpdateContact(e.ID, func(c *hlfake.Contact) { c.FirstName = "Joan" }))
	b.pass(time.Minute)
	if _, err := b.run(e); clients.ReasonOf(err) != clients.Unavailable {
		t.Errorf("the sync ends with %v", err)
	}
	b.ch.Faults().Disarm(lie)
	b.pass(time.Minute)
	b.ask(e)
	for _, r := range b.ch.Requests() {
		if strings.HasPrefix(r.Subject, "Closing") && (!r.Start.Equal(movedTo) || !strings.Contains(r.Subject, "Joan")) {
			t.Errorf("%q is at %s, want %s", r.Subject, r.Start, movedTo)
		}
	}
}

func TestTheLongerACreateIsUncertainTheRarerItsMeetingIsLookedAt(t *testing.T) {
	b := setup(t, toOwner)
	e := b.jane("2030-06-02")
	b.ch.Faults().Next("POST /meeting/tasks", 1, fakehttp.LoseAnswer())
	if _, err := b.try(e); err == nil {
		t.Fatal("the create was not lost")
	}
	m := store.Entity{LocationID: location, Kind: string(mapping.KindMeeting), ID: b.request().ID}
	for age, want := range map[time.Duration]time.Duration{40 * time.Second: 10 * time.Second, time.Minute: 15 * time.Second, 10 * time.Minute: 150 * time.Second, -time.Hour: 40 * time.Second} {
		b.set(b.link(e).AttemptedAt.Add(age))
		_, err := b.try(m)
		if w, ok := errors.AsType[*outcome.Wait](err); !ok || w.For != want {
			t.Errorf("%s after the create: %v, want a wait of %s", age, err, want)
		}
	}
}

// link is the one of an entity.
func (b *bundle) link(e store.Entity) store.Link {
	b.t.Helper()
	links, err := b.store.Links(b.t.Context(), e)
	b.must(err)
	for _, l := range links {
		if l.ItemKind == string(mapping.ItemEvent) || l.ItemKind == string(mapping.ItemTask) {
			return l
		}
	}
	b.t.Fatal("no link to a request")
	return store.Link{}
}

// told lists what the timeline of a contact says.
func (b *bundle) told(contactID string) (what []string) {
	b.t.Helper()
	entries, err := b.store.Timeline(b.t.Context(), location, contactID)
	b.must(err)
	for _, e := range entries {
		what = append(what, e.What)
	}
	return what
}

func count(list []string, s string) (n int) {
	for _, v := range list {
		if v == s {
			n++
		}
	}
	return n
}

var movedTo = time.Date(2030, 6, 4, 19, 0, 0, 0, time.UTC)

func TestAMeetingThatWasMovedInCalendarHeroStaysThere(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	e := b.jane("2030-06-03")
	b.ask(e)
	r := b.request()
	b.must(b.ch.Reschedule(r.ID, movedTo, movedTo.Add(30*time.Minute)))
	b.settle()
	b.ask(e)
	if got := b.request(); got.ID != r.ID || b.posts() != 1 {
		t.Errorf("it was made again: %d posts", b.posts())
	}
	if l := b.link(e); l.Meeting != "rescheduled" || !l.Start.Equal(movedTo) {
		t.Errorf("the link says %s at %s", l.Meeting, l.Start)
	}
	if what := b.told(e.ID); count(what, "event moved in CalendarHero") != 1 {
		t.Errorf("the timeline says %q", what)
	}
	// A new title is asked for at the time to which it was moved.
	b.must(b.hl.SetCustomField(e.ID, "contact.milestone", "Signing"))
	b.ask(e)
	if got := b.request(); !strings.HasPrefix(got.Subject, "Signing") || !got.Start.Equal(movedTo) {
		t.Errorf("%q at %s, want Signing at the time it was moved to", got.Subject, got.Start)
	}
	b.ask(e)
	if b.posts() != 2 {
		t.Errorf("%d posts, want 2", b.posts())
	}
	// A new date in HighLevel moves it again.
	b.setDate(e, "2030-06-10")
	b.ask(e)
	if got := b.request(); got.Start.Day() != 10 {
		t.Errorf("it is at %s, want the 10th", got.Start)
	}
}

func TestAMeetingThatEndedIsMadeAgainOnlyForAChangeOfTheRecord(t *testing.T) {
	testenv.Long(t)
	for state, end := range map[string]func(*bundle, string){
		"cancelled": func(b *bundle, id string) { b.must(b.ch.Cancel(id)) },
		"expired":   func(b *bundle, _ string) { b.set(time.Date(2030, 6, 3, 14, 0, 0, 0, time.UTC)) },
		"completed": func(b *bundle, id string) {
			b.must(b.ch.Accept(id))
			b.settle()
			b.set(time.Date(2030, 6, 3, 14, 0, 0, 0, time.UTC))
		},
	} {
		t.Run(state, func(t *testing.T) {
			b := setup(t, toOwner)
			e := b.jane("2030-06-03")
			b.ask(e)
			end(b, b.request().ID)
			b.settle()
			b.ask(e)
			if l := b.link(e); l.Meeting != state || b.posts() != 1 || len(b.ch.Requests()) != 0 {
				t.Fatalf("the link says %s, there were %d posts", l.Meeting, b.posts())
			}
			if what := b.told(e.ID); count(what, "event "+state+" in CalendarHero") != 1 {
				t.Errorf("the timeline says %q", what)
			}
			b.setDate(e, "2030-06-20")
			b.ask(e)
			if got := b.request(); got.Start.Day() != 20 {
				t.Errorf("it is at %s, want the 20th", got.Start)
			}
			b.ask(e)
			if b.posts() != 2 || b.link(e).Meeting != "pending" {
				t.Errorf("%d posts, the link says %s", b.posts(), b.link(e).Meeting)
			}
		})
	}
}

func TestAMeetingThatEndedIsMadeAgainAfterThePastWasAskedFor(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	e := b.jane("2030-06-03")
	b.ask(e)
	b.must(b.ch.Cancel(b.request().ID))
	b.settle()
	for _, date := range []string{"2030-04-03", "2030-06-03"} {
		b.setDate(e, date)
		b.ask(e)
	}
	if n := len(b.ch.Requests()); n != 1 {
		t.Errorf("%d requests after the date was changed to the past and back, want one", n)
	}
}

func TestAMeetingThatNoListShowedForLongIsRemovedWithItsRecord(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	e := b.jane("2030-06-03")
	b.ask(e)
	b.ch.Faults().Next("GET /meeting/tasks", -1, fakehttp.Say(200, `[]`))
	b.settle()
	if got := b.link(e).Meeting; got != string(mapping.MeetingGone) {
		t.Fatalf("after the lists showed nothing for hours the meeting is %q", got)
	}
	b.setDate(e, "")
	b.ask(e)
	if n := len(b.ch.Requests()); n != 0 {
		t.Errorf("%d requests are left that nothing asks for", n)
	}
}

func TestAMeetingThatNoListShowsIsGone(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner, func(c *chfake.Config) { c.ForgetDeleted = true })
	e := b.jane("2030-06-03")
	b.ask(e)
	conn, err := b.session(t.Context(), location)
	b.must(err)
	b.must(conn.CalendarHero.DeleteMeetingRequest(t.Context(), b.request().ID))
	b.settle()
	b.ask(e)
	if l := b.link(e); l.Meeting != "gone" || b.posts() != 1 {
		t.Errorf("the link says %s, there were %d posts", l.Meeting, b.posts())
	}
}

func TestBothSidesChangeTheTime(t *testing.T) {
	for rule, want := range map[string]int{"highlevel": 10, "calendarhero": 4, "newest": 10} {
		t.Run(rule, func(t *testing.T) {
			b := setup(t, toOwner+"  conflict: "+rule+"\n")
			e := b.jane("2030-06-03")
			b.ask(e)
			b.pass(time.Minute)
			b.must(b.ch.Reschedule(b.request().ID, movedTo, movedTo.Add(30*time.Minute)))
			b.pass(time.Minute)
			b.setDate(e, "2030-06-10")
			b.must(b.store.Requeue(t.Context(), []store.Entity{e}, false))
			b.settle()
			b.ask(e)
			if got := b.request(); got.Start.Day() != want {
				t.Errorf("it is at %s, want the %dth", got.Start, want)
			}
			if what := b.told(e.ID); count(what, "conflict") != 1 {
				t.Errorf("the timeline says %q", what)
			}
			n := b.posts()
			b.ask(e)
			if b.posts() != n {
				t.Error("it does not settle")
			}
		})
	}
}

func TestABookedMeetingIsNotUndoneForADescription(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	e := b.jane("2030-06-03")
	b.ask(e)
	r := b.request()
	b.must(b.ch.Accept(r.ID))
	b.must(b.hl.AddTags(e.ID, "vip"))
	b.ask(e)
	b.ask(e)
	if got := b.request(); got.ID != r.ID || got.State != chfake.StateUpcoming {
		t.Errorf("it is %s now, after %d posts", got.State, b.posts())
	}
	b.setDate(e, "2030-06-05")
	b.ask(e)
	if got := b.request(); !strings.Contains(got.Description, "vip") {
		t.Errorf("the next date does not bring the description along: %q", got.Description)
	}
}

func TestARequestThatWasCancelledIsNotMadeAgainForADescription(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner, func(c *chfake.Config) { c.ForgetDeleted = true })
	e := b.jane("2030-06-03")
	b.ask(e)
	conn, err := b.session(t.Context(), location)
	b.must(err)
	b.must(conn.CalendarHero.DeleteMeetingRequest(t.Context(), b.request().ID))
	b.must(b.hl.AddTags(e.ID, "vip"))
	b.must(b.store.Requeue(t.Context(), []store.Entity{e}, false)) // before any poll
	for range 3 {
		b.do(e)
	}
	b.settle()
	if l := b.link(e); b.posts() != 1 || l.Meeting != "gone" {
		t.Errorf("%d posts, the link says %s", b.posts(), l.Meeting)
	}
	b.setDate(e, "2030-06-05")
	b.ask(e)
	if b.request().Start.Day() != 5 {
		t.Error("a new date does not make it again")
	}
}

func TestALostAnswerOfADeleteIsNoCancellation(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	e := b.jane("2030-06-03")
	b.ask(e)
	b.must(b.hl.AddTags(e.ID, "vip"))
	b.ch.Faults().Next("DELETE /meeting/tasks/{id}", 1, fakehttp.LoseAnswer())
	b.ask(e)
	b.ask(e)
	if got := b.request(); !strings.Contains(got.Description, "vip") {
		t.Errorf("the description is %q", got.Description)
	}
}

// A person who reads the deliveries learns why an event of CalendarHero did nothing.
func TestAnEventOnARequestThatMilepostMadeSaysWhyItDoesNothing(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	e := b.jane("2030-06-03")
	b.ask(e)
	r := store.Entity{LocationID: location, Kind: string(mapping.KindMeeting), ID: b.request().ID}
	for _, c := range []struct{ event, why string }{
		{string(mapping.NewMeetingRequest), "Milepost has just created this request itself"},
		{"", "the sync of its record acts on what changed in it"},
	} {
		b.deliveries++
		b.dispatch(store.Delivery{ID: b.deliveries, Type: c.event, Entity: r})
		b.settle()
		if s, err := b.store.EntityState(t.Context(), r); err != nil || s.Outcome != store.Unchanged || !strings.Contains(s.Detail, c.why) {
			t.Errorf("the event %q is %s: %q, %v; want the reason %q", c.event, s.Outcome, s.Detail, err, c.why)
		}
	}
}

func TestAPreviewOfAMeetingThatMilepostMadeIsThatOfItsRecord(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	e := b.jane("2030-06-03")
	b.ask(e)
	r := store.Entity{LocationID: location, Kind: string(mapping.KindMeeting), ID: b.request().ID}
	if lines, err := b.Changes(t.Context(), r, ""); err != nil || len(lines) > 0 {
		t.Errorf("in step, it says %q, %v", lines, err)
	}
	b.setDate(e, "2030-06-10")
	if lines, err := b.Changes(t.Context(), r, ""); err != nil || len(lines) != 1 || !strings.Contains(lines[0], "replace") {
		t.Errorf("after a change, it says %q, %v", lines, err)
	}
	r.ID = "000000000000000000000009" // of people
	if lines, err := b.Changes(t.Context(), r, ""); err != nil || len(lines) > 0 {
		t.Errorf("of a meeting of people, it says %q, %v", lines, err)
	}
}

// A connection of the settings or of a token comes without the location's name.
func TestASyncKeepsTheNameOfItsLocation(t *testing.T) {
	b := setup(t, toOwner)
	b.must(b.store.SaveConnection(t.Context(), store.Connection{LocationID: location, Source: connection.FromSettings, State: store.ConnectionActive}, b.now()))
	b.ask(b.jane("2030-06-03"))
	if c, _, err := b.store.Connection(t.Context(), location); err != nil || c.Name != "Northwind Realty" {
		t.Errorf("the connection has the name %q: %v", c.Name, err)
	}
}
