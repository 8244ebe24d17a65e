package sync

import (
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"milepost/clients"
	"milepost/internal/meeting"
	"milepost/internal/outcome"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
	"milepost/mapping"
)

// losesItsDatabase has the process start again on an empty database.
func (b *bundle) losesItsDatabase() { b.startsOn(b.t.TempDir()) }

// startsOn has the process start again on the database in a directory.
func (b *bundle) startsOn(dir string) {
	b.t.Helper()
	st, err := store.OpenSQLite(b.t.Context(), dir)
	b.must(err)
	b.t.Cleanup(func() { _ = st.Close() })
	_, err = st.NewQueue(store.QueueConfig{Logger: slog.New(slog.DiscardHandler)})
	b.must(err)
	b.cfg.Store = st
	b.start()
}

// backedUp is a copy of the database as it is now.
func (b *bundle) backedUp() (dir string) {
	b.t.Helper()
	dir = b.t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(b.state, "milepost.db"))
	b.must(err)
	defer db.Close()
	_, err = db.ExecContext(b.t.Context(), `VACUUM INTO $1`, filepath.Join(dir, "milepost.db"))
	b.must(err)
	return dir
}

// listReads counts the reads of the lists of meeting requests.
func (b *bundle) listReads() int { return b.ch.Calls()["GET /meeting/tasks"] }

func TestALostDatabaseMakesNothingTwice(t *testing.T) {
	testenv.Long(t)
	b := setup(t, "")
	var all []store.Entity
	for i := range 25 {
		c, err := b.hl.SeedContact(hlfake.Contact{
			LocationID: location, FirstName: fmt.Sprint("Jane", i), LastName: "Doe", Email: fmt.Sprintf("jane%d@example.com", i),
			CustomFields: map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-06-02"},
		})
		b.must(err)
		all = append(all, store.Entity{LocationID: location, Kind: string(mapping.KindContact), ID: c.ID})
	}
	for _, e := range all {
		b.do(e)
	}
	requests := b.ch.Requests()
	contacts := len(b.ch.Contacts())
	if len(requests) != 25 {
		t.Fatalf("%d requests", len(requests))
	}
	b.must(b.ch.Accept(requests[3].ID))
	moved := time.Date(2030, 6, 5, 15, 0, 0, 0, time.UTC)
	b.must(b.ch.Reschedule(requests[4].ID, moved, moved.Add(30*time.Minute)))
	b.must(b.ch.Cancel(requests[5].ID))
	mails := len(b.ch.Mails())
	writes := b.posts()

	b.losesItsDatabase()
	before := b.listReads()
	for _, e := range all {
		b.do(e)
	}
	// Each of three lists is one call, and one more that finds its end.
	if reads := b.listReads() - before; reads > 6 {
		t.Errorf("the lists were read with %d calls, want one read of each of the three lists", reads)
	}
	if n := len(b.ch.Mails()) - mails; n != 0 || b.posts() != writes || len(b.ch.Requests()) != 24 || len(b.ch.Contacts()) != contacts {
		t.Errorf("after a lost database: %d mails, %d requests made, %d open, %d contacts instead of %d",
			n, b.posts()-writes, len(b.ch.Requests()), len(b.ch.Contacts()), contacts)
	}
	t.Run("and keeps them in step from then on", func(t *testing.T) {
		b.pass(time.Minute)
		b.setDate(all[0], "2030-06-09")
		b.setDate(all[1], "")
		b.do(all[0])
		b.do(all[1])
		open := b.ch.Requests()
		if len(open) != 23 || !open[len(open)-1].Start.Equal(time.Date(2030, 6, 9, 13, 0, 0, 0, time.UTC)) {
			t.Errorf("%d open requests, the last at %s", len(open), open[len(open)-1].Start)
		}
		if marks := map[string]bool{}; true {
			for _, r := range slices.Concat(b.ch.Requests(), b.ch.Closed()) {
				if m := meeting.MarkerIn(r.Subject); marks[m] {
					t.Errorf("the marker %s was used twice", m)
				} else {
					marks[m] = true
				}
			}
		}
	})
}

