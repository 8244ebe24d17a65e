package console

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"milepost/internal/operate"
	"milepost/internal/store"
)

func (c *Console) backfillRoutes(r chi.Router) {
	const one = "/connections/{location}/backfill"
	c.page(r, one, "backfill", c.backfillPage)
	c.action(r, one+"/count", "backfill", c.backfillPage, c.countBackfill)
	c.action(r, one, "backfill", c.backfillPage, c.startBackfill)
	c.action(r, one+"/cancel", "backfill", c.backfillPage, c.cancelBackfill)
}

// sinces are since when a backfill may look, in days; 0 = all.
var sinces = []struct {
	days int
	name string
}{{7, "the last 7 days"}, {30, "the last 30 days"}, {90, "the last 90 days"}, {365, "the last year"}, {0, "ever"}}

type backfillData struct {
	connectionData
	Run      *store.Backfill
	Progress store.Reconciliation
	Count    *operate.BackfillCount
	Token    string // of the count
	Why      string // it failed
	Sinces   []option
}

func (c *Console) backfillPage(r *http.Request, v *view) error {
	base, err := c.connectionOf(r, v, "Backfill")
	if err != nil {
		return err
	}
	data := backfillData{connectionData: base}
	run, ok, err := c.Desk.BackfillOf(r.Context(), base.LocationID)
	if err != nil {
		return err
	}
	if ok {
		data.Run, data.Progress = &run.Backfill, run.Search
	}
	if count, ok := c.Desk.BackfillCount(base.LocationID); ok {
		data.Count, data.Token = &count, strconv.FormatInt(count.Begun.UnixNano(), 10)
		if data.Why, err = vendorFailed(r, count.Failed); err != nil {
			data.Why = sentence(err)
		}
	}
	for _, s := range sinces {
		data.Sinces = append(data.Sinces, option{strconv.Itoa(s.days), s.name, s.days == 90})
	}
	v.Data = data
	return nil
}

func (c *Console) countBackfill(r *http.Request, _ *view) (string, error) {
	id, since := unescape(chi.URLParam(r, "location")), "all"
	days, err := strconv.Atoi(r.PostForm.Get("days"))
	if err != nil || days < 0 || days > 36500 {
		return "", problem("Choose how far back to look.")
	}
	if days > 0 {
		since = c.Now().AddDate(0, 0, -days).Format(time.DateOnly)
	}
	failed, err := vendorFailed(r, c.Desk.CountBackfill(r.Context(), id, since))
	if failed != "" {
		return "", problem(failed)
	}
	return connectionPath(id) + "/backfill", err
}

func (c *Console) startBackfill(r *http.Request, v *view) (string, error) {
	id := unescape(chi.URLParam(r, "location"))
	begun, err := strconv.ParseInt(r.PostForm.Get("counted"), 10, 64)
	if err == nil {
		err = c.Desk.StartBackfill(r.Context(), v.Me.Name, id, time.Unix(0, begun))
	} else {
		err = operate.ErrNotCounted
	}
	if errors.Is(err, operate.ErrNotCounted) {
		return "", problem("Nothing was begun, because " + err.Error() + ". Count again.")
	}
	return connectionPath(id) + "/backfill?said=backfill-begun", err
}

func (c *Console) cancelBackfill(r *http.Request, v *view) (string, error) {
	id := unescape(chi.URLParam(r, "location"))
	was, err := c.Desk.CancelBackfill(r.Context(), v.Me.Name, id)
	if err == nil && !was {
		return "", problem("No backfill of this location is running.")
	}
	return connectionPath(id) + "/backfill?said=backfill-cancelled", err
}

// Queued is how many records the run has queued.
func (d backfillData) Queued() int64 { return d.Progress.Differing }

// Differ is how many records differ, as far as it is counted.
func (d backfillData) Differ() int64 { return int64(d.Count.Records) }

// Changes is how many changes the backfill would make.
func (d backfillData) Changes() int64 { return int64(d.Count.Changes) }
