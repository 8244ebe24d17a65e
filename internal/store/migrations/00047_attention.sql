-- +goose Up

-- Why a record is not in step, if a person may have to look: the key of a cause; '' = it
-- is in step, or has its next try soon.
ALTER TABLE entities ADD COLUMN trouble TEXT NOT NULL DEFAULT '';
CREATE INDEX entities_trouble ON entities (trouble, location_id, kind, id) WHERE trouble <> '';
DROP INDEX entities_failed;

-- What the keys stand for. A cause is there while a record has its key.
CREATE TABLE causes (
	key         TEXT   NOT NULL PRIMARY KEY,
	location_id TEXT   NOT NULL,
	outcome     TEXT   NOT NULL,
	vendor      TEXT   NOT NULL, -- whose answer it was; '' = none's
	status      BIGINT NOT NULL, -- of that answer; 0 = there was none
	reason      TEXT   NOT NULL,
	operation   TEXT   NOT NULL,
	automation  TEXT   NOT NULL,
	field       TEXT   NOT NULL,
	first_at    BIGINT NOT NULL, -- since when records have had it without a break
	last_at     BIGINT NOT NULL -- to the minute
);

-- What people said of what needs attention. It counts as long as that lasts.
CREATE TABLE hushes (
	key      TEXT   NOT NULL PRIMARY KEY,
	by_whom  TEXT   NOT NULL,
	at       BIGINT NOT NULL,
	until_at BIGINT NOT NULL -- 0 = until it is over
);

-- What failed before this migration is grouped by its outcome alone.
INSERT INTO causes (key, location_id, outcome, vendor, status, reason, operation, automation, field, first_at, last_at)
	SELECT 'earlier-' || outcome || '-' || location_id, location_id, outcome, '', 0, '', '', '', '', max(synced_at), max(synced_at)
	FROM entities WHERE outcome IN ('retry', 'auth', 'invalid', 'unclear', 'stopped') GROUP BY location_id, outcome;
UPDATE entities SET trouble = 'earlier-' || outcome || '-' || location_id WHERE outcome IN ('retry', 'auth', 'invalid', 'unclear', 'stopped');
