package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"milepost/clients/highlevel"
	"milepost/internal/claim"
)

// claim makes sure that no other Milepost works the same accounts, and keeps others
// from them from then on. On an error this one must not start.
func (a *App) claim(ctx context.Context, cfg Config) error {
	dir := cfg.LockDir
	if dir == "" {
		dir = claim.DefaultDir()
	}
	c := claim.Config{
		Store: a.store, Pairs: a.pairs, Dir: dir, Vendors: cfg.HighLevelBaseURL + " " + cfg.CalendarHeroBaseURL, TakeOver: cfg.TakeOver, Logger: a.logger,
		Client: func(ctx context.Context, p claim.Pair) (*highlevel.Client, error) {
			conn, err := a.connections.Lookup(ctx, p.Location)
			if err != nil {
				return nil, err
			}
			return conn.Claiming, nil
		},
	}
	var err error
	if a.lock == nil {
		c.Place, err = a.store.Place(ctx)
		if err != nil {
			a.logger.Debug().Err(err).Msg("a copy of this database on another server passes for this one")
		}
	} else if c.Home, err = filepath.Abs(cfg.DataDir); err != nil {
		return fmt.Errorf("find the data directory: %w", err)
	} else if info, err := os.Stat(a.lock.Path()); err == nil {
		c.Place = place(info)
	}
	if a.claims, err = claim.New(ctx, c); err != nil {
		return err
	}
	a.connections.Claims = a.claims
	return a.claims.Start(ctx)
}

// pairs lists the locations and CalendarHero accounts that are worked.
func (a *App) pairs(ctx context.Context) ([]claim.Pair, error) {
	accounts, err := a.connections.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	var list []claim.Pair
	for _, account := range accounts {
		for _, id := range account.Locations {
			list = append(list, claim.Pair{Location: id, Account: account.ID})
		}
	}
	return list, nil
}
