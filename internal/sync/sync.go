package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/connection"
	"milepost/internal/fingerprint"
	"milepost/internal/meeting"
	"milepost/internal/outcome"
	"milepost/internal/store"
	"milepost/mapping"
)

// result gathers what one sync did.
type result struct {
	contactID   string
	fingerprint string
	mark        string    // the record's own mark of change
	evaluated   bool      // the next five fields are known
	again       time.Time // when the clock changes what is asked for; zero = never
	parts       string    // as the EntityState's
	happened    map[string]time.Time
	tagged      map[string]time.Time
	last        []byte // what is last known of the record; nil = as before
	gone        bool
	did         []string               // "event created": no personal data
	skipped     []string               // reasons; may name an automation; no personal data
	saw         map[string]string      // by reason, what a condition saw; may quote the record
	invalid     []string               // what could not be done as it is; may quote the record
	causes      map[string]store.Cause // of what could not be done, by the outcome that it leads to: the first of each
	refused     []string               // the same for the log, without what the record or a vendor says
	notes       []string               // remarks; no personal data
	timeline    []store.TimelineEntry
	requeue     []store.Entity
	card        *store.Contact // what the contact is searched by; nil if it was not read
	erase       string         // the contact of which what is stored is to be erased
	conflict    bool           // both sides had changed
	considered  []store.Considered
	unsettled   []int64 // the requests whose effect is not known
	stopped     bool    // an automation sent too many requests
}

func (res *result) outcome() string {
	switch {
	case len(res.invalid) > 0:
		return store.Invalid
	case len(res.unsettled) > 0:
		return store.Unclear
	case res.stopped:
		return store.Stopped
	case res.gone:
		return store.Gone
	case res.conflict:
		return store.Conflict
	case len(res.did) > 0:
		return store.Done
	case len(res.notes) == 0 && len(res.skipped) > 0:
		return store.Skipped
	}
	return store.Unchanged
}

func (res *result) detail() string {
	var parts []string
	for _, list := range [][]string{res.invalid, res.did, res.notes} {
		parts = append(parts, list...)
	}
	for _, why := range res.skipped {
		if saw := res.saw[why]; saw != "" {
			why += ": " + saw
		}
		parts = append(parts, why)
	}
	return strings.Join(parts, "; ")
}

// cannot notes what cannot be done. People who may see the record read text, the log gets
// logged, and records with the same problem share cause.
func (res *result) cannot(text, logged string, cause store.Cause) {
	res.invalid, res.refused = append(res.invalid, text), append(res.refused, logged)
	res.because(store.Invalid, cause)
}

// because notes why the sync is about to end with an outcome.
func (res *result) because(outcome string, cause store.Cause) {
	if _, ok := res.causes[outcome]; ok {
		return
	}
	if res.causes == nil {
		res.causes = map[string]store.Cause{}
	}
	res.causes[outcome] = cause
}

// why returns the reasons that the log shows with the outcome.
func (res *result) why() []string { return slices.Concat(res.refused, res.notes, res.skipped) }

// syncWith brings the items of one entity in step with its record. It reads the record,
// unless reads has it already. It changes the state as fetch does.
func (r *Syncer) syncWith(ctx context.Context, state *store.EntityState, reads *reads) (*result, error) {
	if state.Kind == store.KindInstall {
		return r.syncInstall(ctx, *state)
	}
	conn, err := r.session(ctx, state.LocationID)
	if absent, ok := errors.AsType[*connection.NotConnected](err); ok {
		return &result{skipped: []string{absent.Why}}, nil
	} else if err != nil {
		return nil, err
	}
	s, err := r.newSync(ctx, conn, *state, reads)
	if err != nil {
		return nil, err
	}
	s.rehearsed("")
	gone, err := s.dropped(ctx)
	if err != nil {
		return nil, err
	}
	needs, err := s.needed(ctx)
	if err != nil {
		return nil, err
	}
	isMeeting := state.Kind == string(mapping.KindMeeting)
	if !needs.Any && gone == "" && !s.takesAlong(*state) && !isMeeting && !s.removes() {
		return &result{mark: state.Mark, fingerprint: state.Fingerprint, skipped: []string{noAutomation(state.Kind)}}, nil
	}
	if left := conn.Cooldown.Left(r.now()); left > 0 {
		return nil, &outcome.Wait{For: left, Why: "CalendarHero asked to wait", Logged: true}
	}
	if isMeeting && gone == "" {
		concerned, err := s.meeting(ctx, state)
		if err != nil || !concerned {
			s.result.contactID = s.contactID // the meeting is erased with this contact
			return s.result, err
		}
		needs = s.automations.NeedsOfMeetings()
	}
	return s.finish(ctx, state, gone, needs)
}

