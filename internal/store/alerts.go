package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Alert is what people know about one kind of fault.
type Alert struct {
	Kind    string
	Version int64                // counts the changes; 0 = no message was ever sent
	Told    map[string]time.Time // when each cause that a message named ended, by key; zero = it still exists
	BeganAt time.Time
	ToldAt  time.Time // when the last message about a fault was sent
}

// AlertMessage is a message in one channel, and the state of sending it.
type AlertMessage struct {
	ID      string // the same in each channel and each try
	Channel string
	Kind    string
	Status  string
	Body    string
	At      time.Time
	Tries   int64
	NextAt  time.Time // when the next try is due; zero = none
	SentAt  time.Time // zero = not sent
	Problem string    // the error of the last try
}

// Alerts reads what people know, by kind of fault.
func (s *Store) Alerts(ctx context.Context) (map[string]Alert, error) {
	rows, err := s.Query(ctx, `SELECT kind, version, told, began_at, told_at FROM alerts`)
	list, err := collect(rows, err, func(r Rows) (a Alert, err error) {
		var told string
		var began, at int64
		if err = r.Scan(&a.Kind, &a.Version, &told, &began, &at); err != nil {
			return a, err
		}
		var keys map[string]int64
		err = json.Unmarshal([]byte(told), &keys)
		a.Told = map[string]time.Time{}
		for key, gone := range keys {
			a.Told[key] = fromMicros(gone)
		}
		a.BeganAt, a.ToldAt = fromMicros(began), fromMicros(at)
		return a, err
	})
	if err != nil {
		return nil, fmt.Errorf("read what alerts told: %w", err)
	}
	out := map[string]Alert{}
	for _, a := range list {
		out[a.Kind] = a
	}
	return out, nil
}

