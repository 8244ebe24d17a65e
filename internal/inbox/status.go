package inbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"milepost/internal/store"
)

// Status returns an error if the inbox in a data directory and the state database do not
// match. note describes for people an earlier mismatch; "" if there was none. Status
// changes nothing, and may run while Milepost runs.
func Status(ctx context.Context, dir string, st *store.Store) (note string, err error) {
	path := filepath.Join(dir, "inbox.db")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return "", nil // `milepost serve` creates it
	}
	db, err := store.SQLiteDB(path, 1)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	l := &sqliteLog{file: &store.SQLiteFile{Write: db, Read: db}}
	self, err := l.identify(ctx)
	if err != nil {
		return "", err
	}
	webhooks, err := l.count(ctx)
	if err != nil {
		return "", err
	}
	bound, err := st.InboxBinding(ctx)
	switch {
	case err != nil:
		return "", err
	case empty(bound) && webhooks > 0:
		return "", fmt.Errorf("milepost.db is empty, but inbox.db holds %d webhooks; `milepost recover --help` says what to do", webhooks)
	case !empty(bound) && !self.belongsTo(bound):
		return "", errors.New("inbox.db and milepost.db do not match: one of them was restored, deleted or replaced; when `milepost serve` starts, it processes every webhook in inbox.db that was not processed")
	}
	if bound.Mismatch != "" {
		note = fmt.Sprintf("inbox.db and milepost.db did not match when Milepost started at %s: %s; Milepost processed every webhook that was not processed",
			bound.MismatchAt.Format(time.RFC3339), bound.Mismatch)
	}
	return note, nil
}