// newSync makes the sync of an entity, and reads its links.
func (r *Syncer) newSync(ctx context.Context, conn *session, state store.EntityState, reads *reads) (s *entitySync, err error) {
	s = &entitySync{
		Syncer: r, automations: r.live(), conn: conn, entity: state.Entity, contactID: state.ContactID, result: &result{mark: state.Mark},
		reads: reads, asked: state.Wanted, began: r.now(), ended: map[string]bool{}, superseded: map[string]bool{}, wanted: map[string]wanted{},
		troubled:    state.Outcome == store.Waiting || state.Outcome == store.Retry || state.Outcome == store.Auth,
		startClient: conn.HighLevel, followUpClient: conn.HighLevel.With(clients.Begun),
	}
	if state.Kind == string(mapping.KindContact) {
		s.contactID = state.ID
	}
	if state.Outcome == store.Waiting {
		s.startClient = conn.HighLevel.With(clients.Waited)
	}
	s.catchesUp = state.Backfill
	if state.Backfill { // its first call only, so that a sync that has begun comes to its end
		s.startClient = s.startClient.Backfill()
	}
	if s.links, err = r.store.Links(ctx, state.Entity); err != nil {
		return nil, err
	}
	return s, s.revive(ctx)
}

// needed returns what the automations need of the record. It reads the meetings that
// Milepost created for it.
func (s *entitySync) needed(ctx context.Context) (needs mapping.Needs, err error) {
	needs = s.automations.Needs(mapping.Kind(s.entity.Kind))
	if s.entity.Kind == string(mapping.KindMeeting) {
		return needs, nil
	}
	if s.own, err = s.ownMeetings(ctx); err != nil {
		return needs, err
	}
	if len(s.own) > 0 {
		needs = needs.And(s.automations.NeedsOfMeetings())
	}
	return needs, nil
}

// takesAlong reports whether the delete of the record matters even if no automation
// applies to it.
func (s *entitySync) takesAlong(state store.EntityState) bool {
	return mayTakeAlong(state.Kind, state.DeleteAsked()) && (state.Kind == string(mapping.KindContact) || len(s.links) > 0)
}

// meeting syncs a meeting, and reports whether automations may act on it.
func (s *entitySync) meeting(ctx context.Context, state *store.EntityState) (concerned bool, err error) {
	m, isForeign, err := s.syncMeeting(ctx, state)
	if err != nil || !isForeign {
		return false, err
	}
	why, err := s.foreignMeeting(ctx, m)
	if err != nil || why != "" {
		s.skipped = append(s.skipped, why)
		return false, err
	}
	s.own = []mapping.Meeting{meeting.Facts(m, "")}
	return true, nil
}

// finish reads the record, and brings its items in step. If gone says why nothing of it
// may exist, finish only removes its items.
func (s *entitySync) finish(ctx context.Context, state *store.EntityState, gone string, needs mapping.Needs) (*result, error) {
	var facts mapping.Facts
	var err error
	if gone == "" {
		if facts, gone, err = s.fetch(ctx, state, needs); err != nil {
			gone, err = "", s.refusal(ctx, err)
		}
	}
	switch {
	case gone != "":
		err = s.removeRecord(ctx, facts, gone, needs)
	case clients.ReasonOf(err) == clients.Invalid:
		s.cannot(err.Error(), outcome.Redacted(err), outcome.CauseOf(err)) // its items stay as they are
		s.result.contactID = s.contactID
		return s.result, nil
	case err == nil:
		err = s.applyRecord(ctx, *state, facts, needs)
	}
	if err != nil {
		return nil, err
	}
	s.result.contactID = s.contactID
	return s.result, s.findDependents(ctx, *state, facts)
}

