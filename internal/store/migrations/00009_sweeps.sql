-- +goose Up

-- Whether all open tasks of the location were looked at while an automation
-- looked at tasks: only then is one that is not known a new one.
ALTER TABLE reconciliations ADD COLUMN tasks_known BIGINT NOT NULL DEFAULT 0;
UPDATE reconciliations SET tasks_known = 1 WHERE finished_at > 0;

-- Of a task, the start of the reconciliation that last saw it open; 0 = none did.
ALTER TABLE entities ADD COLUMN open_at BIGINT NOT NULL DEFAULT 0;
