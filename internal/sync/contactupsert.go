package sync

import (
	"context"
	"encoding/json"
	"strings"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/internal/contactmerge"
	"milepost/internal/facts"
	"milepost/internal/fingerprint"
	"milepost/internal/jobs"
	"milepost/internal/outcome"
	"milepost/internal/store"
	"milepost/mapping"
)

// readCalendarContact reads the CalendarHero contact of a webhook: by its id, else by the
// addresses in the webhook. It trusts nothing else that the webhook says.
func (s *entitySync) readCalendarContact(ctx context.Context) (mapping.CalendarContact, error) {
	record, _, err := s.store.Record(ctx, s.entity)
	if err != nil {
		return mapping.CalendarContact{}, err
	}
	var told calendarhero.Contact
	_ = json.Unmarshal(clients.WithoutMark(record.Body), &told) // a body that was erased, or says nothing, tells no addresses
	have, err := s.conn.CalendarHero.Contact(ctx, s.entity.ID)
	if reason := clients.ReasonOf(err); reason == clients.NotFound || reason == clients.Invalid {
		missing := err
		told.Emails = told.Emails[:min(len(told.Emails), addressesTried)]
		if have, err = s.conn.FindContact(ctx, s.entity.ID, told.Emails); err == nil && have.ID == "" {
			err = gone(missing)
		}
	}
	if err != nil {
		return mapping.CalendarContact{}, err
	}
	return facts.CalendarContact(have), nil
}

// addressesTried bounds the addresses of a webhook that are searched for. Each costs a
// call, and the webhook is not signed.
const addressesTried = 5

// gone is a failure to read a contact that no search finds either.
func gone(missing error) error {
	return &clients.Error{
		API: calendarhero.API, Operation: "find contact", Reason: clients.NotFound,
		Message: "CalendarHero has no contact with this id or these addresses", Err: missing,
	}
}

// upsertSource is the source of a HighLevel contact that came from CalendarHero.
const upsertSource = "CalendarHero"

// newContacts are the HighLevel contacts that come from CalendarHero.
type newContacts struct{ highLevelWrites }

func (newContacts) texts(mapping.Item) any { return nil }

// apply ensures that HighLevel has a contact for one that came from a
// scheduling link. If HighLevel has one with its e-mail address or phone, it fills
// the empty fields and leaves the others; otherwise it creates one. It skips the
// account's owner and contacts that were created for a HighLevel contact. After a
// lost answer it looks for the contact before it creates it again.
func (s newContacts) apply(ctx context.Context, item mapping.Item) error {
	want := item.Contact
	link := s.links[item.Key]
	content := fingerprint.Of(want)
	if link.State == store.LinkLive && link.Content == content {
		return nil
	}
	if !link.State.Uncertain() {
		why, err := s.alreadyLinked(ctx, want)
		if why != "" {
			s.skipped = append(s.skipped, item.Automation+": "+why)
		}
		if why != "" || err != nil {
			return err
		}
	}
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
	phone := contactmerge.InternationalPhone(contactmerge.First(want.Phones), "")
	have, found, err := s.findInHighLevel(ctx, link, want.Emails, phone)
	if err != nil {
		return err
	}
	link = store.Link{
		Entity: s.entity, Item: item.Key, ItemKind: string(item.Kind), Automation: item.Automation,
		State: store.LinkLive, ObjectID: have.ID, Generation: link.Generation, Content: content, Title: want.Name,
	}
	var told []store.TimelineEntry
	if !found {
		if have, err = s.createInHighLevel(ctx, &link, want, phone); err != nil {
			return err
		}
	}
	s.contactID = have.ID
	if !found {
		told = append(told, s.tell("contact added in HighLevel", want.Name))
	}
	s.requeue = append(s.requeue, store.Entity{LocationID: s.entity.LocationID, Kind: string(mapping.KindContact), ID: have.ID}) // to be linked
	if missing, what := missingFields(have, want, phone); len(what) > 0 {
		_, err := s.writing().UpdateContact(ctx, have.ID, missing)
		switch err = s.refusal(ctx, err); {
		case clients.ReasonOf(err) == clients.Invalid: // as of a phone that another contact has
			s.notes = append(s.notes, item.Automation+": "+outcome.Redacted(err))
		case err != nil:
			return err
		default:
			told = append(told, s.tell("contact filled in HighLevel", strings.Join(what, "\n")))
		}
	}
	ctx, cancel := jobs.Detached(ctx)
	defer cancel()
	return s.store.SaveLink(ctx, link, s.now(), nil, told...)
}

