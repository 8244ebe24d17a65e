package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"milepost/clients/calendarhero"
	"milepost/internal/connection"
	"milepost/internal/operate"
	"milepost/internal/store"
)

const (
	connectionsPath = Path + "connections"
	connectPath     = Path + "connect"
)

func connectionPath(locationID string) string {
	return connectionsPath + "/" + url.PathEscape(locationID)
}

func (c *Console) connectionRoutes(r chi.Router) {
	const one = "/connections/{location}"
	c.page(r, "/connections", "connections", c.connectionsPage)
	c.page(r, "/connect", "connect", c.connectPage)
	c.action(r, "/connect", "connect", c.connectPage, c.connect)
	c.action(r, "/connect/agency", "connect", c.connectPage, c.allowAgency)
	c.page(r, one, "connection", c.connectionPage)
	c.action(r, one+"/check", "connection", c.connectionPage, c.check)
	c.action(r, one+"/tokens", "connection", c.connectionPage, c.setTokens)
	c.page(r, one+"/disconnect", "disconnect", c.disconnectPage)
	c.action(r, one+"/disconnect", "disconnect", c.disconnectPage, c.disconnect)
	c.page(r, one+"/webhooks", "hooks", c.hooksPage)
	c.action(r, one+"/webhooks/take", "hooks", c.hooksPage, c.takeHooks)
	c.action(r, one+"/webhooks/release", "hooks", c.hooksPage, c.releaseHooks)
	c.page(r, one+"/links", "links", c.linksPage)
	c.action(r, one+"/links/calendar", "links", c.linksPage, c.newFeedLink)
	c.action(r, one+"/links/calendar/rotate", "links", c.linksPage, c.rotateFeedLink)
	c.action(r, one+"/links/calendar/end", "links", c.linksPage, c.endFeedLink)
	c.action(r, one+"/links/workflow", "links", c.linksPage, c.newWorkflowLink)
	c.action(r, one+"/links/workflow/end", "links", c.linksPage, c.endWorkflowLink)
}

// connectionState is how well a connection is served, in words.
type connectionState struct{ Name, Tone, Means string }

func stateOf(c operate.Connection) connectionState {
	switch {
	case c.ByOperator:
		return connectionState{"Disconnected", "calm", "An operator disconnected it. Milepost skips its events until somebody connects it again."}
	case c.State == store.ConnectionRemoved:
		return connectionState{"Uninstalled", "calm", "The app was uninstalled in HighLevel. Milepost skips its events until the app is installed again."}
	case c.State == store.ConnectionPending:
		return connectionState{"Waiting", "wait", "The app is installed, and Milepost waits for HighLevel's authorization. If it does not arrive within some minutes, connect the location again."}
	case c.State == store.ConnectionSuspended:
		return connectionState{"Suspended", "bad", "HighLevel does not serve the location now. Milepost keeps its authorization and continues when HighLevel does."}
	case c.State == store.ConnectionBroken:
		return connectionState{"Broken", "bad", "HighLevel rejects the authorization. Connect the location again. Its links and history stay."}
	case !c.Served:
		return connectionState{"Not served", "bad", "Milepost cannot work for it."}
	case c.Rejected != "":
		return connectionState{"Rejected", "bad", c.Rejected + "."}
	case c.Rotate, len(c.Missing) > 0:
		return connectionState{"Works, but needs you", "wait", "Milepost keeps it in step. See below what to do."}
	}
	return connectionState{"Works", "good", "Milepost keeps it in step."}
}

// sources are the ways to connect a location.
var sources = map[string]string{
	connection.FromOAuth: "By OAuth", connection.FromToken: "By Private Integration Token", connection.FromSettings: "By the settings of this Milepost",
}

// connectionRow is a connection as pages show it.
type connectionRow struct {
	operate.Connection
	Is   connectionState
	Path string
	How  string
	Days string // the age of the token
	Left string // of the day's calls
}

// Called is what the location is called.
func (r connectionRow) Called() string {
	if r.Name == "" {
		return r.LocationID
	}
	return r.Name
}

