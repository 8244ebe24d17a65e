package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/go-chi/chi/v5"

	"milepost/clients"
	"milepost/internal/operate"
	"milepost/internal/order"
	"milepost/internal/store"
)

func (c *Console) replayRoutes(r chi.Router) {
	c.page(r, "/replays", "replays", c.replaysPage)
	c.action(r, "/replays", "replays", c.replaysPage, c.countReplay)
	c.page(r, "/replays/count/{token}", "replaycount", c.replayCountPage)
	c.action(r, "/replays/count/{token}", "replaycount", c.replayCountPage, c.startReplay)
	c.page(r, "/replays/{id}", "replayrun", c.replayRunPage)
	c.action(r, "/replays/{id}/cancel", "replayrun", c.replayRunPage, c.cancelReplay)
}

type replaysData struct {
	List     []store.Replay
	First    bool
	OlderURL string
}

func (c *Console) replaysPage(r *http.Request, v *view) error {
	v.Title, v.Section = "Replays", "deliveries"
	before := number(r, "before")
	list, err := c.Desk.Store.Replays(r.Context(), before, pageSize+1)
	data := replaysData{List: list, First: before == 0}
	if len(list) > pageSize {
		data.List = list[:pageSize]
		data.OlderURL = Path + "replays?before=" + strconv.FormatInt(data.List[pageSize-1].ID, 10)
	}
	v.Data = data
	return err
}

// selectionOf reads what a form wants to have replayed.
func (c *Console) selectionOf(form url.Values) (operate.Selection, error) {
	var ids []int64
	for _, text := range form["id"] {
		if id, err := strconv.ParseInt(text, 10, 64); err == nil {
			ids = append(ids, id)
		}
	}
	filter, err := url.ParseQuery(form.Get("filter"))
	if err != nil || !areText(filter) {
		return operate.Selection{}, errNotFound
	}
	s := operate.Selection{Cause: form.Get("cause")}
	switch form.Get("which") {
	case "selected":
		if len(ids) == 0 {
			return s, problem("Select at least one delivery.")
		}
		s.IDs = ids
	case "but":
		s.Except = ids
		fallthrough
	case "all":
		s.Query, _ = queryOf(filter, c.Now())
	default:
		if s.Cause == "" {
			return s, errNotFound
		}
	}
	return s, nil
}

// countReplay begins to count what a replay would do.
func (c *Console) countReplay(r *http.Request, _ *view) (string, error) {
	s, err := c.selectionOf(r.PostForm)
	if err != nil {
		return "", err
	}
	token, err := c.Desk.StartReplayPlan(r.Context(), s)
	if err != nil {
		return "", replayProblem(err)
	}
	return Path + "replays/count/" + url.PathEscape(token), nil
}

// replayProblem is a failure that a person can put right, or the failure itself.
func replayProblem(err error) error {
	for _, known := range []error{operate.ErrTooMany, operate.ErrNothingToReplay, operate.ErrNoPlan, operate.ErrUnknown} {
		if errors.Is(err, known) {
			return problem(sentence(known))
		}
	}
	return err
}

type replayCountData struct {
	operate.ReplayPlan
	Over   bool // it does not hold any more
	Why    string
	Error  string // why it could not be counted
	Mailed []string
	More   int
	Path   string
}

func (c *Console) replayCountPage(r *http.Request, v *view) error {
	v.Title, v.Section = "Replay: what would change", "deliveries"
	if !v.Operator() {
		return errForbidden
	}
	token := chi.URLParam(r, "token")
	plan, ok := c.Desk.ReplayPlan(token)
	data := replayCountData{ReplayPlan: plan, Over: !ok, Path: Path + "replays/count/" + url.PathEscape(token), Why: plan.Selection.String()}
	if plan.Plan != nil {
		data.Mailed, data.More = plan.Plan.Names(shownPeople)
	}
	if plan.Failed != nil {
		data.Error = c.whyNotCounted(plan.Failed)
	}
	v.Data = data
	return nil
}

// whyNotCounted says why a rehearsal failed. What is no vendor's answer is in the log.
func (c *Console) whyNotCounted(err error) string {
	if failed, ok := errors.AsType[*clients.Error](err); ok {
		return failed.Error()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "It took more than half an hour. Narrow the filter."
	}
	c.Logger.Error().Err(err).Msg("could not count what a replay would do")
	return "The log says why."
}

func (c *Console) startReplay(r *http.Request, v *view) (string, error) {
	plan, ok := c.Desk.ReplayPlan(chi.URLParam(r, "token"))
	if !ok {
		return "", problem(sentence(operate.ErrNoPlan))
	}
	id, err := c.Desk.StartReplay(r.Context(), v.Me.Name, plan)
	if err != nil {
		return "", replayProblem(err)
	}
	return replayPath(id) + "?said=replay-began", nil
}

func replayPath(id int64) string { return Path + "replays/" + strconv.FormatInt(id, 10) }

type replayRunData struct {
	operate.ReplayRun
	Results []replayResult
	Path    string
}

type replayResult struct {
	Outcome string
	Count   int64
}

func (c *Console) replayRunPage(r *http.Request, v *view) error {
	v.Section = "deliveries"
	id, err := strconv.ParseInt(chi.URLParam(r, "id"), 10, 64)
	if err != nil {
		return errNotFound
	}
	v.Title = "Replay " + strconv.FormatInt(id, 10)
	run, err := c.Desk.ReplayRun(r.Context(), id)
	if errors.Is(err, operate.ErrUnknown) {
		return errNotFound
	}
	data := replayRunData{ReplayRun: run, Path: replayPath(id)}
	for _, outcome := range store.AllOutcomes {
		if n := run.Outcomes[outcome]; n > 0 {
			data.Results = append(data.Results, replayResult{outcome, n})
		}
	}
	order.By(data.Results, func(a, b replayResult) int { return int(b.Count - a.Count) })
	v.Data = data
	return err
}

func (c *Console) cancelReplay(r *http.Request, v *view) (string, error) {
	id, err := strconv.ParseInt(chi.URLParam(r, "id"), 10, 64)
	if err != nil {
		return "", errNotFound
	}
	if _, err := c.Desk.CancelReplay(r.Context(), v.Me.Name, id); err != nil {
		return "", err
	}
	return replayPath(id) + "?said=replay-cancelled", nil
}
