-- +goose Up

-- Locations may share a CalendarHero account; its ids are the vendor's, and
-- know no location.
DROP INDEX links_object;
CREATE INDEX links_object ON links (object_id);

-- Why the object stays in CalendarHero though the link was let go, or could not
-- be; '' = it does not.
ALTER TABLE links ADD COLUMN left_why TEXT NOT NULL DEFAULT '';

-- The few contacts of whom nothing may be kept that still arrives.
CREATE INDEX erasures_on_request ON erasures (location_id, contact_id) WHERE on_request = 1;

-- Their names held e-mail addresses; they are digests now.
DELETE FROM leases WHERE name LIKE 'contact %';
