package adminapi

import (
	"context"
	"net/http"
	"time"

	"milepost/internal/operate"
	"milepost/internal/store"
)

// FoundContacts is a page of contacts.
type FoundContacts struct {
	Page[Contact]
	More bool `json:"more,omitempty" doc:"The search found more contacts. A search has one page: make q longer."`
}

type contactsQuery struct {
	Paging
	Showing
	Text string `query:"q" maxLength:"200" doc:"The id of a contact, or the beginning of its name, e-mail address or telephone number. Without it, the contacts that changed last come first."`
}

// OneContact is the part of a request that names a contact.
type OneContact struct {
	ID       string `path:"id" maxLength:"200"`
	Location string `query:"location" maxLength:"200" doc:"The id of its location. It is needed if several locations have a contact with this id."`
}

type contactQuery struct {
	OneContact
	Showing
}

type timelineQuery struct {
	OneContact
	Paging
	Showing
}

// ContactDetail is what is known of a contact, without its timeline.
type ContactDetail struct {
	Contact
	Outcome  string        `json:"outcome,omitempty" doc:"Of the last sync of the contact itself."`
	Detail   string        `json:"detail,omitempty"`
	SyncedAt time.Time     `json:"synced_at,omitzero"`
	Records  []RecordState `json:"records" nullable:"false" doc:"Its tasks and notes, and what else is synced for it."`
	Items    []Made        `json:"items" nullable:"false" doc:"What exists for it in CalendarHero and HighLevel."`
	Requests []Request     `json:"requests" nullable:"false" doc:"Its open meeting requests. If the contact is forgotten, they are cancelled, and CalendarHero mails their invitees."`
	Erasure  *Erasure      `json:"erasure,omitempty" doc:"Missing if nobody asked for one."`
}

// RecordState is how far a record is synced.
type RecordState struct {
	Record
	Outcome  string    `json:"outcome,omitempty"`
	Detail   string    `json:"detail,omitempty"`
	SyncedAt time.Time `json:"synced_at,omitzero"`
	InStep   bool      `json:"in_step"`
	NextTry  time.Time `json:"next_try,omitzero"`
}

// Request is an open meeting request in CalendarHero.
type Request struct {
	ID     string    `json:"id"`
	Title  string    `json:"title,omitempty"`
	Start  time.Time `json:"start,omitzero"`
	End    time.Time `json:"end,omitzero"`
	Emails []string  `json:"emails" nullable:"false" doc:"Its invitees."`
}

// Erasure is the removal of all data of a contact.
type Erasure struct {
	Forgotten bool      `json:"forgotten" doc:"A person asked for it. The contact is not synced again."`
	AskedAt   time.Time `json:"asked_at"`
	DoneAt    time.Time `json:"done_at,omitzero" doc:"Missing while it is under way."`
	Left      []Made    `json:"left" nullable:"false" doc:"What stays all the same, and why."`
}

func (a *API) contacts() {
	const tag = "contacts"
	get(a, endpoint{id: "list-contacts", path: "/contacts", tag: tag, summary: "List or search contacts"}, a.listContacts)
	get(a, endpoint{
		id: "get-contact", path: "/contacts/{id}", tag: tag, summary: "What is known of a contact, and what exists for it in both systems",
	}, a.getContact)
	get(a, endpoint{
		id: "get-timeline", path: "/contacts/{id}/timeline", tag: tag, summary: "What happened to a contact in both systems, newest first",
	}, a.timeline)
	act(a, http.MethodPost, endpoint{id: "sync-contact", path: "/contacts/{id}/sync", tag: tag, summary: "Sync a contact and its records now"},
		func(ctx context.Context, in *OneContact) error {
			location, err := a.location(ctx, in)
			if err != nil {
				return err
			}
			return a.Desk.SyncNow(ctx, who(ctx), location, in.ID)
		})
	act(a, http.MethodPost, endpoint{
		id: "forget-contact", path: "/contacts/{id}/forget", tag: tag, summary: "Forget a contact",
		about: "Milepost removes what it made for the contact, erases what it stores about it, and does not sync it again. " +
			"Its open meeting requests are cancelled, and CalendarHero mails their invitees: see `requests` of the contact.",
	}, func(ctx context.Context, in *OneContact) error {
		location, err := a.location(ctx, in)
		if err != nil {
			return err
		}
		return a.Desk.Forget(ctx, who(ctx), location, in.ID)
	})
	act(a, http.MethodDelete, endpoint{
		id: "remember-contact", path: "/contacts/{id}/forget", tag: tag, summary: "Let a forgotten contact be synced again",
	}, func(ctx context.Context, in *OneContact) error {
		location, err := a.location(ctx, in)
		if err != nil {
			return err
		}
		was, err := a.Desk.Remember(ctx, who(ctx), location, in.ID)
		if err == nil && !was {
			return operate.ErrUnknown
		}
		return err
	})
}

