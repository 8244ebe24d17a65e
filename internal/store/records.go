package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// These kinds of records are returned by no API, so the last delivery is the record.
const (
	KindWorkflow = "workflow" // a workflow webhook's body, one for each contact, workflow and milestone_id
	KindInstall  = "install"  // INSTALL or UNINSTALL of the app at a location or an agency

	// KindCalendarContact is a contact from a CalendarHero scheduling link. The webhook's
	// data is kept for the search by e-mail address.
	KindCalendarContact = "calendarhero_contact"
)

// Delivered reports whether no API returns records of this kind.
func Delivered(kind string) bool {
	return kind == KindWorkflow || kind == KindInstall || kind == KindCalendarContact
}

// Record is the newest delivery of a record that no API returns.
type Record struct {
	Body       []byte // as received
	ReceivedAt time.Time
}

// keepRecord orders deliveries by the inbox's numbers, not by the clock: dispatchers on
// several machines may commit out of order. It orders installs by the timestamps of the
// events, if both have one, because HighLevel delivers out of order and repeatedly.
func (tx *Tx) keepRecord(ctx context.Context, d *Delivery) error {
	var eventAt int64
	if d.Entity.Kind == KindInstall {
		eventAt = eventTime(d.Body)
	}
	_, err := tx.Exec(ctx, `INSERT INTO records (location_id, kind, id, contact_id, received_at, body, delivery_id, told_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (location_id, kind, id) DO UPDATE SET
			contact_id = excluded.contact_id, received_at = excluded.received_at, body = excluded.body,
			delivery_id = excluded.delivery_id, told_at = excluded.told_at
			WHERE CASE WHEN records.told_at <> 0 AND excluded.told_at <> 0 AND records.told_at <> excluded.told_at
				THEN records.told_at < excluded.told_at ELSE records.delivery_id < excluded.delivery_id END`,
		d.Entity.LocationID, d.Entity.Kind, d.Entity.ID, d.ContactID, micros(d.ReceivedAt), d.Body, d.ID, eventAt)
	if err != nil {
		return fmt.Errorf("save the record of %s: %w", d.Entity, err)
	}
	return nil
}

// eventTime is the timestamp in an event's body, in microseconds; 0 = it has none.
func eventTime(body []byte) int64 {
	var event struct {
		Timestamp time.Time `json:"timestamp"`
	}
	if json.Unmarshal(body, &event) != nil {
		return 0
	}
	return micros(event.Timestamp)
}

// Record reads the newest delivery; ok is false if it was erased.
func (s *Store) Record(ctx context.Context, e Entity) (record Record, ok bool, err error) {
	rows, err := s.Query(ctx, `SELECT body, received_at FROM records WHERE location_id = $1 AND kind = $2 AND id = $3`,
		e.LocationID, e.Kind, e.ID)
	list, err := collect(rows, err, func(r Rows) (v Record, err error) {
		var at int64
		err = r.Scan(&v.Body, &at)
		v.ReceivedAt = fromMicros(at)
		return v, err
	})
	if err != nil {
		return Record{}, false, fmt.Errorf("read the last delivery of %s: %w", e, err)
	}
	if len(list) == 0 {
		return Record{}, false, nil
	}
	return list[0], true, nil
}
