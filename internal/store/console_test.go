package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milepost/internal/store"
)

func TestDeliveriesAreFoundByEachFilter(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
		var list []store.Delivery
		for i := range 24 {
			d := store.Delivery{
				ID: int64(i + 1), WebhookID: fmt.Sprint("w", i+1), Type: []string{"ContactUpdate", "TaskCreate"}[i%2], ReceivedAt: start.Add(time.Duration(i) * time.Hour),
				Entity:    store.Entity{LocationID: []string{"loc", "other"}[i/12], Kind: []string{"contact", "task"}[i%2], ID: fmt.Sprint("r", i%4)},
				ContactID: []string{"", "c1", "c2"}[i/2%3],
			}
			if i%3 == 0 {
				d.Skip = "nothing asks for it"
			}
			list = append(list, d)
		}
		b.deliver(t, list...)
		ids := func(f store.DeliveryFilter) (ids []int64) {
			t.Helper()
			if f.Limit == 0 {
				f.Limit = 100
			}
			for { // page by page
				found, next, err := b.FindDeliveries(t.Context(), f)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range found {
					ids = append(ids, d.ID)
				}
				if f.Before = next; next == 0 {
					return ids
				}
			}
		}
		where := func(keep func(store.Delivery) bool) (ids []int64) {
			for _, d := range slices.Backward(list) {
				if keep(d) {
					ids = append(ids, d.ID)
				}
			}
			return ids
		}
		skipped := []string{store.Skipped}
		for name, c := range map[string]struct {
			filter store.DeliveryFilter
			keep   func(store.Delivery) bool
		}{
			"all":         {store.DeliveryFilter{}, func(store.Delivery) bool { return true }},
			"an outcome":  {store.DeliveryFilter{Outcomes: skipped}, func(d store.Delivery) bool { return d.Skip != "" }},
			"outcomes":    {store.DeliveryFilter{Outcomes: store.OpenOutcomes}, func(d store.Delivery) bool { return d.Skip == "" }},
			"a type":      {store.DeliveryFilter{Type: "TaskCreate"}, func(d store.Delivery) bool { return d.Type == "TaskCreate" }},
			"a location":  {store.DeliveryFilter{LocationID: "other"}, func(d store.Delivery) bool { return d.Entity.LocationID == "other" }},
			"all of them": {store.DeliveryFilter{Outcomes: skipped, Type: "TaskCreate", LocationID: "loc"}, func(d store.Delivery) bool { return d.Skip != "" && d.Type == "TaskCreate" && d.ID <= 12 }},
			"since":       {store.DeliveryFilter{Since: start.Add(20 * time.Hour)}, func(d store.Delivery) bool { return d.ID >= 21 }},
			"until":       {store.DeliveryFilter{Until: start.Add(3 * time.Hour), Outcomes: store.OpenOutcomes}, func(d store.Delivery) bool { return d.ID <= 3 && d.Skip == "" }},
			"too early":   {store.DeliveryFilter{Until: start}, func(store.Delivery) bool { return false }},
			"too late":    {store.DeliveryFilter{Since: start.AddDate(0, 0, 9)}, func(store.Delivery) bool { return false }},
			"records":     {store.DeliveryFilter{About: []store.Subject{{Record: list[0].Entity}, {Record: list[13].Entity}}}, func(d store.Delivery) bool { return d.Entity == list[0].Entity || d.Entity == list[13].Entity }},
			"a record":    {store.DeliveryFilter{About: []store.Subject{{Record: store.Entity{ID: "r2"}}}}, func(d store.Delivery) bool { return d.Entity.ID == "r2" }},
			"a contact":   {store.DeliveryFilter{About: []store.Subject{{ContactID: "c1"}}, Outcomes: skipped}, func(d store.Delivery) bool { return d.ContactID == "c1" && d.Skip != "" }},
			"its place":   {store.DeliveryFilter{About: []store.Subject{{ContactID: "c1", Record: store.Entity{LocationID: "loc"}}}}, func(d store.Delivery) bool { return d.ContactID == "c1" && d.ID <= 12 }},
			"no record":   {store.DeliveryFilter{About: []store.Subject{}}, func(store.Delivery) bool { return false }},
		} {
			for _, limit := range []int{100, 5, 1} {
				c.filter.Limit = limit
				if got, want := ids(c.filter), where(c.keep); !slices.Equal(got, want) {
					t.Errorf("%s by %d: %v, want %v", name, limit, got, want)
				}
			}
		}
		if d, ok, err := b.Delivery(t.Context(), 7); err != nil || !ok || d.WebhookID != "w7" {
			t.Errorf("delivery 7 is %+v, %t, %v", d, ok, err)
		}
		if n := must(b.CountDeliveries(t.Context(), store.Skipped, 3))(t); n != 3 {
			t.Errorf("counted %d, want no further than 3", n)
		}
		if types := must(b.DeliveryTypes(t.Context()))(t); !slices.Equal(types, []string{"ContactUpdate", "TaskCreate"}) {
			t.Errorf("the types are %v", types)
		}
		hours := must(b.CountByHour(t.Context(), start.Add(22*time.Hour)))(t)
		slices.SortFunc(hours, func(a, b store.HourCount) int { return a.Hour - b.Hour })
		if len(hours) != 2 || hours[0] != (store.HourCount{Hour: 0, Outcome: store.Pending, Count: 1}) {
			t.Errorf("by hour: %+v", hours)
		}
	})
}

