-- +goose Up

-- What happened to a record, which it does not show itself, with when that was
-- noticed first.
CREATE TABLE happenings (
	location_id TEXT   NOT NULL,
	kind        TEXT   NOT NULL,
	id          TEXT   NOT NULL,
	what        TEXT   NOT NULL, -- a trigger; or a tag that the contact has, after "tag "
	at          BIGINT NOT NULL,
	PRIMARY KEY (location_id, kind, id, what)
);

-- Digests of the parts of a record whose changes are noted, as they were last read.
ALTER TABLE entities ADD COLUMN parts TEXT NOT NULL DEFAULT '';

-- When the clock changes what a record asks for; 0 = never.
ALTER TABLE entities ADD COLUMN look_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX entities_look_at ON entities (look_at) WHERE look_at > 0;
