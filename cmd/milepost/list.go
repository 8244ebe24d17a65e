package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

// asJSON is the flag of every command that lists something.
type asJSON struct {
	JSON bool `name:"json" help:"Print JSON for programs instead of a table for people."`
}

// prose is where a command tells people something beside its output: out, unless programs
// read that.
func (a asJSON) prose(out io.Writer) io.Writer {
	if a.JSON {
		return os.Stderr
	}
	return out
}

// printJSON writes v indented. A nil slice is an empty array.
func printJSON(out io.Writer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// column is one column of a table: its heading, and the cell of a row.
type column[T any] struct {
	heading string
	cell    func(T) string
}

// printList writes rows as a table, or as a JSON array of them.
func printList[T any](out io.Writer, as asJSON, rows []T, columns ...column[T]) error {
	if as.JSON {
		if rows == nil {
			rows = []T{}
		}
		return printJSON(out, rows)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(cell func(column[T]) string) {
		cells := make([]string, len(columns))
		for i, c := range columns {
			cells[i] = cell(c)
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	line(func(c column[T]) string { return c.heading })
	for _, row := range rows {
		line(func(c column[T]) string { return c.cell(row) })
	}
	return table.Flush()
}

// moment is a time in JSON; null if there is none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	utc := t.UTC()
	return &utc
}
