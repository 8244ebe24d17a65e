package catalog_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/internal/catalog"
	chfake "milepost/internal/sandbox/calendarhero"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/testenv"
	"milepost/internal/testenv/reference"
)

var now = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// The records of the examples.
const (
	locationID = "ve9EPM428h8vShlRW1KT"
	companyID  = "5DP41231LkQsiKESj6rh"
	contactID  = "ocQHyuzHvysMo5N5VsXc"
	userID     = "082goXVW3lIExEQPOnd3"
	pipelineID = "bCkKGpDsyPP4peuKowkG"
	stageID    = "7915dedc-8f18-44d5-8bc3-77c04e994a10"
	calendarID = "BqTwX8QFwXzpegMve9EQ"
	groupID    = "ca6NqaSKUhwIMXoVrQZ1"
	eventID    = "rWQ709Q9sEhzc9bdmQ5R"
	fieldID    = "6dvNaf7VhkQ9snc5vnjJ"
	businessID = "63b7ec34ea409a9a8bd2a4ff"
	campaignID = "Y2I9XM7aO1hncuSOlc9L"
)

// highLevelWorld is a fake with the records that the examples name.
func highLevelWorld(t *testing.T) *hlfake.Server {
	t.Helper()
	fake := hlfake.New(hlfake.Config{Clock: func() time.Time { return now }, Token: "location-token", LocationIDs: []string{locationID}})
	t.Cleanup(fake.Close)
	fake.AddAgencyToken("agency-token", companyID)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	fake.SeedLocation(hlfake.Location{ID: locationID, CompanyID: companyID, Name: "Here", TimeZone: "America/New_York"},
		[]hlfake.User{{ID: userID, FirstName: "Dana", LastName: "Whitfield", Email: "dana@here.example"}},
		[]hlfake.CustomField{{ID: fieldID, Name: "Milestone", DataType: "TEXT"}, {Name: "Milestone", DataType: "TEXT", Model: "opportunity"}})
	fake.SeedLocation(hlfake.Location{ID: "anotherLocation00001", CompanyID: companyID, Name: "There"}, []hlfake.User{{FirstName: "Dana", LastName: "Other"}}, nil)
	_, err := fake.SeedContact(hlfake.Contact{ID: contactID, LocationID: locationID, FirstName: "Jane", LastName: "Doe", Email: "jane@doe.example", Phone: "+12125550199"})
	must(err)
	_, err = fake.SeedTask(hlfake.Task{ID: "hxHGVRb1YJUscrCB8eXK", ContactID: contactID, Title: "Call Jane", DueDate: now})
	must(err)
	_, err = fake.SeedNote(hlfake.Note{ID: "otg8dTQqGLh3Q6iQI55w", ContactID: contactID, Body: "Wants a garden"})
	must(err)
	_, err = fake.SeedAppointment(hlfake.Appointment{ID: eventID, ContactID: contactID, CalendarID: calendarID, GroupID: groupID, Title: "Viewing", Start: now.Add(48 * time.Hour)})
	must(err)
	fake.SeedAppointmentNote(eventID, hlfake.AppointmentNote{ID: "aN5nOt9dQqGLh3Q6iQI5", Body: "Came early"})
	fake.SeedBlockedSlot(hlfake.Appointment{ID: "bL0cK9Q9sEhzc9bdmQ5R", LocationID: locationID, CalendarID: calendarID, Title: "Holiday", Start: now.Add(72 * time.Hour)})
	fake.SeedPipeline(locationID, hlfake.Pipeline{ID: pipelineID, Name: "Sales", Stages: []hlfake.Stage{{ID: stageID, Name: "New"}}})
	_, err = fake.SeedOpportunity(hlfake.Opportunity{ID: "yWQobCRIhRguQtD2llvk", ContactID: contactID, Name: "House on Main St", PipelineID: pipelineID})
	must(err)
	fake.SeedLostReason(locationID, hlfake.LostReason{ID: "CLu7BaljjqrEjBGKTNNe", Name: "Too expensive"})
	fake.SeedCalendarGroup(locationID, hlfake.CalendarGroup{ID: groupID, Name: "Sales"})
	fake.SeedCalendar(locationID, hlfake.Calendar{ID: calendarID, Name: "Viewings", GroupID: groupID, UserIDs: []string{userID}})
	fake.SeedWorkflow(locationID, hlfake.Workflow{ID: "78559bb3-b920-461e-b010-7b2a2816d2a9", Name: "Nurture"})
	fake.SeedCampaign(locationID, hlfake.Campaign{ID: campaignID, Name: "Spring"})
	fake.SeedBusiness(locationID, hlfake.Business{ID: businessID, Fields: map[string]string{"name": "Doe & Co"}})
	fake.SeedTemplate(locationID, hlfake.Template{ID: "tMpL8TQqGLh3Q6iQI55w", Name: "Welcome", Type: "email"})
	fake.SeedRecurringTask(locationID, hlfake.RecurringTask{
		ID: "sx6wyHhbFdRXh302Lunr", Title: "Ring Jane",
		Rule: map[string]any{"intervalType": "weekly", "interval": 1, "startDate": "2026-12-04T15:00:00.000Z", "dueAfterSeconds": 86400},
	})
	fake.SeedCustomValue(locationID, hlfake.CustomValue{ID: "kOBjMVAJhFuUeYIojVet", Name: "Slogan", Value: "Home."})
	fake.SeedLocationTag(locationID, "flGwEuzsfJOia1i1ikRN", "investor")
	client := highlevel.New(highlevel.Config{BaseURL: "http://fake", Tokens: highlevel.StaticTokens("location-token"), HTTP: &http.Client{Transport: direct{fake}}})
	must(client.AddToCampaign(t.Context(), contactID, campaignID))
	return fake
}

