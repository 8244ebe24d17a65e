package mapping

import (
	"fmt"
	"net/mail"
	"strings"
)

// action computes one item. It fails with skip when nothing is wanted, and with
// fieldProblem when a field cannot be computed.
type action interface {
	kind() ItemKind
	reads() reads
	item(r *run, env map[string]any) (Item, error)
}

// skip ends an action or automation that wants nothing; the text is the reason.
type skip string

func (s skip) Error() string { return string(s) }

// unmet ends an automation because its condition does not hold. It says why, and what the
// condition saw in the record.
type unmet struct{ reason, condition, saw string }

func (u unmet) Error() string { return u.reason }

// fieldProblem is a field that cannot be computed.
type fieldProblem struct{ field, message string }

func (p fieldProblem) Error() string { return p.field + ": " + p.message }

const noEmail = skip("the contact has no e-mail address")

// noField is the reason if a location does not have a custom field.
func noField(key string) skip {
	return skip(fmt.Sprintf("this location has no custom field contact.%s", key))
}

// fill returns a template's text, or a fieldProblem.
func fill(field string, t *template, env map[string]any) (string, error) {
	text, err := t.text(env)
	if err != nil {
		return "", fieldProblem{field, err.Error()}
	}
	return text, nil
}

// textField is a text of an item: its template, its destination, and how to tidy it.
type textField struct {
	field string
	from  *template
	to    *string
	clean func(string) string
}

// fillEach fills the texts of an item, or fails with the first fieldProblem.
func fillEach(env map[string]any, texts ...textField) error {
	for _, f := range texts {
		text, err := fill(f.field, f.from, env)
		if err != nil {
			return err
		}
		*f.to = f.clean(text)
	}
	return nil
}

// fillAll returns the texts of a list of templates. A hole with a list becomes one text for
// each entry.
func fillAll(field string, all []*template, env map[string]any) (out []string, err error) {
	for _, t := range all {
		v, err := t.value(env)
		if err != nil {
			return nil, fieldProblem{field, err.Error()}
		}
		out = append(out, texts(v)...)
	}
	return out, nil
}

// fillDate returns a template's date in the location's zone, or a fieldProblem.
func fillDate(field string, t *template, r *run, env map[string]any) (Date, error) {
	v, err := t.value(env)
	if err != nil {
		return Date{}, fieldProblem{field, err.Error()}
	}
	date, err := ParseDate(v, r.zone)
	if err != nil {
		return Date{}, fieldProblem{field, err.Error()}
	}
	return date, nil
}

func readsOf(all ...*template) (r reads) {
	for _, t := range all {
		r.add(t.reads)
	}
	return r
}

// emailAddress checks an address and writes it in lower case.
func emailAddress(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	parsed, err := mail.ParseAddress(s)
	if err != nil || parsed.Address != s {
		return "", fmt.Errorf("%s is not an e-mail address", quoteShort(s))
	}
	return s, nil
}

// noteAction makes a note of a text.
type noteAction struct{ text *template }

func loadNote(f *fields) action {
	f.fixedNonempty("text")
	return &noteAction{f.templateFrom("note", "text", "{{ note.body }}")}
}

func (a *noteAction) kind() ItemKind { return ItemNote }
func (a *noteAction) reads() reads   { return a.text.reads }

func (a *noteAction) item(r *run, env map[string]any) (Item, error) {
	return noteItem(a.text, r, env)
}

func noteItem(from *template, r *run, env map[string]any) (Item, error) {
	text, err := fill("text", from, env)
	if err != nil {
		return Item{}, err
	}
	if text = r.rules.tidy(text); text == "" {
		return Item{}, skip("the text is empty")
	}
	return Item{Text: text}, nil
}

// tagsAction adds and removes tags in HighLevel.
type tagsAction struct {
	add, remove []*template
	hashtagsOf  *template // nil for none
	keywordsOf  *template
	keywords    map[string]string
}

func loadTags(f *fields) action {
	a := &tagsAction{
		add: f.templates("add"), remove: f.templates("remove"),
		keywords: f.table("keywords"), keywordsOf: &template{},
	}
	f.referToTags("remove")
	f.pointlessTags()
	if f.has("hashtags_of") {
		a.hashtagsOf = f.template("hashtags_of", "")
	}
	switch {
	case f.has("keywords_of") && !f.has("keywords"):
		f.wrong("keywords_of", "needs keywords: { word: tag }")
	case f.has("keywords") && !f.has("keywords_of") && a.hashtagsOf != nil:
		a.keywordsOf = a.hashtagsOf
	case f.has("keywords"):
		a.keywordsOf = f.templateFrom("note", "keywords_of", "{{ note.body }}")
	}
	if !f.has("add") && !f.has("remove") && !f.has("hashtags_of") && !f.has("keywords") && len(f.bad) == 0 {
		f.add(f.line, "tags", "there is nothing to add or remove; expected one of add, hashtags_of, keywords, remove")
	}
	return a
}

// pointlessTags notes empty tags, and those that are added and removed.
func (f *fields) pointlessTags() {
	added := map[string]bool{}
	for _, name := range []string{"add", "remove"} {
		for _, v := range entriesOf(f.values[name]) {
			text, ok := fixedText(v)
			switch tag := strings.ToLower(oneLine(text)); {
			case !ok:
			case tag == "":
				f.never(v.Line, f.prefix+name, "is empty; write a tag, or remove the line")
			case name == "remove" && added[tag]:
				f.never(v.Line, f.prefix+name, "the tag %q is also added", tag)
				delete(added, tag)
			case name == "add":
				added[tag] = true
			}
		}
	}
}

func (a *tagsAction) kind() ItemKind { return ItemTags }

func (a *tagsAction) reads() reads {
	r := readsOf(append(append([]*template{a.keywordsOf}, a.add...), a.remove...)...)
	if a.hashtagsOf != nil {
		r.add(a.hashtagsOf.reads)
	}
	return r
}

func (a *tagsAction) item(_ *run, env map[string]any) (Item, error) {
	add, err := fillAll("add", a.add, env)
	if err != nil {
		return Item{}, err
	}
	if a.hashtagsOf != nil {
		text, err := fill("hashtags_of", a.hashtagsOf, env)
		if err != nil {
			return Item{}, err
		}
		add = append(add, hashtags(text)...)
	}
	text, err := fill("keywords_of", a.keywordsOf, env)
	if err != nil {
		return Item{}, err
	}
	add = append(add, keywordTags(text, a.keywords)...)
	remove, err := fillAll("remove", a.remove, env)
	if err != nil {
		return Item{}, err
	}
	item := Item{AddTags: tagSet(add), RemoveTags: tagSet(remove)}
	if len(item.AddTags)+len(item.RemoveTags) == 0 {
		return Item{}, skip("there are no tags in it")
	}
	return item, nil
}

// appendNew appends a text unless it is empty or already in the list.
func appendNew(list []string, s string) []string {
	if s == "" {
		return list
	}
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}
