package catalog

// triggers are all that an automation can start from. A test holds them against
// mapping's own table.
var triggers = []Entry{
	event("contact.created", "contacts", "A contact was created", "contacts.readonly", contactToCalendarHero),
	event("contact.changed", "contacts", "A contact was created or changed", "contacts.readonly", contactToCalendarHero),
	event("contact.deleted", "contacts", "A contact was deleted", "contacts.readonly", eventOn("2026-12-04")),
	event("contact.tagged", "contacts", "A contact has a tag", "contacts.readonly", eventOn("2026-12-04"), setting("tag", String, "vip").must()),
	event("contact.dnd_changed", "contacts", "A contact's do-not-disturb settings changed", "contacts.readonly", contactToCalendarHero),

	event("task.changed", "tasks", "A task was created or changed, also if HighLevel sends no webhook for it", "contacts.readonly", taskToCalendar),
	event("task.completed", "tasks", "A task was completed", "contacts.readonly", object{"tags": object{"add": list{"called"}}}),
	event("task.deleted", "tasks", "A task was deleted", "contacts.readonly", noteToOwner),
	{
		Name: "task.edited", Vendor: Milepost, Group: "tasks", Summary: "An existing task was edited, which HighLevel sends no webhook for",
		Scopes: []string{"contacts.readonly", "locations/tasks.readonly"}, Example: automation("task.edited", taskToCalendar, nil),
	},

	event("note.created", "notes", "A note was created", "contacts.readonly", noteToOwner),
	event("note.changed", "notes", "A note was created or changed", "contacts.readonly", noteToCalendar),
	event("note.deleted", "notes", "A note was deleted", "contacts.readonly", noteToOwner),

	event("appointment.created", "appointments", "An appointment was created", "calendars/events.readonly", eventOn("{{ appointment.start }}")),
	event("appointment.changed", "appointments", "An appointment was created or changed", "calendars/events.readonly", eventOn("{{ appointment.start }}")),
	event("appointment.deleted", "appointments", "An appointment was deleted", "calendars/events.readonly", noteToOwner),

	event("opportunity.created", "opportunities", "An opportunity was created", "opportunities.readonly", noteToOwner),
	event("opportunity.changed", "opportunities", "An opportunity was created or changed", "opportunities.readonly", noteToOwner),
	event("opportunity.deleted", "opportunities", "An opportunity was deleted", "opportunities.readonly", noteToOwner),
	event("opportunity.stage_changed", "opportunities", "An opportunity moved to another stage", "opportunities.readonly", noteToOwner),
	event("opportunity.status_changed", "opportunities", "An opportunity was won, lost, abandoned or opened again", "opportunities.readonly", noteToOwner),
	event("opportunity.value_changed", "opportunities", "The value of an opportunity changed", "opportunities.readonly", noteToOwner),
	event("opportunity.assignee_changed", "opportunities", "An opportunity was assigned to another user", "opportunities.readonly", noteToOwner),

	event("workflow.received", "workflows", "A workflow's webhook action ran for a contact", "contacts.readonly", eventOn("{{ custom_data.milestone_date }}")),

	{
		Name: "milestone.changed", Vendor: Milepost, Group: "milestones", Summary: "The milestone of a contact changed: its name or its date",
		Fields: Fields{milestone}, Scopes: []string{"contacts.readonly", "locations/customFields.readonly"},
		Example: automation("milestone.changed", eventOn("{{ milestone.date }}"), Fields{milestone}),
	},
	{
		Name: "milestone.approaching", Vendor: Milepost, Group: "milestones", Summary: "A milestone is some days or hours away",
		Fields: Fields{milestone, setting("before", String, "7d").must()}, Scopes: []string{"contacts.readonly", "locations/customFields.readonly"},
		Example: automation("milestone.approaching", noteToOwner, Fields{milestone, setting("before", String, "7d")}),
	},

	heroTrigger("new_meeting_request", "The account's user created a meeting request", noteToOwner),
	heroTrigger("meeting_request_success", "An invitee accepted, and the meeting is booked", noteToOwner),
	heroTrigger("meeting_request_expired", "Nobody accepted a meeting request in time", noteToOwner),
	heroTrigger("meeting_request_cancelled", "The account's user cancelled a meeting request", noteToOwner),
	heroTrigger("meeting_rescheduled", "A meeting moved to another time", object{"reschedule_task": object{}}),
	heroTrigger("meeting_started", "The start of a meeting is reached", object{"tags": object{"add": list{"met"}}}),
	heroTrigger("meeting_completed", "The end of a meeting is reached", object{"complete_task": object{}}),
	heroTrigger("new_contact_added", "Somebody new came through a scheduling link", object{"upsert_contact": object{"name": "{{ calendarhero_contact.name }}", "emails": "{{ calendarhero_contact.emails }}"}}),
}

// The actions of the examples.
var (
	contactToCalendarHero = object{"contact": object{"name": "{{ contact.name }}", "emails": list{"{{ contact.email }}"}}}
	taskToCalendar        = object{"task": object{"title": "{{ task.title }}", "due": "{{ task.due }}", "invite": "owner"}}
	noteToCalendar        = object{"note": object{"text": "{{ note.body }}"}}
	noteToOwner           = object{"highlevel_note": object{"text": "Milepost saw it happen"}}
)

func eventOn(start string) map[string]any {
	return object{"event": object{"title": "{{ contact.name }}", "start": start, "at": "09:00", "duration": "30m", "invite": "owner"}}
}

var milestone = setting("milestone", Object, object{"name": "contact.milestone", "date": "contact.milestone_date"}).must()

// setting is a part of the automation that goes with its trigger.
func setting(name, kind string, example any) Field {
	return Field{Name: name, Where: InAutomation, Type: kind, Example: example}
}

// automation is one that starts from a trigger.
func automation(on string, action map[string]any, settings Fields) map[string]any {
	example := object{"name": "Example of " + on, "on": on, "do": list{action}}
	for _, f := range settings {
		example[f.Name] = f.Example
	}
	return example
}

func event(name, group, summary, scope string, action map[string]any, settings ...Field) Entry {
	return Entry{
		Name: name, Vendor: HighLevel, Group: group, Summary: summary, Scopes: []string{scope}, Fields: settings,
		Example: automation(name, action, settings),
	}
}

func heroTrigger(event, summary string, action map[string]any) Entry {
	name := "calendarhero." + event
	return Entry{Name: name, Vendor: CalendarHero, Group: "calendarhero events", Summary: summary, Example: automation(name, action, nil)}
}
