package catalog

// calendarHeroGroups are the operations of CalendarHero whose bodies are documented.
var calendarHeroGroups = []struct {
	name       string
	operations []Entry
}{
	{"meeting requests", []Entry{
		{
			Name: "calendarhero.list_meeting_requests", Summary: "List the meeting requests of a state",
			Method: "GET", Path: "/meeting/tasks", Effect: Read,
			Fields: Fields{
				query("state", String, "active").among("active", "upcoming", "closed").shown(),
				query("skip", Number, 0),
				query("take", Number, 100),
				query("type", String, "call"),
				query("tally", Boolean, true),
			},
		},
		{
			Name: "calendarhero.create_meeting_request", Summary: "Ask people to a meeting",
			Method: "POST", Path: "/meeting/tasks", Effect: Once, Mails: true,
			Note: "CalendarHero mails the invitees. A window that is as long as the meeting pins the time.",
			Fields: Fields{
				body("subject", String, "Closing: Jane Doe").must(),
				body("type", String, "call").shown(),
				body("dateStart", String, "2026-12-04T15:00:00Z").must(),
				body("dateEnd", String, "2026-12-04T15:30:00Z").must(),
				body("meetingLength", Number, 30).shown(),
				body("contactEmails", Strings, list{"jane@doe.example"}).shown(),
				body("contacts", Objects, list{object{"id": "5f1a2b3c4d5e6f7a8b9c0d1e"}}).of(body("id", String, "5f1a2b3c4d5e6f7a8b9c0d1e").must()),
				body("description", String, "Bring the keys"),
				body("location", String, "12 Main St"),
				body("locations", Objects, list{object{"name": "Office"}}).of(body("name", String, "Office").must()),
				body("capacity", Number, 4),
				body("roomCapacity", Number, 0),
				body("room", Object, object{"capacity": 4}).of(body("capacity", Number, 4).must()),
			},
		},
		{
			Name: "calendarhero.remind_of_meeting_request", Summary: "Send the invitation again to invitees who have not answered",
			Method: "PUT", Path: "/meeting/tasks/{id}/remind", Effect: Once, Mails: true,
			Fields: Fields{path("id", "5f1a2b3c4d5e6f7a8b9c0d1f")},
		},
		{
			Name: "calendarhero.delete_meeting_request", Summary: "Cancel a meeting request",
			Method: "DELETE", Path: "/meeting/tasks/{id}", Effect: Repeatable, Mails: true,
			Note:   "CalendarHero tells the invitees.",
			Fields: Fields{path("id", "5f1a2b3c4d5e6f7a8b9c0d1f")},
		},
	}},
	{"meetings", []Entry{
		{
			Name: "calendarhero.list_meetings", Summary: "List the meetings of the calendar in a span of time",
			Method: "GET", Path: "/meeting", Effect: Read,
			Fields: Fields{
				query("start", String, "2026-12-01T00:00:00Z").must(),
				query("end", String, "2026-12-31T00:00:00Z").must(),
			},
		},
		{
			Name: "calendarhero.list_meeting_categories", Summary: "Count the meetings of each category",
			Method: "GET", Path: "/meeting/categories", Effect: Read,
		},
	}},
	{"contacts", []Entry{
		{
			Name: "calendarhero.list_contacts", Summary: "List the contacts, or search them",
			Method: "GET", Path: "/contact", Effect: Read,
			Note: "CalendarHero takes search or filter, not both.",
			Fields: Fields{
				query("search", String, "jane@doe.example").shown(),
				query("filter", String, "recent"),
				query("all", Boolean, true),
				query("includeTeams", Boolean, true),
			},
		},
		{
			Name: "calendarhero.get_contact", Summary: "Get a contact",
			Method: "GET", Path: "/contact/{id}", Effect: Read,
			Fields: Fields{path("id", "5f1a2b3c4d5e6f7a8b9c0d1e"), query("basic", Boolean, true).shown()},
		},
		{
			Name: "calendarhero.create_contact", Summary: "Create a contact",
			Method: "POST", Path: "/contact", Effect: Once,
			Note:   "CalendarHero makes a second contact of the same e-mail address.",
			Fields: heroContact(),
		},
		{
			Name: "calendarhero.update_contact", Summary: "Write the fields of a contact",
			Method: "PUT", Path: "/contact/{id}", Effect: Repeatable,
			Note: "Whether CalendarHero keeps fields that are left out is not documented: send all.",
			Fields: append(Fields{path("id", "5f1a2b3c4d5e6f7a8b9c0d1e")}, append(heroContact(),
				body("providerId", Strings, list{"google"}),
				body("userId", String, "5f1a2b3c4d5e6f7a8b9c0d20"),
			)...),
		},
		{
			Name: "calendarhero.delete_contact", Summary: "Delete a contact for good",
			Method: "DELETE", Path: "/contact/{id}", Effect: Repeatable,
			Fields: Fields{path("id", "5f1a2b3c4d5e6f7a8b9c0d1e")},
		},
		{
			Name: "calendarhero.count_contacts", Summary: "Count the contacts",
			Method: "GET", Path: "/contact/count", Effect: Read,
		},
	}},
	{"webhooks", []Entry{
		{
			Name: "calendarhero.get_webhook", Summary: "Say whether a webhook is registered for an event",
			Method: "GET", Path: "/webhook/{event}", Effect: Read,
			Note:   "The answer leaves out the URL, which may hold a key.",
			Fields: Fields{heroEvent},
		},
		{
			Name: "calendarhero.set_webhook", Summary: "Send an event to a URL",
			Method: "POST", Path: "/webhook/{event}", Effect: Repeatable,
			Note:     "An event has one URL. This replaces the one that Milepost or another tool registered.",
			Reserved: "it would redirect the webhooks that Milepost itself needs; `milepost hooks` manages them",
			Fields:   Fields{heroEvent, body("hookUrl", String, "https://hooks.example/started").must()},
		},
		{
			Name: "calendarhero.delete_webhook", Summary: "End the sending of an event",
			Method: "DELETE", Path: "/webhook/{event}", Effect: Repeatable,
			Note:     "An event has one URL. This ends Milepost's own webhook too.",
			Reserved: "it would end the webhooks that Milepost itself needs; `milepost hooks` manages them",
			Fields:   Fields{heroEvent},
		},
		{
			Name: "calendarhero.get_webhook_sample", Summary: "Get a sample of what an event sends",
			Method: "GET", Path: "/webhook/{event}/sample", Effect: Read,
			Fields: Fields{heroEvent},
		},
	}},
	{"meeting types", []Entry{
		{
			Name: "calendarhero.list_meeting_types", Summary: "List the meeting types with their settings",
			Method: "GET", Path: "/user/meeting", Effect: Read,
			Fields: Fields{query("onlyTypes", Boolean, true)},
		},
		{
			Name: "calendarhero.delete_meeting_type", Summary: "Delete a meeting type",
			Method: "DELETE", Path: "/user/meeting/{type}", Effect: Repeatable,
			Fields: Fields{path("type", "coffee")},
		},
	}},
	{"user", []Entry{
		{
			Name: "calendarhero.get_user", Summary: "Get the account's user",
			Method: "GET", Path: "/user", Effect: Read,
		},
		{
			Name: "calendarhero.get_organization", Summary: "Get the user's organization",
			Method: "GET", Path: "/user/org", Effect: Read,
		},
		{
			Name: "calendarhero.get_savings", Summary: "Get how much time CalendarHero saved",
			Method: "GET", Path: "/user/savings", Effect: Read,
		},
	}},
	{"directories", []Entry{
		{
			Name: "calendarhero.list_directories", Summary: "List the public pages that offer meeting types",
			Method: "GET", Path: "/user/directories", Effect: Read,
		},
		{
			Name: "calendarhero.get_directory", Summary: "Get a directory",
			Method: "GET", Path: "/user/directories/{uuid}", Effect: Read,
			Fields: Fields{path("uuid", heroDirectoryID)},
		},
		{
			Name: "calendarhero.create_directory", Summary: "Create a directory",
			Method: "POST", Path: "/user/directories", Effect: Once,
			Fields: Fields{heroDirectory},
		},
		{
			Name: "calendarhero.update_directory", Summary: "Write a directory",
			Method: "PUT", Path: "/user/directories/{uuid}", Effect: Repeatable,
			Fields: Fields{path("uuid", heroDirectoryID), heroDirectory},
		},
		{
			Name: "calendarhero.delete_directory", Summary: "Delete a directory",
			Method: "DELETE", Path: "/user/directories/{uuid}", Effect: Repeatable,
			Fields: Fields{path("uuid", heroDirectoryID)},
		},
	}},
	{"providers", []Entry{
		{
			Name: "calendarhero.list_providers", Summary: "List the calendars and services that the account is connected to",
			Method: "GET", Path: "/provider", Effect: Read,
			Note:   "The answer leaves out the credentials that CalendarHero may send.",
			Fields: Fields{query("org", Boolean, true)},
		},
	}},
}

