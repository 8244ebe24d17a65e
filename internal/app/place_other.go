//go:build !unix

package app

import (
	"fmt"
	"os"
)

// place tells the lock file of a data directory from that of most copies of it.
func place(info os.FileInfo) string { return fmt.Sprint(info.ModTime().UnixNano()) }
