package connection_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"milepost/clients/calendarhero"
	"milepost/internal/connection"
	chfake "milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/fakehttp"
	"milepost/internal/secret"
	"milepost/internal/store"
	"milepost/internal/testenv"
)

const (
	publicURL = "https://milepost.example.com"
	zapier    = "https://hooks.zapier.example/hooks/catch/secret-part?key=secret-query"
)

// heroes are CalendarHero accounts by their tokens, at one address.
type heroes struct {
	*bundle
	url     string
	of      map[string]*chfake.Server
	refused atomic.Int64 // calls with the token of none of them
}

func (b *bundle) heroes(config chfake.Config, tokens ...string) *heroes {
	h := &heroes{bundle: b, of: map[string]*chfake.Server{}}
	for _, token := range tokens {
		config.Clock, config.Token = b.clock.now, token
		h.of[token] = chfake.New(config)
		b.t.Cleanup(h.of[token].Close)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if account := h.of[r.Header.Get("Authorization")]; account != nil {
			account.ServeHTTP(w, r)
			return
		}
		h.refused.Add(1)
		http.Error(w, `{"statusCode":401,"error":"Unauthorized","message":"Invalid token"}`, http.StatusUnauthorized)
	}))
	b.t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

// process is a process that CalendarHero reaches.
func (h *heroes) process(change ...func(*connection.Config)) *connection.Registry {
	h.t.Helper()
	return h.bundle.process(append([]func(*connection.Config){func(c *connection.Config) {
		c.PublicURL, c.Settings.CalendarHeroToken = publicURL+"/", ""
		c.CalendarHero = calendarhero.Config{BaseURL: h.url, RetryWait: func(int) time.Duration { return 0 }, Now: h.clock.now}
	}}, change...)...)
}

// check lets a quarter of an hour pass and checks.
func (h *heroes) check(r *connection.Registry) {
	h.t.Helper()
	h.clock.advance(15*time.Minute + time.Second)
	h.checkNow(r)
}

// checkNow checks what is due, and returns how long to wait for the next time.
func (h *heroes) checkNow(r *connection.Registry) (next time.Duration) {
	h.t.Helper()
	next, err := r.CheckHooks(h.t.Context(), 15*time.Minute)
	h.must(err)
	return next
}

// hook is what is known of an event at the account of north.
func (h *heroes) hook(r *connection.Registry, event string) store.Hook {
	h.t.Helper()
	reports, err := r.HookReports(h.t.Context())
	h.must(err)
	for _, report := range reports {
		if slices.Contains(report.Locations, north) {
			return report.Hooks[slices.Index(calendarhero.Events, event)]
		}
	}
	h.t.Fatalf("no account of %s: %+v", north, reports)
	return store.Hook{}
}

// key is the key in the URLs that are registered at an account, all eight of
// which must be ours.
func (h *heroes) key(token string) (key string) {
	h.t.Helper()
	hooks := h.of[token].Hooks()
	for _, event := range calendarhero.Events {
		rest, ok := strings.CutPrefix(hooks[event], publicURL+"/webhooks/calendarhero/")
		k, e, _ := strings.Cut(rest, "/")
		if !ok || len(k) != 26 || e != event || key != "" && k != key {
			h.t.Fatalf("%s goes to %q", event, hooks[event])
		}
		key = k
	}
	return key
}

// anyKey is the key in any of the URLs.
func (h *heroes) anyKey(token string) string {
	for _, url := range h.of[token].Hooks() {
		parts := strings.Split(url, "/")
		return parts[len(parts)-2]
	}
	h.t.Fatal("nothing is registered")
	return ""
}

func (h *heroes) calls(token string) (read, written int) {
	for operation, n := range h.of[token].Calls() {
		if strings.HasPrefix(operation, "GET /webhook") {
			read += n
		} else {
			written += n
		}
	}
	return read, written
}

// lines counts the lines of the log with a word.
func (h *heroes) lines(word string) (n int) {
	for line := range strings.Lines(h.log.String()) {
		if strings.Contains(line, word) {
			n++
		}
	}
	return n
}