// Percent is the share of the day's calls that is left; -1 = not known.
func (r connectionRow) Percent(now time.Time) int {
	if percent, ok := r.Connection.Left(now); ok {
		return percent
	}
	return -1
}

func newConnectionRow(c operate.Connection, now time.Time) connectionRow {
	row := connectionRow{Connection: c, Is: stateOf(c), Path: connectionPath(c.LocationID), How: sources[c.Source]}
	if c.TokenAge != nil {
		if row.Days = "less than a day"; *c.TokenAge >= 24*time.Hour {
			row.Days = plural(int64(*c.TokenAge/(24*time.Hour)), "day", "days")
		}
	}
	if _, ok := c.Left(now); ok {
		row.Left = thousands(int64(c.Budget.DailyRemaining)) + " of " + thousands(int64(c.Budget.DailyMax)) + " calls left today"
	}
	return row
}

type connectionsData struct {
	List     []connectionRow
	First    bool
	OlderURL string
	Now      time.Time
}

func (c *Console) connectionsPage(r *http.Request, v *view) error {
	v.Title, v.Section = "Connections", "connections"
	after := r.URL.Query().Get("after")
	list, next, err := c.Desk.ConnectionPage(r.Context(), after, pageSize)
	data := connectionsData{First: after == "", Now: c.Now()}
	for _, one := range list {
		data.List = append(data.List, newConnectionRow(one, data.Now))
	}
	if next != "" {
		data.OlderURL = connectionsPath + "?" + url.Values{"after": {next}}.Encode()
	}
	v.Data = data
	return err
}

// connectData is how a location can be connected.
type connectData struct {
	Install  operate.Install
	Location string // as it was typed
	Agency   string
}

func (c *Console) connectPage(r *http.Request, v *view) error {
	v.Title, v.Section = "Connect a location", "connections"
	if !v.Operator() {
		return errForbidden
	}
	install, err := c.Desk.Install(r.Context())
	v.Data = connectData{Install: install, Location: r.PostFormValue("location"), Agency: r.PostFormValue("agency")}
	return err
}

// inAddress finds the id of a location in the address of one of HighLevel's pages.
var inAddress = regexp.MustCompile(`/location/([A-Za-z0-9]+)`)

// locationID is the id in what a person typed: the id, or an address that holds it.
func locationID(typed string) string {
	typed = strings.TrimSpace(typed)
	if found := inAddress.FindStringSubmatch(typed); found != nil {
		return found[1]
	}
	return typed
}

var isID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// tokens reads the tokens of a form, or says what is wrong with them.
func tokens(r *http.Request) (highLevel, calendarHero string, err error) {
	for name, to := range map[string]*string{"highlevel": &highLevel, "calendarhero": &calendarHero} {
		*to = strings.TrimSpace(r.PostForm.Get(name))
		if word, rest, _ := strings.Cut(*to, " "); strings.EqualFold(word, "bearer") {
			*to = strings.TrimSpace(rest)
		}
		if strings.ContainsAny(*to, " \t\r\n") {
			return "", "", problem("A token has no spaces in it. Copy it again.")
		}
	}
	if highLevel == "" && calendarHero == "" {
		return "", "", problem("Paste at least one token.")
	}
	return highLevel, calendarHero, nil
}

// setTokensOf tries and stores the tokens of a form.
func (c *Console) setTokensOf(r *http.Request, v *view, location string) error {
	if !isID.MatchString(location) {
		return problem("This is no location id. Copy the part after /location/ in the address of one of HighLevel's pages, or the whole address.")
	}
	highLevel, calendarHero, err := tokens(r)
	if err != nil {
		return err
	}
	err = c.Desk.ConnectByTokens(r.Context(), v.Me.Name, location, highLevel, calendarHero, false)
	if rejected, ok := errors.AsType[*connection.Rejected](err); ok {
		return problem("Nothing was stored, because the vendors were asked and this does not work. " + strings.ReplaceAll(sentence(rejected), "\n", ". "))
	}
	if absent, ok := errors.AsType[*connection.NotConnected](err); ok {
		return problem(sentence(absent))
	}
	return err
}

