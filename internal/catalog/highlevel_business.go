package catalog

// businessOperations are those of businesses, which HighLevel's pages call companies.
var businessOperations = []Entry{
	{
		Name: "highlevel.list_businesses", Summary: "List the businesses of the location",
		Method: "GET", Path: "/businesses/", Scopes: []string{"businesses.readonly"}, Effect: Read,
		Fields: Fields{
			query("locationId", String, nil).filled(Location).must(),
			query("limit", String, "100"),
			query("skip", String, "0"),
		},
	},
	{
		Name: "highlevel.get_business", Summary: "Get a business",
		Method: "GET", Path: "/businesses/{businessId}", Scopes: []string{"businesses.readonly"}, Effect: Read,
		Fields: Fields{path("businessId", "63b7ec34ea409a9a8bd2a4ff")},
	},
	{
		Name: "highlevel.create_business", Summary: "Create a business",
		Method: "POST", Path: "/businesses/", Scopes: []string{"businesses.write"}, Effect: Once,
		Fields: Fields{
			body("name", String, "Doe & Co").must(),
			body("locationId", String, nil).filled(Location).must(),
			body("phone", String, "+12125550199").shown(),
			body("email", String, "office@doe.example"),
			body("website", String, "https://doe.example"),
			body("address", String, "12 Main St"),
			body("city", String, "Beacon"),
			body("postalCode", String, "12508"),
			body("state", String, "NY"),
			body("country", String, "US"),
			body("description", String, "Builders"),
		},
	},
	{
		Name: "highlevel.update_business", Summary: "Change a business",
		Method: "PUT", Path: "/businesses/{businessId}", Scopes: []string{"businesses.write"}, Effect: Repeatable,
		Fields: Fields{
			path("businessId", "63b7ec34ea409a9a8bd2a4ff"),
			body("name", String, "Doe & Co"),
			body("phone", String, "+12125550199").shown(),
			body("email", String, "office@doe.example"),
			body("postalCode", String, "12508"),
			body("website", String, "https://doe.example"),
			body("address", String, "12 Main St"),
			body("state", String, "NY"),
			body("city", String, "Beacon"),
			body("country", String, "US"),
			body("description", String, "Builders"),
		},
	},
	{
		Name: "highlevel.delete_business", Summary: "Delete a business",
		Method: "DELETE", Path: "/businesses/{businessId}", Scopes: []string{"businesses.write"}, Effect: Repeatable,
		Fields: Fields{path("businessId", "63b7ec34ea409a9a8bd2a4ff")},
	},
}