func TestEachAccountIsRegisteredOnceUnderItsOwnKey(t *testing.T) {
	onEachBackend(t, func(t *testing.T, b *bundle) {
		h := b.heroes(chfake.Config{}, "ch-shared", "ch-own")
		r, other := h.process(), h.process()
		for _, l := range []struct{ id, token string }{{south, "ch-shared"}, {north, "ch-shared"}, {"third", "ch-own"}} {
			b.must(r.Set(t.Context(), l.id, "pit-"+l.id, l.token))
		}
		list, err := r.Accounts(t.Context())
		b.must(err)
		if len(list) != 2 || slices.IndexFunc(list, func(a connection.Account) bool { return slices.Equal(a.Locations, []string{south, north}) }) < 0 {
			t.Errorf("the accounts are %+v, want two, of which one has two locations in order", list)
		}

		h.check(r)
		shared, own := h.key("ch-shared"), h.key("ch-own")
		if shared == own {
			t.Error("two accounts have one key")
		}
		for key, want := range map[string]string{shared: south, own: "third", strings.ToLower(own): "", "AAAAAAAAAAAAAAAAAAAAAAAAAA": "", "": ""} {
			if got, ok, err := other.HookLocation(t.Context(), key); got != want || ok != (want != "") || err != nil {
				t.Errorf("the key leads to %q, %v, %v; want %q", got, ok, err, want)
			}
		}
		if hk := h.hook(r, "meeting_started"); hk.State != store.HookOurs || hk.Problem != "" || hk.SetAt.IsZero() || hk.SeenAt.IsZero() {
			t.Errorf("it is known as %+v", hk)
		}
		if n := h.lines("webhooks of CalendarHero registered"); n != 2 {
			t.Errorf("%d lines tell of it, want one an account:\n%s", n, h.log)
		}

		_, written := h.calls("ch-own")
		h.checkNow(other) // another process, at once
		read, _ := h.calls("ch-own")
		h.check(other)
		if again, rewritten := h.calls("ch-own"); again != read+8 || rewritten != written {
			t.Errorf("a second look read %d and wrote %d, want 8 and none", again-read, rewritten-written)
		}
		for _, secret := range []string{shared, own, "ch-shared", "ch-own"} {
			if strings.Contains(h.log.String(), secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
		if _, err := other.Remove(t.Context(), south); err != nil {
			t.Fatal(err)
		}
		h.clock.advance(time.Second)
		if got, _, _ := r.HookLocation(t.Context(), shared); got != north {
			t.Errorf("after its home is removed the key leads to %q", got)
		}
		if len(h.of["ch-shared"].Hooks()) != 8 {
			t.Error("an account that is still used lost its webhooks")
		}
	})
}

func TestAWebhookThatVanishedIsRepairedAndAnOlderURLReplaced(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		for name, config := range map[string]chfake.Config{"an empty answer": {}, "404": {NoHook404: true}} {
			h := b.heroes(config, "ch")
			r := h.process()
			b.must(r.Set(t.Context(), north, "pit", "ch"))
			h.check(r)
			h.of["ch"].DropHook("meeting_started")
			h.check(r)
			key := h.key("ch")
			if h.lines("repaired") != 1 || !strings.Contains(h.log.String(), `"events":["meeting_started"]`) {
				t.Errorf("%s: the log does not tell of the repair:\n%s", name, h.log)
			}
			b.must(h.of["ch"].SetHook("meeting_started", publicURL+"/webhooks/calendarhero/"+key+"/meeting_completed"))        // another event's
			b.must(h.of["ch"].SetHook("meeting_completed", publicURL+"/webhooks/calendarhero/LOSTDATABASE/meeting_completed")) // of an older database
			moved := h.process(func(c *connection.Config) { c.PublicURL = "https://old.example.com/path" })
			h.check(r)
			h.key("ch")
			h.check(moved)
			if url := h.of["ch"].Hooks()["meeting_started"]; url != "https://old.example.com/path/webhooks/calendarhero/"+key+"/meeting_started" {
				t.Errorf("%s: under another address it goes to %q", name, url)
			}
			h.check(r)
			h.key("ch")
			b.must(r.Store.DropSecret(t.Context(), "calendarhero-hook/"+h.hook(r, "meeting_started").Account)) // with a lost key of the ring
			h.check(r)
			if h.key("ch") == key {
				t.Errorf("%s: the key is the one that was lost", name)
			}
			_, err := r.Remove(t.Context(), north)
			b.must(err)
			h.log.Reset()
		}
	})
}

