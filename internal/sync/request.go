package sync

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/internal/jobs"
	"milepost/internal/meeting"
	"milepost/internal/outcome"
	"milepost/internal/store"
	"milepost/mapping"
)

// requests are the meeting requests of event and task items.
type requests struct{ *entitySync }

func (requests) texts(mapping.Item) any { return nil } // a request has digests of its own

// apply brings the meeting request of an event or task item in step. CalendarHero has no
// update. For a material change, Milepost deletes the request and creates it again, which
// mails people and loses their answer. A change of the description alone replaces the
// request only if the invitee is the owner, has not accepted yet, and the record has been
// quiet for a while. Otherwise the description waits for the next material change.
func (s requests) apply(ctx context.Context, item mapping.Item) error {
	link, item, want, err := s.settle(ctx, item)
	if err != nil {
		return err
	}
	s.wanted[item.Key] = wanted{want, item}
	todo, link, want, err := s.compare(ctx, link, item, want)
	if err != nil {
		return err
	}
	switch todo {
	case meeting.Nothing:
		if s.catchesUp && link.State == store.LinkLive { // its reminders may be others by now
			if err := s.store.QueueReminders(ctx, link, s.now(), meeting.Reminders(link, item, s.now())); err != nil {
				return err
			}
		}
		return s.endDebounce(ctx, link)
	case meeting.Skip:
		s.skipped = append(s.skipped, passed(item, want))
		return nil
	case meeting.Remove:
		s.notes = append(s.notes, passed(item, want))
		return s.remove(ctx, link)
	case meeting.Wait:
		s.notes = append(s.notes, item.Automation+": the new description waits for the next change of title, time or invitee, because a replacement would mail the invitee and undo an answer")
		return nil
	case meeting.Debounce:
		return s.debounce(ctx, link, item, want)
	case meeting.Create:
		return s.create(ctx, link, item, want, "created")
	}
	return s.replace(ctx, link, item, want)
}

// settle returns the request that the item asks for, and the item's link in a known state.
// It adopts requests that the database does not know, and resolves a call whose answer was
// lost. If the item may not invite others yet, the request invites the owner.
func (s requests) settle(ctx context.Context, item mapping.Item) (link store.Link, _ mapping.Item, want meeting.Request, err error) {
	if want, err = s.compose(ctx, item); err != nil {
		return link, item, want, err
	}
	s.wanted[item.Key] = wanted{want, item}
	if link, err = s.recall(ctx, s.links[item.Key], item, want); err != nil {
		return link, item, want, err
	}
	if link, err = s.resolve(ctx, link, item); err != nil {
		return link, item, want, err
	}
	invite := item.Invite
	if item, want, err = s.staysWithOwner(ctx, link, item, want); err != nil {
		return link, item, want, err
	}
	if link.State == store.LinkLive && link.Invited == "" && item.Invite.Who == mapping.InviteOwner && (invite != item.Invite || link.Material == want.Material) {
		link.Invited = string(mapping.InviteOwner) // an earlier version made it
		err = s.store.SaveLink(ctx, link, s.now(), nil)
	}
	return link, item, want, err
}

// compare merges what happened to the meeting in CalendarHero, and decides what to do.
// Before it replaces or removes a request, it reads the lists again, because somebody may
// have changed the request a moment ago.
func (s requests) compare(ctx context.Context, link store.Link, item mapping.Item, asked meeting.Request) (meeting.Action, store.Link, meeting.Request, error) {
	want := asked
	link, err := s.mergeRemote(ctx, link, item, &want)
	if err != nil {
		return meeting.Nothing, link, want, err
	}
	todo := meeting.Decide(link, item, want, s.wasQuiet(link, want), s.now())
	if todo != meeting.Replace && todo != meeting.Remove {
		return todo, link, want, nil
	}
	if err := s.refresh(ctx, link); err != nil {
		return todo, link, want, err
	}
	want = asked
	if link, err = s.mergeRemote(ctx, link, item, &want); err != nil {
		return todo, link, want, err
	}
	return meeting.Decide(link, item, want, s.wasQuiet(link, want), s.now()), link, want, nil
}

