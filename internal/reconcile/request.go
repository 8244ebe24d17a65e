package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/internal/store"
	"milepost/mapping"
)

// How long an uncertain create is left alone before the lists are searched for
// it: CalendarHero may still be at work on it.
const (
	unclearSettle    = 5 * time.Second // after an error, a broken connection or a crash
	unansweredSettle = 2 * time.Minute // after a time-out
)

// applyRequest brings the meeting request of an event or task item in step.
// CalendarHero has no update: a material change deletes and creates again, and
// that mails people and undoes their answer. A change of the description alone
// does so only where the invitee is the owner and has not accepted yet, once the
// record has been quiet for a while. Else it waits for the next material change.
func (s *entitySync) applyRequest(ctx context.Context, item mapping.Item) error {
	want, err := s.compose(ctx, item)
	if err != nil {
		return err
	}
	s.wanted[item.Key] = wanted{want, item}
	link, err := s.recall(ctx, s.links[item.Key], item, want)
	if err != nil {
		return err
	}
	link, err = s.resolve(ctx, link, item)
	if err != nil {
		return err
	}
	invite := item.Invite
	if item, want, err = s.staysWithOwner(ctx, link, item, want); err != nil {
		return err
	}
	s.wanted[item.Key] = wanted{want, item}
	if link.State == store.LinkLive && link.Invited == "" && item.Invite.Who == mapping.InviteOwner && (invite != item.Invite || link.Material == want.material) {
		link.Invited = string(mapping.InviteOwner) // it was made by an earlier version
		if err := s.store.SaveLink(ctx, link, s.now(), nil); err != nil {
			return err
		}
	}
	asked := want
	if link, err = s.takeOver(ctx, link, item, &want); err != nil {
		return err
	}
	todo := s.decide(link, item, want)
	if todo == doReplace || todo == doRemove {
		// Not over what somebody changed in CalendarHero a moment ago.
		if err := s.lookAt(ctx, link); err != nil {
			return err
		}
		want = asked
		if link, err = s.takeOver(ctx, link, item, &want); err != nil {
			return err
		}
		todo = s.decide(link, item, want)
	}
	switch todo {
	case doNothing:
		return s.rested(ctx, link)
	case doSkip:
		s.skipped = append(s.skipped, fmt.Sprintf("%s: its time has passed (%s)", item.Automation, want.End.Format(time.RFC3339)))
		return nil
	case doWait:
		s.notes = append(s.notes, item.Automation+": the new description waits for the next change of title, time or invitee, because a replacement would mail the invitee and undo an answer")
		return nil
	case doRest:
		return s.rest(ctx, link, item, want)
	case doCreate:
		return s.create(ctx, link, item, want)
	case doRemove:
		return s.removeRequest(ctx, link)
	}
	if !near(want.End, item.End) { // it stays where it was moved to
		if first, err := s.moveTask(ctx, link); err != nil || first {
			return err
		}
	}
	if often, err := s.tooOften(ctx, link); often || err != nil {
		return err
	}
	missing, err := s.delete(ctx, link)
	if err != nil {
		return err
	}
	if missing && link.Material == want.material {
		return s.calledOff(ctx, link)
	}
	return s.create(ctx, link, item, want)
}

// mostOften is how often the requests of one record are made in a day. Each time
// people are mailed, and automations that answer each other would know no end.
const mostOften = 24

// tooOften reports whether a request is not to be replaced now, and says why.
func (s *entitySync) tooOften(ctx context.Context, link store.Link) (bool, error) {
	n, err := s.store.ToldSince(ctx, s.entity, s.contactID, link.ItemKind+" created", s.now().AddDate(0, 0, -1))
	if err != nil || n < mostOften {
		return false, err
	}
	s.held = &wait{d: longestWait, why: fmt.Sprintf("%s: Milepost created it %d times within a day, so the change waits; do two automations trigger each other?", link.Automation, n)}
	return true, nil
}

// moveTask moves the task of a meeting that is about to be replaced: the new one
// was never moved. first is true where the record has to be read again before.
func (s *entitySync) moveTask(ctx context.Context, link store.Link) (first bool, err error) {
	if s.stale {
		return true, nil
	}
	for _, item := range s.planned {
		if item.Kind != mapping.ItemRescheduleTask || item.Meeting != link.ObjectID || s.links[item.Key].Content == taskContent(item) {
			continue
		}
		s.touch = append(s.touch, s.entity)
		return true, s.applyTaskChange(ctx, item)
	}
	return false, nil
}

