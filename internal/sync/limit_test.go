package sync

import (
	"slices"
	"testing"
	"time"

	"milepost/clients"
	"milepost/internal/sandbox/fakehttp"
	"milepost/internal/testenv"
)

func TestACommandWaitsAtTheRateLimitAndSaysSo(t *testing.T) {
	testenv.Long(t)
	for _, dry := range []bool{false, true} {
		b := setup(t, "")
		b.Real = func(time.Duration) time.Duration { return 0 }
		e := b.jane("2030-05-02")
		var told []time.Duration
		b.WaitAtLimit(func(d time.Duration) { told = append(told, d) })
		b.hl.Faults().Next("POST /contacts/search", 2, fakehttp.RateLimited(8*time.Second))
		at, err := b.reconciler.Sweep(t.Context(), "backfill", location, time.Time{}, dry, nil)
		b.must(err)
		if at.Contacts != 1 || !slices.Equal(told, []time.Duration{8 * time.Second, 8 * time.Second}) {
			t.Errorf("%d contacts were looked at, and the waits were %v", at.Contacts, told)
		}
		b.hl.Faults().Next("GET /contacts/{contactId}", 1, fakehttp.RateLimited(9*time.Second))
		lines, err := b.Changes(t.Context(), e, e.ID)
		b.must(err)
		if len(lines) == 0 || len(told) != 3 {
			t.Errorf("a preview says %q, and the waits were %v", lines, told)
		}
	}
}

func TestAWorkerLeavesAndACommandGivesUpWhereTheLimitIsFarAway(t *testing.T) {
	b := setup(t, "")
	b.jane("2030-05-02")
	b.hl.Faults().Next("POST /contacts/search", 1, fakehttp.RateLimited(8*time.Second))
	if _, err := b.reconciler.Sweep(t.Context(), "backfill", location, time.Time{}, false, nil); clients.ReasonOf(err) != clients.RateLimited {
		t.Errorf("a worker's sweep ends with %v", err)
	}
	b.WaitAtLimit(func(time.Duration) { t.Error("a wait of hours is waited for") })
	b.hl.Faults().Next("POST /contacts/search", 1, fakehttp.RateLimited(5*time.Hour))
	if _, err := b.reconciler.Sweep(t.Context(), "backfill", location, time.Time{}, false, nil); clients.ReasonOf(err) != clients.RateLimited {
		t.Errorf("a command's sweep ends with %v", err)
	}
}
