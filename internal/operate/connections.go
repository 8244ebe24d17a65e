package operate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/internal/connection"
	"milepost/internal/secret"
	"milepost/internal/store"
	"milepost/mapping"
)

// Connection is a location that was ever connected, and how it is served.
type Connection struct {
	store.Connection
	Served bool   // Milepost works for it
	Todo   string // why it is not served, or what to do soon; "" = nothing

	Rejected string // what a vendor rejects since it was connected, as under Attention; "" = nothing

	TokenAge *time.Duration // of its Private Integration Token; nil = it has none, or its age is not known
	Rotate   bool           // the token should be rotated
	Granted  *connection.Granted
	Missing  []MissingScopes // nil = none, or it is not known

	Budget store.Budget
	Called time.Time // when a call to HighLevel last succeeded; zero = not known

	Account *connection.HookReport // nil = it has no CalendarHero account, or is not active
	OwnHero bool                   // it has a CalendarHero token of its own
	Booked  time.Time              // when a call to CalendarHero last succeeded; zero = not known
}

// Left is the share of the day's calls that is left: see Location.Left.
func (c Connection) Left(now time.Time) (percent int, ok bool) {
	return Location{c.Connection, c.Budget}.Left(now)
}

// vendors is what is known of all locations together.
type vendors struct {
	budgets map[string]store.Budget
	called  map[string]time.Time
	reports []connection.HookReport
	open    []Concern
}

func (d *Desk) vendors(ctx context.Context) (v vendors, err error) {
	if v.budgets, err = d.Store.Budgets(ctx); err != nil {
		return v, err
	}
	if v.called, err = d.Store.LastCalls(ctx); err != nil {
		return v, err
	}
	if v.reports, err = d.Connections.HookReports(ctx); err != nil {
		return v, err
	}
	attention, err := d.Attention(ctx)
	v.open = attention.Concerns
	return v, err
}

// ConnectionPage lists up to limit connections after a location id, by location id. Next
// is the id to go on after; "" = there are no more.
func (d *Desk) ConnectionPage(ctx context.Context, after string, limit int) (list []Connection, next string, err error) {
	all, err := d.Store.Connections(ctx)
	if err != nil {
		return nil, "", err
	}
	at, found := slices.BinarySearchFunc(all, after, func(c store.Connection, id string) int { return strings.Compare(c.LocationID, id) })
	if found {
		at++
	}
	if all = all[at:]; limit > 0 && len(all) > limit {
		all, next = all[:limit], all[limit-1].LocationID
	}
	v, err := d.vendors(ctx)
	if err != nil {
		return nil, "", err
	}
	for _, c := range all {
		one, err := d.connection(ctx, c, v)
		if err != nil {
			return nil, "", err
		}
		list = append(list, one)
	}
	return list, next, nil
}

// Connection reads one; ok is false if the location was never connected.
func (d *Desk) Connection(ctx context.Context, locationID string) (out Connection, ok bool, err error) {
	c, ok, err := d.Store.Connection(ctx, locationID)
	if err != nil || !ok {
		return out, false, err
	}
	v, err := d.vendors(ctx)
	if err != nil {
		return out, false, err
	}
	out, err = d.connection(ctx, c, v)
	return out, err == nil, err
}

