-- +goose Up

-- When the last call succeeded: of a location at HighLevel, and of a CalendarHero account.
CREATE TABLE last_calls (
	lane TEXT   PRIMARY KEY,
	at   BIGINT NOT NULL
);
