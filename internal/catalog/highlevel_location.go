package catalog

// locationOperations are those of the location itself.
var locationOperations = []Entry{
	{
		Name: "highlevel.get_location", Summary: "Get the location",
		Method: "GET", Path: "/locations/{locationId}", Scopes: []string{"locations.readonly"}, Effect: Read,
		Fields: Fields{path("locationId", nil).filled(Location)},
	},
	{
		Name: "highlevel.list_location_tags", Summary: "List the tags of the location",
		Method: "GET", Path: "/locations/{locationId}/tags", Scopes: []string{"locations/tags.readonly"}, Effect: Read,
		Fields: Fields{path("locationId", nil).filled(Location)},
	},
	{
		Name: "highlevel.create_location_tag", Summary: "Create a tag of the location",
		Method: "POST", Path: "/locations/{locationId}/tags", Scopes: []string{"locations/tags.write"}, Effect: Once,
		Fields: Fields{
			path("locationId", nil).filled(Location),
			body("name", String, "seller").must(),
		},
	},
	{
		Name: "highlevel.get_location_tag", Summary: "Get a tag of the location",
		Method: "GET", Path: "/locations/{locationId}/tags/{tagId}", Scopes: []string{"locations/tags.readonly"}, Effect: Read,
		Fields: Fields{
			path("locationId", nil).filled(Location),
			path("tagId", "flGwEuzsfJOia1i1ikRN"),
		},
	},
	{
		Name: "highlevel.rename_location_tag", Summary: "Rename a tag of the location",
		Method: "PUT", Path: "/locations/{locationId}/tags/{tagId}", Scopes: []string{"locations/tags.write"}, Effect: Repeatable,
		Fields: Fields{
			path("locationId", nil).filled(Location),
			path("tagId", "flGwEuzsfJOia1i1ikRN"),
			body("name", String, "owner").must(),
		},
	},
	{
		Name: "highlevel.delete_location_tag", Summary: "Delete a tag of the location",
		Method: "DELETE", Path: "/locations/{locationId}/tags/{tagId}", Scopes: []string{"locations/tags.write"}, Effect: Repeatable,
		Fields: Fields{
			path("locationId", nil).filled(Location),
			path("tagId", "flGwEuzsfJOia1i1ikRN"),
		},
	},
	{
		Name: "highlevel.search_tasks", Summary: "Search the tasks of all contacts of the location",
		Method: "POST", Path: "/locations/{locationId}/tasks/search", Scopes: []string{"locations/tasks.readonly"}, Effect: Read,
		Fields: Fields{
			path("locationId", nil).filled(Location),
			body("contactId", Strings, list{"ocQHyuzHvysMo5N5VsXc"}),
			body("completed", Boolean, false).shown(),
			body("assignedTo", Strings, list{"082goXVW3lIExEQPOnd3"}),
			body("query", String, "Call"),
			body("limit", Number, 25).shown(),
			body("skip", Number, 0),
			body("businessId", String, "63b7ec34ea409a9a8bd2a4ff"),
		},
	},
	{
		Name: "highlevel.get_recurring_task", Summary: "Get a recurring task",
		Method: "GET", Path: "/locations/{locationId}/recurring-tasks/{id}", Scopes: []string{"locations/tasks.readonly"}, Effect: Read,
		Fields: Fields{
			path("locationId", nil).filled(Location),
			path("id", "sx6wyHhbFdRXh302Lunr"),
		},
	},
	{
		Name: "highlevel.update_recurring_task", Summary: "Change a recurring task",
		Method: "PUT", Path: "/locations/{locationId}/recurring-tasks/{id}", Scopes: []string{"locations/tasks.write"}, Effect: Repeatable,
		Fields: Fields{
			path("locationId", nil).filled(Location),
			path("id", "sx6wyHhbFdRXh302Lunr"),
			body("title", String, "Ring Jane").shown(),
			body("description", String, "Bring the keys"),
			body("contactIds", Strings, list{"ocQHyuzHvysMo5N5VsXc"}),
			body("owners", Strings, list{"082goXVW3lIExEQPOnd3"}),
			recurrence,
			body("ignoreTaskCreation", Boolean, true),
		},
	},
	{
		Name: "highlevel.delete_recurring_task", Summary: "Delete a recurring task",
		Method: "DELETE", Path: "/locations/{locationId}/recurring-tasks/{id}", Scopes: []string{"locations/tasks.write"}, Effect: Repeatable,
		Fields: Fields{
			path("locationId", nil).filled(Location),
			path("id", "sx6wyHhbFdRXh302Lunr"),
		},
	},
	{
		Name: "highlevel.create_recurring_task", Summary: "Create a recurring task",
		Method: "POST", Path: "/locations/{locationId}/recurring-tasks", Scopes: []string{"locations/tasks.write"}, Effect: Once,
		Fields: Fields{
			path("locationId", nil).filled(Location),
			body("title", String, "Ring Jane").must(),
			body("description", String, "Bring the keys"),
			body("contactIds", Strings, list{"ocQHyuzHvysMo5N5VsXc"}).shown(),
			body("owners", Strings, list{"082goXVW3lIExEQPOnd3"}),
			recurrence.must(),
			body("ignoreTaskCreation", Boolean, true),
		},
	},
	{
		Name: "highlevel.list_custom_fields", Summary: "List the custom fields of contacts and opportunities",
		Method: "GET", Path: "/locations/{locationId}/customFields", Scopes: []string{"locations/customFields.readonly"}, Effect: Read,
		Fields: Fields{
			path("locationId", nil).filled(Location),
			query("model", String, "contact").among("contact", "opportunity", "all").shown(),
		},
	},
	{
		Name: "highlevel.create_custom_field", Summary: "Create a custom field",
		Method: "POST", Path: "/locations/{locationId}/customFields", Scopes: []string{"locations/customFields.write"}, Effect: Once,
		Fields: Fields{
			path("locationId", nil).filled(Location),
			body("name", String, "Closing date").must(),
			body("dataType", String, "DATE").among("TEXT", "LARGE_TEXT", "NUMERICAL", "PHONE", "MONETORY", "CHECKBOX", "SINGLE_OPTIONS", "MULTIPLE_OPTIONS", "DATE", "TEXTBOX_LIST", "FILE_UPLOAD", "RADIO", "EMAIL").must(),
			body("placeholder", String, "When"),
			body("acceptedFormat", Strings, list{".pdf"}),
			body("isMultipleFile", Boolean, false),
			body("maxNumberOfFiles", Number, 1),
			textBoxListOptions,
			body("position", Number, 100),
			body("model", String, "contact").among("contact", "opportunity").shown(),
		},
	},
	{
		Name: "highlevel.get_custom_field", Summary: "Get a custom field by its id or key",
		Method: "GET", Path: "/locations/{locationId}/customFields/{id}", Scopes: []string{"locations/customFields.readonly"}, Effect: Read,
		Fields: Fields{
			path("locationId", nil).filled(Location),
			path("id", "6dvNaf7VhkQ9snc5vnjJ"),
		},
	},
	{
		Name: "highlevel.update_custom_field", Summary: "Change a custom field",
		Method: "PUT", Path: "/locations/{locationId}/customFields/{id}", Scopes: []string{"locations/customFields.write"}, Effect: Repeatable,
		Note: "The type of a field cannot change.",
		Fields: Fields{
			path("locationId", nil).filled(Location),
			path("id", "6dvNaf7VhkQ9snc5vnjJ"),
			body("name", String, "Milestone").must(),
			body("placeholder", String, "When"),
			body("acceptedFormat", Strings, list{".pdf"}),
			body("isMultipleFile", Boolean, false),
			body("maxNumberOfFiles", Number, 1),
			textBoxListOptions,
			body("position", Number, 100),
			body("model", String, "contact").among("contact", "opportunity"),
		},
	},
	{
		Name: "highlevel.delete_custom_field", Summary: "Delete a custom field and its values",
		Method: "DELETE", Path: "/locations/{locationId}/customFields/{id}", Scopes: []string{"locations/customFields.write"}, Effect: Repeatable,
		Fields: Fields{
			path("locationId", nil).filled(Location),
			path("id", "6dvNaf7VhkQ9snc5vnjJ"),
		},
	},
	{
		Name: "highlevel.list_custom_values", Summary: "List the custom values of the location",
		Method: "GET", Path: "/locations/{locationId}/customValues", Scopes: []string{"locations/customValues.readonly"}, Effect: Read,
		Fields: Fields{path("locationId", nil).filled(Location)},
	},
	{
		Name: "highlevel.create_custom_value", Summary: "Create a custom value",
		Method: "POST", Path: "/locations/{locationId}/customValues", Scopes: []string{"locations/customValues.write"}, Effect: Once,
		Fields: Fields{
			path("locationId", nil).filled(Location),
			body("name", String, "Slogan").must(),
			body("value", String, "Your home.").must(),
		},
	},
	{
		Name: "highlevel.get_custom_value", Summary: "Get a custom value",
		Method: "GET", Path: "/locations/{locationId}/customValues/{id}", Scopes: []string{"locations/customValues.readonly"}, Effect: Read,
		Fields: Fields{
			path("locationId", nil).filled(Location),
			path("id", "kOBjMVAJhFuUeYIojVet"),
		},
	},
	{
		Name: "highlevel.update_custom_value", Summary: "Change a custom value",
		Method: "PUT", Path: "/locations/{locationId}/customValues/{id}", Scopes: []string{"locations/customValues.write"}, Effect: Repeatable,
		Fields: Fields{
			path("locationId", nil).filled(Location),
			path("id", "kOBjMVAJhFuUeYIojVet"),
			body("name", String, "Slogan").must(),
			body("value", String, "Your new home.").must(),
		},
	},
	{
		Name: "highlevel.delete_custom_value", Summary: "Delete a custom value",
		Method: "DELETE", Path: "/locations/{locationId}/customValues/{id}", Scopes: []string{"locations/customValues.write"}, Effect: Repeatable,
		Fields: Fields{
			path("locationId", nil).filled(Location),
			path("id", "kOBjMVAJhFuUeYIojVet"),
		},
	},
	{
		Name: "highlevel.list_time_zones", Summary: "List the time zones that a location can have",
		Method: "GET", Path: "/locations/{locationId}/timezones", Scopes: []string{"locations.readonly"}, Effect: Read,
		Fields: Fields{path("locationId", nil).filled(Location)},
	},
	{
		Name: "highlevel.list_templates", Summary: "List the templates for e-mails and messages",
		Method: "GET", Path: "/locations/{locationId}/templates", Scopes: []string{"locations/templates.readonly"}, Effect: Read,
		Fields: Fields{
			path("locationId", nil).filled(Location),
			query("deleted", Boolean, false),
			query("skip", String, "0"),
			query("limit", String, "25"),
			query("type", String, "email").among("sms", "email", "whatsapp").shown(),
			query("originId", String, nil).filled(Location).must(),
		},
	},
	{
		Name: "highlevel.delete_template", Summary: "Delete a template",
		Method: "DELETE", Path: "/locations/{locationId}/templates/{id}", Scopes: []string{"locations/templates.write"}, Effect: Repeatable,
		Fields: Fields{
			path("locationId", nil).filled(Location),
			path("id", "tMpL8TQqGLh3Q6iQI55w"),
		},
	},
}
