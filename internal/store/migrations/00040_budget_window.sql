-- +goose Up

-- How many calls were sent of late, in slots of time from the newest on, and when
-- that one began. Earlier versions knew only next_at.
ALTER TABLE budgets ADD COLUMN used BLOB;
ALTER TABLE budgets ADD COLUMN used_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE budgets ADD COLUMN backfill_next_at BIGINT NOT NULL DEFAULT 0;