func TestAnotherToolsWebhookIsLeftAloneUntilItMayBeTaken(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		h := b.heroes(chfake.Config{}, "ch")
		ch := h.of["ch"]
		b.must(ch.SetHook("meeting_started", zapier))
		r := h.process()
		b.must(r.Set(t.Context(), north, "pit", "ch"))
		h.check(r)
		h.check(r)
		if hooks := ch.Hooks(); hooks["meeting_started"] != zapier || len(hooks) != 8 {
			t.Fatalf("it was displaced, or kept the others away: %v", hooks)
		}
		if hk := h.hook(r, "meeting_started"); hk.State != store.HookForeign || !strings.Contains(hk.Problem, "hooks.zapier.example") || !strings.Contains(hk.Problem, "milepost hooks take "+north+" --event meeting_started") {
			t.Errorf("it is known as %+v", hk)
		}
		if n := h.lines(`"level":"warn"`); n != 1 {
			t.Errorf("%d warnings, want one:\n%s", n, h.log)
		}
		b.must(ch.SetHook("meeting_started", zapier+"2"))
		h.check(r)
		if n := h.lines(`"level":"warn"`); n != 2 {
			t.Errorf("after it changed: %d warnings, want two", n)
		}

		account, ok, err := r.AccountOf(t.Context(), north)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		others, err := r.OtherHooks(t.Context(), account, calendarhero.Events)
		if want := []connection.OtherHook{{Event: "meeting_started", Host: "hooks.zapier.example"}}; err != nil || !slices.Equal(others, want) {
			t.Errorf("to be displaced are %+v, %v", others, err)
		}
		_, err = r.TakeHooks(t.Context(), account, []string{"meeting_started"})
		b.must(err)
		h.key("ch")
		b.must(ch.SetHook("meeting_started", zapier)) // the tool registers itself again
		h.check(r)
		if url := ch.Hooks()["meeting_started"]; url != zapier || h.hook(r, "meeting_started").State != store.HookForeign {
			t.Errorf("a permission that was used holds on: %q", url)
		}
		ch.DropHook("meeting_started")
		h.check(r)
		h.key("ch")
		if said := h.log.String(); strings.Contains(said, "secret-") {
			t.Errorf("the log holds more than the host of another tool's URL:\n%s", said)
		}
	})
}

func TestAnAnswerThatCannotBeReadIsTakenForSomebodys(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		h := b.heroes(chfake.Config{}, "ch")
		r := h.process()
		b.must(r.Set(t.Context(), north, "pit", "ch"))
		h.of["ch"].Faults().Next("GET /webhook/{event}", -1, fakehttp.Say(200, `{"active":true}`))
		h.check(r)
		h.check(r)
		if n := len(h.of["ch"].Hooks()); n != 0 {
			t.Errorf("%d were registered over what is there", n)
		}
		if hk := h.hook(r, "meeting_started"); hk.State != store.HookUnknown || !strings.Contains(hk.Problem, "hooks take") {
			t.Errorf("it is known as %+v", hk)
		}
		if n := h.lines(`"level":"warn"`); n != 1 {
			t.Errorf("%d warnings, want one", n)
		}
		account, _, err := r.AccountOf(t.Context(), north)
		b.must(err)
		_, err = r.TakeHooks(t.Context(), account, calendarhero.Events)
		b.must(err)
		h.key("ch")
		h.check(r)
		if hk := h.hook(r, "meeting_started"); hk.State != store.HookOurs {
			t.Errorf("after it was taken it is known as %+v", hk)
		}
	})
}

