package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"milepost/internal/testenv"
)

var update = flag.Bool("update", false, "write the pages and files that are made from the commands")

const madeBy = "`go test -run Reference ./cmd/milepost -update` makes this file from cmd/milepost and internal/app/config.go."

// TestTheReferenceIsMadeFromTheCommands compares the pages, the man page and the shell
// completions with the commands.
func TestTheReferenceIsMadeFromTheCommands(t *testing.T) {
	parser := newParser(t.Context())
	for path, make := range map[string]func(*kong.Application) string{
		"docs/cli.md": cliPage, "docs/configuration.md": configurationPage, "deploy/man/milepost.1": manPage,
		"deploy/completion/milepost.bash": bashCompletion, "deploy/completion/_milepost": zshCompletion, "deploy/completion/milepost.fish": fishCompletion,
	} {
		file, want := filepath.Join("..", "..", path), make(parser.Model)
		if *update {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("%s is not what the commands say (%v): run `go test -run Reference ./cmd/milepost -update`", path, err)
		}
	}
}

// each visits the commands that help lists, in its order.
func each(n *kong.Node, visit func(*kong.Node)) {
	for _, child := range n.Children {
		if !child.Hidden {
			visit(child)
			each(child, visit)
		}
	}
}

// ownFlags are those of a command without the settings. A group has those of its default
// command too.
func ownFlags(n *kong.Node) (own []*kong.Flag) {
	flags := n.Flags
	if n.DefaultCmd != nil {
		flags = slices.Concat(flags, n.DefaultCmd.Flags)
	}
	for _, f := range flags {
		if !f.Hidden && f.Name != "help" && !isSetting(f) {
			own = append(own, f)
		}
	}
	return own
}

func isSetting(f *kong.Flag) bool { return len(f.Envs) > 0 }

func hasSettings(n *kong.Node) bool {
	return slices.ContainsFunc(n.Flags, isSetting) || n.DefaultCmd != nil && hasSettings(n.DefaultCmd)
}

// settings are those of all commands, in the order of the configuration.
func settings(app *kong.Application) (all []*kong.Flag) {
	seen := map[string]bool{}
	each(app.Node, func(n *kong.Node) {
		for _, f := range n.Flags {
			if isSetting(f) && !f.Hidden && !seen[f.Name] {
				seen[f.Name] = true
				all = append(all, f)
			}
		}
	})
	return all
}

// usage is a command line.
func usage(n *kong.Node) string {
	words := []string{"milepost", n.Path()}
	for _, p := range n.Positional {
		words = append(words, p.Summary())
	}
	switch {
	case n.DefaultCmd != nil:
		words = append(words, "[COMMAND]")
	case len(n.Children) > 0:
		words = append(words, "COMMAND")
	}
	return strings.Join(append(words, "[flags]"), " ")
}

// form is how a flag is written.
func form(f *kong.Flag) string {
	text := "--" + f.Name
	if f.Short != 0 {
		text = "-" + string(f.Short) + ", " + text
	}
	switch {
	case f.IsBool():
		return text
	case f.PlaceHolder != "":
		return text + "=" + f.PlaceHolder
	case f.IsSlice():
		return text + "=" + strings.ToUpper(f.Name) + ",…"
	}
	return text + "=" + cmp.Or(f.Default, strings.ToUpper(f.Name))
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// cliPage is docs/cli.md.
func cliPage(app *kong.Application) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Commands\n\n<!-- %s -->\n\n", madeBy)
	b.WriteString("`milepost help COMMAND` prints the same. A command that reads the [settings](configuration.md) also takes each of them as a flag.\n" +
		"The exit status is 0 if the command is done, 1 if it failed, and 2 if the command line or the environment is wrong.\n")
	each(app.Node, func(n *kong.Node) {
		fmt.Fprintf(&b, "\n%s milepost %s\n\n%s\n\n```\n%s\n```\n", strings.Repeat("#", n.Depth()+2), n.Path(), n.Help, usage(n))
		if n.Detail != "" {
			fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(n.Detail))
		}
		flags := ownFlags(n)
		if len(n.Positional)+len(flags) > 0 {
			b.WriteString("\n| | |\n|---|---|\n")
		}
		for _, p := range n.Positional {
			fmt.Fprintf(&b, "| `%s` | %s |\n", cell(p.Summary()), cell(p.Help))
		}
		for _, f := range flags {
			fmt.Fprintf(&b, "| `%s` | %s |\n", cell(form(f)), cell(f.Help))
		}
		if hasSettings(n) {
			b.WriteString("\nIt reads the [settings](configuration.md).\n")
		}
	})
	return b.String()
}

