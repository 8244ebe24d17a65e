//go:build unix

package app

import (
	"fmt"
	"os"
	"syscall"
)

// place tells the lock file of a data directory from that of a copy of it: it is made
// once, and a restart or another container on the same volume finds the same one.
func place(info os.FileInfo) string {
	at := info.ModTime().UnixNano()
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("%d-%d", at, s.Ino)
	}
	return fmt.Sprint(at)
}