// calledOff handles a request that somebody deleted in CalendarHero, found when
// only its description was to be replaced. Milepost does not create it again.
func (s *entitySync) calledOff(ctx context.Context, link store.Link) error {
	m := s.seen(link)
	m.LocationID, m.ID, m.ContactID, m.State = link.Entity.LocationID, link.ObjectID, s.contactID, string(mapping.MeetingGone)
	m.Happened = happened(m, s.now())
	if err := s.store.SaveMeetings(ctx, []store.Meeting{m}, nil); err != nil {
		return err
	}
	link.State, link.Meeting = store.LinkLive, m.State
	s.touch = append(s.touch, s.entity) // for the automations that look at that
	return s.store.SaveLink(ctx, link, s.now(), nil, s.tell(link.ItemKind+" gone in CalendarHero", link.Title))
}

// action is what is to be done with a meeting request.
type action int

const (
	doNothing action = iota
	doSkip           // its time has passed, and it never was there
	doWait           // its new description waits for the next material change
	doRest           // its new description waits until the record has been quiet
	doCreate
	doReplace
	doRemove // it moved into the past
)

// decide compares the wanted request with the one in its settled link. A meeting
// that ended is created again only for a material change of the record.
func (s *entitySync) decide(link store.Link, item mapping.Item, want request) action {
	past := !want.End.After(s.now())
	ended := mapping.MeetingState(link.Meeting).Ended()
	switch {
	case link.State != store.LinkLive && past:
		return doSkip
	case link.State != store.LinkLive:
		return doCreate
	case link.Content == want.content, ended && (link.Material == want.material || past):
		return doNothing
	case link.Meeting == string(mapping.MeetingCompleted) && item.Start.Equal(link.SourceStart) && item.End.Equal(link.SourceEnd):
		return doNothing // it took place, and is asked for at no other time
	case ended && link.Meeting == string(mapping.MeetingGone):
		return doReplace // should it be there nevertheless
	case ended:
		return doCreate
	case link.Material == want.material && past:
		return doNothing
	case link.Material == want.material && (item.Invite.Who != mapping.InviteOwner || link.Meeting != string(mapping.MeetingPending)):
		return doWait
	case past:
		return doRemove
	case link.Material == want.material && !s.wasQuiet(link, want):
		return doRest
	}
	return doReplace
}

// resolve settles a link whose last call may or may not have taken effect; the
// link it returns is live or gone. A delete is sent again. The object of a
// create is looked for by its marker, and adopted where it is there.
func (s *entitySync) resolve(ctx context.Context, link store.Link, item mapping.Item) (store.Link, error) {
	switch {
	case link.State == store.LinkDeleting:
		if !link.SourceStart.IsZero() && !s.over(link) { // it is replaced; it may have been moved meanwhile
			if err := s.lookAt(ctx, link); err != nil {
				return link, err
			}
			m := s.seen(link)
			if !mapping.MeetingState(m.State).Ended() && !(near(m.Start, link.Start) && near(m.End, link.End)) {
				// What was planned does not know it, and its record has to follow first.
				s.stale, s.touch = true, append(s.touch, s.entity)
				link.State = store.LinkLive
				return link, s.store.SaveLink(ctx, link, s.now(), nil)
			}
		}
		if _, err := s.delete(ctx, link); err != nil {
			return link, err
		}
		err := s.forget(ctx, link, link.ItemKind+" removed")
		link.State = store.LinkGone
		return link, err
	case !link.State.Uncertain():
		return link, nil
	}
	if err := s.settled(ctx, link); err != nil {
		return link, err
	}
	found, err := listed(ctx, s.conn.CalendarHero, func(r calendarhero.ListedRequest) bool { return strings.Contains(r.Title, link.Marker) })
	if err != nil {
		return link, err
	}
	closed := false
	if found == "" { // somebody may have called it off meanwhile, and would not be asked again
		requests, err := s.conn.board.lookBack(ctx, s.conn.CalendarHero, s.began, s.now())
		if err != nil {
			return link, err
		}
		for id, r := range requests {
			if strings.Contains(r.Title, link.Marker) {
				found, closed = id, true
			}
		}
	}
	if found == "" {
		if err := s.believable(ctx, s.began); err != nil {
			return link, err
		}
		// The lists should show how an earlier one ended.
		shown, err := s.showAny(ctx, s.began)
		if err != nil {
			return link, err
		}
		if next, more := nextLook(s.now().Sub(link.AttemptedAt), whenAllElseIsGone()...); more && !shown && link.Generation > 1 {
			return link, &wait{d: next, why: "the answer to a create was lost, and CalendarHero shows no meeting request at all; Milepost checks again before it creates another one"}
		}
		err = s.store.GiveUp(ctx, link, s.now())
		link.State = store.LinkGone
		return link, err
	}
	link.State, link.ObjectID, link.Owned = store.LinkLive, found, true
	if closed {
		if err := s.lookAt(ctx, link); err != nil {
			return link, err
		}
	}
	return link, s.store.SaveLink(ctx, link, s.now(), reminders(link, item, s.now()), s.tell(link.ItemKind+" adopted", link.Title))
}

