package mapping

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"go.yaml.in/yaml/v3"

	"milepost/internal/catalog"
)

// Names must exist in HighLevel or CalendarHero. A few mistakes are visible in the file
// alone, and are errors. Unknown finds the others.

// mention is a name of something, and its place.
type mention struct {
	kind    nameKind
	text    string
	within  string // of a stage: the name or id of its pipeline; "" = any. Of a value: its field
	named   string // of an id: the field that holds the name; "" = none
	anyCase bool   // upper and lower case are the same
	part    string // it is only a part of the name: contains, startsWith or endsWith
	Line    int
	Field   string
}

type nameKind string

const (
	contactField     nameKind = "contact field"
	opportunityField nameKind = "opportunity field"
	pipelineName     nameKind = "pipeline"
	stageName        nameKind = "stage"
	calendarName     nameKind = "calendar"
	tagName          nameKind = "tag" // that is read
	meetingType      nameKind = "meeting type"
	highLevelUser    nameKind = "user"
	pipelineID       nameKind = "pipeline id"
	stageID          nameKind = "stage id"
	calendarID       nameKind = "calendar id"
	comparedValue    nameKind = "value with which a custom field is compared"
	writtenValue     nameKind = "value that is written to a custom field"
	dateField        nameKind = "custom field that is read as a date"
	automationName   nameKind = "automation"
)

// refer notes the names in a field. Their lines count from 1 within its text.
func (f *fields) refer(field string, v *yaml.Node, names []mention) {
	for _, n := range names {
		line := v.Line
		switch {
		case v.Style&yaml.LiteralStyle != 0:
			line += n.Line
		case strings.Contains(v.Value, n.text):
			line = f.lineWith(line, n.text)
		}
		n.Line, n.Field = max(1, line), f.prefix+field
		if !slices.Contains(f.mistakes.mentions, n) {
			f.mistakes.mentions = append(f.mistakes.mentions, n)
		}
	}
}

// lineWith returns the line of a value that has the text, if the value begins in line first
// and may have more lines.
func (m *mistakes) lineWith(first int, text string) int {
	for n := max(1, first); n <= len(m.lines) && (n <= first || !keyLine.MatchString(m.lines[n-1])); n++ {
		if strings.Contains(m.lines[n-1], text) {
			return n
		}
	}
	return first
}

// referTo notes a field that is itself a name, unless it has holes.
func (f *fields) referTo(field string, kind nameKind) {
	if v := f.values[field]; v != nil && v.Kind == yaml.ScalarNode && !strings.Contains(v.Value, "{{") && oneLine(v.Value) != "" {
		f.refer(field, v, []mention{{kind: kind, text: oneLine(v.Value), Line: 1}})
	}
}

// referToTag notes a tag that a field reads or removes, in any case.
func (f *fields) referToTags(field string) {
	for _, v := range entriesOf(f.values[field]) {
		if text, ok := fixedText(v); ok && oneLine(text) != "" {
			f.refer(field, v, []mention{{kind: tagName, text: strings.ToLower(oneLine(text)), Line: 1}})
		}
	}
}

