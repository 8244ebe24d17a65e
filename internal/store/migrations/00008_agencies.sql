-- +goose Up

-- The agencies whose locations may be connected by OAuth. Where there is none,
-- the first to install the app becomes one: only one row can be of that kind.
CREATE TABLE agencies (
	company_id TEXT     PRIMARY KEY,
	first_come SMALLINT NOT NULL, -- 1 = let in because there was none; 0 = by the operator
	allowed_at BIGINT   NOT NULL
);
CREATE UNIQUE INDEX agencies_first ON agencies (first_come) WHERE first_come = 1;
INSERT INTO agencies (company_id, first_come, allowed_at)
	SELECT company_id, 0, min(created_at) FROM connections
	WHERE source = 'oauth' AND company_id <> '' AND state IN ('active', 'suspended', 'broken') GROUP BY company_id;

-- What the operator removed is not connected again by an INSTALL.
ALTER TABLE connections ADD COLUMN by_operator SMALLINT NOT NULL DEFAULT 0; -- 1 = removed by the operator
UPDATE connections SET by_operator = 1 WHERE state = 'removed' AND problem = 'removed by the operator';

-- When an install says that it was sent, so that an older one never replaces it.
ALTER TABLE records ADD COLUMN told_at BIGINT NOT NULL DEFAULT 0; -- 0 = it does not say

-- One row, sealed by the first process: who has other keys is told so before
-- anything else is encrypted.
CREATE TABLE key_probe (
	id     SMALLINT PRIMARY KEY, -- 1
	sealed TEXT     NOT NULL
);
