package mapping

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A text that does not look like an editor's HTML keeps every character.
var plainTexts = []string{
	"Call back\n  on Monday",
	"Join https://meet.example/j/7?pwd=x&timestamp=5&region=us&copy=1",
	"a&amp;b &lt;i&gt; &copy; &#39; &nbsp;|",
	"Follow the <style> guide\nCall back Monday #urgent",
	"Dear <Name>,\nplease call <TBC>\nthanks",
	"<Name>\n<Address>",
	"a < b and c > d, i <3 you",
	"if (x<y) <br> literal",
	"use <br> to break a line",
	"x <b",
	"x <",
	"mail <ann@example.com> today",
	"Ann Lee <ann@example.com>, Bo <bo@example.com>",
	"see <https://example.com/a?b=1&c=2>",
	"List<String> and Map<K, V> and List<i>",
	"Follow the <title> and the <time>, <label>: <input>",
	"<title>: needed\n<link>: needed",
	"<p> is a paragraph, <div> a division",
	"<p>, <div> and <span> are tags",
	"</p> ends it",
	"between <b> and </b> is bold",
	"an empty <b></b>",
	"Use <p> and </p> for a paragraph",
	"x?a=1&para=2&lt=3&sect=6&not=7&times=9&yen=2&quot=6 &amp 1",
	"<https://x.example/a?b=1&c=2>\n<mailto:ann@example.com>",
	"a < b > c",
	"<ann@example.com> wrote: <p>hi</p>",
	"the tag <br>",
	"<note><to>Tove</to><body>Hi</body></note>",
	`<?xml version="1.0"?><note>Hi</note>`,
	`<root><p>one</p></root>`,
	"please parse <name>Ann</name> now",
	"Fix this:\n<div class=\"x\">\n  <p>Hello</p>\n</div>",
	"<script>alert(1)</script>",
	"<!-- a note to myself -->",
	"emoji 👩‍👩‍👧 🇩🇪 and zero\u200bwidth\u200d \ufeff",
	"right to left: \u202bשלום\u202c \u200f(עברית)",
	"  leading blanks\n\tand a tab\there",
	"a\n\n\n\nb",
	"two  blanks, and\u00a0one that does not break",
	"x <a> y <b> z <c>",
	"<<<>>> <> </> <!>",
	"1 <2> 3",
	`path C:\<user>\_files\*.txt`,
	"*not* _markdown_ # 1. [x](y) `z` \\_",
	"SELECT * FROM t WHERE a<b AND c>d;",
	"<b>bold of a developer</b>\nand more\nlines",
	"call <td> and <tr>",
	"<form> to sign, <address> to send it to",
	"Use `<br>` to break a line",
	"Use <br>, not a newline. Or <hr>. Or (<br>) and the \"<br>\" tag",
	"Use `<p>` and `</p>` for paragraphs",
	"Use <p>, </p> around it",
	"Wrap it in <b>...</b>",
	`const x = "<div>" + name + "</div>";`,
	`[{"body":"a<br>b"}]`,
	`{"html":"<p>Hi <b>Ann</b></p>","id":5}`,
	"<address><street>1 Main St</street><city>Rome</city></address>",
	"<form><name>Ann</name><phone>555</phone></form>",
	"<table><row><name>Ann</name></row></table>",
	"a<b && c>d, a <i will do it> b",
}

func TestTextThatIsNoHTMLKeepsEveryCharacter(t *testing.T) {
	for _, s := range plainTexts {
		if got := PlainText(s); got != s {
			t.Errorf("PlainText(%q) = %q", s, got)
		}
	}
	for in, want := range map[string]string{
		"a\x00b\u0007c":            "abc", // databases and calendars reject them
		"one\r\ntwo\rthree":        "one\ntwo\nthree",
		"\n \n  one\n\n":           "  one",
		"a\xffb":                   "a\uFFFDb",
		" \u00a0\n":                "",
		"soft\vbreak\fpage":        "soft\nbreak\npage",
		"\ufeffa":                  "a",
		"line\u2028separator":      "line\nseparator",
		"C1 \u009bcontrol \u0085x": "C1 control \nx",
	} {
		if got := PlainText(in); got != want {
			t.Errorf("PlainText(%q) = %q, want %q", in, got, want)
		}
	}
}