// configurationPage is docs/configuration.md.
func configurationPage(app *kong.Application) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Settings\n\n<!-- %s -->\n\n", madeBy)
	b.WriteString("Set them in the environment, or as flags of a command. A flag goes before the environment. `milepost serve` starts with none of them.\n\n" +
		"You can put a secret into a file and give its path as `NAME_FILE`. Do not pass secrets as flags: the list of processes shows them.\n" +
		"Milepost rejects a variable that begins with `MILEPOST_` and that it does not know, and names the nearest one that it knows. An empty variable counts as not set.\n\n" +
		"| variable | flag | default | meaning |\n|---|---|---|---|\n")
	for _, f := range settings(app) {
		names, fallback := make([]string, len(f.Envs)), ""
		for i, name := range f.Envs {
			names[i] = "`" + name + "`"
			if f.Tag.Has("secret") {
				names[i] += ", `" + name + "_FILE`"
			}
		}
		if f.Default != "" {
			fallback = "`" + f.Default + "`"
		}
		fmt.Fprintf(&b, "| %s | `--%s` | %s | %s |\n", strings.Join(names, ", "), f.Name, fallback, cell(f.Help))
	}
	return b.String()
}

// roff keeps a text from being read as requests of roff.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...").Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

// manPage is milepost(1).
func manPage(app *kong.Application) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	entry := func(head, text string) { line(".TP\n\\fB%s\\fR\n%s", roff(head), roff(text)) }
	line(`.\" %s`, strings.ReplaceAll(madeBy, "`", ""))
	line(".TH MILEPOST 1 \"\" \"Milepost\" \"User Commands\"\n.SH NAME\nmilepost \\- keeps CalendarHero in step with HighLevel contacts")
	line(".SH SYNOPSIS\n.B milepost\n.I COMMAND\n[flags]")
	line(".SH DESCRIPTION\nMilepost receives the webhooks of HighLevel, stores them, and keeps CalendarHero in step with HighLevel's contacts, milestones, tasks and notes.\n" +
		"What happens in CalendarHero flows back.\n.PP\n\\fBmilepost serve\\fR is the server. The other commands show and change what it does.\n\\fBmilepost sandbox\\fR shows Milepost at work, and needs no accounts.")
	line(".SH COMMANDS")
	each(app.Node, func(n *kong.Node) {
		line(".SS %s\n%s", roff(usage(n)), roff(n.Help))
		for _, paragraph := range strings.Split(strings.TrimSpace(n.Detail), "\n\n") {
			if paragraph != "" {
				line(".PP\n.nf\n%s\n.fi", roff(paragraph))
			}
		}
		for _, p := range n.Positional {
			entry(p.Summary(), p.Help)
		}
		for _, f := range ownFlags(n) {
			entry(form(f), f.Help)
		}
	})
	line(".SH ENVIRONMENT\nEach setting can be set in the environment or as a flag. A secret can be in a file, whose path the variable with _FILE at its end names.")
	for _, f := range settings(app) {
		text := f.Help
		if f.Default != "" {
			text += " Default: " + f.Default + "."
		}
		entry(strings.Join(f.Envs, ", ")+", --"+f.Name, text)
	}
	line(".SH EXIT STATUS")
	entry("0", "The command is done.")
	entry("1", "The command failed.")
	entry("2", "The command line or the environment is wrong, and nothing was done.")
	line(".SH FILES")
	entry("/etc/milepost/milepost.env", "The settings of the service, if Milepost was installed from the Debian package.")
	entry("/var/lib/milepost", "Its data directory.")
	line(".SH SEE ALSO\n/usr/share/doc/milepost/docs")
	return b.String()
}

