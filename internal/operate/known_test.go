package operate_test

import (
	"testing"

	"milepost/internal/store"
	"milepost/internal/testenv"
)

func TestAMistypedLocationIsSaidWithTheNearest(t *testing.T) {
	r := setup(t)
	r.must(r.Store.SaveConnection(t.Context(), store.Connection{LocationID: "ve9EPM428h8vShlRW1KT", Source: "token", State: store.ConnectionRemoved}, r.now))
	for id, want := range map[string]string{
		"loc": "", "ve9EPM428h8vShlRW1KT": "", "own": "",
		"ve9EPM428h8vShlRW1K": "location ve9EPM428h8vShlRW1K is not connected; did you mean ve9EPM428h8vShlRW1KT?",
		"nowhere":             "location nowhere is not connected; these are: loc, ve9EPM428h8vShlRW1KT",
	} {
		got := ""
		if err := r.KnowsLocation(t.Context(), id, "own"); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("of %s: %q, want %q", id, got, want)
		}
	}
}

func TestAContactIsKnownOnceAWebhookTellsOfIt(t *testing.T) {
	testenv.Long(t)
	r := setup(t)
	r.ends("jane", store.Done, store.Cause{})
	for id, want := range map[string]bool{"jane": true, "nobody": false} {
		if known, err := r.KnowsContact(t.Context(), "loc", id); err != nil || known != want {
			t.Errorf("%s: %v, %v; want %v", id, known, err, want)
		}
	}
}
