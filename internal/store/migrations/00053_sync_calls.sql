-- +goose Up

-- The calls of a sync with their requests and answers, and whom it mailed: of the one that
-- ended, and of the last try of those that waited. Compressed JSON; NULL = not known.
ALTER TABLE considered ADD COLUMN calls BLOB;
ALTER TABLE waits ADD COLUMN calls BLOB;
