-- +goose Up

-- Records that a vendor no longer shows though no event says that they were
-- deleted. More than a few at once are not believed until a person agrees. state:
-- doubted = to be looked at again, waiting = for a person, allowed = by a person,
-- removed = believed, and counted for a while.
CREATE TABLE removals (
	location_id TEXT NOT NULL,
	vendor      TEXT NOT NULL,
	kind        TEXT NOT NULL,
	id          TEXT NOT NULL,
	state       TEXT NOT NULL,
	since       BIGINT NOT NULL, -- when it was first not shown
	changed_at  BIGINT NOT NULL, -- when the state changed
	PRIMARY KEY (location_id, vendor, kind, id)
);
