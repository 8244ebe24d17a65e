// Package guard keeps strangers from making Milepost expensive. It limits the open
// connections, the memory for bodies that are being read, and the work before a sender is
// known.
//
// Guarantee: when a limit is reached, the guard never closes a connection whose request the
// server is working on. It closes one on which the server waits for its client: to send a
// request, to send the rest of it, or to read an answer. It picks the client with the most
// such connections, and of those the one that has waited longest. A connection that has
// brought a signed webhook is the last to go. So one address may use everything while
// nobody else needs it. That matters because HighLevel sends bursts from few addresses, and
// behind a proxy all clients may have one address.
//
// The package must not know who is a stranger: see Proven.
package guard

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"milepost/internal/peer"
)

// A client may always keep the server waiting for patience. After that, its connection is
// closed if another client needs the place. patienceWithMemory is for a client that holds
// memory which others need: a large body takes longer to send than a header.
const (
	patience           = 100 * time.Millisecond
	patienceWithMemory = 500 * time.Millisecond
)

// While few requests come from unknown senders, each is answered at once. Beyond that, each
// answer waits for up to delay, so a client that sends one request after another can send
// only few.
var strangers = Limit{Burst: 50, Every: 5 * time.Millisecond}

const delay = 250 * time.Millisecond

// receiveBuffer is how many bytes the kernel may hold for a connection that is not read.
// Linux takes twice as much; without this limit, it takes up to 6 MiB.
const receiveBuffer = 64 << 10

// lingerFor is how long a connection stays open after its last answer.
const lingerFor = 500 * time.Millisecond

// lookEvery is how often the guard looks for a connection to close while it needs one.
const lookEvery = 20 * time.Millisecond

// looks is how many connections the guard looks at before it tries again later.
const looks = 16

// Guard holds the limits of one listener. Safe for concurrent use; a nil
// *Guard limits nothing.
type Guard struct {
	maxConns int
	maxBytes int64
	turns    chan struct{}

	mu        sync.Mutex
	conns     map[*conn]struct{}
	lingering int           // connections that are answered, see conn.Close
	freed     chan struct{} // signals Accept that a connection was closed
	rest      time.Time     // when the burst for strangers is full again

	held   int64   // reserved bytes, including those of closed connections
	queue  []*want // waiting reservations, the smallest first
	lookUp *time.Timer
	unused buffers
}

// New returns a Guard that keeps at most maxConns connections open, and at most maxBytes of
// memory for bodies that are not small.
func New(maxConns int, maxBytes int64) *Guard {
	return &Guard{
		maxConns: maxConns, maxBytes: maxBytes, turns: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		conns: map[*conn]struct{}{}, freed: make(chan struct{}, 1), unused: buffers{},
	}
}

// conn is an open connection.
type conn struct {
	net.Conn
	guard  *Guard
	unread atomic.Bool // the request is answered without its small body
	last   atomic.Bool // the connection ends with this answer, though the client may still be sending

	// The guard's lock protects these:
	client netip.Addr
	since  time.Time // when the server began to wait for the client; zero = the server is working
	asked  bool      // a request has come
	proven bool
	held   int64 // bytes
}

type connKey struct{}

// ConnContext is for http.Server: with it, Handler finds the connection of a request.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

func connOf(ctx context.Context) *conn {
	c, _ := ctx.Value(connKey{}).(*conn)
	return c
}

// Listener returns a listener that limits its connections.
func (g *Guard) Listener(ln net.Listener) net.Listener { return listener{ln, g} }

type listener struct {
	net.Listener
	guard *Guard
}

// Accept returns the next connection as soon as there is room for it.
func (l listener) Accept() (net.Conn, error) {
	runtime.Gosched() // a wave of connections must not keep requests under way from the processors
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if tcp, ok := accepted.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(receiveBuffer)
	}
	c := &conn{Conn: accepted, guard: l.guard, since: time.Now()}
	if addr, err := netip.ParseAddrPort(accepted.RemoteAddr().String()); err == nil {
		c.client = network(addr.Addr())
	}
	for !l.guard.admit(c) {
		wait := time.NewTimer(lookEvery)
		select {
		case <-l.guard.freed:
		case <-wait.C:
		}
		wait.Stop()
	}
	return c, nil
}

// admit adds a connection if there is room, or if it can close another.
func (g *Guard) admit(c *conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.conns) >= g.maxConns && g.close(patience, func(*conn) int64 { return 1 }) == nil {
		return false
	}
	c.since = time.Now()
	g.conns[c] = struct{}{}
	return true
}

