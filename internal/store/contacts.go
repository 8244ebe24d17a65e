package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"milepost/internal/order"
)

// Contact holds what people can search of a HighLevel contact, as of the last sync.
type Contact struct {
	LocationID string
	ID         string
	Name       string
	Email      string
	Phone      string
	ChangedAt  time.Time // when one of these fields last changed
}

const contactColumns = `location_id, id, name, email, phone, changed_at`

func scanContact(r Rows) (c Contact, err error) {
	var changed int64
	err = r.Scan(&c.LocationID, &c.ID, &c.Name, &c.Email, &c.Phone, &changed)
	c.ChangedAt = fromMicros(changed)
	return c, err
}

// longestWord limits the length of a word, so that a name cannot fill the index.
const longestWord = 64

// Words returns the words by whose beginnings a search finds the contact.
func (c Contact) Words() []string {
	words := nameWords(c.Name)
	email := strings.ToLower(strings.TrimSpace(c.Email))
	if email != "" {
		_, domain, _ := strings.Cut(email, "@")
		words = append(words, email, domain)
		words = append(words, nameWords(email)...)
	}
	digits := onlyDigits(c.Phone)
	for _, n := range []int{len(digits), 10, 7, 4} { // people leave out the country or the area code, or remember the last digits
		if n > 0 && len(digits) >= n {
			words = append(words, digits[len(digits)-n:])
		}
	}
	for i, w := range words {
		words[i] = w[:min(len(w), longestWord)]
	}
	slices.Sort(words)
	return slices.DeleteFunc(slices.Compact(words), func(w string) bool { return w == "" })
}

// nameWords splits a text at every character that is neither a letter nor a digit.
func nameWords(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r) })
}

func onlyDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, text)
}

// SearchTerms returns the beginnings of words in a search text: of an e-mail address, a
// telephone number, or parts of a name.
func SearchTerms(text string) []string {
	text = strings.ToLower(strings.TrimSpace(text))
	switch {
	case strings.Contains(text, "@"):
		return []string{strings.TrimPrefix(text[:min(len(text), longestWord)], "@")}
	case text != "" && strings.Trim(text, "0123456789+-().–/ ") == "":
		return []string{onlyDigits(text)}
	}
	terms := nameWords(text)
	for i, t := range terms {
		terms[i] = t[:min(len(t), longestWord)]
	}
	return terms
}

// saveContact stores a contact's card and words, and writes nothing if they are unchanged.
func (tx *Tx) saveContact(ctx context.Context, c Contact) error {
	n, err := tx.Exec(ctx, `INSERT INTO contacts (`+contactColumns+`) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (location_id, id) DO UPDATE SET name = excluded.name, email = excluded.email, phone = excluded.phone, changed_at = excluded.changed_at
			WHERE contacts.name <> excluded.name OR contacts.email <> excluded.email OR contacts.phone <> excluded.phone`,
		c.LocationID, c.ID, c.Name, c.Email, c.Phone, micros(c.ChangedAt))
	if err != nil || n == 0 {
		return err
	}
	if _, err := tx.Exec(ctx, eraseContactWords, c.LocationID, c.ID); err != nil {
		return err
	}
	for _, word := range c.Words() {
		if _, err := tx.Exec(ctx, `INSERT INTO contact_words (word, location_id, contact_id) VALUES ($1, $2, $3)`, []byte(word), c.LocationID, c.ID); err != nil {
			return err
		}
	}
	return nil
}

const eraseContactWords = `DELETE FROM contact_words WHERE location_id = $1 AND contact_id = $2`

// ContactOf reads one contact; ok is false if no sync has read it.
func (s *Store) ContactOf(ctx context.Context, locationID, id string) (c Contact, ok bool, err error) {
	rows, err := s.Query(ctx, `SELECT `+contactColumns+` FROM contacts WHERE location_id = $1 AND id = $2`, locationID, id)
	list, err := collect(rows, err, scanContact)
	if err != nil {
		return Contact{}, false, fmt.Errorf("read contact %s: %w", id, err)
	}
	if len(list) == 0 {
		return Contact{}, false, nil
	}
	return list[0], true, nil
}

// mostWithTerm limits how many words a search reads for each term, because half of the
// contacts may begin with the same letter.
const mostWithTerm = 20_000

// SearchContacts lists up to limit contacts that match all terms, by name. more means that
// there are, or may be, others.
func (s *Store) SearchContacts(ctx context.Context, terms []string, limit int) (list []Contact, more bool, err error) {
	terms = slices.DeleteFunc(slices.Clone(terms), func(t string) bool { return t == "" })
	if len(terms) == 0 {
		return nil, false, nil
	}
	terms = terms[:min(len(terms), 8)]
	query, args := searchContacts(terms, limit+1)
	rows, err := s.Query(ctx, query, args...)
	if list, err = collect(rows, err, scanContact); err != nil {
		return nil, false, fmt.Errorf("search contacts: %w", err)
	}
	if more = len(list) > limit; more {
		list = list[:limit]
	}
	order.By(list, func(a, b Contact) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.LocationID, b.LocationID), cmp.Compare(a.ID, b.ID))
	})
	return list, more, nil
}

// searchContacts selects the contacts that have, for each term, a word that begins with it.
// With a single term, it stops as soon as it has found enough.
func searchContacts(terms []string, limit int) (query string, args []any) {
	within := mostWithTerm
	if len(terms) == 1 {
		within = 4 * limit // a contact may have several matching words
	}
	var having []string
	for i, t := range terms {
		args = append(args, []byte(t), append([]byte(t), 0xff), within)
		having = append(having, fmt.Sprintf(`SELECT location_id, contact_id FROM (
			SELECT location_id, contact_id FROM contact_words WHERE word >= $%d AND word < $%d ORDER BY word LIMIT $%d) AS term%d`, 3*i+1, 3*i+2, 3*i+3, i))
	}
	if len(terms) == 1 {
		having = append(having, having[0]) // returns each contact once
	}
	return fmt.Sprintf(`SELECT contacts.location_id, id, name, email, phone, changed_at FROM (%s) AS found
		JOIN contacts ON contacts.location_id = found.location_id AND contacts.id = found.contact_id LIMIT $%d`,
		strings.Join(having, ` INTERSECT `), len(args)+1), append(args, limit)
}

