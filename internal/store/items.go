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
	StatusTentative   = "TENTATIVE" // events
	StatusConfirmed   = "CONFIRMED"
	StatusNeedsAction = "NEEDS-ACTION" // tasks
	StatusInProcess   = "IN-PROCESS"
	StatusCompleted   = "COMPLETED"
	StatusFinal       = "FINAL"     // notes
	StatusCancelled   = "CANCELLED" // events, tasks and notes
)

// Item is an event, task or note as a calendar shows it, which an automation wants or
// wanted. Milepost keeps an unwanted item for a while with its title alone, so that
// calendars learn that it is gone.
type Item struct {
	Entity     Entity
	Key        string // unique within the entity
	Kind       string
	Automation string
	ContactID  string // "" = none
	AssignedTo string // HighLevel user; "" = nobody
	UID        string // random; never changes
	Sequence   int64  // raised by each material change (kind, time, status, title or place)
	Revision   int64  // raised by every change
	Status     string
	Start, End time.Time // UTC. For a note, Start is when it was written, and End is zero
	Zone       string    // IANA name
	Content    Content
	CreatedAt  time.Time
	UpdatedAt  time.Time
	RemovedAt  time.Time // zero = it is wanted
}

// Content is the text of an item. It is zero after it was erased.
type Content struct {
	Title       string          `json:"title,omitempty"`
	Description string          `json:"description,omitempty"`
	Place       string          `json:"place,omitempty"`
	Text        string          `json:"text,omitempty"`  // only for a note
	Notes       []string        `json:"notes,omitempty"` // newest first
	Tags        []string        `json:"tags,omitempty"`
	Reminders   []time.Duration `json:"reminders,omitempty"` // before Start of an event or End of a task; whole days are calendar days
	DateOnly    bool            `json:"date_only,omitempty"` // the source has a date without a time of day
}

// text returns the stored form; "" for the zero Content.
func (c Content) text() (string, error) {
	b, err := json.Marshal(c)
	if string(b) == "{}" {
		return "", err
	}
	return string(b), err
}

// kept returns the content that stays after an item is no longer wanted.
func (c Content) kept() Content { return Content{Title: c.Title, DateOnly: c.DateOnly} }

// materially reports whether two states of an item differ in something that a person with
// the item in a calendar must know.
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

// ItemsOf lists the items of an entity by key, including removed ones.
func (s *Store) ItemsOf(ctx context.Context, e Entity) ([]Item, error) {
	rows, err := s.Query(ctx, `SELECT `+itemColumns+` FROM items WHERE location_id = $1 AND kind = $2 AND entity_id = $3 ORDER BY item`,
		e.LocationID, e.Kind, e.ID)
	list, err := collect(rows, err, scanItem)
	if err != nil {
		return nil, fmt.Errorf("read the items of %s: %w", e, err)
	}
	return list, nil
}

// Noted is what a sync of an entity stores about its items.
type Noted struct {
	Entity    Entity
	ContactID string
	// AssignedTo is the user to whom the record is assigned. If it was not read,
	// AssigneeKnown is false, and the items keep their user.
	AssignedTo    string
	AssigneeKnown bool
	// Items are the wanted items. Key, Kind, Automation, Status, the times, Zone and
	// Content must be set. A note without Start gets the time when it is first stored.
	Items []Item
	// Left are the keys of items with an unknown state; they are not changed.
	Left map[string]bool
	// Keeps reports the same by key; nil = no others.
	Keeps func(key string) bool
	// Completed means that items which are no longer wanted were done, not cancelled.
	Completed bool
	Now       time.Time
}

// NoteItems updates the rows of an entity's items, in one transaction, and writes only rows
// that change. The items of a contact's notes and workflow records follow the user to whom
// the contact is assigned.
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

// ofOtherAssignee selects the records that must follow a contact's assigned user and do not
// yet.
const ofOtherAssignee = `location_id = $1 AND contact_id = $2 AND kind IN ('note', 'workflow') AND assigned_to <> $3`

// changes returns the complete rows that must be written.
func (n Noted) changes(have []Item) (changed []Item) {
	wanted := map[string]bool{}
	for _, i := range n.Items {
		wanted[i.Key] = true
		var old Item // zero if there is none
		if at := slices.IndexFunc(have, func(h Item) bool { return h.Key == i.Key }); at >= 0 {
			old = have[at]
		}
		i.Entity, i.ContactID, i.AssignedTo, i.RemovedAt = n.Entity, n.ContactID, n.AssignedTo, time.Time{}
		if !n.AssigneeKnown {
			i.AssignedTo = old.AssignedTo
		}
		i.Start, i.End = fromMicros(micros(i.Start)), fromMicros(micros(i.End)) // with the precision that is stored
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

// removed returns the row of an item that is no longer wanted.
func (n Noted) removed(i Item) Item {
	i.RemovedAt, i.Content, i.Status = n.Now, i.Content.kept(), StatusCancelled
	switch {
	case n.Completed && i.Kind == ItemTask:
		i.Status = StatusCompleted
	case i.Kind == ItemNote:
		i.Content = Content{} // the title of a note would be its first line
	}
	return i
}

// next returns the row after i becomes to, and whether it differs. For the zero Item, it
// returns the first row.
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

// There are two ways to find the items of a contact to be erased: by their contact, and by
// the records that they come from.
const (
	eraseItems = `UPDATE items SET content = '', status = 'CANCELLED', sequence = sequence + 1, revision = revision + 1,
		updated_at = CASE WHEN updated_at < $3 THEN CAST($3 AS BIGINT) ELSE updated_at + 1 END,
		removed_at = CASE WHEN removed_at = 0 THEN CAST($3 AS BIGINT) ELSE removed_at END
		WHERE content <> '' AND `
	eraseItemsByContact = eraseItems + `location_id = $1 AND contact_id = $2`
	eraseItemsByEntity  = eraseItems + `(location_id, kind, entity_id) IN ` + entitiesOf
)

// eraseItems empties the items of a contact, and returns how many it changed. The rows
// stay, so that calendars remove the items.
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