var htmlTexts = []struct{ name, in, want string }{
	{"paragraphs", "<p>One</p><p>Two</p>", "One\nTwo"},
	{"the source's own lines", "<div>\n  <p>One</p>\n  <p>Two</p>\n</div>", "One\nTwo"},
	{"an empty paragraph", "<p>One</p><p></p><p>Two</p>", "One\n\nTwo"},
	{"a paragraph with a break", "<p>One</p><p><br></p><p><br></p><p>Two</p>", "One\n\nTwo"},
	{"a break at the end of a paragraph", `<p>One<br class="ProseMirror-trailingBreak"></p><p>Two</p>`, "One\nTwo"},
	{"breaks", "One<br>Two<br/>Three", "One\nTwo\nThree"},
	{"breaks of nl2br", "One<br />\nTwo<br />\n<br />\nThree", "One\nTwo\n\nThree"},
	{"divisions of contenteditable", "One<div>Two</div><div><br></div><div>Three &amp; four</div>", "One\nTwo\n\nThree & four"},
	{"an entity", "<p>Tom &amp; Jerry&nbsp;&lt;3 &#39;x&#39; &#x263A; &copy;</p>", "Tom & Jerry <3 'x' ☺ ©"},
	{"no entity without its semicolon", "<p>https://x.example/?a=1&timestamp=5&copy=1&notit; &lt</p>", "https://x.example/?a=1&timestamp=5&copy=1&notit; &lt"},
	{"an entity once", "<p>&amp;lt;b&amp;gt;</p>", "&lt;b&gt;"},
	{"a tag written out", "<p>Follow the &lt;style&gt; guide</p><p>next</p>", "Follow the <style> guide\nnext"},
	{"placeholders within HTML", "<p>Dear <Name>, a < b, mail <ann@example.com> of <style> today</p><p>x</p>", "Dear <Name>, a < b, mail <ann@example.com> of <style> today\nx"},
	{"a link", `<p>Join <a href="https://meet.example/j/123?pwd=ab">the call</a>.</p>`, "Join the call (https://meet.example/j/123?pwd=ab)."},
	{"a link with ampersands", `<p><a href="https://m.example/?a=1&amp;region=2&copy=3&copy">x</a></p>`, "x (https://m.example/?a=1&region=2&copy=3&copy)"},
	{"a link that is its text", `<p><a target="_blank" href="https://meet.example/j">https://meet.example/j</a></p>`, "https://meet.example/j"},
	{"a link that is its text but for a slash", `<p><a href="https://meet.example/">https://meet.example</a></p>`, "https://meet.example"},
	{"a link around blanks", `<p>a<a href="https://x.example"> b </a>c</p>`, "a b (https://x.example) c"},
	{"a link of several parts", `<p><a href="https://x.example"><b>the</b> <i>call</i></a></p>`, "the call (https://x.example)"},
	{"a link without text", `<p><a href="https://x.example"></a></p>`, "https://x.example"},
	{"a link around paragraphs", `<div><a href="https://x.example"><p>One</p><p>Two</p></a></div>`, "One\nTwo (https://x.example)"},
	{"a mail link", `<p><a href="mailto:ann@example.com">Ann</a></p>`, "Ann (ann@example.com)"},
	{"a mail link that is its text", `<p><a href="mailto:Ann@example.com">ann@example.com</a></p>`, "ann@example.com"},
	{"a telephone link", `<p><a href="tel:+15550100">call</a> <a href="tel:+15550100">+1 (555) 0100</a></p>`, "call (+15550100) +1 (555) 0100"},
	{"a link without an address", `<p><a name="x">x</a> <a href="#y">y</a> <a href="javascript:z()">z</a></p>`, "x y z"},
	{"an image", `<p>See <img src="https://x.example/a.png" alt="the floor plan" /></p>`, "See the floor plan"},
	{"an image without a text", `<p><img src="https://x.example/a.png"></p>`, "https://x.example/a.png"},
	{"a linked image", `<p><a href="https://x.example"><img alt="Logo" src="a.png"></a></p>`, "Logo (https://x.example)"},
	{"an image beside words", `<p>See<img src="https://x.example/a.png">there<img alt="plan" src="x"><img alt="map" src="y">.</p>`, "See https://x.example/a.png there plan map."},
	{"an emoji", `<p>Hi<img alt="😀" src="x">!</p>`, "Hi😀!"},
	{"an image that only the editor has", `<p><img src="data:image/png;base64,AA"> <img src="cid:1" title="Plan"></p>`, "[image] Plan"},
	{"links that touch", `<p><a href="https://x.example"></a><a href="https://y.example">https://y.example</a>or</p>`, "https://x.example https://y.example or"},
	{"a sound", `<p><audio controls><source src="https://v.example/a.mp3"></audio></p>`, "https://v.example/a.mp3"},
	{"a break that is allowed", "<p>long<wbr>word</p>", "longword"},
	{"a list of letters", `<ol type="a"><li>One</li><li>Two</li></ol>`, "a. One\nb. Two"},
	{"a list that counts down", "<ol reversed><li>One</li><li>Two</li></ol>", "2. One\n1. Two"},
	{"a list", "<ul><li>One</li><li><b>Two</b></li></ul>", "- One\n- Two"},
	{"a list of TipTap", `<ul class="list-disc"><li><p>One</p></li><li><p>Two</p><p>more</p></li></ul>`, "- One\n- Two\n  more"},
	{"an ordered list", "<p>Do:</p><ol><li>One</li><li>Two</li></ol><p>Done</p>", "Do:\n1. One\n2. Two\nDone"},
	{"an ordered list that starts later", `<ol start="9"><li><p>One</p></li><li><p>Two</p></li></ol>`, "9. One\n10. Two"},
	{"a numbered item", `<ol><li>One</li><li value="5">Five</li><li>Six</li></ol>`, "1. One\n5. Five\n6. Six"},
	{"nested lists", "<ul><li>One<ul><li>A<ol><li>a</li><li>b</li></ol></li><li>B</li></ul></li><li>Two</li></ul>", "- One\n  - A\n    1. a\n    2. b\n  - B\n- Two"},
	{"a list nested in a list", "<ol><li>One</li><ol><li>A</li></ol><li>Two</li></ol>", "1. One\n  1. A\n2. Two"},
	{"lists of Quill", `<ol><li data-list="bullet">One</li><li data-list="bullet" class="ql-indent-1">A</li><li data-list="ordered">Two</li></ol>`, "- One\n   - A\n1. Two"},
	{"levels of Quill", `<ol><li>One</li><li class="ql-indent-1">A</li><li class="ql-indent-1">B</li><li>Two</li><li class="ql-indent-1">C</li></ol>`, "1. One\n   1. A\n   2. B\n2. Two\n   1. C"},
	{"a list of tasks", `<ul data-type="taskList"><li data-checked="true"><label><input type="checkbox" checked="checked"><span></span></label><div><p>One</p></div></li><li data-checked="false"><div><p>Two</p></div></li></ul>`, "- [x] One\n- [ ] Two"},
	{"a table", "<table><thead><tr><th>Name</th><th>Price</th></tr></thead><tbody><tr><td><p>Loft</p></td><td>5</td></tr><tr><td>Barn</td><td></td></tr></tbody></table>", "Name | Price\nLoft | 5\nBarn |"},
	{"lists in a table", "<table><tr><td><ul><li>a<ol><li>b</li></ol></li><li>c</li></ul></td><td>x</td><td>y<br>z</td></tr><tr><td>d</td><td></td></tr></table>", "- a\n  1. b\n- c\n| x\n| y\n  z\nd |"},
	{"a table in a table", "<table><tr><td>a</td><td><table><tr><td>b</td><td>c</td></tr><tr><td>d</td><td>e</td></tr></table></td></tr></table>", "a\n| b | c\n  d | e"},
	{"a table for layout", "<table><tr><td><p>One</p><p>Two</p></td></tr></table>", "One\nTwo"},
	{"a rule", "<p>One</p><hr><p>Two</p>", "One\n---\nTwo"},
	{"headings", "<h1>Title</h1><p>text</p><h2>More</h2>", "Title\ntext\nMore"},
	{"a quotation", "<blockquote><p>One</p><blockquote><p>Two</p></blockquote></blockquote><p>Three</p>", "> One\n> > Two\nThree"},
	{"code", "<pre><code>if a &lt; b {\n\n\n    x()  \n}</code></pre><p>and <code>y</code></p>", "if a < b {\n\n\n    x()  \n}\nand y"},
	{"a mention", `<p>Ask <span class="mention" data-type="mention" data-id="u1">@Ann Lee</span> <mention id="u2">@Bo</mention></p>`, "Ask @Ann Lee @Bo"},
	{"marks", `<p><span style="color:#fff" title="#x">w</span><strong>b</strong><em>i</em><u>u</u><s>s</s><mark>m</mark> H<sub>2</sub>O</p>`, "wbiusm H2O"},
	{"inline markup alone", `<b>Bold</b> and <span style="color:#fff">white</span>, <a href="https://x.example">x</a>`, "Bold and white, x (https://x.example)"},
	{"a span alone", `<span style="color:#fff" title="#x">white</span>`, "white"},
	{"scripts and styles", "a<script>alert('<p>x')</script><style>p{color:#fff}</style><p>b</p>", "a\nb"},
	{"a script that does not end", "<p>a</p><script>alert(1)", "a"},
	{"comments", "<!--StartFragment--><p>a<!-- <b>secret</b> --></p>", "a"},
	{"what a browser pastes", `<meta charset='utf-8'><style>p{}</style><p>a</p>`, "a"},
	{"a document", "<!DOCTYPE html>\n<html><head><title>T</title></head><body><p>a</p></body></html>", "a"},
	{"Word's elements", `<p class="MsoNormal">a<o:p></o:p></p><p>b<o:p>&nbsp;</o:p></p>`, "a\nb"},
	{"Outlook's conditions", "<!--[if gte mso 9]><xml><o:x>y</o:x></xml><![endif]--><p><![if !supportLists]><span>1. </span><![endif]>a<?xml:namespace prefix = o />" +
		"<o:p></o:p></p><!--[if !mso]><!--><p>b</p><!--<![endif]-->", "1. a\nb"},
	{"unclosed tags", "<p>One <b>two</p><ul><li>A<li>B</ul>", "One two\n- A\n- B"},
	{"cut off", "<p>One<p>Two", "One\nTwo"},
	{"a list cut off", "<ul><li>One<li>Two", "- One\n- Two"},
	{"cut off within a tag", `<p>One</p><p>Two <a href="https://x.exa`, "One\nTwo <a href=\"https://x.exa"},
	{"capitals", "<P>One<BR>Two</P>", "One\nTwo"},
	{"markdown is not escaped", "<p>a_b_c *d* 1. [x](y) # `z` \\ ~ |</p><p># no heading</p><p>1) x</p><p>- y</p>", "a_b_c *d* 1. [x](y) # `z` \\ ~ |\n# no heading\n1) x\n- y"},
	{"blanks within a line", "<p>a  b\tc\u00a0d\n  e</p>", "a  b\tc d e"},
	{"emoji and right to left", "<p>👩‍👩‍👧 zero\u200bwidth \u202bשלום\u202c</p>", "👩‍👩‍👧 zero\u200bwidth \u202bשלום\u202c"},
	{"a table of TipTap", `<table style="min-width: 50px;"><colgroup><col><col></colgroup><tbody><tr><td colspan="1"><p>A</p></td><td><p>B</p></td></tr></tbody></table>`, "A | B"},
	{"a row without its table", "<tr><td>a</td><td>b</td></tr>", "a | b"},
	{"comparisons", "<p>a<b && c>d</p><pre>if a<b && c>d {\n}</pre><p>when t<s or x>5 do</p>", "a<b && c>d\nif a<b && c>d {\n}\nwhen t<s or x>5 do"},
	{"words in angle brackets", "<p>Call <i will do it> then, <link here> and <input needed></p>", "Call <i will do it> then, <link here> and <input needed>"},
	{"an attribute without a value", "<p hidden data-v-1>a</p><details open><summary>b</summary>c</details>", "a\nb\nc"},
	{"a placeholder with the name of a mark", "<p>Gate <code> is 5</p><p>b</p>", "Gate <code> is 5\nb"},
	{"a tag as a word", "<p>Use <script> here</p><p>Second</p>", "Use <script> here\nSecond"},
	{"a pair of tags as words", "<p>Put it between <script> and </script> please</p>", "Put it between <script> and </script> please"},
	{"a script after a text", "<p>a <script>b()</script> c</p><script> d() </script>", "a  c"},
	{"breaks of nl2br after blanks", "New lead <br/>\r\nName: Ann <br/>\r\nPhone: 5", "New lead\nName: Ann\nPhone: 5"},
	{"a section with a form's elements", "<section><label>Name</label> Ann</section><form><button>Go</button></form>", "Name Ann\nGo"},
	{"an address without quotes", "<p><a href=https://x.example/?a=1>x</a></p>", "x (https://x.example/?a=1)"},
	{"a byte order mark", "\ufeff<p>a</p>", "a"},
	{"a list's number with blanks", `<ol start=" 3 "><li>c</li></ol>`, "3. c"},
	{"nothing", "<p><br></p>", ""},
	{"a break alone", "<br>", ""},
	{"breaks alone", "<br/>\n<br/>", ""},
	{"a video", `<p>see</p><iframe src="https://v.example/1"></iframe>`, "see\nhttps://v.example/1"},
	{"terms", "<dl><dt>Price</dt><dd>5</dd></dl>", "Price\n5"},
	{"text of an editor that looks like HTML", "<p>&lt;p&gt;x&lt;/p&gt;</p>", "<p>x</p>"},
}

