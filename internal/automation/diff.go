package automation

import (
	"slices"
	"strings"
)

// Line is a line of a comparison: " " in both, "-" only in the first, "+" only in
// the second.
type Line struct {
	Mark string `json:"mark"`
	Text string `json:"text"`
}

// mostCompared bounds the work of a comparison, in pairs of lines. Texts that differ
// in more are shown one after the other.
const mostCompared = 1 << 22

// diff compares two texts line by line.
func diff(a, b string) (out []Line) {
	from, to := lines(a), lines(b)
	head := 0
	for head < len(from) && head < len(to) && from[head] == to[head] {
		head++
	}
	tail := 0
	for tail < len(from)-head && tail < len(to)-head && from[len(from)-1-tail] == to[len(to)-1-tail] {
		tail++
	}
	add := func(mark string, list []string) {
		for _, l := range list {
			out = append(out, Line{mark, l})
		}
	}
	add(" ", from[:head])
	x, y := from[head:len(from)-tail], to[head:len(to)-tail]
	if len(x)*len(y) > mostCompared {
		add("-", x)
		add("+", y)
	} else {
		out = append(out, middle(x, y)...)
	}
	add(" ", from[len(from)-tail:])
	return out
}

func lines(text string) []string {
	text = strings.TrimSuffix(text, "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// middle compares by the longest common subsequence.
func middle(x, y []string) (out []Line) {
	common := make([][]int, len(x)+1)
	for i := range common {
		common[i] = make([]int, len(y)+1)
	}
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if x[i] == y[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(x) || j < len(y) {
		switch {
		case i < len(x) && j < len(y) && x[i] == y[j]:
			out = append(out, Line{" ", x[i]})
			i, j = i+1, j+1
		case j == len(y) || i < len(x) && common[i+1][j] >= common[i][j+1]:
			out = append(out, Line{"-", x[i]})
			i++
		default:
			out = append(out, Line{"+", y[j]})
			j++
		}
	}
	return slices.Clip(out)
}
