package sandbox

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/fakehttp/fakehttptest"
)

func startWorld(t *testing.T, changes ...func(*WorldConfig)) *World {
	t.Helper()
	config := WorldConfig{Clock: fakehttptest.NewClock().Now}
	for _, change := range changes {
		change(&config)
	}
	w, err := Start(t.Context(), config)
	fakehttptest.Must(t, err)
	t.Cleanup(w.Close)
	return w
}

func get(t *testing.T, address string) (int, string) {
	t.Helper()
	res, err := http.Get(address)
	fakehttptest.Must(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	fakehttptest.Must(t, err)
	return res.StatusCode, string(body)
}

// submit posts a form as the page does and follows to the page.
func submit(t *testing.T, w *World, path string, form url.Values) (int, string) {
	t.Helper()
	res, err := http.PostForm(w.PageURL+path, form)
	fakehttptest.Must(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	fakehttptest.Must(t, err)
	return res.StatusCode, string(body)
}

func TestAWorldHasPeopleAndDatesAhead(t *testing.T) {
	w := startWorld(t)
	contacts := w.HighLevel.Contacts()
	if len(contacts) < 4 || len(contacts) > 6 || len(w.Users) != 2 || w.Location.Name != "Northwind Realty" {
		t.Fatalf("%d contacts, users %v, location %v", len(contacts), w.Users, w.Location)
	}
	withoutEmail := 0
	now := fakehttptest.NewClock().Now()
	for _, c := range contacts {
		if c.Email == "" {
			withoutEmail++
		}
		if milestone, date := w.Milestone(c); milestone != "" && date <= now.Format(time.DateOnly) {
			t.Errorf("%s of %s is on %s", milestone, c.Name(), date)
		}
	}
	for _, task := range w.HighLevel.Tasks("") {
		if !task.DueDate.After(now) {
			t.Errorf("%s is due %s", task.Title, task.DueDate)
		}
	}
	if withoutEmail != 1 || len(w.HighLevel.Sent()) != 0 {
		t.Errorf("%d contacts without e-mail, %d webhooks", withoutEmail, len(w.HighLevel.Sent()))
	}
	if w.MilestoneField.FieldKey != "contact.milestone" || w.DateField.FieldKey != "contact.milestone_date" {
		t.Errorf("fields %v, %v", w.MilestoneField, w.DateField)
	}
}

func TestAWorldServesBothFakes(t *testing.T) {
	w := startWorld(t)
	req, err := http.NewRequest("GET", w.HighLevelURL+"/locations/"+w.Location.ID, nil)
	fakehttptest.Must(t, err)
	req.Header.Set("Authorization", "Bearer "+w.HighLevelToken)
	req.Header.Set("Version", "2021-07-28")
	hero, err := http.NewRequest("GET", w.CalendarHeroURL+"/user", nil)
	fakehttptest.Must(t, err)
	hero.Header.Set("Authorization", w.CalendarHeroToken)
	for _, req := range []*http.Request{req, hero} {
		res, err := http.DefaultClient.Do(req)
		fakehttptest.Must(t, err)
		res.Body.Close()
		if res.StatusCode != 200 {
			t.Errorf("%s answered %d", req.URL, res.StatusCode)
		}
	}
}

func TestAWorldListensOnLoopbackOnly(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0"} {
		if w, err := Start(t.Context(), WorldConfig{PageAddr: addr}); err == nil {
			w.Close()
			t.Errorf("it listens on %s", addr)
		}
	}
}

func TestAWorldEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w, err := Start(ctx, WorldConfig{Empty: true})
	fakehttptest.Must(t, err)
	if len(w.HighLevel.Contacts()) != 0 {
		t.Error("an empty world has contacts")
	}
	cancel()
	w.serving.Wait()
	w.Close()
	w.Close()
}

func TestThePageShowsBothSides(t *testing.T) {
	w := startWorld(t)
	status, page := get(t, w.PageURL+"/")
	for _, want := range []string{
		"Northwind Realty", "Priya Raman", "Home inspection", "Saturday, November 28, 2026", "Confirm the inspector", "America/New_York",
		"Featherstonehaugh-Wolfeschlegelsteinhausen", "No e-mail address", "The calendar is empty.", "CalendarHero has sent no mail.",
		"No webhook sent yet.", "came in above the asking price",
	} {
		if status != 200 || !strings.Contains(page, want) {
			t.Errorf("the page (%d) does not show %q", status, want)
		}
	}
	for _, asset := range []string{"/page.css", "/page.js"} {
		if status, body := get(t, w.PageURL+asset); status != 200 || body == "" {
			t.Errorf("%s answered %d", asset, status)
		}
	}
}

