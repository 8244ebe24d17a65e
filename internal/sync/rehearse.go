package sync

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/internal/outcome"
	"milepost/internal/store"
	"milepost/mapping"
)

// Rehearser runs syncs without effect. It uses the code of a sync, but its clients send
// only reads, and everything that it stores is rolled back. So it shows what a sync would
// do. It syncs one record at a time.
type Rehearser struct {
	syncer *Syncer
	now    *Rehearsal
}

// Rehearsal is what a sync of a record would do now.
type Rehearsal struct {
	Entity     store.Entity
	ContactID  string
	Facts      mapping.Facts // as they were read
	Plan       mapping.Plan
	Considered []mapping.Considered
	Calls      []RehearsedCall // in their order
	Mails      []RehearsedMail
	Outcome    string
	Detail     string
	Waits      string // why the sync would wait, or fail, before its end; "" = it would not
	Unknown    string // the vendor that does not find the record, which was never read; "" = none

	sync  *entitySync
	item  string
	kept  []string // what the sync would only store, as an adoption is
	calls int      // that were made before the last note
}

// RehearsedCall is a call that a sync would make, for an item of an automation.
type RehearsedCall struct {
	clients.Rehearsed
	Item    string `json:"item,omitempty"`
	missing bool   // there is nothing that it would change
}

// RehearsedMail is a mail that CalendarHero would send because of a call.
type RehearsedMail struct {
	To   string `json:"to"`
	What string `json:"what"` // invitation or cancellation; or message, of an operation that a request calls
	Item string `json:"item,omitempty"`
}

// Rehearser returns a Rehearser with these automations. agreed reports for which items a
// person agrees that requests invite somebody other than the account's owner; nil = the
// items of stored consents.
func (r *Syncer) Rehearser(automations *mapping.Set, agreed func(item string) bool) *Rehearser {
	h := &Rehearser{}
	h.syncer = &Syncer{
		Runner: r.Runner, store: r.store.Rehearsing(), live: func() *mapping.Set { return automations }, connections: r.connections,
		sessions: r.sessions.Rehearsing(h.note), logger: r.logger, now: r.now, real: r.real, spread: r.spread, quiet: r.quiet, checksOf: r.checksOf,
		caches: map[string]*session{}, agreed: agreed, rehearser: h,
	}
	return h
}

// note notes a call. To delete a meeting request that is no longer open answers that
// it is unknown, and mails nobody.
func (h *Rehearser) note(ctx context.Context, call clients.Rehearsed) error {
	made := RehearsedCall{Rehearsed: call, Item: h.now.item}
	var unknown error
	if id, ok := strings.CutPrefix(call.Path, "/meeting/tasks/"); ok && call.API == calendarhero.API && call.Method == http.MethodDelete && h.now.sync != nil {
		open, err := h.open(ctx, id)
		if err != nil {
			return err
		}
		if !open {
			made.missing = true
			unknown = &clients.Error{API: call.API, Operation: call.Operation, Subject: id, Reason: clients.NotFound, Status: http.StatusNotFound, Message: "no open list shows it"}
		}
	}
	h.now.Calls = append(h.now.Calls, made)
	return unknown
}

// open reports whether CalendarHero's lists show a meeting request as open.
func (h *Rehearser) open(ctx context.Context, id string) (bool, error) {
	for _, state := range []string{calendarhero.StateActive, calendarhero.StateUpcoming} {
		list, err := h.now.sync.conn.CalendarHero.MeetingRequests(ctx, state)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(list, func(r calendarhero.ListedRequest) bool { return r.ID == id }) {
			return true, nil
		}
	}
	return false, nil
}

// Rehearse runs a sync of a record. contactID is the contact that it belongs to, as
// far as the caller knows.
func (h *Rehearser) Rehearse(ctx context.Context, e store.Entity, contactID string) (*Rehearsal, error) {
	h.now = &Rehearsal{Entity: e}
	state, err := h.syncer.store.EntityState(ctx, e)
	if err != nil {
		return nil, err
	}
	if state.ContactID == "" {
		state.ContactID = contactID
	}
	// It looks as if a person had asked just now: a wait of the last try is over.
	state.Wanted++
	state.NextTry, state.Backfill = state.SyncedAt, true
	res, err := h.syncer.syncWith(ctx, &state, &reads{})
	for h.syncer.WaitsAtLimit() && h.syncer.AtLimit(ctx, err) {
		h.now = &Rehearsal{Entity: e}
		state.Outcome = store.Waiting
		res, err = h.syncer.syncWith(ctx, &state, &reads{})
	}
	done := h.now
	if wait, ok := errors.AsType[*outcome.Wait](err); ok {
		done.Waits = wait.Why
	} else if err != nil {
		return nil, err
	}
	if res == nil && done.sync != nil {
		res = done.sync.result
	}
	if res != nil {
		done.Outcome, done.Detail = res.outcome(), res.detail()
	}
	if done.sync != nil {
		done.ContactID = done.sync.contactID
		err = done.mails(ctx)
	}
	return done, err
}

