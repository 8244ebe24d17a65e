-- +goose Up

-- Since when CalendarHero cannot be asked or told of a webhook, and when it is
-- tried again; 0 = it can, and when its turn comes.
ALTER TABLE calendarhero_hooks ADD COLUMN failed_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE calendarhero_hooks ADD COLUMN next_at BIGINT NOT NULL DEFAULT 0;