func (d *Desk) connection(ctx context.Context, c store.Connection, v vendors) (Connection, error) {
	out := Connection{Connection: c, Todo: c.Problem, Budget: v.budgets[c.LocationID], Called: v.called[connection.LocationLane(c.LocationID)]}
	age, rotate, ok, err := d.Connections.TokenAge(ctx, c)
	switch {
	case errors.Is(err, secret.ErrUnknownKey):
		out.Todo = err.Error()
	case err != nil:
		return out, err
	case ok:
		out.TokenAge, out.Rotate = &age, rotate
	}
	_, err = d.Connections.Lookup(ctx, c.LocationID)
	absent := errors.As(err, new(*connection.NotConnected))
	switch {
	case err == nil:
		out.Served = c.State == store.ConnectionActive
	case !absent && !errors.Is(err, secret.ErrUnknownKey):
		return out, err
	case c.State != store.ConnectionRemoved:
		out.Todo = err.Error()
	}
	if rotate {
		out.Todo = strings.TrimPrefix(out.Todo+"; rotate the token", "; ")
	}
	for _, concern := range v.open {
		if (concern.Kind == ConcernFailing || concern.Kind == ConcernConnection) && concern.LocationID == c.LocationID && concern.Cause.Outcome == store.Auth && !concern.LastAt.Before(c.UpdatedAt) {
			out.Rejected, out.Todo = concern.What, strings.TrimPrefix(out.Todo+"; ", "; ")+concern.Todo
			break
		}
	}
	if err := d.granted(ctx, &out); err != nil {
		return out, err
	}
	if out.OwnHero, err = d.Connections.OwnAccount(ctx, c.LocationID); err != nil {
		return out, err
	}
	for i := range v.reports {
		if slices.Contains(v.reports[i].Locations, c.LocationID) {
			out.Account, out.Booked = &v.reports[i], v.called[connection.AccountLane(v.reports[i].ID)]
		}
	}
	return out, nil
}

// granted reads what HighLevel granted for a location, and what of it is missing.
func (d *Desk) granted(ctx context.Context, c *Connection) error {
	if c.Source != connection.FromOAuth || c.State == store.ConnectionRemoved {
		return nil
	}
	granted, ok, err := d.Connections.Granted(ctx, c.LocationID)
	switch {
	case errors.Is(err, secret.ErrUnknownKey):
		return nil // it is said already
	case err != nil || !ok:
		return err
	}
	c.Granted = &granted
	if d.Automations != nil && len(granted.Scopes) > 0 {
		c.Missing = missingScopes(granted.Scopes, d.Automations.Set())
	}
	return nil
}

// ConnectByTokens connects a location by a Private Integration Token of HighLevel, by a
// CalendarHero token or by both; "" leaves what there is. They are tried first, unless
// force is set: *connection.Rejected then says why nothing was stored.
func (d *Desk) ConnectByTokens(ctx context.Context, who, locationID, highLevel, calendarHero string, force bool) error {
	name := ""
	if !force {
		var err error
		trying, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if name, err = d.Connections.Try(trying, locationID, highLevel, calendarHero); err != nil {
			return err
		}
	}
	if err := d.Connections.Set(ctx, locationID, highLevel, calendarHero); err != nil {
		return err
	}
	if err := d.Store.NoteLocation(ctx, locationID, name, ""); err != nil {
		return err
	}
	var what []string
	if highLevel != "" {
		what = append(what, "HighLevel")
	}
	if calendarHero != "" {
		what = append(what, "CalendarHero")
	}
	return d.note(ctx, who, "set the token of "+strings.Join(what, " and ")+" for", locationName(locationID))
}

// locationName is what a location is called in the audit log.
func locationName(id string) string { return "location " + id }

// AllowAgency allows an agency to connect its locations by OAuth. Nothing revokes it.
func (d *Desk) AllowAgency(ctx context.Context, who, companyID string) error {
	if _, err := d.WouldAllow(ctx, companyID); err != nil {
		return err
	}
	if err := d.Store.AllowAgency(ctx, companyID, d.Now()); err != nil {
		return err
	}
	return d.note(ctx, who, "allowed", "agency "+companyID)
}

// ErrIsLocation says that the id of an agency was wanted.
var ErrIsLocation = errors.New("this is the id of a location; give that of its agency (companyId)")

// WouldAllow says what AllowAgency would do, a line each. It fails with ErrIsLocation if the
// id is that of a known location.
func (d *Desk) WouldAllow(ctx context.Context, companyID string) (would []string, err error) {
	if _, is, err := d.Store.Connection(ctx, companyID); err != nil || is {
		return nil, cmp.Or(err, ErrIsLocation)
	}
	return []string{
		fmt.Sprintf("Agency %s could connect all of its locations. Locations without their own CalendarHero account would use the one of MILEPOST_CALENDARHERO_TOKEN.", companyID),
		"No command revokes the permission. Nobody gets mail now. Once a location is connected, its automations mail the people that they invite.",
	}, nil
}

