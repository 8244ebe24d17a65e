package sync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
	"milepost/mapping"
)

// noteOnce creates a note for a contact with a city: an operation that must not run twice.
const noteOnce = `
- name: Note
  on: contact.changed
  if: not empty(contact.city)
  do:
    - request:
        operation: highlevel.create_note
        fields: { contactId: "{{ contact.id }}", body: "Lives in {{ contact.city }}" }
`

// sourceOnce writes a field: an operation that is safe to repeat.
const sourceOnce = `
- name: Source
  on: contact.changed
  if: not empty(contact.city)
  do:
    - request:
        operation: highlevel.update_contact
        fields: { contactId: "{{ contact.id }}", source: "{{ contact.city }}" }
`

// onEachEngine runs a test on SQLite, and on PostgreSQL.
func onEachEngine(t *testing.T, automations string, test func(b *bundle)) {
	t.Run("SQLite", func(t *testing.T) { test(setup(t, automations)) })
	t.Run("PostgreSQL", func(t *testing.T) {
		url := testdb.Postgres(t)
		b := setup(t, automations)
		st, err := store.OpenPostgres(t.Context(), url)
		b.must(err)
		t.Cleanup(func() { _ = st.Close() })
		_, err = st.NewQueue(store.QueueConfig{Logger: slog.New(slog.DiscardHandler)})
		b.must(err)
		b.cfg.Store = st
		b.start()
		test(b)
	})
}

// livesIn changes the city of a contact.
func (b *bundle) livesIn(e store.Entity, city string) {
	b.t.Helper()
	b.must(b.hl.UpdateContact(e.ID, func(c *hlfake.Contact) { c.City = city }))
}

// noteBodies are those of a contact's notes, oldest first.
func (b *bundle) noteBodies(contactID string) (all []string) {
	for _, n := range b.hl.Notes(contactID) {
		all = append(all, n.Body)
	}
	return all
}

func (b *bundle) creates() int { return b.hl.Calls()["POST /contacts/{contactId}/notes"] }

// openCalls are those for which a person is waited.
func (b *bundle) openCalls() []store.Call {
	b.t.Helper()
	list, err := b.store.OpenCalls(b.t.Context(), b.now())
	b.must(err)
	return list
}

// becomes does a sync and wants its outcome, and a text in its detail.
func (b *bundle) becomes(e store.Entity, outcome, detail string) *result {
	b.t.Helper()
	res := b.do(e)
	if res.outcome() != outcome || !strings.Contains(res.detail(), detail) {
		b.t.Errorf("it became %s: %s\nwant %s: … %s", res.outcome(), res.detail(), outcome, detail)
	}
	return res
}

func TestARequestIsSentOnceForEachChangeOfItsFields(t *testing.T) {
	onEachEngine(t, noteOnce, func(b *bundle) {
		e := b.jane("")
		b.becomes(e, store.Skipped, "the condition is not met")
		b.livesIn(e, "Boston")
		b.becomes(e, store.Done, "request sent")
		b.becomes(e, store.Unchanged, "")
		b.must(b.hl.AddTags(e.ID, "vip")) // another change of the record
		b.becomes(e, store.Unchanged, "")
		b.start() // the process
		b.becomes(e, store.Unchanged, "")
		b.livesIn(e, "")
		b.becomes(e, store.Skipped, "")
		b.livesIn(e, "Boston")
		b.becomes(e, store.Unchanged, "") // wanted again with the same fields
		b.livesIn(e, "Salem")
		b.becomes(e, store.Done, "request sent")
		if got := b.noteBodies(e.ID); len(got) != 2 || b.creates() != 2 {
			b.t.Errorf("after %d calls the notes are %q", b.creates(), got)
		}
		if list, err := b.store.Timeline(b.t.Context(), location, e.ID); err != nil || len(list) != 2 || list[0].What != "request sent" || list[0].Detail != "highlevel.create_note" {
			b.t.Errorf("the timeline is %+v, %v", list, err)
		}
	})
}

