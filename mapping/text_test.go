package mapping

import (
	"slices"
	"strings"
	"testing"
)

func TestATitleIsOneLine(t *testing.T) {
	if got := oneLine(" Closing:\r\n\tAnn\x00 Lee "); got != "Closing: Ann Lee" {
		t.Errorf("got %q", got)
	}
	long := []rune(oneLine(strings.Repeat("ä", 300)))
	if len(long) != 200 || long[199] != '…' {
		t.Errorf("got %d characters, ending in %q", len(long), long[len(long)-1])
	}
	if exact := strings.Repeat("ä", 200); oneLine(exact) != exact {
		t.Error("a title of exactly 200 characters was cut")
	}
}

func TestHashtags(t *testing.T) {
	tests := []struct {
		name, in string
		want     []string
	}{
		{"words", "Met at #Expo about #re-finance and #first_home.", []string{"expo", "first_home", "re-finance"}},
		{"letters of any language", "#Grüße #東京 #हिन्दी", []string{"grüße", "हिन्दी", "東京"}},
		{"after brackets and quotes", `(#one, "#two", #three;#four)`, []string{"four", "one", "three", "two"}},
		{"each once, whatever its case", "#VIP #vip", []string{"vip"}},
		{"not a number", "call #2 of #100", nil},
		{"but letters and digits", "#q4 #2026goals", []string{"2026goals", "q4"}},
		{"not within a word", "a#b C# F#minor x.#y", nil},
		{"not the second of two", "#one#two", []string{"one"}},
		{"not in web addresses", "see https://x.com/#top http://x.com/a?b=(#c) www.x.com/,#d", nil},
		{"not an entity", "&#39; &#x27;", nil},
		{"not a colour", "#ffaa00 #00FF00AA", nil},
		{"but a word of the same letters", "#facade #fff", []string{"facade", "fff"}},
		{"not a heading", "# heading ## two", nil},
		{"without hyphens around it", "#-vip- #--", []string{"vip"}},
		{"not endless", "#" + strings.Repeat("a", 65), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tagSet(hashtags(tt.in)); !slices.Equal(got, tt.want) {
				t.Errorf("hashtags(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestKeywordsAreWholeWords(t *testing.T) {
	keywords := map[string]string{"closing": "closing-scheduled", "signed contract": "won", "größe": "size"}
	tests := []struct {
		in   string
		want []string
	}{
		{"The CLOSING is on Friday", []string{"closing-scheduled"}},
		{"closing", []string{"closing-scheduled"}},
		{"foreclosing, enclosing, closings", nil},
		{"foreclosing before closing", []string{"closing-scheduled"}},
		{"has signed\n  contract, closing!", []string{"closing-scheduled", "won"}},
		{"GRÖSSE or Größe", []string{"size"}},
		{"Übergröße", nil},
		{"", nil},
	}
	for _, tt := range tests {
		if got := tagSet(keywordTags(tt.in, keywords)); !slices.Equal(got, tt.want) {
			t.Errorf("keywordTags(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestValuesArePrintedPlainly(t *testing.T) {
	day, err := ParseDate("2026-12-01", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		in   any
		want string
	}{
		{nil, ""},
		{"x", "x"},
		{5.0, "5"},
		{2.5, "2.5"},
		{1e21, "1000000000000000000000"},
		{7, "7"},
		{true, "true"},
		{[]any{"a", nil, 2.0}, "a, 2"},
		{[]string{"a", "b"}, "a, b"},
		{day, "2026-12-01"},
		{map[string]any{"z": "last", "a": "first"}, "first, last"},
	} {
		if got := printed(tt.in); got != tt.want {
			t.Errorf("printed(%v) = %q, want %q", tt.in, got, tt.want)
		}
	}
}