// settled returns nil once the create of an uncertain link may be looked for. One
// that was attempted in the future, by a clock that was put back since, settles from
// now on: how long ago it was is not known.
func (s *entitySync) settled(ctx context.Context, link store.Link) error {
	settle := unclearSettle
	if link.State == store.LinkUnanswered {
		settle = unansweredSettle
	}
	if link.AttemptedAt.After(s.now()) {
		link.AttemptedAt = s.now()
		if err := s.store.SaveLink(ctx, link, s.now(), nil); err != nil {
			return err
		}
	}
	if left := settle - s.now().Sub(link.AttemptedAt); left > 0 {
		return &wait{d: left, why: "the answer to a create was lost; Milepost waits before it looks for the object"}
	}
	return nil
}

// listed returns the id of the meeting request that is the one sought, or "".
func listed(ctx context.Context, ch *calendarhero.Client, sought func(calendarhero.ListedRequest) bool) (string, error) {
	for _, state := range []string{calendarhero.StateActive, calendarhero.StateUpcoming} {
		list, err := ch.MeetingRequests(ctx, state)
		if err != nil {
			return "", err
		}
		if i := slices.IndexFunc(list, sought); i >= 0 {
			return list[i].ID, nil
		}
	}
	return "", nil
}

// create notes the create, sends it and notes its answer. A crash or a lost
// answer leaves the link creating, to be resolved by the next run.
func (s *entitySync) create(ctx context.Context, link store.Link, item mapping.Item, want request) error {
	if link.ObjectID != "" {
		s.superseded[link.ObjectID] = true
	}
	link = store.Link{
		Entity: s.entity, Item: item.Key, ItemKind: string(item.Kind), Automation: item.Automation,
		State: store.LinkCreating, Generation: link.Generation + 1,
		Material: want.material, Content: want.content, Title: item.Title, Start: want.Start, End: want.End,
		SourceStart: item.Start, SourceEnd: item.End, Meeting: string(mapping.MeetingPending), Invited: string(item.Invite.Who),
		AttemptedAt: s.now(),
	}
	link.Marker = marker(link)
	if err := s.store.SaveLink(ctx, link, s.now(), nil); err != nil {
		return err
	}
	id, err := s.conn.CalendarHero.CreateMeetingRequest(ctx, want.marked(link.Marker))
	ctx, cancel := detached(ctx)
	defer cancel()
	if err != nil {
		return s.notCreated(ctx, link, err)
	}
	link.State, link.ObjectID, link.Owned = store.LinkLive, id, true
	if err := s.store.SaveLink(ctx, link, s.now(), reminders(link, item, s.now()), s.tell(link.ItemKind+" created", link.Title)); err != nil {
		return err
	}
	if s.automations.LooksAt(mapping.NewMeetingRequest) {
		s.touch = append(s.touch, s.entity)
	}
	m := store.Meeting{
		LocationID: s.entity.LocationID, ID: id, ContactID: s.contactID, State: link.Meeting, Title: want.marked(link.Marker).Subject,
		Type: want.Type, Start: link.Start, End: link.End, Emails: want.ContactEmails,
	}
	m.Happened = happened(m, s.now())
	return s.store.NoteMeeting(ctx, m)
}