// WouldDisconnect says what Disconnect would do, a line each.
func (d *Desk) WouldDisconnect(ctx context.Context, locationID string) (would []string, err error) {
	if err := d.KnowsLocation(ctx, locationID); err != nil {
		return nil, err
	}
	feeds, err := d.Store.FeedKeys(ctx, locationID)
	if err != nil {
		return nil, err
	}
	workflows, err := d.Store.WorkflowKeys(ctx, locationID)
	if err != nil {
		return nil, err
	}
	would = []string{
		fmt.Sprintf("The tokens of location %s would be deleted, and its workflow and feed URLs (%d and %d) would stop working. Its events would be skipped.", locationID, len(workflows), len(feeds)),
	}
	if account, ok, err := d.Connections.AccountOf(ctx, locationID); err == nil && ok && len(account.Locations) == 1 {
		would = append(would, "It is the last location of its CalendarHero account, so Milepost's webhooks there would be deleted.")
	}
	return append(would, "Items in CalendarHero would stay, and nobody would get mail."), nil
}

// Disconnect deletes the tokens of a location. said is what a person should know of the
// webhooks of its CalendarHero account; "" = nothing.
func (d *Desk) Disconnect(ctx context.Context, who, locationID string) (said string, err error) {
	if _, ok, err := d.Store.Connection(ctx, locationID); err != nil || !ok {
		return "", errors.Join(err, fmt.Errorf("location %s: %w", locationID, ErrUnknown))
	}
	if said, err = d.Connections.Remove(ctx, locationID); err != nil {
		return said, err
	}
	return said, d.note(ctx, who, "disconnected", locationName(locationID))
}

// ErrUnread means that webhooks that were to be released may belong to another tool by
// now. Nothing was changed.
var ErrUnread = errors.New("nothing was changed: some webhooks cannot be read, and may belong to another tool by now")

// OthersRegistered means that another tool receives, or may receive, events that
// Milepost was to take. Nothing was changed.
type OthersRegistered struct{ Others []connection.OtherHook }

func (o *OthersRegistered) Error() string {
	return fmt.Sprintf("nothing was changed: another tool receives, or may receive, %d of the events", len(o.Others))
}

// ErrNoPublicURL means that CalendarHero cannot be told where to send its webhooks.
var ErrNoPublicURL = errors.New("set MILEPOST_PUBLIC_URL to the address at which CalendarHero reaches this Milepost")

// account is the CalendarHero account of a location.
func (d *Desk) account(ctx context.Context, locationID string) (connection.Account, error) {
	account, ok, err := d.Connections.AccountOf(ctx, locationID)
	if err == nil && !ok {
		err = &connection.NotConnected{Why: fmt.Sprintf("location %s is not active, or has no CalendarHero account; `milepost connections` lists those that are", locationID)}
	}
	return account, err
}

// TakeHooks registers Milepost for events of the CalendarHero account of a location.
// Without replace it fails with *OthersRegistered if another tool receives one of them.
// It returns the tools that it replaced.
func (d *Desk) TakeHooks(ctx context.Context, who, locationID string, events []string, replace bool) (hooks []store.Hook, others []connection.OtherHook, err error) {
	if d.Connections.Address() == "" {
		return nil, nil, ErrNoPublicURL
	}
	account, err := d.account(ctx, locationID)
	if err != nil {
		return nil, nil, err
	}
	if others, err = d.Connections.OtherHooks(ctx, account, events); err != nil {
		return nil, nil, err
	}
	if len(others) > 0 && !replace {
		return nil, others, &OthersRegistered{others}
	}
	if hooks, err = d.Connections.TakeHooks(ctx, account, events); err != nil {
		return nil, nil, err
	}
	what := "registered the webhooks of CalendarHero of"
	if len(events) < len(calendarhero.Events) {
		what = "registered the webhook " + strings.Join(events, ", ") + " of CalendarHero of"
	}
	return hooks, others, d.note(ctx, who, what, locationName(locationID))
}