func (c *Console) connect(r *http.Request, v *view) (string, error) {
	id := locationID(r.PostForm.Get("location"))
	return connectionPath(id) + "?said=connected", c.setTokensOf(r, v, id)
}

func (c *Console) allowAgency(r *http.Request, v *view) (string, error) {
	agency := strings.TrimSpace(r.PostForm.Get("agency"))
	if !isID.MatchString(agency) {
		return "", problem("This is no agency id. The page that rejected the installation shows the id.")
	}
	err := c.Desk.AllowAgency(r.Context(), v.Me.Name, agency)
	if errors.Is(err, operate.ErrIsLocation) {
		return "", problem(sentence(err))
	}
	return connectPath + "?said=agency-allowed", err
}

// connectionTab is a part of what can be done with a connection.
type connectionTab struct {
	Name, Link string
	Current    bool
}

type connectionData struct {
	connectionRow
	Tabs    []connectionTab
	Install operate.Install
	Others  []string // locations that share the CalendarHero account, some of them
	More    int      // and how many there are more
	Checked []operate.CheckLine
	Now     time.Time
}

// connectionOf reads the connection that an address names, for a tab.
func (c *Console) connectionOf(r *http.Request, v *view, tab string) (data connectionData, err error) {
	v.Section = "connections"
	id := unescape(chi.URLParam(r, "location"))
	one, ok, err := c.Desk.Connection(r.Context(), id)
	if err != nil {
		return data, err
	}
	if !ok {
		return data, errNotFound
	}
	data.Now = c.Now()
	data.connectionRow = newConnectionRow(one, data.Now)
	v.Title = data.Called()
	for _, t := range []struct{ name, path string }{{"State", ""}, {"Webhooks", "/webhooks"}, {"Links", "/links"}, {"Backfill", "/backfill"}} {
		data.Tabs = append(data.Tabs, connectionTab{t.name, data.Path + t.path, t.name == tab})
	}
	return data, nil
}

func (c *Console) connectionPage(r *http.Request, v *view) error {
	data, err := c.connectionOf(r, v, "State")
	if err != nil {
		return err
	}
	if data.Install, err = c.Desk.Install(r.Context()); err != nil {
		return err
	}
	if data.Account != nil {
		const most = 5
		others := slices.DeleteFunc(slices.Clone(data.Account.Locations), func(id string) bool { return id == data.LocationID })
		data.More = max(0, len(others)-most)
		data.Others = others[:min(len(others), most)]
	}
	data.Checked, _ = v.Result.([]operate.CheckLine)
	v.Data = data
	return nil
}

// checkTime is how long a page waits for a check.
const checkTime = 25 * time.Second

func (c *Console) check(r *http.Request, v *view) (string, error) {
	if _, err := c.connectionOf(r, v, ""); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(r.Context(), checkTime)
	defer cancel()
	lines := []operate.CheckLine{}
	check := &operate.Check{Say: func(line operate.CheckLine) { lines = append(lines, line) }}
	c.Desk.CheckLocation(ctx, check, unescape(chi.URLParam(r, "location")))
	v.Result = lines
	return "", r.Context().Err()
}

func (c *Console) setTokens(r *http.Request, v *view) (string, error) {
	id := unescape(chi.URLParam(r, "location"))
	return connectionPath(id) + "?said=connected", c.setTokensOf(r, v, id)
}

type disconnectData struct {
	connectionData
	Would []string
}

func (c *Console) disconnectPage(r *http.Request, v *view) error {
	if !v.Operator() {
		return errForbidden
	}
	data, err := c.connectionOf(r, v, "")
	if err != nil {
		return err
	}
	v.Title = "Disconnect " + data.Called()
	would, err := c.Desk.WouldDisconnect(r.Context(), data.LocationID)
	v.Data = disconnectData{data, would}
	return err
}

func (c *Console) disconnect(r *http.Request, v *view) (string, error) {
	id := unescape(chi.URLParam(r, "location"))
	said, err := c.Desk.Disconnect(r.Context(), v.Me.Name, id)
	if errors.Is(err, operate.ErrUnknown) {
		return "", errNotFound
	}
	next := connectionPath(id) + "?said=disconnected"
	if strings.Contains(said, "remain") || strings.Contains(said, "could not") {
		next += "-hooks"
	}
	return next, err
}

