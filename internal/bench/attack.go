package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// attack is what somebody does who has no key and no signature.
type attack struct {
	name        string
	connections int
	request     []byte // all that is sent on a connection before its answer is read
	hold        bool   // the request is not whole: wait until the connection is closed
	again       bool   // send it again on the same connection while that lasts
}

// attacks lists what is played. Each body is refused, and each costs Milepost
// something to refuse.
func attacks() []attack {
	const path = "/webhooks/highlevel"
	signature := "X-GHL-Signature: " + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 64)) + "\r\n"
	body := func(n int) string { return strings.Repeat("x", n) }
	post := func(path, header string, length int, body string) []byte {
		return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", path, header, length, body)
	}
	return []attack{
		{"no attack", 0, nil, false, false},
		{"1,500 unsigned bodies of 1 MiB stall before the last byte", 1500, post(path, "", 1<<20, body(1<<20-1)), true, false},
		{"3,000 unsigned bodies of 100 KB stall before the last byte", 3000, post(path, "", 100<<10, body(100<<10-1)), true, false},
		{"unsigned bodies of 1 MiB on 256 connections", 256, post(path, "", 1<<20, body(1<<20)), false, true},
		{"1,500 bodies of 1 MiB with a made-up signature stall", 1500, post(path, signature, 1<<20, body(1<<20-1)), true, false},
		{"3,000 bodies of 16 KB with a made-up signature stall", 3000, post(path, signature, 16<<10, body(16<<10-1)), true, false},
		{"bodies of 1 MiB with a made-up signature on 256 connections", 256, post(path, signature, 1<<20, body(1<<20)), false, true},
		{"small bodies with a made-up signature on 256 connections", 256, post(path, signature, 1000, body(1000)), false, true},
		{"1,500 endless chunked bodies with a made-up signature", 1500, fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\n%sTransfer-Encoding: chunked\r\n\r\nfffff\r\n%s", path, signature, body(1<<19)), true, false},
		{"3,000 headers of 15 KB without an end", 3000, fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nX-Long: %s", path, body(15<<10)), true, false},
		{"3,000 connections that send nothing", 3000, nil, true, false},
		{"100-continue asked for 1 MiB on 1,500 connections", 1500, post(path, signature+"Expect: 100-continue\r\n", 1<<20, ""), true, false},
		{"unknown keys of workflows on 256 connections", 256, post("/webhooks/highlevel/workflow/ABCDEFGHIJKLMNOPQRSTUVWXYZ", "", 2, "{}"), false, true},
		{"unknown keys of calendars on 256 connections", 256, []byte("GET /calendars/ABCDEFGHIJKLMNOPQRSTUVWXYZ.ics HTTP/1.1\r\nHost: bench\r\n\r\n"), false, true},
		{"readiness asked on 256 connections", 256, []byte("GET /readyz HTTP/1.1\r\nHost: bench\r\n\r\n"), false, true},
		{"256 connections that are opened again and again", 256, post(path, "", 0, ""), false, false},
	}
}

// reopen is how soon an attacker whose connection was closed opens another.
const reopen = time.Second

// enoughMemory is what docs/deploying.md calls enough, in MiB. A gigabyte and more would
// be used if nothing bounded it.
const enoughMemory = 256

// attacked plays an attack while signed webhooks arrive, and prints what
// Milepost takes and how long these wait.
func (r *rig) attacked(a attack) error {
	const perSecond = 200
	ctx, end := context.WithCancel(context.Background())
	defer end()
	attacker, err := startAttack(a, r.milepost.addr)
	if err != nil {
		return err
	}
	var watch sync.WaitGroup
	resident := r.milepost.memory("VmRSS")
	watch.Go(func() {
		for ctx.Err() == nil {
			resident = max(resident, r.milepost.memory("VmRSS"))
			time.Sleep(20 * time.Millisecond)
		}
	})
	seconds := max(int(5*r.length.Seconds()), 1)
	time.Sleep(time.Second) // the attack is under way when the first signed webhook arrives
	l := load{connections: 16, anew: 8, requests: r.requests(seconds*perSecond, r.ids), perSecond: perSecond, length: time.Duration(seconds) * time.Second}
	m := r.milepost.under(l)
	end()
	watch.Wait()
	total := attacker()
	if len(m.took) == 0 {
		return fmt.Errorf("%s: no signed webhook was answered 200", a.name)
	}
	p99 := m.quantile(99)
	reached := resident < 150 && p99 < 100*time.Millisecond && m.refused == 0 && m.ok == len(l.requests)
	fmt.Printf("  %-62s %4d MiB, p50 %8s, p99 %8s, %d of %d stored, %.0f %% of a core, attacker sent %s  %s\n", a.name+":", resident, tenths(m.quantile(50)), tenths(p99), m.ok, len(l.requests),
		100*m.cpu.Seconds()/m.elapsed.Seconds(), total,
		verdict(reached, "aim 150 MiB, 100 ms, all"))
	if r.check && (m.ok != len(l.requests) || resident > enoughMemory) {
		return fmt.Errorf("%s: %d of %d webhooks stored, %d MiB used; want all of them, and at most %d MiB", a.name, m.ok, len(l.requests), resident, enoughMemory)
	}
	return nil
}

// startAttack plays an attack in a process of its own, so that it does not hold
// up the load. end ends it, and returns how many requests it sent.
func startAttack(a attack, target string) (end func() (sent string), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "attack", a.name, target)
	cmd.Stderr = os.Stderr
	var out bytes.Buffer
	cmd.Stdout = &out
	stop, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return func() string {
		_ = stop.Close()
		_ = cmd.Wait()
		return strings.TrimSpace(out.String())
	}, cmd.Start()
}

// playAttack plays the named attack until in ends, and says how often it sent
// its request.
func playAttack(name, target string, in io.Reader, out io.Writer) error {
	list := attacks()
	i := slices.IndexFunc(list, func(a attack) bool { return a.name == name })
	if i < 0 {
		return fmt.Errorf("there is no attack %q", name)
	}
	ctx, end := context.WithCancel(context.Background())
	var attackers sync.WaitGroup
	var sent atomic.Int64
	for range list[i].connections {
		attackers.Go(func() { sent.Add(int64(list[i].play(ctx, target))) })
	}
	_, err := io.Copy(io.Discard, in)
	end()
	attackers.Wait()
	fmt.Fprintln(out, sent.Load())
	return err
}

// play attacks until ctx ends, and returns how often the request was sent.
func (a attack) play(ctx context.Context, target string) (sent int) {
	for ctx.Err() == nil {
		conn, err := net.DialTimeout("tcp", target, 5*time.Second)
		if err == nil {
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			sent += a.on(conn)
			stop()
			conn.Close()
		}
		if a.hold {
			select {
			case <-ctx.Done():
			case <-time.After(reopen):
			}
		}
	}
	return sent
}

// on plays the attack on one connection until that is closed.
func (a attack) on(conn net.Conn) (sent int) {
	answers := bufio.NewReaderSize(conn, 512)
	for {
		_, err := conn.Write(a.request)
		sent++
		if a.hold {
			_, _ = io.Copy(io.Discard, answers)
			return sent
		}
		res, readErr := http.ReadResponse(answers, nil)
		if readErr != nil {
			return sent
		}
		_, _ = io.Copy(io.Discard, res.Body)
		if err != nil || !a.again || res.Close {
			return sent
		}
	}
}