func TestALostAnswerOfARequestIsSettledByAPerson(t *testing.T) {
	testenv.Long(t)
	for _, tc := range []struct {
		name  string
		fault fakehttp.Fault
	}{
		{"it took effect", fakehttp.LoseAnswer()},
		{"it had none", fakehttp.FailWith(502)},
		{"its answer was cut off", fakehttp.MalformedAnswer()},
	} {
		for _, again := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, sent again %v", tc.name, again), func(t *testing.T) {
				b := setup(t, noteOnce)
				e := b.jane("")
				b.livesIn(e, "Boston")
				b.hl.Faults().Next("POST /contacts/{contactId}/notes", 1, tc.fault)
				res := b.becomes(e, store.Unclear, "milepost requests settle 1 --sent, or --again")
				if cause := res.causes[store.Unclear]; cause.Vendor != "HighLevel" || cause.Operation != "highlevel.create_note" || cause.Automation == "" {
					t.Errorf("its cause is %+v", cause)
				}
				b.becomes(e, store.Unclear, "not known whether it took effect")
				b.start()
				b.becomes(e, store.Unclear, "not known whether it took effect")
				if list := b.openCalls(); b.creates() != 1 || len(list) != 1 || list[0].State != store.CallUnclear || list[0].Operation != "highlevel.create_note" {
					t.Fatalf("after %d calls, open are %+v", b.creates(), list)
				}
				if _, _, ok, err := b.store.SettleCall(t.Context(), b.openCalls()[0].ID, again, b.now()); err != nil || !ok {
					t.Fatal(ok, err)
				}
				want, calls := store.Unchanged, 1
				if again {
					want, calls = store.Done, 2
				}
				b.becomes(e, want, "")
				b.becomes(e, store.Unchanged, "")
				if b.creates() != calls || len(b.openCalls()) != 0 {
					t.Errorf("%d calls, open are %+v", b.creates(), b.openCalls())
				}
			})
		}
	}
	t.Run("the fields change before it is settled", func(t *testing.T) {
		b := setup(t, noteOnce)
		e := b.jane("")
		b.livesIn(e, "Boston")
		b.hl.Faults().Next("POST /contacts/{contactId}/notes", 1, fakehttp.LoseAnswer())
		b.becomes(e, store.Unclear, "")
		b.livesIn(e, "Salem")
		b.becomes(e, store.Done, "request sent")
		if _, superseded, ok, err := b.store.SettleCall(t.Context(), b.openCalls()[0].ID, true, b.now()); err != nil || !ok || !superseded {
			t.Error("it is sent again though another followed", ok, err)
		}
		b.becomes(e, store.Unchanged, "")
		if b.creates() != 2 {
			t.Errorf("%d calls", b.creates())
		}
	})
}

func TestACrashWhileARequestIsSentCountsAsALostAnswer(t *testing.T) {
	testenv.Long(t)
	for _, tc := range []struct{ name, automation, operation string }{
		{"only once", noteOnce, "POST /contacts/{contactId}/notes"},
		{"safe to repeat", sourceOnce, "PUT /contacts/{contactId}"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, left := range []bool{false, true} { // whether the record still wants it afterwards
				b := setup(t, tc.automation)
				e := b.jane("")
				b.livesIn(e, "Boston")
				hold := make(chan struct{})
				armed := b.hl.Faults().Next(tc.operation, 1, fakehttp.HoldUntil(hold))
				ctx, kill := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() {
					<-armed.Hit()
					b.must(b.store.Close()) // before anything can be noted of its end
					kill()
				}()
				go func() {
					_, err := b.sync(ctx, &store.EntityState{Entity: e})
					ended <- err
				}()
				if err := <-ended; err == nil {
					t.Fatal("a sync that was killed ended well")
				}
				b.startsOn(b.state)
				close(hold)
				if left {
					b.livesIn(e, "")
				}
				res := b.do(e)
				switch open := b.openCalls(); {
				case tc.automation == noteOnce && (res.outcome() != store.Unclear || b.creates() != 1 || len(open) != 1):
					t.Errorf("left = %v: it became %s: %s, after %d calls; open are %+v", left, res.outcome(), res.detail(), b.creates(), open)
				case tc.automation == sourceOnce && (b.hl.Calls()[tc.operation] != map[bool]int{false: 2, true: 1}[left] || len(open) != 0):
					t.Errorf("left = %v: it became %s: %s, after %d calls; open are %+v", left, res.outcome(), res.detail(), b.hl.Calls()[tc.operation], open)
				}
			}
		})
	}
}