func TestWhereNothingCanBeReadItIsRegisteredOnceADay(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		h := b.heroes(chfake.Config{}, "ch")
		r := h.process()
		b.must(r.Set(t.Context(), north, "pit", "ch"))
		h.of["ch"].Faults().Next("GET /webhook/{event}", -1, fakehttp.FailWith(404))
		posts := func() int { return h.of["ch"].Calls()["POST /webhook/{event}"] }
		h.check(r)
		h.key("ch")
		h.check(r)
		h.check(r)
		if n := posts(); n != 8 {
			t.Errorf("%d registrations within an hour, want 8", n)
		}
		h.clock.advance(24 * time.Hour)
		h.check(r)
		if n := posts(); n != 16 || h.hook(r, "meeting_started").State != store.HookOurs {
			t.Errorf("%d registrations after a day, want 16", n)
		}
		if hk := h.hook(r, "meeting_started"); !hk.Unverifiable() || !strings.Contains(hk.Problem, "cannot read the registration") || !strings.Contains(hk.Problem, hk.SetAt.Format(time.RFC3339)) {
			t.Errorf("it is known as %+v", hk)
		}
		if n := h.lines("will not notice if another tool registers later"); n != 1 {
			t.Errorf("%d lines say that nothing can be read, want one:\n%s", n, h.log)
		}
		account, _, err := r.AccountOf(t.Context(), north)
		b.must(err)
		b.must(h.of["ch"].SetHook("meeting_rescheduled", zapier)) // unnoticed
		others, err := r.OtherHooks(t.Context(), account, calendarhero.Events)
		if err != nil || len(others) != 8 || others[0].Unread == "" {
			t.Errorf("to be displaced may be %+v, %v; want all", others, err)
		}
		if _, err = r.ReleaseHooks(t.Context(), account, false); err != nil || len(h.of["ch"].Hooks()) != 8 {
			t.Errorf("what cannot be read was deleted unasked: %v, %v", h.of["ch"].Hooks(), err)
		}
		_, err = r.TakeHooks(t.Context(), account, calendarhero.Events)
		b.must(err)
		h.key("ch")
		said, err := r.Remove(t.Context(), north)
		if err != nil || len(h.of["ch"].Hooks()) != 0 || !strings.Contains(said, "could not read 8") {
			t.Errorf("after the removal: %q, %v, %v", said, err, h.of["ch"].Hooks())
		}
	})
}

func TestWhatCanNeverBeReadIsToldOnceAndRegisteredOnlyWhenTaken(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		h := b.heroes(chfake.Config{}, "ch")
		r := h.process()
		b.must(r.Set(t.Context(), north, "pit", "ch"))
		h.of["ch"].Faults().Next("GET /webhook/{event}", -1, fakehttp.FailWith(500))
		b.must(h.of["ch"].SetHook("meeting_started", zapier))
		h.check(r)
		since := h.hook(r, "meeting_started").FailedAt
		for range 7 {
			h.check(r)
		}
		if n := len(h.of["ch"].Hooks()); n != 1 {
			t.Errorf("%d were registered unread", n-1)
		}
		for _, event := range calendarhero.Events {
			hk := h.hook(r, event)
			if p := hk.Problem; !strings.Contains(p, "cannot read the registration since "+hk.FailedAt.Format(time.RFC3339)) || !strings.Contains(p, "500") || !strings.Contains(p, "hooks take "+north+" --event "+event+" --yes") {
				t.Errorf("of %s it is said: %s", event, p)
			}
		}
		if hk := h.hook(r, "meeting_started"); since.IsZero() || hk.FailedAt != since {
			t.Errorf("it failed since %v, then since %v", since, hk.FailedAt)
		}
		if n := h.lines(`"level":"warn"`); n != 1 {
			t.Errorf("%d warnings, want one:\n%s", n, h.log)
		}

		account, _, err := r.AccountOf(t.Context(), north)
		b.must(err)
		if others, err := r.OtherHooks(t.Context(), account, calendarhero.Events); err != nil || len(others) != 8 || !strings.Contains(others[7].Unread, "500") {
			t.Errorf("to be displaced may be %+v, %v; want all", others, err)
		}
		_, err = r.TakeHooks(t.Context(), account, calendarhero.Events)
		b.must(err)
		h.key("ch")
		if hk := h.hook(r, "meeting_started"); hk.State != store.HookOurs || !hk.Unverifiable() {
			t.Errorf("after it was taken it is known as %+v", hk)
		}
		_, written := h.calls("ch")
		h.check(r)
		h.check(r)
		if _, again := h.calls("ch"); again != written || h.lines(`"level":"warn"`) != 1 {
			t.Errorf("%d written again; the log:\n%s", again-written, h.log)
		}
		if p := h.hook(r, "meeting_started").Problem; !strings.Contains(p, "registered last") {
			t.Errorf("it is said: %s", p)
		}
		hooks, err := r.ReleaseHooks(t.Context(), account, false)
		if err != nil || len(h.of["ch"].Hooks()) != 8 || !strings.Contains(hooks[0].Problem, "cannot delete") {
			t.Errorf("released unread: %+v, %v", hooks, err)
		}
		if _, err = r.ReleaseHooks(t.Context(), account, true); err != nil || len(h.of["ch"].Hooks()) != 0 {
			t.Errorf("released as allowed: %v, %v", h.of["ch"].Hooks(), err)
		}
	})
}

