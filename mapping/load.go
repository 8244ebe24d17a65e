package mapping

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The limits of a file are far above what a person writes.
const (
	longestFile     = 1 << 20 // bytes
	mostAutomations = 5000
	mostActions     = 50    // of one automation
	mostExpressions = 30000 // holes, and parts of conditions; compiling them takes time
	deepest         = 20    // nested lists and fields
)

// Load parses and compiles automations. The file is a YAML list of them, one or more
// documents (---) with one each, or a mapping with the list under automations. If it has
// mistakes, the error is a *LoadError with all of them, which shows the name file.
func Load(file string, data []byte) (*Set, error) {
	return load(&mistakes{file: file}, data)
}

// LoadStored loads automations that are in use already. If a fixed text shows that an action
// fails whenever it runs, LoadStored is no error: Set.Doubts lists it.
func LoadStored(file string, data []byte) (*Set, error) {
	return load(&mistakes{file: file, stored: true}, data)
}

func load(m *mistakes, data []byte) (*Set, error) {
	l := loader{mistakes: m, set: &Set{}, ids: map[string]int{}, names: map[string]int{}}
	l.load(data)
	if err := m.err(); err != nil {
		return nil, err
	}
	l.set.names, l.set.doubts = m.mentions, m.doubts
	return l.set, nil
}

type loader struct {
	*mistakes
	set        *Set
	ids, names map[string]int // the line of each one
}

func (l *loader) load(data []byte) {
	if len(data) > longestFile {
		l.add(1, "", "the file is larger than %d bytes", longestFile)
		return
	}
	if line := tooMany(data, mostExpressions); line > 0 {
		l.add(line, "", "the file has more than %d expressions", mostExpressions)
		return
	}
	l.lines = strings.Split(string(data), "\n")
	documents := 0
	for decoder := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			line, message := explainSyntax(data, err)
			l.add(line, "", "%s", message)
			return
		}
		if line := tooDeep(&document, deepest); line > 0 {
			l.add(line, "", "lists and fields are nested more than %d deep", deepest)
			return
		}
		if len(document.Content) == 1 && !isNull(document.Content[0]) {
			documents++
			l.document(document.Content[0])
		}
	}
	if documents == 0 {
		l.add(1, "", "there is no automation in it (for none at all, write [])")
	}
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

func syntaxError(err error) (line int, message string) {
	m := yamlLine.FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " "))
	if m == nil {
		return 1, err.Error()
	}
	line, _ = strconv.Atoi(m[1])
	if m[2] == "exceeded max depth of 10000" {
		m[2] = "lists and fields are nested too deep"
	}
	return line, m[2]
}

func (l *loader) document(node *yaml.Node) {
	if node.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == "automations" {
				f := fieldsOf(l.mistakes, "", node, scope{}, "automations")
				node = &yaml.Node{Kind: yaml.SequenceNode, Content: f.list("automations")}
				break
			}
		}
	}
	if node.Kind != yaml.SequenceNode {
		l.automation(node)
		return
	}
	for _, n := range node.Content {
		if len(l.set.automations) >= mostAutomations {
			l.add(n.Line, "", "there are more than %d automations", mostAutomations)
			return
		}
		if len(l.found) >= mostMistakes {
			return // others can be found after these are corrected
		}
		l.automation(n)
	}
}

var expressionMark = regexp.MustCompile(`\{\{| (?:and|or|&&|\|\|) `)

// tooMany returns the line with the first expression beyond the limit; 0 = none.
func tooMany(data []byte, most int) int {
	marks := expressionMark.FindAllIndex(data, most+1)
	if len(marks) <= most {
		return 0
	}
	return 1 + bytes.Count(data[:marks[most][0]], []byte("\n"))
}

// tooDeep returns the line of a node that is nested too deeply; 0 = none.
func tooDeep(node *yaml.Node, levels int) int {
	if levels < 0 {
		return node.Line
	}
	for _, n := range node.Content {
		if line := tooDeep(n, levels-1); line > 0 {
			return line
		}
	}
	return 0
}

