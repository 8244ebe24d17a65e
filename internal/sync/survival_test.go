package sync

import (
	"context"
	"log/slog"
	"time"

	"milepost/internal/sandbox/fakehttp"
	"milepost/internal/store"
	"milepost/mapping"
)

// What a history survives besides faults and crashes: gateways that answer in a
// vendor's place as if nothing were there, a database that is restored from an
// older copy or lost, and a clock that jumps.

// snapshot is a copy of the database, with how many webhooks had arrived by then.
type snapshot struct {
	database string
	told     int // of history.past
	at       time.Time
}

// lying is a gateway that answers in a vendor's place.
type lying struct {
	armed   *fakehttp.Armed
	faults  *fakehttp.Faults
	pattern string
	body    string
}

// notesOfContact is the pattern of the list of a contact's notes.
const notesOfContact = "GET /contacts/{contactId}/notes"

// noNotes counts the reads of a contact's notes that a gateway answered by none.
func (h *history) noNotes() (n int) {
	for _, l := range h.lying {
		if l.pattern == notesOfContact && l.body == `{"notes":[]}` {
			n += l.armed.Hits()
		}
	}
	return n
}

// now is the true time. Milepost's own clock may differ from it by the skew.
func (h *history) now() time.Time { return time.UnixMicro(h.micros.Load()).UTC() }

// lies are answers that a gateway, a wrong setting or a lagging index gives to
// requests for records that are there.
var lies = []struct {
	vendor, pattern string
	status          int
	body            string
}{
	{"HighLevel", "*", 404, ""},
	{"HighLevel", "*", 404, `{"statusCode":404,"message":"Not Found"}`},
	{"HighLevel", "*", 404, `{"message":"no Route matched with those values"}`},
	{"HighLevel", "*", 410, ""},
	{"HighLevel", "*", 400, `{"statusCode":400,"message":"Bad Request"}`},
	{"HighLevel", "*", 403, `<html><body>Forbidden</body></html>`},
	{"HighLevel", "*", 405, ""},
	{"HighLevel", "GET /contacts/*", 404, `{"statusCode":404,"message":"Not Found"}`},
	{"HighLevel", "*", 200, `{}`},
	{"HighLevel", "*", 200, `<html><body>Welcome</body></html>`},
	{"HighLevel", "POST /locations/{locationId}/tasks/search", 200, `{"tasks":[]}`},
	{"HighLevel", "POST /contacts/search", 200, `{"contacts":[],"total":0}`},
	{"HighLevel", notesOfContact, 200, `{"notes":[]}`},
	{"HighLevel", notesOfContact, 200, `{}`},
	{"HighLevel", "GET /contacts/{contactId}/tasks", 200, `{"tasks":[]}`},
	{"CalendarHero", "*", 404, ""},
	{"CalendarHero", "*", 404, `{"statusCode":404,"error":"Not Found","message":"Not Found"}`},
	{"CalendarHero", "*", 405, ""},
	{"CalendarHero", "*", 302, ""},
	{"CalendarHero", "*", 200, `{}`},
	{"CalendarHero", "GET /meeting/tasks", 200, `[]`},
	{"CalendarHero", "GET /contact", 200, `[]`},
}

// lie has a gateway answer for a while, in which Milepost works on.
func (h *history) lie() {
	lie := choose(h, lies...)
	if h.blindTo(lie.pattern) {
		return
	}
	faults := h.hl.Faults()
	if lie.vendor == "CalendarHero" {
		faults = h.ch.Faults()
	}
	turns := 1 + h.rng.IntN(4)
	h.tell("%s: a gateway answers %d %q to %s", lie.vendor, lie.status, lie.body, lie.pattern)
	armed := faults.Next(lie.pattern, -1, fakehttp.Say(lie.status, lie.body))
	h.armed, h.lying = append(h.armed, armed), append(h.lying, lying{armed, faults, lie.pattern, lie.body})
	h.tally.survived["lying gateway"]++
	for range turns {
		h.work(1 + h.rng.IntN(8))
		switch choose(h, "edit", "poll", "deliver", "work") {
		case "edit":
			h.tally.highlevel++
			h.person(h.edit)
		case "poll":
			h.pollAll()
			h.contactsAll()
			h.sweepAll()
			h.remindAll()
		case "deliver":
			h.deliver("soon twice late")
		}
		h.pass(choose(h, 20*time.Second, 70*time.Second, 6*time.Minute))
	}
	if h.rng.IntN(3) > 0 { // else it goes on until all faults are over
		faults.Disarm(armed)
		h.tell("%s: the gateway is gone", lie.vendor)
	}
}

