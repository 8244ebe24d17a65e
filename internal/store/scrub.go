package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Scrub removes from the database's files what deleted and changed rows left there, as far
// as the back end allows. Without it, the bytes of such rows stay on the disk. It fails if
// a reader blocks it; then call it again later.
func (s *Store) Scrub(ctx context.Context) error {
	if err := s.scrub(ctx); err != nil {
		return fmt.Errorf("remove erased data from the files of the state database: %w", err)
	}
	return nil
}

func (b *sqliteBackend) scrub(ctx context.Context) error {
	return ScrubSQLite(ctx, b.file.Write, b.file.Read)
}

// scrub lets PostgreSQL reclaim the dead rows of every table that can hold personal data.
// PostgreSQL overwrites the bytes when it uses the space again.
func (b *pgBackend) scrub(ctx context.Context) error {
	_, err := b.pool.Exec(ctx, `VACUUM deliveries, entities, links, timeline, records, meetings, items, considered, waits, inbox, river_job`)
	return err
}

const (
	scrubPages   = 256                    // pages read or written at once
	truncateWait = 100 * time.Millisecond // how long writers wait while readers finish, for each try
	truncateTry  = 20                     // tries to empty the write-ahead log
)

// ScrubSQLite overwrites the unused bytes of a database's pages with zeros, then moves the
// write-ahead log into the file and truncates it. secure_delete overwrites deleted data,
// but not the copies that stay when rows move between pages, and not what earlier versions
// of Milepost deleted. Reads and writes continue while it runs.
func ScrubSQLite(ctx context.Context, write, read *sql.DB) error {
	var pages, size int64
	if err := read.QueryRowContext(ctx, `SELECT page_count, page_size FROM pragma_page_count, pragma_page_size`).Scan(&pages, &size); err != nil {
		return fmt.Errorf("count the pages: %w", err)
	}
	// Beyond this number of pages, the first byte of an overflow page could look like that
	// of a b-tree page.
	const mostPages = 1 << 25
	if pages < mostPages {
		free, err := freePages(ctx, read, pages)
		if err != nil {
			return err
		}
		for from := int64(1); from <= pages; from += scrubPages {
			if err := scrubRange(ctx, write, read, free, from, min(from+scrubPages-1, pages)); err != nil {
				return err
			}
		}
	}
	return truncateWAL(ctx, write, read)
}

// queryer is a database or a transaction.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// scrubRange scrubs the pages from first to last that need it.
func scrubRange(ctx context.Context, write, read *sql.DB, free map[int64]int, first, last int64) error {
	numbers := make([]int64, 0, last-first+1)
	for n := first; n <= last; n++ {
		numbers = append(numbers, n)
	}
	dirty, err := unclean(ctx, read, free, numbers)
	if err != nil || len(dirty) == 0 {
		return err
	}
	tx, err := write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	numbers = numbers[:0]
	isFree := false
	for n := range dirty {
		numbers = append(numbers, n)
		if _, ok := free[n]; ok {
			isFree = true
		}
	}
	// Read again under the write lock, because the pages may have changed.
	if isFree {
		var pages int64
		if err := tx.QueryRowContext(ctx, `SELECT page_count FROM pragma_page_count`).Scan(&pages); err != nil {
			return err
		}
		if free, err = freePages(ctx, tx, pages); err != nil {
			return err
		}
	}
	if dirty, err = unclean(ctx, tx, free, numbers); err != nil {
		return err
	}
	for n, data := range dirty {
		if _, err := tx.ExecContext(ctx, `UPDATE sqlite_dbpage SET data = $1 WHERE pgno = $2`, data, n); err != nil {
			return fmt.Errorf("overwrite the unused part of page %d: %w", n, err)
		}
	}
	return tx.Commit()
}

// unclean returns the pages with unused bytes that are not zero.
func unclean(ctx context.Context, db queryer, free map[int64]int, numbers []int64) (map[int64][]byte, error) {
	dirty := map[int64][]byte{}
	err := eachPage(ctx, db, numbers, func(n int64, page []byte) error {
		var changed bool
		if used, ok := free[n]; ok {
			changed = zero(page[used:])
		} else {
			changed = cleaned(n, page)
		}
		if changed {
			dirty[n] = append([]byte(nil), page...)
		}
		return nil
	})
	return dirty, err
}

