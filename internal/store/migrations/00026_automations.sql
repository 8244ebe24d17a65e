-- +goose Up

-- Raised by every change of the automations. Each process looks at it every second.
-- 0 = nothing was ever saved.
CREATE TABLE automation_changes (n BIGINT NOT NULL);
INSERT INTO automation_changes (n) VALUES (0);

CREATE TABLE automations (
	id         TEXT   NOT NULL PRIMARY KEY,
	position   BIGINT NOT NULL,
	state      TEXT   NOT NULL, -- on, paused, off: as in the text of its live version
	live       BIGINT NOT NULL, -- number of its live version; 0 = it has only a draft
	draft      BIGINT NOT NULL, -- number of its draft; 0 = none
	deleted_at BIGINT NOT NULL  -- 0 = it stands
);

-- The text of exactly one automation each, as a person wrote it.
CREATE TABLE automation_versions (
	id      TEXT   NOT NULL,
	version BIGINT NOT NULL, -- from 1 within its automation
	text    TEXT   NOT NULL,
	made_by TEXT   NOT NULL,
	why     TEXT   NOT NULL,
	made_at BIGINT NOT NULL,
	PRIMARY KEY (id, version)
);

-- The automations that are off or gone and whose items a person agreed to have removed.
CREATE TABLE automation_removals (
	id        TEXT   NOT NULL PRIMARY KEY,
	agreed_by TEXT   NOT NULL,
	agreed_at BIGINT NOT NULL
);
