package mapping

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	xhtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// htmlText writes HTML as plain text, one line for each block. It keeps the addresses of
// links, alternative texts of images, numbers and levels of lists, cells of tables, and
// spaces of <pre>. It returns false if the HTML is nested too deeply.
func htmlText(source string) (string, bool) {
	nodes, err := xhtml.ParseFragment(strings.NewReader(source), &xhtml.Node{Type: xhtml.ElementNode, Data: "body", DataAtom: atom.Body})
	if err != nil {
		return "", false
	}
	root := &xhtml.Node{Type: xhtml.ElementNode, DataAtom: atom.Div}
	for _, n := range nodes {
		root.AppendChild(n)
	}
	w := htmlWriter{holdsBlock: map[*xhtml.Node]bool{}}
	w.findBlocks(root)
	return strings.Join(w.children(root, false), "\n"), true
}

type htmlWriter struct {
	holdsBlock map[*xhtml.Node]bool // it is a block, or has one in it
}

func (w *htmlWriter) findBlocks(n *xhtml.Node) bool {
	holds := n.Type == xhtml.ElementNode && isBlock(n.DataAtom)
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		holds = w.findBlocks(c) || holds
	}
	w.holdsBlock[n] = holds
	return holds
}

// children returns the lines of a block's contents. With pre, spaces are kept.
func (w *htmlWriter) children(n *xhtml.Node, pre bool) (lines []string) {
	var inline strings.Builder
	flush := func() {
		lines = appendLines(lines, inlineLines(inline.String(), pre), pre)
		inline.Reset()
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if !w.holdsBlock[c] {
			w.inline(&inline, c, pre)
			continue
		}
		flush()
		lines = appendLines(lines, w.block(c, pre), pre || c.DataAtom == atom.Pre)
	}
	flush()
	return lines
}

// block returns the lines of a block, or of an element that contains blocks.
func (w *htmlWriter) block(n *xhtml.Node, pre bool) []string {
	switch n.DataAtom {
	case atom.Hr:
		return []string{"---"}
	case atom.Ul, atom.Ol:
		return w.list(n)
	case atom.Table:
		return w.table(n)
	case atom.Pre:
		return w.children(n, true)
	case atom.Blockquote:
		return indent(w.children(n, pre), "> ", "> ")
	case atom.Li:
		return indent(w.children(n, pre), "- ", "  ")
	case atom.A:
		lines := w.children(n, pre)
		if len(lines) == 0 {
			lines = []string{""}
		}
		lines[len(lines)-1] = withAddress(lines[len(lines)-1], attribute(n, "href"))
		return lines
	}
	lines := w.children(n, pre)
	if len(lines) == 0 && n.DataAtom == atom.P {
		return []string{""} // editors write an empty line in this way
	}
	return lines
}

// inline writes the contents of a line; <br> becomes "\n".
func (w *htmlWriter) inline(out *strings.Builder, n *xhtml.Node, pre bool) {
	switch {
	case n.Type == xhtml.TextNode && pre:
		out.WriteString(n.Data)
		return
	case n.Type == xhtml.TextNode:
		writeText(out, n.Data)
		return
	case n.Type != xhtml.ElementNode:
		return
	}
	switch n.DataAtom {
	case atom.Script, atom.Style, atom.Title, atom.Template, atom.Noscript:
	case atom.Br:
		out.WriteByte('\n')
	case atom.Img:
		title, alt := strings.TrimSpace(attribute(n, "title")), strings.TrimSpace(attribute(n, "alt"))
		out.WriteString(apart(cmp.Or(alt, webAddress(attribute(n, "src")), title, "[image]")))
	case atom.Iframe:
		out.WriteString(apart(webAddress(attribute(n, "src"))))
	case atom.Video, atom.Audio, atom.Source, atom.Embed, atom.Object:
		out.WriteString(apart(webAddress(attribute(n, "src") + attribute(n, "data"))))
		w.inlineChildren(out, n, pre)
	case atom.A:
		var text strings.Builder
		text.WriteByte(0) // keeps the spaces, because this is not the start of a line
		w.inlineChildren(&text, n, pre)
		s := text.String()[1:]
		if strings.TrimLeft(s, " \t\n") != s {
			writeText(out, " ")
		}
		link := withAddress(strings.Trim(s, " \t\n"+edge), attribute(n, "href"))
		if webAddress(link) != "" {
			link = apart(link)
		}
		out.WriteString(link)
		if strings.TrimSpace(s) != "" && strings.TrimRight(s, " \t\n") != s {
			out.WriteByte(' ')
		}
	default:
		w.inlineChildren(out, n, pre)
	}
}

