package mapping

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// tagSet returns tags as HighLevel saves them: in lower case and trimmed. It sorts them and
// removes empty and duplicate ones, so that sets with the same tags are equal.
func tagSet(tags []string) []string {
	var set []string
	for _, t := range tags {
		if t = strings.ToLower(oneLine(t)); t != "" {
			set = append(set, t)
		}
	}
	slices.Sort(set)
	return slices.Compact(set)
}

const longestHashtag = 64 // characters

var (
	hashtagForm = regexp.MustCompile(`#[\p{L}\p{N}\p{M}_-]+`)
	colourForm  = regexp.MustCompile(`^(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{8})$`)
)

// hashtags finds the #words of a text. A hashtag starts a word, or follows an opening
// bracket, a quote, a comma or a semicolon. It has at least one letter (#1 is a number) and
// is not a colour (#ffaa00 is one, #facade is not). It is not part of a web address.
func hashtags(text string) (tags []string) {
	for _, word := range strings.Fields(text) {
		if strings.Contains(word, "://") || strings.HasPrefix(strings.ToLower(word), "www.") {
			continue
		}
		for _, at := range hashtagForm.FindAllStringIndex(word, -1) {
			if at[0] > 0 && !strings.ContainsRune(`([{<"'“‘«„,;`, lastRune(word[:at[0]])) {
				continue
			}
			tag := strings.Trim(word[at[0]+1:at[1]], "-_")
			switch {
			case !strings.ContainsFunc(tag, unicode.IsLetter), len([]rune(tag)) > longestHashtag:
			case colourForm.MatchString(tag) && strings.ContainsFunc(tag, unicode.IsDigit):
			default:
				tags = append(tags, tag)
			}
		}
	}
	return tags
}

// keywordTags returns the tag of every keyword that is in the text as whole words. It
// ignores case and the kind of spaces between words.
func keywordTags(text string, keywords map[string]string) (tags []string) {
	text = foldWords(text)
	for _, keyword := range slices.Sorted(maps.Keys(keywords)) {
		if hasWord(text, keyword) {
			tags = append(tags, keywords[keyword])
		}
	}
	return tags
}

// foldWords makes texts comparable: lower case, one blank between words.
func foldWords(s string) string {
	return strings.Join(strings.Fields(strings.ToLower(s)), " ")
}

func hasWord(text, word string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 || word == "" {
			return false
		}
		start, end := from+i, from+i+len(word)
		if !isWordRune(lastRune(text[:start])) && !isWordRune(firstRune(text[end:])) {
			return true
		}
		from = start + len(string(firstRune(text[start:])))
	}
}

func isWordRune(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

// firstRune and lastRune return 0 for "", which is not part of any word.
func firstRune(s string) rune {
	for _, r := range s {
		return r
	}
	return 0
}

func lastRune(s string) (last rune) {
	if s != "" {
		r := []rune(s[max(0, len(s)-4):])
		return r[len(r)-1]
	}
	return 0
}
