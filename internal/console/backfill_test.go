package console_test

import (
	"net/url"
	"testing"

	"milepost/internal/store"
)

func TestABackfillIsShownAndCancelled(t *testing.T) {
	d := setup(t)
	d.connect("loc", "Northwind")
	const page = "/console/connections/loc/backfill"
	d.wants(d.page(olivia, page), "Count first", "-Begin the backfill", "-Cancel the backfill")
	d.wants(d.page(victor, page), "-Count what it would do")
	d.refuses(page, url.Values{"counted": {"17"}}, "Nothing was begun", "Count again")
	d.refuses(page, url.Values{}, "Nothing was begun")
	d.refuses(page+"/count", url.Values{"days": {"soon"}}, "Choose how far back")
	d.refuses(page+"/count", url.Values{"days": {"90"}}, "has no CalendarHero account")
	d.refuses(page+"/cancel", url.Values{}, "No backfill of this location is running")

	run := store.Backfill{LocationID: "loc", Since: "2026-09-01", By: "olivia", AskedAt: d.now}
	if err := d.store.StartBackfill(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	d.wants(d.page(olivia, page), "A backfill is under way", "since 2026-09-01", "as soon as a worker is free")
	if err := d.store.SaveReconciliation(t.Context(), store.Reconciliation{Name: run.Name(), LocationID: "loc", Place: "x", StartedAt: d.now, Contacts: 1200, ContactsTotal: 4000, Tasks: 7, Differing: 31, Calls: 99}, nil); err != nil {
		t.Fatal(err)
	}
	d.wants(d.page(victor, page), "1,200 of 4,000 contacts", "7 open tasks", "31 records queued", "-Cancel the backfill")
	d.does(page+"/cancel", url.Values{}, page+"?said=backfill-cancelled")
	d.wants(d.page(olivia, page), "The last backfill was cancelled", "-Cancel the backfill")
	d.wants(d.page(olivia, "/console/settings/audit"), "cancelled the backfill of")
}
