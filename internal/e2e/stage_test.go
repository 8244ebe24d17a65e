package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"milepost/internal/app"
	"milepost/internal/sandbox"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

// stageToken signs in to the console on a stage that is connected.
const stageToken = "admin-token-of-the-test"

// stage is a running Milepost between the fakes of the sandbox, and a browser that plays
// on its console.
type stage struct {
	*app.App
	t             *testing.T
	world         *sandbox.World
	data          string          // the data directory
	log           strings.Builder // of Milepost
	limit         context.Context // of all that the test waits for
	chromium, dir string          // the browser, and the folder of its scripts
}

// newStage starts it. It knows the addresses of the fakes alone; more sets the rest.
func newStage(t *testing.T, more func(*sandbox.World, *app.Config)) *stage {
	t.Helper()
	testenv.Long(t)
	t.Parallel()
	s := &stage{t: t, chromium: testenv.Browser(t), dir: testenv.NodePackage(t, "../sandbox/testdata/axe"), data: testdb.DataDir(t)}
	var err error
	if s.world, err = sandbox.Start(t.Context(), sandbox.WorldConfig{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.world.Close)
	cfg := app.Config{
		Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", DataDir: s.data, LockDir: t.TempDir(), CalendarHeroAuth: "raw",
		HighLevelBaseURL: s.world.HighLevelURL, HighLevelWebhookKeys: s.world.HighLevel.PublicKeyPEM(), CalendarHeroBaseURL: s.world.CalendarHeroURL,
	}
	more(s.world, &cfg)
	if s.App, err = app.New(t.Context(), cfg, zerolog.New(zerolog.SyncWriter(&s.log))); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if err := s.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	var cancel context.CancelFunc
	s.limit, cancel = context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	return s
}

// connected connects the location of the fakes, and lets people sign in by stageToken.
func connected(world *sandbox.World, cfg *app.Config) {
	cfg.AdminToken, cfg.HighLevelToken, cfg.HighLevelLocationID, cfg.CalendarHeroToken = stageToken, world.HighLevelToken, world.Location.ID, world.CalendarHeroToken
}

// play has the browser play a script of testdata, and returns what it said.
func (s *stage) play(script string, env []string, args ...string) (string, error) {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", script))
	path := filepath.Join(s.dir, script)
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.CommandContext(s.limit, "node", append([]string{path, s.chromium}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = 10 * time.Second
	said, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(said)), err
}

// screenshots is the folder for screenshots, which exists, or "-" for none.
func screenshots() string {
	if folder := os.Getenv("MILEPOST_TEST_SCREENSHOTS"); folder != "" {
		return folder
	}
	return "-"
}