// close closes and returns one connection for which weight is not 0 and on which the server
// has waited for patience: the one that is worth least. While a stranger has one, none that
// is proven is closed. It returns nil if there is none. The caller holds the lock.
func (g *Guard) close(patience time.Duration, weight func(*conn) int64) *conn {
	now := time.Now()
	of := map[netip.Addr]int64{}
	strangers := false
	for c := range g.conns {
		n := weight(c)
		of[c.client] += n
		strangers = strangers || n > 0 && !c.proven
	}
	for range looks {
		var least *conn
		for c := range g.conns {
			if weight(c) == 0 || c.since.IsZero() || now.Sub(c.since) < patience || strangers && c.proven {
				continue
			}
			if least == nil || less(c, least, of) {
				least = c
			}
		}
		if least == nil {
			break
		}
		if !least.asked && readable(least.Conn) {
			least.since = now // the client has sent; the server is behind
			continue
		}
		delete(g.conns, least)
		_ = least.Conn.Close() // the server's goroutine sees this, and releases what it held
		return least
	}
	return nil
}

// less reports whether a is less worth than b.
func less(a, b *conn, of map[netip.Addr]int64) bool {
	if a.proven != b.proven {
		return b.proven
	}
	if of[a.client] != of[b.client] {
		return of[a.client] > of[b.client]
	}
	return a.since.Before(b.since)
}

// Close closes the connection, so that another one can be accepted. After a last answer,
// the client has a moment to read it: closed at once, a connection with unread bytes is
// reset, and the answer is lost.
func (c *conn) Close() error {
	g := c.guard
	g.mu.Lock()
	_, open := g.conns[c]
	delete(g.conns, c)
	linger := open && c.last.Load() && g.lingering < g.maxConns
	if linger {
		g.lingering++
	}
	g.mu.Unlock()
	select {
	case g.freed <- struct{}{}:
	default:
	}
	if !linger {
		return c.Conn.Close()
	}
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	time.AfterFunc(lingerFor, func() {
		_ = c.Conn.Close()
		g.mu.Lock()
		g.lingering--
		g.mu.Unlock()
	})
	return nil
}

// CloseWrite is called by the server after a last answer. The server would then sleep for
// half a second before it calls Close. The panic, which the server expects from a handler,
// makes it call Close now: a connection that lingers there costs no goroutine.
func (c *conn) CloseWrite() error {
	c.last.Store(true)
	panic(http.ErrAbortHandler)
}

// Write notes that the server waits while a client does not read.
func (c *conn) Write(p []byte) (int, error) {
	worked := c.waits(true)
	n, err := c.Conn.Write(p)
	if worked {
		c.waits(false)
	}
	return n, err
}

// waits notes that the server waits for the client, or no longer waits. It reports whether
// that is a change.
func (c *conn) waits(begin bool) (changed bool) {
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	if changed = c.since.IsZero() == begin; begin && changed {
		c.since = time.Now()
	} else if !begin {
		c.since = time.Time{}
	}
	return changed
}

// Handler notes that the server works while next runs, and for which client. It must run
// after the middleware that finds the client's address.
func (g *Guard) Handler(next http.Handler) http.Handler {
	if g == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := connOf(r.Context()); c != nil {
			client := network(peer.Address(r.Context()))
			g.mu.Lock()
			c.since, c.asked = time.Time{}, true
			if client.IsValid() {
				c.client = client
			}
			g.mu.Unlock()
			defer g.answer(r.Context(), c)
		}
		next.ServeHTTP(w, r)
	})
}

// answer returns when the handler's answer may be sent. A short answer is buffered until
// then.
func (g *Guard) answer(ctx context.Context, c *conn) {
	g.mu.Lock()
	now := time.Now()
	c.since = now
	var wait time.Duration
	if !c.proven {
		var rest time.Time
		rest, wait = strangers.after(g.rest, now)
		if wait <= delay {
			g.rest = rest
		}
	}
	g.mu.Unlock()
	if wait > 0 {
		timer := time.NewTimer(min(wait, delay))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	// Setting a deadline earlier would be wrong: if it passes before the answer, the server
	// treats the connection as closed.
	if c.last.Load() {
		_ = c.SetReadDeadline(time.Now()) // the server reads no more
	} else if c.unread.Swap(false) {
		_ = c.SetReadDeadline(time.Now().Add(unreadFor))
	}
}

// Proven notes that the sender of the request is known. From then on, its connection is the
// last to be closed.
func Proven(ctx context.Context) {
	if c := connOf(ctx); c != nil {
		c.guard.mu.Lock()
		c.proven = true
		c.guard.mu.Unlock()
	}
}

// Turn is for expensive work that anyone can request. It returns when the work may start;
// call done afterwards. Strangers use at most half of the processors. A Proven connection
// does not wait.
func (g *Guard) Turn(ctx context.Context) (done func()) {
	c := connOf(ctx)
	if g == nil || c == nil {
		return func() {}
	}
	g.mu.Lock()
	proven := c.proven
	g.mu.Unlock()
	if proven {
		return func() {}
	}
	g.turns <- struct{}{}
	return func() { <-g.turns }
}
