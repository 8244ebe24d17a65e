package highlevel_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/catalog"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/testenv/reference"
)

const here = "loc00000000000000001"

// against returns a client of a sandbox, the sandbox, and what is in it. Each call is
// checked against HighLevel's contract.
func against(t *testing.T) (*highlevel.Client, *hlfake.Server, *reference.Contract) {
	t.Helper()
	fake := hlfake.New(hlfake.Config{
		Clock: func() time.Time { return now }, Token: token, LocationIDs: []string{here},
	})
	t.Cleanup(fake.Close)
	fake.SeedLocation(hlfake.Location{ID: here, Name: "Here", TimeZone: "America/New_York"},
		[]hlfake.User{{ID: "user1", FirstName: "Dana", LastName: "Whitfield"}},
		[]hlfake.CustomField{
			{ID: "fieldText", Name: "Milestone", DataType: "TEXT"},
			{ID: "fieldNumber", Name: "Budget", DataType: "NUMERICAL"},
			{ID: "fieldList", Name: "Wishes", DataType: "MULTIPLE_OPTIONS"},
			{ID: "fieldDate", Name: "Closing Date", DataType: "DATE", Model: "opportunity"},
		})
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	contract := reference.HighLevelContract(t)
	cfg := config(server.URL)
	cfg.HTTP = &http.Client{Transport: contract.Transport(nil)}
	return highlevel.New(cfg), fake, contract
}

