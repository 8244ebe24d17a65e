-- +goose Up

-- The last run of each automation over the records that exist: how far it is.
CREATE TABLE applies (
	automation    TEXT   NOT NULL PRIMARY KEY, -- its id
	asked_by      TEXT   NOT NULL,
	asked_at      BIGINT NOT NULL,
	state         TEXT   NOT NULL, -- running, done, cancelled
	location_id   TEXT   NOT NULL, -- only of this location; '' = of all
	total         BIGINT NOT NULL, -- records when it began
	touched       BIGINT NOT NULL, -- records that were asked to be synced
	last_location TEXT   NOT NULL, -- the last of them
	last_kind     TEXT   NOT NULL,
	last_id       TEXT   NOT NULL,
	page          BIGINT NOT NULL, -- how many of the last ones are waited for
	ended_at      BIGINT NOT NULL
);