func TestAFailedRequestIsRetriedIfItSurelyHadNoEffectOrMayRunTwice(t *testing.T) {
	testenv.Long(t)
	for _, tc := range []struct {
		name, automation, operation string
		fault                       fakehttp.Fault
		reason                      clients.Reason
	}{
		{"a rate limit", noteOnce, "POST /contacts/{contactId}/notes", fakehttp.RateLimited(30 * time.Second), clients.RateLimited},
		{"a rejected token", noteOnce, "POST /contacts/{contactId}/notes", fakehttp.FailWith(401), clients.Unauthorized},
		{"an outage", sourceOnce, "PUT /contacts/{contactId}", fakehttp.FailWith(503), clients.Unavailable},
		{"a lost answer", sourceOnce, "PUT /contacts/{contactId}", fakehttp.LoseAnswer(), clients.Unavailable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := setup(t, tc.automation)
			e := b.jane("")
			b.livesIn(e, "Boston")
			b.hl.Faults().Next(tc.operation, -1, tc.fault)
			for range store.CallsAtOnce + 5 { // which is no reason to stop the automation
				if res, err := b.run(e); clients.ReasonOf(err) != tc.reason {
					t.Fatalf("it ended with %v: %+v", err, res)
				}
			}
			b.hl.Faults().Clear()
			b.becomes(e, store.Done, "request sent")
			b.becomes(e, store.Unchanged, "")
			if len(b.openCalls()) != 0 {
				t.Errorf("open are %+v", b.openCalls())
			}
		})
	}
}

func TestARejectedRequestIsSaidAndTriedWhenTheRecordIsLookedAtAgain(t *testing.T) {
	b := setup(t, strings.Replace(noteOnce, "{{ contact.id }}", "nobody", 1))
	e := b.jane("")
	b.livesIn(e, "Boston")
	for range 2 {
		res := b.becomes(e, store.Invalid, "not found")
		if said := strings.Join(res.why(), " "); strings.Contains(said, "Boston") {
			t.Errorf("the log quotes the record: %s", said)
		}
		if cause := res.causes[store.Invalid]; cause.Vendor != "HighLevel" || cause.Status != 400 || cause.Operation == "" || cause.Automation == "" {
			t.Errorf("its cause is %+v", cause)
		}
	}
	if b.creates() != 2 || len(b.openCalls()) != 0 {
		t.Errorf("%d calls, open are %+v", b.creates(), b.openCalls())
	}
}

func TestADeleteOfWhatIsGoneIsDone(t *testing.T) {
	b := setup(t, `
- name: Clear
  on: contact.changed
  do:
    - request: { operation: highlevel.delete_note, fields: { contactId: "{{ contact.id }}", id: "note-that-is-gone" } }
`)
	e := b.jane("")
	b.becomes(e, store.Done, "request sent")
	b.becomes(e, store.Unchanged, "")
}

