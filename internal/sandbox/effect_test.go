package sandbox

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/fakehttp/fakehttptest"
)

func TestARecordAndItsRequestLeadToEachOther(t *testing.T) {
	t.Parallel()
	var contact, request string
	w := startWorld(t, func(c *WorldConfig) {
		c.Did = func(_ context.Context, _, _, id string) Effect {
			if id != contact {
				return Effect{}
			}
			return Effect{Outcome: "done", Detail: "event created", At: time.Now(), Requests: []string{"of a contact", request}}
		}
	})
	booked, err := w.CalendarHero.BookByLink(calendarhero.Contact{Name: "Ann", Email: []string{"ann@lee.example"}}, "Consultation", time.Now().Add(time.Hour), time.Now().Add(2*time.Hour))
	fakehttptest.Must(t, err)
	contact, request = w.HighLevel.Contacts()[0].ID, booked.ID
	_, page := get(t, w.PageURL+"/")
	_, hero, _ := strings.Cut(page, `id="calendarhero"`)
	if n := strings.Count(page, `href="#request-`+request+`"`); n != 2 {
		t.Errorf("%d links to the request, want one in the record and one in what is latest", n)
	}
	if !strings.Contains(hero, `From HighLevel: <a href="#contact-`+contact+`"`) {
		t.Error("the request does not lead to its record")
	}
}

func TestThePageOfTheFakesAloneHasNoEmptyStrip(t *testing.T) {
	t.Parallel()
	if _, page := get(t, startWorld(t).PageURL+"/"); !strings.Contains(page, `<div id="latest" class="latest" data-live role="status"></div>`) {
		t.Error("the strip of what is latest is not empty, so it is shown")
	}
}

func TestWhatMilepostDidIsNotHiddenByTheLookAfterIt(t *testing.T) {
	var s effects
	r, at := record{"task", "t1", "Task"}, time.Date(2027, 1, 15, 12, 0, 0, 0, time.UTC)
	after := func(d time.Duration, outcome, detail string) Effect {
		return Effect{Outcome: outcome, Detail: detail, At: at.Add(d)}
	}
	for _, c := range []struct {
		now  Effect
		want string
	}{
		{after(0, "done", "task moved"), "task moved"},
		{after(time.Second, "unchanged", ""), "task moved"},
		{after(5*time.Second, "skipped", "it was written by Milepost itself"), "task moved"},
		{after(6*time.Second, "unchanged", "the new description waits"), "the new description waits"},
		{after(7*time.Second, "done", "task moved"), "task moved"},
		{after(time.Minute, "skipped", "task.completed is true"), "task.completed is true"},
	} {
		if got := s.shown(r, c.now); got.Detail != c.want {
			t.Errorf("after %s the page shows %q, want %q", c.now.At.Sub(at), got.Detail, c.want)
		}
	}
}

func TestThePageTellsOfARecordThatWasDeletedOnIt(t *testing.T) {
	t.Parallel()
	var deleted string
	w := startWorld(t, func(c *WorldConfig) {
		c.Did = func(_ context.Context, _, _, id string) Effect {
			if id != deleted {
				return Effect{}
			}
			return Effect{Outcome: "gone", Detail: "event removed", At: time.Now()}
		}
	})
	contact := w.HighLevel.Contacts()[0]
	task, note := w.HighLevel.Tasks("")[0], w.HighLevel.Notes(contact.ID)[0]
	for _, c := range []struct{ path, id, what string }{
		{"/notes/" + note.ID + "/delete", note.ID, "A note about " + contact.Name()},
		{"/tasks/" + task.ID + "/delete", task.ID, "Task: " + task.Title},
		{"/contacts/" + contact.ID + "/delete", contact.ID, contact.Name()},
	} {
		deleted = c.id
		_, page := submit(t, w, c.path, nil)
		_, latest, _ := strings.Cut(page, `id="latest"`)
		latest, _, _ = strings.Cut(latest, "<main>")
		if !strings.Contains(latest, "the record is deleted: event removed") || !strings.Contains(latest, c.what+"</span>") {
			t.Errorf("after %s the page tells of %s", c.path, latest)
		}
	}
}

func TestAFormThatIsNotTakenLeavesThePageAtItsPlaceWithoutScript(t *testing.T) {
	t.Parallel()
	w := startWorld(t)
	_, err := w.CalendarHero.BookByLink(calendarhero.Contact{Name: "Ann", Email: []string{"ann@lee.example"}}, "Consultation", time.Now().Add(time.Hour), time.Now().Add(2*time.Hour))
	fakehttptest.Must(t, err)
	_, page := get(t, w.PageURL+"/")
	actions := regexp.MustCompile(`<form method="post" action="([^"]*)"`).FindAllStringSubmatch(page, -1)
	if len(actions) < 50 {
		t.Fatalf("the page has %d forms", len(actions))
	}
	for _, action := range actions {
		_, place, _ := strings.Cut(action[1], "#")
		if place == "" || !strings.Contains(page, `id="`+place+`"`) {
			t.Errorf("%s leads to no place on the page", action[1])
		}
	}
}

func TestThePageCountsMoreMailsThanItLists(t *testing.T) {
	t.Parallel()
	w := startWorld(t)
	for range 26 {
		r, err := w.CalendarHero.Request("Closing", []string{"ann@lee.example"}, time.Now().Add(time.Hour), time.Now().Add(2*time.Hour))
		fakehttptest.Must(t, err)
		fakehttptest.Must(t, w.CalendarHero.Cancel(r.ID))
	}
	if _, page := get(t, w.PageURL+"/"); !strings.Contains(page, "Mails sent: 52<") || strings.Count(page, `class="kind `) != 50 {
		t.Error("the page does not count 52 mails and list 50")
	}
}
