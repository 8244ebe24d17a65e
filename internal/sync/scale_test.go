package sync

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"milepost/internal/store"
)

// TestAPreviewBesideAThousandAutomations measures a preview with 1,000 automations and
// 10,000 deliveries stored, the calls to the sandbox included:
//
//	MILEPOST_TEST_MEASURE=1 go test -v -run TestAPreviewBesideAThousandAutomations ./internal/sync
func TestAPreviewBesideAThousandAutomations(t *testing.T) {
	if os.Getenv("MILEPOST_TEST_MEASURE") == "" {
		t.Skip("measures only with MILEPOST_TEST_MEASURE=1")
	}
	var file strings.Builder
	file.WriteString(toOwner)
	for i := range 1000 {
		fmt.Fprintf(&file, "- { name: Automation %d, on: contact.changed, if: 'contact.city == \"City %d\"', do: [event: { title: \"{{ contact.name }}\", start: \"2030-05-02\" }] }\n", i, i)
	}
	b := setup(t, file.String())
	e := b.jane("2030-05-02")
	for from := int64(0); from < 10_000; from += 500 {
		_, err := b.store.Dispatch(t.Context(), func(context.Context, *store.Tx) (list []store.Delivery, err error) {
			for i := range int64(500) {
				list = append(list, store.Delivery{ID: from + i + 1, Type: "ContactUpdate", Entity: store.Entity{LocationID: location, Kind: "contact", ID: fmt.Sprint("c", (from+i)%3000)}, ReceivedAt: b.now()})
			}
			return list, nil
		})
		b.must(err)
	}
	rehearser := b.Rehearser(b.live(), nil)
	calls := 0
	for i := range 3 {
		start := time.Now()
		said, err := rehearser.Rehearse(t.Context(), e, "")
		b.must(err)
		took := time.Since(start)
		t.Logf("preview %d: %s, %d automations considered, %d calls that would be sent", i+1, took.Round(10*time.Microsecond), len(said.Considered), len(said.Calls))
		if took > 2*time.Second { // the calls to the sandbox are in it, and other tests run beside
			t.Errorf("a preview took %s", took)
		}
		if len(said.Considered) != 1001 || len(said.Calls) != 1 {
			t.Errorf("%d considered, %d calls", len(said.Considered), len(said.Calls))
		}
	}
	// A task concerns none of them: not a call.
	before := b.hl.Calls()
	res := b.do(store.Entity{LocationID: location, Kind: "task", ID: "task00000000000000001"})
	for call, n := range b.hl.Calls() {
		calls += n - before[call]
	}
	if calls != 0 || res.outcome() != store.Skipped {
		t.Errorf("a record that concerns nobody cost %d calls: %s", calls, res.detail())
	}
}