func heroContact() Fields {
	return Fields{
		body("name", String, "Jane Doe").shown(),
		body("email", Strings, list{"jane@doe.example"}).must(),
		body("defaultEmail", String, "jane@doe.example"),
		body("title", String, "Buyer"),
		body("organization", String, "Doe & Co"),
		body("telephone", Strings, list{"+12125550199"}),
	}
}

const heroDirectoryID = "0b4e1f5c-3a55-4f0e-9a58-9c4a6a0f7f01"

var (
	heroEvent = path("event", "meeting_started").among(
		"new_meeting_request", "meeting_request_success", "meeting_request_expired", "meeting_request_cancelled",
		"meeting_rescheduled", "meeting_started", "meeting_completed", "new_contact_added",
	)
	heroDirectory = body("directory", Object, object{"directoryName": "Sales", "meetingTypes": list{object{"name": "call", "userId": "5f1a2b3c4d5e6f7a8b9c0d20"}}}).must().of(
		body("directoryName", String, "Sales").must(),
		body("meetingTypes", Objects, list{object{"name": "call", "userId": "5f1a2b3c4d5e6f7a8b9c0d20"}}).must().of(
			body("name", String, "call").must(),
			body("userId", String, "5f1a2b3c4d5e6f7a8b9c0d20"),
		),
		body("code", String, "sales"),
		body("title", String, "Talk to us"),
		body("instructions", String, "Pick one"),
		body("isDefault", Boolean, false),
		body("locked", Boolean, false),
		body("googleTrackingIds", Objects, list{object{"id": "G-1", "type": "ga4"}}).of(
			body("id", String, "G-1").must(),
			body("type", String, "ga4"),
		),
	)
)
