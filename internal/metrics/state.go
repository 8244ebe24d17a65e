package metrics

import (
	"context"
	"time"
)

// State is how things stand at a moment. The zero time means "never".
type State struct {
	Owed       int64     // records that are not in step
	OldestOwed time.Time // when the oldest webhook came that still waits
	Failing    int64     // records that need somebody to look
	Attention  int64     // causes that need somebody to look

	Connected, Troubled int     // locations, and of them those that are not served
	QuotaLeft           float64 // of the location with the least left of its calls of a day, from 0 to 1; less than 0 = not known
	OldestToken         time.Time
	LastBackup          time.Time
	Now                 time.Time
}

// scrapeLimit is how long the database may take.
const scrapeLimit = 5 * time.Second

// state adds the gauges that say how things stand.
func (p *page) state(ctx context.Context, read func(context.Context) (State, error)) {
	ctx, cancel := context.WithTimeout(ctx, scrapeLimit)
	defer cancel()
	s, err := read(ctx)
	up := 1.0
	if err != nil {
		up = 0
	}
	p.gauge("milepost_database_up", "1 if the database answered the questions of this scrape.", up)
	if err != nil {
		return
	}
	p.gauge("milepost_records_waiting", "Records that are not in step.", float64(s.Owed))
	p.gauge("milepost_oldest_webhook_age_seconds", "Age of the oldest webhook that still waits; 0 if none does.", age(s.Now, s.OldestOwed))
	p.gauge("milepost_records_failing", "Records that need somebody to look.", float64(s.Failing))
	p.gauge("milepost_attention_open", "Causes under Attention that nobody has acknowledged.", float64(s.Attention))
	p.gauge("milepost_locations", "Connected locations.", float64(s.Connected))
	p.gauge("milepost_locations_troubled", "Connected locations that are not served.", float64(s.Troubled))
	if s.QuotaLeft >= 0 {
		p.gauge("milepost_quota_left_ratio", "Share of the calls of a day that is left to the location with the least.", s.QuotaLeft)
	}
	if !s.OldestToken.IsZero() {
		p.gauge("milepost_token_age_seconds", "Age of the oldest Private Integration Token.", age(s.Now, s.OldestToken))
	}
	if !s.LastBackup.IsZero() {
		p.gauge("milepost_backup_timestamp_seconds", "When `milepost backup` last made an archive.", float64(s.LastBackup.Unix()))
	}
}

func age(now, then time.Time) float64 {
	if then.IsZero() {
		return 0
	}
	return max(0, now.Sub(then).Seconds())
}
