-- +goose Up

-- Locations may share a CalendarHero account; its ids are the vendor's, and
-- know no location.
DROP INDEX links_object;
CREATE INDEX links_object ON links (object_id);
