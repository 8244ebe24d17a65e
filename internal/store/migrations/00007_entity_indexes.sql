-- +goose Up

-- In the order in which they are listed: else SQLite prefers the primary key,
-- and walks every entity of the location.
DROP INDEX entities_contact;
CREATE INDEX entities_contact ON entities (location_id, contact_id, kind, id);

-- What is owed is little of what is there.
CREATE INDEX entities_owed ON entities (location_id) WHERE wanted > done;

-- One for both: what is still owed of an entity, and all that was delivered of
-- it when it is erased.
DROP INDEX deliveries_open;
DROP INDEX deliveries_entity;
CREATE INDEX deliveries_entity ON deliveries (location_id, kind, entity_id, finished_at, wanted);
