-- +goose Up

-- The inbox is a table of this database and is restored with it, so it needs no
-- identity of its own. This keeps the numbers of both back ends the same.
SELECT 1;
