package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"go.yaml.in/yaml/v3"
)

// Names must exist in HighLevel or CalendarHero. A few mistakes are visible in the file
// alone, and are errors. Unknown finds the others.

// mention is a name of something, and its place.
type mention struct {
	kind  nameKind
	text  string
	Line  int
	Field string
}

type nameKind string

const (
	contactField   nameKind = "contact field"
	meetingType    nameKind = "meeting type"
	highLevelUser  nameKind = "user"
	automationName nameKind = "automation"
)

// refer notes the names in a field. Their lines count from 1 within its text.
func (f *fields) refer(field string, v *yaml.Node, names []mention) {
	for _, n := range names {
		line := v.Line
		if v.Style&yaml.LiteralStyle != 0 {
			line += n.Line
		}
		n.Line, n.Field = max(1, line), f.prefix+field
		if !slices.Contains(f.mistakes.mentions, n) {
			f.mistakes.mentions = append(f.mistakes.mentions, n)
		}
	}
}

// referTo notes a field that is itself a name, unless it has holes.
func (f *fields) referTo(field string, kind nameKind) {
	if v := f.values[field]; v != nil && v.Kind == yaml.ScalarNode && !strings.Contains(v.Value, "{{") && oneLine(v.Value) != "" {
		f.refer(field, v, []mention{{kind: kind, text: oneLine(v.Value), Line: 1}})
	}
}

// referToEach notes the values of a table.
func (f *fields) referToEach(field string, kind nameKind) {
	v := f.values[field]
	if v == nil || v.Kind != yaml.MappingNode {
		return
	}
	for i := 1; i < len(v.Content); i += 2 {
		if value := v.Content[i]; value.Kind == yaml.ScalarNode && oneLine(value.Value) != "" {
			f.refer(field, value, []mention{{kind: kind, text: oneLine(value.Value), Line: 1}})
		}
	}
}

// namesIn are the fields of records whose values are names of something.
var namesIn = map[string]nameKind{
	"meeting.type": meetingType, "meeting.automation": automationName,
	"contact.assigned_to": highLevelUser, "task.assigned_to": highLevelUser, "note.user_id": highLevelUser,
}

var meetingStates = []MeetingState{
	MeetingPending, MeetingBooked, MeetingRescheduled, MeetingExpired, MeetingCancelled, MeetingCompleted, MeetingGone,
}

// compared checks the value with which a field is compared.
func (r *reader) compared(n *ast.BinaryNode) {
	left, right := n.Left, n.Right
	switch n.Operator {
	case "==", "!=":
		if len(literals(left)) > 0 {
			left, right = right, left
		}
	case "in":
		if isTags(right) {
			left, right = right, left
		}
	default:
		return
	}
	if isTags(left) {
		r.tags(literals(right))
		return
	}
	field := strings.Join(pathOf(left), ".")
	kind, named := namesIn[field]
	for _, text := range literals(right) {
		switch {
		case named && text.Value != "":
			r.names = append(r.names, mention{kind: kind, text: text.Value, Line: r.line(text)})
		case field == "meeting.state" && !slices.Contains(meetingStates, MeetingState(text.Value)):
			r.fail(text, unknown("state of a meeting", text.Value, meetingStates).Error())
		}
	}
}

// tagsCompared checks the value with which each tag of a list is compared:
// any(contact.tags, # == "vip").
func (r *reader) tagsCompared(n *ast.BuiltinNode) {
	if len(n.Arguments) < 2 || !isTags(n.Arguments[0]) {
		return
	}
	ast.Walk(&n.Arguments[1], visitor(func(node ast.Node) {
		if b, ok := node.(*ast.BinaryNode); ok {
			if _, each := b.Left.(*ast.PointerNode); each {
				r.tags(literals(b.Right))
			} else if _, each := b.Right.(*ast.PointerNode); each {
				r.tags(literals(b.Left))
			}
		}
	}))
}

// tags checks texts that are compared with tags, which are always in lower case.
func (r *reader) tags(list []*ast.StringNode) {
	for _, text := range list {
		if saved := strings.ToLower(oneLine(text.Value)); saved != text.Value {
			r.fail(text, fmt.Sprintf("no tag is written %q, since HighLevel's are in lower case; did you mean %q?", text.Value, saved))
		}
	}
}