func (w *htmlWriter) inlineChildren(out *strings.Builder, n *xhtml.Node, pre bool) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		w.inline(out, c, pre)
	}
}

// edge separates a text from the word next to it. No text contains it.
const edge = "\x00"

// apart adds edges to the text of an image or an address.
func apart(s string) string {
	if s == "" {
		return ""
	}
	return edge + s + edge
}

// withoutEdges replaces an edge between two words by a space.
func withoutEdges(s string) string {
	var out strings.Builder
	last := rune(0)
	for part := range strings.SplitSeq(s, edge) {
		if part == "" {
			continue
		}
		if joins(last) && joins(firstRune(part)) {
			out.WriteByte(' ')
		}
		out.WriteString(part)
		last = lastRune(part)
	}
	return out.String()
}

func joins(r rune) bool { return r == '/' || isWordRune(r) }

// writeText writes text as HTML shows it: a line end in the source becomes a space. Other
// spaces stay, because editors show them. But at the start of a line they only indent the
// source.
func writeText(out *strings.Builder, s string) {
	for s != "" {
		end := strings.IndexAny(s, " \t\n")
		if end != 0 {
			if end < 0 {
				end = len(s)
			}
			out.WriteString(s[:end])
			s = s[end:]
			continue
		}
		rest := strings.TrimLeft(s, " \t\n")
		blanks := s[:len(s)-len(rest)]
		s = rest
		if strings.Contains(blanks, "\n") {
			blanks = " "
		}
		if so := out.String(); so != "" && !strings.HasSuffix(so, "\n") {
			out.WriteString(blanks)
		}
	}
}

