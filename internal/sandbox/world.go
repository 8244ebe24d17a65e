package sandbox

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/fakehttp"
	"milepost/internal/sandbox/highlevel"
)

// WorldConfig sets up a World. The zero value takes free ports.
type WorldConfig struct {
	Clock func() time.Time // nil = time.Now

	// Addresses to listen on, on loopback only; "" = 127.0.0.1 and a free port.
	HighLevelAddr, CalendarHeroAddr, PageAddr string

	HighLevelToken, CalendarHeroToken string // "" = ones that say they are the sandbox's
	WebhookURL                        string // where HighLevel's webhooks go; see HighLevel.SetWebhookURL
	AppID                             string
	Empty                             bool // the location has users and fields, but no contacts

	// Did says what Milepost last did about a record, e.g. a "task"; the zero Effect if it knows nothing of it. nil = nobody asks
	// Milepost, and the page shows only the two services.
	Did func(ctx context.Context, locationID, kind, id string) Effect

	// HighLevel and CalendarHero change the configuration of the fakes last.
	HighLevel    func(*highlevel.Config)
	CalendarHero func(*calendarhero.Config)
}

// Effect is what Milepost did about a record, in words, and when.
type Effect struct {
	Outcome, Detail string
	At              time.Time
	Requests        []string // ids of the meeting requests that it keeps for the record
}

// World is one business in both fakes: a HighLevel location with people,
// milestones, tasks and notes, a CalendarHero account, and a page that shows
// and changes both. All three listen on loopback.
type World struct {
	HighLevel    *highlevel.Server
	CalendarHero *calendarhero.Server

	HighLevelURL, CalendarHeroURL, PageURL string // base URLs without a slash at the end
	HighLevelToken, CalendarHeroToken      string

	App            highlevel.OAuthApp // of HighLevel's marketplace; its codes may go to any place on loopback
	Location       highlevel.Location
	TimeZone       *time.Location
	Users          []highlevel.User      // the first is the account's holder
	MilestoneField highlevel.CustomField // contact.milestone
	DateField      highlevel.CustomField // contact.milestone_date

	did     func(ctx context.Context, locationID, kind, id string) Effect
	seen    effects
	console atomic.Pointer[string] // address of Milepost's console; nil until it is known
	clock   func() time.Time
	ctx     context.Context
	cancel  context.CancelFunc
	servers []*http.Server
	serving sync.WaitGroup
	once    sync.Once
}

// SetConsole has the page link to Milepost's console.
func (w *World) SetConsole(address string) { w.console.Store(&address) }

// Start seeds the world and serves it until the context ends or Close is called.
func Start(ctx context.Context, config WorldConfig) (*World, error) {
	if config.Clock == nil {
		config.Clock = time.Now
	}
	if config.HighLevelToken == "" {
		config.HighLevelToken = "pit-sandbox-highlevel"
	}
	if config.CalendarHeroToken == "" {
		config.CalendarHeroToken = "sandbox-calendarhero"
	}
	w := &World{HighLevelToken: config.HighLevelToken, CalendarHeroToken: config.CalendarHeroToken, did: config.Did, clock: config.Clock}
	if err := w.seed(config); err != nil {
		return nil, err
	}
	w.ctx, w.cancel = context.WithCancel(ctx)
	for _, part := range []struct {
		name, addr string
		handler    http.Handler
		url        *string
	}{
		{"HighLevel", config.HighLevelAddr, w.HighLevel, &w.HighLevelURL},
		{"CalendarHero", config.CalendarHeroAddr, w.CalendarHero, &w.CalendarHeroURL},
		{"page", config.PageAddr, w.page(), &w.PageURL},
	} {
		listener, err := listenLoopback(part.addr)
		if err != nil {
			w.Close()
			return nil, fmt.Errorf("sandbox: listen for %s: %w", part.name, err)
		}
		*part.url = "http://" + listener.Addr().String()
		server := &http.Server{
			Handler: part.handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute,
			BaseContext: func(net.Listener) context.Context { return w.ctx },
		}
		w.servers = append(w.servers, server)
		w.serving.Go(func() { server.Serve(listener) })
	}
	context.AfterFunc(w.ctx, w.Close)
	return w, nil
}

// listenLoopback refuses any address that another machine could reach.
func listenLoopback(addr string) (net.Listener, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("%s is not a loopback address; the sandbox listens on 127.0.0.1, ::1 or localhost only", addr)
	}
	return net.Listen("tcp", addr)
}

// Close stops serving and sending. It may be called more than once.
func (w *World) Close() {
	w.once.Do(func() {
		w.cancel()
		w.HighLevel.Close()
		w.CalendarHero.Close()
		for _, server := range w.servers {
			server.Close() // handlers end with the context, so there is nothing to wait for
		}
	})
	w.serving.Wait()
}

// WaitFor blocks until cond holds, asking again after each change in either fake.
func (w *World) WaitFor(ctx context.Context, cond func() bool) error {
	return fakehttp.WaitFor(ctx, cond, w.HighLevel.Changes(), w.CalendarHero.Changes())
}

// SetMilestone sets milestone and date of a contact as one change; the date
// is YYYY-MM-DD, and "" clears either.
func (w *World) SetMilestone(contactID, milestone, date string) error {
	return w.HighLevel.SetCustomFields(contactID, map[string]any{w.MilestoneField.ID: milestone, w.DateField.ID: date})
}

// Milestone returns the milestone and date of a contact.
func (w *World) Milestone(c highlevel.Contact) (milestone, date string) {
	milestone, _ = c.CustomFields[w.MilestoneField.ID].(string)
	date, _ = c.CustomFields[w.DateField.ID].(string)
	return milestone, date
}