// ReleaseHooks deletes Milepost's webhooks at the CalendarHero account of a location, and
// registers none there until TakeHooks. unread are those of which it cannot be read who
// receives them; unless anyway is set, it fails with ErrUnread if there are some.
func (d *Desk) ReleaseHooks(ctx context.Context, who, locationID string, anyway bool) (hooks, unread []store.Hook, err error) {
	account, err := d.account(ctx, locationID)
	if err != nil {
		return nil, nil, err
	}
	known, err := d.Store.HooksOf(ctx, account.ID)
	if err != nil {
		return nil, nil, err
	}
	unread = slices.DeleteFunc(known, func(h store.Hook) bool { return !h.Unverifiable() })
	if len(unread) > 0 && !anyway {
		return nil, unread, fmt.Errorf("%w: %d webhooks", ErrUnread, len(unread))
	}
	if hooks, err = d.Connections.ReleaseHooks(ctx, account, anyway); err != nil {
		return nil, unread, err
	}
	return hooks, unread, d.note(ctx, who, "released the webhooks of CalendarHero of", locationName(locationID))
}

// keyIDLength is how much of a digest names a key for people.
const keyIDLength = 8

// KeyID names a key in a URL for people.
func KeyID(digest string) string { return digest[:min(keyIDLength, len(digest))] }

// NoKey means that a location has no key of an id.
type NoKey struct{ ID string }

func (n *NoKey) Error() string { return fmt.Sprintf("the location has no key %q", n.ID) }

// named lists the digests that an id names, or those of all keys.
func named[K any](keys []K, digest func(K) string, id string) (digests []string, err error) {
	for _, k := range keys {
		if d := digest(k); id == "all" || len(id) >= keyIDLength && strings.HasPrefix(d, strings.ToLower(id)) {
			digests = append(digests, d)
		}
	}
	if len(digests) == 0 {
		err = &NoKey{id}
	}
	return digests, err
}

func workflowDigest(k store.WorkflowKey) string { return k.Digest }
func feedDigest(k store.FeedKey) string         { return k.Digest }

// NewWorkflowLink makes a URL for the workflow webhooks of a location, which nothing
// shows again. The location's other URLs stop working at a time; zero = they do not.
func (d *Desk) NewWorkflowLink(ctx context.Context, who, locationID string, othersUntil time.Time) (link string, err error) {
	key, err := d.Connections.NewWorkflowKey(ctx, locationID, othersUntil)
	if err != nil {
		return "", err
	}
	what := "created a workflow link for"
	if !othersUntil.IsZero() {
		what = "rotated the workflow links of"
	}
	return d.Connections.URL(connection.WorkflowPath + key), d.note(ctx, who, what, locationName(locationID))
}

// WorkflowLinks returns the digests of a location's workflow URL by its id, or of all. It
// fails with *NoKey if there is none.
func (d *Desk) WorkflowLinks(ctx context.Context, locationID, id string) ([]string, error) {
	keys, err := d.Store.WorkflowKeys(ctx, locationID)
	if err != nil {
		return nil, err
	}
	return named(keys, workflowDigest, id)
}

// EndWorkflowLinks revokes a location's workflow URL by its id, or all, and returns how many.
func (d *Desk) EndWorkflowLinks(ctx context.Context, who, locationID, id string) (int64, error) {
	digests, err := d.WorkflowLinks(ctx, locationID, id)
	if err != nil {
		return 0, err
	}
	n, err := d.Store.RevokeWorkflowKeys(ctx, digests...)
	if err != nil {
		return n, err
	}
	return n, d.note(ctx, who, "ended the workflow link "+id+" of", locationName(locationID))
}

// findTime bounds how long it is asked whether a feed would show anybody.
const findTime = time.Minute

// NewFeedLink makes the URL of a calendar, which nothing shows again. It fails if
// HighLevel does not know the contact or user whose it is, unless force is set: a
// calendar of nobody would stay empty without a word.
func (d *Desk) NewFeedLink(ctx context.Context, who string, feed store.Feed, force bool) (link string, err error) {
	if !force {
		if err := d.findOwner(ctx, feed); err != nil {
			return "", err
		}
	}
	key, err := d.Connections.NewFeedKey(ctx, feed)
	if err != nil {
		return "", err
	}
	return d.Connections.URL(connection.CalendarPath + key + ".ics"), d.note(ctx, who, "created a calendar link for", locationName(feed.LocationID))
}

