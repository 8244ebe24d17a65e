package fakehttp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// SentWebhook is what became of one webhook.
type SentWebhook struct {
	ID         string // HighLevel's webhookId; the fake's own for CalendarHero, which has none
	Type       string
	Body       []byte    // the same on every attempt
	At         time.Time // when it was made
	Attempts   int       // tries so far, manual resends included
	LastStatus int       // of the last try; 0 = none, or no answer
	LastError  string    // of the last try, when there was no answer
	Done       bool      // nothing more will be tried
}

// Sender delivers webhooks asynchronously, in no guaranteed order, with at
// most `lanes` requests at a time. It remembers the newest `limit` webhooks;
// when all of these still wait, a new one is not accepted and counted as lost.
type Sender struct {
	client  *http.Client
	retries int
	backoff func(attempt int) time.Duration
	lanes   int
	limit   int
	changed func()

	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	log     []*posting // oldest first
	byID    map[string]*posting
	queue   []*posting
	busy    int // lanes at work
	pending int // postings that are not done
	idle    chan struct{}
	lost    int
	closed  bool
	workers sync.WaitGroup
}

type posting struct {
	sent    SentWebhook
	url     string
	header  http.Header
	queued  bool        // in the queue or in a lane
	manual  bool        // the queued try is a resend: it starts no retries
	once    bool        // never tried again
	retry   *time.Timer // waiting for the next try
	retried int
}

func NewSender(client *http.Client, retries int, backoff func(int) time.Duration, lanes, limit int, changed func()) *Sender {
	if client == nil {
		client = loopbackClient()
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Sender{
		client: client, retries: retries, backoff: backoff, lanes: lanes, limit: limit, changed: changed,
		ctx: ctx, cancel: cancel, byID: map[string]*posting{},
	}
}

// Exponential is the default backoff: the vendor publishes only "exponential
// with jitter", so the numbers are ours. 30 s doubling up to 1 h, ±20 %.
func Exponential(attempt int) time.Duration {
	d := 30 * time.Second << min(attempt-1, 7)
	return min(d, time.Hour) * time.Duration(80+rand.IntN(41)) / 100
}

// loopbackClient reaches only this machine, follows no redirect (a 3xx is a
// failed delivery) and gives up after 10 s.
func loopbackClient() *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return err
		}
		if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
			return fmt.Errorf("the sandbox sends to loopback only, not to %s", address)
		}
		return nil
	}}
	return &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second},
	}
}

// Send records a webhook and, where url is not empty, starts its delivery.
func (s *Sender) Send(id, kind, url string, header http.Header, body []byte, at time.Time) {
	s.start(&posting{url: url, header: header, sent: SentWebhook{ID: id, Type: kind, Body: body, At: at, Done: url == ""}})
}

// SendOnce is send for what is neither tried again nor sent again by hand.
func (s *Sender) SendOnce(id, kind, url string, header http.Header, body []byte, at time.Time) {
	s.start(&posting{url: url, header: header, once: true, sent: SentWebhook{ID: id, Type: kind, Body: body, At: at}})
}

func (s *Sender) start(p *posting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if len(s.log) >= s.limit && !s.forgetOldest() {
		s.lost++
		return
	}
	s.log = append(s.log, p)
	s.byID[p.sent.ID] = p
	if p.url == "" {
		return
	}
	s.pending++
	s.enqueue(p)
}

// forgetOldest drops the oldest finished webhook; false when none is finished.
func (s *Sender) forgetOldest() bool {
	for i, p := range s.log {
		if p.sent.Done && !p.queued {
			delete(s.byID, p.sent.ID)
			if i == 0 {
				s.log = s.log[1:]
			} else {
				s.log = append(s.log[:i], s.log[i+1:]...)
			}
			return true
		}
	}
	return false
}

func (s *Sender) enqueue(p *posting) {
	p.queued = true
	s.queue = append(s.queue, p)
	if s.busy < s.lanes {
		s.busy++
		s.workers.Add(1)
		go s.lane()
	}
}

