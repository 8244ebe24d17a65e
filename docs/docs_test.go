// Package docs tests the documentation: that its links lead somewhere, and that the
// files of the code that it names exist.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"milepost/clients/highlevel"
)

var (
	link     = regexp.MustCompile(`(?:\]\(|src="|srcset=")([^)\s"]+)[)"]`)
	codePath = regexp.MustCompile("`([a-z0-9_./{},-]+/[a-z0-9_./{},-]+(?:\\.go|\\.yaml|\\.yml|\\.conf|\\.service|\\.sql))`")
	heading  = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	fenced   = regexp.MustCompile("(?ms)^```.*?^```")
	notSlug  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// pages are all Markdown files of the project, by path from its root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	root := os.DirFS("..")
	pages := map[string]string{}
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != "." || d.Name() == "node_modules" || d.Name() == "testdata" || d.Name() == "bin" || d.Name() == "data") {
			return fs.SkipDir
		}
		if err == nil && strings.HasSuffix(path, ".md") {
			var b []byte
			b, err = fs.ReadFile(root, path)
			pages[path] = string(b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// anchors are the fragments that a page has, as GitHub makes them from its headings.
func anchors(page string) map[string]bool {
	list := map[string]bool{}
	for _, match := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		text := link.ReplaceAllString(match[1], "]")
		text = notSlug.ReplaceAllString(strings.ToLower(text), "")
		list[strings.ReplaceAll(strings.TrimSpace(text), " ", "-")] = true
	}
	return list
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	pages := pages(t)
	links := 0
	for path, page := range pages {
		for _, match := range link.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
			target := match[1]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			links++
			file, fragment, _ := strings.Cut(target, "#")
			to := path
			if file != "" {
				to = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(filepath.Join("..", to)); err != nil {
				t.Errorf("%s links to %s, which does not exist", path, target)
				continue
			}
			if text, ok := pages[to]; fragment != "" && ok && !anchors(text)[fragment] {
				t.Errorf("%s links to %s, which has no such heading", path, target)
			}
		}
	}
	if links < 50 {
		t.Errorf("only %d links were found", links)
	}
}

func TestEveryFileThatThePagesNameExists(t *testing.T) {
	files := 0
	for path, page := range pages(t) {
		if path == "CHANGELOG.md" {
			continue // it tells of what was
		}
		for _, match := range codePath.FindAllStringSubmatch(page, -1) {
			files++
			name := match[1]
			if _, err := os.Stat(filepath.Join("..", name)); err == nil {
				continue
			}
			if found, _ := filepath.Glob(filepath.Join("..", "internal", name)); len(found) > 0 {
				continue // ARCHITECTURE leaves internal/ away
			}
			t.Errorf("%s names %s, which does not exist", path, name)
		}
	}
	if files < 20 {
		t.Errorf("only %d files were found", files)
	}
}

func TestEveryTestThatThePagesNameExists(t *testing.T) {
	named := regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	declared := map[string]bool{}
	declaration := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			var b []byte
			b, err = os.ReadFile(path)
			for _, match := range declaration.FindAllSubmatch(b, -1) {
				declared[string(match[1])] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, page := range pages(t) {
		if path == "CHANGELOG.md" {
			continue
		}
		for _, match := range named.FindAllStringSubmatch(page, -1) {
			if !declared[match[1]] {
				t.Errorf("%s names %s, which does not exist", path, match[1])
			}
		}
	}
}

func TestTheScreenshotsAreShownAndSmall(t *testing.T) {
	shown := ""
	for _, page := range pages(t) {
		shown += page
	}
	files, err := filepath.Glob("screenshots/*")
	if err != nil || len(files) < 8 {
		t.Fatalf("found %d screenshots, %v; `make screenshots` takes them", len(files), err)
	}
	var size int64
	for _, file := range files {
		if !strings.Contains(shown, file) {
			t.Errorf("no page shows %s", file)
		}
		if info, err := os.Stat(file); err == nil {
			size += info.Size()
		}
	}
	if size > 2<<20 {
		t.Errorf("the screenshots have %d KiB together, more than 2 MiB", size>>10)
	}
}

// A block of a walkthrough names the file that its code is from. A line of its own, …,
// leaves some out.
func TestTheWalkthroughsShowTheCodeAsItIs(t *testing.T) {
	quoted := regexp.MustCompile("(?ms)^```go (\\S+)\n(.*?)^```")
	blocks := 0
	for path, page := range pages(t) {
		for _, match := range quoted.FindAllStringSubmatch(page, -1) {
			blocks++
			code, err := os.ReadFile(filepath.Join("..", match[1]))
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
			for part := range strings.SplitSeq(match[2], "…\n") {
				if !strings.Contains(string(code), part) {
					t.Errorf("%s shows code that is not in %s:\n%s", path, match[1], part)
				}
			}
		}
	}
	if blocks < 10 {
		t.Errorf("only %d blocks were found", blocks)
	}
}

func TestTheScopesAndEventsOfHighLevelAreThoseOfTheCode(t *testing.T) {
	b, err := os.ReadFile("highlevel.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for _, scope := range highlevel.NeededScopes() {
		if !strings.Contains(page, "`"+scope+"`") {
			t.Errorf("highlevel.md does not name the scope %s", scope)
		}
	}
	events := regexp.MustCompile("`([A-Z]\\w*(?:Create|Update|Delete|Complete)|INSTALL|UNINSTALL)`").FindAllStringSubmatch(page, -1)
	for _, match := range events {
		event, err := highlevel.ParseEvent([]byte(`{"type":"` + match[1] + `"}`))
		if err != nil || event.Kind == "" {
			t.Errorf("Milepost does not know the event %s, %v", match[1], err)
		}
	}
	if len(events) < 20 {
		t.Errorf("highlevel.md names only %d events", len(events))
	}
}

// A sentence of more than 30 words is read twice. Code and the text of a link count as
// what they are, and so do the cells of a table.
func TestNoSentenceIsTooLong(t *testing.T) {
	const most = 30
	var (
		code     = regexp.MustCompile("`[^`]*`")
		linked   = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
		tag      = regexp.MustCompile(`(?s)<!--.*?-->|<[^>]*>`)
		apart    = regexp.MustCompile(`\n\s*(?:\n|[-*] |\d+\. |#+ )|\|`) // paragraphs, items, cells
		end      = regexp.MustCompile(`[.!?;]["*)]*\s`)
		hasWord  = regexp.MustCompile(`\w`)
		indented = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	)
	for path, page := range pages(t) {
		if path == "CHANGELOG.md" || strings.Contains(page, " -update") && strings.Contains(page, "<!--") {
			continue // it tells of what was, or is made from the code
		}
		page = linked.ReplaceAllString(code.ReplaceAllString(indented.ReplaceAllString(page, "\n\n"), "code"), "$1")
		for _, part := range apart.Split(tag.ReplaceAllString(page, ""), -1) {
			for _, sentence := range end.Split(part, -1) {
				words := 0
				for _, word := range strings.Fields(sentence) {
					if hasWord.MatchString(word) {
						words++
					}
				}
				if words > most {
					t.Errorf("%s: %d words: %s", path, words, strings.Join(strings.Fields(sentence), " "))
				}
			}
		}
	}
}

func TestTheIndexLeadsToEveryPage(t *testing.T) {
	all := pages(t)
	for path := range all {
		if name, ok := strings.CutPrefix(path, "docs/"); ok && name != "README.md" && !strings.Contains(name, "/") && !strings.Contains(all["docs/README.md"], "]("+name) {
			t.Errorf("docs/README.md does not link to %s", name)
		}
	}
}
