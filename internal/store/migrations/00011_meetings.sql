-- +goose Up

-- What CalendarHero showed last of each meeting request: of those made here by
-- the location of their entity, of others by each location that was told of them.
CREATE TABLE meetings (
	location_id TEXT   NOT NULL,
	id          TEXT   NOT NULL, -- CalendarHero's
	contact_id  TEXT   NOT NULL, -- whose it is; '' until known
	state       TEXT   NOT NULL, -- pending, booked, rescheduled, expired, cancelled, completed, gone
	status      TEXT   NOT NULL, -- CalendarHero's own word
	title       TEXT   NOT NULL,
	type        TEXT   NOT NULL,
	start_at    BIGINT NOT NULL,
	end_at      BIGINT NOT NULL,
	emails      TEXT   NOT NULL, -- JSON, a list
	happened    TEXT   NOT NULL, -- JSON, trigger to when it was noticed
	changed_at  BIGINT NOT NULL, -- as CalendarHero says; 0 = it does not
	missing_at  BIGINT NOT NULL, -- since when no list shows it; 0 = one does
	PRIMARY KEY (location_id, id)
);
CREATE INDEX meetings_open ON meetings (location_id, id) WHERE state IN ('pending', 'booked', 'rescheduled');
CREATE INDEX entities_meetings ON entities (synced_at) WHERE kind = 'meeting';
CREATE INDEX meetings_contact ON meetings (location_id, contact_id);

-- What was last seen of both sides, so that it is known which of them changed:
-- the times that HighLevel's record asks for, and the state of the meeting (its
-- times are start_at and end_at). Of a contact, a digest of each of its parts.
-- The times that Milepost was last about to write to the record are followed_*.
ALTER TABLE links ADD COLUMN source_start_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE links ADD COLUMN source_end_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE links ADD COLUMN followed_start_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE links ADD COLUMN followed_end_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE links ADD COLUMN meeting TEXT NOT NULL DEFAULT '';
ALTER TABLE links ADD COLUMN base TEXT NOT NULL DEFAULT ''; -- JSON
UPDATE links SET source_start_at = start_at, source_end_at = end_at, meeting = 'pending'
	WHERE item_kind IN ('event', 'task') AND state <> 'gone';
CREATE INDEX links_marker ON links (marker) WHERE marker <> '';
