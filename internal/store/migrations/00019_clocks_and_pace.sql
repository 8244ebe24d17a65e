-- +goose Up

-- The latest moment at which the budget was worked. It never goes back: a
-- process whose clock is behind it adds the difference to its own.
ALTER TABLE budgets ADD COLUMN worked_at BIGINT NOT NULL DEFAULT 0;

-- Who asked for the sync that is owed: 1 = only a reconciliation, a backfill or a
-- poll; 2 = these, and then an event; 0 = an event, or none is owed.
ALTER TABLE entities ADD COLUMN backfill BIGINT NOT NULL DEFAULT 0;
