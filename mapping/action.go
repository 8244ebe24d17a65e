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

// fieldProblem is a field that cannot be computed.
type fieldProblem struct{ field, message string }

func (p fieldProblem) Error() string { return p.field + ": " + p.message }

const noEmail = skip("the contact has no e-mail address")

// fill is a template's text, or a fieldProblem.
func fill(field string, t *template, env map[string]any) (string, error) {
	text, err := t.text(env)
	if err != nil {
		return "", fieldProblem{field, err.Error()}
	}
	return text, nil
}

// fillAll gives the texts of a list of templates; a list in a hole gives each of
// its entries.
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
	return &noteAction{f.templateFrom("note", "text", "{{ note.body }}")}
}

func (a *noteAction) kind() ItemKind { return ItemNote }
func (a *noteAction) reads() reads   { return a.text.reads }

func (a *noteAction) item(_ *run, env map[string]any) (Item, error) {
	text, err := fill("text", a.text, env)
	if err != nil {
		return Item{}, err
	}
	if text = tidy(text); text == "" {
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
	if !f.has("add") && !f.has("remove") && !f.has("hashtags_of") && !f.has("keywords") {
		f.add(f.line, "tags", "there is nothing to add or remove; expected one of add, hashtags_of, keywords, remove")
	}
	return a
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

// contactAction makes a contact.
type contactAction struct {
	name, organization, jobTitle *template
	emails, phones               []*template
}

func loadContact(f *fields) action {
	return &contactAction{
		name:         f.template("name", "{{ contact.name }}"),
		emails:       f.templates("emails", "{{ contact.email }}"),
		phones:       f.templates("phones", "{{ contact.phone }}"),
		organization: f.template("organization", "{{ contact.company_name }}"),
		jobTitle:     f.template("job_title", ""),
	}
}

func (a *contactAction) kind() ItemKind { return ItemContact }

func (a *contactAction) reads() reads {
	return readsOf(append(append([]*template{a.name, a.organization, a.jobTitle}, a.emails...), a.phones...)...)
}

func (a *contactAction) item(_ *run, env map[string]any) (Item, error) {
	var c ContactItem
	for _, f := range []struct {
		field string
		from  *template
		to    *string
	}{
		{"name", a.name, &c.Name},
		{"organization", a.organization, &c.Organization},
		{"job_title", a.jobTitle, &c.JobTitle},
	} {
		text, err := fill(f.field, f.from, env)
		if err != nil {
			return Item{}, err
		}
		*f.to = oneLine(text)
	}
	emails, err := fillAll("emails", a.emails, env)
	if err != nil {
		return Item{}, err
	}
	for _, list := range emails {
		for _, e := range strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(",; \t\n", r) }) {
			address, err := emailAddress(e)
			if err != nil {
				return Item{}, fieldProblem{"emails", err.Error()}
			}
			c.Emails = appendNew(c.Emails, address)
		}
	}
	phones, err := fillAll("phones", a.phones, env)
	if err != nil {
		return Item{}, err
	}
	for _, p := range phones {
		c.Phones = appendNew(c.Phones, oneLine(p))
	}
	if len(c.Emails) == 0 {
		return Item{}, noEmail
	}
	return Item{Contact: c}, nil
}

// appendNew appends what is neither empty nor there already.
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
