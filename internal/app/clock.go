package app

import "time"

// Clock is time as the workers see it. The zero value is real time. A test lets
// it run Speed times as fast from Start on: every wait is as much shorter, and
// all of them keep their proportions. What HTTP needs to get through stays real.
type Clock struct {
	Start time.Time
	Speed int // 0 and 1 = real time
	// Ahead is how far the time is ahead of the machine's; nil = not at all.
	Ahead func() time.Duration
}

// Now returns the time.
func (c Clock) Now() time.Time {
	now := time.Now()
	if c.Ahead != nil {
		now = now.Add(c.Ahead())
	}
	if c.Speed <= 1 {
		return now
	}
	return c.Start.Add(now.Sub(c.Start) * time.Duration(c.Speed))
}

// Real returns how long a wait of d by this clock really takes.
func (c Clock) Real(d time.Duration) time.Duration {
	return d / time.Duration(max(c.Speed, 1))
}

// retryWait is the pause before a client's nth retry; nil is the clients' own.
func (c Clock) retryWait() func(retry int) time.Duration {
	if c.Speed <= 1 {
		return nil
	}
	return func(retry int) time.Duration { return c.Real(time.Duration(retry) * time.Second) }
}
