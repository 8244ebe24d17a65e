-- +goose Up

-- The latest moment at which the budget was worked. It never goes back: a
-- process whose clock is behind it adds the difference to its own.
ALTER TABLE budgets ADD COLUMN worked_at BIGINT NOT NULL DEFAULT 0;