// level is what can follow a command.
type level struct {
	path     string // such as " automations list"; "" at the top
	commands []*kong.Node
	flags    []*kong.Flag
}

// levels are the top and all commands.
func levels(app *kong.Application) []level {
	visible := func(n *kong.Node) []*kong.Node {
		return slices.DeleteFunc(slices.Clone(n.Children), func(c *kong.Node) bool { return c.Hidden })
	}
	all := []level{{commands: visible(app.Node)}}
	each(app.Node, func(n *kong.Node) {
		flags := ownFlags(n)
		if n.Name == "serve" { // the others take them too, but from the environment as a rule
			flags = append(flags, settings(app)...)
		}
		all = append(all, level{" " + n.Path(), visible(n), flags})
	})
	return all
}

// paths is an alternative of all commands, for case.
func paths(all []level) string {
	var list []string
	for _, l := range all[1:] {
		list = append(list, `"`+l.path+`"`)
	}
	return strings.Join(list, "|")
}

// enums are the values of the flags that have few.
func enums(all []level) (names []string, values map[string][]string) {
	values = map[string][]string{}
	for _, l := range all {
		for _, f := range l.flags {
			for _, v := range f.EnumSlice() {
				if v != "" && !slices.Contains(values[f.Name], v) {
					values[f.Name] = append(values[f.Name], v)
				}
			}
		}
	}
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, values
}

func bashCompletion(app *kong.Application) string {
	all := levels(app)
	var b strings.Builder
	fmt.Fprintf(&b, "# bash completion of milepost. %s\n\n", madeBy)
	fmt.Fprintf(&b, `_milepost() {
	local at= word words=
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case "$at $word" in
		%s) at="$at $word" ;;
		esac
	done
	case "$at" in
`, paths(all))
	for _, l := range all {
		words := []string{}
		for _, c := range l.commands {
			words = append(words, c.Name)
		}
		for _, f := range l.flags {
			words = append(words, "--"+f.Name)
		}
		fmt.Fprintf(&b, "	%q) words=%q ;;\n", l.path, strings.Join(append(words, "--help"), " "))
	}
	b.WriteString("	esac\n	case \"${COMP_WORDS[COMP_CWORD-1]}\" in\n")
	names, values := enums(all)
	for _, name := range names {
		fmt.Fprintf(&b, "	--%s) words=%q ;;\n", name, strings.Join(values[name], " "))
	}
	b.WriteString(`	esac
	COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _milepost milepost
`)
	return b.String()
}

// quote is a text in single quotes of a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func zshCompletion(app *kong.Application) string {
	all := levels(app)
	var b strings.Builder
	fmt.Fprintf(&b, "#compdef milepost\n# %s\n\n", madeBy)
	fmt.Fprintf(&b, `_milepost() {
	local at= word
	local -a commands flags values
	for word in "${(@)words[2,CURRENT-1]}"; do
		case "$at $word" in
		%s) at="$at $word" ;;
		esac
	done
	case "${words[CURRENT-1]}" in
`, paths(all))
	names, values := enums(all)
	for _, name := range names {
		fmt.Fprintf(&b, "	--%s) values=(%s); _describe value values; return ;;\n", name, strings.Join(values[name], " "))
	}
	b.WriteString("	esac\n	case \"$at\" in\n")
	described := func(name, help string) string {
		return quote(strings.ReplaceAll(name, ":", `\:`) + ":" + strings.ReplaceAll(help, "\n", " "))
	}
	for _, l := range all {
		fmt.Fprintf(&b, "	%q)\n", l.path)
		if len(l.commands) > 0 {
			b.WriteString("		commands=(\n")
			for _, c := range l.commands {
				fmt.Fprintf(&b, "			%s\n", described(c.Name, c.Help))
			}
			b.WriteString("		)\n")
		}
		b.WriteString("		flags=(\n")
		for _, f := range l.flags {
			fmt.Fprintf(&b, "			%s\n", described("--"+f.Name, f.Help))
		}
		b.WriteString("			'--help:Show what the command does, and its flags.'\n		)\n		;;\n")
	}
	b.WriteString(`	esac
	if [[ $PREFIX == -* ]]; then
		_describe -o flag flags
	elif (( $#commands )); then
		_describe command commands
	else
		_files
	fi
}

_milepost "$@"
`)
	return b.String()
}

