package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"milepost/internal/app"
	"milepost/internal/automation"
	hlfake "milepost/internal/sandbox/highlevel"
	"milepost/internal/store"
	"milepost/mapping"
)

// operator is what an operator's commands work with beside the running Milepost.
func (w *world) operator() (*app.State, *app.Backfill) {
	state, err := app.OpenState(context.Background(), w.cfg, zerolog.Nop())
	w.must(err)
	w.t.(*testing.T).Cleanup(func() { _ = state.Store.Close() })
	backfill, err := state.Backfill(w.cfg)
	w.must(err)
	return state, backfill
}

// dated sets a contact's milestone.
func (w *world) dated(contact, name, day string) {
	w.must(w.hl.SetCustomFields(contact, map[string]any{"contact.milestone": name, "contact.milestone_date": day}))
}

// starts are the days of the open requests by subject.
func (w *world) starts() string {
	var all []string
	for _, r := range w.ch.Requests() {
		subject, _, _ := strings.Cut(r.Subject, " [mp-")
		all = append(all, subject+" "+r.Start.Format(time.DateOnly))
	}
	return strings.Join(all, ", ")
}

func TestAnOperatorChangesAutomationsWhileMilepostRuns(t *testing.T) {
	together(t)
	for name, backend := range map[string]func(*world, *hlfake.Config){"SQLite": func(*world, *hlfake.Config) {}, "PostgreSQL": onPostgres} {
		t.Run(name, func(t *testing.T) {
			const id = "milestone-to-calendar-event"
			ctx := t.Context()
			w := setup(t, backend)
			dana := automation.By{Who: "dana"}
			state, backfill := w.operator()
			day := func(n int) string { return w.now().AddDate(0, 0, n).Format(time.DateOnly) }
			nora := w.contact("Nora", "Quist", "nora@example.com")
			w.dated(nora, "Inspection", day(10))
			w.settle()
			if got := w.starts(); got != "Inspection: Nora Quist "+day(10) {
				t.Fatalf("got %q", got)
			}

			// A preview says what would be sent.
			p, err := state.Automations.Preview(ctx, backfill.Syncer, id, false, automation.Target{Contact: nora})
			w.must(err)
			if !p.Applies || len(p.Items) != 1 || len(p.Calls) != 0 || len(p.Conditions) != 2 || p.Version != 1 {
				t.Errorf("preview: %+v", p)
			}

			// An edit is live within two seconds.
			began := time.Now()
			_, err = state.Automations.SetState(ctx, id, mapping.StatePaused, dana)
			w.must(err)
			w.eventually("the edit is live", func() bool { return w.app.Automations().Set().Find(id).State == mapping.StatePaused })
			if took := time.Since(began); took > 2*time.Second && !testing.Short() {
				t.Errorf("an edit was live after %s", took)
			}
			w.dated(nora, "Inspection", day(12))
			w.settle()
			if got := w.starts(); got != "Inspection: Nora Quist "+day(10) {
				t.Errorf("while it is paused: %q", got)
			}
			x, err := state.Automations.Explain(ctx, nora, "")
			w.must(err)
			if why := strings.Join(x.Why, "\n"); !strings.Contains(why, id+" (version 2): the automation is paused; what it made stays as it is.") {
				t.Errorf("explain: %+v", x)
			}

			// On again, it catches up with what was said before.
			resumed, err := state.Automations.PlanResume(ctx, backfill.Syncer, id, nil)
			w.must(err)
			before := len(w.ch.Mails())
			_, err = state.Automations.SetState(ctx, id, mapping.StateOn, dana)
			w.must(err)
			w.applied(state, id)
			if got := w.starts(); got != "Inspection: Nora Quist "+day(12) {
				t.Errorf("once it is on again: %q", got)
			}
			resumedMails := 0
			for _, n := range resumed.People {
				resumedMails += n
			}
			if got := len(w.ch.Mails()) - before; resumed.Replaced != 1 || resumed.Created+resumed.Removed != 0 || got != resumedMails || got == 0 {
				t.Errorf("it was said: %+v, and %d mails were sent", resumed, got)
			}

			// A changed automation reaches what exists by an apply alone.
			text := strings.Replace(must(state.Automations.Show(ctx, id))(t).Text, `"{{ milestone.name }}: {{ contact.name }}"`, `"{{ milestone.name }} of {{ contact.name }}"`, 1)
			_, err = state.Automations.Import(ctx, "changed.yaml", []byte(text), false, dana)
			w.must(err)
			plan, err := state.Automations.PlanApply(ctx, backfill.Syncer, id, "", nil)
			w.must(err)
			if plan.Replaced != 1 || plan.Created+plan.Removed != 0 || len(plan.People) != 1 {
				t.Errorf("plan: %+v", plan)
			}
			mails := len(w.ch.Mails())
			if got := w.starts(); got != "Inspection: Nora Quist "+day(12) {
				t.Errorf("before it is applied: %q", got)
			}
			_, err = state.Automations.Apply(ctx, id, "", dana)
			w.must(err)
			w.applied(state, id)
			if got := w.starts(); got != "Inspection of Nora Quist "+day(12) {
				t.Errorf("once it is applied: %q", got)
			}
			sent := 0
			for _, n := range plan.People {
				sent += n
			}
			if got := len(w.ch.Mails()) - mails; got != sent {
				t.Errorf("the plan said %d mails, and %d were sent", sent, got)
			}

			// Deleted, what it made stays until that is applied.
			_, err = state.Automations.Delete(ctx, id, dana)
			w.must(err)
			w.eventually("the delete is live", func() bool { return w.app.Automations().Set().Find(id) == nil })
			w.dated(nora, "Inspection", "")
			w.settle()
			if got := w.starts(); got != "Inspection of Nora Quist "+day(12) {
				t.Errorf("once it is deleted: %q", got)
			}
			plan, err = state.Automations.PlanApply(ctx, backfill.Syncer, id, "", nil)
			w.must(err)
			if plan.Removed != 1 || plan.Created+plan.Replaced != 0 {
				t.Errorf("plan of a deleted one: %+v", plan)
			}
			_, err = state.Automations.Apply(ctx, id, "", dana)
			w.must(err)
			w.applied(state, id)
			if got := w.starts(); got != "" {
				t.Errorf("once that is applied: %q", got)
			}
		})
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// applied waits until the run of an automation has ended and all is synced.
func (w *world) applied(state *app.State, id string) {
	w.eventually("the automation is applied", func() bool {
		run, ok, err := state.Automations.Progress(context.Background(), id)
		w.must(err)
		return ok && run.State == store.ApplyDone
	})
	w.settle()
	if run, _, _ := state.Automations.Progress(context.Background(), id); run.Queued == 0 {
		w.must(fmt.Errorf("the run reached no record: %+v", run))
	}
}