func TestAnOlderCopyOfTheDatabaseMakesNothingTwice(t *testing.T) {
	testenv.Long(t)
	for _, c := range []struct {
		name  string
		since func(b *bundle, e store.Entity) // the copy, with the old process
		down  func(b *bundle, e store.Entity) // before the new one starts
		open  string                          // the start of the one request afterwards; "" = none
		mails int
	}{
		{"replaced since", func(b *bundle, e store.Entity) { b.setDate(e, "2030-06-03"); b.do(e) }, nil, "2030-06-03", 0},
		{"replaced several times and back", func(b *bundle, e store.Entity) {
			for _, day := range []string{"2030-06-03", "2030-06-04", "2030-06-02"} {
				b.setDate(e, day)
				b.do(e)
			}
		}, nil, "2030-06-02", 0},
		{"removed since", func(b *bundle, e store.Entity) { b.setDate(e, ""); b.do(e) }, nil, "", 0},
		{
			"replaced, and no longer wanted while down", func(b *bundle, e store.Entity) { b.setDate(e, "2030-06-03"); b.do(e) },
			func(b *bundle, e store.Entity) { b.setDate(e, "") }, "", 1,
		},
		{
			"replaced, and changed again while down", func(b *bundle, e store.Entity) { b.setDate(e, "2030-06-03"); b.do(e) },
			func(b *bundle, e store.Entity) { b.setDate(e, "2030-06-04") }, "2030-06-04", 2,
		},
		{
			"replaced, then called off", func(b *bundle, e store.Entity) { b.setDate(e, "2030-06-03"); b.do(e) },
			func(b *bundle, _ store.Entity) { b.must(b.ch.Cancel(b.ch.Requests()[0].ID)) }, "", 0,
		},
		{
			"replaced, then accepted", func(b *bundle, e store.Entity) { b.setDate(e, "2030-06-03"); b.do(e) },
			func(b *bundle, _ store.Entity) { b.must(b.ch.Accept(b.ch.Requests()[0].ID)) }, "2030-06-03", 0,
		},
		{
			"replaced, then moved", func(b *bundle, e store.Entity) { b.setDate(e, "2030-06-03"); b.do(e) },
			func(b *bundle, _ store.Entity) {
				at := time.Date(2030, 6, 7, 13, 0, 0, 0, time.UTC)
				b.must(b.ch.Reschedule(b.ch.Requests()[0].ID, at, at.Add(30*time.Minute)))
			}, "2030-06-07", 0,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t, toOwner)
			e := b.jane("2030-06-02")
			b.do(e)
			old := b.backedUp()
			c.since(b, e)
			if c.down != nil {
				b.pass(time.Minute)
				c.down(b, e)
			}
			mails := len(b.ch.Mails())
			b.startsOn(old)
			b.pass(time.Minute)
			for range 3 {
				b.do(e)
				b.polls()
				b.pass(time.Minute)
			}
			var open []string
			for _, r := range b.ch.Requests() {
				open = append(open, r.Start.Format(time.DateOnly))
			}
			if got := strings.Join(open, " "); got != c.open || len(b.ch.Mails())-mails != c.mails {
				t.Errorf("open at %q with %d mails, want %q with %d", got, len(b.ch.Mails())-mails, c.open, c.mails)
			}
		})
	}
}

// polls looks at the lists, and syncs what that asks for.
func (b *bundle) polls() {
	b.t.Helper()
	accounts, err := b.connections.Accounts(b.t.Context())
	b.must(err)
	_, err = b.reconciler.PollMeetings(b.t.Context(), accounts[0])
	b.must(err)
	for _, m := range slices.Concat(b.ch.Requests(), b.ch.Closed()) {
		_, _ = b.run(store.Entity{LocationID: location, Kind: string(mapping.KindMeeting), ID: m.ID})
	}
}

