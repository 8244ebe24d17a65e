package catalog

// LeftOut is what the vendors offer and the catalogue does not list, and why.
type LeftOut struct {
	Vendor     string `json:"vendor"`
	What       string `json:"what"`
	Operations int    `json:"operations"` // how many
	Why        string `json:"why"`
}

// NotListed returns what is left out. The numbers of HighLevel are those of the apps
// that the catalogue covers (OpenAPI v2).
func NotListed() []LeftOut {
	return []LeftOut{
		{HighLevel, "Create, change, delete and search sub-accounts", 4, "They reach beyond the location that a connection is for."},
		{HighLevel, "Upload a file into a custom field", 1, "An automation has no file to send."},
		{HighLevel, "Create, change and delete users", 3, "They change who can sign in, and take passwords."},
		{HighLevel, "Create, change and delete calendars; their groups, resources, notifications and schedules", 25, "They change how the calendars are set up, which no contact's automation should do."},
		{HighLevel, "Custom fields V2", 8, "They are for custom objects only. The location's own custom fields are listed."},
		{HighLevel, "OAuth", 3, "Milepost uses them itself to connect a location. They answer with tokens."},
		{HighLevel, "Conversations: texts and e-mails to customers", 29, "Milepost never writes to a customer unasked. Add the contact to a workflow that does."},
		{CalendarHero, "Change the user, the settings, the address, the work location and the restricted apps", 5, "Nobody documents what they take."},
		{CalendarHero, "Create, change and share meeting types; import them from Calendly", 4, "Nobody documents what they take."},
		{CalendarHero, "Write to the assistant and read its answer", 2, "Nobody documents what they take."},
		{CalendarHero, "Search connected services", 2, "Nobody documents what they take."},
	}
}