// calendarHeroWorld is a fake with the records that the examples name, and the ids
// that it made for them.
func calendarHeroWorld(t *testing.T) (*chfake.Server, map[string]any) {
	t.Helper()
	fake := chfake.New(chfake.Config{
		Clock: func() time.Time { return now }, Token: "account-token", ProviderSecret: "ya29.pr0vider",
		User: chfake.User{ID: "5f1a2b3c4d5e6f7a8b9c0d20", Name: "Dana", Email: "dana@here.example", TimeZone: "America/New_York"},
	})
	t.Cleanup(fake.Close)
	if _, err := fake.SeedContact(chfake.Contact{ID: "5f1a2b3c4d5e6f7a8b9c0d1e", Name: "Jane Doe", Email: []string{"jane@doe.example"}}); err != nil {
		t.Fatal(err)
	}
	request, err := fake.Request("Closing", []string{"jane@doe.example"}, now.Add(48*time.Hour), now.Add(49*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := fake.SetHook("meeting_started", "https://hooks.example/s3cret"); err != nil {
		t.Fatal(err)
	}
	made := map[string]any{"/meeting/tasks/{id}": request.ID, "/meeting/tasks/{id}/remind": request.ID}
	client := calendarhero.New(calendarhero.Config{BaseURL: "http://fake", Token: "account-token", HTTP: &http.Client{Transport: direct{fake}}})
	directory, err := client.CreateDirectory(t.Context(), calendarhero.Directory{Name: "Sales"})
	if err != nil {
		t.Fatal(err)
	}
	made["/user/directories/{uuid}"] = directory
	return fake, made
}

// direct hands requests to a handler without a network.
type direct struct{ to http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody // as a server has it
	}
	d.to.ServeHTTP(w, r)
	return w.Result(), nil
}

// wireTap notes which operations of a vendor go over the wire.
type wireTap struct {
	t      *testing.T
	vendor string
	next   http.RoundTripper
	mu     sync.Mutex
	called map[string]int
}

func (w *wireTap) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e, ok := catalog.Match(w.vendor, r.Method, r.URL.Path); ok {
		w.called[e.Name]++
	} else {
		w.t.Errorf("%s %s is called, and listed nowhere", r.Method, r.URL.Path)
	}
	return w.next.RoundTrip(r)
}

