package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// The kinds of items that a calendar shows.
const (
	ItemEvent = "event"
	ItemTask  = "task"
	ItemNote  = "note"
)

// The statuses of items, in iCalendar's words (RFC 5545 3.8.1.11).
const (
	StatusTentative   = "TENTATIVE" // of events
	StatusConfirmed   = "CONFIRMED"
	StatusNeedsAction = "NEEDS-ACTION" // of tasks
	StatusInProcess   = "IN-PROCESS"
	StatusCompleted   = "COMPLETED"
	StatusFinal       = "FINAL"     // of notes
	StatusCancelled   = "CANCELLED" // of each
)

// Item is an event, task or note that an automation wants or wanted, as a
// calendar shows it. One that is no longer wanted is kept for a while with its
// title alone, so that calendars learn that it is gone.
type Item struct {
	Entity     Entity
	Key        string // within the entity
	Kind       string
	Automation string
	ContactID  string // "" for none
	AssignedTo string // HighLevel user; "" for nobody
	UID        string // random, and for good
	Sequence   int64  // raised by each material change: of kind, time, status, title or place
	Revision   int64  // raised by each change
	Status     string
	Start, End time.Time // UTC. Of a note Start is when it was written, and End zero
	Zone       string    // IANA name
	Content    Content
	CreatedAt  time.Time
	UpdatedAt  time.Time
	RemovedAt  time.Time // zero = it stands
}

// Content is what an item says. It is zero once it was erased.
type Content struct {
	Title       string          `json:"title,omitempty"`
	Description string          `json:"description,omitempty"`
	Place       string          `json:"place,omitempty"`
	Text        string          `json:"text,omitempty"`  // of a note
	Notes       []string        `json:"notes,omitempty"` // newest first
	Tags        []string        `json:"tags,omitempty"`
	Reminders   []time.Duration `json:"reminders,omitempty"` // before Start of an event or End of a task; whole days are days of the calendar
	DateOnly    bool            `json:"date_only,omitempty"` // the time of day is not the source's
}

// text is the stored form, "" of the zero Content.
func (c Content) text() (string, error) {
	b, err := json.Marshal(c)
	if string(b) == "{}" {
		return "", err
	}
	return string(b), err
}

// kept is what stays of an item that is no longer wanted.
func (c Content) kept() Content { return Content{Title: c.Title, DateOnly: c.DateOnly} }

// materially reports whether two states of an item differ in what whoever has
// it in a calendar has to know.
func (i Item) materially(o Item) bool {
	return i.Kind != o.Kind || i.Status != o.Status || !i.Start.Equal(o.Start) || !i.End.Equal(o.End) || i.Zone != o.Zone ||
		i.Content.Title != o.Content.Title || i.Content.Place != o.Content.Place || i.Content.DateOnly != o.Content.DateOnly ||
		i.RemovedAt.IsZero() != o.RemovedAt.IsZero()
}

const itemColumns = `location_id, kind, entity_id, item, item_kind, automation, contact_id, assigned_to, uid, sequence, revision,
	status, start_at, end_at, zone, content, created_at, updated_at, removed_at`

func scanItem(r Rows) (i Item, err error) {
	var start, end, created, updated, removed int64
	var content string
	if err = r.Scan(&i.Entity.LocationID, &i.Entity.Kind, &i.Entity.ID, &i.Key, &i.Kind, &i.Automation, &i.ContactID, &i.AssignedTo,
		&i.UID, &i.Sequence, &i.Revision, &i.Status, &start, &end, &i.Zone, &content, &created, &updated, &removed); err != nil {
		return i, err
	}
	i.Start, i.End, i.CreatedAt, i.UpdatedAt, i.RemovedAt = fromMicros(start), fromMicros(end), fromMicros(created), fromMicros(updated), fromMicros(removed)
	if content != "" {
		err = json.Unmarshal([]byte(content), &i.Content)
	}
	return i, err
}

// ItemsOf lists the items of an entity, removed ones included, by key.
func (s *Store) ItemsOf(ctx context.Context, e Entity) ([]Item, error) {
	rows, err := s.Query(ctx, `SELECT `+itemColumns+` FROM items WHERE location_id = $1 AND kind = $2 AND entity_id = $3 ORDER BY item`,
		e.LocationID, e.Kind, e.ID)
	list, err := collect(rows, err, scanItem)
	if err != nil {
		return nil, fmt.Errorf("read the items of %s: %w", e, err)
	}
	return list, nil
}

