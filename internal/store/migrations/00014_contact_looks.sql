-- +goose Up

-- Of a contact that is kept in step both ways: when CalendarHero was last asked
-- for it without any other cause, and when it was last seen there as links.base says.
ALTER TABLE links ADD COLUMN looked_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE links ADD COLUMN same_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX links_two_way ON links (location_id, looked_at) WHERE item_kind = 'contact' AND base <> '' AND state = 'live';
