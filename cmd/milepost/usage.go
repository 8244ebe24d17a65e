package main

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"milepost/mapping"
)

// The parser's messages are for programmers. This file says the same to operators, with the
// command or flag that was meant.

var (
	unexpectedArgument = regexp.MustCompile(`^unexpected argument ([^,\s]+)`)
	missingArgument    = regexp.MustCompile(`^expected "<([^">]+)>`)
	missingCommand     = regexp.MustCompile(`^expected one of (".*")`)
	missingFlags       = regexp.MustCompile(`^missing flags: (.+)`)
	missingValue       = regexp.MustCompile(`^(--[\w-]+): expected .* but got "EOL"`)
	notANumber         = regexp.MustCompile(`^\[?(--[\w-]+|<[\w-]+>)[^:]*: expected a valid \d+ bit u?int but got (".*?")`)
	dashValue          = regexp.MustCompile(`^(--[\w-]+): expected .*perhaps try (--[\w-]+="?[^"?]+"?)\?`)
	notADuration       = regexp.MustCompile(`^(--[\w-]+): expected duration but got (".*?")`)
	notYesOrNo         = regexp.MustCompile(`^(--[\w-]+): bool value must be true, 1, yes, false, 0 or no but got (".*?")`)
	fromEnvironment    = regexp.MustCompile(`\(from envar (\w+)=.*\)$`)
)

// wrongUsage says what is wrong with a command line, and where its flags are listed.
func wrongUsage(parser *kong.Kong, args []string, err error) []string {
	at := parser.Model.Node
	if parse, ok := errors.AsType[*kong.ParseError](err); ok && parse.Context != nil && parse.Context.Selected() != nil {
		at = parse.Context.Selected()
	}
	message := err.Error()
	if strings.TrimSpace(message) == "unexpected argument" {
		return []string{"an argument is empty; perhaps a variable of the shell is not set", listed(at)}
	}
	if m := unexpectedArgument.FindStringSubmatch(message); m != nil {
		if group, next := groupOf(parser.Model.Node, args); next == m[1] && len(group.Children) > 0 {
			return []string{unknownCommand(parser.Model.Node, group, m[1]), listed(group)}
		}
		return []string{unexpected(at, m[1]), listed(at)}
	}
	return []string{said(message), listed(at)}
}

// listed says which command lists what is there.
func listed(at *kong.Node) string {
	switch {
	case at.Type == kong.ApplicationNode:
		return "`milepost help` lists the commands"
	case len(at.Children) > 0:
		return fmt.Sprintf("`milepost %s --help` lists its commands", at.Path())
	}
	return fmt.Sprintf("`milepost %s --help` lists its flags", at.Path())
}

// said puts a message of the parser in other words.
func said(message string) string {
	from := ""
	if m := fromEnvironment.FindStringSubmatch(message); m != nil {
		from = " (from " + m[1] + ")"
	}
	if m := missingArgument.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("the argument <%s> is missing", m[1])
	} else if m := missingCommand.FindStringSubmatch(message); m != nil {
		return "a command is missing: one of " + strings.ReplaceAll(m[1], `"`, "")
	} else if m := missingFlags.FindStringSubmatch(message); m != nil {
		return m[1] + " is missing"
	} else if m := missingValue.FindStringSubmatch(message); m != nil {
		return m[1] + " needs a value behind it"
	} else if m := notANumber.FindStringSubmatch(message); m != nil && m[1] == "<number>" {
		return fmt.Sprintf("the number of a webhook is a whole number as `milepost deliveries` lists them, not %s", m[2])
	} else if m != nil {
		return fmt.Sprintf("%s is a whole number, not %s%s", m[1], m[2], from)
	} else if m := dashValue.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("a value that begins with - is written as %s", strings.ReplaceAll(m[2], `"`, ""))
	} else if m := notADuration.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("%s is a length of time such as 15m or 1h30m, not %s%s", m[1], m[2], from)
	} else if m := notYesOrNo.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("%s is true or false, not %s%s", m[1], m[2], from)
	}
	return fromEnvironment.ReplaceAllString(message, strings.TrimSpace(from))
}

// groupOf returns the command that the arguments name, and the argument behind it.
func groupOf(at *kong.Node, args []string) (group *kong.Node, next string) {
	for _, arg := range args {
		i := slices.IndexFunc(at.Children, func(n *kong.Node) bool { return n.Name == arg })
		if i < 0 {
			return at, arg
		}
		at = at.Children[i]
	}
	return at, ""
}

// unknownCommand says which command was probably meant, or which there are.
func unknownCommand(all, group *kong.Node, name string) string {
	where, names := "milepost", []string{}
	for _, n := range group.Children {
		names = append(names, n.Name)
	}
	if group.Type != kong.ApplicationNode {
		where += " " + group.Path()
	}
	said := fmt.Sprintf("unknown command %q", name)
	if near := mapping.Nearest(name, names); near != "" {
		return fmt.Sprintf("%s; did you mean `%s %s`?", said, where, near)
	}
	var paths []string
	for _, leaf := range all.Leaves(true) {
		if leaf.Name == name {
			paths = append(paths, "`milepost "+leaf.Path()+"`")
		}
	}
	switch {
	case len(paths) > 0 && len(paths) <= 3:
		return fmt.Sprintf("%s; did you mean %s?", said, strings.Join(paths, " or "))
	case group.Type != kong.ApplicationNode:
		return fmt.Sprintf("%s; `%s` has %s", said, where, strings.Join(names, ", "))
	}
	return said
}

// unexpected says what to do with an argument that a command does not take.
func unexpected(at *kong.Node, argument string) string {
	message := fmt.Sprintf("`milepost %s` does not take the argument %q", at.Path(), argument)
	for _, flag := range at.Flags {
		switch {
		case flag.Name == "automations" && (strings.HasSuffix(argument, ".yaml") || strings.HasSuffix(argument, ".yml")):
			return fmt.Sprintf("%s; did you mean --automations %s?", message, argument)
		case flag.Required && flag.Group == nil:
			return fmt.Sprintf("%s; did you mean --%s %s?", message, flag.Name, argument)
		}
	}
	return message
}

// emptyArgument names an argument or flag of the command line that is an empty text; "" if
// there is none. An empty setting counts as not set, as it does in the environment.
func emptyArgument(command *kong.Context) string {
	for _, part := range command.Path {
		switch at, flag := part.Positional, part.Flag; {
		case at != nil && at.Target.Kind() == reflect.String && at.Target.String() == "":
			return "the argument <" + at.Name + ">"
		case flag != nil && !part.Resolved && len(flag.Envs) == 0 && flag.Target.Kind() == reflect.String && flag.Target.String() == "":
			return "--" + flag.Name
		}
	}
	return ""
}
