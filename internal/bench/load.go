package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// load sends signed requests for a time, or until there are none left.
type load struct {
	target      string
	connections int
	requests    [][]byte
	again       bool // from the first one on, when all are sent
	length      time.Duration
	perSecond   int // each has its moment, and waiting for a late one counts; 0 = as fast as answers come
	anew        int // so many of the connections serve one request each, and are then opened anew, as most proxies do
}

// loaded is the outcome of a load.
type loaded struct {
	ok, refused int
	took        []time.Duration
	elapsed     time.Duration
	cpu         time.Duration // of the target's process
}

// rate is how many were accepted a second.
func (l loaded) rate() float64 { return float64(l.ok) / l.elapsed.Seconds() }

// cpuEach is the processor time of the target for each accepted one, in microseconds.
func (l loaded) cpuEach() float64 { return float64(l.cpu.Microseconds()) / float64(l.ok) }

func (l loaded) quantile(percent int) time.Duration {
	slices.Sort(l.took)
	return l.took[len(l.took)*percent/100]
}

// under runs a load on the process, and notes what it used.
func (p *process) under(l load) loaded {
	l.target = p.addr
	before := p.cpu()
	out := l.run()
	out.cpu = p.cpu() - before
	return out
}

func (l load) run() (all loaded) {
	var next atomic.Int64
	var mu sync.Mutex
	ctx, cancel := context.WithTimeout(context.Background(), l.length+5*time.Second)
	defer cancel()
	start := time.Now()
	var senders sync.WaitGroup
	for k := range l.connections {
		senders.Go(func() {
			var conn net.Conn
			var answers *bufio.Reader
			defer func() {
				if conn != nil {
					conn.Close()
				}
			}()
			var own loaded
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(l.requests) && !l.again {
					break
				}
				due := time.Now()
				if l.perSecond > 0 {
					due = start.Add(time.Duration(i) * time.Second / time.Duration(l.perSecond))
					time.Sleep(time.Until(due))
				} else if due.Sub(start) > l.length {
					break
				}
				var status int
				var err error
				if conn == nil {
					conn, err = net.Dial("tcp", l.target)
					answers = bufio.NewReader(conn)
				}
				if err == nil {
					status, err = exchange(conn, answers, l.requests[i%len(l.requests)])
				}
				if conn != nil && k < l.anew {
					conn.Close()
					conn = nil
				}
				if err != nil || status != http.StatusOK {
					own.refused++
					if err != nil {
						break
					}
					continue
				}
				own.ok++
				own.took = append(own.took, time.Since(due))
			}
			mu.Lock()
			defer mu.Unlock()
			all.ok, all.refused, all.took = all.ok+own.ok, all.refused+own.refused, append(all.took, own.took...)
		})
	}
	senders.Wait()
	all.elapsed = time.Since(start)
	return all
}

// exchange sends a request and returns the status of its answer.
func exchange(conn net.Conn, answers *bufio.Reader, req []byte) (int, error) {
	if _, err := conn.Write(req); err != nil {
		return 0, err
	}
	res, err := http.ReadResponse(answers, nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}
