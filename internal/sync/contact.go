package sync

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/internal/contactmerge"
	"milepost/internal/fingerprint"
	"milepost/internal/jobs"
	"milepost/internal/outcome"
	"milepost/internal/store"
	"milepost/internal/tracing"
	"milepost/mapping"
)

// contactLease outlives a job, so that two HighLevel contacts with one e-mail
// address never make two contacts at once.
const contactLease = 35 * time.Second

// contacts are the CalendarHero contacts of HighLevel's contacts.
type contacts struct{ *entitySync }

func (contacts) texts(mapping.Item) any { return nil }

// remove removes the contact of a HighLevel contact that is gone. If the HighLevel contact
// only no longer matches an automation, the contact stays.
func (s contacts) remove(ctx context.Context, link store.Link) error {
	if s.gone {
		return s.removeContact(ctx, link)
	}
	return s.leave(ctx, link, noLongerKept)
}

// apply brings the CalendarHero contact of an item in step. It searches by e-mail address,
// merges into the contact that it finds, and creates one only if it finds none. If a person
// deleted a contact that is synced both ways, apply creates it again only after the
// HighLevel contact changes.
func (s contacts) apply(ctx context.Context, item mapping.Item) error {
	if done, err := s.unchanged(ctx, item); done || err != nil {
		return err
	}
	want, link, content := item.Contact, s.links[item.Key], fingerprint.Of(item.Contact)
	bothWays := want.Back != nil
	release, err := s.leaseAddresses(ctx, want.Emails)
	if err != nil {
		return err
	}
	defer release()
	if link.State.Uncertain() {
		if err := s.settled(ctx, link); err != nil {
			return err
		}
	}
	have, err := s.findContact(ctx, link, want.Emails)
	if err != nil {
		return err
	}
	if err := s.confirmFound(ctx, link, have); err != nil {
		return err
	}
	if bothWays && have.ID == "" && link.State == store.LinkLive && link.Content == content {
		link.Base = deletedThere
		return s.forget(ctx, link, "contact deleted in CalendarHero")
	}
	owned := link.Owned && link.State != store.LinkGone && link.ObjectID == have.ID
	if link.State.Uncertain() {
		owned = contactmerge.IsAsSent(have, link.Content)
	}
	link = store.Link{
		Entity: s.entity, Item: item.Key, ItemKind: string(item.Kind), Automation: item.Automation,
		State: store.LinkLive, ObjectID: have.ID, Owned: owned, Generation: link.Generation, Content: content, Title: want.Name,
	}
	switch {
	case have.ID == "":
		if err := s.searchFinds(ctx); err != nil {
			return err
		}
		if bothWays {
			link.Base = contactmerge.Created(want).String()
		}
		return s.createContact(ctx, link, want)
	case bothWays:
		return s.bothWays(ctx, item, link, have)
	}
	return s.fill(ctx, link, want, have)
}

// unchanged reports whether the contact already equals the item, on both sides if it is
// kept in step both ways.
func (s contacts) unchanged(ctx context.Context, item mapping.Item) (bool, error) {
	want, link := item.Contact, s.links[item.Key]
	switch {
	case link.Content != fingerprint.Of(want):
		return false, nil
	case want.Back == nil:
		return link.Base == "" && link.State == store.LinkLive, nil
	case link.Base == deletedThere:
		return true, nil
	case link.State != store.LinkLive:
		return false, nil
	}
	have, err := s.conn.Contact(ctx, link.ObjectID, link.Title)
	switch {
	case clients.ReasonOf(err) == clients.NotFound:
		return false, nil
	case err != nil:
		return false, err
	case contactmerge.Parse(link.BaseOf(have.ID)).InStep(want, have):
		return true, s.contactFound(ctx)
	}
	return false, nil
}

// confirmFound returns nil once it is certain whether the contact of a live link exists.
// A gateway, or an index that lags behind, must not count as a deletion.
func (s contacts) confirmFound(ctx context.Context, link store.Link, have calendarhero.Contact) error {
	switch {
	case link.State != store.LinkLive:
		return nil
	case have.ID != "":
		return s.contactFound(ctx)
	}
	return s.contactVanished(ctx)
}

// fill adds HighLevel's values to a contact that is kept in step one way.
func (s contacts) fill(ctx context.Context, link store.Link, want mapping.ContactItem, have calendarhero.Contact) error {
	merged := contactmerge.Fill(have, want)
	if fingerprint.Of(merged) == fingerprint.Of(have) {
		return s.store.SaveLink(ctx, link, s.now(), nil)
	}
	if err := s.conn.CalendarHero.UpdateContact(ctx, have.ID, merged); err != nil {
		return err
	}
	return s.store.SaveLink(ctx, link, s.now(), nil, s.tell("contact updated", want.Name))
}

// searchFinds checks that CalendarHero's search works before Milepost creates a contact
// that the search did not find: it must find another known contact. A contact that a person
// deleted proves nothing.
func (s contacts) searchFinds(ctx context.Context) error {
	others, err := s.store.ContactLinks(ctx, s.entity, 3)
	if err != nil {
		return err
	}
	for _, l := range others {
		found, err := s.conn.CalendarHero.SearchContacts(ctx, l.Title)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			return nil
		}
		_, err = s.conn.CalendarHero.Contact(ctx, l.ObjectID)
		if err == nil {
			return &clients.Error{
				API: calendarhero.API, Operation: "search contacts", Reason: clients.Unavailable,
				Message: "the search does not find a contact that exists",
			}
		}
		if clients.ReasonOf(err) != clients.NotFound {
			return err
		}
	}
	return nil
}

