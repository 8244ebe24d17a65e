package highlevel

import (
	"encoding/json"
	"fmt"
	"net/mail"
	"slices"
	"strconv"
	"strings"

	"milepost/internal/sandbox/fakehttp"
)

// A dto is the strict shape of a request body: HighLevel refuses keys that it
// does not list, with the messages of its class validator.
type dto map[string]field

type field struct {
	kind     fieldKind
	required bool
	nullable bool
	empty    bool     // a required text may be empty
	among    []string // what a string may be; nil = anything
}

type fieldKind int

const (
	aString fieldKind = iota
	anEmail
	aDate     // ISO 8601
	aBirthday // in one of eight forms
	aBool
	aNumber
	aStringList
	anObject
	anArray
	customFieldValues   // {id or key, field_value}
	customFieldValuesV3 // the same, and v3's fieldValue
)

func text() field                  { return field{kind: aString} }
func nullableText() field          { return field{kind: aString, nullable: true} }
func required(k fieldKind) field   { return field{kind: k, required: true} }
func optional(k fieldKind) field   { return field{kind: k} }
func among(values ...string) field { return field{kind: aString, among: values} }
func (d dto) with(more dto) dto    { return merge(d, more) }
func (d dto) has(key string) bool  { _, ok := d[key]; return ok }

func merge(a, b dto) dto {
	out := dto{}
	for k, f := range a {
		out[k] = f
	}
	for k, f := range b {
		out[k] = f
	}
	return out
}

var contactUpdateDTO = dto{
	"firstName": nullableText(), "lastName": nullableText(), "name": nullableText(),
	"email": {kind: anEmail, nullable: true}, "phone": nullableText(),
	"address1": nullableText(), "city": nullableText(), "state": nullableText(), "postalCode": text(),
	"website": nullableText(), "timezone": nullableText(), "dnd": optional(aBool),
	"dndSettings": optional(anObject), "inboundDndSettings": optional(anObject),
	"tags": optional(aStringList), "customFields": optional(customFieldValues),
	"source": nullableText(), "dateOfBirth": {kind: aBirthday, nullable: true},
	"country": text(), "assignedTo": nullableText(),
}

var contactCreateDTO = contactUpdateDTO.with(dto{
	"locationId": required(aString), "gender": text(), "companyName": nullableText(),
	"source": text(), "assignedTo": text(),
})

var contactUpsertDTO = contactCreateDTO.with(dto{"createNewIfDuplicateAllowed": optional(aBool)})

var contactSearchDTO = dto{
	"locationId": required(aString), "pageLimit": required(aNumber), "page": optional(aNumber),
	"searchAfter": optional(anArray), "filters": optional(anArray), "sort": optional(anArray), "query": text(),
}

var tagsDTO = dto{"tags": required(aStringList)}

var taskUpdateDTO = dto{
	"title": text(), "body": text(), "dueDate": optional(aDate), "completed": optional(aBool), "assignedTo": text(),
}

var taskCreateDTO = taskUpdateDTO.with(dto{
	"title": required(aString), "dueDate": required(aDate), "completed": required(aBool),
})

var taskCompletedDTO = dto{"completed": required(aBool)}

var taskSearchDTO = dto{
	"contactId": optional(aStringList), "completed": optional(aBool), "assignedTo": optional(aStringList),
	"query": text(), "limit": optional(aNumber), "skip": optional(aNumber), "businessId": text(),
}

var noteUpdateDTO = dto{
	"userId": text(), "body": text(), "title": text(), "color": text(), "pinned": optional(aBool),
}

var noteCreateDTO = noteUpdateDTO.with(dto{"body": required(aString)})

var customFieldDTO = dto{
	"name": required(aString), "dataType": required(aString), "placeholder": text(),
	"acceptedFormat": optional(aStringList), "isMultipleFile": optional(aBool), "maxNumberOfFiles": optional(aNumber),
	"textBoxListOptions": optional(anArray), "position": optional(aNumber), "model": text(),
}

// customFieldUpdateDTO has no type: that cannot be changed.
var customFieldUpdateDTO = func() dto {
	d := customFieldDTO.with(nil)
	delete(d, "dataType")
	return d
}()

// in is the shape under a version: v3 differs only inside customFields.
func (d dto) in(v3 bool) dto {
	if !v3 || !d.has("customFields") {
		return d
	}
	return merge(d, dto{"customFields": optional(customFieldValuesV3)})
}

