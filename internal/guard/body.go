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

// start is how many bytes of a larger body are read before its memory is reserved, so a
// client that sends no body holds little.
const start = 512

// bodyWait is how long a larger body may wait for memory, and maxWaiting how many may wait.
const (
	bodyWait   = 5 * time.Second
	maxWaiting = 64
)

// unreadFor is how long a client may go on sending a small body after it was answered
// without it. A client that finishes in time keeps its connection.
const unreadFor = 250 * time.Millisecond

// ErrBusy means that other bodies use all the memory. The client should send the request
// again.
var ErrBusy = errors.New("too many large requests at once")

// want is a reservation that waits for memory.
type want struct {
	conn   *conn
	bytes  int64
	answer chan error // nil = granted
}

// Unread notes that the handler answers the request without its body; call it before the
// answer is written. The connection ends with that answer, unless the body is small.
// Without this, the server would wait for that body as long as for any other.
func Unread(w http.ResponseWriter, r *http.Request) {
	c := connOf(r.Context())
	if c == nil {
		return
	}
	if 0 <= r.ContentLength && r.ContentLength <= small {
		c.unread.Store(true)
		return
	}
	c.last.Store(true)
	w.Header().Set("Connection", "close")
}

// ReadBody reads a body of at most limit bytes. done gives back the memory reserved for it;
// call it after the request is answered. A body whose sender is not Proven by then is
// overwritten by the next one. The error is an *http.MaxBytesError, ErrBusy, or an error of
// the connection.
func (g *Guard) ReadBody(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, done func(), err error) {
	done = func() {}
	if r.ContentLength > limit {
		Unread(w, r)
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
	first := min(size, small)
	if r.ContentLength > small {
		first = start
	}
	buffer := make([]byte, first+1) // one byte more than the size shows where the body ends
	n, ended, err := fill(in, buffer, 0)
	if err == nil && !ended {
		var larger []byte
		if g == nil || c == nil {
			larger = make([]byte, size+1)
		} else if larger, err = g.reserve(r.Context(), c, size); err == nil {
			done = sync.OnceFunc(func() { g.release(c, larger) })
		} else {
			Unread(w, r)
			return nil, done, err
		}
		copy(larger, buffer)
		buffer = larger[:size+1]
		if n, ended, err = fill(in, buffer, n); err == nil && !ended {
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

// reserve waits for memory, and returns a buffer for size bytes and one more.
func (g *Guard) reserve(ctx context.Context, c *conn, size int64) (buffer []byte, err error) {
	bytes := rounded(size)
	mine := &want{conn: c, bytes: bytes, answer: make(chan error, 1)}
	g.mu.Lock()
	at, _ := slices.BinarySearchFunc(g.queue, bytes, func(q *want, bytes int64) int {
		if q.bytes > bytes {
			return 1
		}
		return -1 // behind others of the same size
	})
	g.queue = slices.Insert(g.queue, at, mine)
	g.grant()
	if last := len(g.queue) - 1; last >= maxWaiting {
		g.queue[last].answer <- ErrBusy
		g.queue = g.queue[:last]
	}
	if len(mine.answer) == 0 {
		c.since = time.Time{} // the client waits for the server, until grant
	}
	g.mu.Unlock()
	late := time.NewTimer(bodyWait)
	defer late.Stop()
	select {
	case err = <-mine.answer:
	case <-late.C:
		err = g.giveUp(mine)
	case <-ctx.Done():
		err = g.giveUp(mine)
	}
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.unused.take(bytes, g.maxBytes-g.held), nil
}

// giveUp takes a reservation out of the queue. It returns nil if that was granted at the
// same moment.
func (g *Guard) giveUp(w *want) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.queue, w); i >= 0 {
		g.queue = slices.Delete(g.queue, i, i+1)
		return ErrBusy
	}
	return <-w.answer
}

// release gives back what was reserved for a buffer. What a sender who is Proven has sent
// may be in use still.
func (g *Guard) release(c *conn, buffer []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	bytes := int64(len(buffer) - 1)
	g.held -= bytes
	c.held -= bytes
	if !c.proven {
		g.unused.put(buffer)
	}
	g.grant()
}

// buffers keeps buffers of refused bodies for the next ones, by their size. Otherwise,
// whoever sends large bodies makes garbage faster than it is collected.
type buffers map[int64][][]byte

// rounded returns the size of the buffer for a body, so that few sizes fit all bodies.
func rounded(size int64) int64 {
	bytes := int64(2 * small)
	for bytes < size {
		bytes *= 2
	}
	return bytes
}

// take returns a buffer for so many bytes and one more. It keeps unused ones of at most
// room bytes in all.
func (b buffers) take(bytes, room int64) (buffer []byte) {
	if of := b[bytes]; len(of) > 0 {
		last := len(of) - 1
		buffer, of[last], b[bytes] = of[last], nil, of[:last]
		return buffer
	}
	for size, of := range b {
		room -= size * int64(len(of))
	}
	if room < 0 {
		clear(b)
	}
	return make([]byte, bytes+1)
}

func (b buffers) put(buffer []byte) {
	b[int64(len(buffer)-1)] = append(b[int64(len(buffer)-1)], buffer)
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
		w.answer <- nil
	}
	if len(g.queue) == 0 {
		return
	}
	var staying int64 // held by connections that are not closed yet
	for c := range g.conns {
		staying += c.held
	}
	for staying+g.queue[0].bytes > g.maxBytes {
		closed := g.close(patienceWithMemory, func(c *conn) int64 { return c.held })
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