// alreadyLinked returns why Milepost does not create a contact in HighLevel, or "".
func (s newContacts) alreadyLinked(ctx context.Context, want mapping.ContactItem) (string, error) {
	owner, err := s.conn.Owner(ctx)
	if err != nil {
		return "", err
	}
	for _, email := range want.Emails {
		if strings.EqualFold(email, owner.Email) {
			return "it is the owner of the CalendarHero account", nil
		}
	}
	for _, id := range []string{s.entity.ID, s.facts.CalendarContact.ID} { // the webhook's, and that of whom its addresses are
		linked, err := s.store.ContactLinked(ctx, s.entity.LocationID, id)
		if err != nil {
			return "", err
		}
		if linked != "" {
			s.contactID = linked // with whom what was told of it is erased
			return "it already belongs to a HighLevel contact", nil
		}
	}
	return "", nil
}

// findInHighLevel returns the contact that the link points to, else the one that
// has one of the addresses or the phone.
func (s newContacts) findInHighLevel(ctx context.Context, link store.Link, emails []string, phone string) (highlevel.Contact, bool, error) {
	if link.State == store.LinkLive {
		have, err := s.followUpClient.Contact(ctx, link.ObjectID)
		if clients.ReasonOf(err) != clients.NotFound {
			return have, err == nil, err
		}
	}
	if !strings.HasPrefix(phone, "+") {
		phone = "" // it would match nothing
	}
	for _, email := range emails {
		have, found, err := s.followUpClient.FindDuplicate(ctx, s.entity.LocationID, email, phone)
		if found {
			have, err = s.followUpClient.Contact(ctx, have.ID) // whole
		}
		if found || err != nil {
			return have, found, outcome.NonRecord(err)
		}
		phone = ""
	}
	return highlevel.Contact{}, false, nil
}

// createInHighLevel creates the contact. It leaves out a phone number without a country
// code: an upsert could match another contact's number, which FindDuplicate did not find,
// and overwrite that contact.
func (s newContacts) createInHighLevel(ctx context.Context, link *store.Link, want mapping.ContactItem, phone string) (highlevel.Contact, error) {
	creating := *link
	creating.State, creating.Generation, creating.AttemptedAt = store.LinkCreating, link.Generation+1, s.now()
	if err := s.store.SaveLink(ctx, creating, s.now(), nil); err != nil {
		return highlevel.Contact{}, err
	}
	if !strings.HasPrefix(phone, "+") {
		phone = ""
	}
	contact := highlevel.NewContact{LocationID: s.entity.LocationID}
	contact.Source = highlevel.Set(upsertSource)
	for _, field := range []struct {
		to    *highlevel.Text
		value string
	}{{&contact.Name, want.Name}, {&contact.Email, contactmerge.First(want.Emails)}, {&contact.Phone, phone}, {&contact.CompanyName, want.Organization}} {
		if field.value != "" {
			*field.to = highlevel.Set(field.value)
		}
	}
	stored, _, err := s.writing().UpsertContact(ctx, highlevel.UpsertContact{NewContact: contact})
	if err != nil {
		ctx, cancel := jobs.Detached(ctx)
		defer cancel()
		return stored, s.notCreated(ctx, creating, err)
	}
	link.Generation, link.ObjectID, link.Owned = creating.Generation, stored.ID, true
	return stored, nil
}

// missingFields returns the empty fields of a contact that want fills, and their values.
func missingFields(have highlevel.Contact, want mapping.ContactItem, phone string) (write highlevel.ContactFields, what []string) {
	if have.FirstName == "" && have.LastName == "" && have.Name == "" && want.Name != "" {
		write.Name, what = highlevel.Set(want.Name), append(what, "name: "+want.Name)
	}
	if email := contactmerge.First(want.Emails); have.Email == "" && email != "" {
		write.Email, what = highlevel.Set(email), append(what, "email: "+email)
	}
	if have.Phone == "" && phone != "" {
		write.Phone, what = highlevel.Set(phone), append(what, "phone: "+phone)
	}
	return write, what
}