// blindTo reports whether Milepost cannot distinguish an empty answer from a wrong one. Its
// database was restored, and no longer knows a contact, meeting or note that an answer
// should show.
func (h *history) blindTo(pattern string) bool {
	if !h.expected.forgotten {
		return false
	}
	switch pattern {
	case "GET /contact":
		links, err := h.store.ContactLinks(h.t.Context(), store.Entity{LocationID: location}, 2)
		h.must(err)
		return len(links) < 2 // one may be that of the contact that is looked for
	case "GET /meeting/tasks":
		known, err := h.store.OpenMeetings(h.t.Context(), location)
		h.must(err)
		return len(known) == 0
	case notesOfContact:
		for _, c := range h.hl.Contacts() {
			known, err := h.store.LastSeenOf(h.t.Context(), location, c.ID, string(mapping.KindNote))
			h.must(err)
			if len(known) == 0 && len(h.hl.Notes(c.ID)) > 0 {
				return true
			}
		}
	}
	return false
}

// copyState copies the database, as a backup does while Milepost runs.
func (h *history) copyState() {
	h.t.Helper()
	h.copies = append(h.copies, snapshot{h.stage.shelf.copied(h.t, h.database), len(h.past), h.now()})
	h.tell("the database is copied")
}

// restore starts the process on an older copy of its database, or on an empty one. If the
// inbox is the current one, the webhooks since the copy are dispatched again. If the inbox
// is lost as well, only a full sweep finds what those webhooks reported.
func (h *history) restore() {
	h.t.Helper()
	inbox := choose(h, true, false)
	from := snapshot{database: h.stage.shelf.empty()}
	what := "an empty database"
	if len(h.copies) > 0 && h.rng.IntN(3) > 0 {
		from = choose(h, h.copies...)
		what = "an older copy of the database"
	} else {
		h.backfills, h.unpolled = true, true
	}
	h.tally.survived[what]++
	h.tell("Milepost is started on %s; the inbox is there: %v", what, inbox)
	h.useCopyOf(from.database)
	h.needCheck = true
	h.expected.forget(from.at)
	for _, l := range h.lying {
		if h.blindTo(l.pattern) {
			l.faults.Disarm(l.armed)
		}
	}
	if inbox {
		for _, w := range h.past[from.told:] {
			h.arrive(w)
		}
	} else {
		h.unheard = len(h.past)
	}
	if h.rng.IntN(2) == 0 {
		h.backfill()
	}
}

// useCopyOf continues on a copy of a database.
func (h *history) useCopyOf(of string) {
	h.t.Helper()
	var st *store.Store
	h.database, st = h.stage.shelf.use(h.t, of)
	_, err := st.NewQueue(store.QueueConfig{Logger: slog.New(slog.DiscardHandler)})
	h.must(err)
	h.stores = append(h.stores, st)
	h.cfg.Store = st
	h.workers = newWorkers(h.cfg)
	clear(h.due)
	clear(h.fails)
	h.putBack()
}

// backfill looks at all records of the location, which a person asks for after
// the database was lost.
func (h *history) backfill() {
	h.t.Helper()
	if !h.backfills {
		return
	}
	found := int64(0)
	err, died := h.live(func(ctx context.Context) error {
		at, err := h.reconciler.Sweep(ctx, location+"/backfill", location, time.Time{}, false, nil)
		found = at.Differing
		return err
	})
	if err == nil && !died {
		h.backfills = false
	}
	h.tell("  backfill: %d found, %v", found, err)
	h.look()
}

// agree has a person agree to what waits because many records vanished at once. It
// is for when all gateways tell the truth again.
func (h *history) agree() {
	h.t.Helper()
	waiting, err := h.store.WaitingRemovals(h.t.Context())
	h.must(err)
	if len(waiting) == 0 {
		return
	}
	n, err := h.store.AllowRemovals(h.t.Context(), location, h.now())
	h.must(err)
	h.tally.survived["removals agreed to"] += n
	h.tell("a person agrees that %d records are gone", n)
}

// jump sets Milepost's clock to another time, or right again.
func (h *history) jump() {
	skew := choose(h, 0, 0, -time.Minute, -time.Hour, -48*time.Hour, time.Minute, time.Hour, 26*time.Hour)
	h.tell("Milepost's clock jumps from %s to %s beside the true time", time.Duration(h.skew.Load()), skew)
	h.turn(skew)
	h.tally.survived["clock jump"]++
}

// turn sets the clock.
func (h *history) turn(skew time.Duration) {
	h.t.Helper()
	h.ahead = max(h.ahead, skew)
	if int64(skew) < h.skew.Swap(int64(skew)) {
		h.putBack()
	}
}

// putBack does what the app does when it notices that the clock was put back, and
// when it starts.
func (h *history) putBack() {
	h.t.Helper()
	_, err := h.store.ClockPutBack(h.t.Context(), h.cfg.Now(), h.cfg.Every)
	h.must(err)
	h.must(h.store.SyncedAhead(h.t.Context(), h.cfg.Now()))
}
