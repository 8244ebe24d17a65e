package operate_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"milepost/clients/highlevel"
	"milepost/handlers"
	"milepost/internal/alert"
	"milepost/internal/metrics"
	"milepost/internal/operate"
	"milepost/internal/store"
)

// open lists the kinds of what people are told now.
func (r *room) open() (kinds []string) {
	r.t.Helper()
	r.later(time.Minute) // it looks again
	faults, err := r.Faults(r.t.Context())
	r.must(err)
	for _, f := range faults {
		if f.Open {
			kinds = append(kinds, f.Kind)
		}
	}
	return kinds
}

func (r *room) expect(when string, want ...string) {
	r.t.Helper()
	if got := r.open(); !slices.Equal(got, want) {
		r.t.Errorf("%s, people are told of %q, want %q", when, got, want)
	}
}

func TestThereAreMessagesAboutEachKindOfConcern(t *testing.T) {
	t.Parallel()
	for _, kind := range operate.ConcernKinds {
		for _, status := range []string{alert.Firing, alert.Over} {
			if alert.Subject(string(kind), status) == "" {
				t.Errorf("there is no message that %s is %s", kind, status)
			}
		}
	}
}

func TestABrokenConnectionIsTold(t *testing.T) {
	r := setup(t)
	r.expect("while all is well")
	r.connect(store.ConnectionBroken)
	r.expect("when HighLevel rejects the grant", "connection")
	r.connect(store.ConnectionActive)
	r.expect("when it is connected again")
	r.ends("c1", store.Auth, store.Cause{Vendor: "CalendarHero", Status: 401, Reason: "unauthorized"})
	r.expect("when CalendarHero rejects the token", "connection")
	r.ends("c1", store.Done, store.Cause{})
	r.expect("when it works again")
}

func TestFailedSyncsAreToldOnlyIfTheyLast(t *testing.T) {
	r := setup(t)
	r.ends("c1", store.Invalid, rejected)
	r.expect("at first")
	r.later(30 * time.Minute)
	r.expect("after half an hour", "failing")
	faults, err := r.Faults(t.Context())
	if err != nil || strings.Contains(faults[0].What+faults[0].Todo+faults[0].Location, "of c1") {
		t.Errorf("the detail of a record is told: %+v, %v", faults, err)
	}
	r.must(r.Acknowledge(t.Context(), "ann", faults[0].Key))
	r.expect("when somebody has acknowledged it")
}

func TestStuckWorkIsTold(t *testing.T) {
	r := setup(t)
	r.ids++
	d := store.Delivery{ID: r.ids, Type: "ContactUpdate", Entity: contact("c1"), ContactID: "c1", ReceivedAt: r.now}
	r.dispatch(d)
	r.later(13 * time.Minute)
	r.expect("when a webhook has waited for a while")
	r.later(2 * time.Minute)
	r.expect("when it has waited for 15 minutes", "stuck")
	state, err := r.Store.EntityState(t.Context(), contact("c1"))
	r.must(err)
	_, err = r.Store.FinishSync(t.Context(), nil, store.Finish{Entity: contact("c1"), Wanted: state.Wanted, Outcome: store.Done, Now: r.now})
	r.must(err)
	r.expect("when it is synced")
}

// The budget is written as package budget writes it from HighLevel's headers.
func TestAQuotaThatRunsOutIsTold(t *testing.T) {
	r := setup(t)
	left := func(n int) {
		_, err := r.Store.UpdateBudget(t.Context(), "loc", func(b *store.Budget) { b.DailyMax, b.DailyRemaining, b.DailyAt = 200_000, n, r.now })
		r.must(err)
	}
	left(20_000)
	r.expect("with a tenth of the calls left")
	left(19_000)
	r.expect("with less", "quota")
	r.must(r.Acknowledge(t.Context(), "ann", r.concerns(1, operate.ConcernOpen)[0].Key))
	left(12)
	r.expect("with even less, when somebody has acknowledged it")
	r.later(12 * time.Hour)
	r.expect("on the next day, before any call")
	left(15_000)
	r.expect("when they run out on that day", "quota")
	left(190_000)
	r.expect("when there are enough again")
}

// The webhooks are sent to the handler, and counted as serve counts them.
func TestFailingSignaturesAreTold(t *testing.T) {
	r := setup(t)
	counter := metrics.New()
	handler := counter.Webhooks("highlevel", &handlers.HighLevelWebhooks{Keys: highlevel.PublishedKeys(), Logger: zerolog.Nop(), Rejections: zerolog.Nop()})
	var before int64
	unsigned := func(n int) {
		for range n {
			handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/webhooks/highlevel", strings.NewReader("{}")))
		}
		_, all := counter.Signatures()
		r.must(r.Store.CountSignatures(t.Context(), r.now, 0, all-before))
		before = all
	}
	unsigned(5)
	r.expect("after a few webhooks without a signature")
	r.must(r.Store.CountSignatures(t.Context(), r.now, 20, 0))
	unsigned(10)
	r.expect("while most have one")
	unsigned(10)
	r.expect("when most have none", "signatures")
	r.must(r.Acknowledge(t.Context(), "ann", r.concerns(1, operate.ConcernOpen)[0].Key))
	for range 12 {
		unsigned(20)
		r.later(20 * time.Minute)
		r.expect("for hours after somebody has acknowledged it")
	}
	r.later(time.Hour)
	r.expect("when it is over")
	unsigned(20)
	r.expect("when it begins again", "signatures")
}

func TestABackupThatIsTooOldIsTold(t *testing.T) {
	r := setup(t)
	r.later(30 * 24 * time.Hour)
	r.expect("where no backup was ever made")
	r.BackupAge = 24 * time.Hour
	r.expect("where none was ever made, and one is asked for", "backup")
	r.must(r.Acknowledge(t.Context(), "ann", r.concerns(1, operate.ConcernOpen)[0].Key))
	r.later(24 * time.Hour)
	r.expect("when somebody has acknowledged it")
	r.must(r.Store.NoteBackup(t.Context(), r.now, 1))
	r.expect("after a backup")
	r.later(25 * time.Hour)
	r.expect("a day after it", "backup")
	r.BackupAge = 0
	r.expect("with the usual age")
	r.later(24 * time.Hour)
	r.expect("with the usual age after two days", "backup")
	r.must(r.Store.NoteBackup(t.Context(), r.now, 1))
	r.expect("after another backup")
}
