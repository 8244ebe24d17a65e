package e2e_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
)

// failure is one way in which HighLevel does not give a sync its contact.
type failure struct {
	name  string
	fault func(contactID string) fakehttp.Fault
	tries int // calls within one attempt; 0 = as many as the connections that broke

	outcome string        // of the delivery meanwhile
	lasts   time.Duration // how long an attempt takes, where that is more than a moment
	again   time.Duration // from its end to the next attempt, a tenth either way; 0 = there is none
	heals   string        // byItself or withNextEvent
	detail  string        // what the operator reads at the delivery …
	log     string        // … and in the log
}

const (
	byItself      = "once the fault is over"
	atMidnight    = "when the day ends at 00:00 UTC, whatever becomes of the fault"
	withNextEvent = "with the next event: the answer says that this request will never succeed"
)

const (
	speedOfErrors = 4
	answerTime    = 300 * time.Millisecond // how long the clients really wait for an answer here; in earnest it is 10 s
	pauses        = 3 * time.Second        // of the two retries within a call, by the test's clock
	slack         = 3 * time.Second        // for a machine that is busy, by the test's clock
)

// A vendor's words may repeat what was sent: the token and the record.
const echo = " (Bearer " + hlToken + ", jane@secret.example)"

// always is a fault that does not name the contact.
func always(f fakehttp.Fault) func(string) fakehttp.Fault {
	return func(string) fakehttp.Fault { return f }
}

// says is an answer with HighLevel's error body (highlevel.md §9); {id} in its
// message is the contact's.
func says(status int, message string) func(string) fakehttp.Fault {
	return func(id string) fakehttp.Fault {
		return fakehttp.Say(status, fmt.Sprintf(`{"statusCode":%d,"message":%q,"error":%q,"traceId":"trace-1"}`,
			status, strings.ReplaceAll(message, "{id}", id), http.StatusText(status)))
	}
}

// overLimit is a 429 with HighLevel's headers: how many calls each limit leaves.
func overLimit(burst, daily string) func(string) fakehttp.Fault {
	return always(says(429, "Too Many Requests")("").
		WithHeader("X-RateLimit-Limit-Daily", "200000").WithHeader("X-RateLimit-Daily-Remaining", daily).
		WithHeader("X-RateLimit-Interval-Milliseconds", "10000").WithHeader("X-RateLimit-Max", "100").WithHeader("X-RateLimit-Remaining", burst))
}

