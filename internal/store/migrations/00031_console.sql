-- +goose Up

-- What the console lists and counts deliveries by.
CREATE INDEX deliveries_outcome ON deliveries (outcome, id);
CREATE INDEX deliveries_location ON deliveries (location_id, id);
CREATE INDEX deliveries_type ON deliveries (type, id);
CREATE INDEX deliveries_received ON deliveries (received_at, outcome, id);

-- The contact that the event named; '' = none, or it came before this column.
ALTER TABLE deliveries ADD COLUMN contact_id TEXT NOT NULL DEFAULT '';
CREATE INDEX deliveries_contact ON deliveries (contact_id, id) WHERE contact_id <> '';

-- By the id first, which finds a record without its location and kind.
DROP INDEX deliveries_entity;
CREATE INDEX deliveries_entity ON deliveries (entity_id, location_id, kind, finished_at, wanted);

-- In the order in which it is listed.
DROP INDEX entities_owed;
CREATE INDEX entities_owed ON entities (location_id, kind, id) WHERE wanted > done;

-- Records whose last sync failed: somebody has to look at them.
CREATE INDEX entities_failed ON entities (location_id, kind, id) WHERE outcome IN ('retry', 'auth', 'invalid');

-- What a sync last read of each contact that people search by.
CREATE TABLE contacts (
	location_id TEXT   NOT NULL,
	id          TEXT   NOT NULL,
	name        TEXT   NOT NULL,
	email       TEXT   NOT NULL,
	phone       TEXT   NOT NULL,
	changed_at  BIGINT NOT NULL, -- when one of these was last another
	PRIMARY KEY (location_id, id)
);
CREATE INDEX contacts_id ON contacts (id);
CREATE INDEX contacts_changed ON contacts (changed_at, location_id, id);

-- The words of a contact, in lower case: parts of the name, the e-mail address and
-- its domain, the digits of the telephone number. As bytes, so that each engine
-- compares the beginnings of words in the same way.
CREATE TABLE contact_words (
	word        BLOB NOT NULL,
	location_id TEXT NOT NULL,
	contact_id  TEXT NOT NULL,
	PRIMARY KEY (word, location_id, contact_id)
);
CREATE INDEX contact_words_contact ON contact_words (location_id, contact_id);

-- Why syncs did not end: of each sync and outcome, since when, until when, and how
-- often it was tried.
CREATE TABLE waits (
	location_id TEXT   NOT NULL,
	kind        TEXT   NOT NULL,
	entity_id   TEXT   NOT NULL,
	seen        BIGINT NOT NULL, -- the entity's counter that the sync began with
	outcome     TEXT   NOT NULL,
	detail      TEXT   NOT NULL, -- of the last try
	began_at    BIGINT NOT NULL,
	until_at    BIGINT NOT NULL, -- when it is, or was, to be tried again
	tries       BIGINT NOT NULL,
	PRIMARY KEY (location_id, kind, entity_id, seen, outcome)
);
CREATE INDEX waits_began ON waits (began_at);