// location is that of the contact that a request names.
func (a *API) location(ctx context.Context, in *OneContact) (string, error) {
	if in.Location != "" {
		return in.Location, nil
	}
	return a.Desk.LocationOf(ctx, in.ID)
}

func (a *API) listContacts(ctx context.Context, in *contactsQuery) (out FoundContacts, err error) {
	var after store.ContactCursor
	if err := in.after(&after); err != nil {
		return out, err
	}
	m, err := a.mask(ctx, in.Showing)
	if err != nil {
		return out, err
	}
	found, err := a.Desk.Contacts(ctx, in.Text, after, in.Limit)
	if err != nil {
		return out, err
	}
	out.Items, out.More = each(found.List, func(c store.Contact) Contact { return showContact(m, c) }), found.More
	if !found.Next.ChangedAt.IsZero() {
		out.Next = cursor(found.Next)
	}
	return out, nil
}

// contact reads the contact that a request names, with limit entries of its timeline.
func (a *API) contact(ctx context.Context, in *OneContact, show Showing, before int64, limit int) (c operate.Contact, m operate.Mask, err error) {
	location, err := a.location(ctx, in)
	if err != nil {
		return c, m, err
	}
	if m, err = a.mask(ctx, show); err != nil {
		return c, m, err
	}
	c, ok, err := a.Desk.Contact(ctx, location, in.ID, before, limit)
	if err == nil && !ok {
		err = operate.ErrUnknown
	}
	return c, m, err
}

func (a *API) getContact(ctx context.Context, in *contactQuery) (out ContactDetail, err error) {
	c, m, err := a.contact(ctx, &in.OneContact, in.Showing, 0, 1)
	if err != nil {
		return out, err
	}
	return showContactDetail(m, c), nil
}

func showContactDetail(m operate.Mask, c operate.Contact) ContactDetail {
	out := ContactDetail{
		Contact: showContact(m, c.Contact), Outcome: c.State.Outcome, Detail: m.Text(c.State.Detail), SyncedAt: utc(c.State.SyncedAt), Items: showItems(m, c.Links),
	}
	out.Records = each(c.Records, func(s store.EntityState) RecordState {
		return RecordState{showRecord(s.Entity), s.Outcome, m.Text(s.Detail), utc(s.SyncedAt), s.Done >= s.Wanted, utc(s.NextTry)}
	})
	out.Requests = each(c.Requests, func(r store.Meeting) Request {
		return Request{r.ID, m.Text(r.Title), utc(r.Start), utc(r.End), each(r.Emails, m.Email)}
	})
	if c.Erasure != nil {
		out.Erasure = &Erasure{c.Erasure.OnRequest, c.Erasure.AskedAt.UTC(), utc(c.Erasure.DoneAt), showItems(m, c.Left)}
	}
	return out
}

func (a *API) timeline(ctx context.Context, in *timelineQuery) (out Page[TimelineEntry], err error) {
	before, err := in.before()
	if err != nil {
		return out, err
	}
	c, m, err := a.contact(ctx, &in.OneContact, in.Showing, before, in.Limit)
	return older(showTimeline(m, c.Timeline), c.Next), err
}