// TestEveryCallDoesInTheSandboxWhatItSays makes all of the client's calls for contacts and
// their records.
func TestEveryCallDoesInTheSandboxWhatItSays(t *testing.T) {
	client, fake, contract := against(t)
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

	jane, err := client.CreateContact(ctx, highlevel.NewContact{
		LocationID: here, CompanyName: highlevel.Set("Doe & Co"),
		ContactFields: highlevel.ContactFields{
			FirstName: highlevel.Set("Jane"), LastName: highlevel.Set("Doe"), Email: highlevel.Set("jane+home@doe.example"), Phone: highlevel.Set("+12125550199"),
			City: highlevel.Set("Beacon"), Country: new("US"), DateOfBirth: highlevel.Set("1990-09-25"), AssignedTo: highlevel.Set("user1"),
			DND: new(true), DNDSettings: map[string]highlevel.DNDSetting{"Email": {Status: "active"}},
			InboundDND: map[string]highlevel.DNDSetting{"all": {Status: "inactive"}}, Tags: []string{"VIP"},
			CustomFields: []highlevel.CustomFieldWrite{{ID: "fieldText", Value: "Closing"}, {Key: "budget", Value: 7}, {ID: "fieldList", Value: []string{"garden"}}},
		},
	})
	ok(err)
	got, err := client.Contact(ctx, jane.ID)
	ok(err)
	same("the created contact", []any{"Jane", "Doe", "jane+home@doe.example", "Doe & Co", "1990-09-25", true, []string{"vip"}, 3},
		[]any{got.FirstName, got.LastName, got.Email, got.CompanyName, got.DateOfBirth, got.DND, got.Tags, len(got.CustomFields)})

	updated, err := client.UpdateContact(ctx, jane.ID, highlevel.ContactFields{
		City: highlevel.Clear(), Email: highlevel.Clear(), DateOfBirth: highlevel.Clear(), AssignedTo: highlevel.Clear(),
		LastName: highlevel.Set("Roe"), PostalCode: new("12508"), Tags: []string{},
		CustomFields: []highlevel.CustomFieldWrite{{Key: "milestone"}, {ID: "fieldNumber"}},
	})
	ok(err)
	same("the updated contact", []any{"Jane", "Roe", "", "", "", "", "12508", 0, 1},
		[]any{updated.FirstName, updated.LastName, updated.City, updated.Email, updated.DateOfBirth, updated.AssignedTo, updated.PostalCode, len(updated.Tags), len(updated.CustomFields)})
	updated, err = client.UpdateContact(ctx, jane.ID, highlevel.ContactFields{Email: highlevel.Set("jane+home@doe.example")})
	ok(err)
	same("what was left alone", []any{"Roe", "+12125550199", 1}, []any{updated.LastName, updated.Phone, len(updated.CustomFields)})

	_, err = client.CreateContact(ctx, highlevel.NewContact{LocationID: here, ContactFields: highlevel.ContactFields{Email: highlevel.Set("JANE+home@doe.example")}})
	duplicate, isDuplicate := errors.AsType[*highlevel.DuplicateError](err)
	if !isDuplicate || duplicate.ContactID != jane.ID || duplicate.Field != "email" || clients.ReasonOf(err) != clients.Invalid {
		t.Errorf("a duplicate: %v", err)
	}
	stored, isNew, err := client.UpsertContact(ctx, highlevel.UpsertContact{NewContact: highlevel.NewContact{
		LocationID: here, ContactFields: highlevel.ContactFields{Email: highlevel.Set("jane+home@doe.example"), City: highlevel.Set("Rye")},
	}})
	ok(err)
	same("the upsert of a known contact", []any{jane.ID, false, "Rye"}, []any{stored.ID, isNew, stored.City})
	bob, isNew, err := client.UpsertContact(ctx, highlevel.UpsertContact{NewContact: highlevel.NewContact{
		LocationID: here, ContactFields: highlevel.ContactFields{Email: highlevel.Set("bob@doe.example"), Name: highlevel.Set("Bob Doe")},
	}})
	ok(err)
	same("the upsert of a new contact", []any{true, "Bob"}, []any{isNew, bob.FirstName})

	for _, by := range [][2]string{{"jane+home@doe.example", ""}, {"", "+12125550199"}} {
		found, there, err := client.FindDuplicate(ctx, here, by[0], by[1])
		ok(err)
		same("the duplicate by "+strings.Join(by[:], ""), []any{jane.ID, true}, []any{found.ID, there})
	}
	if _, there, err := client.FindDuplicate(ctx, here, "nobody@doe.example", ""); there || err != nil {
		t.Errorf("a duplicate that is none: %v, %v", there, err)
	}
	rows, total, err := client.SearchContacts(ctx, highlevel.ContactSearch{
		LocationID: here, PageLimit: 1, Sort: []highlevel.ContactSort{{Field: "dateUpdated", Direction: "asc"}},
		Filters: []highlevel.ContactFilter{
			{Field: "dateUpdated", Operator: "range", Value: map[string]any{"gte": now.Add(-time.Hour).UnixMilli()}},
			{Group: "OR", Filters: []highlevel.ContactFilter{{Field: "phone", Operator: "exists"}, {Field: "email", Operator: "eq", Value: "bob@doe.example"}}},
		},
	})
	ok(err)
	same("a search", []any{1, 2, true}, []any{len(rows), total, rows[0].SearchAfter != nil})
	var all []string
	for row, err := range client.AllContacts(ctx, highlevel.ContactSearch{LocationID: here, PageLimit: 1, Query: "doe.example", Sort: []highlevel.ContactSort{{Field: "email", Direction: "asc"}}}) {
		ok(err)
		all = append(all, row.FirstName)
	}
	same("all contacts, in lower case", []string{"bob", "jane"}, all)
	first, next, err := client.ListContacts(ctx, here, highlevel.ContactList{Limit: 1})
	ok(err)
	second, last, err := client.ListContacts(ctx, here, highlevel.ContactList{Limit: 1, After: next, Query: "doe"})
	ok(err)
	if len(first) != 1 || len(second) != 1 || first[0].ID == second[0].ID || last != (highlevel.Cursor{}) {
		t.Errorf("the list: %v, %v, %v", first, second, last)
	}

	ok(client.SetBusiness(ctx, here, "biz", []string{jane.ID, bob.ID}))
	linked, err := client.ContactsOfBusiness(ctx, here, "biz", "jane", 10, 0)
	ok(err)
	same("the business", []any{1, "biz"}, []any{len(linked), linked[0].BusinessID})
	ok(client.SetBusiness(ctx, here, "", []string{jane.ID, bob.ID}))
	linked, err = client.ContactsOfBusiness(ctx, here, "biz", "", 0, 1)
	ok(err)
	same("the business without contacts", 0, len(linked))

	tags, err := client.AddTags(ctx, jane.ID, []string{"Buyer"})
	ok(err)
	same("added tags", []string{"buyer"}, tags)
	bulk, err := client.AddTagsToMany(ctx, here, []string{jane.ID, bob.ID, "nobody"}, []string{"Spring"})
	ok(err)
	same("bulk tags", highlevel.BulkTags{Errors: 1, Failed: map[string]string{"nobody": "contact id is not a valid firebase id"}}, bulk)
	_, err = client.RemoveTagsFromMany(ctx, here, []string{jane.ID}, []string{"spring"})
	ok(err)
	same("tags after a bulk removal", [][]string{{"buyer"}, {"spring"}}, [][]string{fake.Tags(jane.ID), fake.Tags(bob.ID)})
	_, err = client.RemoveAllTags(ctx, here, []string{bob.ID})
	ok(err)
	tags, err = client.RemoveTags(ctx, jane.ID, []string{"buyer"})
	ok(err)
	same("no tags", []int{0, 0}, []int{len(tags), len(fake.Tags(bob.ID))})

	tag, err := client.CreateLocationTag(ctx, here, "Owner")
	ok(err)
	_, err = client.RenameLocationTag(ctx, here, tag.ID, "Seller")
	ok(err)
	tag, err = client.LocationTag(ctx, here, tag.ID)
	ok(err)
	dictionary, err := client.LocationTags(ctx, here)
	ok(err)
	if tag.Name != "seller" || !slices.Contains(dictionary, tag) {
		t.Errorf("the tag %v in %v", tag, dictionary)
	}
	ok(client.DeleteLocationTag(ctx, here, tag.ID))

	value, err := client.CreateCustomValue(ctx, here, "Slogan", "Home.")
	ok(err)
	ok(client.UpdateCustomValue(ctx, here, value.ID, "Slogan", "Your home."))
	values, err := client.CustomValues(ctx, here)
	ok(err)
	same("the custom values", []highlevel.CustomValue{{ID: value.ID, Name: "Slogan", Value: "Your home."}}, values)
	ok(client.DeleteCustomValue(ctx, here, value.ID))
	same("no custom values", 0, len(fake.CustomValues(here)))

	due := time.Date(2026, 12, 4, 15, 0, 0, 0, time.UTC)
	task, err := client.CreateTask(ctx, jane.ID, highlevel.NewTask{Title: "Call", DueDate: due, Body: "b", AssignedTo: "user1"})
	ok(err)
	task, err = client.UpdateTask(ctx, jane.ID, task.ID, highlevel.TaskFields{Title: new("Call back"), DueDate: due.Add(time.Hour)})
	ok(err)
	same("the updated task", highlevel.Task{ID: task.ID, Title: "Call back", Body: "b", AssignedTo: "user1", DueDate: "2026-12-04T16:00:00.000Z", ContactID: jane.ID}, task)
	task, err = client.CompleteTask(ctx, jane.ID, task.ID, true)
	ok(err)
	listed, err := client.Tasks(ctx, jane.ID)
	ok(err)
	same("the completed task", []any{true, []highlevel.Task{task}}, []any{task.Completed, listed})
	_, err = client.Task(ctx, jane.ID, task.ID)
	ok(err)
	_, err = client.FindTask(ctx, here, task.ID, nil)
	ok(err)
	ok(client.DeleteTask(ctx, jane.ID, task.ID))
	if err := client.DeleteTask(ctx, jane.ID, task.ID); clients.ReasonOf(err) != clients.NotFound {
		t.Errorf("deleted again: %v", err)
	}

	note, err := client.CreateNote(ctx, jane.ID, highlevel.NewNote{Body: "n", Title: "t", UserID: "user1", Color: "#FFAA00", Pinned: true})
	ok(err)
	note, err = client.UpdateNote(ctx, jane.ID, note.ID, highlevel.NoteFields{Body: new("m"), Pinned: new(false)})
	ok(err)
	again, err := client.Note(ctx, jane.ID, note.ID)
	ok(err)
	same("the updated note", note, again)
	same("its fields", []any{"m", "t", "user1", false}, []any{note.Body, note.Title, note.UserID, note.Pinned})
	_, err = client.Notes(ctx, jane.ID)
	ok(err)
	ok(client.DeleteNote(ctx, jane.ID, note.ID))

	workflow := fake.SeedWorkflow(here, hlfake.Workflow{Name: "Nurture"})
	ok(client.AddToWorkflow(ctx, jane.ID, workflow.ID, due))
	same("the enrolment", []string{workflow.ID}, fake.Enrolled(jane.ID))
	ok(client.RemoveFromWorkflow(ctx, jane.ID, workflow.ID))
	same("no enrolment", 0, len(fake.Enrolled(jane.ID)))
	if err := client.AddToWorkflow(ctx, jane.ID, "none", time.Time{}); clients.ReasonOf(err) != clients.NotFound {
		t.Errorf("an unknown workflow: %v", err)
	}
	ok(client.AddToCampaign(ctx, jane.ID, "camp"))
	ok(client.RemoveFromCampaign(ctx, jane.ID, "camp"))
	ok(client.RemoveFromAllCampaigns(ctx, jane.ID))
	followers, err := client.AddFollowers(ctx, jane.ID, []string{"user1"})
	ok(err)
	same("followers", []string{"user1"}, followers)
	followers, err = client.RemoveFollowers(ctx, jane.ID, []string{"user1"})
	ok(err)
	same("no followers", 0, len(followers))

	zone, err := time.LoadLocation("America/New_York")
	ok(err)
	meeting, err := fake.SeedAppointment(hlfake.Appointment{ContactID: jane.ID, CalendarID: "cal", Title: "Viewing", AssignedUserID: "user1", Start: due})
	ok(err)
	ofContact, err := client.Appointments(ctx, jane.ID)
	ok(err)
	byID, err := client.Appointment(ctx, meeting.ID)
	ok(err)
	same("both forms of a time", []string{"2026-12-04 10:00:00", "2026-12-04T10:00:00-05:00"}, []string{ofContact[0].StartTime, byID.StartTime})
	for _, a := range []highlevel.Appointment{ofContact[0], byID} {
		start, err := a.Start(zone)
		ok(err)
		end, err := a.End(zone)
		ok(err)
		if !start.Equal(due) || !end.Equal(due.Add(30*time.Minute)) || a.ContactID != jane.ID || a.Status != "confirmed" {
			t.Errorf("the appointment %v begins %v, ends %v", a, start, end)
		}
	}

	pipeline := fake.SeedPipeline(here, hlfake.Pipeline{Name: "Sales", Stages: []hlfake.Stage{{Name: "New"}, {Name: "Offer"}}})
	deal, err := fake.SeedOpportunity(hlfake.Opportunity{
		ContactID: jane.ID, Name: "House", PipelineID: pipeline.ID, MonetaryValue: 1250.5, CustomFields: map[string]any{"closing_date": "2026-12-01"},
	})
	ok(err)
	pipelines, err := client.Pipelines(ctx, here)
	ok(err)
	same("pipelines", []highlevel.Pipeline{{ID: pipeline.ID, Name: "Sales", Stages: []highlevel.Stage{{ID: pipeline.Stages[0].ID, Name: "New"}, {ID: pipeline.Stages[1].ID, Name: "Offer"}}}}, pipelines)
	opportunity, err := client.Opportunity(ctx, deal.ID)
	ok(err)
	same("the opportunity", highlevel.Opportunity{
		ID: deal.ID, Name: "House", LocationID: here, ContactID: jane.ID, PipelineID: pipeline.ID, PipelineStageID: pipeline.Stages[0].ID,
		Status: "open", MonetaryValue: "1250.5", CustomFields: []highlevel.CustomFieldValue{{ID: "fieldDate", Value: []byte("1796083200000")}},
		LastStageChangeAt: "2026-12-01T22:30:00.000Z", LastStatusChangeAt: "2026-12-01T22:30:00.000Z",
		CreatedAt: "2026-12-01T22:30:00.000Z", UpdatedAt: "2026-12-01T22:30:00.000Z",
	}, opportunity)
	_, err = fake.SeedOpportunity(hlfake.Opportunity{ContactID: jane.ID, Name: "Flat", PipelineID: pipeline.ID})
	ok(err)
	search := highlevel.OpportunitySearch{ContactID: jane.ID, PipelineID: pipeline.ID, Status: "open", Limit: 1}
	page1, after, err := client.SearchOpportunities(ctx, here, search)
	ok(err)
	search.After = after
	page2, after, err := client.SearchOpportunities(ctx, here, search)
	ok(err)
	if len(page1) != 1 || len(page2) != 1 || page1[0].ID == page2[0].ID || after != (highlevel.Cursor{}) {
		t.Errorf("opportunities: %v, %v, %v", page1, page2, after)
	}

	fields, err := client.CustomFieldsOf(ctx, here, highlevel.OpportunityModel)
	ok(err)
	same("fields of opportunities", []highlevel.CustomField{{ID: "fieldDate", Name: "Closing Date", Key: "closing_date", Type: "DATE", Model: "opportunity"}}, fields)
	fields, err = client.CustomFields(ctx, here)
	ok(err)
	same("fields of contacts", 3, len(fields))
	for _, ref := range []string{"fieldText", "contact.milestone"} {
		field, err := client.CustomField(ctx, here, ref)
		ok(err)
		same("the field "+ref, "fieldText", field.ID)
	}
	_, err = client.Location(ctx, here)
	ok(err)
	_, err = client.Users(ctx, here)
	ok(err)

	ok(client.DeleteContact(ctx, jane.ID))
	for _, err := range []error{client.DeleteContact(ctx, jane.ID), func() error { _, err := client.Contact(ctx, jane.ID); return err }()} {
		if clients.ReasonOf(err) != clients.NotFound {
			t.Errorf("a deleted contact: %v", err)
		}
	}
	calls := contract.Calls()
	for _, operation := range contactsApp {
		if calls[operation] == 0 {
			t.Errorf("%s was not called", operation)
		}
	}
}