// eachPage visits pages by number. visit may change the bytes, but must not keep them.
func eachPage(ctx context.Context, db queryer, numbers []int64, visit func(n int64, page []byte) error) error {
	list, err := json.Marshal(numbers)
	if err != nil {
		return err
	}
	rows, err := db.QueryContext(ctx, `SELECT p.pgno, p.data FROM json_each($1) AS n CROSS JOIN sqlite_dbpage AS p ON p.pgno = n.value`, string(list))
	if err != nil {
		return fmt.Errorf("read the pages of the database: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		var page sql.RawBytes
		if err := rows.Scan(&n, &page); err != nil {
			return err
		}
		if err := visit(n, page); err != nil {
			return err
		}
	}
	return rows.Err()
}

// freePages returns the pages of the freelist, and how many bytes of each are used. A trunk
// page lists other pages; the others hold nothing.
func freePages(ctx context.Context, db queryer, pages int64) (map[int64]int, error) {
	free := map[int64]int{}
	next, atMost := int64(0), pages
	err := eachPage(ctx, db, []int64{1}, func(_ int64, page []byte) error {
		next = int64(binary.BigEndian.Uint32(page[32:]))
		return nil
	})
	for err == nil && next != 0 && atMost > 0 {
		atMost--
		trunk := next
		next = 0
		err = eachPage(ctx, db, []int64{trunk}, func(_ int64, page []byte) error {
			leaves := int(binary.BigEndian.Uint32(page[4:]))
			if 8+4*leaves > len(page) {
				return fmt.Errorf("page %d of the freelist is damaged", trunk)
			}
			next = int64(binary.BigEndian.Uint32(page))
			free[trunk] = 8 + 4*leaves
			for i := range leaves {
				free[int64(binary.BigEndian.Uint32(page[8+4*i:]))] = 0
			}
			return nil
		})
	}
	return free, err
}

// zero overwrites bytes with zeros, and reports whether any byte changed.
func zero(b []byte) (changed bool) {
	for i := range b {
		changed = changed || b[i] != 0
		b[i] = 0
	}
	return changed
}

// cleaned overwrites the unused bytes of a b-tree page with zeros, and reports whether any
// byte changed. The layout is that of https://sqlite.org/fileformat2.html.
func cleaned(n int64, page []byte) (changed bool) {
	at := 0
	if n == 1 {
		at = 100 // after the header of the file
	}
	header := 8
	switch page[at] {
	case 2, 5: // inner pages of an index or a table
		header = 12
	case 10, 13: // leaf pages
	default:
		return false // an overflow page, all used
	}
	u16 := func(i int) int { return int(binary.BigEndian.Uint16(page[i:])) }
	cells := at + header + 2*u16(at+3)
	content := u16(at + 5)
	if content == 0 {
		content = 65536
	}
	if cells > content || content > len(page) {
		return false
	}
	type block struct{ from, to int }
	unused := []block{{cells, content}}
	for at, before := u16(at+1), content-1; at != 0; {
		if at <= before || at+4 > len(page) {
			return false
		}
		size := u16(at + 2)
		if size < 4 || at+size > len(page) {
			return false
		}
		unused = append(unused, block{at + 4, at + size})
		at, before = u16(at), at+size-1
	}
	for _, b := range unused {
		if zero(page[b.from:b.to]) {
			changed = true
		}
	}
	return changed
}

// truncateWAL moves the write-ahead log into the file and empties it.
func truncateWAL(ctx context.Context, write, read *sql.DB) error {
	var busy, frames, moved int
	// This moves most of it without blocking anybody.
	if err := read.QueryRowContext(ctx, `PRAGMA wal_checkpoint(PASSIVE)`).Scan(&busy, &frames, &moved); err != nil {
		return fmt.Errorf("move the write-ahead log into the file: %w", err)
	}
	try := func() (err error) {
		conn, err := write.Conn(ctx)
		if err != nil {
			return err
		}
		timeout := func(ctx context.Context, d time.Duration) error {
			_, err := conn.ExecContext(ctx, fmt.Sprintf(`PRAGMA busy_timeout(%d)`, d.Milliseconds()))
			return err
		}
		defer func() {
			err = errors.Join(err, timeout(context.WithoutCancel(ctx), busyTimeout), conn.Close())
		}()
		if err := timeout(ctx, truncateWait); err != nil {
			return err
		}
		return conn.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &frames, &moved)
	}
	for range truncateTry {
		if err := try(); err != nil {
			return fmt.Errorf("truncate the write-ahead log: %w", err)
		}
		if busy == 0 {
			return nil
		}
		timer := time.NewTimer(truncateWait) // lets writers continue
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
	return errors.New("the write-ahead log is being read and could not be truncated")
}
