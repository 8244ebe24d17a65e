package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/go-chi/chi/v5"

	"milepost/internal/operate"
	"milepost/internal/store"
)

func (c *Console) attentionRoutes(r chi.Router) {
	c.page(r, "/attention", "attention", c.attentionPage)
	c.page(r, "/attention/{key}", "concern", c.concernPage)
	c.action(r, "/attention/{key}/retry", "concern", c.concernPage, c.retryConcern)
	c.action(r, "/attention/{key}/acknowledge", "concern", c.concernPage, c.acknowledge)
	c.action(r, "/attention/{key}/snooze", "concern", c.concernPage, c.snooze)
	c.action(r, "/attention/{key}/reopen", "concern", c.concernPage, c.reopen)
	c.action(r, "/attention/{key}/settle", "concern", c.concernPage, c.settleRequest)
	c.page(r, "/attention/{key}/allow", "allow", c.allowPage)
	c.action(r, "/attention/{key}/allow", "allow", c.allowPage, c.allowRemovals)
}

// openConcerns is how many concerns are open, for the navigation. A page is shown
// without it rather than not at all.
func (c *Console) openConcerns(ctx context.Context) int {
	v, err := c.Desk.Attention(ctx)
	if err != nil {
		c.Logger.Error().Err(err).Msg("could not count what needs attention")
	}
	return v.Open()
}

// concernTabs are the groups of concerns, by their name in the address.
var concernTabs = []struct {
	name, title, empty string
	states             []operate.ConcernState
}{
	{"", "Open", "Nothing needs you.", []operate.ConcernState{operate.ConcernOpen}},
	{"retrying", "Being retried", "Milepost retries nothing now.", []operate.ConcernState{operate.ConcernRetrying}},
	{"hushed", "Acknowledged and snoozed", "Nothing is acknowledged or snoozed.", []operate.ConcernState{operate.ConcernAcknowledged, operate.ConcernSnoozed}},
}

type attentionData struct {
	Tabs      []jobGroup
	Location  string
	Locations []option
	State     string
	Rows      []concernRow
	Empty     string
	More      bool // there are causes that are not looked for
	First     bool
	FirstURL  string
	OlderURL  string
}

type concernRow struct {
	operate.Concern
	Path        string
	Counted     string // "12 records"
	Where       string // the location
	ContactPath string // of the sample; "" = it is no contact's
}

// AtConnection reports whether the page of the connection is where to mend it.
func (r concernRow) AtConnection() bool {
	return r.LocationID != "" && (r.Kind == operate.ConcernConnection || r.Cause.Outcome == store.Auth)
}

func attentionURL(state, location, after string) string {
	q := url.Values{}
	for name, value := range map[string]string{"state": state, "location": location, "after": after} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return Path + "attention"
	}
	return Path + "attention?" + q.Encode()
}

// concernsOnPage is fewer than other pages have: each says what to do.
const concernsOnPage = 25

func (c *Console) attentionPage(r *http.Request, v *view) error {
	v.Title, v.Section = "Attention", "attention"
	all, err := c.Desk.Attention(r.Context())
	if err != nil {
		return err
	}
	in := r.URL.Query()
	data := attentionData{Location: in.Get("location"), More: all.More, First: in.Get("after") == ""}
	data.offer(all)
	tab := concernTabs[0]
	for _, t := range concernTabs {
		if t.name == in.Get("state") {
			tab = t
		}
	}
	var list []operate.Concern
	for _, t := range concernTabs {
		found := slices.DeleteFunc(all.In(t.states...), func(one operate.Concern) bool { return data.Location != "" && one.LocationID != data.Location })
		data.Tabs = append(data.Tabs, jobGroup{t.title, attentionURL(t.name, data.Location, ""), thousands(int64(len(found))), t.name == tab.name})
		if t.name == tab.name {
			list = found
		}
	}
	data.State, data.Empty, data.FirstURL = tab.name, tab.empty, attentionURL(tab.name, data.Location, "")
	// What was on the page before may be over by now: then it begins anew.
	list = list[1+slices.IndexFunc(list, func(one operate.Concern) bool { return one.Key == in.Get("after") }):]
	if len(list) > concernsOnPage {
		list = list[:concernsOnPage]
		data.OlderURL = attentionURL(tab.name, data.Location, list[concernsOnPage-1].Key)
	}
	for _, concern := range list {
		if err := c.Desk.ReadSample(r.Context(), &concern); err != nil {
			return err
		}
		row, err := c.concernRow(r.Context(), concern)
		if err != nil {
			return err
		}
		data.Rows = append(data.Rows, row)
	}
	v.Data = data
	return nil
}