// isTags reports whether an expression is a record's list of tags.
func isTags(n ast.Node) bool {
	path := strings.Join(pathOf(n), ".")
	return path == "contact.tags" || path == "workflow.tags"
}

// literals returns the texts if an expression is a text or a list of texts.
func literals(n ast.Node) (texts []*ast.StringNode) {
	switch n := n.(type) {
	case *ast.StringNode:
		return []*ast.StringNode{n}
	case *ast.ArrayNode:
		for _, e := range n.Nodes {
			texts = append(texts, literals(e)...)
		}
	}
	return texts
}

type visitor func(ast.Node)

// Visit calls the function.
func (v visitor) Visit(node *ast.Node) { v(*node) }

// Known is what exists in a location and its CalendarHero account. A nil list was not read,
// so its names are not checked.
type Known struct {
	ContactFields []string // keys of custom fields, without "contact." in front
	MeetingTypes  []string
	Users         []User   // of HighLevel
	Automations   []string // ids ids of automations outside the Set
}

// User is a user of HighLevel. Automations name it by its id.
type User struct{ ID, Name, Email string }

// Refers reports which lists of Known are needed by the automations that are on.
func (s *Set) Refers() (fields, types, users bool) {
	for _, n := range s.names {
		fields = fields || n.kind == contactField && !standardFields[n.text]
		types = types || n.kind == meetingType
		users = users || n.kind == highLevelUser
	}
	return fields, types, users
}

// otherNames are other names that people or HighLevel use for standard fields.
var otherNames = map[string]string{
	"full_name": "name", "full_address": "address1", "address": "address1", "street": "address1", "zip": "postal_code", "zip_code": "postal_code",
	"company": "company_name", "birthday": "date_of_birth", "dob": "date_of_birth", "phone_raw": "phone", "owner": "assigned_to", "tag": "tags",
}

// didYouMean suggests a similar name; "" if there is none.
func didYouMean(form, near string) string {
	if near == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean "+form+"?", near)
}

// Unknown lists names that do not exist in the location or its account, each with the most
// similar existing one.
func (s *Set) Unknown(file string, k Known) (found []Mistake) {
	add := func(n mention, format string, args ...any) {
		found = append(found, Mistake{file, n.Line, n.Field, fmt.Sprintf(format, args...)})
	}
	ids := slices.Clone(k.Automations)
	for _, a := range s.automations {
		ids = append(ids, a.ID)
	}
	for _, n := range s.names {
		switch n.kind {
		case automationName: // an automation of an earlier file may have made meetings that still exist
			if !slices.Contains(ids, n.text) {
				add(n, "%v", unknown("id of an automation", n.text, ids))
			}
		case contactField:
			if k.ContactFields == nil || standardFields[n.text] || slices.Contains(k.ContactFields, n.text) {
				continue
			}
			add(n, "the location has no field contact.%s%s", n.text, didYouMean("contact.%s", nearestField(n.text, k.ContactFields)))
		case meetingType:
			if k.MeetingTypes != nil && !slices.Contains(k.MeetingTypes, n.text) {
				add(n, "the CalendarHero account: %v", unknown("meeting type", n.text, k.MeetingTypes))
			}
		case highLevelUser: // it may be a person's name or address, which must not be in the log
			if k.Users == nil || slices.ContainsFunc(k.Users, func(u User) bool { return u.ID == n.text }) {
				continue
			}
			add(n, "the location has no user with this id%s", didYouMean("%q", nearestUser(n.text, k.Users)))
		}
	}
	return found
}

func nearestField(key string, custom []string) string {
	standard := make([]string, 0, len(standardFields))
	for known := range standardFields {
		standard = append(standard, known)
	}
	slices.Sort(standard)
	if near, ok := nearest(key, append(slices.Clone(custom), standard...)); ok {
		return near
	}
	return otherNames[strings.ToLower(key)]
}

// nearestUser returns the id of the user with this name or address, or with a similar id.
func nearestUser(text string, users []User) string {
	ids := make([]string, len(users))
	for i, u := range users {
		if strings.EqualFold(u.Name, text) || strings.EqualFold(u.Email, text) {
			return u.ID
		}
		ids[i] = u.ID
	}
	near, _ := nearest(text, ids)
	return near
}
