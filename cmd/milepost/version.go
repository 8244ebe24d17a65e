package main

import (
	"fmt"
	"io"
	"os"

	"milepost/internal/licences"
	"milepost/internal/version"
)

type versionCmd struct {
	asJSON
	Licences bool `help:"Print the licences of the code that Milepost contains."`
}

// Run prints the version, or the licences.
func (c versionCmd) Run() error {
	info := version.Get()
	switch {
	case c.Licences && c.JSON:
		return usageError("--json does not go with --licences, which prints a text")
	case c.Licences:
		text, err := licences.Text()
		if err != nil {
			return err
		}
		_, err = io.WriteString(os.Stdout, text)
		return err
	case c.JSON:
		return printJSON(os.Stdout, info)
	}
	_, err := fmt.Println("milepost", info.Version)
	return err
}
