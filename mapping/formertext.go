package mapping

import (
	"html"
	"regexp"
	"strings"
	"unicode"

	xhtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// This file keeps the conversion of texts that TextVersion 2 replaced. For older items, it
// shows whether the record changed or only its conversion did. See PlanFormer.

// formerRules are the rules of texts before TextVersion 2.
var formerRules = textRules{plain: formerPlainText, tidy: formerTidy}

func formerPlainText(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if formerHasTags(s) {
		s = formerWithoutTags(s)
	} else {
		s = html.UnescapeString(s)
	}
	return formerTidy(s)
}

var formerBreaks = regexp.MustCompile(`\n{3,}`)

func formerTidy(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u00a0", " ", "\u2028", "\n", "\u2029", "\n").Replace(s)
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRightFunc(line, unicode.IsSpace)
	}
	return strings.TrimSpace(formerBreaks.ReplaceAllString(strings.Join(lines, "\n"), "\n\n"))
}

func formerHasTags(s string) bool {
	for z := xhtml.NewTokenizer(strings.NewReader(s)); ; {
		switch z.Next() {
		case xhtml.ErrorToken:
			return false
		case xhtml.StartTagToken, xhtml.EndTagToken, xhtml.SelfClosingTagToken:
			if name, _ := z.TagName(); atom.Lookup(name) != 0 {
				return true
			}
		}
	}
}

func formerWithoutTags(s string) string {
	var out formerWriter
	hidden := atom.Atom(0) // the element whose text is not for reading
	for z := xhtml.NewTokenizer(strings.NewReader(s)); ; {
		kind := z.Next()
		if kind == xhtml.ErrorToken {
			return out.String()
		}
		raw := string(z.Raw())
		token := z.Token()
		switch {
		case hidden != 0:
			if kind == xhtml.EndTagToken && token.DataAtom == hidden {
				hidden = 0
			}
		case kind == xhtml.TextToken:
			out.text(token.Data)
		case kind == xhtml.CommentToken, kind == xhtml.DoctypeToken:
		case token.DataAtom == 0:
			if strings.ContainsAny(token.Data, "@/") || strings.HasPrefix(token.Data, "http") {
				out.text(raw) // <ann@example.com>
			}
		case token.DataAtom == atom.Script, token.DataAtom == atom.Style, token.DataAtom == atom.Title:
			if kind != xhtml.EndTagToken {
				hidden = token.DataAtom
			}
		case token.DataAtom == atom.Br:
			out.WriteByte('\n')
		case token.DataAtom == atom.Li && kind == xhtml.StartTagToken:
			out.newLine()
			out.WriteString("- ")
		case token.DataAtom == atom.Td, token.DataAtom == atom.Th:
			out.text(" ")
		case formerIsBlock(token.DataAtom):
			out.newLine()
		}
	}
}

// formerWriter knows whether it is at the start of a line.
type formerWriter struct{ strings.Builder }

func (w *formerWriter) atStart() bool {
	return w.Len() == 0 || strings.HasSuffix(w.String(), "\n")
}

func (w *formerWriter) newLine() {
	if !w.atStart() {
		w.WriteByte('\n')
	}
}

// text writes text. At the start of a line it skips spaces that only indent the HTML
// source.
func (w *formerWriter) text(s string) {
	if w.atStart() {
		s = strings.TrimLeft(s, " \t\r\n")
	}
	w.WriteString(s)
}

func formerIsBlock(a atom.Atom) bool {
	switch a {
	case atom.P, atom.Div, atom.Li, atom.Ul, atom.Ol, atom.Dl, atom.Dt, atom.Dd, atom.Tr, atom.Table, atom.Tbody, atom.Thead,
		atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Blockquote, atom.Pre, atom.Hr,
		atom.Section, atom.Article, atom.Header, atom.Footer, atom.Aside, atom.Main, atom.Nav,
		atom.Figure, atom.Figcaption, atom.Address, atom.Form, atom.Fieldset, atom.Body, atom.Html, atom.Head:
		return true
	}
	return false
}
