-- +goose Up

-- What a deleted or forgotten contact left behind, and what became of it.
CREATE TABLE erasures (
	location_id TEXT   NOT NULL,
	contact_id  TEXT   NOT NULL,
	on_request  BIGINT NOT NULL, -- 1 = a person asked: it is not synced again
	asked_at    BIGINT NOT NULL,
	done_at     BIGINT NOT NULL, -- 0 while it is under way
	payloads    BIGINT NOT NULL, -- webhooks whose bodies were erased
	entries     BIGINT NOT NULL, -- of the timeline
	objects     BIGINT NOT NULL, -- in CalendarHero, removed with it
	PRIMARY KEY (location_id, contact_id)
);

-- Finds the webhooks of a contact's records.
CREATE INDEX deliveries_entity ON deliveries (location_id, kind, entity_id);