func TestContactsAreFoundByTheBeginningsOfWords(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
		save := func(c store.Contact) {
			t.Helper()
			now = now.Add(time.Minute)
			c.LocationID, c.ChangedAt = "loc", now
			e := store.Entity{LocationID: "loc", Kind: "contact", ID: c.ID}
			b.deliver(t, store.Delivery{ID: now.Unix(), Type: "ContactUpdate", Entity: e})
			if _, err := b.FinishSync(t.Context(), nil, store.Finish{Entity: e, Wanted: 1, ContactID: c.ID, Outcome: store.Done, Now: now, Contact: &c}); err != nil {
				t.Fatal(err)
			}
		}
		save(store.Contact{ID: "c1", Name: "Jane O'Hara-Müller", Email: "Jane.Doe@Acme.example", Phone: "+1 (416) 555-0142"})
		save(store.Contact{ID: "c2", Name: "Jan Doeber", Email: "jan@other.example"})
		save(store.Contact{ID: "c3", Name: strings.Repeat("é", 200), Phone: "12"})
		save(store.Contact{ID: "c4"})
		found := func(text string) (ids []string) {
			t.Helper()
			list, _, err := b.SearchContacts(t.Context(), store.SearchTerms(text), 20)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range list {
				ids = append(ids, c.ID)
			}
			slices.Sort(ids)
			return ids
		}
		for text, want := range map[string]string{
			"jan": "c1 c2", "JANE": "c1", "doe jan": "c1 c2", "jane mull": "", "müll": "c1", "hara": "c1", "o'hara": "c1",
			"jane.doe@acme": "c1", "@acme.ex": "c1", "555-0142": "c1", "4165550142": "c1", "+1 416 555": "c1", "0142": "c1", "ééé": "c3",
			"": "", "%": "", "'": "", "12": "c3", "nobody": "", "ja\x00": "c1 c2",
		} {
			if got := strings.Join(found(text), " "); got != want {
				t.Errorf("%q finds %q, want %q", text, got, want)
			}
		}
		save(store.Contact{ID: "c1", Name: "Ann Lee"})
		if got := found("jane"); got != nil {
			t.Errorf("a former name finds %v", got)
		}
		list := must(b.ChangedContacts(t.Context(), store.ContactCursor{}, 3))(t)
		if len(list) != 3 || list[0].ID != "c1" || list[1].ID != "c4" {
			t.Fatalf("the contacts are %+v", list)
		}
		last := list[2]
		if older := must(b.ChangedContacts(t.Context(), store.ContactCursor{ChangedAt: last.ChangedAt, LocationID: last.LocationID, ID: last.ID}, 3))(t); len(older) != 1 || older[0].ID != "c2" {
			t.Errorf("the next page is %+v", older)
		}
		if err := b.Erase(t.Context(), store.Erasure{LocationID: "loc", ContactID: "c1"}, 0, "", now); err != nil {
			t.Fatal(err)
		}
		if got := found("ann"); got != nil {
			t.Errorf("an erased contact is found: %v", got)
		}
		if _, ok, err := b.ContactOf(t.Context(), "loc", "c1"); ok || err != nil {
			t.Errorf("an erased contact is there (%v)", err)
		}
	})
}

