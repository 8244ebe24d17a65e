-- +goose Up

-- One accepted webhook each; id is the inbox id. The body stays in the inbox.
CREATE TABLE deliveries (
	id          BIGINT PRIMARY KEY,
	webhook_id  TEXT   NOT NULL, -- '' where the vendor sent none
	type        TEXT   NOT NULL,
	location_id TEXT   NOT NULL,
	kind        TEXT   NOT NULL,
	entity_id   TEXT   NOT NULL,
	received_at BIGINT NOT NULL,
	wanted      BIGINT NOT NULL, -- the entity's counter after this delivery raised it; 0 = asks for nothing
	outcome     TEXT   NOT NULL,
	detail      TEXT   NOT NULL,
	finished_at BIGINT NOT NULL  -- 0 while it is still owed
);
CREATE INDEX deliveries_open ON deliveries (location_id, kind, entity_id, wanted) WHERE finished_at = 0;

-- A HighLevel record and how far it is synced: in step when done = wanted.
CREATE TABLE entities (
	location_id    TEXT   NOT NULL,
	kind           TEXT   NOT NULL,
	id             TEXT   NOT NULL,
	contact_id     TEXT   NOT NULL, -- '' until known
	wanted         BIGINT NOT NULL,
	done           BIGINT NOT NULL,
	deleted_wanted BIGINT NOT NULL, -- wanted at the newest delete event; 0 = none
	gone_at        BIGINT NOT NULL, -- when a fetch first answered "gone"; 0 = it did not
	fingerprint    TEXT   NOT NULL, -- of the record as it was last read
	outcome        TEXT   NOT NULL,
	detail         TEXT   NOT NULL,
	synced_at      BIGINT NOT NULL,
	PRIMARY KEY (location_id, kind, id)
);
CREATE INDEX entities_contact ON entities (location_id, contact_id);

-- What was made in the other system for an item of an entity.
CREATE TABLE links (
	location_id  TEXT   NOT NULL,
	kind         TEXT   NOT NULL,
	entity_id    TEXT   NOT NULL,
	item         TEXT   NOT NULL, -- the item's key
	item_kind    TEXT   NOT NULL,
	automation   TEXT   NOT NULL,
	state        TEXT   NOT NULL, -- creating, unanswered, live, deleting, gone
	object_id    TEXT   NOT NULL,
	owned        BIGINT NOT NULL, -- 1 when we made the object, 0 when we found it
	marker       TEXT   NOT NULL,
	generation   BIGINT NOT NULL, -- raised by every create
	material     TEXT   NOT NULL, -- fingerprint of what replaces the object
	content      TEXT   NOT NULL, -- fingerprint of all that was written
	title        TEXT   NOT NULL,
	start_at     BIGINT NOT NULL,
	end_at       BIGINT NOT NULL,
	attempted_at BIGINT NOT NULL, -- when the last create was sent
	updated_at   BIGINT NOT NULL,
	PRIMARY KEY (location_id, kind, entity_id, item)
);
CREATE INDEX links_object ON links (location_id, object_id);

-- What happened to a contact's items, newest last.
CREATE TABLE timeline (
	id          INTEGER PRIMARY KEY,
	at          BIGINT NOT NULL,
	location_id TEXT   NOT NULL,
	contact_id  TEXT   NOT NULL,
	kind        TEXT   NOT NULL,
	entity_id   TEXT   NOT NULL,
	what        TEXT   NOT NULL,
	detail      TEXT   NOT NULL
);
CREATE INDEX timeline_contact ON timeline (location_id, contact_id, id);

-- Short exclusive rights across workers and processes; they expire by themselves.
CREATE TABLE leases (
	name       TEXT   PRIMARY KEY,
	holder     TEXT   NOT NULL,
	expires_at BIGINT NOT NULL
);

-- How far the dispatcher has read the inbox file.
CREATE TABLE inbox_cursor (id BIGINT NOT NULL);
INSERT INTO inbox_cursor (id) VALUES (0);
