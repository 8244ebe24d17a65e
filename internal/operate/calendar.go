package operate

import (
	"context"
	"time"

	"milepost/internal/store"
	"milepost/mapping"
)

// Calendar is what a location's calendar shows between two days.
type Calendar struct {
	Zone *time.Location
	Days []Day
	More bool // there are more items than are listed
}

// Day is a day of a calendar, in its time zone.
type Day struct {
	Start time.Time
	Items []store.Item // in order
}

// mostItems bounds how many items a calendar lists.
const mostItems = 2000

// zoneWait is how long the calendar waits for HighLevel to name the time zone.
const zoneWait = 2 * time.Second

// ZoneOf is the time zone in which the calendar of a location is shown: the location's, as
// HighLevel named it of late. If HighLevel does not answer, it is that of the newest item.
// While there is none, the zone is UTC and not known.
func (d *Desk) ZoneOf(ctx context.Context, locationID string) (zone *time.Location, known bool, err error) {
	if conn, err := d.Connections.Lookup(ctx, locationID); err == nil {
		named := d.choice(choiceKey{locationID, "zone"}, false, func() (c choice) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), zoneWait)
			defer cancel()
			location, err := conn.HighLevel.Location(ctx, locationID)
			if c.err = err; err == nil {
				c.zone, c.err = mapping.LoadZone(location.Timezone)
			}
			return c
		})
		if named.err == nil {
			return named.zone, true, nil
		}
	}
	name, err := d.Store.ZoneOf(ctx, locationID)
	if err != nil {
		return nil, false, err
	}
	if zone, err := mapping.LoadZone(name); err == nil {
		return zone, true, nil
	}
	return time.UTC, false, nil
}

// Calendar lists the events and tasks of a location on some days from one on. Days begin
// at midnight in the zone, also if one has 23 or 25 hours.
func (d *Desk) Calendar(ctx context.Context, locationID string, zone *time.Location, first time.Time, days int) (c Calendar, err error) {
	c.Zone = zone
	midnight := func(n int) time.Time {
		return time.Date(first.Year(), first.Month(), first.Day()+n, 0, 0, 0, 0, zone)
	}
	for n := range days {
		c.Days = append(c.Days, Day{Start: midnight(n)})
	}
	items, err := d.Store.CalendarItems(ctx, locationID, midnight(0), midnight(days), mostItems+1)
	if err != nil {
		return c, err
	}
	if c.More = len(items) > mostItems; c.More {
		items = items[:mostItems]
	}
	n := 0
	for _, item := range items {
		for n+1 < days && !item.When().Before(c.Days[n+1].Start) {
			n++
		}
		c.Days[n].Items = append(c.Days[n].Items, item)
	}
	return c, nil
}
