package app

import (
	"fmt"
	"strconv"
	"time"

	"milepost/internal/store"
)

// Wait is a setting that is a length of time, or never: less than 0.
type Wait time.Duration

// UnmarshalText reads a Wait.
func (w *Wait) UnmarshalText(text []byte) error {
	if string(text) == "never" {
		*w = -1
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d < 0 || d > store.LongestRest {
		return fmt.Errorf("%q is not valid; expected a time up to 24h such as 5m, 0 or never", text)
	}
	*w = Wait(d)
	return nil
}

// Count is a setting that is a number of at least 1; 0 = it is not set.
type Count int

// UnmarshalText reads a Count.
func (c *Count) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 10, 31)
	if err != nil || n == 0 {
		return fmt.Errorf("%q is not valid; expected a whole number of at least 1", text)
	}
	*c = Count(n)
	return nil
}
