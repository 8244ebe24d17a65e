package catalog

// campaignOperations lists what contacts can be added to.
var campaignOperations = []Entry{
	{
		Name: "highlevel.list_campaigns", Summary: "List the campaigns of the location",
		Method: "GET", Path: "/campaigns/", Scopes: []string{"campaigns.readonly"}, Effect: Read,
		Fields: Fields{
			query("locationId", String, nil).filled(Location).must(),
			query("status", String, "published"),
		},
	},
}
