package guard_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"milepost/internal/guard"
	"milepost/internal/testenv"
)

// pipes is a listener without a network, so a test can control time.
type pipes struct {
	conns chan net.Conn
	ended chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}
func (p pipes) Close() error   { close(p.ended); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

type from struct {
	net.Conn
	addr string
}

func (f from) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.ParseIP(f.addr), Port: 1}
}

// bundle is a server behind a guard.
type bundle struct {
	t      *testing.T
	pipes  pipes
	mu     *sync.Mutex
	bodies *[][]byte // what was read
}

// setup starts a server. POST /read answers how many bytes the body has, and /slow waits a
// minute before it answers. A request with the header Proven is from a known sender.
func setup(t *testing.T, maxConns int, maxBytes int64) *bundle {
	t.Helper()
	g := guard.New(maxConns, maxBytes)
	b := &bundle{t, pipes{make(chan net.Conn), make(chan struct{})}, new(sync.Mutex), new([][]byte)}
	mux := http.NewServeMux()
	mux.HandleFunc("/read", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proven") != "" {
			guard.Proven(r.Context())
		}
		body, done, err := g.ReadBody(w, r, 1<<20)
		defer done()
		b.mu.Lock()
		*b.bodies = append(*b.bodies, body)
		b.mu.Unlock()
		switch _, tooLarge := errors.AsType[*http.MaxBytesError](err); {
		case tooLarge:
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		case errors.Is(err, guard.ErrBusy):
			w.WriteHeader(http.StatusTooManyRequests)
		case err != nil:
			w.WriteHeader(http.StatusBadRequest)
		case r.Context().Err() != nil:
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprint(w, len(body))
	})
	mux.HandleFunc("/slow", func(http.ResponseWriter, *http.Request) { time.Sleep(time.Minute) })
	mux.HandleFunc("/refuse", func(w http.ResponseWriter, r *http.Request) {
		guard.Unread(w, r)
		w.WriteHeader(http.StatusUnauthorized)
	})
	server := &http.Server{Handler: g.Handler(mux), ConnContext: guard.ConnContext, ReadTimeout: 15 * time.Second}
	go func() { _ = server.Serve(g.Listener(b.pipes)) }()
	t.Cleanup(func() {
		_ = server.Close()
		time.Sleep(2 * time.Minute) // until its goroutines have ended
	})
	return b
}

// client is the other end of a connection.
type client struct {
	t *testing.T
	net.Conn
	answers *bufio.Reader
}

func (b *bundle) dial(addr string) *client {
	here, there := net.Pipe()
	b.t.Cleanup(func() { _ = here.Close() })
	select {
	case b.pipes.conns <- from{there, addr}:
	case <-time.After(time.Hour):
		b.t.Fatal("a connection is not accepted")
	}
	return &client{b.t, here, bufio.NewReader(here)}
}

// send begins a request; the rest of it is written while the server reads.
func (c *client) send(path, header string, length int, body string) *client {
	size := fmt.Sprintf("Content-Length: %d\r\n", length)
	if length < 0 {
		size = "Transfer-Encoding: chunked\r\n"
	}
	go func() { _, _ = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\n%s%s\r\n%s", path, header, size, body) }()
	return c
}

// status returns the status of the answer, or 0 if the connection was closed without one.
func (c *client) status() int {
	res, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// closed reports whether the server closed the connection.
func (c *client) closed() bool {
	_ = c.SetReadDeadline(time.Now().Add(time.Nanosecond))
	_, err := c.answers.ReadByte()
	_ = c.SetReadDeadline(time.Time{})
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe)
}

func (c *client) want(status int) {
	c.t.Helper()
	if got := c.status(); got != status {
		c.t.Errorf("answered %d, want %d", got, status)
	}
}

func TestAFullServerClosesConnectionsThatKeepItWaiting(t *testing.T) {
	for name, stall := range map[string]func(*client){
		"sends nothing":        func(*client) {},
		"sends half a header":  func(c *client) { go func() { _, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHo") }() },
		"sends half a body":    func(c *client) { c.send("/read", "", 10, "half") },
		"does not read":        func(c *client) { c.send("/read", "", 0, "") },
		"sends no large body":  func(c *client) { c.send("/read", "", 1<<20, "x") },
		"sends no more chunks": func(c *client) { c.send("/read", "", -1, "5\r\nhello\r\n") },
		"is idle":              func(c *client) { c.send("/read", "", 0, "").want(200) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, 3, 1<<20)
				var stalled []*client
				for range 3 {
					c := b.dial("192.0.2.1")
					stall(c)
					synctest.Wait()
					time.Sleep(time.Millisecond)
					stalled = append(stalled, c)
				}
				start := time.Now()
				b.dial("192.0.2.1").send("/read", "", 2, "ok").want(200)
				if took := time.Since(start); took > 600*time.Millisecond {
					t.Errorf("it took %s to make room", took)
				}
				if !stalled[0].closed() {
					t.Error("the connection that waited longest is open")
				}
			})
		})
	}
}