var (
	idForm   = regexp.MustCompile(`^[\p{Ll}\p{Lo}\p{N}]+(?:-[\p{Ll}\p{Lo}\p{N}]+)*$`)
	noIDRune = regexp.MustCompile(`[^\p{Ll}\p{Lo}\p{N}]+`)
)

// longestName limits names and ids, which become keys, in characters.
const longestName = 100

// slug turns a name into an id: "Task to calendar task" becomes task-to-calendar-task.
func slug(name string) string {
	return strings.Trim(noIDRune.ReplaceAllString(strings.ToLower(name), "-"), "-")
}

func (l *loader) automation(node *yaml.Node) {
	if isNull(node) {
		l.add(node.Line, "", "an automation must be a list of fields (name: value), this is empty")
		return
	}
	f := fieldsOf(l.mistakes, "", node, scope{}, "id", "name", "state", "enabled", "on", "tag", "milestone", "before", "if", "conflict", "do")
	if f == nil {
		return
	}
	a := &Automation{Name: oneLine(f.text("name")), State: f.state()}
	l.identify(f, a)
	l.set.automations = append(l.set.automations, a)
	named, doubted := len(l.mentions), len(l.doubts)
	defer func() {
		if a.names = slices.Clone(l.mentions[named:]); a.State != StateOn {
			l.mentions, l.doubts = l.mentions[:named], l.doubts[:doubted]
		}
	}()

	l.anchors(node, node, "")
	f.required("on")
	if f.has("on") {
		var err error
		if a.On, err = parseTrigger(f.text("on")); err != nil {
			f.wrong("on", "%v", err)
		}
	}
	if a.On == "" {
		return // what the rest may use follows from the trigger
	}
	f.scope = scopeOf(a.On)
	l.tagOf(f, a)
	l.beforeOf(f, a)
	if a.milestone = milestoneOf(f, a.On); a.milestone != nil {
		a.reads.add(a.milestone.reads())
		f.scope = scopeFor(a.On, a.milestone.of)
		f.scope.names["milestone"] = records["milestone"] // what the rest may use
	}
	for i := 0; i < len(node.Content) && !f.has("if"); i += 2 {
		if key := node.Content[i]; key.Value == "if" && !f.bad["if"] {
			f.never(key.Line, "if", "is empty, so it would hold for every record; write a condition, or remove the line")
		}
	}
	if a.condition = f.condition("if"); a.condition != nil {
		a.reads.add(a.condition.reads)
		f.doubted("if", f.values["if"], a.neverApplies())
	}
	l.actions(f, a)
	l.conflict(f, a)
}

// identify sets the automation's name and id, which must be unique.
func (l *loader) identify(f *fields, a *Automation) {
	f.required("name")
	if f.has("name") && a.Name == "" {
		f.wrong("name", "is empty")
	}
	if r, ok := unseen(f.text("name")); ok {
		f.wrong("name", "holds the character U+%04X, which cannot be seen and could make a screen show something else", r)
	}
	if v := f.values["name"]; v != nil && v.Style == 0 && cutOff.MatchString(v.LineComment) {
		f.never(v.Line, "name", "%s. If it is a comment, write a blank after the #", commentTrap("name", v))
	}
	if len([]rune(a.Name)) > longestName {
		f.wrong("name", "is longer than %d characters", longestName)
	}
	a.ID = f.text("id")
	switch {
	case !f.has("id"):
		if a.ID = slug(a.Name); a.ID == "" && a.Name != "" {
			f.wrong("id", "is required, for the name has no letters or digits")
		}
	case !idForm.MatchString(a.ID) || len([]rune(a.ID)) > longestName:
		hint := ""
		if meant := slug(a.ID); idForm.MatchString(meant) && len([]rune(meant)) <= longestName {
			hint = "; did you mean " + meant + "?"
		}
		f.wrong("id", "%s is not an id; expected lower-case letters and digits with single hyphens between, at most %d characters%s", quoteShort(a.ID), longestName, hint)
	}
	folded := strings.ToLower(a.Name)
	if line, taken := l.names[folded]; taken && a.Name != "" {
		f.wrong("name", "%q is the name of the automation in line %d already", a.Name, line)
		return
	}
	l.names[folded] = f.line
	if line, taken := l.ids[a.ID]; taken && a.ID != "" {
		f.wrong("id", "%q is the id of the automation in line %d already", a.ID, line)
		return
	}
	l.ids[a.ID] = f.line
}

