package mapping

import (
	"encoding/json"
	"html"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tagForm is a comment, a condition or namespace as Outlook writes them, a doctype or a
// well-formed tag: closing slash, name, attributes.
var tagForm = regexp.MustCompile(`(?s)<!--.*?-->|<!\[(?:if [^<>\]]*|endif)\]>|<\?xml:namespace [^<>]*>|<![dD][oO][cC][tT][yY][pP][eE][^<>]*>|` +
	`<(/?)([a-zA-Z][a-zA-Z0-9:-]*)((?:\s+[^\s"'<>/=]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'=<>` + "`" + `][^\s"'<>` + "`" + `]*))?)*)\s*/?>`)

// words is a set of names, given separated by blanks.
func words(s string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(s) {
		set[w] = true
	}
	return set
}

var (
	// editorBlocks and editorInline are what editors write, closed or not.
	editorBlocks = words("p div ul ol li h1 h2 h3 h4 h5 h6 blockquote pre table thead tbody tfoot tr td th center")
	editorInline = words("a b strong i em u s strike del ins mark code span font small big sub sup img br hr wbr")
	// documentBlocks also begin HTML, if they are closed. Unclosed, they may be a
	// placeholder in a text: <address>.
	documentBlocks = words("html body head section article header footer main aside nav figure figcaption address details summary dl dt dd form fieldset caption")
	tableParts     = words("thead tbody tfoot tr td th")
	voidElements   = words("area base br col embed hr img input link meta param source track wbr")
	hiddenElements = words("script style title template")
	// otherElements are in HTML as well, so what has them is no other XML.
	otherElements = words("abbr bdi bdo button canvas cite colgroup data dfn dialog hgroup iframe kbd label legend main map menu meter nobr noscript object optgroup option " +
		"output picture progress q ruby samp search select svg textarea time tt var video audio mention")
	// flags are the attributes without a value that pages use.
	flags = words("allowfullscreen async autoplay checked compact contenteditable controls default defer disabled download hidden loop multiple muted nowrap noshade open " +
		"readonly required reversed selected")
)

func isEditors(name string) bool { return editorBlocks[name] || editorInline[name] }

// tag is a tag of a text, or a comment, which has no name.
type tag struct {
	from, to   int
	name       string
	attributes string
	closes     bool
	mate       int // index of its closing or opening tag; -1 = none
}

// tagsOf finds the tags of a text and pairs them. It skips the contents of a script or
// style.
func tagsOf(s string) []tag {
	var tags []tag
	var open []int // indexes of the start tags that are not closed
	waiting := map[string]int{}
	endless := map[string]bool{} // names without a closing tag in the rest
	for at := 0; ; {
		t, found := nextTag(s, at)
		if !found {
			return tags
		}
		at = t.to
		i := len(tags)
		switch {
		case t.name == "" || voidElements[t.name]:
		case !t.closes:
			open = append(open, i)
			waiting[t.name]++
			if (t.name == "script" || t.name == "style") && !endless[t.name] {
				end := indexFold(s[at:], "</"+t.name)
				endless[t.name] = end < 0
				at += max(end, 0)
			}
		case waiting[t.name] > 0:
			for {
				j := open[len(open)-1]
				open = open[:len(open)-1]
				waiting[tags[j].name]--
				if tags[j].name == t.name {
					tags[j].mate, t.mate = i, j
					break
				}
			}
		}
		tags = append(tags, t)
	}
}

// nextTag finds the first tag from position at on.
func nextTag(s string, at int) (t tag, found bool) {
	for {
		m := tagForm.FindStringSubmatchIndex(s[at:])
		if m == nil {
			return tag{}, false
		}
		t = tag{from: at + m[0], to: at + m[1], mate: -1}
		if m[4] >= 0 {
			t.name, t.attributes, t.closes = strings.ToLower(s[at+m[4]:at+m[5]]), s[at+m[6]:at+m[7]], m[2] < m[3]
		}
		if !hasStrangeFlag(t.attributes) {
			return t, true
		}
		at = t.to
	}
}

// hasStrangeFlag reports whether attributes are words without a value that no page has as
// an attribute: "a<b && c>d" is no tag.
func hasStrangeFlag(attributes string) bool {
	return !strings.Contains(attributes, "=") && slices.ContainsFunc(strings.Fields(attributes), func(name string) bool {
		name = strings.ToLower(name)
		return !flags[name] && !strings.HasPrefix(name, "data-")
	})
}

// indexFold is strings.Index without regard to the case of ASCII letters.
func indexFold(s, lower string) int {
	for i := 0; i+len(lower) <= len(s); i++ {
		next := strings.IndexByte(s[i:], lower[0])
		if next < 0 {
			return -1
		}
		if i += next; i+len(lower) <= len(s) && strings.EqualFold(s[i:i+len(lower)], lower) {
			return i
		}
	}
	return -1
}

// htmlSource reports whether a text looks like the HTML of an editor. It returns the text
// with everything escaped that is not markup, so that a parser need not guess.
//
// An editor's HTML begins with a block (TipTap, Quill), or all its tags are closed tags of
// an editor (contenteditable). A text about tags, or with placeholders in angle brackets,
// is neither.
func htmlSource(s string) (string, bool) {
	if !strings.Contains(s, "<") || strings.ContainsAny(s[:1], "{[") && json.Valid([]byte(s)) {
		return "", false
	}
	tags := tagsOf(s)
	begins := beginsWithBlock(s, tags)
	if !begins && !isInlineHTML(s, tags) {
		return "", false
	}
	var out strings.Builder
	if begins && tableParts[tags[0].name] {
		out.WriteString("<table>") // it was not copied, and the parser would drop the cells
	}
	at := 0
	for i := 0; i < len(tags); i++ {
		t := tags[i]
		out.WriteString(escapeText(s[at:t.from]))
		at = t.to
		switch {
		case t.name == "":
		case hiddenElements[t.name] && !followsTag(s, t) && isMention(s, t) && (t.mate < 0 || isMention(s, tags[t.mate])),
			editorInline[t.name] && !voidElements[t.name] && t.mate < 0 && isMention(s, t):
			out.WriteString(escapeText(s[t.from:t.to])) // "use <script> here", "the <code> is 5"
		case hiddenElements[t.name] && t.mate > i:
			i = t.mate
			at = tags[i].to
		case t.name == "script" && !t.closes: // an unclosed script covers the rest
			return out.String(), true
		case isEditors(t.name), t.mate >= 0 && !hiddenElements[t.name], t.name == "col", voidElements[t.name] && t.attributes != "":
			out.WriteString(escapeAmpersands(s[t.from:t.to]))
		default: // <ann@example.com>, <Name>
			out.WriteString(escapeText(s[t.from:t.to]))
		}
	}
	out.WriteString(escapeText(s[at:]))
	return out.String(), true
}

// beginsWithBlock reports whether a text begins with a closed block. An unclosed block, as
// in a body that was cut off, counts only if its contents follow directly: "<p>One<p>Two",
// but not "<p> is a paragraph".
func beginsWithBlock(s string, tags []tag) bool {
	at := 0
	for i := 0; i < len(tags); i++ {
		t := tags[i]
		if strings.Trim(s[at:t.from], " \t\n\ufeff") != "" {
			return false
		}
		at = t.to
		switch {
		case t.name == "" || t.name == "meta" || t.name == "link":
			continue
		case hiddenElements[t.name] && t.mate > i:
			i = t.mate
			at = tags[i].to
			continue
		case t.closes:
			return false
		case t.mate >= 0 && (documentBlocks[t.name] || t.name == "table"):
			return !holdsXML(tags[i+1 : t.mate])
		case t.mate >= 0:
			return editorBlocks[t.name]
		case t.name == "hr":
			return slices.ContainsFunc(tags, func(t tag) bool { return editorBlocks[t.name] && t.mate >= 0 })
		}
		next, _ := utf8.DecodeRuneInString(s[at:])
		return editorBlocks[t.name] && (unicode.IsLetter(next) || unicode.IsDigit(next) || i+1 < len(tags) && tags[i+1].from == at)
	}
	return false
}

// holdsXML reports whether the first closed element is none of HTML, as in an <address>
// of XML.
func holdsXML(tags []tag) bool {
	first := slices.IndexFunc(tags, func(t tag) bool { return t.mate >= 0 })
	if first < 0 {
		return false
	}
	name := tags[first].name
	return !isEditors(name) && !documentBlocks[name] && !hiddenElements[name] && !otherElements[name] && !strings.ContainsAny(name, ":-")
}

// isVoid reports whether an element of editors has no end tag.
func isVoid(name string) bool { return name == "br" || name == "hr" || name == "img" }

// followsBreak reports whether a tag follows one that ends a line.
func followsBreak(s string, tags []tag, i int) bool {
	return i > 0 && breaksLine(tags[i-1]) && strings.TrimSpace(s[tags[i-1].to:tags[i].from]) == ""
}

// isMention reports whether a tag is used as a word of the text, also in quotes or before
// a comma.
func isMention(s string, t tag) bool {
	switch {
	case t.attributes != "":
		return false
	case blankBefore(s, t.from):
		return blankAfter(s, t.to) || strings.IndexByte(".,:;!?)", s[t.to]) >= 0
	case t.to == len(s) || !blankBefore(s, t.from-1):
		return false
	}
	quotes := s[t.from-1:t.from] + s[t.to:t.to+1]
	return quotes == "``" || quotes == `""` || quotes == "''" || quotes == "()"
}

// isMentioned reports whether two tags are words of the text, judged by what is between
// them: nothing, an ellipsis or separate words.
func isMentioned(inner string) bool {
	return strings.Trim(inner, " \t\n.…*") == "" || blankAfter(inner, 0) && blankBefore(inner, len(inner))
}

// followsTag reports whether only blanks are between a tag and the one before it.
func followsTag(s string, t tag) bool {
	return strings.HasSuffix(strings.TrimRight(s[:t.from], " \t\n"), ">")
}

// brokenLines matches the <br> that PHP's nl2br puts before each line end.
var brokenLines = regexp.MustCompile(`<br ?/?>\n`)

// isInlineHTML reports whether a text has markup, and only markup of an editor.
func isInlineHTML(s string, tags []tag) bool {
	at, found := 0, false
	nothingElse := strings.TrimSpace(tagForm.ReplaceAllString(s, "")) == ""
	endLines := len(brokenLines.FindAllString(s, 2)) == 2
	for i, t := range tags {
		if t.from < at { // in a script
			continue
		}
		if strings.Contains(s[at:t.from], "<") || brokenLine(s[at:t.from], i > 0 && breaksLine(tags[i-1])) {
			return false
		}
		at = t.to
		switch {
		case t.name == "":
		case isVoid(t.name) && !nothingElse && !endLines && !followsBreak(s, tags, i) && isMention(s, t):
			return false // "the <br> tag"
		case isVoid(t.name):
			found = true
		case hiddenElements[t.name] && t.mate > i:
			at = tags[t.mate].to
		case !isEditors(t.name) || t.mate < 0:
			return false
		case t.mate > i && isMention(s, t) && isMention(s, tags[t.mate]):
			return false // "use <p> and </p> for it"
		case t.mate > i && editorInline[t.name] && t.attributes == "":
			if isMentioned(s[t.to:tags[t.mate].from]) {
				return false // "between <b> and </b>"
			}
			found = true
		default:
			found = true
		}
	}
	rest := strings.TrimRight(s[at:], " \t\n")
	return found && !strings.Contains(rest, "<") && !brokenLine(rest, len(tags) > 0 && breaksLine(tags[len(tags)-1]))
}

// brokenLine reports whether a text has a line end that does not follow markup with the
// same effect. Editors write <br> instead.
func brokenLine(text string, afterBreak bool) bool {
	if afterBreak {
		text = strings.TrimLeft(text, " \t\n")
	}
	return strings.Contains(strings.TrimRight(text, " \t"), "\n")
}

func breaksLine(t tag) bool { return t.name == "br" || t.name == "hr" || editorBlocks[t.name] }

func blankBefore(s string, i int) bool { return i == 0 || strings.IndexByte(" \t\n", s[i-1]) >= 0 }
func blankAfter(s string, i int) bool  { return i == len(s) || strings.IndexByte(" \t\n", s[i]) >= 0 }

var entityForm = regexp.MustCompile(`&(?:#[0-9]{1,7};|#[xX][0-9a-fA-F]{1,6};|[a-zA-Z][a-zA-Z0-9]{1,31};)?`)

// escapeAmpersands escapes each ampersand that does not begin an entity. An entity ends
// with a semicolon, so "a=1&copy=2" and "&notit;" have none.
func escapeAmpersands(s string) string {
	return entityForm.ReplaceAllStringFunc(s, func(entity string) string {
		if is := html.UnescapeString(entity); entity == "&" || is == entity || entity != "&semi;" && strings.HasSuffix(is, ";") && len(is) > 1 {
			return "&amp;" + entity[1:]
		}
		return entity
	})
}

var angles = strings.NewReplacer("<", "&lt;", ">", "&gt;")

func escapeText(s string) string { return angles.Replace(escapeAmpersands(s)) }
