// Package licences holds the licences of the code that is in Milepost's binaries.
package licences

//go:generate go test -run UpToDate -update .

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
)

//go:embed licences.txt.gz
var packed []byte

// Text returns the licences with the modules that each is of.
func Text() (string, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return "", fmt.Errorf("unpack the licences: %w", err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return "", fmt.Errorf("unpack the licences: %w", err)
	}
	return string(text), nil
}
