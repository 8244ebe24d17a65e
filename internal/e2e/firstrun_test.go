package e2e_test

import (
	"strings"
	"testing"
	"time"

	"milepost/internal/app"
	"milepost/internal/sandbox"
)

// From an empty data directory to a synced contact, and then to a connection by OAuth,
// by keyboard in a real browser. Nothing but the addresses of the fakes is set.
func TestTheFirstStepsInABrowser(t *testing.T) {
	s := newStage(t, func(world *sandbox.World, cfg *app.Config) {
		cfg.HighLevelAuthorizeURL = world.HighLevelURL + "/v2/oauth/chooselocation"
	})
	link, err := s.FirstRunLink(t.Context())
	if err != nil || link == "" {
		t.Fatalf("no link to begin with: %q, %v", link, err)
	}
	start := time.Now()
	said, err := s.play("firstrun.mjs", []string{
		"HL_TOKEN=" + s.world.HighLevelToken, "CH_TOKEN=" + s.world.CalendarHeroToken, "LOCATION=" + s.world.Location.ID,
		"CLIENT_ID=" + s.world.App.ClientID, "CLIENT_SECRET=" + s.world.App.ClientSecret, "PUBLIC_URL=" + s.PublicURL(),
	}, link, screenshots())
	if err != nil || said != "walked" {
		t.Errorf("the walk found faults (%v):\n%s\nthe log: %s", err, said, &s.log)
	}
	t.Logf("walked in %s", time.Since(start).Round(time.Second))
	for _, secret := range []string{s.world.HighLevelToken, s.world.CalendarHeroToken, s.world.App.ClientSecret} {
		if strings.Contains(s.log.String(), secret) {
			t.Error("the log holds a secret")
		}
	}
}