// referToKeys notes the keys of a table, in any case.
func (f *fields) referToKeys(field string, kind nameKind) {
	v := f.values[field]
	if v == nil || v.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(v.Content); i += 2 {
		if key := v.Content[i]; foldWords(key.Value) != "" {
			f.refer(field, key, []mention{{kind: kind, text: foldWords(key.Value), Line: 1}})
		}
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

// namesIn are the fields of records whose values are names or ids of something.
var namesIn = map[string]nameKind{
	"meeting.type": meetingType, "meeting.automation": automationName,
	"contact.assigned_to": highLevelUser, "task.assigned_to": highLevelUser, "note.user_id": highLevelUser,
	"opportunity.assigned_to": highLevelUser, "appointment.assigned_to": highLevelUser,
	"opportunity.pipeline": pipelineName, "opportunity.stage": stageName, "appointment.calendar": calendarName,
	"opportunity.pipeline_id": pipelineID, "opportunity.stage_id": stageID, "appointment.calendar_id": calendarID,
}

// idsIn are the kinds of the ids that a list in the catalogue offers.
var idsIn = map[string]nameKind{
	"highlevel.list_pipelines": pipelineID, "highlevel.list_calendars": calendarID, "highlevel.search_users": highLevelUser,
}

var meetingStates = []MeetingState{
	MeetingPending, MeetingBooked, MeetingRescheduled, MeetingExpired, MeetingCancelled, MeetingCompleted, MeetingGone,
}

// statuses are the values that HighLevel documents for a field.
var statuses = map[string][]string{
	"appointment.status": {"new", "confirmed", "cancelled", "showed", "noshow", "invalid"},
	"opportunity.status": {"open", "won", "lost", "abandoned"},
}

// sides returns what a comparison compares, and with what. Part is the operator, if it
// compares only a part of a text. The field is nil if it is no comparison with fixed texts.
func sides(n *ast.BinaryNode) (field, with ast.Node, part string) {
	field, with = n.Left, n.Right
	switch n.Operator {
	case "==", "!=":
		if len(literals(field)) > 0 {
			return with, field, ""
		}
	case "in":
		if lowerList(with) != "" || customField(with) != "" {
			return with, field, ""
		}
	case "contains", "startsWith", "endsWith":
		if lowerList(field) != "" {
			return nil, nil, "" // mistyped says so
		}
		part = n.Operator
	default:
		return nil, nil, ""
	}
	return field, with, part
}

// caseless returns what lower or upper is called with, and whether one of them is called.
func caseless(n ast.Node) (of ast.Node, is bool) {
	if call, ok := n.(*ast.BuiltinNode); ok && (call.Name == "lower" || call.Name == "upper") && len(call.Arguments) == 1 {
		return call.Arguments[0], true
	}
	return n, false
}

// compared checks the value with which a field is compared.
func (r *reader) compared(n *ast.BinaryNode) {
	left, right, part := sides(n)
	if left == nil {
		return
	}
	if isTags(left) {
		r.tags(literals(right), true)
		return
	}
	_, all := left.(*ast.CallNode) // all of them in a text
	r.inLower(cmp.Or(lowerList(left), partOfLower(left)), literals(right), part == "" && !all)
	left, anyCase := caseless(left)
	field := strings.Join(pathOf(left), ".")
	kind, named := namesIn[field]
	if customField(left) != "" {
		kind = comparedValue
	}
	if (anyCase || part != "") && !slices.Contains([]nameKind{pipelineName, stageName, calendarName, meetingType, comparedValue}, kind) {
		return
	}
	for _, text := range literals(right) {
		switch {
		case kind == comparedValue && text.Value != "":
			r.names = append(r.names, mention{kind: kind, text: text.Value, within: field, anyCase: anyCase, part: part, Line: r.line(text)})
		case named && text.Value != "":
			r.names = append(r.names, mention{kind: kind, text: text.Value, anyCase: anyCase, part: part, named: strings.TrimSuffix(field, "_id"), Line: r.line(text)})
		case text.Value != "" && (field == "contact.timezone" || field == "location.timezone"):
			if _, err := LoadZone(text.Value); err != nil {
				r.doubt(text, err.Error())
			}
		case field == "meeting.state" && !slices.Contains(meetingStates, MeetingState(text.Value)):
			r.fail(text, unknown("state of a meeting", text.Value, meetingStates).Error())
		case statuses[field] != nil && text.Value != "" && !slices.Contains(statuses[field], text.Value):
			r.doubt(text, unknown("value of "+field, text.Value, statuses[field]).Error())
		}
	}
}

// stagesIn notes the pipeline of the stages in a condition that holds for one pipeline only.
func (e *expression) stagesIn(condition ast.Node) {
	for _, node := range conjuncts(condition) {
		n, ok := node.(*ast.BinaryNode)
		if !ok || n.Operator != "==" {
			continue
		}
		field, value := n.Left, literals(n.Right)
		if len(value) == 0 {
			field, value = n.Right, literals(n.Left)
		}
		if kind := namesIn[strings.Join(pathOf(field), ".")]; len(value) != 1 || kind != pipelineName && kind != pipelineID {
			continue
		}
		for i := range e.names {
			if kind := e.names[i].kind; kind == stageName || kind == stageID {
				e.names[i].within = value[0].Value
			}
		}
	}
}

// entriesCompared checks the value with which each entry of a list is compared:
// any(contact.tags, # == "vip"), any(["vip", "gold"], # in contact.tags).
func (r *reader) entriesCompared(n *ast.BuiltinNode) {
	if len(n.Arguments) < 2 {
		return
	}
	ast.Walk(&n.Arguments[1], visitor(func(node ast.Node) {
		b, ok := node.(*ast.BinaryNode)
		if !ok {
			return
		}
		value := b.Right
		if _, each := b.Left.(*ast.PointerNode); !each {
			if _, each = b.Right.(*ast.PointerNode); !each {
				return
			}
			value = b.Left
		}
		whole := slices.Contains([]string{"==", "!=", "in"}, b.Operator)
		if isTags(n.Arguments[0]) {
			r.tags(literals(value), whole)
			return
		}
		r.inLower(lowerList(n.Arguments[0]), literals(value), whole)
		r.inLower(lowerList(value), literals(n.Arguments[0]), whole)
	}))
}

// tags checks texts that are compared with tags, which are always in lower case. They are
// whole tags, or parts of some.
func (r *reader) tags(list []*ast.StringNode, whole bool) {
	for _, text := range list {
		if saved := strings.ToLower(oneLine(text.Value)); saved != text.Value {
			r.fail(text, fmt.Sprintf("no tag is written %q, since HighLevel's are in lower case%s; did you mean %q?", text.Value, blanks(text.Value), saved))
			continue
		}
		if text.Value != "" && whole {
			r.names = append(r.names, mention{kind: tagName, text: text.Value, Line: r.line(text)})
		}
	}
}

// lowerLists are the lists whose entries are always in lower case, and what is said of a
// text that is not.
var lowerLists = map[string]string{
	"contact.tags":   "no tag is written %q, since HighLevel's are in lower case; did you mean %q?",
	"workflow.tags":  "no tag is written %q, since HighLevel's are in lower case; did you mean %q?",
	"meeting.emails": "no address is written %q, since those of a meeting are in lower case; did you mean %q?",
}

// inLower doubts texts with capitals that are compared with entries of one of the lowerLists.
func (r *reader) inLower(list string, texts []*ast.StringNode, whole bool) {
	if list == "" {
		return
	}
	for _, text := range texts {
		if lower := strings.ToLower(text.Value); lower != text.Value {
			r.doubt(text, fmt.Sprintf(lowerLists[list], text.Value, lower))
		} else if list != "meeting.emails" && text.Value != "" && whole {
			r.names = append(r.names, mention{kind: tagName, text: text.Value, Line: r.line(text)})
		}
	}
}

// lowerList returns which of the lowerLists an expression is; "" if none.
func lowerList(n ast.Node) string {
	path := strings.Join(pathOf(n), ".")
	if lowerLists[path] == "" {
		return ""
	}
	return path
}

// partOfLower returns of which of the lowerLists an expression is one entry, or the text of
// all: first(contact.tags), contact.tags[0], join(contact.tags, ","); "" if none.
func partOfLower(n ast.Node) string {
	switch n := n.(type) {
	case *ast.ChainNode:
		return partOfLower(n.Node)
	case *ast.MemberNode:
		if pathOf(n) == nil {
			return lowerList(n.Node)
		}
	case *ast.BuiltinNode:
		if slices.Contains([]string{"first", "last", "find"}, n.Name) && len(n.Arguments) > 0 {
			return lowerList(n.Arguments[0])
		}
	case *ast.CallNode:
		if name := n.Callee.String(); (name == "join" || name == "string") && len(n.Arguments) > 0 {
			return lowerList(n.Arguments[0])
		}
	}
	return ""
}

// blanks adds to a mistake that a tag has no blanks around it, and one between words.
func blanks(tag string) string {
	if oneLine(tag) == tag {
		return ""
	}
	return " and have no extra blanks"
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
	ContactFields     []CustomDefinition
	OpportunityFields []CustomDefinition
	Pipelines         []catalog.Option // with their stages
	Calendars         []catalog.Option
	Tags              []string
	MeetingTypes      []string
	Users             []User   // of HighLevel
	Automations       []string // ids of automations outside the Set
}

// CustomDefinition says what a custom field holds.
type CustomDefinition struct {
	Key     string // without "contact." in front
	Type    string // HighLevel's dataType, such as DATE
	Options []string
}

// User is a user of HighLevel. Automations name it by its id.
type User struct{ ID, Name, Email string }

// Referred says which lists of Known are needed.
type Referred struct{ ContactFields, OpportunityFields, Pipelines, Calendars, Tags, MeetingTypes, Users bool }

// Refers adds which lists of Known are needed by the automations that are on.
func (s *Set) Refers(to *Referred) {
	for _, n := range s.names {
		switch n.kind {
		case contactField:
			to.ContactFields = to.ContactFields || !standardFields[n.text]
		case opportunityField:
			to.OpportunityFields = true
		case comparedValue, writtenValue, dateField:
			to.ContactFields = to.ContactFields || strings.HasPrefix(n.within, "contact.")
			to.OpportunityFields = to.OpportunityFields || strings.HasPrefix(n.within, "opportunity.")
		case pipelineName, stageName, pipelineID, stageID:
			to.Pipelines = true
		case calendarName, calendarID:
			to.Calendars = true
		case tagName:
			to.Tags = true
		case meetingType:
			to.MeetingTypes = true
		case highLevelUser:
			to.Users = true
		}
	}
}

// otherNames are other names that people or HighLevel use for standard fields.
var otherNames = map[string]string{
	"full_name": "name", "full_address": "address1", "address": "address1", "street": "address1", "zip": "postal_code", "zip_code": "postal_code",
	"company": "company_name", "birthday": "date_of_birth", "dob": "date_of_birth", "phone_raw": "phone", "owner": "assigned_to", "tag": "tags",
}

// Unknown lists names that do not exist in the location or its account, each with the most
// similar existing one.
func (s *Set) Unknown(file string, k Known) (found []Mistake) {
	k.Automations = slices.Clone(k.Automations)
	for _, a := range s.automations {
		k.Automations = append(k.Automations, a.ID)
	}
	for _, n := range s.names {
		if message := k.lacks(n); message != "" {
			found = append(found, Mistake{file, n.Line, n.Field, message})
		}
	}
	return found
}

// lacks says that a name does not exist; "" if it does, or if its list was not read.
func (k Known) lacks(n mention) string {
	switch n.kind {
	case automationName: // an automation of an earlier file may have made meetings that still exist
		return n.missing("", "id of an automation", k.Automations)
	case contactField:
		if !standardFields[n.text] {
			return n.missingField("contact", definedKeys(k.ContactFields), slices.Sorted(maps.Keys(standardFields)))
		}
	case opportunityField:
		return n.missingField("opportunity", definedKeys(k.OpportunityFields), sortedNames(records["opportunity"]))
	case pipelineName:
		return n.missing("the location: ", "pipeline", optionNames(k.Pipelines))
	case pipelineID:
		return n.missingID("the location", "pipeline", k.Pipelines)
	case stageName:
		in, stages := n.stages(k.Pipelines)
		return n.missing(in+": ", "stage", optionNames(stages))
	case stageID:
		in, stages := n.stages(k.Pipelines)
		return n.missingID(in, "stage", stages)
	case calendarName:
		return n.missing("the location: ", "calendar", optionNames(k.Calendars))
	case calendarID:
		return n.missingID("the location", "calendar", k.Calendars)
	case tagName: // a tag exists from the moment when somebody gives it, so a new one may be right
		if near, ok := nearest(n.text, k.Tags); ok && !n.among(k.Tags) {
			return fmt.Sprintf("the location has no tag %q yet; did you mean %q?", n.text, near)
		}
	case meetingType:
		return n.missing("the CalendarHero account: ", "meeting type", k.MeetingTypes)
	case highLevelUser:
		return n.missingUser(k.Users)
	case comparedValue, writtenValue, dateField:
		return k.unfit(n)
	}
	return ""
}

// missing says that none of the names is this one.
func (n mention) missing(in, what string, names []string) string {
	switch {
	case names == nil || n.among(names):
		return ""
	case n.part == "":
		return in + unknown(what, n.text, names).Error()
	}
	said := fmt.Sprintf("%sno %s %s %q", in, what, n.part, n.text)
	if near, ok := nearest(n.text, strings.Fields(strings.Join(names, " "))); ok && near != n.text {
		return fmt.Sprintf("%s; did you mean %q?", said, near)
	}
	return fmt.Sprintf("%s; known are %s", said, enumerate(names))
}

// among reports whether a name exists.
func (n mention) among(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		text := n.text
		if n.anyCase {
			name, text = foldWords(name), foldWords(text)
		}
		switch n.part {
		case "contains":
			return strings.Contains(name, text)
		case "startsWith":
			return strings.HasPrefix(name, text)
		case "endsWith":
			return strings.HasSuffix(name, text)
		}
		return name == text
	})
}

