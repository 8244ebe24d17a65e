-- +goose Up

-- The keys in the URLs that CalendarHero's webhooks go to, by their SHA-256
-- alone; the key that is in use is sealed among the secrets. Older ones stay, so
-- that a URL which is still registered somewhere is known as ours.
CREATE TABLE calendarhero_keys (
	digest     TEXT   PRIMARY KEY, -- hex
	account    TEXT   NOT NULL,    -- a digest of its token
	created_at BIGINT NOT NULL,
	ended_at   BIGINT NOT NULL     -- from then on it lets nothing in; 0 = it does
);

-- What is known of each account's webhooks.
CREATE TABLE calendarhero_hooks (
	account    TEXT    NOT NULL,
	event      TEXT    NOT NULL,
	state      TEXT    NOT NULL, -- ours, foreign, unknown, failed, off
	problem    TEXT    NOT NULL, -- for people: what is wrong, and what to do
	hook_id    TEXT    NOT NULL, -- CalendarHero's; '' = not told
	url_digest TEXT    NOT NULL, -- of the URL that was found last, hex; '' = none was
	allowed    INTEGER NOT NULL, -- 1 = another tool's may be displaced, once
	checked_at BIGINT  NOT NULL,
	set_at     BIGINT  NOT NULL, -- when ours was registered last; 0 = it is not
	seen_at    BIGINT  NOT NULL, -- when ours was read there last; 0 = never
	PRIMARY KEY (account, event)
);
