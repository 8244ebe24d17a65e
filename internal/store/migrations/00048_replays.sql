-- +goose Up

-- The replays of webhooks that people asked for. How far each is, its run says: the row
-- of applies with the key "replay:" and its number.
CREATE TABLE replays (
	id         INTEGER PRIMARY KEY,
	what       TEXT   NOT NULL, -- was asked for, in words, without personal data
	deliveries BIGINT NOT NULL
);

-- The records that they sync.
CREATE TABLE replay_records (
	replay      BIGINT NOT NULL,
	location_id TEXT   NOT NULL,
	kind        TEXT   NOT NULL,
	id          TEXT   NOT NULL,
	PRIMARY KEY (replay, location_id, kind, id)
);

-- The last replay of a delivery; 0 = there was none.
ALTER TABLE deliveries ADD COLUMN replay BIGINT NOT NULL DEFAULT 0;
CREATE INDEX deliveries_replay ON deliveries (id) WHERE replay <> 0;
