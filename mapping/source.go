package mapping

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Split splits a file of automations into their texts, in order. Each text is a list entry
// ("- id: …") with the comments above it. Joined, the texts of a plain list are the file
// byte for byte. The other shapes that Load reads are turned into such a list. Load the
// file first, because Split does not report mistakes.
func Split(data []byte) ([]string, error) {
	lines := strings.SplitAfter(string(data), "\n")
	var texts []string
	for decoder, from := yaml.NewDecoder(bytes.NewReader(data)), 0; ; {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(document.Content) == 0 || isNull(document.Content[0]) {
			continue
		}
		root := document.Content[0]
		part, to := documentLines(lines, from, root)
		from = to
		if entry := oneKey(root, "automations"); entry != nil {
			root = entry
		}
		found, err := split(part, root)
		if err != nil {
			return nil, err
		}
		texts = append(texts, found...)
	}
	return texts, nil
}

// oneKey returns the list under a key; nil if the node is not a mapping with that key.
func oneKey(node *yaml.Node, key string) *yaml.Node {
	if node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return nil
}

// block is some lines of a file; first is the number of the first, from 1.
type block struct {
	first int
	lines []string
}

var documentMark = regexp.MustCompile(`^(?:---|\.\.\.|%)`)

// documentLines returns the lines of the document with this root, without the marks around
// it, and where the next document begins.
func documentLines(lines []string, from int, root *yaml.Node) (block, int) {
	start := root.Line - 1
	for start > from && !documentMark.MatchString(lines[start-1]) {
		start--
	}
	end := root.Line
	for end < len(lines) && !documentMark.MatchString(lines[end]) {
		end++
	}
	return block{start + 1, lines[start:end]}, end
}

// split splits one document.
func split(b block, root *yaml.Node) ([]string, error) {
	entries := []*yaml.Node{root}
	if root.Kind == yaml.SequenceNode {
		entries = root.Content
	}
	texts := make([]string, len(entries))
	switch {
	case root.Kind == yaml.MappingNode && root.Style&yaml.FlowStyle == 0 && root.Column == 1:
		texts[0] = asEntry(b.lines, root.Line-b.first)
	case root.Kind == yaml.SequenceNode && root.Style&yaml.FlowStyle == 0:
		cut(b, root, texts)
	}
	for i, entry := range entries {
		if got, err := oneEntry(texts[i]); err == nil && sameNode(got, entry) {
			continue
		}
		var err error
		if texts[i], err = written(entry); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// cut fills in the lines of each entry of a block list, moved to the left margin.
func cut(b block, root *yaml.Node, texts []string) {
	margin := strings.Repeat(" ", root.Column-1)
	starts := make([]int, len(texts)+1)
	starts[len(texts)] = len(b.lines)
	for i, entry := range root.Content {
		at := entry.Line - b.first
		for at > 0 && !strings.HasPrefix(b.lines[at], margin+"-") {
			at--
		}
		least := 0
		if i > 0 {
			least = starts[i-1] + 1
		}
		above := at
		for above > least && isRemark(b.lines[above-1], root.Column) {
			above--
		}
		for i > 0 && above < at && strings.TrimSpace(b.lines[above]) == "" {
			above++
		}
		starts[i] = above
	}
	for i := range texts {
		var text strings.Builder
		for _, line := range b.lines[starts[i]:max(starts[i], starts[i+1])] {
			text.WriteString(strings.TrimPrefix(line, margin))
		}
		texts[i] = text.String()
	}
}

// isRemark reports whether a line is empty, or a comment that is not indented further than
// the list.
func isRemark(line string, column int) bool {
	text := strings.TrimLeft(line, " ")
	return strings.TrimSpace(text) == "" || strings.HasPrefix(text, "#") && len(line)-len(text) < column
}

// asEntry turns a mapping that begins at one of the lines into a list entry.
func asEntry(lines []string, first int) string {
	var text strings.Builder
	for i, line := range lines {
		switch {
		case i < first, strings.TrimSpace(line) == "":
		case i == first:
			text.WriteString("- ")
		default:
			text.WriteString("  ")
		}
		text.WriteString(line)
	}
	return text.String()
}

// written writes an entry again if its own lines cannot be kept.
func written(entry *yaml.Node) (string, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	err := encoder.Encode(&yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{entry}})
	return out.String(), errors.Join(err, encoder.Close())
}

// oneEntry parses the text of one automation.
func oneEntry(text string) (*yaml.Node, error) {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		return nil, err
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.SequenceNode || len(document.Content[0].Content) != 1 {
		return nil, errors.New("the text is not a list with one automation")
	}
	return document.Content[0].Content[0], nil
}

// sameNode reports whether two nodes mean the same.
func sameNode(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || a.Tag != b.Tag || a.Value != b.Value || len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !sameNode(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

// Concat joins the texts of automations to a file. Without automations, the file is an
// empty list.
func Concat(texts []string) string {
	if len(texts) == 0 {
		return "[]\n"
	}
	var out strings.Builder
	for i, text := range texts {
		out.WriteString(text)
		if i+1 < len(texts) && !strings.HasSuffix(text, "\n") {
			out.WriteString("\n")
		}
	}
	return out.String()
}
