package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/internal/store"
	"milepost/mapping"
)

// unclearSettle is how long an unclear create is left alone before the lists
// are searched for it: CalendarHero may still be at work on it.
const unclearSettle = 5 * time.Second

// applyRequest brings the meeting request of an event or task item in step.
// CalendarHero has no update: a material change deletes and creates again, and
// that mails people. A change of the description alone does so only where the
// invitee is the owner, and else waits for the next material change.
func (s *entitySync) applyRequest(ctx context.Context, item mapping.Item) error {
	want, err := s.compose(ctx, item)
	if err != nil {
		return err
	}
	link, err := s.resolveCreating(ctx, s.links[item.Key], item.Reminders)
	if err != nil {
		return err
	}
	past := !want.End.After(s.now())
	switch {
	case link.State != store.LinkLive && past:
		s.skipped = append(s.skipped, fmt.Sprintf("%s: its time has passed (%s)", item.Automation, want.End.Format(time.RFC3339)))
		return nil
	case link.State != store.LinkLive:
		return s.create(ctx, link, item, want)
	case link.Content == want.content:
		return nil
	case link.Material == want.material && past:
		return nil
	case link.Material == want.material && item.Invite.Who != mapping.InviteOwner:
		s.notes = append(s.notes, item.Automation+": the new description waits for the next change of title, time or invitee, since a replacement would mail the invitee")
		return nil
	case past:
		return s.removeRequest(ctx, link)
	}
	if err := s.delete(ctx, link); err != nil {
		return err
	}
	return s.create(ctx, link, item, want)
}

// resolveCreating settles a link whose create was sent and whose answer is not
// known: the object is looked for by its marker, and adopted where it is there.
func (s *entitySync) resolveCreating(ctx context.Context, link store.Link, before []time.Duration) (store.Link, error) {
	if link.State != store.LinkCreating {
		return link, nil
	}
	if left := unclearSettle - s.now().Sub(link.AttemptedAt); left > 0 {
		return link, &wait{left, "the answer to a create was lost; it settles before it is looked for"}
	}
	found, err := s.findMarker(ctx, link.Marker)
	if err != nil {
		return link, err
	}
	if found == "" {
		link.State = store.LinkGone // never arrived
		return link, nil
	}
	link.State, link.ObjectID, link.Owned = store.LinkLive, found, true
	return link, s.store.SaveLink(ctx, link, s.now(), reminders(link, before, s.now()), s.tell(link.ItemKind+" adopted", link.Title))
}

// findMarker returns the id of the meeting request that carries the marker, or "".
func (s *entitySync) findMarker(ctx context.Context, marker string) (string, error) {
	for _, state := range []string{"active", "upcoming"} {
		list, err := s.conn.CalendarHero.MeetingRequests(ctx, state)
		if err != nil {
			return "", err
		}
		for _, r := range list {
			if strings.Contains(r.Title, marker) {
				return r.ID, nil
			}
		}
	}
	return "", nil
}

// create notes the create, sends it and notes its answer. A crash or a lost
// answer leaves the link creating, to be resolved by the next run.
func (s *entitySync) create(ctx context.Context, link store.Link, item mapping.Item, want request) error {
	link = store.Link{
		Entity: s.entity, Item: item.Key, ItemKind: string(item.Kind), Automation: item.Automation,
		State: store.LinkCreating, Generation: link.Generation + 1,
		Material: want.material, Content: want.content, Title: item.Title, Start: want.Start, End: want.End,
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
		switch clients.ReasonOf(err) {
		case clients.Unclear, "":
			return err
		}
		link.State = store.LinkGone // refused, or never sent
		if saveErr := s.store.SaveLink(ctx, link, s.now(), nil); saveErr != nil {
			return saveErr // the link stays creating, which the next run resolves
		}
		return err
	}
	link.State, link.ObjectID, link.Owned = store.LinkLive, id, true
	return s.store.SaveLink(ctx, link, s.now(), reminders(link, item.Reminders, s.now()), s.tell(link.ItemKind+" created", link.Title))
}

// delete deletes the object of a live link. One that is already gone is
// deleted. The link first says that nothing is known of the object any more:
// else, after a crash or a lost answer, a record that goes back to what it was
// would seem to have its object still.
func (s *entitySync) delete(ctx context.Context, link store.Link) error {
	link.Material, link.Content = "", ""
	if err := s.store.SaveLink(ctx, link, s.now(), nil); err != nil {
		return err
	}
	err := s.conn.CalendarHero.DeleteMeetingRequest(ctx, link.ObjectID)
	if clients.ReasonOf(err) == clients.NotFound {
		return nil
	}
	return err
}

// removeRequest deletes the object of a link, wherever its create stands, and
// marks the link gone.
func (s *entitySync) removeRequest(ctx context.Context, link store.Link) error {
	link, err := s.resolveCreating(ctx, link, nil)
	if err != nil {
		return err
	}
	if link.State == store.LinkLive {
		if err := s.delete(ctx, link); err != nil {
			return err
		}
	}
	return s.forget(ctx, link, link.ItemKind+" removed")
}

// reminders lists the reminders of a link that still lie ahead.
func reminders(link store.Link, before []time.Duration, now time.Time) []store.Reminder {
	var out []store.Reminder
	for _, d := range before {
		at := link.Start.Add(-d)
		if link.ItemKind == string(mapping.ItemTask) {
			at = link.End.Add(-d)
		}
		if at.After(now) {
			out = append(out, store.Reminder{At: at, Before: d})
		}
	}
	return out
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
	m.Description = strings.TrimSpace(m.Description + "\n\n[ref: " + marker + "]")
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
		address = owner.Email
	}
	kind := item.Type
	if kind != "" {
		known, err := s.conn.hasMeetingType(ctx, s.now(), kind)
		if err != nil {
			return request{}, err
		}
		if !known {
			s.notes = append(s.notes, fmt.Sprintf("%s: the CalendarHero account has no meeting type %q; its default is used", item.Automation, kind))
			kind = ""
		}
	}
	r := request{MeetingRequest: calendarhero.MeetingRequest{
		Subject: item.Title, Start: item.Start, End: item.End,
		Length: item.End.Sub(item.Start), Type: kind,
		ContactEmails: []string{address}, Description: describe(item), Location: item.Place,
	}}
	r.content = fingerprint(r.MeetingRequest)
	bare := r.MeetingRequest
	bare.Description = ""
	r.material = fingerprint(bare)
	return r, nil
}

// longestDescription bounds a description, in bytes; CalendarHero names no limit.
const longestDescription = 8000

// describe writes the description: own text, notes newest first, tags.
func describe(item mapping.Item) string {
	var parts []string
	if text := strings.TrimSpace(item.Description); text != "" {
		parts = append(parts, clip(text, longestDescription/2))
	}
	size := 0
	var notes strings.Builder
	for i, n := range item.Notes {
		line := "- " + strings.ReplaceAll(strings.TrimSpace(n), "\n", "\n  ")
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
func marker(l store.Link) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%s\x00%d", l.Entity.LocationID, l.Entity.Kind, l.Entity.ID, l.Item, l.Generation))
	return "mp-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5]))
}

// fingerprint is a short digest of a value: equal values, equal fingerprints.
func fingerprint(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("fingerprint of %T: %v", v, err)) // only plain data is ever passed
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}
