-- +goose Up

-- The last time zone that HighLevel stated for a location, by its IANA name. If it then states none, dates are read in this one.
ALTER TABLE connections ADD COLUMN zone TEXT NOT NULL DEFAULT '';
