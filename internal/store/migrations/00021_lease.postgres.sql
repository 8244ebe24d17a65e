-- +goose Up

-- The processes that work jobs here. One whose heartbeat is old is dead: the others
-- work its jobs and end its leases.
CREATE TABLE processes (
	id      TEXT        PRIMARY KEY, -- River's client id
	beat_at TIMESTAMPTZ NOT NULL     -- by the database's clock
);

-- Which Milepost this is. All processes on this database are one.
CREATE TABLE installation (
	one SMALLINT PRIMARY KEY CHECK (one = 1),
	id  TEXT     NOT NULL
);

-- What this Milepost wrote at HighLevel to tell others that it works a location
-- and a CalendarHero account.
CREATE TABLE claims (
	location_id TEXT   NOT NULL,
	account     TEXT   NOT NULL, -- as Connection.Account
	token       TEXT   NOT NULL, -- what was written last
	next_token  TEXT   NOT NULL, -- what was about to be written, "" = nothing
	PRIMARY KEY (location_id, account)
);
