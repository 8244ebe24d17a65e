package calendarhero

import (
	"net/http"
	"slices"
	"strings"
)

// types are the types of what routes take; what is not listed is a string.
var types = map[string]string{
	"email": "array", "telephone": "array", "providerId": "array", "contactEmails": "array", "contacts": "array", "locations": "array",
	"meetingLength": "number", "capacity": "number", "roomCapacity": "number", "room": "object", "directory": "object",
	"skip": "number", "take": "number", "tally": "boolean", "all": "boolean", "includeTeams": "boolean", "basic": "boolean",
	"onlyTypes": "boolean", "org": "boolean",
}

// enums are the values that a query or a path may have.
var enums = map[string][]string{
	"state": {string(StateActive), string(StateUpcoming), string(StateClosed)},
	"event": events,
}

// getSwagger describes the fake's own routes as hapi-swagger does: Swagger 2.0
// with the bodies among its definitions.
func (c *Server) getSwagger(*call) (int, any, *boom) {
	paths, definitions := map[string]map[string]any{}, map[string]any{}
	for _, o := range c.operations {
		var parameters []any
		parameter := func(in, key string, required bool) {
			p := map[string]any{"name": key, "in": in, "required": required, "type": "string"}
			if kind := types[key]; kind != "" {
				p["type"] = kind
			}
			if values := enums[key]; values != nil {
				p["enum"] = values
			}
			parameters = append(parameters, p)
		}
		for part := range strings.SplitSeq(o.pattern, "/") {
			if key, ok := strings.CutPrefix(part, "{"); ok {
				parameter("path", strings.TrimSuffix(key, "}"), true)
			}
		}
		for _, key := range o.takes.query {
			parameter("query", key, slices.Contains(o.takes.required, key))
		}
		if o.takes.body != nil {
			properties := map[string]any{}
			for _, key := range o.takes.body {
				properties[key] = map[string]any{"type": "string"}
				if kind := types[key]; kind != "" {
					properties[key] = map[string]any{"type": kind}
				}
			}
			model := strings.ToLower(o.method) + strings.NewReplacer("/", "_", "{", "", "}", "").Replace(o.pattern)
			schema := map[string]any{"type": "object", "properties": properties}
			if len(o.takes.required) > 0 {
				schema["required"] = o.takes.required
			}
			definitions[model] = schema
			parameters = append(parameters, map[string]any{"name": "body", "in": "body", "schema": map[string]any{"$ref": "#/definitions/" + model}})
		}
		if paths[o.pattern] == nil {
			paths[o.pattern] = map[string]any{}
		}
		paths[o.pattern][strings.ToLower(o.method)] = map[string]any{
			"parameters": parameters, "responses": map[string]any{"default": map[string]any{"description": "Successful"}},
		}
	}
	return http.StatusOK, map[string]any{
		"swagger": "2.0", "info": map[string]any{"title": "CalendarHero (sandbox)", "version": "1"}, "basePath": "/",
		"paths": paths, "definitions": definitions,
	}, nil
}