// notCreated notes what a failed create means for its link, and returns why it
// failed. A link that cannot be saved stays creating, which is true of it too.
func (s *entitySync) notCreated(ctx context.Context, link store.Link, cause error) error {
	failed, ok := errors.AsType[*clients.Error](cause)
	switch {
	case !ok:
		return cause
	case failed.Reason != clients.Unclear:
		link.State = store.LinkGone // refused, or never sent
	case failed.TimedOut():
		link.State = store.LinkUnanswered
	default:
		return cause
	}
	if err := s.store.SaveLink(ctx, link, s.now(), nil); err != nil {
		return err
	}
	return cause
}

// over reports whether the time of a link's meeting has passed. CalendarHero
// then closes it by itself, and a delete would tell its invitees of nothing.
func (s *entitySync) over(link store.Link) bool { return !s.seen(link).End.After(s.now()) }

// delete notes the delete of a link's object and sends it, unless the meeting
// is over. An object that is already gone is deleted; missing reports that it
// surely was gone before. A crash or a lost answer leaves the link deleting, so
// that nothing is believed of its object.
func (s *entitySync) delete(ctx context.Context, link store.Link) (missing bool, err error) {
	if s.over(link) {
		return false, nil
	}
	first := link.State != store.LinkDeleting
	link.State = store.LinkDeleting
	if err := s.store.SaveLink(ctx, link, s.now(), nil); err != nil {
		return false, err
	}
	s.ended[link.ObjectID] = true
	err = s.conn.CalendarHero.DeleteMeetingRequest(ctx, link.ObjectID)
	failed, _ := errors.AsType[*clients.Error](err)
	switch {
	case err == nil:
		if err := s.answers(ctx, s.conn); err != nil { // a gateway may answer everything with a 204
			return false, err
		}
		ctx, cancel := detached(ctx)
		defer cancel()
		return false, s.store.ForgetMeeting(ctx, link.Entity.LocationID, link.ObjectID)
	case clients.ReasonOf(err) == clients.NotFound, failed != nil && failed.Foreign && (failed.Status < 300 || failed.Status == http.StatusNotFound):
		if err := s.notListed(ctx, link, err); err != nil {
			return false, err
		}
		return first && !failed.Again, nil
	case clients.ReasonOf(err) == clients.Invalid: // as of one that was closed by hand? Then it is in no list.
		found, lookErr := listed(ctx, s.conn.CalendarHero, func(r calendarhero.ListedRequest) bool { return r.ID == link.ObjectID })
		if lookErr != nil || found == "" {
			return lookErr == nil && first, lookErr
		}
		link.State = store.LinkLive
		if saveErr := s.store.SaveLink(ctx, link, s.now(), nil); saveErr != nil {
			return false, saveErr
		}
	}
	return false, err
}

// notListed makes sure that a request is gone if its DELETE got an answer other
// than 204: a gateway may say anything. Neither open list may show
// it, and CalendarHero must answer for the account.
func (s *entitySync) notListed(ctx context.Context, link store.Link, said error) error {
	found, err := listed(ctx, s.conn.CalendarHero, func(r calendarhero.ListedRequest) bool { return r.ID == link.ObjectID })
	if err != nil {
		return err
	}
	if found != "" {
		return &clients.Error{
			API: calendarhero.API, Operation: "delete meeting request", Subject: link.ObjectID, Reason: clients.Unavailable,
			Message: "the answer does not say that it was deleted, and a list still shows it", Err: said,
		}
	}
	return s.answers(ctx, s.conn)
}

// wanted is an item with the request that its record asks for.
type wanted struct {
	request
	item mapping.Item
}

// removeRequest deletes the object of a link, however its last call ended, and
// marks the link gone. A meeting that is over is left as it is.
func (s *entitySync) removeRequest(ctx context.Context, link store.Link) error {
	// A later request ignores where the meeting was moved to.
	link.SourceStart, link.SourceEnd = time.Time{}, time.Time{}
	if s.over(link) {
		return s.leave(ctx, link, "it is over")
	}
	link, err := s.resolve(ctx, link, mapping.Item{})
	if err != nil || link.State == store.LinkGone {
		return err
	}
	// One that is merely gone is deleted nevertheless: a gateway may have shown no
	// request for long.
	if ended := mapping.MeetingState(s.seen(link).State); ended.Ended() && ended != mapping.MeetingGone {
		return s.forget(ctx, link, link.ItemKind+" "+string(ended)+" in CalendarHero, no longer kept in step")
	}
	if _, err := s.delete(ctx, link); err != nil {
		return err
	}
	return s.forget(ctx, link, link.ItemKind+" removed")
}