// stages returns where the stage must be, and the stages that are there; nil if its pipeline
// does not exist.
func (n mention) stages(pipelines []catalog.Option) (in string, stages []catalog.Option) {
	in = "the location"
	for _, p := range pipelines {
		switch {
		case n.within == "":
		case p.ID == n.within, foldWords(p.Name) == foldWords(n.within):
			in = fmt.Sprintf("the pipeline %q", p.Name)
		default:
			continue
		}
		stages = append(stages, p.Options...)
	}
	return in, stages
}

// each returns a text of each entry. A list that was not read stays nil.
func each[T any](list []T, text func(T) string) []string {
	if list == nil {
		return nil
	}
	all := make([]string, len(list))
	for i, v := range list {
		all[i] = text(v)
	}
	return all
}

func optionNames(list []catalog.Option) []string {
	return each(list, func(o catalog.Option) string { return o.Name })
}

// missingID says that nothing has this id. It suggests the field that holds the name or the
// id that was meant, or says which there are.
func (n mention) missingID(in, what string, list []catalog.Option) string {
	if list == nil || slices.ContainsFunc(list, func(o catalog.Option) bool { return o.ID == n.text }) {
		return ""
	}
	said := fmt.Sprintf("%s has no %s with the id %q", in, what, n.text)
	like, some := make([]User, len(list)), []string{}
	for i, o := range list {
		like[i] = User{ID: o.ID, Name: o.Name}
		some = append(some, fmt.Sprintf("%s (%s)", o.ID, o.Name))
	}
	_, named := nearest(n.text, optionNames(list))
	switch near := NearestUser(n.text, like); {
	case named && n.named != "":
		return fmt.Sprintf("%s; did you mean %s, which holds the name?", said, n.named)
	case near != "":
		return fmt.Sprintf("%s; did you mean %q?", said, near)
	case len(some) == 0:
		return said + "; there are none"
	}
	return said + "; known are " + enumerate(atMost(some))
}

