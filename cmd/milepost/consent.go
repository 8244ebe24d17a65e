package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// consent is how a command that ends or removes something lets a person decide:
// it first prints what would happen, and on a terminal it asks.
type consent struct {
	DryRun bool `help:"Show what would happen and who would get mail, and change nothing." xor:"consent"`
	Yes    bool `short:"y" help:"Do not ask for confirmation." xor:"consent"`
}

// errNotConfirmed means that a person said no.
var errNotConfirmed = errors.New("not confirmed; nothing was changed")

// ask prints what would happen, a line each, and reports whether to do it. A script,
// whose input is no terminal, is not asked.
func (c consent) ask(out io.Writer, would ...string) (goOn bool, err error) {
	if !c.DryRun && !(isTerminal(os.Stdin) && !c.Yes) {
		return true, nil
	}
	for _, line := range would {
		fmt.Fprintln(out, line)
	}
	if c.DryRun {
		fmt.Fprintln(out, "Nothing was changed.")
		return false, nil
	}
	fmt.Fprint(out, "Continue? [y/N] ")
	return c.answer(os.Stdin)
}

// answer reads a person's answer: only yes is yes.
func (consent) answer(in io.Reader) (bool, error) {
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true, nil
	}
	return false, errNotConfirmed
}