var failures = []failure{
	{
		name: "400", fault: says(400, "Invalid country"+echo), tries: 1,
		outcome: store.Invalid, heals: withNextEvent,
		detail: "HighLevel: get contact {id}: 400: Invalid country", log: `400: rejected; the delivery's detail says why (trace trace-1)`,
	}, {
		name: "400, no such contact", fault: says(400, "Contact with id {id} not found"), tries: 1,
		outcome: store.Waiting, again: 2 * time.Second, heals: byItself,
		detail: "HighLevel does not find the new record yet; Milepost checks again for ten minutes", log: "sync waits",
	}, {
		name: "400, a proxy's page", fault: always(fakehttp.Say(400, "<html>Bad Request</html>").WithHeader("Content-Type", "text/html")), tries: 1,
		outcome: store.Retry, again: 2 * time.Second, heals: byItself,
		detail: "HighLevel: get contact {id}: 400: this is not an answer of HighLevel's API; if it continues, check the base URL", log: "outage began",
	}, {
		name: "401, invalid token", fault: says(401, "Invalid token: access token is invalid"+echo), tries: 1,
		outcome: store.Auth, again: 2 * time.Second, heals: byItself,
		detail: "the token is wrong or has expired: make a new one or connect the location again", log: "token rejected; retrying until it works",
	}, {
		name: "401, version header", fault: says(401, "version header was not found."), tries: 1,
		outcome: store.Auth, again: 2 * time.Second, heals: byItself,
		detail: "set the API version to one that HighLevel supports, such as 2021-07-28", log: "token rejected; retrying until it works",
	}, {
		name: "401, scope", fault: says(401, "The token is not authorized for this scope."), tries: 1,
		outcome: store.Auth, again: 2 * time.Second, heals: byItself,
		detail: "give the token the scope contacts.readonly", log: "token rejected; retrying until it works",
	}, {
		name: "401, user type", fault: says(401, "Token's user type mismatch!"), tries: 1,
		outcome: store.Auth, again: 2 * time.Second, heals: byItself,
		detail: "use the token of a sub-account, not of an agency", log: "token rejected; retrying until it works",
	}, {
		name: "401, authClass", fault: says(401, "This authClass type is not allowed to access this scope."), tries: 1,
		outcome: store.Auth, again: 2 * time.Second, heals: byItself,
		detail: "use the token of a sub-account, not of an agency", log: "token rejected; retrying until it works",
	}, {
		name: "403", fault: says(403, "The token does not have access to this location."), tries: 1,
		outcome: store.Auth, again: 2 * time.Second, heals: byItself,
		detail: "is this token of the right location?", log: "token rejected; retrying until it works",
	}, {
		name: "404, wrong path", fault: says(404, "Cannot GET /contacts/{id}"), tries: 1,
		outcome: store.Retry, again: 2 * time.Second, heals: byItself,
		detail: "HighLevel knows no such path; check the base URL and the API version", log: "outage began",
	}, {
		name: "404, no such contact", fault: says(404, "Contact not found"), tries: 1,
		outcome: store.Waiting, again: 2 * time.Second, heals: byItself,
		detail: "HighLevel does not find the new record yet; Milepost checks again for ten minutes", log: "sync waits",
	}, {
		name: "422", fault: always(fakehttp.Say(422, `{"statusCode":422,"message":["contactId must be a string","`+echo+`"],"error":"Unprocessable Entity"}`)), tries: 1,
		outcome: store.Invalid, heals: withNextEvent,
		detail: "HighLevel: get contact {id}: 422: contactId must be a string", log: "422: rejected; the delivery's detail says why",
	}, {
		name: "429, burst", fault: overLimit("0", "1234"), tries: 1,
		outcome: store.Waiting, again: 10 * time.Second, heals: byItself,
		detail: "HighLevel: get contact {id}: 429: Too Many Requests", log: "HighLevel asked location " + location + " to wait",
	}, {
		name: "429, daily", fault: overLimit("50", "0"), tries: 1,
		outcome: store.Waiting, again: 15 * time.Minute, heals: atMidnight,
		detail: "HighLevel: get contact {id}: 429: Too Many Requests (trace trace-1): the daily allowance is used up; work continues at 00:00 UTC", log: "HighLevel's daily allowance of location " + location + " is used up; work continues at 00:00 UTC",
	}, {
		name: "429, Retry-After", fault: always(fakehttp.RateLimited(40 * time.Second)), tries: 1,
		outcome: store.Waiting, again: 40 * time.Second, heals: byItself,
		detail: "HighLevel: get contact {id}: 429: Too Many Requests", log: "HighLevel asked location " + location + " to wait",
	}, {
		name: "500", fault: always(fakehttp.FailWith(500)), tries: 3,
		outcome: store.Retry, lasts: pauses, again: 2 * time.Second, heals: byItself,
		detail: "HighLevel: get contact {id}: 500: Internal Server Error", log: "outage began",
	}, {
		name: "time-out", fault: always(fakehttp.HoldUntil(nil)), tries: 3,
		outcome: store.Retry, lasts: pauses + 3*speedOfErrors*answerTime, again: 2 * time.Second, heals: byItself,
		detail: "HighLevel: get contact {id}: no answer came in time", log: "outage began",
	}, {
		name: "connection reset", fault: always(fakehttp.ResetBefore()),
		outcome: store.Retry, lasts: pauses, again: 2 * time.Second, heals: byItself,
		detail: "connection reset by peer", log: "outage began",
	}, {
		name: "malformed JSON", fault: always(fakehttp.MalformedAnswer()), tries: 1,
		outcome: store.Retry, again: 2 * time.Second, heals: byItself,
		detail: "HighLevel: get contact {id}: 200: the answer is not the JSON that was expected", log: "outage began",
	},
}

// TestEveryErrorHasItsOutcomeItsNextTryAndItsWords gives a sync each error in
// place of its contact, looks at what Milepost makes of it, and ends the error. No other
// test runs beside it, so a run outside CI plays each third.
func TestEveryErrorHasItsOutcomeItsNextTryAndItsWords(t *testing.T) {
	w := setup(t, logged, alone, func(w *world, _ *hlfake.Config) { // it measures waits of half a second
		w.cfg.Clock.Start, w.cfg.Clock.Speed = time.Now(), speedOfErrors
		w.cfg.HTTP = &http.Client{Timeout: answerTime}
	})
	for i, f := range failures {
		if i%3 > 0 && !testenv.Thorough() {
			continue
		}
		t.Run(f.name, func(t *testing.T) { w.suffer(t, f, fmt.Sprintf("secret%d@secret.example", i)) })
	}
}

