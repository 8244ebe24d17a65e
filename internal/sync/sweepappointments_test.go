package sync

import (
	"fmt"
	"strings"
	"testing"
	"time"

	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/testenv"
)

const visitNote = `
- name: Visit
  on: appointment.created
  do: [highlevel_note: { text: "Visit: {{ appointment.title }}" }]
`

// A new appointment leaves its contact as it is, so only its calendar shows one whose
// webhook was lost.
func TestASweepFindsANewAppointmentWhoseWebhookWasLost(t *testing.T) {
	testenv.Long(t)
	for _, calendars := range []int{1, 25} {
		t.Run(fmt.Sprint(calendars, " calendars"), func(t *testing.T) {
			b := setup(t, visitNote)
			b.cfg.Every = 15 * time.Minute
			b.start()
			jane := b.jane("")
			for i := range calendars {
				b.hl.SeedCalendar(location, hlfake.Calendar{ID: fmt.Sprint("cal", i), Name: fmt.Sprint("Showings ", i)})
			}
			visit := func(title string) {
				_, err := b.hl.SeedAppointment(hlfake.Appointment{ContactID: jane.ID, CalendarID: fmt.Sprint("cal", calendars-1), Title: title, Start: b.now().Add(48 * time.Hour)})
				b.must(err)
			}
			visit("before")
			b.pass(24 * time.Hour)
			last := b.now()
			sweep := func() (looks int) {
				b.pass(b.cfg.Every)
				b.hl.ResetCalls()
				_, err := b.reconciler.Sweep(t.Context(), location, location, last.Add(-5*time.Minute), false, nil)
				b.must(err)
				last = b.now()
				looks = b.hl.Calls()["GET /calendars/events"]
				b.workAll()
				return looks
			}
			rounds := (calendars + 9) / 10
			for range rounds {
				sweep()
			}
			visit("lost")
			for range rounds {
				if n := sweep(); n > 10 {
					t.Errorf("a sweep looked at %d calendars", n)
				}
			}
			if got := b.noteBodies(jane.ID); len(got) != 1 || !strings.Contains(got[0], "Visit: lost") {
				t.Errorf("the notes are %q", got)
			}
			for range rounds {
				sweep()
				if n := b.hl.Calls()["GET /calendars/events/appointments/{eventId}"]; n != 0 {
					t.Errorf("in step, %d appointments are read", n)
				}
			}
		})
	}
}