func TestAConnectionWithARequestInWorkIsNeverClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 2, 1<<20)
		first, second := b.dial("192.0.2.1").send("/slow", "", 0, ""), b.dial("192.0.2.1").send("/slow", "", 0, "")
		start := time.Now()
		b.dial("192.0.2.2").send("/read", "", 0, "").want(200)
		if took := time.Since(start); took < time.Minute || took > 62*time.Second {
			t.Errorf("the third was answered after %s, want one minute: when there is room", took)
		}
		_, _ = first, second
	})
}

func TestAClientThatHasSentIsSparedWhileTheServerIsBehind(t *testing.T) {
	testenv.Long(t)
	if runtime.GOOS == "windows" {
		t.Skip("what waits on a connection is not known there")
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := guard.New(2, 1<<20).Listener(plain)
	defer ln.Close()
	accepted := func(send string) (client, server net.Conn) {
		client, err := net.Dial("tcp", plain.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		if _, err := io.WriteString(client, send); err != nil {
			t.Fatal(err)
		}
		if server, err = ln.Accept(); err != nil {
			t.Fatal(err)
		}
		return client, server
	}
	_, hasSent := accepted("POST / HTTP/1.1")
	silent, _ := accepted("")
	accepted("")
	if _, err := silent.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the silent connection: %v, want it closed", err)
	}
	if n, err := hasSent.Read(make([]byte, 100)); n == 0 {
		t.Errorf("the connection whose request is not read yet: %v, want it open", err)
	}
}

func TestABurstFromOneAddressIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 8, 1<<20)
		answers := make(chan int)
		for range 100 {
			c := b.dial("192.0.2.1").send("/read", "", 5, "hello")
			go func() {
				status := c.status()
				_ = c.Close()
				answers <- status
			}()
		}
		for range 100 {
			if status := <-answers; status != 200 {
				t.Fatalf("one is answered %d", status)
			}
		}
	})
}

func TestAKnownSenderAndTheClientWithLessAreSpared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 4, 1<<20)
		known := b.dial("192.0.2.1").send("/read", "Proven: yes\r\n", 2, "ok")
		known.want(200)
		lone := b.dial("192.0.2.2")
		time.Sleep(time.Millisecond)
		greedy := []*client{b.dial("192.0.2.3"), b.dial("192.0.2.3")}
		for range 6 {
			b.dial("192.0.2.3")
			time.Sleep(600 * time.Millisecond)
		}
		if !greedy[0].closed() || !greedy[1].closed() {
			t.Error("the client with the most connections keeps its oldest")
		}
		lone.send("/read", "", 2, "ok").want(200)
		known.send("/read", "", 2, "ok").want(200)
	})
}

func TestAKnownSenderThatWaitedLongerThanAnyStrangerIsSpared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 2, 1<<20)
		known := b.dial("192.0.2.1").send("/read", "Proven: yes\r\n", 2, "ok")
		known.want(200)
		time.Sleep(10 * time.Second)
		stranger := b.dial("192.0.2.2")
		b.dial("192.0.2.3").send("/read", "", 2, "ok").want(200)
		if !stranger.closed() {
			t.Error("the stranger's connection is open")
		}
		known.send("/read", "", 2, "ok").want(200)
	})
}

func TestLargeBodiesWaitForMemoryAndStalledOnesLoseIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 128 << 10
		b := setup(t, 100, 3*size)
		whole := strings.Repeat("x", size)
		var stalled []*client
		for range 20 {
			stalled = append(stalled, b.dial("192.0.2.1").send("/read", "", size, whole[:size-1]))
			synctest.Wait()
			time.Sleep(time.Millisecond)
		}
		start := time.Now()
		b.dial("192.0.2.2").send("/read", "", 10, "small body").want(200)
		if time.Since(start) > 0 {
			t.Errorf("a small body waited %s", time.Since(start))
		}
		// The smallest waiting body is read first.
		b.dial("192.0.2.2").send("/read", "", size/2, whole[:size/2]).want(200)
		if took := time.Since(start); took > 600*time.Millisecond {
			t.Errorf("a large body waited %s", took)
		}
		if !stalled[0].closed() || stalled[19].closed() {
			t.Error("of those that stall one that had memory is closed, and none that waits for it")
		}
	})
}

func TestAClientThatWaitsForMemoryIsNotClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 3, 1<<20)
		large := strings.Repeat("x", 100<<10)
		b.dial("192.0.2.1").send("/read", "", -1, "fffff\r\nstalls"+large) // holds all memory
		synctest.Wait()
		b.dial("192.0.2.2").send("/slow", "", 0, "")
		waiting := b.dial("192.0.2.2").send("/read", "", len(large), large)
		time.Sleep(200 * time.Millisecond)
		b.dial("192.0.2.3").send("/read", "", 2, "ok").want(200)
		waiting.want(200) // though its client has the most connections
	})
}

func TestALargeBodyWithoutMemoryGetsAnAnswerToRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 10, 64<<10)
		b.dial("192.0.2.1").send("/read", "", 100<<10, strings.Repeat("x", 100<<10)).want(429)
		b.dial("192.0.2.1").send("/read", "", 40<<10, strings.Repeat("x", 40<<10)).want(200)
	})
}