// removeRecord removes everything that Milepost created for a record that is gone. Then it
// creates what automations want because of the deletion.
func (s *entitySync) removeRecord(ctx context.Context, facts mapping.Facts, why string, needs mapping.Needs) error {
	s.gone, s.evaluated, s.notes = true, true, append(s.notes, why)
	switch mapping.Kind(s.entity.Kind) {
	case mapping.KindMeeting:
		if err := s.eraseMeeting(ctx); err != nil {
			return err
		}
	case mapping.KindContact:
		s.erase = s.entity.ID
	}
	var plan mapping.Plan
	var err error
	if s.deleted {
		if facts, plan, err = s.farewell(ctx, needs); err != nil {
			return err
		}
	}
	s.facts = facts
	if len(plan.Items)+len(plan.Problems)+len(plan.Skipped) > 0 {
		err = s.apply(ctx, plan)
	} else {
		err = s.removeAll(ctx, nil)
	}
	if err != nil {
		return err
	}
	return s.record(ctx, facts, plan)
}

// applyRecord plans the items of a record, and brings them in step.
func (s *entitySync) applyRecord(ctx context.Context, state store.EntityState, facts mapping.Facts, needs mapping.Needs) error {
	s.facts = facts
	plan := s.plan(mapping.Kind(state.Kind), facts)
	s.evaluated, s.again = true, plan.Again
	if needs.Last {
		s.last = keptOf(mapping.Kind(state.Kind), facts)
	}
	carried, err := s.carryOver(ctx, facts, plan)
	if err != nil {
		return err
	}
	for _, link := range carried {
		if err := s.store.SaveLink(ctx, link, s.now(), nil); err != nil {
			return err
		}
	}
	if err := s.apply(ctx, plan); err != nil {
		return err
	}
	if err := s.record(ctx, facts, plan); err != nil {
		return err
	}
	if email, _ := facts.Contact.Fields["email"].(string); state.Kind == string(mapping.KindContact) && neverRead(state) {
		return s.claimMeetings(ctx, email)
	}
	return nil
}

// fetch reads the record, or returns why nothing of it may exist. While a read and the
// events contradict each other, it fails with a wait. After the read is confirmed, it
// clears GoneAt in the state.
func (s *entitySync) fetch(ctx context.Context, state *store.EntityState, needs mapping.Needs) (facts mapping.Facts, gone string, err error) {
	facts, err = s.read(ctx, needs)
	facts.Meetings = s.own
	missing := s.missing(ctx, *state, err)
	if err != nil && !missing {
		return facts, "", err
	}
	if s.rehearser != nil && missing && neverRead(*state) {
		s.rehearser.now.Unknown = whose(*state)
	}
	if wait := s.unconfirmed(*state, missing); wait != nil && !s.surelyGone {
		if missing {
			if err := s.noteUnconfirmed(ctx, *state); err != nil {
				return facts, "", err
			}
		}
		return facts, "", wait
	}
	if missing {
		s.noTasks = errors.Is(err, highlevel.ErrNoTasks) && !state.DeleteAsked()
		s.deleted = true
		return facts, whyGone(*state), s.confirmGone(ctx, *state)
	}
	if !state.GoneAt.IsZero() {
		if err := s.confirmed(ctx, whose(*state)); err != nil {
			return facts, "", err
		}
	}
	state.GoneAt = time.Time{}
	if state.ContactID == "" { // its contact was not known before
		gone, err = s.dropped(ctx)
	}
	if gone == "" && err == nil {
		err = s.noteHappened(ctx, *state, needs, &facts)
	}
	return facts, gone, err
}

// entitySync is one running sync.
type entitySync struct {
	*Syncer
	*result
	automations    *mapping.Set
	conn           *session
	startClient    *highlevel.Client // for the first call
	followUpClient *highlevel.Client // for later calls, with a higher priority, so that the rate limiter does not cut off a sync that has begun
	reads          *reads
	entity         store.Entity
	contactID      string
	asked          int64 // state's Wanted
	catchesUp      bool  // no event asked for the sync; the automations may have changed since the last one
	// troubled: the last sync did not end.
	troubled bool
	// surelyGone: Milepost knows that its contact is deleted, and no search finds it.
	surelyGone bool
	deleted    bool   // it is gone, and that is the only reason why its items go
	dnd        string // of the contact that is read
	// noTasks: a search showed no task at all, so the sync believes that it is gone.
	noTasks   bool
	links     map[string]store.Link
	facts     mapping.Facts // as they were read
	changedAt time.Time     // when the record changed; zero if HighLevel does not say

	began    time.Time // the sync
	planned  []mapping.Item
	deferred *outcome.Wait            // why one item has to wait, though the others are done
	stale    bool                     // something changed that the plan does not contain
	wanted   map[string]wanted        // by item key
	own      []mapping.Meeting        // of the entity
	meetings map[string]store.Meeting // the same by id, as they are stored
	// superseded are the objects that this sync replaced by new ones.
	superseded map[string]bool
	ended      map[string]bool // the objects that this sync replaced or removed, by id
}

