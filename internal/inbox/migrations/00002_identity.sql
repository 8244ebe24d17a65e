-- +goose Up

-- Which inbox this is. Milepost changes id at each start and notes it in the state
-- database, so that a copy of either file is recognised. No webhook is numbered
-- up to taken: those numbers were used by another copy.
CREATE TABLE inbox_identity (
	id    TEXT    NOT NULL,
	taken INTEGER NOT NULL,
	probe BLOB    NOT NULL -- written to see whether the disk can store again
);
INSERT INTO inbox_identity (id, taken, probe) VALUES (lower(hex(randomblob(16))), 0, x'');