// check returns what is wrong with a body, in the order of its keys.
func (d dto) check(body map[string]json.RawMessage) []string {
	var problems []string
	for key := range body {
		if !d.has(key) {
			problems = append(problems, fmt.Sprintf("property %s should not exist", key))
		}
	}
	for key, f := range d {
		raw, present := body[key]
		if string(raw) == "null" && (f.nullable || !f.required) {
			if !f.nullable {
				problems = append(problems, f.kind.problem(key))
			}
			continue
		}
		if !present {
			if f.required {
				problems = append(problems, key+" should not be empty", f.kind.problem(key))
			}
			continue
		}
		found := f.kind.check(key, raw, f.required && !f.empty)
		if found == nil && f.among != nil {
			if s := ""; json.Unmarshal(raw, &s) == nil && !slices.Contains(f.among, s) {
				found = []string{key + " must be one of the following values: " + strings.Join(f.among, ", ")}
			}
		}
		problems = append(problems, found...)
	}
	slices.Sort(problems)
	return problems
}

func (k fieldKind) problem(key string) string {
	switch k {
	case anEmail:
		return key + " must be an email"
	case aDate:
		return key + " must be a valid ISO 8601 date string"
	case aBool:
		return key + " must be a boolean value"
	case aNumber:
		return key + " must be a number conforming to the specified constraints"
	case aStringList, anArray, customFieldValues, customFieldValuesV3:
		return key + " must be an array"
	case anObject:
		return key + " must be an object"
	case aBirthday:
		return key + " is not in a supported date format"
	default:
		return key + " must be a string"
	}
}

func (k fieldKind) check(key string, raw json.RawMessage, required bool) []string {
	bad := []string{k.problem(key)}
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return bad
	}
	switch k {
	case aString, anEmail, aDate, aBirthday:
		s, ok := value.(string)
		if !ok {
			return bad
		}
		if required && strings.TrimSpace(s) == "" {
			return []string{key + " should not be empty"}
		}
		switch {
		case k == anEmail && s != "":
			if a, err := mail.ParseAddress(s); err != nil || a.Address != s {
				return bad
			}
		case k == aDate:
			if _, ok := fakehttp.ParseISO(s); !ok {
				return bad
			}
		case k == aBirthday && s != "":
			if _, ok := parseBirthday(s); !ok {
				return bad
			}
		}
	case aBool:
		if _, ok := value.(bool); !ok {
			return bad
		}
	case aNumber:
		if _, ok := value.(float64); !ok {
			return bad
		}
	case anObject:
		if _, ok := value.(map[string]any); !ok {
			return bad
		}
	case anArray, aStringList, customFieldValues, customFieldValuesV3:
		items, ok := value.([]any)
		if !ok {
			return bad
		}
		var problems []string
		for i, item := range items {
			switch k {
			case aStringList:
				if _, ok := item.(string); !ok {
					return []string{"each value in " + key + " must be a string"}
				}
			case customFieldValues, customFieldValuesV3:
				problems = append(problems, checkCustomFieldEntry(key+"."+strconv.Itoa(i), item, k == customFieldValuesV3)...)
			}
		}
		return problems
	}
	return nil
}

func checkCustomFieldEntry(at string, item any, v3 bool) []string {
	entry, ok := item.(map[string]any)
	if !ok {
		return []string{at + " must be an object"}
	}
	var problems []string
	for key := range entry {
		if key != "id" && key != "key" && key != "field_value" && (key != "fieldValue" || !v3) {
			problems = append(problems, fmt.Sprintf("%s.property %s should not exist", at, key))
		}
	}
	id, _ := entry["id"].(string)
	key, _ := entry["key"].(string)
	if id == "" && key == "" {
		problems = append(problems, at+".id should not be empty")
	}
	return problems
}

// str returns a string value of the body, "" for null, and whether the key is there.
func (c *call) str(key string) (string, bool) {
	raw, ok := c.body[key]
	if !ok {
		return "", false
	}
	var s string
	json.Unmarshal(raw, &s)
	return s, true
}

// readTexts writes the strings that the body has to their targets.
func (c *call) readTexts(targets map[string]*string) {
	for key, target := range targets {
		if value, ok := c.str(key); ok {
			*target = value
		}
	}
}

// as decodes a value of the body that the shape has already checked.
func as[T any](c *call, key string) (T, bool) {
	var value T
	raw, ok := c.body[key]
	if !ok {
		return value, false
	}
	json.Unmarshal(raw, &value)
	return value, true
}
