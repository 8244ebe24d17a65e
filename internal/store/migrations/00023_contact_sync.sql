-- +goose Up

-- The contact whose sync job works the record; '' = it has a job of its own, as a
-- contact has, and a record whose contact is not known.
ALTER TABLE entities ADD COLUMN sync_contact TEXT NOT NULL DEFAULT '';

-- When a sync that did not end is retried, and how often it has failed in a row.
ALTER TABLE entities ADD COLUMN next_try BIGINT NOT NULL DEFAULT 0;
ALTER TABLE entities ADD COLUMN tries BIGINT NOT NULL DEFAULT 0;

CREATE INDEX entities_owed_by_contact ON entities (location_id, sync_contact) WHERE wanted > done AND sync_contact <> '';
