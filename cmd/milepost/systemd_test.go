//go:build unix

package main

import (
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestSystemdIsToldOfTheStartTheLifeAndTheStop(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()
	_ = systemd.SetReadDeadline(time.Now().Add(time.Minute))
	next := func() string {
		b := make([]byte, 200)
		n, err := systemd.Read(b)
		if err != nil {
			t.Fatalf("systemd was told no more: %v", err)
		}
		return strings.TrimSpace(string(b[:n]))
	}
	r := setupCommands(t, "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=300000")
	for _, want := range []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1"} {
		if got := next(); got != want {
			t.Errorf("systemd was told %q, want %q", got, want)
		}
	}
	if err := r.end(syscall.SIGTERM); err != nil {
		t.Errorf("milepost did not stop well: %v", err)
	}
	for got := next(); got != "STOPPING=1"; got = next() {
		if got != "WATCHDOG=1" {
			t.Errorf("systemd was told %q before the stop", got)
		}
	}
	r.start() // for the end of setupCommands
}