func TestWhatFailedIsTriedAgainSoonAndThenEverMoreRarely(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		h := b.heroes(chfake.Config{}, "ch", "ch-busy")
		now := h.clock.now().Truncate(time.Second) // which the test alone moves
		advance := func(d time.Duration) { now = now.Add(d) }
		still := func(c *connection.Config) { c.Now = func() time.Time { return now } }
		r, other := h.process(still), h.process(still)
		b.must(r.Set(t.Context(), north, "pit", "ch"))
		posts := func() int { return h.of["ch"].Calls()["POST /webhook/{event}"] }
		h.of["ch"].Faults().Next("POST /webhook/{event}", -1, fakehttp.FailWith(500))
		var tries []time.Duration // after the first
		start, last := now, 0
		for now.Sub(start) < time.Hour {
			r, other = other, r
			next := h.checkNow(r)
			if n := posts(); n > last {
				tries, last = append(tries, now.Sub(start)), n
				if n > 6*len(tries) {
					t.Fatalf("%d registrations in %d looks, want two with their retries in each", n, len(tries))
				}
			}
			advance(min(next, 5*time.Second))
		}
		want := []time.Duration{0, 15 * time.Second, time.Minute, 4 * time.Minute, 16 * time.Minute, 31 * time.Minute, 46 * time.Minute}
		if !slices.Equal(tries, want) {
			t.Errorf("tried after %v, want %v", tries, want)
		}
		if n := h.lines(`"level":"warn"`); n != 1 {
			t.Errorf("%d warnings, want one:\n%s", n, h.log)
		}
		h.of["ch"].Faults().Clear()
		advance(15 * time.Minute)
		h.checkNow(r)
		h.key("ch")
		if hk := h.hook(r, "meeting_started"); hk.Problem != "" || !hk.FailedAt.IsZero() || !hk.NextAt.IsZero() {
			t.Errorf("it is known as %+v", hk)
		}

		// What CalendarHero says of when to come again is kept, for all events.
		b.must(r.Set(t.Context(), south, "pit-south", "ch-busy"))
		advance(5 * time.Second)
		h.of["ch-busy"].Faults().Next("GET /webhook/{event}", 6, fakehttp.FailWith(500))
		h.checkNow(r)
		h.of["ch-busy"].Faults().Next("GET /webhook/{event}", 1, fakehttp.RateLimited(10*time.Minute))
		advance(15 * time.Second)
		h.checkNow(r)
		read, _ := h.calls("ch-busy")
		for range 39 {
			advance(15 * time.Second)
			h.checkNow(r)
		}
		if again, _ := h.calls("ch-busy"); again != read {
			t.Errorf("%d calls before CalendarHero wanted them", again-read)
		}
		advance(15 * time.Second)
		h.checkNow(r)
		h.key("ch-busy")
	})
}

