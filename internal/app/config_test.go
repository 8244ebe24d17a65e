package app_test

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"milepost/internal/app"
)

func TestAMisspeltSettingNamesTheOneThatWasMeant(t *testing.T) {
	parser, err := kong.New(&app.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for wrong, meant := range map[string]string{
		"MILEPOST_TOKN":             "MILEPOST_HIGHLEVEL_TOKEN?",
		"MILEPOST_CALENDARHERO_TOK": "MILEPOST_CALENDARHERO_TOKEN?",
		"MILEPOST_HIGHLEVELTOKEN":   "MILEPOST_HIGHLEVEL_TOKEN?",
		"MILEPOST_LISTN":            "MILEPOST_LISTEN?",
		"MILEPOST_LOCATION_ID":      "MILEPOST_HIGHLEVEL_LOCATION_ID?",
	} {
		_, err := app.CheckEnvironment(parser.Model, []string{wrong + "=x"})
		if err == nil || !strings.HasSuffix(err.Error(), "did you mean "+meant) {
			t.Errorf("%s: %v, want %s", wrong, err, meant)
		}
	}
}
