//go:build unix

package main

import (
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"

	chfake "milepost/internal/sandbox/calendarhero"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

func TestASecondMilepostSaysSoAndExits(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	const location, app = "crashLocation00000001", "6878cec452e7c8d29d4dd3d9"
	hl := hlfake.New(hlfake.Config{AppID: app, Token: "pit-crash", LocationIDs: []string{location}})
	defer hl.Close()
	hl.SeedLocation(hlfake.Location{ID: location, Name: "Here", TimeZone: "UTC"}, nil, nil)
	ch := chfake.New(chfake.Config{Token: "ch-crash"})
	defer ch.Close()
	hlServer, chServer := httptest.NewServer(hl), httptest.NewServer(ch)
	defer hlServer.Close()
	defer chServer.Close()
	p := &process{t: t, addr: freeAddress(t)}
	p.between(hl, hlServer.URL, chServer.URL, testdb.DataDir(t), location, app)
	p.start()
	second := slices.DeleteFunc(slices.Clone(p.env), func(kv string) bool { return strings.HasPrefix(kv, "MILEPOST_DATA_DIR=") })
	out, status := milepost(t, append(second, "MILEPOST_LISTEN=127.0.0.1:0"), "serve")
	if status != 1 || !strings.Contains(out, "another Milepost works location "+location) || !strings.Contains(out, "--take-over") {
		t.Errorf("a second Milepost exits with %d and says:\n%s", status, out)
	}
	_ = p.end(syscall.SIGKILL) // its error is that it was killed
	p.start()                  // goes on at once
	if err := p.end(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}
