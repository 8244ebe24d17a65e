-- +goose Up

-- The keys in the URLs of workflow webhooks, by their SHA-256 alone.
CREATE TABLE workflow_keys (
	digest      TEXT   PRIMARY KEY, -- hex
	location_id TEXT   NOT NULL,
	created_at  BIGINT NOT NULL,
	expires_at  BIGINT NOT NULL -- 0 = never
);
CREATE INDEX workflow_keys_location ON workflow_keys (location_id);

-- Which delivery a record is of, so that an older one never replaces it.
ALTER TABLE records ADD COLUMN delivery_id BIGINT NOT NULL DEFAULT 0;