// ContactCursor is where a page of contacts begins: after the contact that changed at this
// time. The zero cursor begins with the newest.
type ContactCursor struct {
	ChangedAt      time.Time
	LocationID, ID string
}

// ChangedContacts lists contacts by when they last changed, the newest first.
func (s *Store) ChangedContacts(ctx context.Context, after ContactCursor, limit int) ([]Contact, error) {
	at := int64(1<<63 - 1)
	if !after.ChangedAt.IsZero() {
		at = micros(after.ChangedAt)
	}
	rows, err := s.Query(ctx, listChangedContacts, at, after.LocationID, after.ID, limit)
	list, err := collect(rows, err, scanContact)
	if err != nil {
		return nil, fmt.Errorf("list the contacts: %w", err)
	}
	return list, nil
}

const listChangedContacts = `SELECT ` + contactColumns + ` FROM contacts WHERE (changed_at, location_id, id) < ($1, $2, $3)
	ORDER BY changed_at DESC, location_id DESC, id DESC LIMIT $4`

// ContactsByID lists the contacts with an id that a sync has read, in any location.
func (s *Store) ContactsByID(ctx context.Context, id string) ([]Contact, error) {
	rows, err := s.Query(ctx, listContactsByID, id)
	list, err := collect(rows, err, scanContact)
	if err != nil {
		return nil, fmt.Errorf("find contact %s: %w", id, err)
	}
	return list, nil
}

const listContactsByID = `SELECT ` + contactColumns + ` FROM contacts WHERE id = $1 LIMIT 100`

// RecordsOf lists the states of a contact and its records.
func (s *Store) RecordsOf(ctx context.Context, locationID, contactID string) ([]EntityState, error) {
	rows, err := s.Query(ctx, listRecordsOf, locationID, contactID)
	list, err := collect(rows, err, scanEntity)
	if err != nil {
		return nil, fmt.Errorf("list the records of contact %s: %w", contactID, err)
	}
	order.By(list, func(a, b EntityState) int {
		if (a.Kind == "contact") != (b.Kind == "contact") {
			return map[bool]int{true: -1, false: 1}[a.Kind == "contact"]
		}
		return a.Compare(b.Entity)
	})
	return list, nil
}

const listRecordsOf = `SELECT ` + entityColumns + ` FROM entities WHERE (location_id, kind, id) IN ` + entitiesOf

// LinksOf lists the links of a contact and its records, including those that are gone.
func (s *Store) LinksOf(ctx context.Context, locationID, contactID string) ([]Link, error) {
	rows, err := s.Query(ctx, listLinksOf, locationID, contactID)
	list, err := collect(rows, err, scanLink)
	if err != nil {
		return nil, fmt.Errorf("list the objects of contact %s: %w", contactID, err)
	}
	return list, nil
}

const listLinksOf = `SELECT ` + linkColumns + ` FROM links WHERE (location_id, kind, entity_id) IN ` + entitiesOf + ` ORDER BY start_at, kind, entity_id, item`

// SyncNow queues a contact and its records at once, even those that wait for a next try.
func (s *Store) SyncNow(ctx context.Context, locationID, contactID string) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		contact := Entity{LocationID: locationID, Kind: "contact", ID: contactID}
		entities := []Entity{contact}
		of, err := s.EntitiesOf(ctx, locationID, contactID)
		if err != nil {
			return err
		}
		for _, e := range of {
			if WorkedWithContact(e.Kind) {
				entities = append(entities, e)
			}
		}
		return tx.syncNow(ctx, entities)
	})
	if err != nil {
		return fmt.Errorf("sync contact %s now: %w", contactID, err)
	}
	return nil
}

// SyncRecordNow queues one record at once, even if it waits for a next try.
func (s *Store) SyncRecordNow(ctx context.Context, e Entity) error {
	if err := s.InTx(ctx, func(tx *Tx) error { return tx.syncNow(ctx, []Entity{e}) }); err != nil {
		return fmt.Errorf("sync %s now: %w", e, err)
	}
	return nil
}

// SyncRecordsNow is SyncRecordNow for several records, all or none.
func (s *Store) SyncRecordsNow(ctx context.Context, entities []Entity) error {
	if err := s.InTx(ctx, func(tx *Tx) error { return tx.syncNow(ctx, slices.Clone(entities)) }); err != nil {
		return fmt.Errorf("sync %d records now: %w", len(entities), err)
	}
	return nil
}

func (tx *Tx) syncNow(ctx context.Context, entities []Entity) error {
	order.By(entities, Entity.Compare) // the order that recordDeliveries explains
	list := make([]raised, len(entities))
	for i, e := range entities {
		v, err := tx.raiseWanted(ctx, e, "", 1, 0, byEvent)
		if err != nil {
			return err
		}
		// A record that may be gone keeps the wait for its second check, because that wait
		// is not after a failure.
		if _, err := tx.Exec(ctx, `UPDATE entities SET next_try = 0 WHERE location_id = $1 AND kind = $2 AND id = $3 AND gone_at = 0`, e.LocationID, e.Kind, e.ID); err != nil {
			return err
		}
		v.ready, v.expedite = true, true
		list[i] = v
	}
	return tx.enqueue(ctx, list, byEvent)
}
