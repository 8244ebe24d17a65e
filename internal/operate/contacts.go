package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"milepost/internal/store"
)

// Contacts are some contacts.
type Contacts struct {
	List []store.Contact
	More bool                // a search found others too
	Next store.ContactCursor // of the next page of a list; zero = there is none
}

// Contacts searches contacts by the beginnings of their names, e-mail addresses and
// telephone numbers, or by their id. Without a text, it lists those that changed last.
func (d *Desk) Contacts(ctx context.Context, text string, after store.ContactCursor, limit int) (out Contacts, err error) {
	if text == "" {
		out.List, err = d.Store.ChangedContacts(ctx, after, limit+1)
		if len(out.List) > limit {
			out.List = out.List[:limit]
			last := out.List[limit-1]
			out.Next = store.ContactCursor{ChangedAt: last.ChangedAt, LocationID: last.LocationID, ID: last.ID}
		}
		return out, err
	}
	byID, err := d.Store.ContactsByID(ctx, text)
	if err != nil || len(byID) > 0 {
		out.List = byID
		return out, err
	}
	out.List, out.More, err = d.Store.SearchContacts(ctx, store.SearchTerms(text), limit)
	return out, err
}

// Contact is all that is known of one.
type Contact struct {
	store.Contact
	State    store.EntityState   // of the contact itself
	Records  []store.EntityState // its tasks and notes, and what else is worked for it
	Links    []store.Link        // what exists for it in CalendarHero and HighLevel
	titles   map[store.Entity]string
	Requests []store.Meeting // that are open
	Erasure  *store.Erasure  // nil = nobody asked for one
	Left     []store.Link    // what stays though it was erased
	Timeline []store.TimelineEntry
	Next     int64 // of the next page of the timeline; 0 = there is none
}

// Title is the title of what was made for a record of the contact; "" = not known. It may
// quote the record.
func (c Contact) Title(e store.Entity) string { return c.titles[e] }

// Contact reads one, with limit entries of its timeline that are older than the one
// numbered before (0 = the newest). ok is false if nothing is known of it.
func (d *Desk) Contact(ctx context.Context, locationID, id string, before int64, limit int) (out Contact, ok bool, err error) {
	out.Contact, ok, err = d.Store.ContactOf(ctx, locationID, id)
	if err != nil {
		return out, false, err
	}
	out.LocationID, out.ID = locationID, id
	if out.Records, err = d.Store.RecordsOf(ctx, locationID, id); err != nil {
		return out, false, err
	}
	ok = ok || len(out.Records) > 0
	if len(out.Records) > 0 && out.Records[0].Kind == "contact" {
		out.State, out.Records = out.Records[0], out.Records[1:]
	}
	erasure, asked, err := d.Store.Erasure(ctx, locationID, id)
	if err != nil {
		return out, false, err
	}
	if asked {
		out.Erasure, ok = &erasure, true
		if out.Left, err = d.Store.Left(ctx, locationID, id); err != nil {
			return out, false, err
		}
	}
	if !ok {
		list, _, err := d.Store.FindDeliveries(ctx, store.DeliveryFilter{About: []store.Subject{{ContactID: id}, {Record: store.Entity{LocationID: locationID, Kind: "contact", ID: id}}}, LocationID: locationID, Limit: 1})
		if err != nil || len(list) == 0 {
			return out, false, err
		}
	}
	if out.Links, err = d.Store.LinksOf(ctx, locationID, id); err != nil {
		return out, false, err
	}
	out.titles = map[store.Entity]string{}
	for _, l := range out.Links {
		if l.Title != "" && out.titles[l.Entity] == "" {
			out.titles[l.Entity] = l.Title
		}
	}
	out.Links = slices.DeleteFunc(out.Links, func(l store.Link) bool { return l.State == store.LinkGone })
	if out.Requests, err = d.Store.OpenRequests(ctx, locationID, id, d.Now()); err != nil {
		return out, false, err
	}
	out.Timeline, err = d.Store.TimelinePage(ctx, locationID, id, before, limit+1)
	if len(out.Timeline) > limit {
		out.Timeline = out.Timeline[:limit]
		out.Next = out.Timeline[limit-1].ID
	}
	return out, true, err
}

// contactName is what a contact is called in the audit log.
func contactName(locationID, id string) string {
	return fmt.Sprintf("contact %s of location %s", id, locationID)
}