// replace deletes a request, and creates it again.
func (s requests) replace(ctx context.Context, link store.Link, item mapping.Item, want meeting.Request) error {
	if !meeting.Near(want.End, item.End) { // it stays where it was moved to
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
	if missing && link.Material == want.Material {
		return s.calledOff(ctx, link)
	}
	return s.create(ctx, link, item, want, "replaced, because its "+changed(link, item, want)+" changed")
}

// passed says in words that it is too late for a request.
func passed(item mapping.Item, want meeting.Request) string {
	return fmt.Sprintf("%s: its time has passed (%s)", item.Automation, meeting.Period(want.Start, want.End, item.Zone))
}

// changed says in words what of a request is new.
func changed(link store.Link, item mapping.Item, want meeting.Request) string {
	switch {
	case link.Material == want.Material:
		return "description"
	case link.Title != item.Title:
		return "title"
	case !link.SourceStart.Equal(item.Start) || !link.SourceEnd.Equal(item.End):
		return "time"
	}
	return "invitee, place or meeting type"
}

// mostOften bounds how often Milepost creates requests of one record in a day. Each one
// mails people, and automations that trigger each other would never end.
const mostOften = 24

// tooOften reports whether Milepost may not replace a request now, and notes why.
func (s requests) tooOften(ctx context.Context, link store.Link) (bool, error) {
	n, err := s.store.ToldSince(ctx, s.entity, s.contactID, link.ItemKind+" created", s.now().AddDate(0, 0, -1))
	if err != nil || n < mostOften {
		return false, err
	}
	s.deferred = &outcome.Wait{For: outcome.LongestWait, Why: fmt.Sprintf("%s: Milepost created it %d times within a day, so the change waits; do two automations trigger each other?", link.Automation, n)}
	return true, nil
}

// moveTask moves the task of a meeting that is about to be replaced, because nobody moved
// the new one. first reports whether the record must be read again before.
func (s requests) moveTask(ctx context.Context, link store.Link) (first bool, err error) {
	if s.stale {
		return true, nil
	}
	for _, item := range s.planned {
		if item.Kind != mapping.ItemRescheduleTask || item.Meeting != link.ObjectID || s.links[item.Key].Content == taskContent(item) {
			continue
		}
		s.requeue = append(s.requeue, s.entity)
		return true, s.kind(item.Kind).apply(ctx, item)
	}
	return false, nil
}

// calledOff handles a request that somebody deleted in CalendarHero, if the sync finds that
// when it replaces only the description. Milepost does not create it again.
func (s requests) calledOff(ctx context.Context, link store.Link) error {
	m := s.knownMeeting(link)
	m.LocationID, m.ID, m.ContactID, m.State = link.Entity.LocationID, link.ObjectID, s.contactID, string(mapping.MeetingGone)
	m.Happened = meeting.Happened(m, s.now())
	if err := s.store.SaveMeetings(ctx, []store.Meeting{m}, nil); err != nil {
		return err
	}
	link.State, link.Meeting = store.LinkLive, m.State
	s.requeue = append(s.requeue, s.entity) // for the automations that look at that
	return s.store.SaveLink(ctx, link, s.now(), nil, s.tell(link.ItemKind+" gone in CalendarHero", link.Title))
}

// resolve settles a link if the answer to its last call was lost. The link it returns is
// live or gone. It sends a delete again. For a create, it searches for the object by its
// marker, and adopts the one that it finds.
func (s requests) resolve(ctx context.Context, link store.Link, item mapping.Item) (store.Link, error) {
	switch {
	case link.State == store.LinkDeleting:
		return s.resolveDelete(ctx, link)
	case !link.State.Uncertain():
		return link, nil
	}
	if err := s.settled(ctx, link); err != nil {
		return link, err
	}
	found, closed, err := s.findCreated(ctx, link)
	if err != nil {
		return link, err
	}
	if found == "" {
		return s.giveUp(ctx, link)
	}
	link.State, link.ObjectID, link.Owned = store.LinkLive, found, true
	if closed {
		if err := s.refresh(ctx, link); err != nil {
			return link, err
		}
	}
	return link, s.store.SaveLink(ctx, link, s.now(), meeting.Reminders(link, item, s.now()), s.tell(link.ItemKind+" adopted", link.Title))
}

// resolveDelete sends a delete again, unless it was part of a replacement and somebody has
// moved the request since.
func (s requests) resolveDelete(ctx context.Context, link store.Link) (store.Link, error) {
	if !link.SourceStart.IsZero() && !s.over(link) {
		if err := s.refresh(ctx, link); err != nil {
			return link, err
		}
		m := s.knownMeeting(link)
		if !mapping.MeetingState(m.State).Ended() && !(meeting.Near(m.Start, link.Start) && meeting.Near(m.End, link.End)) {
			// What was planned does not know it, and its record has to follow first.
			s.stale, s.requeue = true, append(s.requeue, s.entity)
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
}

// findCreated searches for the request of a create whose answer was lost. If somebody has
// cancelled it since, closed is true: nobody may be asked again.
func (s requests) findCreated(ctx context.Context, link store.Link) (id string, closed bool, err error) {
	id, err = listed(ctx, s.conn.CalendarHero, func(r calendarhero.ListedRequest) bool { return strings.Contains(r.Title, link.Marker) })
	if err != nil || id != "" {
		return id, false, err
	}
	requests, err := s.conn.ClosedRequests(ctx, s.began)
	for id, r := range requests {
		if strings.Contains(r.Title, link.Marker) {
			return id, true, err
		}
	}
	return "", false, err
}

// giveUp decides that the create of a link had no effect, once the lists may be believed:
// they must show how an earlier request ended.
func (s requests) giveUp(ctx context.Context, link store.Link) (store.Link, error) {
	if err := s.believable(ctx, s.began); err != nil {
		return link, err
	}
	shown, err := s.conn.ShowAny(ctx, s.began)
	if err != nil {
		return link, err
	}
	if next, more := outcome.NextCheck(s.now().Sub(link.AttemptedAt), whenAllElseIsGone()...); more && !shown && link.Generation > 1 {
		return link, &outcome.Wait{For: next, Why: "the answer to a create was lost, and CalendarHero shows no meeting request at all; Milepost checks again before it creates another one"}
	}
	err = s.store.GiveUp(ctx, link, s.now())
	link.State = store.LinkGone
	return link, err
}

// settled returns nil if the sync may now search for the object of an uncertain create. If
// the clock was put back, the attempt lies in the future. Its age is then unknown, so the
// wait starts again.
func (s *entitySync) settled(ctx context.Context, link store.Link) error {
	settle := outcome.UnclearSettle
	if link.State == store.LinkUnanswered {
		settle = outcome.UnansweredSettle
	}
	if link.AttemptedAt.After(s.now()) {
		link.AttemptedAt = s.now()
		if err := s.store.SaveLink(ctx, link, s.now(), nil); err != nil {
			return err
		}
	}
	if left := settle - s.now().Sub(link.AttemptedAt); left > 0 {
		return &outcome.Wait{For: left, Why: "the answer to a create was lost; Milepost waits before it looks for the object"}
	}
	return nil
}

// listed returns the id of the first open meeting request that sought accepts, or "".
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

// create stores the create, sends it and stores its answer. After a crash or a lost answer
// the link stays creating, and the next run resolves it. did says what the sync did then,
// such as "created".
func (s requests) create(ctx context.Context, link store.Link, item mapping.Item, want meeting.Request, did string) error {
	if link.ObjectID != "" {
		s.superseded[link.ObjectID] = true
	}
	link = store.Link{
		Entity: s.entity, Item: item.Key, ItemKind: string(item.Kind), Automation: item.Automation,
		State: store.LinkCreating, Generation: link.Generation + 1,
		Material: want.Material, Content: want.Content, Title: item.Title, Start: want.Start, End: want.End,
		SourceStart: item.Start, SourceEnd: item.End, Meeting: string(mapping.MeetingPending), Invited: string(item.Invite.Who),
		AttemptedAt: s.now(),
	}
	link.Marker = meeting.Marker(link.Entity, link.Item, link.Generation)
	if err := s.store.SaveLink(ctx, link, s.now(), nil); err != nil {
		return err
	}
	id, err := s.conn.CalendarHero.CreateMeetingRequest(ctx, want.Marked(link.Marker))
	ctx, cancel := jobs.Detached(ctx)
	defer cancel()
	if err != nil {
		return s.notCreated(ctx, link, err)
	}
	s.mails("invitation", item.Key, want.ContactEmails...)
	link.State, link.ObjectID, link.Owned = store.LinkLive, id, true
	created := s.tell(link.ItemKind+" created", link.Title)
	s.did[len(s.did)-1] = link.ItemKind + " " + did
	if err := s.store.SaveLink(ctx, link, s.now(), meeting.Reminders(link, item, s.now()), created); err != nil {
		return err
	}
	if s.automations.LooksAt(mapping.NewMeetingRequest) {
		s.requeue = append(s.requeue, s.entity)
	}
	m := store.Meeting{
		LocationID: s.entity.LocationID, ID: id, ContactID: s.contactID, State: link.Meeting, Title: want.Marked(link.Marker).Subject,
		Type: want.Type, Start: link.Start, End: link.End, Emails: want.ContactEmails,
	}
	m.Happened = meeting.Happened(m, s.now())
	return s.store.NoteMeeting(ctx, m)
}

// notCreated stores what a failed create means for its link, and returns why it failed. If
// it cannot save the link, the link stays creating, which is true too.
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

// isOver is why Milepost leaves a meeting request.
const isOver = "it is over"

// revive links requests again that Milepost left because they were over, if they are not:
// the clock was ahead then.
func (s *entitySync) revive(ctx context.Context) error {
	for key, link := range s.links {
		if link.State != store.LinkGone || link.Left != isOver || !link.End.After(s.now()) {
			continue
		}
		link.State, link.Left = store.LinkLive, ""
		if err := s.store.SaveLink(ctx, link, s.now(), nil); err != nil {
			return err
		}
		s.links[key] = link
	}
	return nil
}

// over reports whether the time of a link's meeting has passed. CalendarHero then closes
// the request by itself, and a delete would mail its invitees for nothing.
func (s *entitySync) over(link store.Link) bool { return !s.knownMeeting(link).End.After(s.now()) }

// delete stores that it is about to delete a link's object and then deletes it, unless the
// meeting is over. An object that is already gone counts as deleted; missing reports that
// it was certainly gone before. After a crash or a lost answer, the link stays deleting, so
// Milepost assumes nothing else about the object.
func (s requests) delete(ctx context.Context, link store.Link) (missing bool, err error) {
	if s.over(link) {
		return false, s.confirm(ctx, link.Item, link.ObjectID, s.knownMeeting(link).End)
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
		s.cancelled(ctx, link.Item, link.ObjectID)
		if err := s.conn.Answers(ctx); err != nil { // a gateway may answer everything with a 204
			return false, err
		}
		ctx, cancel := jobs.Detached(ctx)
		defer cancel()
		if err := s.store.ForgetMeeting(ctx, link.Entity.LocationID, link.ObjectID); err != nil {
			return false, err
		}
		return false, s.confirm(ctx, link.Item, link.ObjectID, time.Time{})
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

// notListed checks that a request is gone if its DELETE got another answer than 204,
// because a gateway may answer anything. No open list may show the request, and
// CalendarHero itself must answer for the account.
func (s requests) notListed(ctx context.Context, link store.Link, said error) error {
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
	return s.conn.Answers(ctx)
}

// wanted is an item with the request that its record asks for.
type wanted struct {
	meeting.Request
	item mapping.Item
}

// remove deletes the object of a link, however its last call ended, and marks the link
// gone. It leaves a meeting that is over.
func (s requests) remove(ctx context.Context, link store.Link) error {
	// A later request ignores where the meeting was moved to.
	link.SourceStart, link.SourceEnd = time.Time{}, time.Time{}
	if link.ObjectID != "" && s.over(link) { // unless somebody moved it, and no webhook told
		if err := s.refresh(ctx, link); err != nil {
			return err
		}
	}
	if m := s.knownMeeting(link); s.over(link) {
		link.Start, link.End = m.Start, m.End
		return s.leave(ctx, link, isOver)
	}
	link, err := s.resolve(ctx, link, mapping.Item{})
	if err != nil || link.State == store.LinkGone {
		return err
	}
	// One that is merely gone is deleted nevertheless: a gateway may have shown no
	// request for long.
	if ended := mapping.MeetingState(s.knownMeeting(link).State); ended.Ended() && ended != mapping.MeetingGone {
		return s.forget(ctx, link, link.ItemKind+" "+string(ended)+" in CalendarHero, no longer kept in step")
	}
	if _, err := s.delete(ctx, link); err != nil {
		return err
	}
	return s.forget(ctx, link, link.ItemKind+" removed")
}

// compose turns an event or task item into a meeting request pinned to its time: its window
// is exactly as long as the meeting.
func (s requests) compose(ctx context.Context, item mapping.Item) (meeting.Request, error) {
	address := item.Invite.Address
	if item.Invite.Who == mapping.InviteOwner {
		owner, err := s.conn.Owner(ctx)
		if err != nil {
			return meeting.Request{}, err
		}
		if address = owner.Email; address == "" {
			return meeting.Request{}, &clients.Error{
				API: "CalendarHero", Operation: "get user", Reason: clients.Invalid,
				Message: "the account has no e-mail address, so its owner cannot be invited",
				Todo:    "give it one in CalendarHero, My Profile Settings",
			}
		}
	}
	kind := item.Type
	if kind != "" {
		known, err := s.conn.HasMeetingType(ctx, kind)
		if err != nil {
			return meeting.Request{}, err
		}
		if !known {
			s.notes = append(s.notes, fmt.Sprintf("%s: the CalendarHero account has no meeting type %q; Milepost uses the default", item.Automation, kind))
			kind = ""
		}
	}
	return meeting.Compose(item, kind, address), nil
}