// Noted is what a sync of an entity says of its items.
type Noted struct {
	Entity    Entity
	ContactID string
	// AssignedTo is the user whom the record is assigned to; where it was not read,
	// AssigneeKnown is false and the items keep whom they have.
	AssignedTo    string
	AssigneeKnown bool
	// Items are those that are wanted, of which Key, Kind, Automation, Status, times,
	// Zone and Content count. A note without Start has the time of its first noting.
	Items []Item
	// Left are the keys of items whose state is unknown: they stay as they are.
	Left map[string]bool
	// Keeps reports the same by key; nil = of no other.
	Keeps func(key string) bool
	// Completed tells that what is no longer wanted was done, and not called off.
	Completed bool
	Now       time.Time
}

// NoteItems brings the rows of an entity's items to what is noted, in one
// transaction, and writes none that stays what it was. What a contact's notes
// and workflow records made follows the user whom the contact is assigned to.
func (s *Store) NoteItems(ctx context.Context, n Noted) error {
	have, err := s.ItemsOf(ctx, n.Entity)
	if err != nil {
		return err
	}
	changed := n.changes(have)
	reassign := n.Entity.Kind == "contact" && n.AssigneeKnown
	if reassign && len(changed) == 0 {
		rows, err := s.Query(ctx, `SELECT item FROM items WHERE `+ofOtherAssignee+` LIMIT 1`, n.Entity.LocationID, n.ContactID, n.AssignedTo)
		others, err := collect(rows, err, func(r Rows) (key string, err error) { return key, r.Scan(&key) })
		if err != nil {
			return fmt.Errorf("find the records assigned to user %s: %w", n.AssignedTo, err)
		}
		reassign = len(others) > 0
	}
	if len(changed) == 0 && !reassign {
		return nil
	}
	err = s.InTx(ctx, func(tx *Tx) error {
		for _, i := range changed {
			if err := tx.saveItem(ctx, i); err != nil {
				return err
			}
		}
		if !reassign {
			return nil
		}
		_, err := tx.Exec(ctx, `UPDATE items SET assigned_to = $3, revision = revision + 1, updated_at = $4 WHERE `+ofOtherAssignee,
			n.Entity.LocationID, n.ContactID, n.AssignedTo, micros(n.Now))
		return err
	})
	if err != nil {
		return fmt.Errorf("save the items of %s: %w", n.Entity, err)
	}
	return nil
}

// ofOtherAssignee selects what is to follow the user whom a contact is assigned to.
const ofOtherAssignee = `location_id = $1 AND contact_id = $2 AND kind IN ('note', 'workflow') AND assigned_to <> $3`

// changes lists the rows that are to be written, complete.
func (n Noted) changes(have []Item) (changed []Item) {
	wanted := map[string]bool{}
	for _, i := range n.Items {
		wanted[i.Key] = true
		var old Item // the zero one where there is none
		if at := slices.IndexFunc(have, func(h Item) bool { return h.Key == i.Key }); at >= 0 {
			old = have[at]
		}
		i.Entity, i.ContactID, i.AssignedTo, i.RemovedAt = n.Entity, n.ContactID, n.AssignedTo, time.Time{}
		if !n.AssigneeKnown {
			i.AssignedTo = old.AssignedTo
		}
		i.Start, i.End = fromMicros(micros(i.Start)), fromMicros(micros(i.End)) // as they are read back
		if i.Start.IsZero() && old.UID != "" {
			i.Start = old.CreatedAt
		} else if i.Start.IsZero() {
			i.Start = n.Now.UTC().Truncate(time.Second)
		}
		if next, differs := old.next(i, n.Now); differs {
			changed = append(changed, next)
		}
	}
	for _, old := range have {
		if wanted[old.Key] || n.Left[old.Key] || n.Keeps != nil && n.Keeps(old.Key) || !old.RemovedAt.IsZero() {
			continue
		}
		next, _ := old.next(n.removed(old), n.Now)
		changed = append(changed, next)
	}
	return changed
}