// tell notes something that the sync did. The log shows what; the timeline also shows
// detail.
func (s *entitySync) tell(what, detail string) store.TimelineEntry {
	s.did = append(s.did, what)
	if s.rehearser != nil {
		s.rehearser.told(what, detail)
	}
	return store.TimelineEntry{At: s.now(), Entity: s.entity, ContactID: s.contactID, What: what, Detail: detail}
}

// apply removes the objects of items that are no longer wanted, then creates and updates
// the others.
func (s *entitySync) apply(ctx context.Context, plan mapping.Plan) error {
	s.explain(plan)
	keep := keysOf(plan)
	s.planned = plan.Items
	if err := (requests{s}).inherit(ctx, plan); err != nil {
		return err
	}
	refused := s.refusal(ctx, s.removeAll(ctx, keep))
	if refused != nil && clients.ReasonOf(refused) != clients.Invalid {
		return refused
	}
	for _, item := range plan.Items {
		s.rehearsed(item.Key)
		err := s.refusal(ctx, s.applyItem(ctx, item))
		if clients.ReasonOf(err) == clients.Invalid {
			cause := outcome.CauseOf(err)
			cause.Automation = item.Automation
			s.cannot(fmt.Sprintf("%s: %v", item.Automation, err), item.Automation+": "+outcome.Redacted(err), cause)
			continue // with the other items
		}
		if err != nil {
			return err
		}
	}
	if refused == nil && s.deferred != nil {
		return s.deferred
	}
	return refused
}

// explain notes why automations want nothing, or want something that cannot be computed.
func (s *entitySync) explain(plan mapping.Plan) {
	for _, p := range plan.Problems {
		what := fmt.Sprintf("%s: %s", p.Automation, p.Field)
		s.cannot(what+": "+p.Message, what+" cannot be computed; the delivery's detail says why", store.Cause{Automation: p.Automation, Field: p.Field})
	}
	ofMeetings := map[string]bool{} // automations that say nothing about the record itself
	for _, sk := range plan.Skipped {
		if sk.Meeting && s.entity.Kind != string(mapping.KindMeeting) {
			ofMeetings[sk.Automation] = true
			continue
		}
		why := fmt.Sprintf("%s: %s", sk.Automation, sk.Reason)
		s.skipped = append(s.skipped, why)
		if sk.Saw != "" {
			if s.saw == nil {
				s.saw = map[string]string{}
			}
			s.saw[why] = sk.Saw
		}
	}
	switch n := len(ofMeetings); {
	case n == 1:
		s.skipped = append(s.skipped, "1 automation about meetings does not apply to its meetings")
	case n > 1:
		s.skipped = append(s.skipped, fmt.Sprintf("%d automations about meetings do not apply to its meetings", n))
	}
}

// keysOf returns the keys of a plan's items. If an item cannot be computed now, its object
// stays.
func keysOf(plan mapping.Plan) map[string]bool {
	keys := map[string]bool{}
	for _, p := range plan.Problems {
		keys[p.Key] = true
	}
	for _, item := range plan.Items {
		keys[item.Key] = true
	}
	for _, key := range plan.Left {
		keys[key] = true
	}
	return keys
}

func (s *entitySync) applyItem(ctx context.Context, item mapping.Item) error {
	if s.ended[item.Meeting] {
		return nil // the meeting was just replaced or removed
	}
	kind := s.kind(item.Kind)
	if kind == nil {
		return fmt.Errorf("automation %q wants an item of unknown kind %q", item.Automation, item.Kind)
	}
	return kind.apply(ctx, item)
}