func (w *wireTap) compare(all []catalog.Entry) {
	w.t.Helper()
	for _, e := range all {
		if w.called[e.Name] == 0 {
			w.t.Errorf("%s was not called", e.Name)
		}
	}
}

// ways are the fields with which an operation is called: its example, and with all
// of its fields. Those of without go with no other.
func ways(e catalog.Entry, without ...string) []map[string]any {
	all := map[string]any{}
	for _, f := range e.Fields {
		if f.Filled == "" && !slices.Contains(without, f.Name) {
			all[f.Name] = f.Example
		}
	}
	return []map[string]any{e.Example, all}
}

// alone are the optional fields that the vendor refuses beside others.
var alone = map[string][]string{
	"highlevel.create_block_slot":         {"assignedUserId"}, // not beside calendarId
	"highlevel.update_block_slot":         {"assignedUserId"},
	"highlevel.search_contacts":           {"page"}, // not beside searchAfter
	"calendarhero.list_contacts":          {"filter"},
	"calendarhero.create_meeting_request": {"contacts"},
	"calendarhero.list_meeting_requests":  {"tally"},
}

func TestEveryOperationWorksInTheSandboxThroughTheCatalogue(t *testing.T) {
	callHighLevel(t, func(next http.RoundTripper) http.RoundTripper { return next })
}

func TestEveryRequestAndAnswerIsAsHighLevelDocumentsIt(t *testing.T) {
	testenv.Long(t)
	contract := reference.HighLevelContract(t)
	callHighLevel(t, contract.Transport)
}

func callHighLevel(t *testing.T, through func(http.RoundTripper) http.RoundTripper) {
	all := operations(t, catalog.HighLevel)
	tap := &wireTap{t: t, vendor: catalog.HighLevel, called: map[string]int{}}
	for _, e := range all {
		for i, fields := range ways(e, alone[e.Name]...) {
			tap.next = through(direct{highLevelWorld(t)})
			token := "location-token"
			if e.Agency {
				token = "agency-token"
			}
			client := highlevel.New(highlevel.Config{BaseURL: "http://fake", Tokens: highlevel.StaticTokens(token), HTTP: &http.Client{Transport: tap}})
			answer, err := client.Call(t.Context(), e, locationID, fields)
			if err != nil {
				t.Errorf("%s %s: %v", e.Name, []string{"with its example", "with all fields"}[i], err)
			}
			if strings.Contains(string(answer), "anotherLocation") {
				t.Errorf("%s answers with another location: %s", e.Name, answer)
			}
		}
	}
	tap.compare(all)
}

func TestEveryCalendarHeroOperationWorksInTheSandboxThroughTheCatalogue(t *testing.T) {
	all := operations(t, catalog.CalendarHero)
	tap := &wireTap{t: t, vendor: catalog.CalendarHero, called: map[string]int{}}
	for _, e := range all {
		for i, fields := range ways(e, alone[e.Name]...) {
			fake, made := calendarHeroWorld(t)
			tap.next = direct{fake}
			client := calendarhero.New(calendarhero.Config{BaseURL: "http://fake", Token: "account-token", HTTP: &http.Client{Transport: tap}})
			if id := made[e.Path]; id != nil {
				fields = maps.Clone(fields)
				for _, f := range e.Fields {
					if f.Where == catalog.InPath {
						fields[f.Name] = id
					}
				}
			}
			answer, err := client.Call(t.Context(), e, fields)
			if err != nil {
				t.Errorf("%s %s: %v", e.Name, []string{"with its example", "with all fields"}[i], err)
			}
			if answer != nil && !json.Valid(answer) || strings.Contains(string(answer), "pr0vider") || strings.Contains(string(answer), "s3cret") {
				t.Errorf("%s answers %s", e.Name, answer)
			}
		}
	}
	tap.compare(all)
}

