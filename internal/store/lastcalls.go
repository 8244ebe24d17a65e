package store

import (
	"context"
	"fmt"
	"time"
)

// NoteCall stores when a call for a lane last succeeded. An earlier time changes nothing.
func (s *Store) NoteCall(ctx context.Context, lane string, at time.Time) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO last_calls (lane, at) VALUES ($1, $2)
			ON CONFLICT (lane) DO UPDATE SET at = excluded.at WHERE last_calls.at < excluded.at`, lane, micros(at))
		return err
	})
	if err != nil {
		return fmt.Errorf("save the last call of %s: %w", lane, err)
	}
	return nil
}

// LastCalls returns when a call for each lane last succeeded.
func (s *Store) LastCalls(ctx context.Context) (map[string]time.Time, error) {
	rows, err := s.Query(ctx, `SELECT lane, at FROM last_calls`)
	out := map[string]time.Time{}
	_, err = collect(rows, err, func(r Rows) (_ struct{}, err error) {
		var lane string
		var at int64
		err = r.Scan(&lane, &at)
		out[lane] = fromMicros(at)
		return struct{}{}, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the last calls: %w", err)
	}
	return out, nil
}