func TestEveryInputOfThePageHasALabelAndEveryIDIsUnique(t *testing.T) {
	w := startWorld(t)
	_, page := get(t, w.PageURL+"/")
	var ids []string
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if slices.Contains(ids, m[1]) {
			t.Errorf("id %s is there twice", m[1])
		}
		ids = append(ids, m[1])
	}
	for _, field := range regexp.MustCompile(`<(input|select|textarea)[^>]*>`).FindAllString(page, -1) {
		if strings.Contains(field, `type="hidden"`) {
			continue
		}
		id := regexp.MustCompile(` id="([^"]*)"`).FindStringSubmatch(field)
		if id == nil || !strings.Contains(page, `<label for="`+id[1]+`"`) {
			t.Errorf("no label for %s", field)
		}
	}
	if strings.Contains(page, "style=") || strings.Contains(page, "//cdn") || regexp.MustCompile(`(src|href)="https?:`).MatchString(page) {
		t.Error("the page asks for something its policy forbids")
	}
}

func TestTheFormsOfThePageDoWhatTheySay(t *testing.T) {
	w := startWorld(t)
	contact := w.HighLevel.Contacts()[0]
	at := "/contacts/" + contact.ID
	task, note := w.HighLevel.Tasks(contact.ID)[0], w.HighLevel.Notes(contact.ID)[0]
	for _, tc := range []struct {
		path  string
		form  url.Values
		event string // "" = none
		holds func() bool
	}{
		{at + "/milestone", url.Values{"milestone": {"Closing"}, "date": {"2027-01-15"}}, "ContactUpdate", func() bool {
			c, _ := w.HighLevel.Contact(contact.ID)
			milestone, date := w.Milestone(c)
			return milestone == "Closing" && date == "2027-01-15"
		}},
		{at + "/tags", url.Values{"tag": {"Warm"}}, "ContactTagUpdate", func() bool { return slices.Contains(w.HighLevel.Tags(contact.ID), "warm") }},
		{at + "/tags/remove", url.Values{"tag": {"warm"}}, "ContactTagUpdate", func() bool { return !slices.Contains(w.HighLevel.Tags(contact.ID), "warm") }},
		{at + "/tasks", url.Values{"title": {"Fresh"}, "due": {"2027-01-10T09:30"}}, "TaskCreate", func() bool {
			tasks := w.HighLevel.Tasks(contact.ID)
			return tasks[len(tasks)-1].DueDate.Equal(time.Date(2027, 1, 10, 14, 30, 0, 0, time.UTC))
		}},
		{"/tasks/" + task.ID, url.Values{"title": {"Other"}, "body": {"b"}, "due": {"2027-01-11T09:30"}}, "", func() bool {
			got, _ := w.HighLevel.Task(task.ID)
			return got.Title == "Other" && got.Body == "b"
		}},
		{"/tasks/" + task.ID + "/complete", nil, "TaskComplete", func() bool { got, _ := w.HighLevel.Task(task.ID); return got.Completed }},
		{"/tasks/" + task.ID + "/reopen", nil, "", func() bool { got, _ := w.HighLevel.Task(task.ID); return !got.Completed }},
		{"/tasks/" + task.ID + "/delete", nil, "TaskDelete", func() bool { _, ok := w.HighLevel.Task(task.ID); return !ok }},
		{at + "/notes", url.Values{"body": {"Fresh"}}, "NoteCreate", func() bool { return len(w.HighLevel.Notes(contact.ID)) == 2 }},
		{"/notes/" + note.ID, url.Values{"body": {"Other"}}, "NoteUpdate", func() bool { got, _ := w.HighLevel.Note(note.ID); return got.Body == "Other" }},
		{"/notes/" + note.ID + "/delete", nil, "NoteDelete", func() bool { _, ok := w.HighLevel.Note(note.ID); return !ok }},
		{"/contacts", url.Values{"name": {"Ann Lee"}, "email": {"ann@lee.example"}}, "ContactCreate", func() bool { return len(w.HighLevel.Contacts()) == 6 }},
		{at + "/delete", nil, "ContactDelete", func() bool { _, ok := w.HighLevel.Contact(contact.ID); return !ok }},
	} {
		before := len(w.HighLevel.Sent())
		status, _ := submit(t, w, tc.path, tc.form)
		sent := w.HighLevel.Sent()[before:]
		if status != 200 || !tc.holds() {
			t.Errorf("%s answered %d and did not do it", tc.path, status)
		}
		if len(sent) > 1 || len(sent) == 1 && sent[0].Type != tc.event || len(sent) == 0 && tc.event != "" {
			t.Errorf("%s sent %v, want %q", tc.path, sent, tc.event)
		}
	}
}

