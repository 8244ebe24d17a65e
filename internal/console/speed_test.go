package console_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"milepost/internal/store"
)

// With MILEPOST_TEST_STORED=1000000 it fills a database with as many deliveries of 30
// days, which takes minutes, and says how long each page takes.
func TestHowLongThePagesOfAFullDatabaseTake(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("MILEPOST_TEST_STORED"))
	if err != nil {
		t.Skip("skipped: it takes minutes; set MILEPOST_TEST_STORED to a number of deliveries")
	}
	dir := t.TempDir()
	st, err := store.OpenSQLite(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	d, _ := setupOn(t, st)
	d.fill(dir, n)
	for _, path := range []string{
		"/console/", "/console/deliveries", "/console/deliveries?outcome=failed", "/console/deliveries?outcome=done&type=TaskCreate",
		"/console/deliveries?location=loc07&outcome=unchanged", "/console/deliveries?location=loc07&type=Rare", "/console/deliveries?outcome=invalid&type=Rare",
		"/console/deliveries?q=jane", "/console/deliveries?q=jane+smith12", "/console/deliveries?contact=c000123&location=loc03", "/console/deliveries/" + strconv.Itoa(n/2),
		"/console/contacts", "/console/contacts?q=jane", "/console/contacts?q=jane+smith12", "/console/contacts/loc03/c000123", "/console/jobs", "/console/attention", "/console/attention/cause7", "/console/replays", "/console/deliveries?replayed=yes", "/console/deliveries?automation=contact-to-calendarhero-contact", "/console/deliveries?outcome=manual&within=24h", "/console/calendar?location=loc03", "/console/calendar?location=loc03&view=week", "/console/connections",
		"/console/automations", "/console/recipes", "/console/catalog",
	} {
		d.page(olivia, path)
		const times = 10
		start := time.Now()
		for range times {
			d.now = d.now.Add(time.Minute) // what is counted is counted again
			d.page(olivia, path)
		}
		t.Logf("%7.1f ms  %s", time.Since(start).Seconds()*1000/times, path)
	}
}

// fill writes n deliveries about n/10 contacts, and their records.
func (d *desk) fill(dir string, n int) {
	d.t.Helper()
	db, err := store.SQLiteDB(filepath.Join(dir, "milepost.db"), 1)
	if err != nil {
		d.t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		d.t.Fatal(err)
	}
	run := func(query string, args ...any) {
		if _, err := tx.Exec(query, args...); err != nil {
			d.t.Fatal(err)
		}
	}
	contacts := max(n/10, 1000)
	location := func(contact int) string { return fmt.Sprintf("loc%02d", contact%20) }
	record := func(contact int, kind string) string { return fmt.Sprintf("%c%06d", kind[0], contact) }
	first := []string{"jane", "john", "ann", "peter", "maria", "olivia", "victor", "nora", "li", "ahmed"}
	last := []string{"smith", "doe", "quist", "lee", "garcia", "kim", "muller", "brown", "jones", "silva"}
	for i := range contacts {
		c := store.Contact{
			LocationID: location(i), ID: record(i, "contact"), Name: fmt.Sprint(first[i%10], " ", last[i/10%10], i/100),
			Email: fmt.Sprintf("%s%d@mail%d.example", first[i%10], i, i%1000), Phone: fmt.Sprintf("+1416%07d", i),
		}
		run(`INSERT INTO contacts (location_id, id, name, email, phone, changed_at) VALUES ($1, $2, $3, $4, $5, $6)`, c.LocationID, c.ID, c.Name, c.Email, c.Phone, d.now.UnixMicro()-int64(i))
		for _, kind := range []string{"event", "task"} { // of a year
			at := d.now.Add(time.Duration(i%8760-4380) * time.Hour).UnixMicro()
			run(`INSERT INTO items (location_id, kind, entity_id, item, item_kind, automation, contact_id, assigned_to, uid, sequence, revision, status, start_at, end_at, zone, content, created_at, updated_at, removed_at)
				VALUES ($1, 'contact', $2, $3, $3, 'a', $2, '', $4, 0, 1, 'TENTATIVE', $5, $5, 'America/New_York', '{"title":"Closing"}', $5, $5, 0)`, c.LocationID, c.ID, kind, fmt.Sprint(kind, i), at)
		}
		for _, w := range c.Words() {
			run(`INSERT INTO contact_words (word, location_id, contact_id) VALUES ($1, $2, $3)`, []byte(w), c.LocationID, c.ID)
		}
		for _, kind := range []string{"contact", "task"} {
			run(`INSERT INTO entities (location_id, kind, id, contact_id, wanted, done, deleted_wanted, gone_at, fingerprint, outcome, detail, synced_at)
				VALUES ($1, $2, $3, $4, 5, 5, 0, 0, 'f', 'done', 'event created', $5)`, c.LocationID, kind, record(i, kind), c.ID, d.now.UnixMicro())
		}
	}
	for i := range 20_000 { // of 100 causes
		run(`UPDATE entities SET outcome = 'invalid', trouble = $4 WHERE location_id = $1 AND kind = $2 AND id = $3`, location(i), "task", record(i, "task"), fmt.Sprint("cause", i%100))
	}
	for i := range 100 {
		run(`INSERT INTO causes (key, location_id, outcome, vendor, status, reason, operation, automation, field, first_at, last_at)
			VALUES ($1, $2, 'invalid', 'HighLevel', 422, 'invalid', 'create task', '', '', $3, $3)`, fmt.Sprint("cause", i), location(i), d.now.UnixMicro())
	}
	outcomes := []string{"done", "done", "done", "unchanged", "unchanged", "unchanged", "unchanged", "skipped", "skipped", "skipped"}
	for i := range n {
		c, at := i*7919%contacts, d.now.Add(-30*24*time.Hour+time.Duration(i)*30*24*time.Hour/time.Duration(n)).UnixMicro()
		kind, name, outcome := "contact", "ContactUpdate", outcomes[i%10]
		switch {
		case i%50_000 == 7:
			name = "Rare"
		case i%3 == 0:
			kind, name = "task", "TaskCreate"
		}
		if i%1000 == 3 {
			outcome = "invalid"
		}
		run(`INSERT INTO deliveries (id, webhook_id, type, location_id, kind, entity_id, received_at, wanted, outcome, detail, finished_at, contact_id)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, 'event created', $7, $9)`, i+1, fmt.Sprint("w-", i), name, location(c), kind, record(c, kind), at, outcome, record(c, "contact"))
		if i%2 == 0 {
			run(`INSERT INTO timeline (at, location_id, contact_id, kind, entity_id, what, detail) VALUES ($1, $2, $3, $4, $5, 'event created', 'Closing')`,
				at, location(c), record(c, "contact"), kind, record(c, kind))
		}
	}
	if err := tx.Commit(); err != nil {
		d.t.Fatal(err)
	}
}