func TestARecordOfALostDatabaseThatWantsNothingIsRemoved(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	e := b.jane("2030-06-02")
	b.do(e)
	b.losesItsDatabase()
	b.setDate(e, "")
	if res := b.do(e); len(b.ch.Requests()) != 0 || !strings.Contains(res.detail(), "event removed") {
		t.Errorf("%d requests are open: %s", len(b.ch.Requests()), res.detail())
	}
	b.setDate(e, "2030-06-02")
	b.do(e)
	if n := len(b.ch.Requests()); n != 1 || b.posts() != 2 {
		t.Errorf("%d requests are open after the record asked for it again", n)
	}
}

func TestASecondRequestIsRemoved(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	e := b.jane("2030-06-02")
	at := time.Date(2030, 6, 2, 13, 0, 0, 0, time.UTC)
	for _, g := range []int64{1, 4} {
		_, err := b.ch.Request("Closing ["+meeting.Marker(e, "milestone/1", g)+"]", []string{ownerMail}, at, at.Add(30*time.Minute))
		b.must(err)
	}
	b.do(e)
	open := b.ch.Requests()
	if len(open) != 1 || meeting.MarkerIn(open[0].Subject) != meeting.Marker(e, "milestone/1", 4) || b.posts() != 0 {
		t.Errorf("open after two generations were found: %+v", open)
	}
}

func TestATaskThatIsMadeAfterTheBackfillOfALostDatabaseIsFound(t *testing.T) {
	b := setup(t, "")
	_, contact := b.task(time.Date(2030, 6, 3, 19, 0, 0, 0, time.UTC))
	look := func(name string) {
		t.Helper()
		_, err := b.reconciler.Sweep(t.Context(), name, location, time.Time{}, false, nil)
		b.must(err)
		b.settle()
	}
	look(location + "/backfill")
	_, err := b.hl.CreateTask(hlfake.Task{ContactID: contact, Title: "Send the papers", DueDate: time.Date(2030, 6, 4, 19, 0, 0, 0, time.UTC)})
	b.must(err)
	look(location)
	if n := len(b.ch.Requests()); n != 2 {
		t.Errorf("%d requests for two tasks", n)
	}
}

func TestAListThatLacksWhatIsThereMakesNothingTwice(t *testing.T) {
	testenv.Long(t)
	b := setup(t, strings.Replace(wayBack, ", attach: [notes]", "", 1))
	e, contact := b.task(time.Date(2030, 6, 3, 19, 0, 0, 0, time.UTC))
	_, err := b.hl.CreateNote(hlfake.Note{ContactID: contact, Body: "Prefers mornings"})
	b.must(err)
	b.all()
	older := b.backedUp()
	b.must(b.ch.Accept(b.request().ID))
	b.settle()
	if n, m := len(b.hl.Notes(contact)), len(b.hl.Tasks(contact)); n != 2 || m != 2 {
		t.Fatalf("%d notes and %d tasks, want one more of each for the booked meeting", n, m)
	}
	b.startsOn(older)
	_, err = b.try(store.Entity{LocationID: location, Kind: string(mapping.KindMeeting), ID: b.request().ID})
	b.must(err)
	for _, list := range []string{"tasks", "notes"} {
		lie := b.hl.Faults().Next("GET /contacts/{contactId}/"+list, -1, fakehttp.Say(200, `{"`+list+`":[]}`))
		if _, err := b.try(e); clients.ReasonOf(err) != clients.Unavailable {
			t.Errorf("with an empty list of %s the sync ends with %v", list, err)
		}
		b.hl.Faults().Disarm(lie)
	}
	b.ask(e)
	if n, m := len(b.hl.Notes(contact)), len(b.hl.Tasks(contact)); n != 2 || m != 2 {
		t.Errorf("afterwards there are %d notes and %d tasks, want 2 of each", n, m)
	}
}

