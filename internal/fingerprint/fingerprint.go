// Package fingerprint reduces values to short digests, by which Milepost knows
// whether something changed.
//
// It guarantees that equal values have equal fingerprints, in every release: they
// are stored. It does not know what the values mean.
package fingerprint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"milepost/mapping"
)

// Of is the fingerprint of a value.
func Of(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("fingerprint of %T: %v", v, err)) // only plain data is ever passed
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}

// textMark begins the fingerprints of texts that the current rules made. The
// fingerprints of the first rules have no mark.
var textMark = fmt.Sprintf("t%d:", mapping.TextVersion)

// OfText is the fingerprint of texts, with the version of the rules that made
// them. A release that reads the same record differently must not take that for a
// change of the record: it would replace every open request, and mail people.
func OfText(v any) string { return textMark + Of(v) }

// IsCurrent reports whether a fingerprint of texts is of the current rules.
func IsCurrent(text string) bool { return strings.HasPrefix(text, textMark) }
