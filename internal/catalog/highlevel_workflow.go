package catalog

// workflowOperations lists what contacts can be added to.
var workflowOperations = []Entry{
	{
		Name: "highlevel.list_workflows", Summary: "List the workflows of the location",
		Method: "GET", Path: "/workflows/", Scopes: []string{"workflows.readonly"}, Effect: Read,
		Fields: Fields{query("locationId", String, nil).filled(Location).must()},
	},
}