// offer fills in the locations that something is about.
func (data *attentionData) offer(all operate.Attention) {
	data.Locations = []option{{"", "Any", data.Location == ""}}
	add := func(id, name string) {
		if !slices.ContainsFunc(data.Locations, func(o option) bool { return o.Value == id }) {
			data.Locations = append(data.Locations, option{id, cmp.Or(name, id), id == data.Location})
		}
	}
	for _, concern := range all.Concerns {
		add(concern.LocationID, concern.Location)
	}
	add(data.Location, "")
}

func concernPath(key string) string { return Path + "attention/" + url.PathEscape(key) }

func (c *Console) concernRow(ctx context.Context, concern operate.Concern) (concernRow, error) {
	row := concernRow{Concern: concern, Path: concernPath(concern.Key), Where: cmp.Or(concern.Location, concern.LocationID)}
	switch concern.Kind {
	case operate.ConcernFailing, operate.ConcernRemovals:
		row.Counted = most(concern.Count) + map[bool]string{true: " record", false: " records"}[concern.Count == 1]
	case operate.ConcernStuck:
		row.Counted = most(concern.Count) + map[bool]string{true: " webhook", false: " webhooks"}[concern.Count == 1]
	}
	if concern.Sample.ID == "" {
		return row, nil
	}
	contact := concern.Sample.ID
	if concern.Sample.Kind != "contact" {
		state, err := c.Desk.Store.EntityState(ctx, concern.Sample)
		if err != nil {
			return row, err
		}
		contact = state.ContactID
	}
	if contact != "" {
		row.ContactPath = contactPath(concern.LocationID, contact)
	}
	return row, nil
}

type concernData struct {
	concernRow
	Over       bool
	Automation string // the path of its automation; "" = none
	Requests   []store.Call
	Removals   []store.Removal
	Records    []recordRow
	First      bool
	OlderURL   string
}

func (c *Console) concernPage(r *http.Request, v *view) error {
	v.Title, v.Section = "Attention", "attention"
	key := chi.URLParam(r, "key")
	concern, err := c.Desk.Concern(r.Context(), key)
	if errors.Is(err, operate.ErrUnknown) {
		v.Title, v.Data = "It is over", concernData{Over: true}
		return nil
	} else if err != nil {
		return err
	}
	v.Title = concern.What
	data := concernData{First: true}
	if data.concernRow, err = c.concernRow(r.Context(), concern); err != nil {
		return err
	}
	id, err := c.Desk.AutomationID(r.Context(), concern)
	if err != nil {
		return err
	}
	if id != "" {
		data.Automation = automationPath(id)
	}
	if data.Requests, err = c.Desk.Requests(r.Context(), concern); err != nil {
		return err
	}
	data.Requests = data.Requests[:min(len(data.Requests), pageSize)]
	if data.Removals, err = c.Desk.RemovalsOf(r.Context(), concern, pageSize); err != nil {
		return err
	}
	if concern.Kind == operate.ConcernFailing {
		err = c.recordsWith(r, &data)
	}
	v.Data = data
	return err
}

// recordsWith lists the records of a concern.
func (c *Console) recordsWith(r *http.Request, data *concernData) error {
	in := r.URL.Query()
	after := store.Entity{LocationID: in.Get("location"), Kind: in.Get("kind"), ID: in.Get("id")}
	list, err := c.Desk.Store.RecordsWith(r.Context(), data.Key, after, pageSize+1)
	data.First = after == store.Entity{}
	if len(list) > pageSize {
		list = list[:pageSize]
		last := list[pageSize-1]
		data.OlderURL = data.Path + "?" + url.Values{"location": {last.LocationID}, "kind": {last.Kind}, "id": {last.ID}}.Encode()
	}
	for _, s := range list {
		data.Records = append(data.Records, rowOfRecord(s))
	}
	return err
}