// hookRow is the webhook of one event.
type hookRow struct {
	store.Hook
	By, Tone string
}

type hooksData struct {
	connectionData
	Hooks   []hookRow
	Public  bool // Milepost knows its address
	Ask     []connection.OtherHook
	Unread  []store.Hook
	Counted int // events that Milepost receives
}

func newHookRow(h store.Hook) hookRow {
	switch {
	case h.State == store.HookOurs && !h.Unverifiable():
		return hookRow{h, "Milepost", "good"}
	case h.State == store.HookForeign:
		return hookRow{h, "Another tool", "bad"}
	case h.State == store.HookOff:
		return hookRow{h, "Nobody: released", "calm"}
	case h.State == "":
		return hookRow{h, "Not checked yet", "wait"}
	}
	return hookRow{h, "Not known", "wait"}
}

func (c *Console) hooksPage(r *http.Request, v *view) error {
	base, err := c.connectionOf(r, v, "Webhooks")
	if err != nil {
		return err
	}
	data := hooksData{connectionData: base, Public: c.Desk.Connections.Address() != ""}
	if data.Account != nil {
		for _, h := range data.Account.Hooks {
			row := newHookRow(h)
			if row.Tone == "good" {
				data.Counted++
			}
			data.Hooks = append(data.Hooks, row)
		}
	}
	switch result := v.Result.(type) {
	case []connection.OtherHook:
		data.Ask = result
	case []store.Hook:
		data.Unread = result
	}
	v.Data = data
	return nil
}

// hookProblem makes a problem of why the webhooks of a location cannot be changed.
func hookProblem(r *http.Request, err error) error {
	if errors.Is(err, operate.ErrNoPublicURL) {
		return problem(sentence(err))
	}
	failed, err := vendorFailed(r, err)
	if failed != "" {
		return problem(failed)
	}
	return err
}

func (c *Console) takeHooks(r *http.Request, v *view) (string, error) {
	id, events := unescape(chi.URLParam(r, "location")), calendarhero.Events
	if event := r.PostForm.Get("event"); event != "" {
		if !slices.Contains(events, event) {
			return "", errNotFound
		}
		events = []string{event}
	}
	_, others, err := c.Desk.TakeHooks(r.Context(), v.Me.Name, id, events, r.PostForm.Get("replace") == "yes")
	if _, ok := errors.AsType[*operate.OthersRegistered](err); ok {
		v.Result = others
		return "", nil
	}
	return connectionPath(id) + "/webhooks?said=hooks-taken", hookProblem(r, err)
}

func (c *Console) releaseHooks(r *http.Request, v *view) (string, error) {
	id := unescape(chi.URLParam(r, "location"))
	_, unread, err := c.Desk.ReleaseHooks(r.Context(), v.Me.Name, id, r.PostForm.Get("anyway") == "yes")
	if errors.Is(err, operate.ErrUnread) {
		v.Result = unread
		return "", nil
	}
	return connectionPath(id) + "/webhooks?said=hooks-released", hookProblem(r, err)
}

// newLink is a link that was just made. Nothing shows it again.
type newLink struct{ What, URL, Then string }

type feedRow struct {
	store.FeedKey
	ID, Shows string
}

type workflowRow struct {
	store.WorkflowKey
	ID      string
	Expired bool
}

type linksData struct {
	connectionData
	New       *newLink
	Feeds     []feedRow
	Workflows []workflowRow
	Public    bool
}

func (c *Console) linksPage(r *http.Request, v *view) error {
	base, err := c.connectionOf(r, v, "Links")
	if err != nil {
		return err
	}
	data := linksData{connectionData: base, Public: c.Desk.Connections.Address() != ""}
	data.New, _ = v.Result.(*newLink)
	feeds, err := c.Desk.Store.FeedKeys(r.Context(), base.LocationID)
	if err != nil {
		return err
	}
	for _, k := range feeds {
		row := feedRow{k, operate.KeyID(k.Digest), "everything"}
		switch {
		case k.Feed.ContactID != "":
			row.Shows = "contact " + k.Feed.ContactID
		case k.Feed.AssignedTo != "":
			row.Shows = "what is assigned to the user " + k.Feed.AssignedTo
		}
		data.Feeds = append(data.Feeds, row)
	}
	workflows, err := c.Desk.Store.WorkflowKeys(r.Context(), base.LocationID)
	for _, k := range workflows {
		data.Workflows = append(data.Workflows, workflowRow{k, operate.KeyID(k.Digest), !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(data.Now)})
	}
	v.Data = data
	return err
}

