-- +goose Up

-- Tokens with which people use the admin API and the MCP endpoint from programs.
CREATE TABLE person_tokens (
	id         INTEGER PRIMARY KEY,
	digest     TEXT   NOT NULL UNIQUE, -- SHA-256 of the token, hex
	person     TEXT   NOT NULL,        -- a name of people
	label      TEXT   NOT NULL,        -- what it is for
	made_by    TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	seen_at    BIGINT NOT NULL         -- when it was last used; 0 = never
);
CREATE INDEX person_tokens_person ON person_tokens (person);
