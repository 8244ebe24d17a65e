-- +goose Up

-- The file from which Milepost took its automations when it last started to serve;
-- '' = from this database.
ALTER TABLE automation_changes ADD COLUMN file TEXT NOT NULL DEFAULT '';
