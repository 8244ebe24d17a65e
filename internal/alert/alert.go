// Package alert tells people by webhook and e-mail that something is wrong, and that it is
// over.
//
// Guarantees: of each kind of fault there is at most one message an hour, and one when it
// is over. What was told outlives a restart, and of several processes on one database one
// sends. A message that a channel does not take is tried again for a day, under the same
// id. No message holds a secret or data of a contact.
//
// It does not know what a fault is: package operate does.
package alert

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"milepost/internal/store"
)

// Fault is something that is wrong: all that has one cause.
type Fault struct {
	Key      string // the same as long as it lasts
	Kind     string // one of the Kinds
	What     string // it is, in a sentence without its full stop
	Todo     string // what a person can do about it
	Location string // its name, or its id; "" = none's
	Count    int64  // records or webhooks; 0 = it is not counted
	Since    time.Time
	Open     bool // people are to know of it; false if somebody took it on already
}

// kinds are what a message is about, with its subject while that lasts and when it is over.
var kinds = map[string]struct{ firing, over string }{
	"connection": {"A location is not served", "Every location is served again"},
	"failing":    {"Syncs fail", "The syncs do not fail any more"},
	"stuck":      {"Webhooks wait for too long", "No webhook waits for too long any more"},
	"removals":   {"Many records vanished", "No vanished records wait for a person any more"},
	"inbox":      {"The database files did not match", "The database files match"},
	"quota":      {"A location has few of its calls of the day left", "Every location has enough calls left again"},
	"signatures": {"Most webhooks have no valid signature", "Webhooks have valid signatures again"},
	"backup":     {"The last backup is too old", "There is a new backup"},
}

// Subject is what a message of a kind and a status says; "" if there are none.
func Subject(kind, status string) string {
	if status == Over {
		return kinds[kind].over
	}
	return kinds[kind].firing
}

// The statuses of a message.
const (
	Firing = "firing"
	Over   = "over"
	Trial  = "test"
)

const (
	perKind = time.Hour       // the shortest time between two messages that something of a kind is wrong
	remind  = 24 * time.Hour  // between two messages of which the second has nothing new
	settle  = 5 * time.Minute // how long a fault must be gone to be over
	giveUp  = 24 * time.Hour  // after which a message is tried no more
	most    = 10              // faults that a message names
)

// Cause is one fault in a message.
type Cause struct {
	What     string    `json:"what"`
	Todo     string    `json:"todo,omitempty"`
	Location string    `json:"location,omitempty"`
	Count    int64     `json:"count,omitempty"`
	Since    time.Time `json:"since"`
}

// Message is what a channel sends.
type Message struct {
	ID      string    `json:"-"`
	Status  string    `json:"status"`
	Kind    string    `json:"kind"`
	Subject string    `json:"subject"`
	Began   time.Time `json:"began_at,omitzero"`
	Causes  []Cause   `json:"causes"`
	More    int       `json:"more,omitempty"`    // causes that it does not name
	Console string    `json:"console,omitempty"` // where to look
	At      time.Time `json:"at"`
}

// Channel is a way to people.
type Channel interface {
	Name() string // of the kind of channel, for the database and for people
	To() string   // whom it reaches, without a secret
	Send(context.Context, Message) error
}

// ErrGone means that a channel takes no more messages like this one.
var ErrGone = errors.New("the receiver wants no more of these messages (410)")

// Config is what an Alerter needs.
type Config struct {
	Store    *store.Store
	Channels []Channel
	Console  string           // its address, for links; "" = not known
	Now      func() time.Time // nil = time.Now
}

// Alerter tells people. Safe for concurrent use.
type Alerter struct{ Config }

// New returns an alerter.
func New(cfg Config) *Alerter {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Alerter{cfg}
}

// Round tells what is to be told of the faults that there are now, and sends what is due.
func (a *Alerter) Round(ctx context.Context, faults []Fault) error {
	told, err := a.Store.Alerts(ctx)
	if err != nil {
		return err
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		of := slices.DeleteFunc(slices.Clone(faults), func(f Fault) bool { return f.Kind != kind })
		was := told[kind]
		was.Kind = kind
		now := a.Now()
		is, status := decide(was, of, now)
		var messages []store.AlertMessage
		if status != "" {
			if messages, err = a.messages(a.message(status, kind, is.BeganAt, of)); err != nil {
				return err
			}
		} else if maps.Equal(was.Told, is.Told) {
			continue
		}
		if _, err := a.Store.SaveAlert(ctx, is, messages); err != nil {
			return err // if it was not saved, another process told it
		}
	}
	return a.send(ctx)
}

// decide says what people know after this round, and the status of the message that tells
// them; "" = there is none.
func decide(was store.Alert, faults []Fault, now time.Time) (is store.Alert, status string) {
	is = was
	var lasting bool
	is.Told, lasting = recall(was.Told, faults, now)
	open := slices.DeleteFunc(slices.Clone(faults), func(f Fault) bool { return !f.Open })
	news := slices.ContainsFunc(open, func(f Fault) bool {
		gone, known := is.Told[f.Key]
		return !known || isOver(gone, now) // or it came back
	})
	age := now.Sub(was.ToldAt)
	free := was.ToldAt.IsZero() || age < 0 || age >= perKind
	switch {
	case len(open) > 0 && free && (news || age >= remind):
		if len(was.Told) == 0 {
			is.BeganAt = now
		}
		maps.DeleteFunc(is.Told, func(_ string, gone time.Time) bool { return isOver(gone, now) })
		for _, f := range open {
			is.Told[f.Key] = time.Time{}
		}
		is.ToldAt = now
		return is, Firing
	case len(open) == 0 && !lasting && len(was.Told) > 0:
		is.Told = map[string]time.Time{}
		return is, Over
	}
	return is, ""
}

