package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
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

// stateCollector reads how things stand when Prometheus asks.
type stateCollector struct {
	read func(context.Context) (State, error)
}

func gauge(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("milepost_"+name, help, nil, nil)
}

var (
	owed       = gauge("records_waiting", "Records that are not in step.")
	oldest     = gauge("oldest_webhook_age_seconds", "Age of the oldest webhook that still waits; 0 if none does.")
	failing    = gauge("records_failing", "Records that need somebody to look.")
	attention  = gauge("attention_open", "Causes under Attention that nobody has acknowledged.")
	connected  = gauge("locations", "Connected locations.")
	troubled   = gauge("locations_troubled", "Connected locations that are not served.")
	quotaLeft  = gauge("quota_left_ratio", "Share of the calls of a day that is left to the location with the least.")
	tokenAge   = gauge("token_age_seconds", "Age of the oldest Private Integration Token.")
	lastBackup = gauge("backup_timestamp_seconds", "When `milepost backup` last made an archive.")
	databaseUp = gauge("database_up", "1 if the database answered the questions of this scrape.")
)

// Describe names the gauges.
func (c *stateCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{owed, oldest, failing, attention, connected, troubled, quotaLeft, tokenAge, lastBackup, databaseUp} {
		to <- d
	}
}

// scrapeLimit is how long the database may take.
const scrapeLimit = 5 * time.Second

// Collect reads the gauges.
func (c *stateCollector) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeLimit)
	defer cancel()
	set := func(d *prometheus.Desc, v float64) { to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	s, err := c.read(ctx)
	if err != nil {
		set(databaseUp, 0)
		return
	}
	set(databaseUp, 1)
	set(owed, float64(s.Owed))
	set(oldest, age(s.Now, s.OldestOwed))
	set(failing, float64(s.Failing))
	set(attention, float64(s.Attention))
	set(connected, float64(s.Connected))
	set(troubled, float64(s.Troubled))
	if s.QuotaLeft >= 0 {
		set(quotaLeft, s.QuotaLeft)
	}
	if !s.OldestToken.IsZero() {
		set(tokenAge, age(s.Now, s.OldestToken))
	}
	if !s.LastBackup.IsZero() {
		set(lastBackup, float64(s.LastBackup.Unix()))
	}
}

func age(now, then time.Time) float64 {
	if then.IsZero() {
		return 0
	}
	return max(0, now.Sub(then).Seconds())
}