func (w *world) suffer(t *testing.T, f failure, email string) {
	id := w.contact("Jane", "Secretperson", email)
	named := strings.NewReplacer("{id}", id).Replace
	logged := len(w.log.lines(f.log))
	armed := w.hl.Faults().Next("GET /contacts/{contactId}", -1, f.fault(id))
	defer w.hl.Faults().Clear()
	tell := func() {
		w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
	}
	tell()
	var before, seen attempts // at the end of the round before, and of this one
	var d store.Delivery
	wrong := func() (all []string) {
		w.eventually("the sync has failed", func() bool {
			begun := w.attemptsOn(id)
			d = w.deliveryOf(id)
			hits := armed.Hits()
			seen = w.attemptsOn(id)
			seen.calls = hits
			return hits > 0 && d.Outcome != store.Pending && seen.count == begun.count && !seen.running && !begun.running
		})
		want := f.lasts + min(f.again<<max(0, seen.failed-1), 15*time.Minute) // each failure doubles it
		if got := seen.wait; got < want*8/10 || got > want*12/10+slack {
			all = append(all, fmt.Sprintf("attempt %d is followed by the next %v after it began, want %v", seen.count, got, want))
		}
		count, failed, calls := seen.count-before.count, seen.failed-before.failed, seen.calls-before.calls
		if f.tries > 0 && calls != f.tries*max(1, failed) && calls != f.tries*count {
			all = append(all, fmt.Sprintf("%d attempts made %d calls, want %d each", count, calls, f.tries))
		}
		return all
	}
	all := wrong()
	for range 4 { // an attempt that a busy machine held up says nothing, but the next one may
		if len(all) == 0 || f.again == 0 || seen.wait > 2*time.Minute {
			break
		}
		before = seen
		w.eventually("it is tried again", func() bool { return w.attemptsOn(id).count > seen.count })
		all = wrong()
	}
	if len(all) > 0 {
		t.Error(strings.Join(all, "; "))
	}
	if d.Outcome != f.outcome || !strings.Contains(d.Detail, named(f.detail)) {
		t.Errorf("the delivery is %q: %s\nwant %q: %s", d.Outcome, d.Detail, f.outcome, named(f.detail))
	}
	// It is written a moment after the outcome.
	w.eventually("the log has a line with "+f.log, func() bool { return len(w.log.lines(f.log)) > logged })
	for _, line := range append(w.log.lines(), d.Detail) {
		if strings.Contains(line, hlToken) || strings.Contains(line, chToken) {
			t.Errorf("a token is shown: %s", line)
		}
	}
	for _, personal := range []string{email, "jane@secret.example", "Secretperson"} {
		if lines := w.log.lines(personal); len(lines) > 0 {
			t.Errorf("personal data is logged: %s", lines)
		}
	}

	w.hl.Faults().Clear()
	w.advance(16 * time.Minute)
	if f.heals == atMidnight {
		w.advance(24 * time.Hour)
	}
	there := func() bool {
		for _, r := range w.ch.Requests() {
			if strings.Contains(r.Subject, "Secretperson") {
				return true
			}
		}
		return false
	}
	if f.heals == withNextEvent {
		w.settle()
		if there() {
			t.Error("it was tried again")
		}
		tell()
		w.must(w.hl.UpdateContact(id, func(c *hlfake.Contact) { c.City = "Beacon" }))
	}
	w.eventually("it heals "+f.heals, there)
	w.settle()
	w.must(w.hl.DeleteContact(id))
	w.settle()
}

// attempts is what the queue knows of an entity's sync.
type attempts struct {
	count, failed, calls int
	running              bool
	wait                 time.Duration // from the beginning of the last attempt to the next, by the world's clock; 0 = there is none
}

func (w *world) attemptsOn(id string) (a attempts) {
	w.must(w.app.Store().InTx(context.Background(), func(tx *store.Tx) error {
		// A job that waits for a next try is another one than that which tried.
		rows, err := tx.Query(context.Background(), `SELECT state = 'running' OR julianday(scheduled_at) <= julianday('now'), tries,
				(SELECT count(*) FROM river_job d WHERE d.kind = 'sync' AND json_extract(d.args, '$.id') = $1 AND d.state = 'completed'),
				86400 * (julianday(scheduled_at) - julianday((SELECT max(attempted_at) FROM river_job d
					WHERE d.kind = 'sync' AND json_extract(d.args, '$.id') = $1 AND d.state = 'completed')))
			FROM river_job JOIN entities e ON e.kind = 'contact' AND e.id = $1
			WHERE river_job.kind = 'sync' AND json_extract(args, '$.id') = $1 AND finalized_at IS NULL`, id)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var wait sql.NullFloat64
			if err := rows.Scan(&a.running, &a.failed, &a.count, &wait); err != nil {
				return err
			}
			a.running = a.running || !wait.Valid
			a.wait = time.Duration(wait.Float64*float64(w.cfg.Clock.Speed)*1e6) * time.Microsecond
		}
		return rows.Err()
	}))
	return a
}

// deliveryOf is the newest delivery about an entity.
func (w *world) deliveryOf(id string) store.Delivery {
	for _, d := range w.deliveries() {
		if d.Entity.ID == id {
			return d
		}
	}
	return store.Delivery{Outcome: store.Pending}
}