// SaveAlert stores what people know from now on, and the messages that say it. If the alert
// has changed since a was read, SaveAlert does nothing and saved is false. A message
// replaces unsent earlier messages of the same kind.
func (s *Store) SaveAlert(ctx context.Context, a Alert, messages []AlertMessage) (saved bool, err error) {
	keys := map[string]int64{}
	for key, gone := range a.Told {
		keys[key] = micros(gone)
	}
	told, err := json.Marshal(keys)
	if err != nil {
		return false, err
	}
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.Exec(ctx, `INSERT INTO alerts (kind, version, told, began_at, told_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (kind) DO UPDATE SET version = excluded.version, told = excluded.told, began_at = excluded.began_at, told_at = excluded.told_at
			WHERE alerts.version = excluded.version - 1`,
			a.Kind, a.Version+1, string(told), micros(a.BeganAt), micros(a.ToldAt))
		if saved = n == 1; err != nil || !saved || len(messages) == 0 {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE alert_messages SET next_at = 0, problem = 'a newer message took its place' WHERE kind = $1 AND next_at <> 0`, a.Kind); err != nil {
			return err
		}
		for _, m := range messages {
			if _, err := tx.Exec(ctx, `INSERT INTO alert_messages (`+alertMessageColumns+`) VALUES ($1, $2, $3, $4, $5, $6, 0, $6, 0, '')`,
				m.ID, m.Channel, m.Kind, m.Status, m.Body, micros(m.At)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("save the alert %s: %w", a.Kind, err)
	}
	return saved, nil
}

const alertMessageColumns = `id, channel, kind, status, body, at, tries, next_at, sent_at, problem`

func scanAlertMessage(r Rows) (m AlertMessage, err error) {
	var at, next, sent int64
	err = r.Scan(&m.ID, &m.Channel, &m.Kind, &m.Status, &m.Body, &at, &m.Tries, &next, &sent, &m.Problem)
	m.At, m.NextAt, m.SentAt = fromMicros(at), fromMicros(next), fromMicros(sent)
	return m, err
}

// DueAlertMessages lists the messages whose next try is due, oldest first.
func (s *Store) DueAlertMessages(ctx context.Context, now time.Time, limit int) ([]AlertMessage, error) {
	rows, err := s.Query(ctx, `SELECT `+alertMessageColumns+` FROM alert_messages WHERE next_at <> 0 AND next_at <= $1 ORDER BY at, kind, id, channel LIMIT $2`, micros(now), limit)
	list, err := collect(rows, err, scanAlertMessage)
	if err != nil {
		return nil, fmt.Errorf("list the alert messages to send: %w", err)
	}
	return list, nil
}

// AlertMessages lists the newest messages, newest first.
func (s *Store) AlertMessages(ctx context.Context, limit int) ([]AlertMessage, error) {
	rows, err := s.Query(ctx, `SELECT `+alertMessageColumns+` FROM alert_messages ORDER BY at DESC, kind, id, channel LIMIT $1`, limit)
	list, err := collect(rows, err, scanAlertMessage)
	if err != nil {
		return nil, fmt.Errorf("list the alert messages: %w", err)
	}
	return list, nil
}

// TryAlertMessage stores that a message is being sent. mine is false if another process
// sends it, or if it need no longer be sent. If this process dies, the next try is at next.
func (s *Store) TryAlertMessage(ctx context.Context, m AlertMessage, next time.Time) (mine bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.Exec(ctx, `UPDATE alert_messages SET tries = tries + 1, next_at = $4 WHERE id = $1 AND channel = $2 AND tries = $3 AND next_at <> 0`,
			m.ID, m.Channel, m.Tries, micros(next))
		mine = n == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("note the try of the alert message %s: %w", m.ID, err)
	}
	return mine, nil
}

// SentAlertMessage stores how a try ended, in SentAt and Problem. last means that there is
// no further try.
func (s *Store) SentAlertMessage(ctx context.Context, m AlertMessage, last bool) error {
	statement := `UPDATE alert_messages SET sent_at = $3, problem = $4 WHERE id = $1 AND channel = $2`
	if last {
		statement = `UPDATE alert_messages SET sent_at = $3, problem = $4, next_at = 0 WHERE id = $1 AND channel = $2`
	}
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, statement, m.ID, m.Channel, micros(m.SentAt), m.Problem)
		return err
	})
	if err != nil {
		return fmt.Errorf("note the end of the alert message %s: %w", m.ID, err)
	}
	return nil
}

// PruneAlerts deletes messages and signature counts from before a time.
func (s *Store) PruneAlerts(ctx context.Context, before time.Time) (n int64, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n, err = tx.Exec(ctx, `DELETE FROM alert_messages WHERE at < $1`, micros(before))
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `DELETE FROM signature_counts WHERE at < $1`, micros(before))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("delete the alerts before %s: %w", before.Format(time.DateOnly), err)
	}
	return n, nil
}

// SignatureCount is how many of HighLevel's webhooks had a valid signature in a period.
type SignatureCount struct {
	At                 time.Time // start of the period
	Accepted, Rejected int64
}

// signatureEvery is the length of the period of a SignatureCount.
const signatureEvery = 10 * time.Minute

// CountSignatures adds to the count of the present period.
func (s *Store) CountSignatures(ctx context.Context, now time.Time, accepted, rejected int64) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO signature_counts (at, accepted, rejected) VALUES ($1, $2, $3)
			ON CONFLICT (at) DO UPDATE SET accepted = signature_counts.accepted + excluded.accepted, rejected = signature_counts.rejected + excluded.rejected`,
			micros(now.Truncate(signatureEvery)), accepted, rejected)
		return err
	})
	if err != nil {
		return fmt.Errorf("count the signatures of webhooks: %w", err)
	}
	return nil
}

// SignatureCounts lists the counts since a time, newest first.
func (s *Store) SignatureCounts(ctx context.Context, since time.Time) ([]SignatureCount, error) {
	rows, err := s.Query(ctx, `SELECT at, accepted, rejected FROM signature_counts WHERE at > $1 ORDER BY at DESC`, micros(since))
	list, err := collect(rows, err, func(r Rows) (c SignatureCount, err error) {
		var at int64
		err = r.Scan(&at, &c.Accepted, &c.Rejected)
		c.At = fromMicros(at)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the counts of signatures: %w", err)
	}
	return list, nil
}