func TestEveryOperationNeedsTheScopesThatItNamesAndNoOther(t *testing.T) {
	for _, e := range operations(t, catalog.HighLevel) {
		if e.Agency {
			continue // the sandbox limits no agency's token
		}
		fake := highLevelWorld(t)
		client := highlevel.New(highlevel.Config{BaseURL: "http://fake", Tokens: highlevel.StaticTokens("location-token"), HTTP: &http.Client{Transport: direct{fake}}})
		own := e.Scopes[0]
		fake.LimitToken("location-token", slices.DeleteFunc(slices.Clone(hlfake.AllScopes), func(scope string) bool { return scope == own })...)
		_, err := client.Call(t.Context(), e, locationID, e.Example)
		if clients.ReasonOf(err) != clients.Forbidden || !strings.HasSuffix(err.Error(), "give the token the scope "+own) {
			t.Errorf("%s without %s: %v", e.Name, own, err)
		}
		fake.LimitToken("location-token", e.Scopes...)
		if _, err := client.Call(t.Context(), e, locationID, e.Example); err != nil {
			t.Errorf("%s with %v: %v", e.Name, e.Scopes, err)
		}
	}
}

// broken answers every request with 502.
type broken struct{ requests int }

func (b *broken) RoundTrip(r *http.Request) (*http.Response, error) {
	b.requests++
	return &http.Response{StatusCode: http.StatusBadGateway, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

func TestAnOperationIsRepeatedOnlyIfThatDoesNoHarm(t *testing.T) {
	atOnce := func(int) time.Duration { return 0 }
	for _, e := range append(operations(t, catalog.HighLevel), operations(t, catalog.CalendarHero)...) {
		vendor := &broken{}
		var err error
		if e.Vendor == catalog.HighLevel {
			client := highlevel.New(highlevel.Config{BaseURL: "http://fake", Tokens: highlevel.StaticTokens("t"), HTTP: &http.Client{Transport: vendor}, RetryWait: atOnce})
			_, err = client.Call(t.Context(), e, locationID, e.Example)
		} else {
			client := calendarhero.New(calendarhero.Config{BaseURL: "http://fake", Token: "t", HTTP: &http.Client{Transport: vendor}, RetryWait: atOnce})
			_, err = client.Call(t.Context(), e, e.Example)
		}
		reason, tries := clients.Unavailable, 3
		if !e.Repeat {
			reason, tries = clients.Unclear, 1
		}
		if clients.ReasonOf(err) != reason || vendor.requests != tries {
			t.Errorf("%s: %v after %d tries, want %s after %d", e.Name, err, vendor.requests, reason, tries)
		}
		if e.Method == http.MethodPost && e.Repeat && e.Effect != catalog.Read && !slices.Contains(repeatablePosts, e.Name) {
			t.Errorf("%s is a POST that changes something: say here why it can be repeated", e.Name)
		}
	}
}

// repeatablePosts change sets, or a value that is the same the second time.
var repeatablePosts = []string{
	"highlevel.add_tags", "highlevel.change_tags_of_contacts", "highlevel.set_business_of_contacts",
	"highlevel.add_followers_to_contact", "highlevel.add_followers_to_opportunity", "calendarhero.set_webhook",
}

func TestARecordThatIsNotThereIsNotFound(t *testing.T) {
	for _, e := range operations(t, catalog.HighLevel) {
		last := ""
		for _, f := range e.Fields {
			if f.Where == catalog.InPath && f.Filled == "" && f.Values == nil {
				last = f.Name
			}
		}
		if last == "" || slices.Contains(takesAnyID, e.Name) {
			continue
		}
		fields := maps.Clone(e.Example)
		fields[last] = "none0000000000000001"
		client := highlevel.New(highlevel.Config{BaseURL: "http://fake", Tokens: highlevel.StaticTokens("location-token"), HTTP: &http.Client{Transport: direct{highLevelWorld(t)}}})
		if _, err := client.Call(t.Context(), e, locationID, fields); clients.ReasonOf(err) != clients.NotFound {
			t.Errorf("%s of an unknown %s: %v", e.Name, last, err)
		}
	}
}

// takesAnyID are the operations whose id the sandbox cannot know to be wrong.
var takesAnyID = []string{"highlevel.list_contacts_of_business", "highlevel.add_contact_to_campaign"}
