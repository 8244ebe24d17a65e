package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/internal/catalog"
	"milepost/internal/fingerprint"
	"milepost/internal/jobs"
	"milepost/internal/store"
	"milepost/mapping"
)

// calls are the calls that request actions ask for. Milepost sends each once for each change
// of its filled-in fields, whether it is safe to repeat or not. A call stays sent when its
// item is no longer wanted. It may come back as a webhook that asks for another call, so an
// automation may send only a limited number in an hour.
type calls struct{ *entitySync }

func (calls) texts(item mapping.Item) any { return item.Call }

// sent reports whether the link says that the item's current call was sent, or that this is
// not known and must not be retried.
func (s calls) sent(link store.Link, item mapping.Item) bool {
	return link.Content == fingerprint.OfText(s.texts(item)) && (link.State == store.LinkLive || link.State == store.LinkGone || onlyOnce(item.Call.Operation))
}

// onlyOnce reports whether an operation must not run twice. An operation that the catalogue
// no longer has counts as one of these.
func onlyOnce(operation string) bool {
	entry, ok := catalog.Find(operation)
	return !ok || entry.Effect == catalog.Once
}

// remove leaves what was sent. If the answer to a call was still open at a crash, the call
// counts as lost.
func (s calls) remove(ctx context.Context, link store.Link) error {
	if link.State == store.LinkCreating {
		return s.lost(ctx, link)
	}
	if !s.gone {
		return nil
	}
	link.State = store.LinkGone
	return s.store.SaveLink(ctx, link, s.now(), nil)
}

// apply sends the call of an item, unless it was sent.
func (s calls) apply(ctx context.Context, item mapping.Item) error {
	link := s.links[item.Key]
	if link.State == store.LinkCreating {
		if err := s.lost(ctx, link); err != nil {
			return err
		}
		link = s.links[item.Key]
	}
	if s.sent(link, item) {
		return s.stillUnclear(ctx, link, item)
	}
	entry, ok := item.Call.Entry()
	if !ok {
		return fmt.Errorf("automation %q calls %q, which the catalogue does not have", item.Automation, item.Call.Operation)
	}
	next := store.Link{
		Entity: s.entity, Item: item.Key, ItemKind: string(item.Kind), Automation: item.Automation, State: store.LinkCreating,
		Generation: link.Generation + 1, Content: fingerprint.OfText(s.texts(item)), Title: entry.Name, AttemptedAt: s.now(),
	}
	begun, until, err := s.store.BeginCall(ctx, store.Call{
		Entity: s.entity, Item: item.Key, Generation: next.Generation, Automation: mapping.AutomationOf(item.Key), Operation: entry.Name,
	}, s.contactID, next, s.now())
	switch {
	case err != nil:
		return err
	case begun.State == store.CallStopped:
		s.stop(item, begun, until)
		return nil
	}
	answer, err := s.send(ctx, entry, item.Call.Fields)
	ctx, cancel := jobs.Detached(ctx)
	defer cancel()
	if err != nil {
		return s.notSent(ctx, begun, link, next, item, err)
	}
	for _, m := range item.Mails() {
		s.mails("message", item.Key, m.String())
	}
	next.State = store.LinkLive
	s.links[item.Key] = next
	return s.store.EndCall(ctx, begun, store.CallSent, s.madeBy(entry, answer), next, s.now(), s.tell("request sent", entry.Name))
}

// send makes the call. If a delete finds nothing, it is done.
func (s calls) send(ctx context.Context, entry catalog.Entry, fields map[string]any) (answer json.RawMessage, err error) {
	switch {
	case entry.Vendor == catalog.CalendarHero:
		answer, err = s.conn.CalendarHero.Call(ctx, entry, fields)
	case entry.Effect == catalog.Read:
		answer, err = s.followUpClient.Call(ctx, entry, s.entity.LocationID, fields)
	default:
		answer, err = s.writing().Call(ctx, entry, s.entity.LocationID, fields)
	}
	failed, ok := errors.AsType[*clients.Error](err)
	if !ok || failed.Reason != clients.NotFound {
		return answer, err
	}
	own := *failed
	own.Reason = clients.Invalid // it rejects what the call names; the record itself was just read
	if entry.Method != http.MethodDelete {
		return nil, &own
	}
	if err := s.refusal(ctx, &own); clients.ReasonOf(err) != clients.Invalid {
		return nil, err
	}
	return nil, nil
}

