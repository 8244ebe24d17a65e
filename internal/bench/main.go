// Command bench measures Milepost against fakes of both vendors on loopback, on
// SQLite and, if there is one, on PostgreSQL. It reports figures that depend on
// the machine as a ratio, in the same run, to a handler on the same HTTP surface
// that only reads and verifies. Each of the two runs as its own process; the load
// and the fakes share a third. CPU per webhook is the steadier figure on a machine
// that is busy with other things.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"milepost/internal/testenv/testdb"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "verify-only" {
		exit(verifyOnly(os.Stdin, os.Stdout))
	}
	if len(os.Args) > 3 && os.Args[1] == "attack" {
		exit(playAttack(os.Args[2], os.Args[3], os.Stdin, os.Stdout))
		return
	}
	postgres := flag.String("postgres", os.Getenv("DATABASE_URL"), "URL of a PostgreSQL server on which databases may be made; a throwaway one by default")
	only := flag.String("only", "", "measure one back end, sqlite or postgres, play the attacks of strangers: attack, or measure what docs/limits.md says: limits")
	name := flag.String("attack", "", "with -only attack: only those with this in their name")
	check := flag.Bool("check", false, "with -only attack: fail if a webhook is not stored or memory grows without bound, however long the answers take")
	length := flag.Duration("length", time.Second, "how long each load lasts")
	rounds := flag.Int("rounds", 3, "how often each load is repeated; the median counts")
	stored := flag.Int("stored", 0, "measure also with this many webhooks, deliveries and entities already there")
	flag.Parse()
	exit(run(*postgres, *only, *name, *stored, bench{length: *length, rounds: *rounds, check: *check}))
}

// run measures one back end or both, and leaves nothing behind.
func run(postgres, only, name string, stored int, b bench) (err error) {
	if b.dir, err = os.MkdirTemp("", "milepost-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.build(); err != nil {
		return err
	}
	if only == "attack" {
		return b.attacks(name)
	}
	if only == "limits" {
		return b.limits(cmp.Or(stored, 1_000_000))
	}
	if only != "postgres" {
		if err := b.measure("sqlite", stored); err != nil || only == "sqlite" {
			return err
		}
	}
	if b.postgres = postgres; postgres == "" {
		if b.postgres, err = testdb.PostgresServer(); err != nil {
			fmt.Println("\npostgres: not measured:", err)
			return nil
		}
	}
	return b.measure("postgres", stored)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	dir      string // temporary, for the binary and all data
	postgres string // URL of the server; "" while SQLite is measured
	length   time.Duration
	rounds   int
	check    bool
	contacts int // that HighLevel has; 0 = some hundreds
}

// measure prints all figures of one back end, and with stored > 0 once more
// those that must not grow with what is stored.
func (b *bench) measure(backend string, stored int) error {
	fmt.Printf("\n%s\n", backend)
	fresh, err := b.storage(backend + "-fresh")
	if err != nil {
		return err
	}
	defer fresh.drop()
	empty, err := b.direct(fresh, 0)
	if err != nil {
		return err
	}
	fmt.Println("  without HTTP:", empty)
	rig, err := b.start(fresh)
	if err != nil {
		return err
	}
	defer rig.stop()
	if err := rig.atRest(); err != nil {
		return err
	}
	ratio, err := rig.ingest(1, 8, 64, 256)
	if err != nil {
		return err
	}
	if err := rig.paced(); err != nil {
		return err
	}
	peak := rig.milepost.memory("VmHWM")
	fmt.Printf("  peak: %d MiB resident  %s\n", peak, verdict(peak <= 128, "aim 128 MiB"))
	if stored == 0 {
		return nil
	}
	rig.stop()
	return b.measureStored(backend, stored, empty, ratio)
}

// attacks plays the attacks on SQLite, each on a fresh Milepost.
func (b *bench) attacks(name string) error {
	fmt.Println("\nattacks, while 200 signed webhooks a second arrive")
	for i, a := range attacks() {
		if !strings.Contains(a.name, name) {
			continue
		}
		fresh, err := b.storage(fmt.Sprintf("sqlite-attack-%d", i))
		if err != nil {
			return err
		}
		defer fresh.drop()
		rig, err := b.start(fresh)
		if err != nil {
			return err
		}
		err = rig.attacked(a)
		rig.stop()
		if err != nil {
			return err
		}
	}
	return nil
}

// measureStored repeats on a database that holds stored of everything.
func (b *bench) measureStored(backend string, stored int, empty direct, ratio float64) error {
	full, err := b.storage(backend + "-stored")
	if err != nil {
		return err
	}
	defer full.drop()
	start := time.Now()
	if err := full.seed(stored); err != nil {
		return err
	}
	fmt.Printf("  with %d webhooks, deliveries and entities stored (written in %s)\n", stored, time.Since(start).Round(time.Second))
	is, err := b.direct(full, stored)
	if err != nil {
		return err
	}
	fmt.Printf("    without HTTP: %s: %s of empty; a prune of %d rows %s\n", is, is.over(empty), is.pruned, tenths(is.prune))
	rig, err := b.start(full)
	if err != nil {
		return err
	}
	defer rig.stop()
	again, err := rig.ingest(64)
	if err != nil {
		return err
	}
	fmt.Printf("    ready after %s; ingest ratio %.2f of that on the empty one\n", tenths(rig.ready), again/ratio)
	return nil
}

func verdict(reached bool, aim string) string {
	if reached {
		return aim + ": reached"
	}
	return aim + ": missed"
}

// tenths rounds to tenths of a millisecond.
func tenths(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

func median[T cmp.Ordered](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