// mostNamed is how many fields or ids of a location are listed, if none is similar.
const mostNamed = 12

// missingField says that a record has no such custom field. It suggests the field that was
// meant, or says which there are.
func (n mention) missingField(record string, custom, standard []string) string {
	if custom == nil || n.among(custom) {
		return ""
	}
	said := fmt.Sprintf("the location has no field %s.%s", record, n.text)
	key := strings.Join(strings.FieldsFunc(strings.ToLower(n.text), func(r rune) bool { return !isWordRune(r) }), "_")
	if near, ok := nearest(key, slices.Concat(custom, standard)); ok {
		return fmt.Sprintf("%s; did you mean %s.%s?", said, record, near)
	}
	if other := otherNames[key]; record == "contact" && other != "" {
		return fmt.Sprintf("%s; did you mean contact.%s?", said, other)
	}
	if len(custom) == 0 {
		return fmt.Sprintf("%s; it has no custom %s fields", said, record)
	}
	return fmt.Sprintf("%s; its custom %s fields are %s", said, record, enumerate(atMost(slices.Sorted(slices.Values(custom)))))
}

// atMost shortens a long list.
func atMost(names []string) []string {
	if len(names) > mostNamed {
		return append(names[:mostNamed], "…")
	}
	return names
}

// missingUser says that no user has this id, and suggests the one with this or a similar
// name, address or id. It does not repeat the text, which may be a person's name or address
// and so must not be in the log.
func (n mention) missingUser(users []User) string {
	if users == nil || slices.ContainsFunc(users, func(u User) bool { return u.ID == n.text }) {
		return ""
	}
	if near := NearestUser(n.text, users); near != "" {
		return fmt.Sprintf("the location has no user with this id; did you mean %q?", near)
	}
	return "the location has no user with this id; write the id of a user, not a name"
}

// NearestUser returns the id of the user with a similar id, name, first name or address; ""
// if there is none.
func NearestUser(text string, users []User) string {
	var all []string
	for _, of := range []func(User) string{
		func(u User) string { return u.ID }, func(u User) string { return u.Name }, func(u User) string { return u.Email },
		func(u User) string { first, _, _ := strings.Cut(u.Name, " "); return first },
	} {
		for _, u := range users {
			all = append(all, of(u))
		}
	}
	near, ok := nearest(text, all)
	if !ok {
		return ""
	}
	return users[slices.Index(all, near)%len(users)].ID
}