// changedConcern answers an action on a concern.
func changedConcern(r *http.Request, err error, said string) (string, error) {
	switch {
	case errors.Is(err, operate.ErrUnknown):
		return Path + "attention?said=over", nil
	case errors.Is(err, operate.ErrNoRetry):
		return "", problem(sentence(err))
	}
	return concernPath(chi.URLParam(r, "key")) + "?said=" + said, err
}

func (c *Console) retryConcern(r *http.Request, v *view) (string, error) {
	done, err := c.Desk.Retry(r.Context(), v.Me.Name, chi.URLParam(r, "key"))
	if err == nil && done.Replay > 0 {
		return replayPath(done.Replay) + "?said=retry-began", nil
	}
	return changedConcern(r, err, "retried")
}

func (c *Console) acknowledge(r *http.Request, v *view) (string, error) {
	return changedConcern(r, c.Desk.Acknowledge(r.Context(), v.Me.Name, chi.URLParam(r, "key")), "acknowledged")
}

func (c *Console) snooze(r *http.Request, v *view) (string, error) {
	length, ok := operate.Snoozes[r.PostForm.Get("for")]
	if !ok {
		return "", problem("Choose for how long: an hour, a day, or a week.")
	}
	return changedConcern(r, c.Desk.Snooze(r.Context(), v.Me.Name, chi.URLParam(r, "key"), length), "snoozed")
}

func (c *Console) reopen(r *http.Request, v *view) (string, error) {
	return changedConcern(r, c.Desk.Reopen(r.Context(), v.Me.Name, chi.URLParam(r, "key")), "reopened")
}

// settleRequest says what became of a request, or lets a stopped automation go on.
func (c *Console) settleRequest(r *http.Request, v *view) (string, error) {
	id, err := strconv.ParseInt(r.PostForm.Get("id"), 10, 64)
	if err != nil {
		return "", errNotFound
	}
	switch r.PostForm.Get("as") {
	case "sent":
		_, err = c.Desk.SettleCall(r.Context(), v.Me.Name, id, false)
		return settled(r, err, "settled")
	case "again":
		superseded, err := c.Desk.SettleCall(r.Context(), v.Me.Name, id, true)
		if superseded {
			return settled(r, err, "superseded")
		}
		return settled(r, err, "sent-again")
	case "release":
		_, err = c.Desk.ReleaseCalls(r.Context(), v.Me.Name, id)
		return settled(r, err, "released")
	}
	return "", errNotFound
}

func settled(r *http.Request, err error, said string) (string, error) {
	if errors.Is(err, operate.ErrUnknown) {
		return "", problem("Somebody settled this request before you, or it is over.")
	}
	return concernPath(chi.URLParam(r, "key")) + "?said=" + said, err
}

type allowData struct {
	concernRow
	Over bool
}

func (c *Console) allowPage(r *http.Request, v *view) error {
	v.Title, v.Section = "Allow the removal", "attention"
	if !v.Operator() {
		return errForbidden
	}
	concern, err := c.Desk.Concern(r.Context(), chi.URLParam(r, "key"))
	if errors.Is(err, operate.ErrUnknown) || err == nil && concern.Kind != operate.ConcernRemovals {
		v.Title, v.Data = "It is over", allowData{Over: true}
		return nil
	} else if err != nil {
		return err
	}
	var data allowData
	data.concernRow, err = c.concernRow(r.Context(), concern)
	v.Data = data
	return err
}

func (c *Console) allowRemovals(r *http.Request, v *view) (string, error) {
	concern, err := c.Desk.Concern(r.Context(), chi.URLParam(r, "key"))
	if err == nil && concern.Kind == operate.ConcernRemovals {
		_, err = c.Desk.AllowRemovals(r.Context(), v.Me.Name, concern.LocationID)
	}
	if err != nil {
		return changedConcern(r, err, "")
	}
	return Path + "attention?said=allowed", nil
}
