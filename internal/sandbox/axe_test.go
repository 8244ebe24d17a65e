package sandbox

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"milepost/internal/sandbox/fakehttp/fakehttptest"
	"milepost/internal/testenv"
)

// The page is checked on a phone, both sides of it, with everything in it that
// it can show.
func TestThePageOnAPhoneHasNoFaultThatAxeKnows(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: it starts a browser")
	}
	t.Parallel()
	chromium, dir := testenv.Browser(t), testenv.NodePackage(t, "testdata/axe")

	w := startWorld(t, func(c *WorldConfig) {
		c.Did = func(context.Context, string, string, string) Effect {
			return Effect{Outcome: "skipped", Detail: "its time has passed", At: time.Date(2027, 1, 15, 12, 0, 0, 0, time.UTC)}
		}
	})
	contact := "/contacts/" + w.HighLevel.Contacts()[0].ID
	task := w.HighLevel.Tasks("")[0].ID
	long := strings.Repeat("A description that is longer than its box.\n", 40)
	for _, form := range []struct {
		path   string
		values url.Values
	}{
		{"/fields", url.Values{"name": {"Renewal"}, "type": {"DATE"}}},
		{"/contacts", url.Values{"name": {"Ann Lee"}}},
		{contact + "/milestone", url.Values{"milestone": {"Closing"}, "date": {"2020-01-15"}}},
		{contact + "/tasks", url.Values{"title": {"Late"}, "body": {long}, "due": {"2020-01-10T09:30"}}},
		{contact + "/notes", url.Values{"body": {long}}},
		{contact + "/tags", url.Values{"tag": {"warm"}}},
		{"/tasks/" + task + "/complete", nil},
		{"/requests", url.Values{"name": {"Ann"}, "email": {"ann@lee.example"}, "subject": {"Consultation"}, "start": {"2027-01-15T09:30"}}},
		{"/requests", url.Values{"name": {"Bo"}, "email": {"bo@lee.example"}, "subject": {"Off"}, "start": {"2027-01-16T09:30"}}},
	} {
		if status, page := submit(t, w, form.path, form.values); status != http.StatusOK {
			t.Fatalf("%s answered %d: %s", form.path, status, page)
		}
	}
	fakehttptest.Must(t, w.CalendarHero.Cancel(w.CalendarHero.Requests()[0].ID))
	for _, subject := range []string{"Closing", "Inspection"} {
		body, err := json.Marshal(map[string]any{
			"subject": subject, "dateStart": "2027-02-01T15:00:00Z", "dateEnd": "2027-02-01T15:30:00Z",
			"contactEmails": []string{"jane@doe.example"}, "description": long,
		})
		fakehttptest.Must(t, err)
		req, err := http.NewRequest("POST", w.CalendarHeroURL+"/meeting/tasks", strings.NewReader(string(body)))
		fakehttptest.Must(t, err)
		req.Header.Set("Authorization", w.CalendarHeroToken)
		res, err := http.DefaultClient.Do(req)
		fakehttptest.Must(t, err)
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("the request answered %s", res.Status)
		}
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	check := exec.CommandContext(ctx, "node", dir+"/check.mjs", chromium, w.PageURL)
	check.WaitDelay = 10 * time.Second
	said, err := check.CombinedOutput()
	if err != nil || !strings.HasSuffix(string(said), "rules passed\n") {
		t.Errorf("axe found faults (%v):\n%s", err, said)
	}
}
