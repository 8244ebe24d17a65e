// Package highlevel is a strict, stateful fake of one HighLevel account: its
// API, its marketplace and its webhooks. Package sandbox says how strict a fake is.
//
// Guarantee: it rejects what HighLevel is known to reject. It must not share code with the
// client that it tests.
package highlevel

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"milepost/internal/sandbox/fakehttp"
)

// Config sets up a HighLevel fake. The zero value is usable: it
// serves nothing until a location and a token are added.
type Config struct {
	Clock func() time.Time // nil = time.Now

	AppID     string // part of every webhook; 24 hex digits, generated when empty
	VersionID string // the same as AppID when empty

	Token       string   // a Private Integration Token …
	LocationIDs []string // … and the locations it may reach

	// RateLimit turns on HighLevel's limits per location: RateMax requests in
	// 10 s (0 = 100) and RateDaily a day (0 = 200000).
	RateLimit bool
	RateMax   int
	RateDaily int
	// RateSliding counts the last 10 s of each request in place of fixed windows,
	// the harshest way in which the limit can be meant: HighLevel does not say how.
	RateSliding bool

	// WebhookURL is where webhooks go; see SetWebhookURL.
	WebhookURL string
	// WebhookRetries is how often a webhook is tried again after a failure; 0
	// = 12 as documented, negative = never.
	WebhookRetries int
	// WebhookBackoff is the wait before the nth retry (from 1). nil = 30 s
	// doubling up to an hour, with jitter; HighLevel publishes no numbers.
	WebhookBackoff func(retry int) time.Duration
	WebhookLanes   int          // deliveries at a time; 0 = 8
	WebhookLog     int          // webhooks remembered; 0 = 10000
	WebhookClient  *http.Client // nil = a client that reaches loopback only

	// FullTaskCreate lets TaskCreate carry contactId and body as its
	// documentation says. Real deliveries lack both.
	FullTaskCreate bool
	// DateForm is how DATE custom fields read back; see SetDateForm.
	DateForm DateForm
	// LowerCaseNames makes a contact's firstName and lastName read back in
	// lower case, with the casing in firstNameRaw and lastNameRaw.
	LowerCaseNames bool
	// SearchLag hides changes younger than this from contact search, as
	// HighLevel's index does for some seconds.
	SearchLag time.Duration
	// TaskSearchLag hides tasks younger than this from task search.
	TaskSearchLag time.Duration
	// CodeLives is how long an authorization code can be exchanged by Clock;
	// 0 = a minute. HighLevel does not say.
	CodeLives time.Duration
	// UnknownChildStatus answers for an unknown task or note of a known
	// contact: 400 or 404, undocumented which. 0 = 404.
	UnknownChildStatus int
}

// DateForm is a form in which HighLevel gives back the value of a DATE custom field.
type DateForm int

const (
	DateOnly        DateForm = iota // "2026-12-01"
	DateISO                         // "2026-12-01T00:00:00.000Z"
	DateEpochMillis                 // 1796083200000
)

// Server is a fake of one HighLevel account. It may be used by several
// goroutines. Methods that change a record send the webhooks that HighLevel
// would send; those named Seed… send none.
type Server struct {
	config  Config
	clock   func() time.Time
	router  chi.Router
	private ed25519.PrivateKey
	sender  *fakehttp.Sender
	calls   fakehttp.Calls
	faults  fakehttp.Faults
	limiter limiter
	notice  fakehttp.Notice

	mu         sync.Mutex
	webhookURL string
	dateForm   DateForm
	tokens     map[string]*bearer
	oauth      oauth
	locations  map[string]*location
	order      []string // location ids as they were added
	contacts   map[string]*contactRecord
	tasks      map[string]*Task
	notes      map[string]*Note

	opportunities map[string]*opportunityRecord
	appointments  map[string]*appointmentRecord

	sequence int64
}