func TestThePageBooksAndMovesMeetings(t *testing.T) {
	w := startWorld(t)
	booking := url.Values{"name": {"Ann Lee"}, "email": {"Ann@lee.example"}, "subject": {"Consultation"}, "start": {"2027-01-15T09:30"}}
	if status, page := submit(t, w, "/requests", booking); status != 200 || !strings.Contains(page, "With ann@lee.example") {
		t.Fatalf("the booking answered %d", status)
	}
	id := w.CalendarHero.Requests()[0].ID
	status, page := submit(t, w, "/requests/"+id+"/move", url.Values{"start": {"2027-01-16T11:00"}})
	if got := w.CalendarHero.Requests()[0].Start; status != 200 || !got.Equal(time.Date(2027, 1, 16, 16, 0, 0, 0, time.UTC)) || !strings.Contains(page, "at another time than requested") {
		t.Errorf("the move answered %d, and it is at %s", status, got)
	}
}

func TestThePageSaysWhyAFormWasNotTaken(t *testing.T) {
	w := startWorld(t)
	contact := w.HighLevel.Contacts()[0].ID
	for path, want := range map[string]string{
		"/contacts": "A contact needs a name.", "/contacts/" + contact + "/tasks": "A task needs a title.",
		"/contacts/" + contact + "/notes": "A note needs some text.", "/tasks/gone/complete": "no task",
		"/requests/0123/accept": "no such live request", "/requests/0123/move": "Enter a date and a time.", "/requests": "Enter a date and a time.",
	} {
		if status, page := submit(t, w, path, nil); status != 422 || !strings.Contains(page, want) {
			t.Errorf("%s answered %d without %q", path, status, want)
		}
	}
}

func TestThePageRefusesForeignPostsAndNames(t *testing.T) {
	w := startWorld(t)
	target := w.PageURL + "/contacts/" + w.HighLevel.Contacts()[0].ID + "/delete"
	for name, change := range map[string]func(*http.Request){
		"another origin":       func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"another site":         func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"another port's page":  func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"a rebound name":       func(r *http.Request) { r.Host = "evil.example" },
		"a rebound name, port": func(r *http.Request) { r.Host = "evil.example:80" },
	} {
		req, err := http.NewRequest("POST", target, nil)
		fakehttptest.Must(t, err)
		change(req)
		res, err := http.DefaultClient.Do(req)
		fakehttptest.Must(t, err)
		res.Body.Close()
		if res.StatusCode != 403 {
			t.Errorf("a post from %s answered %d", name, res.StatusCode)
		}
	}
	if len(w.HighLevel.Contacts()) != 5 {
		t.Error("a refused post deleted a contact")
	}
	res, err := http.Get(w.PageURL)
	fakehttptest.Must(t, err)
	res.Body.Close()
	if policy := res.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %q", policy)
	}
}

func TestThePageTellsOfChanges(t *testing.T) {
	w := startWorld(t)
	res, err := http.Get(w.PageURL + "/events")
	fakehttptest.Must(t, err)
	defer res.Body.Close()
	buffer := make([]byte, 256)
	read := func() string {
		n, err := res.Body.Read(buffer)
		fakehttptest.Must(t, err)
		return string(buffer[:n])
	}
	if first := read(); !strings.HasPrefix(first, "retry:") {
		t.Errorf("the stream begins with %q", first)
	}
	// The stream takes its channels after the greeting, so a single change
	// could come too early; one of a row of them cannot.
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			default:
				w.HighLevel.Changes().Changed()
				runtime.Gosched()
			}
		}
	}()
	if event := read(); !strings.Contains(event, "data: changed") {
		t.Errorf("after a change came %q", event)
	}
}