func fishCompletion(app *kong.Application) string {
	all := levels(app)
	var b strings.Builder
	fmt.Fprintf(&b, "# fish completion of milepost. %s\n\n", madeBy)
	fmt.Fprintf(&b, `function __milepost_at
    set -l at ""
    for word in (commandline -opc)[2..]
        if contains -- "$at $word" %s
            set at "$at $word"
        end
    end
    test "$at" = "$argv[1]"
end

`, strings.ReplaceAll(paths(all), "|", " "))
	for _, l := range all {
		at := quote("__milepost_at " + `"` + l.path + `"`)
		for _, c := range l.commands {
			fmt.Fprintf(&b, "complete -c milepost -f -n %s -a %s -d %s\n", at, c.Name, quote(c.Help))
		}
		for _, f := range l.flags {
			fmt.Fprintf(&b, "complete -c milepost -n %s -l %s", at, f.Name)
			switch values := f.EnumSlice(); {
			case len(values) > 0 && values[0] != "" || len(values) > 1:
				fmt.Fprintf(&b, " -x -a %s", quote(strings.TrimSpace(strings.Join(values, " "))))
			case !f.IsBool():
				b.WriteString(" -r")
			}
			fmt.Fprintf(&b, " -d %s\n", quote(strings.ReplaceAll(f.Help, "\n", " ")))
		}
	}
	b.WriteString("complete -c milepost -l help -d 'Show what the command does, and its flags.'\n")
	return b.String()
}

// shell runs a script, or skips the test if the shell is missing; in CI it fails it.
func shell(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), testenv.Program(t, name), args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func TestTheShellsComplete(t *testing.T) {
	t.Parallel()
	const folder = "../../deploy/completion/"
	complete := map[string]func(t *testing.T, words ...string) string{
		"bash": func(t *testing.T, words ...string) string {
			script := `source ` + folder + `milepost.bash; COMP_WORDS=(milepost "$@"); COMP_CWORD=$#; _milepost; printf '%s\n' "${COMPREPLY[@]}"`
			return shell(t, "bash", append([]string{"--norc", "-c", script, "bash"}, words...)...)
		},
		"zsh": func(t *testing.T, words ...string) string {
			script := `_describe() { print -rl -- "${(@)${(P)@[-1]}%%:*}" }; _files() { }; words=(milepost "$@"); CURRENT=$#words; PREFIX=$words[-1]; source ` + folder + `_milepost`
			return shell(t, "zsh", append([]string{"-f", "-c", script, "zsh"}, words...)...)
		},
		"fish": func(t *testing.T, words ...string) string {
			return shell(t, "fish", "--no-config", "-c", `source `+folder+`milepost.fish; complete -C "milepost `+strings.Join(words, " ")+`" | string split -f1 \t`)
		},
	}
	for name, complete := range complete {
		t.Run(name, func(t *testing.T) {
			for _, c := range []struct {
				words []string
				want  string
			}{
				{[]string{"ser"}, "serve"},
				{[]string{"automations", "imp"}, "import"},
				{[]string{"automations", "test", "--js"}, "--json"},
				{[]string{"serve", "--log-level", ""}, "debug"},
				{[]string{"serve", "--public"}, "--public-url"},
			} {
				got := strings.Fields(complete(t, c.words...))
				if !slices.Contains(got, c.want) || len(c.words) > 1 && slices.Contains(got, "sandbox") {
					t.Errorf("after %q it offers %q, not %s", c.words, got, c.want)
				}
			}
		})
	}
}

func TestManReadsTheManPage(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	out := shell(t, "man", "--warnings", "-l", "-P", "cat", "../../deploy/man/milepost.1")
	if strings.Contains(out, "warning") || !strings.Contains(out, "MILEPOST_DATA_DIR") {
		t.Errorf("man prints:\n%.2000s", out)
	}
}
