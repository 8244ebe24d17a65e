package catalog

// userOperations are those that read users.
var userOperations = []Entry{
	{
		Name: "highlevel.search_users", Summary: "Search the users of the location",
		Method: "GET", Path: "/users/search", Scopes: []string{"users.readonly", "locations.readonly"}, Effect: Read,
		Fields: Fields{
			query("companyId", String, nil).filled(Company).must(),
			query("query", String, "dana").shown(),
			query("skip", String, "0"),
			query("limit", String, "10"),
			query("locationId", String, nil).filled(Location),
			query("type", String, "account"),
			query("role", String, "user"),
			query("ids", String, "082goXVW3lIExEQPOnd3"),
			query("sort", String, "dateAdded"),
			query("sortDirection", String, "asc"),
			query("enabled2waySync", Boolean, false),
		},
	},
	{
		Name: "highlevel.get_user", Summary: "Get a user",
		Method: "GET", Path: "/users/{userId}", Scopes: []string{"users.readonly"}, Effect: Read,
		Fields: Fields{path("userId", "082goXVW3lIExEQPOnd3")},
	},
	{
		Name: "highlevel.find_users_by_email", Summary: "Find users of the whole agency by their e-mail addresses",
		Method: "POST", Path: "/users/search/filter-by-email", Scopes: []string{"users.readonly", "locations.readonly"}, Effect: Read,
		Agency: true,
		Fields: Fields{
			body("companyId", String, nil).filled(Company).must(),
			body("emails", String, "dana@here.example").must(),
			body("deleted", Boolean, false),
			body("skip", String, "0"),
			body("limit", String, "10"),
			body("projection", String, "all"),
		},
	},
	{
		Name: "highlevel.list_users", Summary: "List the users of the location",
		Method: "GET", Path: "/users/", Scopes: []string{"users.readonly"}, Effect: Read,
		Deprecated: "use highlevel.search_users",
		Fields:     Fields{query("locationId", String, nil).filled(Location).must()},
	},
}