func (l *loader) tagOf(f *fields, a *Automation) {
	switch {
	case a.On != ContactTagged && f.has("tag"):
		f.wrong("tag", "goes with on: %s only", ContactTagged)
	case a.On == ContactTagged:
		f.required("tag")
		f.referToTags("tag")
		if a.Tag = strings.ToLower(oneLine(f.text("tag"))); f.has("tag") && a.Tag == "" {
			f.wrong("tag", "is empty")
		}
	}
}

// beforeOf reads how long before a milestone the trigger holds.
func (l *loader) beforeOf(f *fields, a *Automation) {
	switch {
	case a.On != MilestoneApproaching && f.has("before"):
		f.wrong("before", "goes with on: %s only", MilestoneApproaching)
	case a.On == MilestoneApproaching && !f.has("before"):
		f.wrong("before", "is required with on: %s; expected a form like 3d or 12h", a.On)
	case a.On == MilestoneApproaching:
		a.before = f.duration("before", "")
	}
}

// conflict reads which side wins. It must run after the actions are read, because only some
// have two sides.
func (l *loader) conflict(f *fields, a *Automation) {
	a.Conflict = NewestWins
	if !f.has("conflict") {
		return
	}
	rules := []ConflictRule{NewestWins, HighLevelWins, CalendarHeroWins}
	switch rule := ConflictRule(f.text("conflict")); {
	case !slices.Contains(rules, rule):
		f.wrong("conflict", "%v", unknown("rule", string(rule), rules))
	case len(a.actions) > 0 && !slices.ContainsFunc(a.Actions(), ItemKind.twoSided):
		f.wrong("conflict", "goes with the actions contact, event and task only")
	default:
		a.Conflict = rule
	}
}

// actionType is what Milepost knows about an action before it is read.
type actionType struct {
	load   func(f *fields) action
	on     triggerSet // the triggers with which it is possible
	fields []string
	makes  string // for people: what it creates or changes
}

// actionTypes has every supported action. Events of CalendarHero make nothing in
// CalendarHero, because that would be a loop.
var actionTypes = map[string]actionType{
	"event":           {loadEvent, ofHighLevel, append([]string{"start"}, meetingFields...), "a meeting request at a time"},
	"task":            {loadTask, ofHighLevel, append([]string{"due"}, meetingFields...), "a request that ends when it is due"},
	"note":            {loadNote, ofTexts, []string{"text"}, "text in the description of the contact's open requests"},
	"contact":         {loadContact, ofRecords, []string{"name", "emails", "phones", "organization", "job_title", "two_way"}, "a contact in CalendarHero"},
	"tags":            {loadTags, ofContacts, []string{"add", "hashtags_of", "keywords", "keywords_of", "remove"}, "adds tags to the contact in HighLevel, and removes tags"},
	"highlevel_note":  {loadHighLevelNote, ofContacts, []string{"text"}, "a note on the contact in HighLevel"},
	"highlevel_task":  {loadHighLevelTask, ofContacts, []string{"title", "body", "due", "at", "assigned_to"}, "a task for the contact in HighLevel; `assigned_to` is the id of a user"},
	"complete_task":   {loadCompleteTask, ofMeetings, nil, "completes the task that the meeting was created for"},
	"reschedule_task": {loadRescheduleTask, ofMeetings, []string{"due", "at"}, "moves the task's due date to `due`. Without `due`, to the meeting's end, or to its start if an `event` action created the meeting"},
	"update_contact":  {loadUpdateContact, ofMeetings, []string{"fields"}, "sets fields of the contact in HighLevel, by merge field or by the key of a custom field"},
	"upsert_contact":  {loadUpsertContact, ofNewContacts, []string{"name", "emails", "phones", "organization"}, "a contact in HighLevel, created or updated"},
	"request":         {loadCall, ofAll, []string{"operation", "fields"}, "calls any operation of either vendor: [below](#any-other-operation-request)"},
}