// remove removes the object of a link whose item is no longer wanted.
func (s *entitySync) remove(ctx context.Context, link store.Link) error {
	if link.State == store.LinkGone && (!s.gone || link.Left != noLongerKept || !link.Owned) {
		return nil
	}
	if kind := s.kind(mapping.ItemKind(link.ItemKind)); kind != nil {
		return kind.remove(ctx, link)
	}
	return s.forget(ctx, link, link.ItemKind+" no longer kept in step") // of a kind that a later version had
}

// noLongerKept is why a contact stays if it only no longer matches an automation.
const noLongerKept = "no automation asks for it any more"

// leave marks a link gone but leaves its object in CalendarHero, and says why.
func (s *entitySync) leave(ctx context.Context, link store.Link, why string) error {
	link.State, link.Left = store.LinkGone, why
	return s.store.SaveLink(ctx, link, s.now(), nil, s.tell(link.ItemKind+" left: "+why, link.Title))
}

// forget marks a link gone whose object is gone too.
func (s *entitySync) forget(ctx context.Context, link store.Link, what string) error {
	link.State, link.Left = store.LinkGone, ""
	return s.store.SaveLink(ctx, link, s.now(), nil, s.tell(what, link.Title))
}

// removeAll removes every object that Milepost created for an entity, except those to
// keep. If a vendor rejects a delete, the others go on; removeAll returns that error last.
func (s *entitySync) removeAll(ctx context.Context, keep map[string]bool) error {
	var refused error
	if !s.noTasks { // that search does not prove that a record without links is gone
		refused = requests{s}.removePast(ctx, keep)
	}
	if refused != nil && clients.ReasonOf(refused) != clients.Invalid {
		return refused
	}
	for key, link := range s.links {
		if keep[key] || s.stays(key, keep) || s.leaves(key) {
			continue
		}
		s.rehearsed(key)
		err := s.remove(ctx, link)
		if err != nil && clients.ReasonOf(err) != clients.Invalid {
			return err
		}
		refused = errors.Join(refused, err)
	}
	return refused
}

// stays reports whether the object for one date of a milestone stays as it is: its day is
// over, or its new form cannot be computed now.
func (s *entitySync) stays(key string, keep map[string]bool) bool {
	base, day := mapping.DatedKey(key)
	if day == "" || s.gone {
		return false
	}
	zone := s.facts.Location.Zone
	if zone == nil {
		return true // the plan is not known
	}
	return keep[base] || day < s.now().In(zone).Format(time.DateOnly)
}

// findDependents lists the records whose items show something of this record: a contact's
// tasks show its name and tags, and its requests show its notes. It also notes how a change
// of this record is recognised.
//
// FinishSync raises their wanted counter in the transaction that ends this sync, and the
// same run syncs them next. Only this counter survives a crash or a failed call. It says
// that an item still shows the former state of the contact.
func (s *entitySync) findDependents(ctx context.Context, state store.EntityState, facts mapping.Facts) (err error) {
	kind := mapping.Kind(state.Kind)
	switch {
	case s.gone:
		s.fingerprint = store.FingerprintGone // not "", for a request may show a note that never was synced
	case kind == mapping.KindContact:
		s.fingerprint = fingerprint.Of(facts.Contact)
	case kind == mapping.KindNote:
		s.fingerprint = fingerprint.Of(facts.Note)
	case kind == mapping.KindTask:
		s.fingerprint = fingerprint.Of(facts.Task)
	case kind == mapping.KindWorkflow:
		s.fingerprint = fingerprint.Of(facts.Workflow)
	case kind == mapping.KindAppointment:
		s.fingerprint = fingerprint.Of(facts.Appointment)
	case kind == mapping.KindOpportunity:
		s.fingerprint = fingerprint.Of(facts.Opportunity)
	}
	switch {
	case kind == mapping.KindContact && s.gone:
		s.requeue, err = s.store.EntitiesOf(ctx, state.LocationID, state.ID)
		return err
	case kind == mapping.KindTask, kind == mapping.KindAppointment, kind == mapping.KindOpportunity, kind == mapping.KindWorkflow, kind == mapping.KindMeeting, kind == mapping.KindCalendarContact, s.contactID == "":
		return nil
	case s.fingerprint == state.Fingerprint && !s.gone: // a request may show a note that was never synced
		return nil
	}
	attached, err := s.store.Dependents(ctx, state.LocationID, s.contactID)
	for _, e := range attached {
		if e != state.Entity {
			s.requeue = append(s.requeue, e)
		}
	}
	return err
}