// contactsApp lists all operations of HighLevel's Contacts app by name.
var contactsApp = []string{
	"search-contacts-advanced", "get-duplicate-contact", "get-all-tasks", "create-task", "get-task", "update-task", "delete-task",
	"update-task-completed", "get-appointments-for-contact", "add-tags", "remove-tags", "get-all-notes", "create-note", "get-note",
	"update-note", "delete-note", "create-association", "add-remove-contact-from-business", "get-contact", "update-contact",
	"delete-contact", "upsert-contact", "get-contacts-by-businessId", "add-followers-contact", "remove-followers-contact",
	"add-contact-to-campaign", "remove-contact-from-campaign", "remove-contact-from-every-campaign", "add-contact-to-workflow",
	"delete-contact-from-workflow", "create-contact", "get-contacts",
}

func only[A any](_ A, err error) error          { return err }
func third[A, B any](_ A, _ B, err error) error { return err }

// everyCall lists each call of the client, how often it is tried if the server fails, and
// the scope that it needs.
var everyCall = []struct {
	name  string
	call  func(context.Context, *highlevel.Client) error
	tries int32 // 3 if the call may be repeated, otherwise 1
	scope string
}{
	{"Contact", func(ctx context.Context, c *highlevel.Client) error { return only(c.Contact(ctx, "c1")) }, 3, "contacts.readonly"},
	{"CreateContact", func(ctx context.Context, c *highlevel.Client) error {
		return only(c.CreateContact(ctx, highlevel.NewContact{LocationID: "l1"}))
	}, 1, "contacts.write"},
	{"UpdateContact", func(ctx context.Context, c *highlevel.Client) error {
		return only(c.UpdateContact(ctx, "c1", highlevel.ContactFields{}))
	}, 3, "contacts.write"},
	{"UpsertContact", func(ctx context.Context, c *highlevel.Client) error {
		return third(c.UpsertContact(ctx, highlevel.UpsertContact{NewContact: highlevel.NewContact{LocationID: "l1"}}))
	}, 1, "contacts.write"},
	{"DeleteContact", func(ctx context.Context, c *highlevel.Client) error { return c.DeleteContact(ctx, "c1") }, 3, "contacts.write"},
	{"SearchContacts", func(ctx context.Context, c *highlevel.Client) error {
		return third(c.SearchContacts(ctx, highlevel.ContactSearch{LocationID: "l1"}))
	}, 3, "contacts.readonly"},
	{"FindDuplicate", func(ctx context.Context, c *highlevel.Client) error {
		return third(c.FindDuplicate(ctx, "l1", "a@b.example", ""))
	}, 3, "contacts.readonly"},
	{"ListContacts", func(ctx context.Context, c *highlevel.Client) error {
		return third(c.ListContacts(ctx, "l1", highlevel.ContactList{}))
	}, 3, "contacts.readonly"},
	{"ContactsOfBusiness", func(ctx context.Context, c *highlevel.Client) error {
		return only(c.ContactsOfBusiness(ctx, "l1", "b1", "", 0, 0))
	}, 3, "contacts.readonly"},
	{"SetBusiness", func(ctx context.Context, c *highlevel.Client) error {
		return c.SetBusiness(ctx, "l1", "b1", []string{"c1"})
	}, 3, "contacts.write"},
	{"Tasks", func(ctx context.Context, c *highlevel.Client) error { return only(c.Tasks(ctx, "c1")) }, 3, "contacts.readonly"},
	{"Task", func(ctx context.Context, c *highlevel.Client) error { return only(c.Task(ctx, "c1", "t1")) }, 3, "contacts.readonly"},
	{"CreateTask", func(ctx context.Context, c *highlevel.Client) error {
		return only(c.CreateTask(ctx, "c1", highlevel.NewTask{}))
	}, 1, "contacts.write"},
	{"UpdateTask", func(ctx context.Context, c *highlevel.Client) error {
		return only(c.UpdateTask(ctx, "c1", "t1", highlevel.TaskFields{}))
	}, 3, "contacts.write"},
	{"CompleteTask", func(ctx context.Context, c *highlevel.Client) error {
		return only(c.CompleteTask(ctx, "c1", "t1", true))
	}, 3, "contacts.write"},
	{"DeleteTask", func(ctx context.Context, c *highlevel.Client) error { return c.DeleteTask(ctx, "c1", "t1") }, 3, "contacts.write"},
	{"SearchTasks", func(ctx context.Context, c *highlevel.Client) error {
		return only(c.SearchTasks(ctx, "l1", highlevel.TaskSearch{}))
	}, 3, "locations/tasks.readonly"},
	{"Notes", func(ctx context.Context, c *highlevel.Client) error { return only(c.Notes(ctx, "c1")) }, 3, "contacts.readonly"},
	{"Note", func(ctx context.Context, c *highlevel.Client) error { return only(c.Note(ctx, "c1", "n1")) }, 3, "contacts.readonly"},
	{"CreateNote", func(ctx context.Context, c *highlevel.Client) error {
		return only(c.CreateNote(ctx, "c1", highlevel.NewNote{}))
	}, 1, "contacts.write"},
	{"UpdateNote", func(ctx context.Context, c *highlevel.Client) error {
		return only(c.UpdateNote(ctx, "c1", "n1", highlevel.NoteFields{}))
	}, 3, "contacts.write"},
	{"DeleteNote", func(ctx context.Context, c *highlevel.Client) error { return c.DeleteNote(ctx, "c1", "n1") }, 3, "contacts.write"},
	{"AddTags", func(ctx context.Context, c *highlevel.Client) error { return only(c.AddTags(ctx, "c1", []string{"a"})) }, 3, "contacts.write"},
	{"RemoveTags", func(ctx context.Context, c *highlevel.Client) error {
		return only(c.RemoveTags(ctx, "c1", []string{"a"}))
	}, 3, "contacts.write"},
	{"AddTagsToMany", func(ctx context.Context, c *highlevel.Client) error {
		return only(c.AddTagsToMany(ctx, "l1", []string{"c1"}, []string{"a"}))
	}, 3, "contacts.write"},
	{"RemoveTagsFromMany", func(ctx context.Context, c *highlevel.Client) error {
		return only(c.RemoveTagsFromMany(ctx, "l1", []string{"c1"}, []string{"a"}))
	}, 3, "contacts.write"},
	{"RemoveAllTags", func(ctx context.Context, c *highlevel.Client) error {
		return only(c.RemoveAllTags(ctx, "l1", []string{"c1"}))
	}, 3, "contacts.write"},
	{"AddFollowers", func(ctx context.Context, c *highlevel.Client) error {
		return only(c.AddFollowers(ctx, "c1", []string{"u1"}))
	}, 3, "contacts.write"},
	{"RemoveFollowers", func(ctx context.Context, c *highlevel.Client) error {
		return only(c.RemoveFollowers(ctx, "c1", []string{"u1"}))
	}, 3, "contacts.write"},
	{"AddToCampaign", func(ctx context.Context, c *highlevel.Client) error { return c.AddToCampaign(ctx, "c1", "x") }, 1, "contacts.write"},
	{"RemoveFromCampaign", func(ctx context.Context, c *highlevel.Client) error { return c.RemoveFromCampaign(ctx, "c1", "x") }, 3, "contacts.write"},
	{"RemoveFromAllCampaigns", func(ctx context.Context, c *highlevel.Client) error { return c.RemoveFromAllCampaigns(ctx, "c1") }, 3, "contacts.write"},
	{"AddToWorkflow", func(ctx context.Context, c *highlevel.Client) error {
		return c.AddToWorkflow(ctx, "c1", "w1", time.Time{})
	}, 1, "contacts.write"},
	{"RemoveFromWorkflow", func(ctx context.Context, c *highlevel.Client) error { return c.RemoveFromWorkflow(ctx, "c1", "w1") }, 3, "contacts.write"},
	{"Appointments", func(ctx context.Context, c *highlevel.Client) error { return only(c.Appointments(ctx, "c1")) }, 3, "contacts.readonly"},
	{"Appointment", func(ctx context.Context, c *highlevel.Client) error { return only(c.Appointment(ctx, "a1")) }, 3, "calendars/events.readonly"},
	{"Opportunity", func(ctx context.Context, c *highlevel.Client) error { return only(c.Opportunity(ctx, "o1")) }, 3, "opportunities.readonly"},
	{"SearchOpportunities", func(ctx context.Context, c *highlevel.Client) error {
		return third(c.SearchOpportunities(ctx, "l1", highlevel.OpportunitySearch{}))
	}, 3, "opportunities.readonly"},
	{"Pipelines", func(ctx context.Context, c *highlevel.Client) error { return only(c.Pipelines(ctx, "l1")) }, 3, "opportunities.readonly"},
	{"Calendars", func(ctx context.Context, c *highlevel.Client) error { return only(c.Calendars(ctx, "l1")) }, 3, "calendars.readonly"},
	{"CalendarEvents", func(ctx context.Context, c *highlevel.Client) error {
		return only(c.CalendarEvents(ctx, "l1", "cal1", time.UnixMilli(1), time.UnixMilli(2)))
	}, 3, "calendars/events.readonly"},
	{"Location", func(ctx context.Context, c *highlevel.Client) error { return only(c.Location(ctx, "l1")) }, 3, "locations.readonly"},
	{"LocationTags", func(ctx context.Context, c *highlevel.Client) error { return only(c.LocationTags(ctx, "l1")) }, 3, "locations/tags.readonly"},
	{"LocationTag", func(ctx context.Context, c *highlevel.Client) error { return only(c.LocationTag(ctx, "l1", "t1")) }, 3, "locations/tags.readonly"},
	{"CreateLocationTag", func(ctx context.Context, c *highlevel.Client) error { return only(c.CreateLocationTag(ctx, "l1", "a")) }, 1, "locations/tags.write"},
	{"RenameLocationTag", func(ctx context.Context, c *highlevel.Client) error {
		return only(c.RenameLocationTag(ctx, "l1", "t1", "a"))
	}, 3, "locations/tags.write"},
	{"DeleteLocationTag", func(ctx context.Context, c *highlevel.Client) error { return c.DeleteLocationTag(ctx, "l1", "t1") }, 3, "locations/tags.write"},
	{"CustomValues", func(ctx context.Context, c *highlevel.Client) error { return only(c.CustomValues(ctx, "l1")) }, 3, "locations/customValues.readonly"},
	{"CreateCustomValue", func(ctx context.Context, c *highlevel.Client) error {
		return only(c.CreateCustomValue(ctx, "l1", "a", "b"))
	}, 1, "locations/customValues.write"},
	{"UpdateCustomValue", func(ctx context.Context, c *highlevel.Client) error {
		return c.UpdateCustomValue(ctx, "l1", "v1", "a", "b")
	}, 3, "locations/customValues.write"},
	{"DeleteCustomValue", func(ctx context.Context, c *highlevel.Client) error { return c.DeleteCustomValue(ctx, "l1", "v1") }, 3, "locations/customValues.write"},
	{"CustomFields", func(ctx context.Context, c *highlevel.Client) error { return only(c.CustomFields(ctx, "l1")) }, 3, "locations/customFields.readonly"},
	{"CustomField", func(ctx context.Context, c *highlevel.Client) error { return only(c.CustomField(ctx, "l1", "f1")) }, 3, "locations/customFields.readonly"},
	{"Users", func(ctx context.Context, c *highlevel.Client) error { return only(c.Users(ctx, "l1")) }, 3, "users.readonly"},
}

