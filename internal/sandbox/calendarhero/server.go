// Package calendarhero is a strict, stateful fake of one CalendarHero account:
// its API, its webhooks and its mails. Package sandbox says how strict a fake is.
//
// Guarantee: it rejects what CalendarHero is known to reject. It must not share code with
// the client that it tests.
package calendarhero

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"milepost/internal/sandbox/fakehttp"
)

// Config sets up a CalendarHero fake.
type Config struct {
	Clock func() time.Time // nil = time.Now
	Token string           // the account's token; "" refuses every request

	// User is the account; an empty id is made, an empty time zone is UTC.
	User User
	// MeetingTypes are the names and lengths of the account's meeting types;
	// nil = meeting 30 min, call 15 min, coffee 45 min.
	MeetingTypes map[string]time.Duration

	// BookAtOnce books a request whose window is exactly its length as soon as
	// it is created. Whether CalendarHero does is not known; by default the
	// request waits for its invitee (see Accept).
	BookAtOnce bool
	// ProviderSecret is what GET /provider shows of the connected calendar's
	// credentials; a client must not keep it.
	ProviderSecret string
	// RequireInvitee refuses a request without contactEmails and contacts.
	// Whether CalendarHero does is not known.
	RequireInvitee bool
	// ForgetDeleted leaves cancelled requests out of the closed list, and
	// NoHook404 answers 404 where no webhook is registered; MergeContacts keeps
	// what an update of a contact does not name. None of these is known either.
	ForgetDeleted, NoHook404, MergeContacts bool
	// Word is CalendarHero's word for a status of ours (see MeetingRequest), in
	// lists and webhooks; nil = the same. The real words are not known.
	Word func(status string) string
	// MaxTake caps the `take` of GET /meeting/tasks, and is its default; 0 =
	// no cap. The real one is not known.
	MaxTake int

	HookRetries int                           // webhook tries after a failure; the real number is not known, 0 = none
	HookBackoff func(retry int) time.Duration // nil as in HighLevelConfig
	HookClient  *http.Client                  // nil = a client that reaches loopback only
	Log         int                           // mails, closed requests and webhooks remembered, each; 0 = 10000
}

// User is the holder of a CalendarHero account.
type User struct {
	ID, Name, Email string
	TimeZone        string // IANA name
}

// MailKind tells why CalendarHero mailed someone.
type MailKind string

const (
	MailInvite MailKind = "invite"
	MailCancel MailKind = "cancel"
	MailRemind MailKind = "remind"
)

// Mail is a message that CalendarHero sent to an invitee.
type Mail struct {
	To        string
	Kind      MailKind
	RequestID string
	Subject   string
	At        time.Time
}

// Server is a fake of one CalendarHero account. It may be used by
// several goroutines.
//
// A meeting request is active until Accept or Reschedule books it (upcoming);
// Cancel, a DELETE or the end of its time closes it. Time is looked at with every
// request and every method, so a fake that nobody asks closes nothing.
type Server struct {
	config Config
	clock  func() time.Time
	router chi.Router
	// operations is the route table, for swagger.json.
	operations []operation
	sender     *fakehttp.Sender
	calls      fakehttp.Calls
	faults     fakehttp.Faults
	notice     fakehttp.Notice

	mu       sync.Mutex
	requests []*MeetingRequest // live, as they were made
	closed   []*MeetingRequest // newest last, bounded by Log
	contacts []*Contact
	hooks    map[string]hook
	mails    []Mail

	directories []directory
}

type hook struct {
	id, url string
}

// New makes a fake.
func New(config Config) *Server {
	if config.Clock == nil {
		config.Clock = time.Now
	}
	if config.User.ID == "" {
		config.User.ID = fakehttp.ObjectID()
	}
	if config.User.TimeZone == "" {
		config.User.TimeZone = "UTC"
	}
	if config.MeetingTypes == nil {
		config.MeetingTypes = map[string]time.Duration{"meeting": 30 * time.Minute, "call": 15 * time.Minute, "coffee": 45 * time.Minute}
	}
	config.MeetingTypes = maps.Clone(config.MeetingTypes) // types can be deleted
	if config.HookBackoff == nil {
		config.HookBackoff = fakehttp.Exponential
	}
	if config.Word == nil {
		config.Word = func(status string) string { return status }
	}
	if config.Log <= 0 {
		config.Log = 10000
	}
	c := &Server{config: config, clock: config.Clock, hooks: map[string]hook{}}
	c.sender = fakehttp.NewSender(config.HookClient, config.HookRetries, config.HookBackoff, 4, config.Log, c.notice.Changed)
	c.router = c.routes()
	return c
}

// ServeHTTP answers as https://api.calendarhero.com does.
func (c *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.router.ServeHTTP(w, r) }

// Close stops sending webhooks; what waits is abandoned.
func (c *Server) Close() { c.sender.Close() }

// Faults injects faults into the API.
func (c *Server) Faults() *fakehttp.Faults { return &c.faults }

// Calls returns how often each operation was called ("POST /meeting/tasks"), whatever the answer was.
func (c *Server) Calls() map[string]int { return c.calls.Snapshot() }

// ResetCalls sets the counters of Calls to zero.
func (c *Server) ResetCalls() { c.calls.Reset() }

// User returns the holder of the account.
func (c *Server) User() User { return c.config.User }

// Sent returns the webhooks that are remembered, oldest first.
func (c *Server) Sent() []fakehttp.SentWebhook { return c.sender.Sent() }

// Resend sends a webhook of Sent once more, to where its event goes now.
func (c *Server) Resend(id string) error {
	for _, s := range c.sender.Sent() {
		if s.ID == id {
			return c.sender.Resend(id, c.Hooks()[s.Type])
		}
	}
	return c.sender.Resend(id, "")
}

// WaitIdle blocks until no webhook is under way or waits for a retry.
func (c *Server) WaitIdle(ctx context.Context) error { return c.sender.WaitIdle(ctx) }

// RetryNow makes the webhooks that wait for a retry try at once.
func (c *Server) RetryNow() { c.sender.RetryNow() }

// WaitFor blocks until cond holds, asking again after each change.
func (c *Server) WaitFor(ctx context.Context, cond func() bool) error {
	return fakehttp.WaitFor(ctx, cond, &c.notice)
}

// Changes announces each change and each try of a webhook.
func (c *Server) Changes() *fakehttp.Notice { return &c.notice }

// Mails returns the mails that are remembered, oldest first.
func (c *Server) Mails() []Mail {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.mails)
}

func (c *Server) mail(kind MailKind, r *MeetingRequest) {
	for _, to := range r.Invitees {
		c.mails = append(c.mails, Mail{to, kind, r.ID, r.Subject, c.clock()})
	}
	if over := len(c.mails) - c.config.Log; over > 0 {
		c.mails = slices.Delete(c.mails, 0, over)
	}
}
