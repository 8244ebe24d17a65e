package operate_test

import (
	"testing"

	"milepost/internal/operate"
)

func TestTheHistoryIsToldInSentences(t *testing.T) {
	for what, want := range map[string]string{
		"highlevel note created":                "Milepost created the note in HighLevel",
		"highlevel task updated":                "Milepost updated the task in HighLevel",
		"highlevel note adopted":                "Milepost found the note in HighLevel that it made before, and keeps it in step",
		"event created":                         "Milepost created the event in CalendarHero",
		"task removed":                          "Milepost removed the task in CalendarHero",
		"second event removed":                  "Milepost removed a second event in CalendarHero",
		"event moved in CalendarHero":           "The event was moved in CalendarHero",
		"task booked in CalendarHero":           "The task was booked in CalendarHero",
		"event gone in CalendarHero":            "The event is gone in CalendarHero",
		"contact left: somebody else made it":   "Milepost left the contact in CalendarHero as it is: somebody else made it",
		"note no longer kept in step":           "Milepost no longer keeps the note in step",
		"conflict: HighLevel's first name wins": "Both sides changed, and HighLevel's first name won",
		"contact filled in HighLevel":           "Milepost filled in empty fields of the contact in HighLevel",
		"task completed in HighLevel":           "Milepost completed the task in HighLevel",
		"tags written":                          "Milepost wrote tags in HighLevel",
		"reminder perhaps sent":                 "Milepost may have sent a reminder",
		"something of a later version":          "Something of a later version",
	} {
		if got := operate.Happening(what); got != want {
			t.Errorf("%q is told as %q, want %q", what, got, want)
		}
	}
}
