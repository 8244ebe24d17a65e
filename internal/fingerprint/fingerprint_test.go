package fingerprint

import "testing"

func TestFingerprintsAreStored(t *testing.T) {
	// A release that computes another value replaces every open request, and mails people.
	if got, want := Of(map[string]int{"b": 2, "a": 1}), "43258cff783fe7036d8a4303"; got != want {
		t.Errorf("the fingerprint is %s, not %s", got, want)
	}
	if got := OfText("a"); !IsCurrent(got) || IsCurrent(Of("a")) {
		t.Errorf("the fingerprint %s of a text does not show the version of its rules", got)
	}
}
