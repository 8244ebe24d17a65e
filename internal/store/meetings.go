package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Meeting is a meeting request of CalendarHero as a list last showed it. If Milepost made
// the request, it is stored for the location of its link. Otherwise it is stored for each
// location to which a webhook or a poll reported it.
type Meeting struct {
	LocationID string
	ID         string    // CalendarHero's id
	ContactID  string    // its HighLevel contact; "" until known
	State      string    // a mapping.MeetingState
	Status     string    // CalendarHero's own word
	Title      string    // includes the marker, if any; "" after its contact is erased
	Type       string    // name of a meeting type
	Start, End time.Time // UTC; zero = unknown
	Emails     []string  // addresses of its invitees
	// Happened holds the triggers that fire for it, with the time when Milepost noticed.
	// The zero time means that it was already so at the first look.
	Happened  map[string]time.Time
	ChangedAt time.Time // as CalendarHero states; zero = it does not
	MissingAt time.Time // since when no list shows it; zero = a list shows it
}

const meetingColumns = `location_id, id, contact_id, state, status, title, type, start_at, end_at, emails, happened, changed_at, missing_at`

func scanMeeting(r Rows) (m Meeting, err error) {
	var start, end, changed, missing int64
	var emails, happened string
	err = r.Scan(&m.LocationID, &m.ID, &m.ContactID, &m.State, &m.Status, &m.Title, &m.Type, &start, &end, &emails, &happened, &changed, &missing)
	if err != nil {
		return m, err
	}
	m.Start, m.End, m.ChangedAt, m.MissingAt = fromMicros(start), fromMicros(end), fromMicros(changed), fromMicros(missing)
	if err := json.Unmarshal([]byte(emails), &m.Emails); err != nil {
		return m, err
	}
	noticed := map[string]int64{}
	if err := json.Unmarshal([]byte(happened), &noticed); err != nil {
		return m, err
	}
	m.Happened = make(map[string]time.Time, len(noticed))
	for trigger, at := range noticed {
		m.Happened[trigger] = fromMicros(at)
	}
	return m, nil
}

// Meetings reads stored meeting requests by id, and leaves out unknown ids.
func (s *Store) Meetings(ctx context.Context, locationID string, ids ...string) (map[string]Meeting, error) {
	out := make(map[string]Meeting, len(ids))
	for len(ids) > 0 {
		n := min(len(ids), 500)
		args := []any{locationID}
		for _, id := range ids[:n] {
			args = append(args, id)
		}
		rows, err := s.Query(ctx, `SELECT `+meetingColumns+` FROM meetings WHERE location_id = $1 AND id IN (`+parameters(2, n)+`)`, args...)
		list, err := collect(rows, err, scanMeeting)
		if err != nil {
			return nil, fmt.Errorf("read the meetings of location %s: %w", locationID, err)
		}
		for _, m := range list {
			out[m.ID] = m
		}
		ids = ids[n:]
	}
	return out, nil
}

// OpenRequests lists the meetings of a contact and its records that end after a time.
// Removing one mails its invitees.
func (s *Store) OpenRequests(ctx context.Context, locationID, contactID string, after time.Time) ([]Meeting, error) {
	rows, err := s.Query(ctx, `SELECT `+meetingColumns+` FROM meetings WHERE location_id = $1 AND end_at > $3
		AND state NOT IN ('cancelled', 'expired', 'completed', 'gone') AND id IN
			(SELECT object_id FROM links WHERE state = 'live' AND item_kind IN ('event', 'task') AND (location_id, kind, entity_id) IN `+entitiesOf+`)
		ORDER BY start_at`, locationID, contactID, micros(after))
	list, err := collect(rows, err, scanMeeting)
	if err != nil {
		return nil, fmt.Errorf("list the open requests of contact %s: %w", contactID, err)
	}
	return list, nil
}

// OpenMeetings lists the meetings of a location whose state may still change.
func (s *Store) OpenMeetings(ctx context.Context, locationID string) ([]Meeting, error) {
	rows, err := s.Query(ctx, listOpenMeetings, locationID)
	list, err := collect(rows, err, scanMeeting)
	if err != nil {
		return nil, fmt.Errorf("list the open meetings of location %s: %w", locationID, err)
	}
	return list, nil
}

const listOpenMeetings = `SELECT ` + meetingColumns + ` FROM meetings
	WHERE location_id = $1 AND state IN ('pending', 'booked', 'rescheduled') ORDER BY id`

// SaveMeetings stores what CalendarHero's lists show, and queues syncs in the same
// transaction.
func (s *Store) SaveMeetings(ctx context.Context, meetings []Meeting, requeue []Entity) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		for _, m := range meetings {
			if err := tx.saveMeeting(ctx, m); err != nil {
				return err
			}
		}
		return tx.requeue(ctx, requeue, false, byEvent)
	})
	if err != nil {
		return fmt.Errorf("save %d meetings: %w", len(meetings), err)
	}
	return nil
}

