package calendarhero_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milepost/clients"
	"milepost/clients/calendarhero"
	"milepost/internal/catalog"
	chfake "milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/fakehttp"
)

// documented lists all operations of CalendarHero's API, and whether the client has a call
// for them. The bodies of the others are undocumented.
var documented = map[string]bool{
	"POST /meeting/tasks": true, "GET /meeting/tasks": true, "DELETE /meeting/tasks/{id}": true, "PUT /meeting/tasks/{id}/remind": true,
	"GET /meeting": true, "GET /meeting/categories": true,
	"GET /contact": true, "POST /contact": true, "GET /contact/{id}": true, "PUT /contact/{id}": true, "DELETE /contact/{id}": true, "GET /contact/count": true,
	"POST /webhook/{event}": true, "GET /webhook/{event}": true, "DELETE /webhook/{event}": true, "GET /webhook/{event}/sample": true,
	"GET /user/meeting": true, "DELETE /user/meeting/{type}": true,
	"PUT /user/meeting": false, "POST /user/meeting/{type}": false, "POST /user/meeting/{type}/share": false, "GET /user/calendly": false,
	"GET /user": true, "GET /user/org": true, "GET /user/savings": true,
	"PUT /user": false, "PUT /user/settings/info": false, "PUT /user/settings/address": false, "PUT /user/settings/worklocation": false, "PUT /user/settings/restrictedapps": false,
	"GET /user/directories": true, "POST /user/directories": true, "GET /user/directories/{uuid}": true, "PUT /user/directories/{uuid}": true, "DELETE /user/directories/{uuid}": true,
	"GET /provider": true, "POST /msg/web": false, "GET /msg/web": false, "GET /search": false, "GET /search/{id}": false,
}

// against returns a sandbox and a client for it.
func against(t *testing.T, change func(*calendarhero.Config)) (*calendarhero.Client, *chfake.Server) {
	t.Helper()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	fake := chfake.New(chfake.Config{
		Clock: func() time.Time { return now }, Token: token, ProviderSecret: "ya29.pr0vider",
		User: chfake.User{Name: "Dana", Email: "dana@here.example", TimeZone: "America/New_York"},
	})
	t.Cleanup(fake.Close)
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	cfg := config(server.URL)
	change(&cfg)
	return calendarhero.New(cfg), fake
}

func TestEveryCallDoesInTheSandboxWhatItSays(t *testing.T) {
	for _, auth := range []string{calendarhero.AuthRaw, calendarhero.AuthBearer} {
		t.Run(auth, func(t *testing.T) {
			client, fake := against(t, func(c *calendarhero.Config) { c.Auth = auth })
			callAll(t, client, fake)
			calls := fake.Calls()
			for operation, called := range documented {
				if called != (calls[operation] > 0) {
					t.Errorf("%s: called %d times", operation, calls[operation])
				}
			}
			for operation := range calls {
				if _, known := documented[operation]; !known {
					t.Errorf("%s is called and documented nowhere", operation)
				}
			}
		})
	}
	if len(documented) != 40 {
		t.Errorf("the API has 40 operations, the table %d", len(documented))
	}
}