func TestWaitingEndsWhenTheConditionHolds(t *testing.T) {
	w := startWorld(t)
	id := w.HighLevel.Contacts()[0].ID
	done := make(chan error)
	go func() {
		done <- w.WaitFor(t.Context(), func() bool {
			return slices.Contains(w.HighLevel.Tags(id), "seen") && len(w.CalendarHero.Contacts()) == 2
		})
	}()
	fakehttptest.Must(t, w.HighLevel.AddTags(id, "seen"))
	_, err := w.CalendarHero.SeedContact(calendarhero.Contact{Name: "A", Email: []string{"a@b.example"}})
	fakehttptest.Must(t, err)
	fakehttptest.Must(t, <-done)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if w.WaitFor(ctx, func() bool { return false }) == nil {
		t.Error("waiting outlived its context")
	}
}

func TestThePageSaysWhatMilepostDidAndThatAPastDateRemovesTheEvent(t *testing.T) {
	w := startWorld(t, func(c *WorldConfig) {
		c.Did = func(_ context.Context, locationID, kind, _ string) Effect {
			if locationID == "" || kind != "task" {
				return Effect{}
			}
			return Effect{Outcome: "skipped", Detail: "its time has passed", At: time.Date(2027, 1, 15, 12, 0, 0, 0, time.UTC)}
		}
	})
	if _, page := get(t, w.PageURL+"/"); !strings.Contains(page, "Milepost: skipped: its time has passed") || !strings.Contains(page, `id="latest"`) {
		t.Error("the page does not say what Milepost did")
	}
	id := w.HighLevel.Contacts()[0].ID
	if status, page := submit(t, w, "/contacts/"+id+"/milestone", url.Values{"milestone": {w.MilestoneField.Options[0]}, "date": {"2020-01-02"}}); status != 200 || !strings.Contains(page, "This day has passed, so Milepost removes the event, or creates none.") {
		t.Errorf("%d: a day that has passed is not said", status)
	}
}

func TestACustomFieldIsAddedAndFilledOnThePage(t *testing.T) {
	w := startWorld(t)
	if status, _ := submit(t, w, "/fields", url.Values{"name": {"Renewal Date"}, "type": {"DATE"}}); status != 200 {
		t.Fatalf("adding a field answers %d", status)
	}
	for _, wrong := range []url.Values{{"name": {"Renewal date"}, "type": {"DATE"}}, {"name": {" "}, "type": {"TEXT"}}, {"name": {"X"}, "type": {"SHOE"}}} {
		if status, _ := submit(t, w, "/fields", wrong); status != 422 {
			t.Errorf("%v answers %d, want 422", wrong, status)
		}
	}
	id := w.HighLevel.Contacts()[0].ID
	if status, page := submit(t, w, "/contacts/"+id+"/fields", url.Values{"field": {"contact.renewal_date"}, "value": {"2027-02-03"}}); status != 200 || !strings.Contains(page, "2027-02-03") {
		t.Errorf("filling it answers %d", status)
	}
}

func TestThePageSaysWhyWebhooksWait(t *testing.T) {
	t.Parallel()
	w := startWorld(t)
	var silent atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		if silent.Load() {
			panic(http.ErrAbortHandler)
		}
		rw.WriteHeader(http.StatusUnauthorized)
	}))
	defer server.Close()
	w.HighLevel.SetWebhookURL(server.URL)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for _, want := range []string{"Milepost answered 401", "Milepost does not answer"} {
		fakehttptest.Must(t, w.HighLevel.AddTags(w.HighLevel.Contacts()[0].ID, want))
		if err := w.WaitFor(ctx, func() bool {
			return strings.Contains(w.webhookLine(), "waiting, because "+want+". HighLevel sends them again")
		}); err != nil {
			t.Errorf("%v: the page says %q, want %q", err, w.webhookLine(), want)
		}
		silent.Store(true)
	}
}
