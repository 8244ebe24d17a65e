package e2e_test

import (
	"slices"
	"testing"
	"time"

	"milepost/internal/operate"
	"milepost/internal/sandbox/fakehttp"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/internal/testenv"
)

// CalendarHero rejects what it is sent: a person finds the cause under Attention. Once that is
// put right, its records are replayed after a dry run, and it closes by itself. A plain run
// leaves it to CI, and plays TestTheFirstStepsInABrowser alone.
func TestWhatBreaksIsFoundRetriedAndCloses(t *testing.T) {
	testenv.InCI(t)
	s := newStage(t, connected)
	s.world.HighLevel.SetWebhookURL(s.PublicURL() + "/webhooks/highlevel")
	st, err := store.OpenSQLite(s.limit, s.data)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	open := func() (list []operate.Concern) {
		found, err := operate.New(operate.Config{Store: st}).Attention(s.limit)
		if err != nil && s.limit.Err() == nil {
			t.Error(err)
		}
		return slices.DeleteFunc(found.Concerns, func(c operate.Concern) bool { return c.Cause.Vendor != "CalendarHero" })
	}
	browse := func(step string) {
		t.Helper()
		if said, err := s.play("attention.mjs", []string{"ADMIN_TOKEN=" + stageToken}, s.AdminURL(), step); err != nil || said != step {
			t.Fatalf("%s: the browser found faults (%v):\n%s\nopen are %+v", step, err, said, open())
		}
	}

	s.world.CalendarHero.Faults().Next("POST /*", -1, fakehttp.Say(422, `{"message":"the name is blocked"}`))
	if _, err := s.world.HighLevel.CreateContact(hlfake.Contact{LocationID: s.world.Location.ID, FirstName: "Nora", Email: "nora@example.com"}); err != nil {
		t.Fatal(err)
	}
	becomes := func(what string, holds func() bool) {
		t.Helper()
		for ; !holds(); time.Sleep(50 * time.Millisecond) { // between looks
			if s.limit.Err() != nil {
				t.Fatalf("it never came that %s\nthe log: %s", what, &s.log)
			}
		}
	}
	becomes("something needs attention", func() bool { return len(open()) > 0 })
	browse("found")
	s.world.CalendarHero.Faults().Clear()
	browse("retried")
	becomes("it closes", func() bool { return len(open()) == 0 })
}