// callAll makes every call of the client.
func callAll(t *testing.T, client *calendarhero.Client, fake *chfake.Server) {
	ctx := t.Context()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	same := func(what string, want, got any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", what, diff)
		}
	}

	user, err := client.User(ctx)
	ok(err)
	same("the user", calendarhero.User{ID: fake.User().ID, Name: "Dana", Email: "dana@here.example", Timezone: "America/New_York"}, user)
	org, err := client.Org(ctx)
	ok(err)
	same("the organisation", "Organisation", org.Text("name"))
	savings, err := client.Savings(ctx)
	ok(err)
	same("savings", "0", savings.Text("minutes"))

	types, err := client.MeetingTypes(ctx)
	ok(err)
	same("a meeting type", calendarhero.MeetingType{Name: "call", Length: 15 * time.Minute}, types[0])
	ok(client.DeleteMeetingType(ctx, "coffee"))
	names, err := client.MeetingTypeNames(ctx)
	ok(err)
	same("names of meeting types", []string{"call", "meeting"}, names)

	id, err := client.CreateContact(ctx, calendarhero.Contact{Name: "Jane Doe", Emails: []string{"jane@doe.example"}, DefaultEmail: "jane@doe.example", Title: "Buyer", Organization: "Doe", Telephones: []string{"+12125550199"}})
	ok(err)
	again, err := client.CreateContact(ctx, calendarhero.Contact{Name: "Jane Doe", Emails: []string{"jane@doe.example"}})
	ok(err)
	for q, want := range map[calendarhero.ContactQuery]int{
		{}: 1, {All: true}: 2, {Search: "@doe.example", All: true, IncludeTeams: true}: 2, {Filter: "j"}: 1, {Filter: "k"}: 0, {Filter: "recent"}: 1,
	} {
		found, err := client.Contacts(ctx, q)
		ok(err)
		same(fmt.Sprintf("contacts of %+v", q), want, len(found))
	}
	if _, err := client.Contacts(ctx, calendarhero.ContactQuery{Search: "a", Filter: "b"}); clients.ReasonOf(err) != clients.Invalid {
		t.Errorf("search and filter: %v", err)
	}
	count, err := client.ContactCount(ctx)
	ok(err)
	same("the count", 2, count)
	ok(client.DeleteContact(ctx, again))
	contact, err := client.Contact(ctx, id)
	ok(err)
	contact.Organization, contact.UserID, contact.ProviderIDs = "Doe & Co", user.ID, []string{"google"}
	ok(client.UpdateContact(ctx, id, contact))
	found, err := client.SearchContacts(ctx, "JANE@doe.example")
	ok(err)
	same("the updated contact", []calendarhero.Contact{contact}, found)

	start := time.Date(2026, 12, 1, 15, 0, 0, 0, time.UTC)
	request, err := client.CreateMeetingRequest(ctx, calendarhero.MeetingRequest{
		Subject: "Closing", Type: "call", Start: start, End: start.Add(15 * time.Minute), Length: 15 * time.Minute, ContactIDs: []string{id}, ContactEmails: []string{"bob@doe.example"},
		Description: "Bring keys", Location: "Here", Locations: []string{"Office", "Café"}, Capacity: new(4), RoomCapacity: new(0), Room: &calendarhero.Room{Capacity: 4},
	})
	ok(err)
	same("invitees", []string{"jane@doe.example", "bob@doe.example"}, fake.Requests()[0].Invitees)
	ok(client.Remind(ctx, request))
	same("mails", 4, len(fake.Mails()))
	ok(fake.Accept(request))
	for query, want := range map[[2]string]int{{"upcoming", ""}: 1, {"upcoming", "call"}: 1, {"upcoming", "meeting"}: 0, {"active", ""}: 0, {"closed", ""}: 0} {
		listed, err := client.MeetingRequestsOfType(ctx, query[0], query[1])
		ok(err)
		same(fmt.Sprint("requests of ", query), want, len(listed))
	}
	tally, err := client.MeetingRequestTally(ctx, calendarhero.StateUpcoming)
	ok(err)
	same("the tally", `{"count":1}`, strings.TrimSpace(string(tally)))
	meetings, err := client.Meetings(ctx, start.Add(-time.Hour), start.Add(time.Hour))
	ok(err)
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	same("the calendar", []calendarhero.Meeting{{
		ID: request, Title: "Closing", Start: start, End: start.Add(15 * time.Minute), Names: []string{"Jane Doe", "bob@doe.example"},
		Emails: []string{"jane@doe.example", "bob@doe.example"}, DateAdded: now, DateUpdated: now,
	}}, meetings)
	categories, err := client.MeetingCategories(ctx)
	ok(err)
	same("categories", `{"call":1}`, strings.TrimSpace(string(categories)))
	ok(client.DeleteMeetingRequest(ctx, request))

	_, err = client.SetHook(ctx, calendarhero.MeetingStarted, hookURL)
	ok(err)
	_, registered, err := client.Hook(ctx, calendarhero.MeetingStarted)
	ok(err)
	same("the hook is registered", true, registered)
	_, err = client.HookSample(ctx, calendarhero.MeetingStarted)
	ok(err)
	ok(client.DeleteHook(ctx, calendarhero.MeetingStarted))

	directory := calendarhero.Directory{
		Name: "Sales", MeetingTypes: []calendarhero.DirectoryMeetingType{{Name: "call", UserID: user.ID}}, Code: "sales", Title: "Talk to us",
		Instructions: "Pick one", Locked: true, TrackingIDs: []calendarhero.TrackingID{{ID: "G-1", Type: "ga4"}},
	}
	directory.ID, err = client.CreateDirectory(ctx, directory)
	ok(err)
	directory.Title, directory.IsDefault = "", true
	ok(client.UpdateDirectory(ctx, directory.ID, directory))
	one, err := client.Directory(ctx, directory.ID)
	ok(err)
	all, err := client.Directories(ctx)
	ok(err)
	same("the directory, twice", []calendarhero.Directory{directory, directory}, append(all, one))
	ok(client.DeleteDirectory(ctx, directory.ID))
	if _, err := client.Directory(ctx, directory.ID); clients.ReasonOf(err) != clients.NotFound {
		t.Errorf("a deleted directory: %v", err)
	}

	for _, org := range []bool{false, true} {
		providers, err := client.Providers(ctx, org)
		ok(err)
		same("providers", []calendarhero.Provider{{
			Name: "Google", Type: "google", Categories: []string{"calendar", "contacts"}, Calendar: true, Contacts: true,
			UserID: user.ID, OrgID: "0123456789abcdef01234568", DateAdded: now, DateUpdated: now,
		}}, providers)
	}
}

