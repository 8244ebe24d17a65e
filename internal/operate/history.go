package operate

import "strings"

// happenings are entries of a timeline in a sentence, without its full stop.
var happenings = map[string]string{
	"contact updated in HighLevel": "Milepost updated the contact in HighLevel",
	"contact added in HighLevel":   "Milepost added the contact in HighLevel",
	"contact filled in HighLevel":  "Milepost filled in empty fields of the contact in HighLevel",
	"task completed in HighLevel":  "Milepost completed the task in HighLevel",
	"task moved in HighLevel":      "Milepost moved the due date of the task in HighLevel",
	"tags written":                 "Milepost wrote tags in HighLevel",
	"note added":                   "The note was added",
	"note changed":                 "The note was changed",
	"request sent":                 "Milepost sent a request",
	"request unclear":              "Milepost does not know whether a request took effect",
	"reminder sent":                "Milepost sent a reminder",
	"reminder dropped":             "Milepost did not send a reminder",
	"reminder perhaps sent":        "Milepost may have sent a reminder",
}

// things are what an entry names first, and where it is.
var things = []struct{ name, thing, where string }{
	{"highlevel note", "note", " in HighLevel"},
	{"highlevel task", "task", " in HighLevel"},
	{"event", "event", " in CalendarHero"},
	{"task", "task", " in CalendarHero"},
	{"contact", "contact", " in CalendarHero"},
	{"note", "note", ""},
	{"tags", "tags", " in HighLevel"},
}

// Happening says in a sentence, without its full stop, what an entry of the timeline tells.
// The store keeps the short form, which the log shows too.
func Happening(what string) string {
	if text, ok := happenings[what]; ok {
		return text
	}
	if rest, ok := strings.CutPrefix(what, "conflict: "); ok {
		return "Both sides changed, and " + strings.TrimSuffix(rest, " wins") + " won"
	}
	name, article := strings.CutPrefix(what, "second ")
	for _, t := range things {
		rest, ok := strings.CutPrefix(name, t.name+" ")
		if !ok {
			continue
		}
		the := "the " + t.thing + t.where
		if article {
			the = "a second " + t.thing + t.where
		}
		if why, ok := strings.CutPrefix(rest, "left: "); ok {
			return "Milepost left " + the + " as it is: " + why
		}
		if state, ok := strings.CutSuffix(rest, " in CalendarHero"); ok {
			if state == "gone" {
				return "The " + t.thing + " is gone in CalendarHero"
			}
			return "The " + t.thing + " was " + state + " in CalendarHero"
		}
		switch rest {
		case "created", "updated", "removed":
			return "Milepost " + rest + " " + the
		case "adopted":
			return "Milepost found " + the + " that it made before, and keeps it in step"
		case "no longer kept in step":
			return "Milepost no longer keeps " + the + " in step"
		}
	}
	if what == "" {
		return what
	}
	return strings.ToUpper(what[:1]) + what[1:]
}