// contactFound stores that the contact still exists in CalendarHero, which ends the checks.
func (s contacts) contactFound(ctx context.Context) error {
	if !s.troubled {
		return nil
	}
	return s.confirmed(ctx, calendarhero.API)
}

// leaseAddresses takes the sole right to create, adopt or remove contacts with any of the
// e-mail addresses in the CalendarHero account. The right covers all locations of the
// account. If another sync has it, leaseAddresses fails with a wait. Call release at the
// end.
func (s *entitySync) leaseAddresses(ctx context.Context, emails []string) (release func(), err error) {
	holder := uuid.NewString()
	var taken []string
	release = func() {
		ctx, cancel := jobs.Detached(ctx)
		defer cancel()
		for _, lease := range taken {
			if err := s.store.Release(ctx, lease, holder); err != nil {
				tracing.Log(ctx, s.logger).Warn().Err(err).Msg("could not release a lease; it expires by itself")
			}
		}
	}
	for _, email := range emails {
		lease := addressLease(s.conn.Account, email)
		ok, err := s.store.Lease(ctx, lease, holder, s.now(), s.now().Add(contactLease))
		if err == nil && !ok {
			err = &outcome.Wait{For: time.Second, Why: "Milepost is writing another contact with the same e-mail address"}
		}
		if err != nil {
			release()
			return nil, err
		}
		taken = append(taken, lease)
	}
	return release, nil
}

// addressLease names the lease of an address by a digest, because errors contain the name
// and an address is personal data.
func addressLease(account, email string) string {
	return "contact " + fingerprint.Of([]string{account, strings.ToLower(email)})
}

// findContact returns the contact the link points to, else one with one of the
// e-mail addresses, else the zero Contact.
func (s contacts) findContact(ctx context.Context, link store.Link, emails []string) (calendarhero.Contact, error) {
	if link.State == store.LinkLive {
		have, err := s.conn.Contact(ctx, link.ObjectID, link.Title)
		if clients.ReasonOf(err) != clients.NotFound {
			return have, err
		}
	}
	return s.conn.FindContact(ctx, link.ObjectID, emails)
}

func (s contacts) createContact(ctx context.Context, link store.Link, want mapping.ContactItem) error {
	link.State, link.Generation, link.AttemptedAt = store.LinkCreating, link.Generation+1, s.now()
	if err := s.store.SaveLink(ctx, link, s.now(), nil); err != nil {
		return err
	}
	id, err := s.conn.CalendarHero.CreateContact(ctx, contactmerge.Fill(calendarhero.Contact{}, want))
	ctx, cancel := jobs.Detached(ctx)
	defer cancel()
	if err != nil {
		return s.notCreated(ctx, link, err)
	}
	link.State, link.ObjectID, link.Owned = store.LinkLive, id, true
	return s.store.SaveLink(ctx, link, s.now(), nil, s.tell("contact created", want.Name))
}

// findSent searches by name for the contact of a create whose answer was lost. The
// addresses are not known once its HighLevel contact is gone.
func (s contacts) findSent(ctx context.Context, link store.Link) (calendarhero.Contact, error) {
	if err := s.settled(ctx, link); err != nil || link.Title == "" {
		return calendarhero.Contact{}, err
	}
	found, err := s.conn.CalendarHero.SearchContacts(ctx, link.Title)
	if i := slices.IndexFunc(found, func(c calendarhero.Contact) bool { return contactmerge.IsAsSent(c, link.Content) }); i >= 0 {
		return found[i], err
	}
	return calendarhero.Contact{}, err
}

// removeContact deletes the CalendarHero contact of a deleted HighLevel contact, if
// Milepost created it and no other contact shares it. A shared contact goes with the last
// of them.
func (s contacts) removeContact(ctx context.Context, link store.Link) error {
	if link.State.Uncertain() {
		found, err := s.findSent(ctx, link)
		if err != nil {
			return err
		}
		if found.ID == "" { // a contact mails nobody, so it may stay
			return s.leave(ctx, link, "Milepost does not know whether it was created")
		}
		link.State, link.ObjectID, link.Owned = store.LinkLive, found.ID, true
		if err := s.store.SaveLink(ctx, link, s.now(), nil); err != nil {
			return err
		}
	}
	// Another HighLevel contact with its address may be about to adopt it.
	have, err := s.conn.CalendarHero.Contact(ctx, link.ObjectID)
	if err != nil && clients.ReasonOf(err) != clients.NotFound {
		return err
	}
	release, err := s.leaseAddresses(ctx, have.Emails)
	if err != nil {
		return err
	}
	defer release()
	sole, err := s.store.Relinquish(ctx, link, s.now())
	if err != nil {
		return err
	}
	if !sole {
		link.Owned = false
		return s.leave(ctx, link, "it existed before, or is shared")
	}
	if err := s.conn.CalendarHero.DeleteContact(ctx, link.ObjectID); err != nil && clients.ReasonOf(err) != clients.NotFound {
		return fmt.Errorf("remove the contact of a deleted HighLevel contact: %w", err)
	}
	if err := s.deletedContact(ctx, link); err != nil {
		return err
	}
	return s.forget(ctx, link, "contact removed")
}

// deletedContact checks that a contact is gone. The answer to a DELETE of a contact is not
// documented, and a gateway may answer anything.
func (s contacts) deletedContact(ctx context.Context, link store.Link) error {
	_, err := s.conn.CalendarHero.Contact(ctx, link.ObjectID)
	switch {
	case err == nil:
		return &clients.Error{
			API: calendarhero.API, Operation: "delete contact", Subject: link.ObjectID, Reason: clients.Unavailable,
			Message: "the answer said that it was deleted, but it still exists",
		}
	case clients.ReasonOf(err) != clients.NotFound:
		return err
	}
	return s.conn.Answers(ctx)
}