func TestTheCredentialsOfAProviderAreNeitherKeptNorShown(t *testing.T) {
	client, fake := against(t, func(*calendarhero.Config) {})
	raw, err := client.Get(t.Context(), "/provider", nil)
	if err != nil || !strings.Contains(string(raw), "ya29.pr0vider") {
		t.Fatalf("the sandbox shows no credentials to drop: %s, %v", raw, err)
	}
	providers, err := client.Providers(t.Context(), false)
	if err != nil || len(providers) != 1 {
		t.Fatal(providers, err)
	}
	kept, _ := json.Marshal(providers)
	for _, text := range []string{string(kept), fmt.Sprintf("%+v %#v", providers, providers)} {
		if strings.Contains(text, "pr0vider") {
			t.Errorf("kept: %s", text)
		}
	}
	fake.Faults().Next("GET /provider", -1, fakehttp.Say(400, `{"message":"no","auth":"ya29.pr0vider"}`))
	if _, err := client.Providers(t.Context(), false); err == nil || strings.Contains(err.Error(), "pr0vider") {
		t.Error(err)
	}
}

func TestTheCatalogueIsWhatGoesOverTheWire(t *testing.T) {
	wire := &wireTap{seen: map[string]map[string]bool{}}
	client, fake := against(t, func(c *calendarhero.Config) { c.HTTP = &http.Client{Transport: wire} })
	callAll(t, client, fake)
	sent := map[string]map[string]bool{} // by the name of the entry
	for line, keys := range wire.seen {
		method, path, _ := strings.Cut(line, " ")
		e, ok := catalog.Match(catalog.CalendarHero, method, path)
		if !ok {
			t.Errorf("%s is not in the catalogue", line)
			continue
		}
		if sent[e.Name] == nil {
			sent[e.Name] = map[string]bool{}
		}
		maps.Copy(sent[e.Name], keys)
	}
	for _, e := range catalog.Entries() {
		if e.Kind != catalog.Operation || e.Vendor != catalog.CalendarHero {
			continue
		}
		if !documented[e.Method+" "+e.Path] {
			t.Errorf("%s is in the catalogue, but not documented", e.Name)
		}
		said := map[string]bool{}
		for _, f := range e.Fields {
			kind, _, _ := strings.Cut(f.Type, " ")
			switch f.Where {
			case catalog.InQuery:
				said[f.Name] = true
			case catalog.InBody:
				said[f.Name+" "+kind] = true
			}
		}
		if diff := cmp.Diff(said, sent[e.Name]); diff != "" {
			t.Errorf("%s: (-said +sent)\n%s", e.Name, diff)
		}
	}
}