func TestWhatMayBeRepeatedIsAndWhatMayNotIsUnclear(t *testing.T) {
	client, tries := setup(t, answer(500, ``))
	for _, tc := range everyCall {
		tries.Store(0)
		want := clients.Unavailable
		if tc.tries == 1 {
			want = clients.Unclear
		}
		if err := tc.call(t.Context(), client); clients.ReasonOf(err) != want || tries.Load() != tc.tries {
			t.Errorf("%s: %v after %d tries, want %s after %d", tc.name, err, tries.Load(), want, tc.tries)
		}
	}
}

func TestARefusalNamesTheScopeThatIsMissing(t *testing.T) {
	client, _ := setup(t, answer(401, `{"message":"The token is not authorized for this scope."}`))
	for _, tc := range everyCall {
		err := tc.call(t.Context(), client)
		if clients.ReasonOf(err) != clients.Forbidden || !strings.HasSuffix(err.Error(), "give the token the scope "+tc.scope) {
			t.Errorf("%s: %v, want the scope %s", tc.name, err, tc.scope)
		}
	}
}

func TestASuccessWithoutARecordIsNone(t *testing.T) {
	client, _ := setup(t, answer(200, `{}`))
	// Answers with only a flag or a set have no record that could be missing.
	flags := []string{
		"DeleteContact", "SetBusiness", "DeleteTask", "DeleteNote", "AddTags", "RemoveTags", "AddTagsToMany", "RemoveTagsFromMany", "RemoveAllTags",
		"AddFollowers", "RemoveFollowers", "AddToCampaign", "RemoveFromCampaign", "RemoveFromAllCampaigns", "AddToWorkflow", "RemoveFromWorkflow", "DeleteLocationTag", "DeleteCustomValue",
	}
	for _, tc := range everyCall {
		want := clients.Unavailable
		if tc.tries == 1 {
			want = clients.Unclear
		}
		if slices.Contains(flags, tc.name) {
			want = ""
		}
		if err := tc.call(t.Context(), client); clients.ReasonOf(err) != want {
			t.Errorf("%s: %v, want %q", tc.name, err, want)
		}
	}
}

