package console

import (
	"net/http"
	"net/url"
	"time"

	"milepost/internal/store"
)

// dayItem is an item on its day.
type dayItem struct {
	Time, Title, Kind string
	Link              string // of its contact; "" = it has none
}

// calendarDay is a day of the calendar.
type calendarDay struct {
	Date, Label, Number string // as an address has it, in full, and the day of the month
	Outside, Today      bool
	Items               []dayItem
	More                int
	Link                string // of its week
}

type calendarData struct {
	Locations            []option
	Location             string
	View                 string // month or week
	Name, Zone           string // of what is shown
	Day                  string
	Before, After, Now   string // addresses
	Month, Week          string
	Weekdays             []string
	Days                 []calendarDay
	Any, More, Connected bool
	ZoneKnown            bool
}

// itemsADay is how many items a day of a month shows.
const itemsADay = 4

// monday is the Monday of a day's week.
func monday(day time.Time) time.Time {
	back := (int(day.Weekday()) + 6) % 7
	return time.Date(day.Year(), day.Month(), day.Day()-back, 0, 0, 0, 0, day.Location())
}

func (c *Console) calendarPage(r *http.Request, v *view) error {
	v.Title, v.Section = "Calendar", "calendar"
	in := r.URL.Query()
	data := calendarData{View: "month", Location: in.Get("location")}
	if in.Get("view") == "week" {
		data.View = "week"
	}
	connections, err := c.Desk.Store.Connections(r.Context())
	if err != nil {
		return err
	}
	data.choose(connections)
	if data.Connected = data.Location != ""; !data.Connected {
		v.Data = data
		return nil
	}
	zone, known, err := c.Desk.ZoneOf(r.Context(), data.Location)
	if err != nil {
		return err
	}
	now := c.Now().In(zone)
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, zone)
	day := today
	if given, err := time.ParseInLocation(time.DateOnly, in.Get("day"), zone); err == nil && given.Year() > 1900 && given.Year() < 3000 {
		day = given
	}
	first, days := data.span(day, today)
	shown, err := c.Desk.Calendar(r.Context(), data.Location, zone, first, days)
	if err != nil {
		return err
	}
	data.Zone, data.ZoneKnown, data.More, data.Day = zone.String(), known, shown.More, day.Format(time.DateOnly)
	for _, d := range shown.Days {
		row := calendarDay{
			Date: d.Start.Format(time.DateOnly), Label: d.Start.Format("Monday 2 January 2006"), Number: d.Start.Format("2"),
			Outside: data.View == "month" && d.Start.Month() != day.Month(), Today: d.Start.Equal(today), Link: data.to("week", d.Start),
		}
		for _, item := range d.Items {
			data.Any = true
			if data.View == "month" && len(row.Items) == itemsADay {
				row.More++
				continue
			}
			row.Items = append(row.Items, newDayItem(item, zone))
		}
		data.Days = append(data.Days, row)
	}
	v.Data = data
	return nil
}

// choose lists the locations to choose from, and takes the first if none is chosen.
func (data *calendarData) choose(connections []store.Connection) {
	for _, l := range connections {
		if l.State == store.ConnectionRemoved && l.LocationID != data.Location || len(data.Locations) >= mostChoices {
			continue
		}
		if data.Location == "" {
			data.Location = l.LocationID
		}
		name := l.Name
		if name == "" {
			name = l.LocationID
		}
		data.Locations = append(data.Locations, option{l.LocationID, name, l.LocationID == data.Location})
	}
}

// to is the address of a view on a day.
func (data *calendarData) to(view string, day time.Time) string {
	return Path + "calendar?" + url.Values{"location": {data.Location}, "view": {view}, "day": {day.Format(time.DateOnly)}}.Encode()
}

// span fills in what is beside a day, and returns which days are shown.
func (data *calendarData) span(day, today time.Time) (first time.Time, days int) {
	at := func(year int, month time.Month, d int) time.Time {
		return time.Date(year, month, d, 0, 0, 0, 0, day.Location())
	}
	data.Now, data.Month, data.Week = data.to(data.View, today), data.to("month", day), data.to("week", day)
	first, days = monday(day), 7
	if data.View == "week" {
		data.Name = "Week of " + first.Format("2 January 2006")
		data.Before, data.After = data.to("week", at(day.Year(), day.Month(), day.Day()-7)), data.to("week", at(day.Year(), day.Month(), day.Day()+7))
	} else {
		begin := at(day.Year(), day.Month(), 1)
		last := at(day.Year(), day.Month()+1, 0)
		data.Name = begin.Format("January 2006")
		data.Before, data.After = data.to("month", at(day.Year(), day.Month()-1, 1)), data.to("month", at(day.Year(), day.Month()+1, 1))
		first = monday(begin)
		for days = 7; at(first.Year(), first.Month(), first.Day()+days-1).Before(last); days += 7 {
		}
	}
	for n := range 7 {
		data.Weekdays = append(data.Weekdays, at(first.Year(), first.Month(), first.Day()+n).Format("Mon"))
	}
	return first, days
}

func newDayItem(i store.Item, zone *time.Location) dayItem {
	row := dayItem{Title: i.Content.Title, Kind: "event"}
	if i.Kind == store.ItemTask {
		row.Kind = "due"
	}
	if !i.Content.DateOnly {
		row.Time = i.When().In(zone).Format("15:04")
	}
	if i.ContactID != "" {
		row.Link = contactPath(i.Entity.LocationID, i.ContactID)
	}
	return row
}