// New makes a fake with a webhook key of its own.
func New(config Config) *Server {
	if config.Clock == nil {
		config.Clock = time.Now
	}
	if config.AppID == "" {
		config.AppID = fakehttp.ObjectID()
	}
	if config.VersionID == "" {
		config.VersionID = config.AppID
	}
	if config.WebhookRetries == 0 {
		config.WebhookRetries = 12
	}
	if config.WebhookBackoff == nil {
		config.WebhookBackoff = fakehttp.Exponential
	}
	if config.WebhookLanes <= 0 {
		config.WebhookLanes = 8
	}
	if config.WebhookLog <= 0 {
		config.WebhookLog = 10000
	}
	if config.UnknownChildStatus == 0 {
		config.UnknownChildStatus = http.StatusNotFound
	}
	if config.RateMax <= 0 {
		config.RateMax = 100
	}
	if config.RateDaily <= 0 {
		config.RateDaily = 200000
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	h := &Server{
		config: config, clock: config.Clock, private: private,
		webhookURL: config.WebhookURL, dateForm: config.DateForm,
		tokens: map[string]*bearer{}, oauth: newOAuth(), locations: map[string]*location{},
		contacts: map[string]*contactRecord{}, tasks: map[string]*Task{}, notes: map[string]*Note{},
		opportunities: map[string]*opportunityRecord{}, appointments: map[string]*appointmentRecord{},
	}
	h.limiter = limiter{max: config.RateMax, daily: config.RateDaily, sliding: config.RateSliding}
	h.sender = fakehttp.NewSender(config.WebhookClient, config.WebhookRetries, config.WebhookBackoff,
		config.WebhookLanes, config.WebhookLog, h.notice.Changed)
	if config.Token != "" {
		h.AddToken(config.Token, config.LocationIDs...)
	}
	h.router = h.routes()
	return h
}

// ServeHTTP answers as https://services.leadconnectorhq.com does.
func (h *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.router.ServeHTTP(w, r) }

// Close stops sending webhooks; what waits is abandoned.
func (h *Server) Close() { h.sender.Close() }

// AppID is the id of the app in every webhook.
func (h *Server) AppID() string { return h.config.AppID }

// AddToken lets a Private Integration Token reach the locations, in addition
// to those it reached before. It has every scope; see LimitToken.
func (h *Server) AddToken(token string, locationIDs ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tokens[token] == nil {
		h.tokens[token] = &bearer{locations: map[string]bool{}}
	}
	for _, id := range locationIDs {
		h.tokens[token].locations[id] = true
	}
}

// AddAgencyToken adds a Private Integration Token of an agency.
func (h *Server) AddAgencyToken(token, companyID string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tokens[token] = &bearer{company: companyID}
}

// RevokeToken makes a token invalid.
func (h *Server) RevokeToken(token string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.tokens, token)
}

// SetWebhookURL sets where webhooks of later changes go. Without one, webhooks
// are remembered but not sent; Resend can send them later.
func (h *Server) SetWebhookURL(url string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.webhookURL = url
}

// SetDateForm sets the form in which DATE custom fields read back.
func (h *Server) SetDateForm(form DateForm) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dateForm = form
}

// PublicKeyPEM returns the key that verifies the webhooks, as SPKI PEM.
func (h *Server) PublicKeyPEM() string {
	der, err := x509.MarshalPKIXPublicKey(h.private.Public())
	if err != nil {
		panic(fmt.Sprintf("sandbox: encode the webhook key: %v", err)) // cannot be: the key is Ed25519
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// Sign returns the X-GHL-Signature of a body: base64 of its Ed25519 signature.
func (h *Server) Sign(body []byte) string {
	return base64.StdEncoding.EncodeToString(ed25519.Sign(h.private, body))
}

// Faults injects faults into the API.
func (h *Server) Faults() *fakehttp.Faults { return &h.faults }

// Calls returns how often each operation was called, by method and route
// pattern ("GET /contacts/{contactId}"), whatever the answer was.
func (h *Server) Calls() map[string]int { return h.calls.Snapshot() }

// ResetCalls sets the counters of Calls to zero.
func (h *Server) ResetCalls() { h.calls.Reset() }

// Sent returns the webhooks that are remembered, oldest first.
func (h *Server) Sent() []fakehttp.SentWebhook { return h.sender.Sent() }

// LostWebhooks returns how many webhooks were never sent because too many were waiting.
func (h *Server) LostWebhooks() int { return h.sender.Lost() }

// WaitIdle blocks until no webhook is under way or waits for a retry.
func (h *Server) WaitIdle(ctx context.Context) error { return h.sender.WaitIdle(ctx) }

// RetryNow makes the webhooks that wait for a retry try at once.
func (h *Server) RetryNow() { h.sender.RetryNow() }

// Resend posts the original payload of a webhook once more, to the URL that
// is set now, as the button in HighLevel's log does. A failure starts no retries.
func (h *Server) Resend(webhookID string) error {
	h.mu.Lock()
	url := h.webhookURL
	h.mu.Unlock()
	return h.sender.Resend(webhookID, url)
}

// WaitFor blocks until cond holds, asking again after each change of a record
// and each try of a webhook.
func (h *Server) WaitFor(ctx context.Context, cond func() bool) error {
	return fakehttp.WaitFor(ctx, cond, &h.notice)
}

// Changes announces each change of a record and each try of a webhook.
func (h *Server) Changes() *fakehttp.Notice { return &h.notice }

func (h *Server) nextSequence() int64 {
	h.sequence++
	return h.sequence
}
