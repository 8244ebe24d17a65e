package catalog

// The types of a field.
const (
	String  = "string"
	Number  = "number"
	Boolean = "boolean"
	Object  = "object"
	Strings = "array of strings"
	Objects = "array of objects"
	Array   = "array" // of anything
	Any     = "any"
)

// Where a field is sent.
const (
	InPath       = "path"
	InQuery      = "query"
	InBody       = "body"
	InAutomation = "automation" // a setting of a trigger
)

// What Milepost fills a field in with.
const (
	Location = "location" // the id of the connection's location
	Company  = "company"  // the id of the location's agency
)

// Field is one value that an operation takes, or one setting of a trigger.
type Field struct {
	Name     string   `json:"name"`
	Where    string   `json:"where"`
	Type     string   `json:"type"`
	Required bool     `json:"required"`
	Filled   string   `json:"filled_with,omitempty"` // Milepost fills the field in; an automation cannot
	Values   []string `json:"values,omitempty"`      // the field is one of these
	Nullable bool     `json:"nullable,omitempty"`    // null clears the field
	Pick     string   `json:"pick,omitempty"`        // the operation that lists what the field can be; see Options
	Fields   Fields   `json:"fields,omitempty"`      // of an object, or of each object of an array
	Example  any      `json:"example"`

	inExample bool
}

// Fields are the fields of an operation. None has the name of another.
type Fields []Field

type (
	list   = []any
	object = map[string]any
)

func path(name string, example any) Field {
	return Field{Name: name, Where: InPath, Type: String, Required: true, Example: example, inExample: true}
}

func query(name, kind string, example any) Field {
	return Field{Name: name, Where: InQuery, Type: kind, Example: example}
}

func body(name, kind string, example any) Field {
	return Field{Name: name, Where: InBody, Type: kind, Example: example}
}

// must makes the field required.
func (f Field) must() Field { f.Required, f.inExample = true, true; return f }

// shown makes an optional field a part of the operation's example.
func (f Field) shown() Field { f.inExample = true; return f }

func (f Field) orNull() Field                { f.Nullable = true; return f }
func (f Field) among(values ...string) Field { f.Values = values; return f }
func (f Field) of(fields ...Field) Field     { f.Fields = fields; return f }

// filled makes the field one that Milepost fills in.
func (f Field) filled(with string) Field {
	f.Filled, f.inExample, f.Example = with, false, "the id of the "+with
	return f
}

func (all Fields) example() map[string]any {
	example := map[string]any{}
	for _, f := range all {
		if f.inExample && f.Filled == "" {
			example[f.Name] = f.Example
		}
	}
	return example
}

// The fields that several operations of HighLevel share.
var (
	customFields = body("customFields", Objects, list{object{"key": "milestone", "field_value": "Closing"}}).of(
		body("id", String, "6dvNaf7VhkQ9snc5vnjJ"),
		body("key", String, "milestone"),
		body("field_value", Any, "Closing"),
	)
	dndSettings = body("dndSettings", Object, object{"Email": object{"status": "active"}}).of(
		dndChannel("Call"), dndChannel("Email"), dndChannel("SMS"), dndChannel("WhatsApp"), dndChannel("GMB"), dndChannel("FB"),
	)
	inboundDNDSettings = body("inboundDndSettings", Object, object{"all": object{"status": "inactive"}}).of(
		body("all", Object, object{"status": "inactive"}).of(
			body("status", String, "inactive").among("active", "inactive").must(),
			body("message", String, "asked by telephone"),
		),
	)
	textBoxListOptions = body("textBoxListOptions", Objects, list{object{"label": "First", "prefillValue": ""}}).of(
		body("label", String, "First"),
		body("prefillValue", String, ""),
	)
	recurrence = body("rruleOptions", Object, object{"intervalType": "weekly", "interval": 1, "startDate": "2026-12-04T15:00:00.000Z", "dueAfterSeconds": 86400}).of(
		body("intervalType", String, "weekly").among("yearly", "monthly", "weekly", "daily", "hourly").must(),
		body("interval", Number, 1).must(),
		body("startDate", String, "2026-12-04T15:00:00.000Z").must(),
		body("endDate", String, "2027-12-04T15:00:00.000Z"),
		body("dayOfMonth", Number, 15),
		body("dayOfWeek", String, "FR").among("MO", "TU", "WE", "TH", "FR", "SA", "SU"),
		body("monthOfYear", Number, 1),
		body("count", Number, 10),
		body("createTaskIfOverDue", Boolean, true),
		body("dueAfterSeconds", Number, 86400).must(),
	)
	additionalDetails = body("additionalDetails", Object, object{"notes": true, "tasks": true, "calendarEvents": false, "unReadConversations": false}).of(
		body("notes", Boolean, true).must(),
		body("tasks", Boolean, true).must(),
		body("calendarEvents", Boolean, false).must(),
		body("unReadConversations", Boolean, false).must(),
	)
	// searchFields are those of HighLevel's guide to contact search: its OpenAPI names none.
	searchFields = Fields{
		body("locationId", String, nil).filled(Location).must(),
		body("pageLimit", Number, 100).must(),
		body("page", Number, 1),
		body("searchAfter", Array, list{1764075600000, "ocQHyuzHvysMo5N5VsXc"}),
		body("query", String, "jane"),
		body("filters", Objects, list{object{"field": "email", "operator": "exists"}}).shown().of(
			body("field", String, "email"),
			body("operator", String, "exists").among("eq", "not_eq", "contains", "not_contains", "exists", "not_exists", "range"),
			body("value", Any, "jane@doe.example"),
			body("group", String, "OR").among("AND", "OR"),
			body("filters", Objects, list{object{"field": "phone", "operator": "exists"}}),
		),
		body("sort", Objects, list{object{"field": "dateUpdated", "direction": "desc"}}).of(
			body("field", String, "dateUpdated").must(),
			body("direction", String, "desc").among("asc", "desc").must(),
		),
	}
)

func dndChannel(name string) Field {
	return body(name, Object, object{"status": "active"}).of(
		body("status", String, "active").among("active", "inactive", "permanent").must(),
		body("message", String, "asked by telephone"),
		body("code", String, "103"),
	)
}
