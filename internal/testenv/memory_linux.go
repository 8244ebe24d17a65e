package testenv

import (
	"os"
	"os/exec"
	"syscall"
)

// inMemory has the temporary folders of this process be in memory, if there is room:
// Milepost syncs every commit to the disk, and tests would mostly wait for that.
func inMemory() {
	const memory, room = "/dev/shm", 2 << 30
	var fs syscall.Statfs_t
	if os.Getenv("TMPDIR") != "" || syscall.Statfs(memory, &fs) != nil || int64(fs.Bavail)*fs.Bsize < room {
		return
	}
	dir, err := os.MkdirTemp(memory, "milepost-test-")
	if err != nil {
		return
	}
	// The shell's input ends when this process does, however it ends; then the folder
	// goes, as soon as a PostgreSQL in it has stopped.
	cleaner := exec.Command("sh", "-c", `cat >/dev/null; for try in 1 2 3 4 5; do rm -rf "$0" 2>/dev/null && break; sleep 1; done`, dir)
	cleaner.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt is not for it
	if _, err := cleaner.StdinPipe(); err != nil || cleaner.Start() != nil {
		_ = os.Remove(dir)
		return
	}
	go func() { _ = cleaner.Wait() }() // holds the input open
	_ = os.Chmod(dir, 0o711)           // PostgreSQL is another user
	_ = os.Setenv("TMPDIR", dir)
}
