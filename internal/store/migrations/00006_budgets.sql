-- +goose Up

-- How far each location's allowance at HighLevel is used, by all processes together.
CREATE TABLE budgets (
	location_id     TEXT   PRIMARY KEY,
	burst_max       BIGINT NOT NULL, -- calls in an interval, as the vendor told; 0 = it did not
	burst_micros    BIGINT NOT NULL, -- the interval
	next_at         BIGINT NOT NULL, -- when the bucket is full again (GCRA's theoretical arrival time)
	queue_at        BIGINT NOT NULL, -- the first moment not yet given to a call that was sent away
	backfill_at     BIGINT NOT NULL, -- the same of backfill
	calls           BIGINT NOT NULL, -- of late
	works           BIGINT NOT NULL, -- the pieces of work that made them
	parked_until    BIGINT NOT NULL, -- no call before; 0 = never parked
	parked_why      TEXT   NOT NULL, -- in words
	daily_max       BIGINT NOT NULL, -- calls a day; 0 = not told
	daily_remaining BIGINT NOT NULL,
	daily_at        BIGINT NOT NULL  -- when that was told
);