func TestEachAppIsAskedInItsVersion(t *testing.T) {
	var got atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Store(r.Method + " " + r.URL.Path + " " + r.Header.Get("Version"))
		io.WriteString(w, `{}`)
	}))
	defer server.Close()
	for _, tc := range []struct {
		version                        string
		versions                       map[string]string
		contact, appointment, campaign string
	}{
		{"", nil, "2021-07-28", "2021-04-15", "removeAll 2021-07-28"},
		{"v3", nil, "v3", "2021-04-15", "remove-all v3"},
		{"2023-02-21", map[string]string{"calendars": "v3"}, "2023-02-21", "v3", "removeAll 2023-02-21"},
		{"", map[string]string{"contacts": "v3"}, "v3", "2021-07-28", "remove-all v3"},
	} {
		cfg := config(server.URL)
		cfg.Version, cfg.Versions = tc.version, tc.versions
		client, ctx := highlevel.New(cfg), t.Context()
		for want, call := range map[string]func(){
			"GET /contacts/c1 " + tc.contact:                          func() { client.Contact(ctx, "c1") },
			"GET /calendars/events/appointments/a1 " + tc.appointment: func() { client.Appointment(ctx, "a1") },
			"DELETE /contacts/c1/campaigns/" + tc.campaign:            func() { client.RemoveFromAllCampaigns(ctx, "c1") },
		} {
			call()
			if got.Load() != want {
				t.Errorf("asked %q, want %q", got.Load(), want)
			}
		}
	}
}