var actionNames = []string{
	"event", "task", "note", "contact", "tags", "highlevel_note", "highlevel_task", "complete_task", "reschedule_task",
	"update_contact", "upsert_contact", "request",
}

// notIndented returns the action if its fields stand beside it.
func notIndented(one *fields) (name string, ok bool) {
	if len(one.keys) < 2 {
		return "", false
	}
	name = one.keys[0]
	return name, isNull(one.values[name]) && slices.Contains(actionTypes[name].fields, one.keys[1])
}

// namesOfTags returns the tags if an action has them without add.
func namesOfTags(body *yaml.Node) string {
	if body.Kind == yaml.ScalarNode && !isNull(body) {
		return body.Value
	}
	var tags []string
	for _, v := range body.Content {
		if body.Kind == yaml.SequenceNode && v.Kind == yaml.ScalarNode {
			tags = append(tags, v.Value)
		}
	}
	if tags == nil {
		return ""
	}
	return "[" + strings.Join(tags, ", ") + "]"
}

func (l *loader) actions(f *fields, a *Automation) {
	list := f.values["do"]
	if list == nil || list.Kind == yaml.SequenceNode && len(list.Content) == 0 {
		f.wrong("do", "there is no action; known are %s", enumerate(actionNames))
		return
	}
	if list.Kind != yaml.SequenceNode {
		f.wrong("do", "must be a list of actions (- event: …), this is %s", describe(list))
		return
	}
	for i, entry := range list.Content {
		if i == mostActions {
			l.add(entry.Line, "do", "there are more than %d actions", mostActions)
			return
		}
		l.action(f, a, entry)
	}
}

// action reads one entry of do.
func (l *loader) action(f *fields, a *Automation, entry *yaml.Node) {
	if bare := entry.Value; entry.Kind == yaml.ScalarNode && slices.Contains(actionNames, bare) {
		l.add(entry.Line, "do", "must be a list of fields (name: value); write %s: {}", bare)
		return
	}
	one := openFields(l.mistakes, "do.", entry)
	if one == nil {
		return
	}
	if name, ok := notIndented(one); ok {
		l.add(one.values[one.keys[1]].Line, "do", "%q belongs to %s; indent it by two more blanks than %s", one.keys[1], name, name)
		return
	}
	if len(one.keys) != 1 {
		l.add(entry.Line, "do", "must have one action in each entry, this has %d", len(one.keys))
		return
	}
	name := one.keys[0]
	known, ok := actionTypes[name]
	switch {
	case !ok:
		l.add(entry.Line, "do", "%v", unknown("action", name, actionNames))
	case !slices.Contains(known.on.triggers, a.On):
		l.add(entry.Line, "do", "%q does not go with on: %s; it goes with %s", name, a.On, known.on.said)
	default:
		body := one.values[name]
		if body.Line == 0 {
			body.Line = entry.Line
		}
		if texts := namesOfTags(body); name == "tags" && texts != "" {
			l.add(body.Line, name, "must be a list of fields; did you mean { add: %s }?", texts)
			return
		}
		if fields := fieldsOf(l.mistakes, name+".", body, f.scope, known.fields...); fields != nil {
			act := known.load(fields)
			a.actions = append(a.actions, act)
			a.reads.add(act.reads())
		}
	}
}
