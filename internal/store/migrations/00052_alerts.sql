-- +goose Up

-- What people were told of each kind of fault.
CREATE TABLE alerts (
	kind     TEXT   NOT NULL PRIMARY KEY,
	version  BIGINT NOT NULL, -- of two processes that change it, one fails
	told     TEXT   NOT NULL, -- JSON: the key of each cause that a message named, and when it went away; 0 = it is there
	began_at BIGINT NOT NULL,
	told_at  BIGINT NOT NULL  -- the last message that something is wrong
);

-- The messages, one for each channel, and how they fare.
CREATE TABLE alert_messages (
	id      TEXT   NOT NULL,
	channel TEXT   NOT NULL,
	kind    TEXT   NOT NULL,
	status  TEXT   NOT NULL, -- firing or over
	body    TEXT   NOT NULL,
	at      BIGINT NOT NULL,
	tries   BIGINT NOT NULL,
	next_at BIGINT NOT NULL, -- the next try; 0 = there is none
	sent_at BIGINT NOT NULL, -- 0 = not sent
	problem TEXT   NOT NULL, -- of the last try
	PRIMARY KEY (id, channel)
);
CREATE INDEX alert_messages_due ON alert_messages (next_at) WHERE next_at <> 0;
CREATE INDEX alert_messages_at ON alert_messages (at);

-- How many of HighLevel's webhooks had a valid signature, in each ten minutes.
CREATE TABLE signature_counts (
	at       BIGINT NOT NULL PRIMARY KEY,
	accepted BIGINT NOT NULL,
	rejected BIGINT NOT NULL
);
