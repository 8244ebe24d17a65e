-- +goose Up

-- Why the search of a location for changes is interrupted, as the JSON of a cause, and its words.
ALTER TABLE reconciliations ADD COLUMN failure TEXT NOT NULL DEFAULT '';
ALTER TABLE reconciliations ADD COLUMN failure_detail TEXT NOT NULL DEFAULT '';
ALTER TABLE reconciliations ADD COLUMN failed_at BIGINT NOT NULL DEFAULT 0; -- the first time; 0 = it is not
ALTER TABLE reconciliations ADD COLUMN failed_last BIGINT NOT NULL DEFAULT 0;