func TestAFailedCallDisturbsNoOtherAndABadTokenIsOneWarning(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		h := b.heroes(chfake.Config{}, "ch")
		r := h.process()
		b.must(r.Set(t.Context(), south, "pit-south", "ch-wrong"))
		b.must(r.Set(t.Context(), north, "pit", "ch"))
		first := calendarhero.Events[0]
		h.of["ch"].Faults().Next("GET /webhook/{event}", 3, fakehttp.FailWith(500)) // and its two retries
		h.check(r)
		if hooks := h.of["ch"].Hooks(); len(hooks) != 7 || hooks[first] != "" {
			t.Errorf("registered are %v, want all but %s", hooks, first)
		}
		if hk := h.hook(r, first); hk.State != store.HookFailed || !strings.Contains(hk.Problem, "500") {
			t.Errorf("it is known as %+v", hk)
		}
		if n, m := h.lines(`"level":"warn"`), h.lines("Invalid token"); n != 2 || m != 1 || h.refused.Load() != 1 {
			t.Errorf("%d warnings, of which %d are of the token that was tried %d times; want 2, 1 and 1:\n%s", n, m, h.refused.Load(), h.log)
		}
		h.check(r)
		h.key("ch")
		if n := h.lines(`"level":"warn"`); n != 2 {
			t.Errorf("%d warnings after another look, want no new one", n)
		}

		// The lost answer of a registration is cleared up by the next look.
		h.of["ch"].DropHook(first)
		h.of["ch"].Faults().Next("POST /webhook/{event}", 3, fakehttp.LoseAnswer())
		h.check(r)
		h.check(r)
		h.key("ch")
		// What CalendarHero says may hold what it was sent.
		h.of["ch"].DropHook(first)
		key := h.anyKey("ch")
		h.of["ch"].Faults().Next("POST /webhook/{event}", 3, fakehttp.Say(400, `{"statusCode":400,"message":"hookUrl `+publicURL+"/webhooks/calendarhero/"+key+"/"+first+` is not allowed"}`))
		h.check(r)
		if said := h.log.String() + h.hook(r, first).Problem; strings.Contains(said, key) {
			t.Errorf("the key is told:\n%s", said)
		}
	})
}

func TestTheLastLocationOfAnAccountTakesItsWebhooksAlong(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		h := b.heroes(chfake.Config{}, "ch", "ch-next")
		ch := h.of["ch"]
		b.must(ch.SetHook("meeting_started", zapier))
		r := h.process()
		for _, id := range []string{north, south} {
			b.must(r.Set(t.Context(), id, "pit-"+id, "ch"))
		}
		h.check(r)
		key := h.anyKey("ch")
		b.must(r.Set(t.Context(), south, "", "ch-next")) // one leaves, one stays
		if n := len(ch.Hooks()); n != 8 {
			t.Errorf("%d webhooks while a location is left", n)
		}
		said, err := r.Remove(t.Context(), north)
		if hooks := ch.Hooks(); err != nil || !strings.Contains(said, "7 webhooks") || len(hooks) != 1 || hooks["meeting_started"] != zapier {
			t.Errorf("%q, %v; there are %v, want another tool's alone", said, err, hooks)
		}
		if _, ok, err := r.HookLocation(t.Context(), key); ok || err != nil {
			t.Errorf("its key still leads somewhere (%v)", err)
		}
		h.check(r)
		if n := len(ch.Hooks()); n != 1 {
			t.Error("they were registered again")
		}

		// Where they cannot be deleted the location is removed all the same, and known again later.
		h.key("ch-next")
		h.of["ch-next"].Faults().Next("DELETE /webhook/{event}", -1, fakehttp.FailWith(503))
		said, err = r.Remove(t.Context(), south)
		if err != nil || !strings.Contains(said, "8 webhooks") || !strings.Contains(said, "remain there") {
			t.Errorf("%q, %v", said, err)
		}
		if c := b.state(r, south); c.State != store.ConnectionRemoved {
			t.Errorf("it is %+v", c)
		}
		b.must(r.Set(t.Context(), south, "pit", "ch-next"))
		h.check(r)
		h.key("ch-next")
		if n := h.lines("renewed"); n != 1 {
			t.Errorf("%d lines of a renewal, want one", n)
		}
	})
}