// notSent stores why a call failed. before is its link before the call.
func (s calls) notSent(ctx context.Context, begun store.Call, before, next store.Link, item mapping.Item, cause error) error {
	switch reason := clients.ReasonOf(cause); {
	case reason == "", reason == clients.Unavailable && !onlyOnce(begun.Operation):
		return cause // the link says that it may have been sent
	case reason == clients.Unclear:
		return s.unclear(ctx, begun, next, item.Automation)
	default: // it had no effect
		if before.Item == "" {
			before = next
			before.State, before.Generation, before.Content = store.LinkGone, 0, ""
		}
		s.links[item.Key] = before
		if err := s.store.EndCall(ctx, begun, "", "", before, s.now()); err != nil {
			return err
		}
		return cause
	}
}

// lost stores that the process ended before the answer to a call. If the call may be
// repeated and is still wanted, the sync sends it again.
func (s calls) lost(ctx context.Context, link store.Link) error {
	begun, known, err := s.store.CallOf(ctx, link)
	switch {
	case err != nil:
		return err
	case known && !onlyOnce(begun.Operation):
		link.State, link.Content = store.LinkGone, ""
		s.links[link.Item] = link
		return s.store.EndCall(ctx, begun, "", "", link, s.now())
	}
	return s.unclear(ctx, begun, link, link.Automation)
}

// unclear stores that nobody knows whether a call took effect. A person has to settle that.
func (s calls) unclear(ctx context.Context, begun store.Call, link store.Link, automation string) error {
	link.State = store.LinkUnanswered
	s.links[link.Item] = link
	s.sayUnclear(begun, automation)
	entry := store.TimelineEntry{At: s.now(), Entity: s.entity, ContactID: s.contactID, What: "request unclear", Detail: begun.Operation}
	return s.store.EndCall(ctx, begun, store.CallUnclear, "", link, s.now(), entry)
}

// stillUnclear notes that nobody has settled the effect of a call yet.
func (s calls) stillUnclear(ctx context.Context, link store.Link, item mapping.Item) error {
	if link.State != store.LinkUnanswered {
		return nil
	}
	begun, known, err := s.store.CallOf(ctx, link)
	if err == nil && known && begun.State == store.CallUnclear && !slices.Contains(s.unsettled, begun.ID) {
		s.sayUnclear(begun, item.Automation)
	}
	return err
}

func (s calls) sayUnclear(begun store.Call, automation string) {
	s.unsettled = append(s.unsettled, begun.ID)
	s.because(store.Unclear, store.Cause{Vendor: vendorOf(begun.Operation), Operation: begun.Operation, Automation: automation})
	s.notes = append(s.notes, fmt.Sprintf("%s: the answer to %s was lost, so it is not known whether it took effect, and Milepost does not send it again; look at %s, then run: milepost requests settle %d --sent, or --again",
		automation, begun.Operation, vendorOf(begun.Operation), begun.ID))
}

func vendorOf(operation string) string {
	if entry, _ := catalog.Find(operation); entry.Vendor == catalog.CalendarHero {
		return calendarhero.API
	}
	return highLevelAPI
}

// stop notes that an automation sent too many requests, and queues the record for the time
// when the automation may send the next one.
func (s calls) stop(item mapping.Item, stopped store.Call, until time.Time) {
	s.stopped = true
	s.because(store.Stopped, store.Cause{Vendor: vendorOf(stopped.Operation), Operation: stopped.Operation, Automation: item.Automation})
	s.notes = append(s.notes, fmt.Sprintf("%s: stopped until %s, because it sent %d requests within an hour for this contact and its records; probably automations answer each other: change one of them, then run: milepost requests release %d",
		item.Automation, until.UTC().Format(time.RFC3339), store.CallsAtOnce, stopped.ID))
	if s.again.IsZero() || until.Before(s.again) {
		s.again = until
	}
}

// madeBy returns the id of the record that a call created, if its answer has one. An
// automation that uses that record continues the chain of this one.
func (s calls) madeBy(entry catalog.Entry, answer json.RawMessage) string {
	if entry.Effect == catalog.Read {
		return ""
	}
	id := idIn(answer)
	if id == s.entity.ID || id == s.contactID {
		return ""
	}
	return id
}

// idIn returns the id in an answer, or in its only record: {"contact": {"id": "…"}}.
func idIn(answer json.RawMessage) string {
	read := func(raw json.RawMessage) string {
		var fields map[string]json.RawMessage
		if json.Unmarshal(raw, &fields) != nil {
			return ""
		}
		for _, key := range []string{"id", "_id"} {
			var id string
			if json.Unmarshal(fields[key], &id) == nil && id != "" {
				return id
			}
		}
		return ""
	}
	if id := read(answer); id != "" {
		return id
	}
	var parts map[string]json.RawMessage
	if json.Unmarshal(answer, &parts) != nil {
		return ""
	}
	found := ""
	for _, part := range parts {
		if id := read(part); id != "" {
			if found != "" {
				return ""
			}
			found = id
		}
	}
	return found
}
