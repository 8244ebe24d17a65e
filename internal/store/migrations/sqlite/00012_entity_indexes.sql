-- +goose Up

-- In the order in which they are listed: else SQLite prefers the primary key,
-- and walks every entity of the location.
DROP INDEX entities_contact;
CREATE INDEX entities_contact ON entities (location_id, contact_id, kind, id);

-- What is owed is little of what is there.
CREATE INDEX entities_owed ON entities (location_id) WHERE wanted > done;