func TestWhatIsReleasedIsNotRegisteredUntilItIsTaken(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		h := b.heroes(chfake.Config{}, "ch")
		ch := h.of["ch"]
		r := h.process()
		b.must(r.Set(t.Context(), north, "pit", "ch"))
		h.check(r)
		account, _, err := r.AccountOf(t.Context(), north)
		b.must(err)
		keyOf := func(url string) string { return path.Base(path.Dir(url)) }
		old := keyOf(ch.Hooks()["meeting_started"])
		ch.Faults().Next("DELETE /webhook/{event}", 3, fakehttp.FailWith(503))
		hooks, err := r.ReleaseHooks(t.Context(), account, false)
		b.must(err)
		if n := len(ch.Hooks()); n != 1 || hooks[0].Problem == "" || hooks[1].Problem != "" {
			t.Errorf("%d are left, known as %+v", n, hooks)
		}
		h.check(r)
		h.check(r)
		if n := len(ch.Hooks()); n != 0 || h.hook(r, "meeting_started").State != store.HookOff {
			t.Errorf("%d are there after a release", n)
		}
		_, err = r.TakeHooks(t.Context(), account, []string{"meeting_started"})
		b.must(err)
		h.check(r)
		if hooks := ch.Hooks(); len(hooks) != 1 || hooks["meeting_started"] == "" {
			t.Errorf("there are %v, want the one that was taken", hooks)
		}
		for key, want := range map[string]bool{old: false, keyOf(ch.Hooks()["meeting_started"]): true} {
			if _, ok, err := r.HookLocation(t.Context(), key); ok != want || err != nil {
				t.Errorf("a key lets in: %v, want %v (%v)", ok, want, err)
			}
		}
	})
}

func TestTwoTokensOfOneAccountDoNotDisplaceEachOther(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		h := b.heroes(chfake.Config{}, "ch")
		h.of["Bearer ch"] = h.of["ch"] // which the fake takes too
		r := h.process()
		b.must(r.Set(t.Context(), north, "pit", "ch"))
		b.must(r.Set(t.Context(), south, "pit-south", "Bearer ch"))
		h.check(r) // at once, so each may be the first for some events
		hooks := h.of["ch"].Hooks()
		_, written := h.calls("ch")
		h.check(r)
		if _, again := h.calls("ch"); len(hooks) != 8 || again != written || !maps.Equal(hooks, h.of["ch"].Hooks()) {
			t.Errorf("%d are registered, and %d registrations followed; want 8 and none", len(hooks), again-written)
		}
	})
}

func TestWithoutAPublicURLNothingIsRegistered(t *testing.T) {
	onEachBackend(t, func(t *testing.T, b *bundle) {
		h := b.heroes(chfake.Config{}, "ch")
		r := h.process(func(c *connection.Config) { c.PublicURL = "" })
		b.must(r.Set(t.Context(), north, "pit", "ch"))
		h.check(r)
		if read, written := h.calls("ch"); read+written != 0 {
			t.Errorf("%d calls", read+written)
		}
	})
}

func TestTheKeysOfWebhooksAreEncryptedAgainAndTheirLossIsNoLocations(t *testing.T) {
	testenv.Long(t)
	onEachBackend(t, func(t *testing.T, b *bundle) {
		ring := func(keys ...string) *secret.Ring {
			ring, err := secret.ParseRing(strings.Join(keys, ","))
			b.must(err)
			return ring
		}
		old, young := secret.GenerateKey(), secret.GenerateKey()
		b.ring = ring(old)
		h := b.heroes(chfake.Config{}, "ch")
		r := h.process()
		b.must(r.Set(t.Context(), north, "pit", "ch"))
		h.check(r)
		key := h.key("ch")
		with := func(keys ...string) *connection.Registry {
			config := r.Config
			config.Ring = ring(keys...)
			return connection.Open(config)
		}
		if n, err := with(young, old).EncryptAgain(t.Context()); n != 3 || err != nil {
			t.Errorf("%d were encrypted again, %v; want both tokens and the key", n, err)
		}
		h.of["ch"].DropHook("meeting_started")
		h.check(with(young))
		if h.key("ch") != key {
			t.Error("the key is another one after the rotation")
		}
		n, locations, err := with(secret.GenerateKey()).DropLost(t.Context())
		if n != 3 || err != nil || !slices.Equal(locations, []string{north}) {
			t.Errorf("%d dropped, to connect again %v, %v; want the location alone", n, locations, err)
		}
	})
}
