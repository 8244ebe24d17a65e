-- +goose Up

-- Every event, task and note that an automation wants or wanted, as a calendar
-- shows it.
CREATE TABLE items (
	location_id TEXT   NOT NULL,
	kind        TEXT   NOT NULL, -- of the entity
	entity_id   TEXT   NOT NULL,
	item        TEXT   NOT NULL, -- the item's key
	item_kind   TEXT   NOT NULL, -- event, task, note
	automation  TEXT   NOT NULL,
	contact_id  TEXT   NOT NULL, -- '' for none
	assigned_to TEXT   NOT NULL, -- HighLevel user; '' for nobody
	uid         TEXT   NOT NULL, -- random
	sequence    BIGINT NOT NULL, -- raised by each material change
	revision    BIGINT NOT NULL, -- raised by each change
	status      TEXT   NOT NULL, -- iCalendar's word
	start_at    BIGINT NOT NULL,
	end_at      BIGINT NOT NULL, -- 0 of a note
	zone        TEXT   NOT NULL,
	content     TEXT   NOT NULL, -- JSON; '' once it is erased
	created_at  BIGINT NOT NULL,
	updated_at  BIGINT NOT NULL,
	removed_at  BIGINT NOT NULL, -- 0 = it stands
	PRIMARY KEY (location_id, kind, entity_id, item)
);

-- A feed is read in the order of uid. Whether it changed is told by how many
-- rows it has, the sum of their revisions and the newest change, all of which
-- are in its index.
CREATE INDEX items_location ON items (location_id, uid, revision, updated_at);
CREATE INDEX items_contact ON items (location_id, contact_id, uid, revision, updated_at);
CREATE INDEX items_assigned ON items (location_id, assigned_to, uid, revision, updated_at);
CREATE INDEX items_changed ON items (location_id, updated_at);
CREATE INDEX items_removed ON items (removed_at) WHERE removed_at <> 0;

-- The keys in the URLs of feeds, by their SHA-256 alone.
CREATE TABLE feed_keys (
	digest      TEXT   PRIMARY KEY, -- hex
	location_id TEXT   NOT NULL,
	contact_id  TEXT   NOT NULL, -- whose items alone it shows; '' = all
	assigned_to TEXT   NOT NULL, -- the same of a HighLevel user
	created_at  BIGINT NOT NULL
);
CREATE INDEX feed_keys_location ON feed_keys (location_id);

ALTER TABLE erasures ADD COLUMN items BIGINT NOT NULL DEFAULT 0; -- of its calendar, emptied

CREATE INDEX timeline_location ON timeline (location_id, id);