// NoteMeeting stores a meeting that Milepost has just made, unless a list has already shown
// it.
func (s *Store) NoteMeeting(ctx context.Context, m Meeting) error {
	known, err := s.Meetings(ctx, m.LocationID, m.ID)
	if err != nil || len(known) > 0 {
		return err
	}
	return s.SaveMeetings(ctx, []Meeting{m}, nil)
}

func (tx *Tx) saveMeeting(ctx context.Context, m Meeting) error {
	if m.Emails == nil {
		m.Emails = []string{}
	}
	emails, err := json.Marshal(m.Emails)
	if err != nil {
		return err
	}
	noticed := make(map[string]int64, len(m.Happened))
	for trigger, at := range m.Happened {
		noticed[trigger] = micros(at)
	}
	happened, err := json.Marshal(noticed)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO meetings (`+meetingColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (location_id, id) DO UPDATE SET
			contact_id = CASE WHEN excluded.contact_id = '' THEN meetings.contact_id ELSE excluded.contact_id END,
			state = excluded.state, status = excluded.status, title = excluded.title, type = excluded.type,
			start_at = excluded.start_at, end_at = excluded.end_at, emails = excluded.emails, happened = excluded.happened,
			changed_at = excluded.changed_at, missing_at = excluded.missing_at`,
		m.LocationID, m.ID, m.ContactID, m.State, m.Status, m.Title, m.Type, micros(m.Start), micros(m.End),
		string(emails), string(happened), micros(m.ChangedAt), micros(m.MissingAt))
	return err
}

// ForgetMeeting removes the stored meeting of a request that Milepost deleted.
func (s *Store) ForgetMeeting(ctx context.Context, locationID, id string) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM meetings WHERE location_id = $1 AND id = $2`, locationID, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("forget meeting %s: %w", id, err)
	}
	return nil
}

// PruneMeetings deletes some of the meetings that ended before a time, and some ids that
// were last read before it, and returns how many.
func (s *Store) PruneMeetings(ctx context.Context, before time.Time) (n int64, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err = tx.Exec(ctx, `DELETE FROM meetings WHERE (location_id, id) IN (SELECT location_id, id FROM meetings
			WHERE state NOT IN ('pending', 'booked', 'rescheduled') AND end_at < $1 LIMIT $2)`, micros(before), pruneBatch)
		if err != nil {
			return err
		}
		// Anyone with an account's key can invent ids, so their rows must not stay for
		// ever.
		m, err := tx.Exec(ctx, `DELETE FROM entities WHERE (location_id, kind, id) IN (SELECT location_id, kind, id FROM entities
			WHERE kind = 'meeting' AND wanted = done AND synced_at < $1 LIMIT $2)`, micros(before), pruneBatch)
		n += m
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("forget meetings that ended before %s: %w", before.Format(time.DateOnly), err)
	}
	return n, nil
}

// LinksOfRequest lists the links, in any location, to a meeting request: by its id, or by
// its marker if a create has not learnt the id.
func (s *Store) LinksOfRequest(ctx context.Context, id, marker string) ([]Link, error) {
	rows, err := s.Query(ctx, `SELECT `+linkColumns+` FROM links WHERE object_id = $1 AND item_kind IN ('event', 'task')
		UNION SELECT `+linkColumns+` FROM links WHERE marker = $2 AND marker <> '' AND item_kind IN ('event', 'task')`, id, marker)
	links, err := collect(rows, err, scanLink)
	if err != nil {
		return nil, fmt.Errorf("find the link of meeting %s: %w", id, err)
	}
	return links, nil
}

// WroteInHighLevel reports whether Milepost wrote a note or task with a marker in a
// location.
func (s *Store) WroteInHighLevel(ctx context.Context, locationID, marker string) (bool, error) {
	rows, err := s.Query(ctx, `SELECT count(*) FROM links WHERE marker = $1 AND marker <> '' AND location_id = $2
		AND item_kind IN ('highlevel_note', 'highlevel_task')`, marker, locationID)
	n, err := collect(rows, err, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
	if err != nil {
		return false, fmt.Errorf("find the object of a marker: %w", err)
	}
	return n[0] > 0, nil
}

// EventsOwed lists the types of an entity's webhooks that have no outcome yet.
func (s *Store) EventsOwed(ctx context.Context, e Entity) ([]string, error) {
	rows, err := s.Query(ctx, `SELECT DISTINCT type FROM deliveries
		WHERE location_id = $1 AND kind = $2 AND entity_id = $3 AND finished_at = 0`, e.LocationID, e.Kind, e.ID)
	types, err := collect(rows, err, func(r Rows) (t string, err error) { return t, r.Scan(&t) })
	if err != nil {
		return nil, fmt.Errorf("list what is owed of %s: %w", e, err)
	}
	return types, nil
}