func TestHTMLLosesNothing(t *testing.T) {
	for _, tt := range htmlTexts {
		t.Run(tt.name, func(t *testing.T) {
			if got := PlainText(tt.in); got != tt.want {
				t.Errorf("PlainText(%q)\n= %q\nwant %q", tt.in, got, tt.want)
			}
		})
	}
}

// All words in HTML are in its text, in the same order.
func TestEveryWordOfHTMLIsInItsText(t *testing.T) {
	pieces := []string{
		"<p>", "</p>", "<div>", "</div>", "<b>", "</b>", "<ul>", "</ul>", "<ol>", "<li>", "</ol>", "<table>", "<tr>", "<td>", "</td>", "</table>",
		"<br>", "<pre>", "</pre>", "<Name>", "<title>", "<style>", "<a>", "</a>", "&", "&copy=1", "<", "\n", " ", `<a href="https://x.example">`,
	}
	rapid.Check(t, func(rt *rapid.T) {
		var in strings.Builder
		var want []string
		for i, n := 0, rapid.IntRange(0, 30).Draw(rt, "n"); i < n; i++ {
			if rapid.Bool().Draw(rt, "word") {
				w := "w" + strings.Repeat("x", i)
				want = append(want, w)
				in.WriteString(" " + w + " ")
			} else {
				in.WriteString(rapid.SampledFrom(pieces).Draw(rt, "piece"))
			}
		}
		got := PlainText("<p>start</p>" + in.String())
		var have []string
		for _, w := range strings.FieldsFunc(got, func(r rune) bool { return r != 'w' && r != 'x' }) {
			if slices.Contains(want, w) {
				have = append(have, w)
			}
		}
		slices.Sort(have) // the parser moves text outside of cells in front of the table
		slices.Sort(want)
		if !slices.Equal(slices.Compact(have), slices.Compact(want)) {
			rt.Fatalf("PlainText(%q) = %q", in.String(), got)
		}
	})
}

func TestAVeryLongTextIsReadInTime(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes long: not with -short")
	}
	t.Parallel()
	for _, piece := range []string{"<", "<p", "<p>", "<div><b>", "</p>", "<!--", "<a href='", "<b></i>", "<Name>", "&", "<ul><li>", "<script", "<style>", "<br> ", "<p>x</p><blockquote>", "<img>x", "<a href=//x></a>"} {
		s := "<p>x</p>" + strings.Repeat(piece, 100_000/len(piece))
		if got := PlainText(s); got == "" {
			t.Errorf("%s: nothing is left", piece)
		}
	}
}

func FuzzPlainText(f *testing.F) {
	for _, s := range plainTexts {
		f.Add(s)
	}
	for _, tt := range htmlTexts {
		f.Add(tt.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := PlainText(s)
		if again := tidy(got); again != got {
			t.Errorf("PlainText(%q) = %q, which tidy makes %q", s, got, again)
		}
		if !strings.Contains(s, "<") && got != tidy(s) {
			t.Errorf("PlainText(%q) = %q", s, got)
		}
	})
}