// lane delivers until the queue is empty.
func (s *Sender) lane() {
	defer s.workers.Done()
	for {
		s.mu.Lock()
		if len(s.queue) == 0 || s.closed {
			s.busy--
			s.mu.Unlock()
			return
		}
		p := s.queue[0]
		s.queue = s.queue[1:]
		url, header, body := p.url, p.header, p.sent.Body
		s.mu.Unlock()

		status, err := s.post(url, header, body)

		s.mu.Lock()
		s.settle(p, status, err)
		s.mu.Unlock()
		s.changed()
	}
}

func (s *Sender) post(url string, header http.Header, body []byte) (int, error) {
	req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header = header.Clone()
	res, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	return res.StatusCode, nil
}

// settle notes the outcome of one try and plans the next.
func (s *Sender) settle(p *posting, status int, err error) {
	p.queued = false
	p.sent.Attempts++
	p.sent.LastStatus, p.sent.LastError = status, ""
	if err != nil {
		p.sent.LastError = err.Error()
	}
	manual := p.manual
	p.manual = false
	switch {
	case err == nil && status >= 200 && status < 300:
		if p.retry != nil {
			p.retry.Stop()
			p.retry = nil
		}
		s.finish(p)
	case manual || s.closed: // a failed resend starts no cycle and leaves a running one alone
	case p.once, p.retried >= s.retries:
		s.finish(p)
	default:
		p.retried++
		p.retry = time.AfterFunc(s.backoff(p.retried), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if p.retry == nil || s.closed {
				return
			}
			p.retry = nil
			if p.queued {
				p.manual = false // a resend is on its way: it serves as this retry
				return
			}
			s.enqueue(p)
		})
	}
	s.checkIdle()
}

func (s *Sender) finish(p *posting) {
	if !p.sent.Done {
		p.sent.Done = true
		s.pending--
	}
}

func (s *Sender) checkIdle() {
	if s.idle != nil && s.isIdle() {
		close(s.idle)
		s.idle = nil
	}
}

func (s *Sender) isIdle() bool {
	if s.closed {
		return true
	}
	if s.pending > 0 || len(s.queue) > 0 {
		return false
	}
	for _, p := range s.log { // a resend of a finished one may be on its way
		if p.queued {
			return false
		}
	}
	return true
}

// RetryNow makes every webhook that waits for its next try try at once.
func (s *Sender) RetryNow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.log {
		if p.retry != nil && p.retry.Stop() {
			p.retry = nil
			if p.queued {
				p.manual = false
				continue
			}
			s.enqueue(p)
		}
	}
}

// Resend posts the original payload once more, to url.
func (s *Sender) Resend(id, url string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.byID[id]
	switch {
	case p == nil:
		return fmt.Errorf("resend webhook %s: no such webhook is remembered", id)
	case p.once:
		return fmt.Errorf("resend webhook %s: this kind of webhook is sent only once", id)
	case url == "":
		return fmt.Errorf("resend webhook %s: no webhook URL is set", id)
	case s.closed:
		return fmt.Errorf("resend webhook %s: the sandbox is closed", id)
	case p.queued:
		return nil // it is on its way
	}
	p.url, p.manual = url, true
	s.enqueue(p)
	return nil
}

func (s *Sender) WaitIdle(ctx context.Context) error {
	s.mu.Lock()
	if s.isIdle() {
		s.mu.Unlock()
		return nil
	}
	if s.idle == nil {
		s.idle = make(chan struct{})
	}
	idle := s.idle
	s.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Sender) Sent() []SentWebhook {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]SentWebhook, len(s.log))
	for i, p := range s.log {
		out[i] = p.sent
	}
	return out
}

func (s *Sender) Lost() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}

// Close abandons what waits and returns when no request is under way.
func (s *Sender) Close() {
	s.mu.Lock()
	s.closed = true
	for _, p := range s.log {
		if p.retry != nil {
			p.retry.Stop()
		}
	}
	s.checkIdle()
	s.mu.Unlock()
	s.cancel()
	s.workers.Wait()
	s.client.CloseIdleConnections()
}