// linkProblem makes a problem of why a link cannot be made or ended.
func linkProblem(r *http.Request, err error) error {
	if _, ok := errors.AsType[*operate.NoKey](err); ok {
		return problem("This link has ended already.")
	}
	return hookProblem(r, err)
}

// showLink has the page show a link that was made, or says why none was.
func (c *Console) showLink(r *http.Request, v *view, err error, link newLink) error {
	if err != nil {
		return linkProblem(r, err)
	}
	v.Result = &link
	return nil
}

func (c *Console) newFeedLink(r *http.Request, v *view) (string, error) {
	feed := store.Feed{LocationID: unescape(chi.URLParam(r, "location"))}
	whose := strings.TrimSpace(r.PostForm.Get("id"))
	switch of := r.PostForm.Get("of"); {
	case of == "all":
	case of != "contact" && of != "user":
		return "", problem("Choose what the calendar shows.")
	case !isID.MatchString(whose):
		return "", problem("Give the id of the " + of + ", as the address of the " + of + " in HighLevel shows it.")
	case of == "contact":
		feed.ContactID = whose
	default:
		feed.AssignedTo = whose
	}
	ctx, cancel := context.WithTimeout(r.Context(), dryRun)
	defer cancel()
	link, err := c.Desk.NewFeedLink(ctx, v.Me.Name, feed, false)
	return "", c.showLink(r, v, err, newLink{"calendar", link, "Subscribe to it in the calendar that CalendarHero reads. Anyone who knows it can read the names, dates and notes in it."})
}

func (c *Console) rotateFeedLink(r *http.Request, v *view) (string, error) {
	link, err := c.Desk.RotateFeedLink(r.Context(), v.Me.Name, unescape(chi.URLParam(r, "location")), r.PostForm.Get("id"))
	return "", c.showLink(r, v, err, newLink{"calendar", link, "The old link has ended. Subscribe again with this one."})
}

func (c *Console) endFeedLink(r *http.Request, v *view) (string, error) {
	id := unescape(chi.URLParam(r, "location"))
	_, err := c.Desk.EndFeedLinks(r.Context(), v.Me.Name, id, r.PostForm.Get("id"))
	return connectionPath(id) + "/links?said=link-ended", linkProblem(r, err)
}

// overlaps are how long the older workflow links may go on.
var overlaps = map[string]time.Duration{"0": 0, "1": 24 * time.Hour, "7": 7 * 24 * time.Hour, "30": 30 * 24 * time.Hour}

func (c *Console) newWorkflowLink(r *http.Request, v *view) (string, error) {
	var until time.Time
	then := "Paste it into the Webhook action of a workflow in HighLevel. Anyone who knows it can send webhooks for the location."
	if days := r.PostForm.Get("overlap"); days != "" && days != "keep" {
		overlap, ok := overlaps[days]
		if !ok {
			return "", problem("Choose what becomes of the older links.")
		}
		until = c.Now().Add(overlap)
		then += " The older links work until " + until.UTC().Format("2 Jan 2006 15:04 UTC") + "."
	}
	link, err := c.Desk.NewWorkflowLink(r.Context(), v.Me.Name, unescape(chi.URLParam(r, "location")), until)
	return "", c.showLink(r, v, err, newLink{"workflow", link, then})
}

func (c *Console) endWorkflowLink(r *http.Request, v *view) (string, error) {
	id := unescape(chi.URLParam(r, "location"))
	_, err := c.Desk.EndWorkflowLinks(r.Context(), v.Me.Name, id, r.PostForm.Get("id"))
	return connectionPath(id) + "/links?said=link-ended", linkProblem(r, err)
}