// wireTap records the query keys and the typed body keys of each path.
type wireTap struct{ seen map[string]map[string]bool }

func (w *wireTap) RoundTrip(r *http.Request) (*http.Response, error) {
	line := r.Method + " " + r.URL.Path
	if w.seen[line] == nil {
		w.seen[line] = map[string]bool{}
	}
	for key := range r.URL.Query() {
		w.seen[line][key] = true
	}
	if r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		var sent map[string]any
		if json.NewDecoder(body).Decode(&sent) == nil {
			for key, value := range sent {
				kinds := map[reflect.Kind]string{reflect.String: "string", reflect.Float64: "number", reflect.Bool: "boolean", reflect.Slice: "array", reflect.Map: "object"}
				w.seen[line][key+" "+kinds[reflect.TypeOf(value).Kind()]] = true
			}
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

func only[A any](_ A, err error) error          { return err }
func third[A, B any](_ A, _ B, err error) error { return err }

// everyCall lists each call of the client, and how often it is tried if the server fails: 3
// times if it may be repeated, otherwise once.
var everyCall = map[string]struct {
	tries int
	call  func(context.Context, *calendarhero.Client) error
}{
	"User":              {3, func(ctx context.Context, c *calendarhero.Client) error { return only(c.User(ctx)) }},
	"Org":               {3, func(ctx context.Context, c *calendarhero.Client) error { return only(c.Org(ctx)) }},
	"Savings":           {3, func(ctx context.Context, c *calendarhero.Client) error { return only(c.Savings(ctx)) }},
	"MeetingTypes":      {3, func(ctx context.Context, c *calendarhero.Client) error { return only(c.MeetingTypes(ctx)) }},
	"MeetingTypeNames":  {3, func(ctx context.Context, c *calendarhero.Client) error { return only(c.MeetingTypeNames(ctx)) }},
	"DeleteMeetingType": {3, func(ctx context.Context, c *calendarhero.Client) error { return c.DeleteMeetingType(ctx, "call") }},
	"Contacts": {3, func(ctx context.Context, c *calendarhero.Client) error {
		return only(c.Contacts(ctx, calendarhero.ContactQuery{}))
	}},
	"SearchContacts": {3, func(ctx context.Context, c *calendarhero.Client) error { return only(c.SearchContacts(ctx, "a")) }},
	"ContactCount":   {3, func(ctx context.Context, c *calendarhero.Client) error { return only(c.ContactCount(ctx)) }},
	"Contact":        {3, func(ctx context.Context, c *calendarhero.Client) error { return only(c.Contact(ctx, id1)) }},
	"CreateContact": {1, func(ctx context.Context, c *calendarhero.Client) error {
		return only(c.CreateContact(ctx, calendarhero.Contact{}))
	}},
	"UpdateContact": {3, func(ctx context.Context, c *calendarhero.Client) error {
		return c.UpdateContact(ctx, id1, calendarhero.Contact{})
	}},
	"DeleteContact": {3, func(ctx context.Context, c *calendarhero.Client) error { return c.DeleteContact(ctx, id1) }},
	"CreateMeetingRequest": {1, func(ctx context.Context, c *calendarhero.Client) error {
		return only(c.CreateMeetingRequest(ctx, pinned))
	}},
	"MeetingRequests": {3, func(ctx context.Context, c *calendarhero.Client) error { return only(c.MeetingRequests(ctx, "active")) }},
	"MeetingRequestsOfType": {3, func(ctx context.Context, c *calendarhero.Client) error {
		return only(c.MeetingRequestsOfType(ctx, "active", "call"))
	}},
	"MeetingRequestTally": {3, func(ctx context.Context, c *calendarhero.Client) error {
		return only(c.MeetingRequestTally(ctx, "active"))
	}},
	"DeleteMeetingRequest": {3, func(ctx context.Context, c *calendarhero.Client) error { return c.DeleteMeetingRequest(ctx, id1) }},
	"Remind":               {1, func(ctx context.Context, c *calendarhero.Client) error { return c.Remind(ctx, id1) }},
	"Meetings": {3, func(ctx context.Context, c *calendarhero.Client) error {
		return only(c.Meetings(ctx, pinned.Start, pinned.End))
	}},
	"MeetingCategories": {3, func(ctx context.Context, c *calendarhero.Client) error { return only(c.MeetingCategories(ctx)) }},
	"Hook": {3, func(ctx context.Context, c *calendarhero.Client) error {
		return third(c.Hook(ctx, calendarhero.MeetingStarted))
	}},
	"SetHook": {3, func(ctx context.Context, c *calendarhero.Client) error {
		return only(c.SetHook(ctx, calendarhero.MeetingStarted, hookURL))
	}},
	"DeleteHook": {3, func(ctx context.Context, c *calendarhero.Client) error {
		return c.DeleteHook(ctx, calendarhero.MeetingStarted)
	}},
	"HookSample": {3, func(ctx context.Context, c *calendarhero.Client) error {
		return only(c.HookSample(ctx, calendarhero.MeetingStarted))
	}},
	"Directories": {3, func(ctx context.Context, c *calendarhero.Client) error { return only(c.Directories(ctx)) }},
	"Directory":   {3, func(ctx context.Context, c *calendarhero.Client) error { return only(c.Directory(ctx, id1)) }},
	"CreateDirectory": {1, func(ctx context.Context, c *calendarhero.Client) error {
		return only(c.CreateDirectory(ctx, calendarhero.Directory{}))
	}},
	"UpdateDirectory": {3, func(ctx context.Context, c *calendarhero.Client) error {
		return c.UpdateDirectory(ctx, id1, calendarhero.Directory{})
	}},
	"DeleteDirectory": {3, func(ctx context.Context, c *calendarhero.Client) error { return c.DeleteDirectory(ctx, id1) }},
	"Providers":       {3, func(ctx context.Context, c *calendarhero.Client) error { return only(c.Providers(ctx, false)) }},
	"Call": {3, func(ctx context.Context, c *calendarhero.Client) error {
		operation, _ := catalog.Find("calendarhero.get_user")
		return only(c.Call(ctx, operation, nil))
	}},
	"Get": {3, func(ctx context.Context, c *calendarhero.Client) error { return only(c.Get(ctx, "/user", nil)) }},
}

func TestEveryCallIsRepeatedWhereThatDoesNoHarm(t *testing.T) {
	for name, tc := range everyCall {
		client, seen := setup(t, answer(http.StatusBadGateway, ""))
		want := clients.Unavailable
		if tc.tries == 1 {
			want = clients.Unclear
		}
		if err := tc.call(t.Context(), client); clients.ReasonOf(err) != want || len(seen.all()) != tc.tries {
			t.Errorf("%s: %v after %d tries, want %s after %d", name, err, len(seen.all()), want, tc.tries)
		}
	}
	var methods []string
	for method := range reflect.TypeFor[*calendarhero.Client]().Methods() {
		if last := method.Type.NumOut() - 1; method.Type.Out(last) == reflect.TypeFor[error]() {
			methods = append(methods, method.Name)
		}
	}
	if diff := cmp.Diff(methods, slices.Sorted(maps.Keys(everyCall))); diff != "" {
		t.Errorf("the calls of the client and those that were tried: %s", diff)
	}
}