func TestAutomationsThatAnswerEachOtherAreStopped(t *testing.T) {
	testenv.Long(t)
	onEachEngine(t, `
- name: Ping
  on: contact.changed
  do:
    - request: { operation: highlevel.update_contact, fields: { contactId: "{{ contact.id }}", source: "{{ contact.city }}." } }
- name: Pong
  on: contact.changed
  do:
    - request: { operation: highlevel.update_contact, fields: { contactId: "{{ contact.id }}", city: "{{ contact.source }}." } }
`, func(b *bundle) {
		e := b.jane("")
		b.livesIn(e, "x")
		for range 3 * store.CallsAtOnce { // as many echoes
			b.do(e)
		}
		const put = "PUT /contacts/{contactId}"
		if n := b.hl.Calls()[put]; n != 2*store.CallsAtOnce {
			b.t.Errorf("%d requests were sent, want %d of each automation", n, store.CallsAtOnce)
		}
		res := b.becomes(e, store.Stopped, "milepost requests release")
		open := b.openCalls()
		if until := b.now().Add(store.CallsWindow); len(open) != 2 || !res.again.Equal(until) {
			b.t.Fatalf("open are %+v; the record is looked at again at %s, want %s", open, res.again, until)
		}
		if list, err := b.store.ReleaseCalls(b.t.Context(), open[0].ID); len(list) != 1 || err != nil {
			b.t.Fatal(list, err)
		}
		b.becomes(e, store.Stopped, "Pong: stopped until")
		if n := b.hl.Calls()[put]; n != 2*store.CallsAtOnce+1 {
			b.t.Errorf("after the release of one, %d requests were sent", n)
		}
		b.pass(store.CallsWindow)
		b.do(e)
		if n := b.hl.Calls()[put]; n < 2*store.CallsAtOnce+2 {
			b.t.Errorf("after an hour, %d requests were sent", n)
		}
	})
}

// A chain of new records has no record that is changed often.
func TestRequestsThatMakeNewRecordsWithoutEndAreStopped(t *testing.T) {
	testenv.Long(t)
	b := setup(t, `
- name: Twin
  on: contact.changed
  do:
    - request: { operation: highlevel.create_contact, fields: { firstName: "{{ contact.first_name }} again" } }
`)
	e := b.jane("")
	b.do(e)
	known := map[string]bool{e.ID: true}
	for range 2 * store.CallsAtOnce {
		for _, c := range b.hl.Contacts() {
			if !known[c.ID] {
				known[c.ID] = true
				b.do(store.Entity{LocationID: location, Kind: string(mapping.KindContact), ID: c.ID})
			}
		}
	}
	if n := len(b.hl.Contacts()); n != 1+store.CallsAtOnce {
		t.Errorf("there are %d contacts, want one and the %d that requests made", n, store.CallsAtOnce)
	}
}