// removed is an item that is no longer wanted.
func (n Noted) removed(i Item) Item {
	i.RemovedAt, i.Content, i.Status = n.Now, i.Content.kept(), StatusCancelled
	switch {
	case n.Completed && i.Kind == ItemTask:
		i.Status = StatusCompleted
	case i.Kind == ItemNote:
		i.Content = Content{} // its title would be its first line
	}
	return i
}

// next is the row that follows on an item when it becomes i, and whether that
// is another one. Of the zero Item it is the first.
func (i Item) next(to Item, now time.Time) (_ Item, differs bool) {
	if !now.After(i.UpdatedAt) { // the clock was put back
		now = i.UpdatedAt.Add(time.Microsecond)
	}
	to.UID, to.Sequence, to.Revision, to.CreatedAt, to.UpdatedAt = i.UID, i.Sequence, i.Revision+1, i.CreatedAt, now
	if i.UID == "" {
		to.UID, to.CreatedAt = uuid.NewString(), now
		return to, true
	}
	material := i.materially(to)
	if material {
		to.Sequence++
	}
	was, wasErr := i.Content.text()
	is, isErr := to.Content.text()
	return to, material || was != is || wasErr != nil || isErr != nil ||
		i.Automation != to.Automation || i.ContactID != to.ContactID || i.AssignedTo != to.AssignedTo
}

func (tx *Tx) saveItem(ctx context.Context, i Item) error {
	content, err := i.Content.text()
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO items (`+itemColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
		ON CONFLICT (location_id, kind, entity_id, item) DO UPDATE SET
			item_kind = excluded.item_kind, automation = excluded.automation, contact_id = excluded.contact_id,
			assigned_to = excluded.assigned_to, sequence = excluded.sequence, revision = excluded.revision, status = excluded.status,
			start_at = excluded.start_at, end_at = excluded.end_at, zone = excluded.zone, content = excluded.content,
			updated_at = excluded.updated_at, removed_at = excluded.removed_at`,
		i.Entity.LocationID, i.Entity.Kind, i.Entity.ID, i.Key, i.Kind, i.Automation, i.ContactID, i.AssignedTo, i.UID, i.Sequence, i.Revision,
		i.Status, micros(i.Start), micros(i.End), i.Zone, content, micros(i.CreatedAt), micros(i.UpdatedAt), micros(i.RemovedAt))
	return err
}

// The two ways to find the items of a contact that is to be erased: by whose
// they are, and by the records they came of.
const (
	eraseItems = `UPDATE items SET content = '', status = 'CANCELLED', sequence = sequence + 1, revision = revision + 1,
		updated_at = CASE WHEN updated_at < $3 THEN CAST($3 AS BIGINT) ELSE updated_at + 1 END,
		removed_at = CASE WHEN removed_at = 0 THEN CAST($3 AS BIGINT) ELSE removed_at END
		WHERE content <> '' AND `
	eraseItemsByContact = eraseItems + `location_id = $1 AND contact_id = $2`
	eraseItemsByEntity  = eraseItems + `(location_id, kind, entity_id) IN ` + entitiesOf
)

// eraseItems empties the items of a contact and returns how many had anything
// to empty. What stays lets calendars drop them.
func (tx *Tx) eraseItems(ctx context.Context, locationID, contactID string, now time.Time) (erased int64, err error) {
	for _, statement := range []string{eraseItemsByContact, eraseItemsByEntity} {
		n, err := tx.Exec(ctx, statement, locationID, contactID, micros(now))
		if err != nil {
			return 0, err
		}
		erased += n
	}
	return erased, nil
}

// PruneItems deletes some of the items that were removed before a time, and
// returns how many.
func (s *Store) PruneItems(ctx context.Context, before time.Time) (n int64, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err = tx.Exec(ctx, pruneItems, micros(before), pruneBatch)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("delete items removed before %s: %w", before.Format(time.DateOnly), err)
	}
	return n, nil
}

const pruneItems = `DELETE FROM items WHERE (location_id, kind, entity_id, item) IN (
	SELECT location_id, kind, entity_id, item FROM items WHERE removed_at <> 0 AND removed_at < $1 ORDER BY removed_at LIMIT $2)`