func TestEveryCallNeedsTheScopeThatItNamesAndNoOther(t *testing.T) {
	fake := hlfake.New(hlfake.Config{Token: token, LocationIDs: []string{"l1"}})
	defer fake.Close()
	fake.SeedLocation(hlfake.Location{ID: "l1"}, nil, nil)
	server := httptest.NewServer(fake)
	defer server.Close()
	client := highlevel.New(config(server.URL))
	for _, tc := range everyCall {
		fake.LimitToken(token, tc.scope)
		if err := tc.call(t.Context(), client); clients.ReasonOf(err) == clients.Forbidden {
			t.Errorf("%s with %s: %v", tc.name, tc.scope, err)
		}
		fake.LimitToken(token, slices.DeleteFunc(slices.Clone(hlfake.AllScopes), func(scope string) bool { return scope == tc.scope })...)
		if err := tc.call(t.Context(), client); clients.ReasonOf(err) != clients.Forbidden {
			t.Errorf("%s with all but %s: %v", tc.name, tc.scope, err)
		}
	}
}

// wire answers 400 and records the request.
type wire struct{ got *http.Request }

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.got = r
	return &http.Response{StatusCode: http.StatusBadRequest, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"message":"no"}`)), Request: r}, nil
}

func TestEveryCallIsAnOperationOfTheCatalogue(t *testing.T) {
	sent := &wire{}
	cfg := config("http://fake")
	cfg.HTTP = &http.Client{Transport: sent}
	client := highlevel.New(cfg)
	for _, tc := range everyCall {
		_ = tc.call(t.Context(), client)
		e, ok := catalog.Match(catalog.HighLevel, sent.got.Method, sent.got.URL.Path)
		if !ok || e.Scopes[0] != tc.scope || e.Repeat != (tc.tries == 3) {
			t.Errorf("%s, with %s and %d tries, is %s with %v, repeatable %v", tc.name, tc.scope, tc.tries, e.Name, e.Scopes, e.Repeat)
		}
		keys := slices.Collect(maps.Keys(sent.got.URL.Query()))
		if sent.got.GetBody != nil {
			body, err := sent.got.GetBody()
			if err != nil {
				t.Fatal(err)
			}
			var fields map[string]any
			if err := json.NewDecoder(body).Decode(&fields); err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			keys = slices.AppendSeq(keys, maps.Keys(fields))
		}
		for _, key := range keys {
			if !slices.ContainsFunc(e.Fields, func(f catalog.Field) bool { return f.Name == key }) {
				t.Errorf("%s sends %s, which %s does not list", tc.name, key, e.Name)
			}
		}
	}
}
