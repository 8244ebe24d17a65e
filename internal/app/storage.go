package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"milepost/internal/inbox"
	"milepost/internal/store"
)

// openStorage opens the state and the inbox, on SQLite under the data directory's lock.
func (a *App) openStorage(ctx context.Context, cfg Config, settings settings) (err error) {
	if cfg.DatabaseURL == "" {
		if a.lock, err = LockDataDir(cfg.DataDir); err != nil {
			return err
		}
	}
	state, err := cfg.openState(ctx, settings, a.logger)
	if err != nil {
		return err
	}
	a.state = state
	a.store, a.connections, a.automations = state.Store, state.Connections, state.Automations
	if file := a.store.File(); file != nil {
		if err := file.OpenReads(ctx); err != nil {
			return err
		}
	}
	if err := a.store.SetAutomationsFile(ctx, a.automations.Source()); err != nil {
		return err
	}
	if err := a.openInbox(ctx, cfg); err != nil {
		return err
	}
	if err := a.connections.CheckKeys(ctx); err != nil {
		return err
	}
	if err := a.connections.ConnectBySettings(ctx); err != nil {
		return err
	}
	return a.store.ResetRunningJobs(ctx)
}

// LockDataDir makes sure that no other process works the files in a directory.
func LockDataDir(dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory (MILEPOST_DATA_DIR): %w", err)
	}
	lock := flock.New(filepath.Join(dir, "milepost.lock"))
	switch locked, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("lock the data directory %s: %w", dir, err)
	case !locked:
		return nil, fmt.Errorf("another milepost is running on the data directory %s; stop it, give this one another MILEPOST_DATA_DIR, or let both share a PostgreSQL database (DATABASE_URL)", dir)
	}
	return lock, nil
}

// openInbox opens the inbox beside the open state, looks for damage in the files
// of both, and joins them.
func (a *App) openInbox(ctx context.Context, cfg Config) (err error) {
	if cfg.DatabaseURL != "" {
		a.inbox, err = inbox.OpenPostgres(ctx, cfg.DatabaseURL)
	} else {
		a.inbox, err = inbox.OpenSQLite(ctx, cfg.DataDir)
	}
	if err != nil {
		return err
	}
	if err := a.verify(ctx); err != nil {
		return err
	}
	err = a.inbox.Join(ctx, a.store, inbox.JoinConfig{Logger: a.logger, Now: cfg.Clock.Now, EmptyState: cfg.EmptyState})
	if errors.Is(err, inbox.ErrEmptyState) {
		return fmt.Errorf("%w (data directory %s). If milepost.db was lost, restore it from a copy, or run `milepost recover --replay` to process these webhooks again. "+
			"If you want to start over, run `milepost recover --skip`: Milepost then processes only webhooks that arrive from now on. See docs/restore.md", err, cfg.DataDir)
	}
	return err
}

// verifyWait is how long the start waits for a look at all of both files. It takes
// a second for some hundred megabytes; of larger files the rest is read later.
const verifyWait = 5 * time.Second

// verify fails if one of the files is damaged. If that turns out after verifyWait,
// webhooks are rejected from then on.
func (a *App) verify(ctx context.Context) error {
	file := a.store.File()
	if file == nil {
		return nil
	}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a.stopVerifying = cancel
	found := make(chan error, 1)
	a.verifying.Go(func() {
		err := errors.Join(a.inbox.Verify(work), file.Verify(work))
		found <- err
		if err != nil && work.Err() == nil {
			a.inbox.Halt(err)
		}
	})
	timer := time.NewTimer(verifyWait)
	defer timer.Stop()
	select {
	case err := <-found:
		return err
	case <-timer.C:
		a.logger.Info().Msg("checking the database files for damage in the background")
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// watchEvery is how often the files are looked at. The inbox also looks after each
// commit, before it acknowledges.
const watchEvery = 500 * time.Millisecond

// watchFiles rejects webhooks once a file was deleted or replaced. It does not end
// the process: the open files may be all that is left of the data. What is in
// their write-ahead logs is written to the files, and what was acknowledged is
// still dispatched. Workers stop, because they would create objects at the vendors
// and the next start would not know of them.
func (a *App) watchFiles(ctx context.Context) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := a.lostFile()
		if err == nil {
			continue
		}
		a.inbox.Halt(fmt.Errorf("%w; put the files in the data directory right, and restart Milepost (docs/restore.md)", err))
		if err := errors.Join(a.store.File().Salvage(ctx), a.inbox.Salvage(ctx)); err != nil && ctx.Err() == nil {
			a.logger.Warn().Err(err).Msg("could not write the write-ahead logs to the database files")
		}
		if err := a.stopWorkers(ctx); err != nil {
			a.logger.Error().Err(err).Msg("could not stop the workers")
		}
		return
	}
}

// lostFile says which file is no longer the one that was opened, or nil.
func (a *App) lostFile() error {
	if file := a.store.File(); file != nil {
		return errors.Join(a.inbox.CheckFiles(), file.Check())
	}
	return nil
}

// Recover decides what becomes of the webhooks in an inbox beside an empty state
// database, which keeps Milepost from starting. It returns how many there are. With
// inbox.AskFirst it decides nothing.
func Recover(ctx context.Context, cfg Config, choice inbox.EmptyState) (webhooks int64, err error) {
	if cfg.DatabaseURL != "" {
		return 0, errors.New("PostgreSQL holds the webhooks and the state in one database; there is nothing to decide")
	}
	if err := cfg.FindData("inbox.db"); err != nil {
		return 0, err
	}
	lock, err := LockDataDir(cfg.DataDir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	st, err := store.OpenSQLite(ctx, cfg.DataDir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	in, err := inbox.OpenSQLite(ctx, cfg.DataDir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	return in.Decide(ctx, st, choice, cfg.Clock.Now)
}
