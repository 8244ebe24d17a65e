-- +goose Up

-- The last copy of the files that was made, if any.
CREATE TABLE backups (
	at    BIGINT NOT NULL,
	bytes BIGINT NOT NULL
);
