-- +goose Up

-- Which Milepost this is. A copy of this database is the same one.
CREATE TABLE installation (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	id  TEXT    NOT NULL
) WITHOUT ROWID;

-- What this Milepost wrote at HighLevel to tell others that it works a location
-- and a CalendarHero account.
CREATE TABLE claims (
	location_id TEXT   NOT NULL,
	account     TEXT   NOT NULL, -- as Connection.Account
	token       TEXT   NOT NULL, -- what was written last
	next_token  TEXT   NOT NULL, -- what was about to be written, "" = nothing
	PRIMARY KEY (location_id, account)
) WITHOUT ROWID;
