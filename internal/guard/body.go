package guard

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// small is the size up to which a body needs no reservation: the limit of
// connections is limit enough. Webhooks are of a few kilobytes.
const small = 16 << 10

// bodyWait is how long a body that is not small may wait for memory.
const bodyWait = 5 * time.Second

// unreadFor is how long a client that is answered before its body was read may
// go on sending it. One that finishes in time keeps its connection.
const unreadFor = 250 * time.Millisecond

// ErrBusy means that other bodies have all the memory. The request should be
// sent again.
var ErrBusy = errors.New("too many large requests at once")

// want is a reservation that waits.
type want struct {
	conn    *conn
	bytes   int64
	granted chan struct{}
}

// Unread is called before a request is answered whose body was not read: the
// server would otherwise wait for it as long as for any other.
func Unread(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(unreadFor)) // not everywhere there is one
}

// ReadBody reads a body of at most limit bytes. done gives back the memory that
// was reserved for it; call it when the request is answered. The error is an
// *http.MaxBytesError, ErrBusy, or that of the connection.
func (g *Guard) ReadBody(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, done func(), err error) {
	done = func() {}
	if r.ContentLength > limit {
		Unread(w)
		return nil, done, &http.MaxBytesError{Limit: limit}
	}
	c := connOf(r.Context())
	if c != nil {
		c.waits(true)
		defer c.waits(false)
	}
	size := r.ContentLength
	if size < 0 { // chunked
		size = small
	}
	in := http.MaxBytesReader(w, r.Body, limit)
	for {
		if size > small && g != nil && c != nil {
			if err := g.reserve(r.Context(), c, size); err != nil {
				Unread(w)
				return nil, done, err
			}
			done = sync.OnceFunc(func() { g.release(c, size) })
		}
		buffer := make([]byte, size+1) // the last is for the end to be seen
		n := copy(buffer, body)
		n, ended, err := fill(in, buffer, n)
		switch {
		case err != nil:
			done()
			return nil, done, err
		case ended:
			return buffer[:n], done, nil
		}
		body, size = buffer, limit
	}
}

// fill reads into a buffer from its nth byte on, until it is full or the body has ended.
func fill(in io.Reader, buffer []byte, n int) (_ int, ended bool, err error) {
	for n < len(buffer) {
		m, err := in.Read(buffer[n:])
		n += m
		if errors.Is(err, io.EOF) {
			return n, true, nil
		} else if err != nil {
			return n, false, err
		}
	}
	return n, false, nil
}

// reserve waits for memory.
func (g *Guard) reserve(ctx context.Context, c *conn, bytes int64) error {
	mine := &want{conn: c, bytes: bytes, granted: make(chan struct{})}
	g.mu.Lock()
	at, _ := slices.BinarySearchFunc(g.queue, bytes, func(q *want, bytes int64) int {
		if q.bytes > bytes {
			return 1
		}
		return -1 // behind those of its size
	})
	g.queue = slices.Insert(g.queue, at, mine)
	g.grant()
	g.mu.Unlock()
	late := time.NewTimer(bodyWait)
	defer late.Stop()
	select {
	case <-mine.granted:
		return nil
	case <-late.C:
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.queue, mine); i >= 0 {
		g.queue = slices.Delete(g.queue, i, i+1)
		return ErrBusy
	}
	return nil // granted meanwhile
}

func (g *Guard) release(c *conn, bytes int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held -= bytes
	c.held -= bytes
	g.grant()
}

// grant gives memory to those that wait, and closes connections that hold some
// and do not send. It is called under the lock.
func (g *Guard) grant() {
	for len(g.queue) > 0 && g.held+g.queue[0].bytes <= g.maxBytes {
		w := g.queue[0]
		g.queue = slices.Delete(g.queue, 0, 1)
		g.held += w.bytes
		w.conn.held += w.bytes
		w.conn.since = time.Now()
		close(w.granted)
	}
	if len(g.queue) == 0 {
		return
	}
	var staying int64 // what is held by those that are not closed already
	for c := range g.conns {
		staying += c.held
	}
	for staying+g.queue[0].bytes > g.maxBytes {
		closed := g.close(func(c *conn) int64 { return c.held })
		if closed == nil {
			break
		}
		staying -= closed.held
	}
	if g.lookUp == nil {
		g.lookUp = time.AfterFunc(lookEvery, func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.lookUp = nil
			g.grant()
		})
	}
}
