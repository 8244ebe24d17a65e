-- +goose Up

-- A HighLevel location that Milepost works for. Its secrets are in secrets.
CREATE TABLE connections (
	location_id TEXT   PRIMARY KEY,
	company_id  TEXT   NOT NULL, -- the agency; '' until known
	name        TEXT   NOT NULL, -- for people; '' until known
	source      TEXT   NOT NULL, -- settings, oauth, token
	state       TEXT   NOT NULL, -- pending, active, suspended, broken, removed
	problem     TEXT   NOT NULL, -- why it is not active, and what to do
	created_at  BIGINT NOT NULL,
	updated_at  BIGINT NOT NULL
);
CREATE INDEX connections_company ON connections (company_id);

-- What is encrypted, by name, which is bound into the encryption.
CREATE TABLE secrets (
	name       TEXT   PRIMARY KEY,
	sealed     TEXT   NOT NULL, -- key id, ":", base64
	key_id     TEXT   NOT NULL,
	updated_at BIGINT NOT NULL
);
CREATE INDEX secrets_key ON secrets (key_id);

-- When a token that never says its age was first seen; by its digest.
CREATE TABLE token_ages (
	digest     TEXT   PRIMARY KEY,
	first_seen BIGINT NOT NULL
);

-- What was delivered of records that cannot be fetched: there the newest
-- delivery is the record.
CREATE TABLE records (
	location_id TEXT   NOT NULL,
	kind        TEXT   NOT NULL,
	id          TEXT   NOT NULL,
	contact_id  TEXT   NOT NULL,
	received_at BIGINT NOT NULL,
	body        BLOB   NOT NULL,
	PRIMARY KEY (location_id, kind, id)
);
CREATE INDEX records_contact ON records (location_id, contact_id);
