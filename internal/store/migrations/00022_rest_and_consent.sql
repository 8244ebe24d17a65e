-- +goose Up

-- A new description of a meeting request that waits until the record has been
-- quiet for a while: the fingerprint of what is wanted, and since when it is.
ALTER TABLE links ADD COLUMN resting TEXT NOT NULL DEFAULT '';
ALTER TABLE links ADD COLUMN resting_since BIGINT NOT NULL DEFAULT 0;

-- Whom a meeting request was made for: owner, contact or address; '' = not known.
ALTER TABLE links ADD COLUMN invited TEXT NOT NULL DEFAULT '';

-- The items whose open requests may go from the account's owner to somebody else,
-- because a person agreed to the mails.
CREATE TABLE consents (
	item      TEXT   NOT NULL PRIMARY KEY,
	agreed_at BIGINT NOT NULL
);
