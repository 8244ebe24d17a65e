-- +goose Up

-- How far a location was looked through for what no webhook told; a backfill is one too.
CREATE TABLE reconciliations (
	name           TEXT   PRIMARY KEY, -- the location's id, or that of a backfill
	location_id    TEXT   NOT NULL,
	contacts_since BIGINT NOT NULL, -- what the one under way looks at
	contacts_until BIGINT NOT NULL, -- contacts that changed before this have been looked at
	place          TEXT   NOT NULL, -- where the one under way is; '' = none is
	started_at     BIGINT NOT NULL,
	finished_at    BIGINT NOT NULL, -- of the one before; 0 = there was none
	calls          BIGINT NOT NULL, -- the rest counts the one under way, or else the last one
	contacts       BIGINT NOT NULL,
	contacts_total BIGINT NOT NULL,
	tasks          BIGINT NOT NULL,
	touched        BIGINT NOT NULL
);

-- By what a change of a record is known without reading it: a contact's
-- dateUpdated. mark is that of when it was last synced, swept that of when a
-- reconciliation last came by, which for a task is a digest of its row in the
-- task search.
ALTER TABLE entities ADD COLUMN mark TEXT NOT NULL DEFAULT '';
ALTER TABLE entities ADD COLUMN swept TEXT NOT NULL DEFAULT '';