func TestAMeetingThatIsMovedAgainAfterTheDatabaseWasLostMovesItsTask(t *testing.T) {
	testenv.Long(t)
	b := setup(t, wayBack)
	e, contact := b.task(time.Date(2030, 6, 3, 19, 0, 0, 0, time.UTC))
	b.ask(e)
	move := func(to time.Time) {
		t.Helper()
		b.must(b.ch.Reschedule(b.request().ID, to, to.Add(15*time.Minute)))
		b.settle()
		if got := b.hl.Tasks(contact)[0].DueDate; !got.Equal(to.Add(15 * time.Minute)) {
			t.Errorf("the task is due at %s, and its meeting ends at %s", got, to.Add(15*time.Minute))
		}
	}
	move(movedTo)
	b.losesItsDatabase()
	b.ask(e)
	move(movedTo.Add(24 * time.Hour))
}

func TestATaskFollowsAMeetingThatWasMovedBeforeTheDatabaseWasLost(t *testing.T) {
	testenv.Long(t)
	b := setup(t, wayBack)
	e, contact := b.task(time.Date(2030, 6, 3, 19, 0, 0, 0, time.UTC))
	b.ask(e)
	b.must(b.ch.Reschedule(b.request().ID, movedTo, movedTo.Add(15*time.Minute)))
	b.losesItsDatabase()
	b.must(b.hl.UpdateTask(e.ID, func(t *hlfake.Task) { t.Title = "Call Jane back" }))
	b.ask(e)
	due := b.hl.Tasks(contact)[0].DueDate
	if got := b.request(); !due.Equal(movedTo.Add(15*time.Minute)) || !got.End.Equal(due) || !strings.HasPrefix(got.Subject, "Call Jane back") {
		t.Errorf("the task is due at %s, its request is %q and ends at %s", due, got.Subject, got.End)
	}
}

func TestAListThatShowsNothingAtAllIsNotBelieved(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	e := b.jane("2030-06-03")
	other, err := b.hl.SeedContact(hlfake.Contact{
		LocationID: location, FirstName: "Joe", LastName: "Roe", Email: "joe@example.com",
		CustomFields: map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-06-05"},
	})
	b.must(err)
	b.ask(store.Entity{LocationID: location, Kind: string(mapping.KindContact), ID: other.ID})
	b.ch.Faults().Next("POST /meeting/tasks", 1, fakehttp.LoseAnswer())
	lie := b.ch.Faults().Next("GET /meeting/tasks", -1, fakehttp.Say(200, `[]`))
	_, err = b.try(e)
	if err == nil {
		t.Fatal("the answer of the create was not lost")
	}
	b.pass(outcome.UnclearSettle)
	if _, err := b.try(e); clients.ReasonOf(err) != clients.Unavailable {
		t.Errorf("while the lists show nothing the sync ends with %v", err)
	}
	b.ch.Faults().Disarm(lie)
	b.ask(e)
	if n := b.posts(); n != 2 {
		t.Errorf("%d requests were made for two records", n)
	}
}

// A request that only the webhook of CalendarHero told of is one that the lists must show.
func TestListsThatShowNothingThatCalendarHeroToldOfAreNotBelievedAtOnce(t *testing.T) {
	b := setup(t, toOwner)
	e := b.jane("2030-06-02")
	b.heardOf(mapping.KindMeeting, "5f0000000000000000000001", "")
	lie := b.ch.Faults().Next("GET /meeting/tasks", -1, fakehttp.Say(200, `[]`))
	_, err := b.try(e)
	if _, waits := errors.AsType[*outcome.Wait](err); !waits || b.posts() != 0 {
		t.Fatalf("while the lists show nothing, %d requests were made, and the sync ends with %v", b.posts(), err)
	}
	b.ch.Faults().Disarm(lie)
	b.pass(2 * time.Hour)
	b.do(e)
	if b.posts() != 1 {
		t.Errorf("%d requests were made", b.posts())
	}
}

