-- +goose Up

-- The events and tasks of a location by when they are: a task when it is due.
CREATE INDEX items_when ON items (location_id, (CASE WHEN item_kind = 'task' THEN end_at ELSE start_at END)) WHERE removed_at = 0 AND item_kind <> 'note';
