package mapping

import (
	"fmt"
	"strings"
)

// unknown returns an error about an unknown name, with a suggestion.
func unknown[S ~string](what, name string, known []S) error {
	if near, ok := nearest(name, known); ok {
		return fmt.Errorf("unknown %s %q; did you mean %q?", what, name, near)
	}
	if len(known) == 0 {
		return fmt.Errorf("unknown %s %q; there are none", what, name)
	}
	return fmt.Errorf("unknown %s %q; known are %s", what, name, enumerate(known))
}

func enumerate[S ~string](names []S) string {
	parts := make([]string, len(names))
	for i, n := range names {
		parts[i] = string(n)
	}
	return strings.Join(parts, ", ")
}

// nearest finds the known name that takes the fewest changes, if a person would
// call it similar.
func nearest[S ~string](name string, known []S) (S, bool) {
	var best S
	least := 1 + max(1, len(name)/3)
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(string(k))); d < least {
			best, least = k, d
		}
	}
	return best, best != ""
}

// distance counts the letters to insert, delete, replace or swap with their neighbour to
// turn a into b.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	if len(s) > 64 || len(t) > 64 {
		return 64 // too long for a typing error
	}
	d := make([][]int, len(s)+1)
	for i := range d {
		d[i] = make([]int, len(t)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(s); i++ {
		for j := 1; j <= len(t); j++ {
			change := 1
			if s[i-1] == t[j-1] {
				change = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+change)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(s)][len(t)]
}
