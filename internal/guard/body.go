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

// small is the size up to which a body needs no reservation: the limit on connections is
// enough. A webhook is a few kilobytes.
const small = 8 << 10

// bodyWait is how long a larger body may wait for memory.
const bodyWait = 5 * time.Second

// unreadFor is how long a client may go on sending a body after it was answered without it.
// A client that finishes in time keeps its connection.
const unreadFor = 250 * time.Millisecond

// ErrBusy means that other bodies use all the memory. The client should send the request
// again.
var ErrBusy = errors.New("too many large requests at once")

// want is a reservation that waits for memory.
type want struct {
	conn    *conn
	bytes   int64
	granted chan struct{}
}

// Unread notes that the handler answers the request without its body. Without this, the
// server would wait for that body as long as for any other.
func Unread(ctx context.Context) {
	if c := connOf(ctx); c != nil {
		c.unread.Store(true)
	}
}

// ReadBody reads a body of at most limit bytes. done returns the memory reserved for it;
// call it after the request is answered. The error is an *http.MaxBytesError, ErrBusy, or
// an error of the connection.
func (g *Guard) ReadBody(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, done func(), err error) {
	done = func() {}
	if r.ContentLength > limit {
		Unread(r.Context())
		return nil, done, &http.MaxBytesError{Limit: limit}
	}
	c := connOf(r.Context())
	if c != nil {
		c.waits(true)
		defer c.waits(false)
	}
	in := http.MaxBytesReader(w, r.Body, limit)
	size := r.ContentLength
	if size < 0 { // chunked
		size = limit
	}
	// One byte more than the limit shows where it ends. The buffer grows only with
	// what arrives, so a client cannot reserve much without sending.
	buffer := make([]byte, min(size, small)+1)
	n, ended, err := fill(in, buffer, 0)
	if err == nil && !ended && g != nil && c != nil {
		if err = g.reserve(r.Context(), c, size); err == nil {
			done = sync.OnceFunc(func() { g.release(c, size) })
		} else {
			Unread(r.Context())
		}
	}
	for err == nil && !ended {
		larger := make([]byte, min(size+1, 4*int64(len(buffer))))
		copy(larger, buffer)
		buffer = larger
		n, ended, err = fill(in, buffer, n)
		if n > int(size) {
			err = &http.MaxBytesError{Limit: size}
		}
	}
	if err != nil {
		done()
		return nil, done, err
	}
	return buffer[:n], done, nil
}

// fill reads into a buffer from byte n on, until it is full or the body ends.
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
		return -1 // behind others of the same size
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
	return nil // granted at the same moment
}

func (g *Guard) release(c *conn, bytes int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held -= bytes
	c.held -= bytes
	g.grant()
}

// grant gives memory to waiting reservations, and closes connections that hold memory and
// send nothing. The caller holds the lock.
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
	var staying int64 // held by connections that are not closed yet
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
