package reference

import (
	"context"
	"fmt"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// bearerOnly asks for what HighLevel's security schemes mean: an
// Authorization header with a bearer token. Scopes live in the token and are
// not checked here.
func bearerOnly(_ context.Context, in *openapi3filter.AuthenticationInput) error {
	header := in.RequestValidationInput.Request.Header.Get("Authorization")
	if token, ok := strings.CutPrefix(header, "Bearer "); !ok || token == "" {
		return fmt.Errorf("no bearer token in the Authorization header")
	}
	return nil
}

// refuseUnknownKeys closes every object schema that lists properties. The
// documents leave them open, but the API answers 422 "property X should not exist".
func refuseUnknownKeys(spec *openapi3.T) {
	closed := false
	eachSchema(spec, func(s *openapi3.Schema) {
		if len(s.Properties) > 0 && len(s.AllOf) == 0 && s.AdditionalProperties.Schema == nil {
			s.AdditionalProperties = openapi3.AdditionalProperties{Has: &closed}
		}
	})
}

// tolerateNull makes every property of an answer nullable. The documents
// mark only some, but real records hold null in the others too
// (e.g. "assignedTo": null in HighLevel's own sample delivery).
func tolerateNull(spec *openapi3.T) {
	eachSchema(spec, func(s *openapi3.Schema) {
		for _, property := range s.Properties {
			if property.Value != nil {
				property.Value.Nullable = true
			}
		}
	})
}

// A quirk is a place where HighLevel's document is known to differ from its API.
type quirk struct {
	schema string // name under components/schemas
	why    string
	mend   func(spec *openapi3.T, s *openapi3.Schema)
}

func (q quirk) apply(spec *openapi3.T) {
	if spec.Components == nil {
		return
	}
	if ref := spec.Components.Schemas[q.schema]; ref != nil && ref.Value != nil {
		q.mend(spec, ref.Value)
	}
}

var requestQuirks = []quirk{
	{
		"SearchBodyV2DTO", "the document has no properties; these are the ones of HighLevel's guide to contact search",
		func(_ *openapi3.T, s *openapi3.Schema) {
			closed := false
			s.Properties = openapi3.Schemas{}
			for key, kind := range map[string]*openapi3.Schema{
				"locationId": openapi3.NewStringSchema(),
				"pageLimit":  openapi3.NewIntegerSchema().WithMin(1).WithMax(500),
				"page":       openapi3.NewIntegerSchema().WithMin(1),
				"query":      openapi3.NewStringSchema().WithMaxLength(75),
				"searchAfter": openapi3.NewArraySchema().
					WithItems(openapi3.NewSchema()),
				"filters": openapi3.NewArraySchema().
					WithItems(openapi3.NewObjectSchema()),
				"sort": openapi3.NewArraySchema().WithMaxItems(2).
					WithItems(openapi3.NewObjectSchema()),
			} {
				s.Properties[key] = openapi3.NewSchemaRef("", kind)
			}
			s.Required = []string{"locationId", "pageLimit"}
			s.AdditionalProperties = openapi3.AdditionalProperties{Has: &closed}
		},
	},
	{"CreateContactDto", "dateOfBirth is declared as an object, its own example is a text", birthdayText},
	{"UpdateContactDto", "dateOfBirth is declared as an object, its own example is a text", birthdayText},
	{"UpsertContactDto", "dateOfBirth is declared as an object, its own example is a text", birthdayText},
	{"TextField", `"Pass either id or key"`, eitherIDOrKey},
	{"LargeTextField", `"Pass either id or key"`, eitherIDOrKey},
	{"SingleSelectField", `"Pass either id or key"`, eitherIDOrKey},
	{"RadioField", `"Pass either id or key"`, eitherIDOrKey},
	{"CheckboxField", `"Pass either id or key"`, eitherIDOrKey},
	{"MultiSelectField", `"Pass either id or key"`, eitherIDOrKey},
	{"customFieldsInputArraySchema", `"Pass either id or key"`, eitherIDOrKey},
	{"customFieldsInputObjectSchema", `"Pass either id or key"`, eitherIDOrKey},
	{"UpsertOpportunityDto", "monetaryValue is declared as an object, its own example is a number", numberValueOf("monetaryValue")},
	{"NumericField", "declared as an object, its own example is a number", numberValue},
	{"MonetoryField", "declared as an object, its own example is a number", numberValue},
}

var answerQuirks = []quirk{
	{
		"LocationTaskListSuccessfulResponseDto", "declared as an array of arrays; the API answers an array of tasks as the contact routes do",
		func(_ *openapi3.T, s *openapi3.Schema) {
			task := openapi3.NewObjectSchema()
			for key, kind := range map[string]*openapi3.Schema{
				"id": openapi3.NewStringSchema(), "title": openapi3.NewStringSchema(), "body": openapi3.NewStringSchema(),
				"assignedTo": openapi3.NewStringSchema(), "dueDate": openapi3.NewStringSchema(),
				"completed": openapi3.NewBoolSchema(), "contactId": openapi3.NewStringSchema(),
			} {
				kind.Nullable = true
				task.Properties[key] = openapi3.NewSchemaRef("", kind)
			}
			task.Required = []string{"id"}
			s.Properties["tasks"] = openapi3.NewSchemaRef("", openapi3.NewArraySchema().WithItems(task))
		},
	},
	{
		"CustomFieldSchema", "value is declared as a string; numbers, arrays and objects come too, by the type of the field",
		func(_ *openapi3.T, s *openapi3.Schema) {
			if s.Properties["value"] != nil { // the schema of this name in locations.json is the definition of a field
				s.Properties["value"] = openapi3.NewSchemaRef("", openapi3.NewSchema().WithNullable())
			}
		},
	},
	{
		"AttributionSource", "url is declared as required; published samples of the API lack it",
		func(_ *openapi3.T, s *openapi3.Schema) { s.Required = nil },
	},
	{
		"GetContectByIdSchema", "attachments is declared as a string; an (empty) array comes too",
		func(_ *openapi3.T, s *openapi3.Schema) {
			if s.Properties["attachments"] != nil {
				s.Properties["attachments"] = openapi3.NewSchemaRef("", openapi3.NewSchema().WithNullable())
			}
		},
	},
	{
		"UpdateTagsResponseDTO", "responses is declared as strings, its own example holds objects",
		func(_ *openapi3.T, s *openapi3.Schema) {
			s.Properties["responses"] = openapi3.NewSchemaRef("", openapi3.NewArraySchema().WithItems(openapi3.NewSchema()))
		},
	},
	{
		"PipelinesResponseSchema", "stages is declared as an array of arrays; the API answers an array of objects",
		func(_ *openapi3.T, s *openapi3.Schema) { s.Properties["stages"] = arrayOfRecords() },
	},
	{
		"SearchOpportunitiesResponseSchema", "the records of the contact are declared as arrays of arrays; they are arrays of objects, followers one of ids",
		func(_ *openapi3.T, s *openapi3.Schema) {
			for _, key := range []string{"notes", "tasks", "calendarEvents"} {
				s.Properties[key] = arrayOfRecords()
			}
			s.Properties["followers"] = openapi3.NewSchemaRef("", openapi3.NewArraySchema().WithItems(openapi3.NewStringSchema()))
		},
	},
	{
		"CustomFieldResponseSchema", "fieldValue is declared as required; by the field's type the value is in fieldValueString, …Array or …Date (HighLevel issue #87)",
		func(_ *openapi3.T, s *openapi3.Schema) {
			s.Required = []string{"id"}
			s.Properties["fieldValue"] = openapi3.NewSchemaRef("", openapi3.NewSchema().WithNullable())
		},
	},
	{
		"GetTemplatesSuccessfulResponseDto", "a template must be one of two shapes, which both allow the other",
		func(_ *openapi3.T, s *openapi3.Schema) {
			item := s.Properties["templates"].Value.Items.Value
			item.AnyOf, item.OneOf = item.OneOf, nil
		},
	},
	{
		"BlockedSlotSuccessfulResponseDto", "times are declared as objects, their own examples are RFC 3339 texts",
		func(_ *openapi3.T, s *openapi3.Schema) {
			for _, key := range []string{"startTime", "endTime"} {
				s.Properties[key] = openapi3.NewSchemaRef("", openapi3.NewDateTimeSchema().WithNullable())
			}
		},
	},
	{
		"CalendarEventDTO", "times are declared as objects, their own examples are RFC 3339 texts",
		func(_ *openapi3.T, s *openapi3.Schema) {
			for _, key := range []string{"startTime", "endTime", "dateAdded", "dateUpdated"} {
				s.Properties[key] = openapi3.NewSchemaRef("", openapi3.NewDateTimeSchema().WithNullable())
			}
		},
	},
}

func arrayOfRecords() *openapi3.SchemaRef {
	return openapi3.NewSchemaRef("", openapi3.NewArraySchema().WithItems(openapi3.NewObjectSchema()))
}

func eitherIDOrKey(_ *openapi3.T, s *openapi3.Schema) { s.Required = nil }

func birthdayText(_ *openapi3.T, s *openapi3.Schema) {
	s.Properties["dateOfBirth"] = openapi3.NewSchemaRef("", openapi3.NewStringSchema().WithNullable())
}

func numberValueOf(key string) func(*openapi3.T, *openapi3.Schema) {
	return func(_ *openapi3.T, s *openapi3.Schema) {
		s.Properties[key] = openapi3.NewSchemaRef("", openapi3.NewFloat64Schema())
	}
}

func numberValue(_ *openapi3.T, s *openapi3.Schema) {
	s.Required = nil
	s.Properties["field_value"] = openapi3.NewSchemaRef("", openapi3.NewFloat64Schema())
}

// extraSuccess are statuses that the API answers beside the documented one,
// with the body of the latter.
var extraSuccess = map[string]struct{ status, likeStatus int }{
	"upsert-contact":          {201, 200}, // 201 when the contact is new
	"add-contact-to-workflow": {201, 200}, // documented as 200, 201 seen
}

// eachSchema visits every schema of a document once, components and inline ones.
func eachSchema(spec *openapi3.T, visit func(*openapi3.Schema)) {
	seen := map[*openapi3.Schema]bool{}
	var walk func(*openapi3.SchemaRef)
	walk = func(ref *openapi3.SchemaRef) {
		if ref == nil || ref.Value == nil || seen[ref.Value] {
			return
		}
		s := ref.Value
		seen[s] = true
		for _, child := range s.Properties {
			walk(child)
		}
		walk(s.Items)
		walk(s.AdditionalProperties.Schema)
		for _, children := range []openapi3.SchemaRefs{s.AnyOf, s.OneOf, s.AllOf} {
			for _, child := range children {
				walk(child)
			}
		}
		visit(s)
	}
	walkContent := func(content openapi3.Content) {
		for _, media := range content {
			walk(media.Schema)
		}
	}
	if spec.Components != nil {
		for _, ref := range spec.Components.Schemas {
			walk(ref)
		}
	}
	for _, item := range spec.Paths.Map() {
		for _, op := range item.Operations() {
			if op.RequestBody != nil && op.RequestBody.Value != nil {
				walkContent(op.RequestBody.Value.Content)
			}
			for _, response := range op.Responses.Map() {
				if response.Value != nil {
					walkContent(response.Value.Content)
				}
			}
		}
	}
}