func TestABodyIsReadWhollyOrNotAtAll(t *testing.T) {
	chunked := func(n int, end string) string { return fmt.Sprintf("%x\r\n%s\r\n%s", n, strings.Repeat("x", n), end) }
	for name, c := range map[string]struct {
		length, status int
		body           string
	}{
		"empty":                      {0, 200, ""},
		"at the limit":               {1 << 20, 200, strings.Repeat("x", 1<<20)},
		"above the limit":            {1<<20 + 1, 413, ""},
		"chunked and empty":          {-1, 200, "0\r\n\r\n"},
		"chunked and small":          {-1, 200, chunked(100, "0\r\n\r\n")},
		"chunked, of the small size": {-1, 200, chunked(8<<10, "0\r\n\r\n")},
		"chunked and large":          {-1, 200, chunked(100<<10, "0\r\n\r\n")},
		"chunked, at the limit":      {-1, 200, chunked(1<<20, "0\r\n\r\n")},
		"chunked, above the limit":   {-1, 413, chunked(1<<20+1, "0\r\n\r\n")},
		"chunked, and broken":        {-1, 400, chunked(100, "no chunk\r\n")},
		"chunked large, and broken":  {-1, 400, chunked(100<<10, "no chunk\r\n")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				setup(t, 10, 2<<20).dial("192.0.2.1").send("/read", "", c.length, c.body).want(c.status)
			})
		})
	}
}

func TestARejectedClientThatGoesOnSendingIsDisconnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 10, 1<<20)
		start := time.Now()
		stalled := b.dial("192.0.2.1").send("/refuse", "", 100, "half")
		stalled.want(401)
		if took := time.Since(start); took > 300*time.Millisecond || !stalled.closed() {
			t.Errorf("it was answered after %s, and closed: %t", took, stalled.closed())
		}
		whole := b.dial("192.0.2.1").send("/refuse", "", 4, "body")
		whole.want(401)
		time.Sleep(time.Second)
		whole.send("/read", "", 0, "").want(200) // its connection stays open
	})
}

func TestTheAnswerToARejectedLargeBodyArrivesAndFreesThePlace(t *testing.T) {
	for name, begin := range map[string]string{
		"large":        "POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\nhalf",
		"chunked":      "POST /refuse HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\nhalf",
		"large header": "POST /refuse HTTP/1.1\r\nHost: x\r\nLong: " + strings.Repeat("x", 2<<20),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, 1, 1<<20)
				start := time.Now()
				rejected := b.dial("192.0.2.1")
				go func() { _, _ = io.WriteString(rejected, begin) }()
				if res, err := http.ReadResponse(rejected.answers, nil); err != nil || res.StatusCode != 401 && res.StatusCode != 431 {
					t.Errorf("answered %v, %v, want 401 or 431", res, err)
				}
				b.dial("192.0.2.2").send("/read", "", 2, "ok").want(200)
				if took := time.Since(start); took > 0 {
					t.Errorf("the place is free after %s, want at once", took)
				}
				if rejected.closed() {
					t.Error("the rejected connection was closed at once, so that the answer may be lost")
				}
				time.Sleep(time.Second)
				_, _ = rejected.answers.Discard(rejected.answers.Buffered())
				if !rejected.closed() {
					t.Error("the rejected connection is open after a second")
				}
			})
		})
	}
}

func TestOnlyTheBufferOfAnUnknownSenderIsUsedAgain(t *testing.T) {
	for name, header := range map[string]string{"unknown": "", "known": "Proven: yes\r\n"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, 10, 2<<20)
				first, second := strings.Repeat("a", 100<<10), strings.Repeat("b", 100<<10)
				b.dial("192.0.2.1").send("/read", header, len(first), first).want(200)
				b.dial("192.0.2.1").send("/read", "", len(second), second).want(200)
				if kept := (*b.bodies)[0]; (kept[0] == 'a') != (header != "") {
					t.Errorf("the first body now begins with %q", kept[0])
				}
			})
		})
	}
}

func TestStrangersAreSlowedDownAndAKnownSenderIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 300, 1<<20)
		known := b.dial("192.0.2.1").send("/read", "Proven: yes\r\n", 2, "ok")
		known.want(200)
		start := time.Now()
		b.dial("192.0.2.9").send("/refuse", "", 0, "").want(401)
		if took := time.Since(start); took > 0 {
			t.Errorf("the first stranger waited %s", took)
		}
		answered := make(chan int)
		for range 100 {
			c := b.dial("192.0.2.2")
			go func() {
				n := 0
				for ; time.Since(start) < 3*time.Second; n++ {
					c.send("/refuse", "", 0, "")
					if c.status() != 401 {
						break
					}
				}
				answered <- n
			}()
		}
		time.Sleep(time.Second)
		now := time.Now()
		known.send("/read", "", 2, "ok").want(200)
		if took := time.Since(now); took > 0 {
			t.Errorf("the known sender waited %s", took)
		}
		all := 0
		for range 100 {
			all += <-answered
		}
		if all < 100 || all > 100*13 {
			t.Errorf("100 strangers had %d answers in 3 s, want each one in a quarter of a second", all)
		}
	})
}