// inlineLines splits the contents of a block into lines. The last <br> ends no line, unless
// it is the only content.
func inlineLines(s string, pre bool) []string {
	s = withoutEdges(s)
	if s == "" || !pre && strings.Trim(s, " \t") == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// appendLines appends lines, trims their ends, and keeps at most one empty line in a row.
// Lines of <pre> stay unchanged.
func appendLines(lines, more []string, pre bool) []string {
	for _, line := range more {
		if !pre {
			line = strings.TrimRightFunc(strings.ReplaceAll(line, "\u00a0", " "), unicode.IsSpace)
			if line == "" && len(lines) > 0 && lines[len(lines)-1] == "" {
				continue
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func indent(lines []string, first, others string) []string {
	if len(lines) == 0 {
		return []string{strings.TrimSpace(first)}
	}
	for i, line := range lines {
		prefix := others
		if i == 0 {
			prefix = first
		}
		lines[i] = prefix + line
	}
	return lines
}

// list returns the lines of a list, with nested lists below their item. Quill writes levels
// as ql-indent-N, and each item of its lists has its own type.
func (w *htmlWriter) list(n *xhtml.Node) (lines []string) {
	next, step := []int{1}, 1 // number of the next item, by level
	if hasAttribute(n, "reversed") {
		next[0], step = countItems(n), -1
	}
	if start, err := strconv.Atoi(strings.TrimSpace(attribute(n, "start"))); err == nil {
		next[0] = start
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.DataAtom != atom.Li {
			if w.holdsBlock[c] {
				lines = appendLines(lines, indent(w.block(c, false), "  ", "  "), true)
			} else {
				var text strings.Builder
				w.inline(&text, c, false)
				lines = appendLines(lines, inlineLines(text.String(), false), false)
			}
			continue
		}
		level := quillLevel(c)
		for len(next) <= level {
			next = append(next, 1)
		}
		next = next[:level+1]
		if value, err := strconv.Atoi(strings.TrimSpace(attribute(c, "value"))); err == nil {
			next[level] = value
		}
		marker := "- "
		switch kind := attribute(c, "data-list"); {
		case kind == "checked", attribute(c, "data-checked") == "true":
			marker = "- [x] "
		case kind == "unchecked", attribute(c, "data-checked") == "false":
			marker = "- [ ] "
		case kind == "ordered", n.DataAtom == atom.Ol && kind == "":
			marker = itemNumber(next[level], attribute(n, "type")) + ". "
			next[level] += step
		}
		margin := strings.Repeat("   ", level)
		lines = appendLines(lines, indent(w.children(c, false), margin+marker, margin+strings.Repeat(" ", len(marker))), true)
	}
	return lines
}

func countItems(list *xhtml.Node) (n int) {
	for c := list.FirstChild; c != nil; c = c.NextSibling {
		if c.DataAtom == atom.Li {
			n++
		}
	}
	return n
}

// itemNumber returns the number of an item, or a letter for lists of type a and A.
func itemNumber(n int, kind string) string {
	if (kind == "a" || kind == "A") && n >= 1 && n <= 26 {
		return string(rune(kind[0]) + rune(n-1))
	}
	return strconv.Itoa(n)
}

func quillLevel(n *xhtml.Node) int {
	_, level, _ := strings.Cut(attribute(n, "class"), "ql-indent-")
	level, _, _ = strings.Cut(level, " ")
	l, err := strconv.Atoi(level)
	if err != nil || l < 0 || l > 9 {
		return 0
	}
	return l
}

// table returns a line for each row, or more if a cell has more. A row with one cell
// becomes that cell, because such tables are for layout.
func (w *htmlWriter) table(n *xhtml.Node) (lines []string) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch c.DataAtom {
		case atom.Thead, atom.Tbody, atom.Tfoot:
			lines = append(lines, w.table(c)...)
		case atom.Tr:
			var cells [][]string
			for d := c.FirstChild; d != nil; d = d.NextSibling {
				if d.DataAtom == atom.Td || d.DataAtom == atom.Th {
					cells = append(cells, w.children(d, false))
				}
			}
			if len(cells) == 1 {
				lines = append(lines, cells[0]...)
				continue
			}
			lines = append(lines, tableRow(cells)...)
		default:
			if w.holdsBlock[c] {
				lines = append(lines, w.block(c, false)...)
			}
		}
	}
	return lines
}

// tableRow joins cells in one line, or puts them below each other if one of them has
// several lines, such as a list.
func tableRow(cells [][]string) []string {
	row := make([]string, len(cells))
	for i, cell := range cells {
		if len(cell) > 1 {
			var lines []string
			for j, cell := range cells {
				if j > 0 {
					cell = indent(cell, "| ", "  ")
				}
				lines = append(lines, cell...)
			}
			return lines
		}
		row[i] = strings.Join(cell, "")
	}
	return []string{strings.TrimSpace(strings.Join(row, " | "))}
}

// withAddress returns the text of a link with its address, or once if they are equal.
func withAddress(text, href string) string {
	address := strings.TrimSpace(href)
	scheme, rest, found := strings.Cut(address, ":")
	if found {
		switch scheme = strings.ToLower(scheme); scheme {
		case "javascript", "data", "vbscript", "about":
			return text
		case "mailto", "tel", "sms":
			address = rest
		}
	}
	same := text == address || strings.TrimSuffix(text, "/") == strings.TrimSuffix(address, "/") ||
		scheme == "mailto" && strings.EqualFold(text, address) ||
		(scheme == "tel" || scheme == "sms") && dialled(text) == dialled(address)
	switch {
	case address == "" || strings.HasPrefix(address, "#") || same:
		return text
	case text == "":
		return address
	}
	return text + " (" + address + ")"
}

// dialled returns the digits of a telephone number that are dialled.
func dialled(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -().\u00a0", r) {
			return -1
		}
		return r
	}, s)
}

func webAddress(s string) string {
	if s = strings.TrimSpace(s); strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "//") {
		return s
	}
	return ""
}

// attribute returns the value of an attribute, "" if it is not there.
func attribute(n *xhtml.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func hasAttribute(n *xhtml.Node, key string) bool {
	return slices.ContainsFunc(n.Attr, func(a xhtml.Attribute) bool { return a.Key == key })
}

func isBlock(a atom.Atom) bool {
	switch a {
	case atom.P, atom.Div, atom.Li, atom.Ul, atom.Ol, atom.Dl, atom.Dt, atom.Dd, atom.Tr, atom.Table, atom.Tbody, atom.Thead, atom.Tfoot,
		atom.Td, atom.Th, atom.Caption, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Blockquote, atom.Pre, atom.Hr, atom.Center,
		atom.Section, atom.Article, atom.Header, atom.Footer, atom.Aside, atom.Main, atom.Nav, atom.Details, atom.Summary,
		atom.Figure, atom.Figcaption, atom.Address, atom.Form, atom.Fieldset, atom.Body, atom.Html, atom.Head:
		return true
	}
	return false
}