func TestTheWaitsOfASyncAreKept(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
		b.deliver(t, store.Delivery{ID: 1, Type: "ContactUpdate", Entity: contact1}, store.Delivery{ID: 2, Type: "ContactUpdate", Entity: contact1})
		postpone := func(seen int64, outcome, detail string, at, until time.Duration) {
			t.Helper()
			if err := b.Postpone(t.Context(), store.Postponed{Entity: contact1, Wanted: seen, Outcome: outcome, Detail: detail, Now: now.Add(at), NextTry: now.Add(until)}); err != nil {
				t.Fatal(err)
			}
		}
		postpone(1, store.Waiting, "old", 0, 1)
		postpone(2, store.Retry, "500", time.Second, 3*time.Second)
		postpone(2, store.Retry, "502", 3*time.Second, 7*time.Second)
		made := store.SyncCalls{Calls: []store.SyncCall{{API: "HighLevel", Path: "/contacts/c1", Status: 429}}, Mailed: []store.Mailed{{To: "ann@example.com", What: "invitation"}}}
		if err := b.Postpone(t.Context(), store.Postponed{
			Entity: contact1, Wanted: 2, Outcome: store.Waiting, Detail: "rate limit", Now: now.Add(7 * time.Second), NextTry: now.Add(17 * time.Second), Calls: made.Packed(),
		}); err != nil {
			t.Fatal(err)
		}
		list := must(b.Waits(t.Context(), contact1, 2))(t)
		if len(list) != 2 || list[0].Tries != 2 || list[0].Detail != "502" || !list[0].Began.Equal(now.Add(time.Second)) || !list[0].Until.Equal(now.Add(7*time.Second)) || list[1].Outcome != store.Waiting {
			t.Errorf("the waits are %+v", list)
		}
		if diff := cmp.Diff(made, list[1].Made); diff != "" {
			t.Error(diff)
		}
		if err := b.Erase(t.Context(), store.Erasure{LocationID: "loc", ContactID: "c1"}, 0, "", now); err != nil {
			t.Fatal(err)
		}
		if list := must(b.Waits(t.Context(), contact1, 2))(t); len(list) != 2 || len(list[1].Made.Mailed) != 0 {
			t.Errorf("after an erasure the waits are %+v", list)
		}
		if n := must(b.PruneWaits(t.Context(), now.Add(2*time.Second)))(t); n != 2 {
			t.Errorf("%d are pruned, want 2", n)
		}
	})
}

func TestSyncNowEndsTheWaitForANextTry(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		note := store.Entity{LocationID: "loc", Kind: "note", ID: "n1"}
		b.deliver(t, store.Delivery{ID: 1, Type: "ContactUpdate", Entity: contact1, ContactID: "c1"}, store.Delivery{ID: 2, Type: "NoteCreate", Entity: note, ContactID: "c1"})
		for _, e := range []store.Entity{contact1, note} {
			if err := b.Postpone(t.Context(), store.Postponed{Entity: e, Wanted: 1, Outcome: store.Retry, NextTry: time.Now().Add(15 * time.Minute), Tries: 9}); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.SyncNow(t.Context(), "loc", "c1"); err != nil {
			t.Fatal(err)
		}
		for _, e := range []store.Entity{contact1, note} {
			if s := must(b.EntityState(t.Context(), e))(t); !s.NextTry.IsZero() || s.Wanted != 2 {
				t.Errorf("%s is wanted %d times, next %s", e, s.Wanted, s.NextTry)
			}
		}
		if got := b.priorities(t); !slices.Equal(got, []int64{1}) {
			t.Errorf("the priorities of the jobs are %v", got)
		}
	})
}

func TestJobsAreListedPageByPage(t *testing.T) {
	onEachBackend(t, func(t *testing.T, open func() *store.Store) {
		b := setup(t, open, nil)
		for i := range 5 {
			b.deliver(t, store.Delivery{ID: int64(i + 1), Type: "ContactUpdate", Entity: store.Entity{LocationID: "loc", Kind: "contact", ID: fmt.Sprint("c", i)}})
		}
		var ids []string
		for after := ""; ; {
			list, next, err := b.Jobs(t.Context(), "queued", after, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, j := range list {
				if j.Kind != "sync" || j.LocationID != "loc" || j.RecordKind != "contact" {
					t.Errorf("a job is %+v", j)
				}
				ids = append(ids, j.RecordID)
			}
			if after = next; next == "" {
				break
			}
		}
		if !slices.Equal(ids, []string{"c4", "c3", "c2", "c1", "c0"}) {
			t.Errorf("the jobs are of %v", ids)
		}
		counts := must(b.CountJobs(t.Context(), 3))(t)
		if counts["queued"] != 3 || counts["failed"] != 0 {
			t.Errorf("counted %v, no further than 3", counts)
		}
		if err := b.RunJobNow(t.Context(), 1); !errors.Is(err, store.ErrNotFailed) {
			t.Errorf("a job in the queue: %v", err)
		}
		owed := must(b.OwedRecords(t.Context(), store.Entity{LocationID: "loc", Kind: "contact", ID: "c2"}, 10))(t)
		if len(owed) != 2 || owed[0].ID != "c3" {
			t.Errorf("after c2 are owed %+v", owed)
		}
	})
}