// rehearsed notes what a sync is about to do, if it is a rehearsal.
func (s *entitySync) rehearsed(item string) {
	if s.rehearser != nil {
		s.rehearser.now.item, s.rehearser.now.sync = item, s
	}
}

// told notes what a sync tells its timeline. If no call was made for it, Milepost only
// stores it.
func (h *Rehearser) told(what, detail string) {
	if calls := len(h.now.Calls); calls > h.now.calls {
		h.now.calls = calls
	} else {
		h.now.kept = append(h.now.kept, strings.TrimSuffix(what+": "+firstLine(detail), ": "))
	}
}

// mails finds out whom CalendarHero would mail.
func (r *Rehearsal) mails(ctx context.Context) error {
	for _, call := range r.Calls {
		if call.missing {
			continue
		}
		if call.API != calendarhero.API || !strings.HasPrefix(call.Path, "/meeting/tasks") || call.Method == http.MethodPut {
			r.messages(call)
			continue
		}
		var to []string
		what := "invitation"
		switch call.Method {
		case http.MethodPost:
			var body struct {
				ContactEmails []string `json:"contactEmails"`
			}
			if err := json.Unmarshal(call.Body, &body); err != nil {
				return err
			}
			to = body.ContactEmails
		case http.MethodDelete:
			what = "cancellation"
			var err error
			if to, err = r.sync.invitees(ctx, path.Base(call.Path)); err != nil {
				return err
			}
		default:
			continue
		}
		for _, address := range to {
			r.Mails = append(r.Mails, RehearsedMail{address, what, call.Item})
		}
	}
	return nil
}

// messages notes that an operation that a request action calls may mail people.
func (r *Rehearsal) messages(call RehearsedCall) {
	i := slices.IndexFunc(r.Plan.Items, func(item mapping.Item) bool { return item.Key == call.Item && item.Kind == mapping.ItemCall })
	if i < 0 {
		return
	}
	for _, m := range r.Plan.Items[i].Mails() {
		r.Mails = append(r.Mails, RehearsedMail{m.String(), "message", call.Item})
	}
}

// invitees are the addresses that a meeting request invites, as far as is known.
func (s *entitySync) invitees(ctx context.Context, id string) ([]string, error) {
	if m, ok := s.meetings[id]; ok && len(m.Emails) > 0 {
		return m.Emails, nil
	}
	owner, err := s.conn.Owner(ctx)
	if err != nil || owner.Email == "" {
		return []string{"the account's owner"}, outcome.NonRecord(err)
	}
	return []string{owner.Email}, nil
}

// Changed counts the meeting requests that a rehearsed sync would create, replace and
// remove, and the other calls that write; of one automation, or with "" of all.
func (r *Rehearsal) Changed(automation string) (created, replaced, removed, others int) {
	for _, call := range r.Calls {
		if call.missing || automation != "" && mapping.AutomationOf(call.Item) != automation {
			continue
		}
		switch {
		case call.API != calendarhero.API || !strings.HasPrefix(call.Path, "/meeting/tasks"):
			others++
		case call.Method == http.MethodPost:
			created++
		case call.Method == http.MethodDelete:
			removed++
		}
	}
	// A replacement is a delete and a create for the same item.
	for _, call := range r.Calls {
		if call.missing || automation != "" && mapping.AutomationOf(call.Item) != automation {
			continue
		}
		again := func(c RehearsedCall) bool {
			return c.Item == call.Item && c.Method == http.MethodPost && c.Path == "/meeting/tasks"
		}
		if call.Method == http.MethodDelete && strings.HasPrefix(call.Path, "/meeting/tasks") && slices.ContainsFunc(r.Calls, again) && created > 0 {
			created, removed, replaced = created-1, removed-1, replaced+1
		}
	}
	return created, replaced, removed, others
}