func (d *Desk) findOwner(ctx context.Context, feed store.Feed) error {
	if feed.ContactID == "" && feed.AssignedTo == "" {
		return nil
	}
	conn, err := d.Connections.Lookup(ctx, feed.LocationID)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	if feed.ContactID != "" {
		_, err := conn.HighLevel.Contact(ctx, feed.ContactID)
		return err
	}
	users, err := conn.HighLevel.Users(ctx, feed.LocationID)
	if err != nil {
		return err
	}
	known := make([]mapping.User, len(users))
	for i, u := range users {
		if known[i] = (mapping.User{ID: u.ID, Name: u.Name, Email: u.Email}); u.ID == feed.AssignedTo {
			return nil
		}
	}
	why := fmt.Sprintf("location %s has no user with the id %s", feed.LocationID, feed.AssignedTo)
	if near := mapping.NearestUser(feed.AssignedTo, known); near != "" {
		why += "; did you mean " + near + "?"
	}
	return &connection.NotConnected{Why: why}
}

// RotateFeedLink makes a new URL for the calendar that has a URL of that id. The old
// one stops working.
func (d *Desk) RotateFeedLink(ctx context.Context, who, locationID, id string) (link string, err error) {
	keys, err := d.Store.FeedKeys(ctx, locationID)
	if err != nil {
		return "", err
	}
	digests, err := named(keys, feedDigest, cmp.Or(id, "?"))
	if err != nil {
		return "", err
	}
	at := slices.IndexFunc(keys, func(k store.FeedKey) bool { return k.Digest == digests[0] })
	key, err := d.Connections.NewFeedKey(ctx, keys[at].Feed)
	if err != nil {
		return "", err
	}
	if _, err := d.Store.RevokeFeedKeys(ctx, digests[0]); err != nil {
		return "", err
	}
	return d.Connections.URL(connection.CalendarPath + key + ".ics"), d.note(ctx, who, "rotated the calendar link "+KeyID(digests[0])+" of", locationName(locationID))
}

// FeedLinks returns the digests of a location's calendar URL by its id, or of all. It fails
// with *NoKey if there is none.
func (d *Desk) FeedLinks(ctx context.Context, locationID, id string) ([]string, error) {
	keys, err := d.Store.FeedKeys(ctx, locationID)
	if err != nil {
		return nil, err
	}
	return named(keys, feedDigest, id)
}

// EndFeedLinks revokes a location's calendar URL by its id, or all, and returns how many.
func (d *Desk) EndFeedLinks(ctx context.Context, who, locationID, id string) (int64, error) {
	digests, err := d.FeedLinks(ctx, locationID, id)
	if err != nil {
		return 0, err
	}
	n, err := d.Store.RevokeFeedKeys(ctx, digests...)
	if err != nil {
		return n, err
	}
	return n, d.note(ctx, who, "ended the calendar link "+id+" of", locationName(locationID))
}

// Install is how a location is connected by OAuth.
type Install struct {
	URL      string   // where an installation begins, also for customers; "" = OAuth is not set up
	Redirect string   // what the HighLevel app must name as its redirect URL
	Events   string   // and as its webhook URL
	Scopes   []string // that it must have
	Agencies []string // that may connect their locations; none = the first one that comes
	HasApp   bool     // client id and secret are known
	HasURL   bool     // the public URL is known
}

// Install says how a location is connected by OAuth.
func (d *Desk) Install(ctx context.Context) (Install, error) {
	r := d.Connections
	out := Install{Redirect: r.URL(connection.CallbackPath), Events: r.URL(connection.EventsPath), HasApp: r.MarketplaceApp() != nil, HasURL: r.Address() != ""}
	if out.HasApp {
		out.URL, out.Scopes = r.URL(connection.InstallPath), r.MarketplaceApp().Scopes()
	} else {
		out.Scopes = highlevel.NeededScopes()
	}
	var err error
	out.Agencies, err = d.Store.Agencies(ctx)
	return out, err
}