func TestEachEffectOfEachVendorIsCalled(t *testing.T) {
	testenv.Long(t)
	for _, tc := range []struct{ operation, fields, call string }{
		{"highlevel.get_contact", `contactId: "{{ contact.id }}"`, "GET /contacts/{contactId}"},
		{"highlevel.add_tags", `contactId: "{{ contact.id }}", tags: [a, "{{ contact.first_name }}"]`, "POST /contacts/{contactId}/tags"},
		{"highlevel.create_task", `contactId: "{{ contact.id }}", title: Call, dueDate: "2030-06-01T10:00:00Z", completed: false`, "POST /contacts/{contactId}/tasks"},
		{"highlevel.create_location_tag", `name: vip`, "POST /locations/{locationId}/tags"},
		{"calendarhero.list_contacts", `search: "{{ contact.email }}"`, "GET /contact"},
		{"calendarhero.create_contact", `name: "{{ contact.name }}", email: ["{{ contact.email }}"]`, "POST /contact"},
		{"calendarhero.create_meeting_request", `subject: Closing, dateStart: "2030-06-01T10:00:00Z", dateEnd: "2030-06-01T10:30:00Z", meetingLength: 30, contactEmails: ["{{ contact.email }}"]`, "POST /meeting/tasks"},
		{"calendarhero.delete_contact", `id: 5f1a2b3c4d5e6f7a8b9c0d1e`, "DELETE /contact/{id}"},
	} {
		t.Run(tc.operation, func(t *testing.T) {
			b := setup(t, "- name: A\n  on: contact.changed\n  do:\n    - request: { operation: "+tc.operation+", fields: { "+tc.fields+" } }\n")
			e := b.jane("")
			lines, err := b.Changes(t.Context(), e, e.ID)
			b.must(err)
			if method, _, _ := strings.Cut(tc.call, " "); len(lines) != 1 || !strings.Contains(lines[0], "("+method+" /") && lines[0] != "request sent: "+tc.operation {
				t.Errorf("the preview says %q", lines)
			}
			before := b.hl.Calls()[tc.call] + b.ch.Calls()[tc.call] // what was read
			b.becomes(e, store.Done, "request sent")
			b.becomes(e, store.Unchanged, "")
			if hl, ch := b.hl.Calls()[tc.call], b.ch.Calls()[tc.call]; hl+ch-before < 1 || ch > 0 && ch-before > 1 {
				t.Errorf("it was called %d and %d times: %v", hl, ch, b.ch.Calls())
			}
			if lines, err := b.Changes(t.Context(), e, e.ID); err != nil || len(lines) != 0 {
				t.Errorf("once it was sent, the preview says %q, %v", lines, err)
			}
		})
	}
}

func TestARehearsalShowsTheCallOfARequestAndWhomItMayMail(t *testing.T) {
	b := setup(t, `
- name: Start
  on: contact.changed
  do:
    - request: { operation: highlevel.create_note, fields: { contactId: "{{ contact.id }}", body: "Hello {{ contact.first_name }}" } }
    - request: { operation: calendarhero.remind_of_meeting_request, fields: { id: 5f1a2b3c4d5e6f7a8b9c0d1f } }
`)
	e := b.jane("")
	for range 2 { // the first stores nothing
		said, err := b.Rehearser(b.live(), nil).Rehearse(t.Context(), e, e.ID)
		b.must(err)
		if len(said.Calls) != 2 || said.Calls[0].Method != "POST" || said.Calls[0].Path != "/contacts/"+e.ID+"/notes" || string(said.Calls[0].Body) != `{"body":"Hello Jane"}` || said.Calls[0].Item != "start/1" {
			t.Errorf("it would send %+v", said.Calls)
		}
		if want := (RehearsedMail{"people whom calendarhero.remind_of_meeting_request reaches", "message", "start/2"}); len(said.Mails) != 1 || said.Mails[0] != want {
			t.Errorf("it would mail %+v", said.Mails)
		}
	}
	if links, err := b.store.Links(t.Context(), e); err != nil || len(links) != 0 || b.creates() != 0 || b.ch.Calls()["PUT /meeting/tasks/{id}/remind"] != 0 {
		t.Errorf("the rehearsal had an effect: %+v, %v", links, err)
	}
}

func TestARequestThatIsNotPermittedIsNotSentAndNotUnclear(t *testing.T) {
	b := setup(t, noteOnce)
	permitted := false
	hl := httptest.NewServer(b.hl)
	t.Cleanup(hl.Close)
	b.cfg.Connections.(only).conn.HighLevel = highlevel.New(highlevel.Config{
		BaseURL: hl.URL, Tokens: highlevel.StaticTokens("pit-test"), Permit: func(context.Context) error {
			if permitted {
				return nil
			}
			return errors.New("another Milepost works the location")
		},
	})
	b.start()
	e := b.jane("")
	b.livesIn(e, "Boston")
	if res, err := b.run(e); err == nil || b.creates() != 0 || len(b.openCalls()) != 0 {
		t.Fatalf("it became %+v, %v, after %d calls; open are %+v", res, err, b.creates(), b.openCalls())
	}
	permitted = true
	b.becomes(e, store.Done, "request sent")
}