// request is a composed meeting request with the fingerprints by which a
// change of it is known. Its marker is not part of them.
type request struct {
	calendarhero.MeetingRequest
	material, content string
}

// marked returns the request with the marker in its subject, the one text that
// the list of requests returns, and in its description.
func (r request) marked(marker string) calendarhero.MeetingRequest {
	m := r.MeetingRequest
	m.Subject += " [" + marker + "]"
	m.Description = strings.TrimLeft(m.Description+"\n\n[ref: "+marker+"]", "\n")
	return m
}

// compose turns an event or task item into a meeting request pinned to its
// time: the window is exactly as long as the meeting.
func (s *entitySync) compose(ctx context.Context, item mapping.Item) (request, error) {
	address := item.Invite.Address
	if item.Invite.Who == mapping.InviteOwner {
		owner, err := s.conn.owner(ctx, s.now())
		if err != nil {
			return request{}, err
		}
		if address = owner.Email; address == "" {
			return request{}, &clients.Error{
				API: "CalendarHero", Operation: "get user", Reason: clients.Invalid,
				Message: "the account has no e-mail address, so its owner cannot be invited",
				Todo:    "give it one in CalendarHero, My Profile Settings",
			}
		}
	}
	kind := item.Type
	if kind != "" {
		known, err := s.conn.hasMeetingType(ctx, s.now(), kind)
		if err != nil {
			return request{}, err
		}
		if !known {
			s.notes = append(s.notes, fmt.Sprintf("%s: the CalendarHero account has no meeting type %q; Milepost uses the default", item.Automation, kind))
			kind = ""
		}
	}
	r := request{MeetingRequest: calendarhero.MeetingRequest{
		Subject: item.Title, Start: item.Start, End: item.End,
		Length: item.End.Sub(item.Start), Type: kind,
		ContactEmails: []string{address}, Description: describe(item), Location: item.Place,
	}}
	r.digest()
	return r, nil
}

// digest takes the fingerprints of what is asked for.
func (r *request) digest() {
	r.content = textDigest(r.MeetingRequest)
	bare := r.MeetingRequest
	bare.Description = ""
	r.material = fingerprint(bare)
}

// pin has the request ask for other times; what it is known by stays as it is.
func (r *request) pin(start, end time.Time) { r.Start, r.End, r.Length = start, end, end.Sub(start) }

// longestDescription bounds a description, in bytes; CalendarHero names no limit.
const longestDescription = 8000

// describe writes the description: own text, notes newest first, tags.
func describe(item mapping.Item) string {
	var parts []string
	if text := item.Description; strings.TrimSpace(text) != "" {
		parts = append(parts, clip(text, longestDescription/2))
	}
	size := 0
	var notes strings.Builder
	for i, n := range item.Notes {
		line := "- " + strings.ReplaceAll(n, "\n", "\n  ")
		if size += len(line); size > longestDescription/2 && i > 0 {
			fmt.Fprintf(&notes, "\n(and %d older notes)", len(item.Notes)-i)
			break
		}
		notes.WriteString("\n" + clip(line, longestDescription/2))
	}
	if notes.Len() > 0 {
		parts = append(parts, "Notes:"+notes.String())
	}
	if len(item.Tags) > 0 {
		parts = append(parts, "Tags: "+strings.Join(item.Tags, ", "))
	}
	return strings.Join(parts, "\n\n")
}

// clip cuts a text to at most n bytes, at a character, and says so.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// marker is a short reference that no two creates share. It follows from the
// link, so that it can be known again.
func marker(l store.Link) string { return markerOf(l.Entity, l.Item, l.Generation) }

// fingerprint is a short digest of a value: equal values, equal fingerprints.
func fingerprint(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("fingerprint of %T: %v", v, err)) // only plain data is ever passed
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}
