-- +goose Up

-- Accepted webhooks, raw, in the order in which they were stored.
CREATE TABLE inbox (
	id          INTEGER PRIMARY KEY,
	webhook_id  TEXT UNIQUE, -- NULL where the vendor sent none: never a duplicate
	type        TEXT    NOT NULL,
	location_id TEXT    NOT NULL,
	kind        TEXT    NOT NULL,
	entity_id   TEXT    NOT NULL,
	contact_id  TEXT    NOT NULL,
	deleted     INTEGER NOT NULL,
	received_at INTEGER NOT NULL, -- microseconds since 1970 UTC
	body        BLOB    NOT NULL
);
CREATE INDEX inbox_received ON inbox (received_at);