// recall says which faults people know of now, and when each went away. lasting is false
// if all of them are over.
func recall(told map[string]time.Time, faults []Fault, now time.Time) (is map[string]time.Time, lasting bool) {
	is = map[string]time.Time{}
	for key, gone := range told {
		there := slices.ContainsFunc(faults, func(f Fault) bool { return f.Key == key })
		switch {
		case there && !isOver(gone, now):
			is[key] = time.Time{}
		case !there && (gone.IsZero() || now.Before(gone)): // or the clock was put back
			is[key] = now
		default:
			is[key] = gone
		}
		lasting = lasting || !isOver(is[key], now)
	}
	return is, lasting
}

// isOver reports whether a fault has been gone for long enough.
func isOver(gone, now time.Time) bool { return !gone.IsZero() && now.Sub(gone) >= settle }

// message is about the open ones of some faults.
func (a *Alerter) message(status, kind string, began time.Time, faults []Fault) Message {
	m := Message{ID: "msg_" + rand.Text(), Status: status, Kind: kind, Subject: Subject(kind, status), Began: began.UTC().Truncate(time.Second), Causes: []Cause{}, At: a.Now().UTC().Truncate(time.Second)}
	if a.Console != "" {
		m.Console = a.Console + "/console/attention"
	}
	if status == Over {
		return m
	}
	for _, f := range faults {
		switch {
		case !f.Open:
		case len(m.Causes) == most:
			m.More++
		default:
			m.Causes = append(m.Causes, Cause{What: line(f.What), Todo: line(f.Todo), Location: line(f.Location), Count: f.Count, Since: f.Since.UTC().Truncate(time.Second)})
		}
	}
	return m
}

// line keeps a text to one line of printable characters: a location's name is typed at
// HighLevel.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > 300 {
		return string(runes[:300]) + "…"
	}
	return s
}

// messages are the rows for a message: one for each channel.
func (a *Alerter) messages(m Message) ([]store.AlertMessage, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	rows := make([]store.AlertMessage, len(a.Channels))
	for i, c := range a.Channels {
		rows[i] = store.AlertMessage{ID: m.ID, Channel: c.Name(), Kind: m.Kind, Status: m.Status, Body: string(body), At: m.At}
	}
	return rows, nil
}

// send sends what is due.
func (a *Alerter) send(ctx context.Context) error {
	const atOnce = 50
	due, err := a.Store.DueAlertMessages(ctx, a.Now(), atOnce)
	if err != nil {
		return err
	}
	var failed error
	for _, m := range due {
		i := slices.IndexFunc(a.Channels, func(c Channel) bool { return c.Name() == m.Channel })
		old := a.Now().Sub(m.At) >= giveUp
		if i < 0 && !old {
			continue // another process may have this channel
		}
		mine, err := a.Store.TryAlertMessage(ctx, m, a.Now().Add(backoff(m.Tries)))
		if err != nil {
			return err
		}
		switch {
		case !mine:
			continue
		case old:
			m.Problem = cmp.Or(m.Problem, "the channel is not set any more")
			err = a.Store.SentAlertMessage(ctx, m, true)
		default:
			failed = errors.Join(failed, a.try(ctx, a.Channels[i], &m))
			err = a.Store.SentAlertMessage(ctx, m, m.Problem == "" || m.Problem == ErrGone.Error())
		}
		if err != nil {
			return err
		}
	}
	return failed
}

// try sends a message by a channel, and notes in it how that ended.
func (a *Alerter) try(ctx context.Context, c Channel, m *store.AlertMessage) error {
	var message Message
	err := json.Unmarshal([]byte(m.Body), &message)
	if err == nil {
		message.ID = m.ID
		err = c.Send(ctx, message)
	}
	if err != nil {
		m.Problem = line(err.Error())
		return fmt.Errorf("send an alert by %s: %w", c.Name(), err)
	}
	m.SentAt, m.Problem = a.Now(), ""
	return nil
}

// backoff is the time until the next try, and longer than a try takes.
func backoff(tries int64) time.Duration { return min(time.Minute<<min(tries, 6), time.Hour) }

// Tried is how the test of a channel went.
type Tried struct {
	Channel, To string
	Err         error // nil = the channel took the message
}

// testLimit is for the test of all channels: a person waits for it.
const testLimit = 20 * time.Second

// Test sends a test message by each channel at once.
func (a *Alerter) Test(ctx context.Context) []Tried {
	ctx, cancel := context.WithTimeout(ctx, testLimit)
	defer cancel()
	m := a.message(Trial, "test", time.Time{}, nil)
	m.Subject = "This is a test"
	list := make([]Tried, len(a.Channels))
	var sending sync.WaitGroup
	for i, c := range a.Channels {
		sending.Go(func() { list[i] = Tried{c.Name(), c.To(), c.Send(ctx, m)} })
	}
	sending.Wait()
	return list
}