func TestListsThatShowNotEvenTheRecordsOwnRequestsAreNotBelievedAtOnce(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	e := b.jane("2030-06-02")
	b.do(e)
	old := b.backedUp()
	b.setDate(e, "2030-06-03")
	b.do(e)
	b.startsOn(old)
	lie := b.ch.Faults().Next("GET /meeting/tasks", -1, fakehttp.Say(200, `[]`))
	b.setDate(e, "2030-06-04")
	waits := func() bool {
		_, err := b.try(e)
		_, ok := errors.AsType[*outcome.Wait](err)
		return ok
	}
	b.pass(time.Minute)
	if !waits() || b.posts() != 2 {
		t.Fatalf("while the lists show nothing, a request was made: %d posts", b.posts())
	}
	t.Run("until they show something", func(t *testing.T) {
		b.ch.Faults().Disarm(lie)
		b.pass(time.Minute)
		b.do(e)
		if got := b.request(); b.posts() != 3 || meeting.MarkerIn(got.Subject) != meeting.Marker(e, "milestone/1", 3) {
			t.Errorf("the request %q is open after %d posts", got.Subject, b.posts())
		}
	})
	t.Run("or two hours have passed", func(t *testing.T) {
		b.startsOn(old)
		b.ch.Faults().Next("GET /meeting/tasks", -1, fakehttp.Say(200, `[]`))
		b.pass(time.Minute)
		if !waits() {
			t.Error("the lists are believed at once")
		}
		b.pass(2 * time.Hour)
		if waits() {
			t.Error("the lists are never believed")
		}
	})
}

func TestTheRequestOfATaskIsRemovedThatWasCompletedUnknownToTheDatabase(t *testing.T) {
	testenv.Long(t)
	b := setup(t, wayBack)
	look := func() {
		t.Helper()
		_, err := b.reconciler.Sweep(t.Context(), location, location, time.Time{}, false, nil)
		b.must(err)
		b.settle()
	}
	look()
	old := b.backedUp()
	e, _ := b.task(time.Date(2030, 6, 3, 19, 0, 0, 0, time.UTC))
	b.ask(e)
	b.startsOn(old)
	b.must(b.hl.CompleteTask(e.ID))
	b.settle() // the poll finds a request of nobody
	look()
	if n := len(b.ch.Requests()); n != 0 {
		t.Errorf("%d requests are left of a completed task", n)
	}
	before := b.hl.Calls()["POST /locations/{locationId}/tasks/search"]
	look()
	if n := b.hl.Calls()["POST /locations/{locationId}/tasks/search"] - before; n != 1 {
		t.Errorf("the next sweep searches %d times, want only the open tasks", n)
	}
}

func TestATaskSearchThatShowsNothingRemovesNoRequestOfALostDatabase(t *testing.T) {
	testenv.Long(t)
	b := setup(t, wayBack)
	e, _ := b.task(time.Date(2030, 6, 3, 19, 0, 0, 0, time.UTC))
	b.ask(e)
	r := b.request()
	b.losesItsDatabase()
	lie := b.hl.Faults().Next("POST /locations/{locationId}/tasks/search", -1, fakehttp.Say(200, `{"tasks":[]}`))
	b.ask(e)
	if got := b.request(); got.ID != r.ID {
		t.Error("the request was replaced")
	}
	b.hl.Faults().Disarm(lie)
	b.ask(e)
	if got := b.request(); got.ID != r.ID || b.link(e).ObjectID != r.ID || b.posts() != 1 {
		t.Errorf("the request was not adopted: %d posts", b.posts())
	}
}

func TestAPreviewOnALostDatabaseSaysWhatIsAdopted(t *testing.T) {
	testenv.Long(t)
	b := setup(t, toOwner)
	e := b.jane("2030-06-02")
	b.do(e)
	b.losesItsDatabase()
	preview := func() string {
		t.Helper()
		lines, err := b.Changes(t.Context(), e, e.ID)
		b.must(err)
		return strings.Join(lines, "\n")
	}
	if says := preview(); says != "event adopted: Closing" || strings.Contains(says, "which mails") {
		t.Errorf("the preview of what CalendarHero has already: %s", says)
	}
	b.setDate(e, "2030-06-09")
	if says := preview(); !strings.HasPrefix(says, "replace event ") {
		t.Errorf("the preview of what moved meanwhile: %s", says)
	}
	if b.do(e); len(b.ch.Requests()) != 1 || b.posts() != 2 {
		t.Errorf("after the sync %d requests are open and %d were made", len(b.ch.Requests()), b.posts())
	}
}
