-- +goose Up

-- What each sync of a record made of the automations that it considered: why each
-- wanted something or nothing. It is kept as long as deliveries are.
CREATE TABLE considered (
	location_id TEXT   NOT NULL,
	kind        TEXT   NOT NULL,
	entity_id   TEXT   NOT NULL,
	seen        BIGINT NOT NULL, -- the entity's wanted that the sync started from
	synced_at   BIGINT NOT NULL,
	outcome     TEXT   NOT NULL,
	automations TEXT   NOT NULL, -- JSON
	PRIMARY KEY (location_id, kind, entity_id, seen)
);
CREATE INDEX considered_at ON considered (synced_at);
