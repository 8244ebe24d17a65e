-- +goose Up

-- Which inbox.db the cursor belongs to. Each start gives the inbox a new identity,
-- so that a copy of either file is recognised. previous is the identity before,
-- which the inbox still has if Milepost was killed in between. Both are '' until an
-- inbox was opened beside this database, and 'unknown' where an earlier version did.
ALTER TABLE inbox_cursor ADD COLUMN inbox TEXT NOT NULL DEFAULT '';
ALTER TABLE inbox_cursor ADD COLUMN previous TEXT NOT NULL DEFAULT '';

-- The last time the two files did not match: when, what was found and what was done.
ALTER TABLE inbox_cursor ADD COLUMN mismatch_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE inbox_cursor ADD COLUMN mismatch TEXT NOT NULL DEFAULT '';

-- The tables of the job queue are created after these migrations, so they are
-- there only in a database that an earlier version has used.
UPDATE inbox_cursor SET inbox = 'unknown' WHERE EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'river_job');
