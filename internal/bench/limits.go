package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"milepost/mapping"
)

// backfilled is how many contacts the backfill of limits finds.
const backfilled = 10_000

// limits measures on SQLite what docs/limits.md says of a large Milepost.
func (b *bench) limits(stored int) error {
	fmt.Printf("\nlimits, on %d processors (%s/%s)\n", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	if err := largestFile(); err != nil {
		return err
	}
	if err := b.large(stored); err != nil {
		return err
	}
	return b.backfill()
}

// largestFile times the load of a file with as many automations as it may have.
func largestFile() error {
	const most = 5000
	var file strings.Builder
	for i := range most {
		fmt.Fprintf(&file, "- name: Automation %d\n  on: contact.changed\n  if: contact.city == \"City %d\"\n  do:\n"+
			"    - event: { title: \"{{ contact.name }}\", start: \"{{ contact.day }}\", reminders: [1d, 1h] }\n", i, i)
	}
	start, before := time.Now(), memoryInUse()
	set, err := mapping.Load("file", []byte(file.String()))
	if err != nil {
		return err
	}
	took := time.Since(start)
	after := memoryInUse()
	start = time.Now()
	set.Plan(mapping.KindContact, mapping.Facts{Contact: mapping.Contact{ID: "c", Fields: map[string]any{"city": "City 5", "name": "A"}}})
	fmt.Printf("  file of %d automations, %d KiB: loaded in %s, %d MiB; a plan of one contact %s\n",
		most, file.Len()>>10, took.Round(time.Millisecond), (after-before)>>20, tenths(time.Since(start)))
	return nil
}

func memoryInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// large measures a Milepost with that many webhooks, deliveries and entities.
func (b *bench) large(stored int) error {
	full, err := b.storage("sqlite-limits")
	if err != nil {
		return err
	}
	defer full.drop()
	if err := full.seed(stored); err != nil {
		return err
	}
	rig, err := b.start(full) // as after a restore
	if err != nil {
		return err
	}
	restored := rig.ready
	rig.stop()
	if rig, err = b.start(full); err != nil {
		return err
	}
	defer rig.stop()
	fmt.Printf("  %d stored deliveries: ready after %s (%s after a restore), %d MiB resident\n", stored, tenths(rig.ready), tenths(restored), rig.milepost.memory("VmRSS"))
	for _, file := range []string{"milepost.db", "inbox.db"} {
		if info, err := os.Stat(filepath.Join(full.dir, file)); err == nil {
			fmt.Printf("    %s: %d MiB\n", file, info.Size()>>20)
		}
	}
	for _, page := range []struct{ name, query string }{
		{"the newest 50 deliveries", "?limit=50"},
		{"50 failed ones, of which there are none", "?limit=50&outcome=failed"},
		{"those of one contact", "?limit=50&contact=" + seededID(stored/2)},
	} {
		took, err := rig.page("/api/v1/deliveries" + page.query)
		if err != nil {
			return err
		}
		fmt.Printf("    %s: %s\n", page.name, tenths(took))
	}
	fmt.Printf("    after that %d MiB resident\n", rig.milepost.memory("VmRSS"))
	return nil
}

// page returns the median time of an answer of the admin listener.
func (r *rig) page(path string) (time.Duration, error) {
	var took []time.Duration
	for range 9 {
		req, err := http.NewRequest(http.MethodGet, "http://"+r.admin+path, nil)
		if err != nil {
			return 0, err
		}
		req.Header.Set("Authorization", "Bearer "+adminToken)
		start := time.Now()
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err
		}
		body, err := io.ReadAll(res.Body)
		if err = errors.Join(err, res.Body.Close()); err != nil {
			return 0, err
		}
		if res.StatusCode != http.StatusOK {
			return 0, fmt.Errorf("%s answers %s: %s", path, res.Status, body)
		}
		took = append(took, time.Since(start))
	}
	return median(took), nil
}

// backfill times a backfill until all contacts are synced. The fake of HighLevel has no
// rate limit here, so that this is Milepost's own pace.
func (b *bench) backfill() error {
	on, err := b.storage("sqlite-backfill")
	if err != nil {
		return err
	}
	defer on.drop()
	many := *b
	many.contacts = backfilled
	rig, err := many.start(on)
	if err != nil {
		return err
	}
	defer rig.stop()
	before := sumOf(rig.hl.Calls())
	command := exec.Command(filepath.Join(b.dir, "milepost"), "backfill", "--since", "all", "--wait")
	command.Env, command.Stderr = rig.milepost.cmd.Env, os.Stderr
	start := time.Now()
	if err := command.Run(); err != nil {
		return fmt.Errorf("milepost backfill: %w", err)
	}
	took := time.Since(start)
	calls := sumOf(rig.hl.Calls()) - before
	fmt.Printf("  backfill of %d contacts: %s, %d calls to HighLevel, %d MiB peak; at HighLevel's limit of 100 calls in 10 s: %s\n",
		backfilled, took.Round(100*time.Millisecond), calls, rig.milepost.memory("VmHWM"), (time.Duration(calls) * 100 * time.Millisecond).Round(time.Second))
	return nil
}

func sumOf(calls map[string]int) (sum int) {
	for _, n := range calls {
		sum += n
	}
	return sum
}
