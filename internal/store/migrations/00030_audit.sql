-- +goose Up

-- Who did what in the console, by a command, or through the admin API.
CREATE TABLE audit (
	id      INTEGER PRIMARY KEY,
	at      BIGINT NOT NULL,
	who     TEXT   NOT NULL,
	what    TEXT   NOT NULL,
	subject TEXT   NOT NULL -- an id, never personal data
);
