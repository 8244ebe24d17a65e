-- +goose Up

-- The calls that request actions of automations sent, or were kept from sending. state:
-- sending = about to be sent, sent = answered, unclear = its answer is lost and a person
-- settles it, stopped = not sent, because the automation sent too many.
CREATE TABLE calls (
	id          INTEGER PRIMARY KEY,
	location_id TEXT   NOT NULL,
	kind        TEXT   NOT NULL,
	entity_id   TEXT   NOT NULL,
	item        TEXT   NOT NULL,
	generation  BIGINT NOT NULL, -- of the item's link
	automation  TEXT   NOT NULL, -- its id
	operation   TEXT   NOT NULL,
	origin      TEXT   NOT NULL, -- the record that began the chain of requests, as kind/id
	state       TEXT   NOT NULL,
	made        TEXT   NOT NULL, -- the id in the answer
	counted     BIGINT NOT NULL, -- 0 = a person released the automation since
	at          BIGINT NOT NULL,
	UNIQUE (location_id, kind, entity_id, item, generation)
);
CREATE INDEX calls_origin ON calls (location_id, origin, automation, at);
CREATE INDEX calls_made ON calls (location_id, made) WHERE made <> '';
CREATE INDEX calls_open ON calls (state, id) WHERE state IN ('unclear', 'stopped');

-- Unclear and stopped requests need attention, too.
DROP INDEX entities_failed;
CREATE INDEX entities_failed ON entities (location_id, kind, id) WHERE outcome IN ('retry', 'auth', 'invalid', 'unclear', 'stopped');