// ErrForgotten means that a contact was forgotten, and is not synced.
var ErrForgotten = errors.New("this contact was forgotten: let it be synced again first")

// SyncNow has a contact and its records synced at once.
func (d *Desk) SyncNow(ctx context.Context, who, locationID, id string) error {
	if e, _, err := d.Store.Erasure(ctx, locationID, id); err != nil || e.OnRequest {
		return errors.Join(err, ErrForgotten)
	}
	if err := d.Store.SyncNow(ctx, locationID, id); err != nil {
		return err
	}
	return d.note(ctx, who, "asked for a sync of", contactName(locationID, id))
}

// Mailed lists the open meeting requests of a contact. If it is forgotten, they are
// cancelled, and CalendarHero mails their invitees.
func (d *Desk) Mailed(ctx context.Context, locationID, id string) ([]store.Meeting, error) {
	return d.Store.OpenRequests(ctx, locationID, id, d.Now())
}

// Forget asks for a contact to be removed from CalendarHero, and for all data that
// Milepost stores about it to be erased. It is not synced again until Remember.
func (d *Desk) Forget(ctx context.Context, who, locationID, id string) error {
	if err := d.Store.Forget(ctx, locationID, id, d.Now()); err != nil {
		return err
	}
	d.choices.forget(locationID, id)
	return d.note(ctx, who, "forgot", contactName(locationID, id))
}

// Remember lets a forgotten contact be synced again; was is false if it was not
// forgotten.
func (d *Desk) Remember(ctx context.Context, who, locationID, id string) (was bool, err error) {
	was, err = d.Store.Remember(ctx, locationID, id)
	if err != nil || !was {
		return was, err
	}
	return true, d.note(ctx, who, "let be synced again", contactName(locationID, id))
}

// Jobs are some jobs, and how many there are of each group.
type Jobs struct {
	List   []store.Job
	Next   string // the cursor of the next page; "" = there is none
	Counts map[string]int64
}

// Jobs lists the jobs of a group, as store.Jobs does, and counts all groups.
func (d *Desk) Jobs(ctx context.Context, group, after string, limit int) (out Jobs, err error) {
	if out.List, out.Next, err = d.Store.Jobs(ctx, group, after, limit); err != nil {
		return out, err
	}
	out.Counts, err = d.Store.CountJobs(ctx, Most)
	return out, err
}

// RunJobNow has a job that failed tried again at once.
func (d *Desk) RunJobNow(ctx context.Context, who string, id int64) error {
	if err := d.Store.RunJobNow(ctx, id); err != nil {
		return err
	}
	return d.note(ctx, who, "ran at once", fmt.Sprintf("job %d", id))
}

// SyncRecordNow has one record synced at once.
func (d *Desk) SyncRecordNow(ctx context.Context, who string, e store.Entity) error {
	state, err := d.Store.EntityState(ctx, e)
	if err != nil {
		return err
	}
	if state.Wanted == 0 {
		return fmt.Errorf("%s: %w", e, ErrUnknown)
	}
	if err := d.Store.SyncRecordNow(ctx, e); err != nil {
		return err
	}
	return d.note(ctx, who, "asked for a sync of", e.String())
}

// LocationOf returns the location of the contact with an id. One that Milepost does not
// know can be only in the location that is connected, if there is no other.
func (d *Desk) LocationOf(ctx context.Context, contactID string) (string, error) {
	var locations []string
	cards, err := d.Store.ContactsByID(ctx, contactID)
	if err != nil {
		return "", err
	}
	for _, c := range cards {
		locations = append(locations, c.LocationID)
	}
	records, err := d.Store.EntitiesNamed(ctx, contactID) // one that no sync has read
	if err != nil {
		return "", err
	}
	for _, r := range records {
		if r.Kind == "contact" {
			locations = append(locations, r.LocationID)
		}
	}
	if len(locations) == 0 {
		connections, err := d.Store.Connections(ctx)
		if err != nil {
			return "", err
		}
		if len(connections) != 1 {
			return "", ErrUnknown
		}
		return connections[0].LocationID, nil
	}
	slices.Sort(locations)
	if locations = slices.Compact(locations); len(locations) == 1 {
		return locations[0], nil
	}
	return "", fmt.Errorf("%w: %d locations have it", ErrAmbiguous, len(locations))
}

// ErrAmbiguous means that an id does not say which record is meant.
var ErrAmbiguous = errors.New("the location of the contact is needed")
