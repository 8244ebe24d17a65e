// Command bench measures Milepost against fakes of both vendors on loopback.
// What depends on the machine is given as a ratio, in the same run, to a
// handler that only reads and verifies. Milepost runs as a process of its own.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-chi/chi/v5"

	"milepost/clients/highlevel"
	"milepost/internal/sandbox"
)

const (
	location = "benchLocation0000001"
	app      = "6878cec452e7c8d29d4dd3d9"
	contacts = 300
)

func main() {
	postgres := flag.String("postgres", os.Getenv("DATABASE_URL"), "measure on this PostgreSQL in place of SQLite")
	length := flag.Duration("length", 3*time.Second, "how long each load lasts")
	flag.Parse()
	if err := run(*postgres, *length); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// rig is the fakes, the baseline and the measured process.
type rig struct {
	hl       *sandbox.HighLevel
	ids      []string
	posted   chan time.Time // when CalendarHero was asked to create a request
	serve    *exec.Cmd
	milepost string // host:port
	baseline string
	serial   atomic.Int64
}

func run(postgres string, length time.Duration) error {
	r := &rig{posted: make(chan time.Time, 1000)}
	r.hl = sandbox.NewHighLevel(sandbox.HighLevelConfig{AppID: app, Token: "pit-bench", LocationIDs: []string{location}})
	defer r.hl.Close()
	r.hl.SeedLocation(sandbox.Location{ID: location, Name: "Bench", TimeZone: "Europe/Berlin"}, nil, []sandbox.CustomField{
		{Name: "Milestone", DataType: "TEXT"}, {Name: "Milestone Date", DataType: "DATE"},
	})
	for i := range contacts {
		c, err := r.hl.SeedContact(sandbox.Contact{LocationID: location, FirstName: "Contact", LastName: strconv.Itoa(i), Email: fmt.Sprintf("c%d@example.com", i)})
		if err != nil {
			return err
		}
		r.ids = append(r.ids, c.ID)
	}
	ch := sandbox.NewCalendarHero(sandbox.CalendarHeroConfig{Token: "ch-bench", User: sandbox.CalendarUser{Email: "owner@example.com", TimeZone: "UTC"}})
	defer ch.Close()
	hlServer := httptest.NewServer(r.hl)
	defer hlServer.Close()
	chServer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodPost && req.URL.Path == "/meeting/tasks" {
			select {
			case r.posted <- time.Now():
			default:
			}
		}
		ch.ServeHTTP(w, req)
	}))
	defer chServer.Close()
	baseline, err := r.verifyOnly()
	if err != nil {
		return err
	}
	defer baseline.Close()
	r.baseline = hostOf(baseline.URL)
	stop, err := r.start(hlServer.URL, chServer.URL, postgres)
	if err != nil {
		return err
	}
	defer stop()
	idle := r.memory("VmRSS")
	idleCPU := r.cpu()
	time.Sleep(3 * time.Second)
	fmt.Printf("idle: %d MiB resident, %.1f %% of a core\n", idle, float64(r.cpu()-idleCPU)/3)

	latency, err := r.latency(40)
	if err != nil {
		return err
	}
	report("webhook to CalendarHero call, idle, p50", latency[len(latency)/2], 100*time.Millisecond)
	fmt.Printf("%-44s %10s\n", "  p95", latency[len(latency)*95/100].Round(100*time.Microsecond))

	for _, connections := range []int{1, 8, 64, 256} {
		base := r.load(r.baseline, connections, length, 0)
		mine := r.load(r.milepost, connections, length, 0)
		ratio := mine.rate() / base.rate()
		aim := ""
		if connections == 64 {
			aim = verdict(ratio >= 0.6, "aim 0.6")
		}
		fmt.Printf("ingest, %3d connections: %6.0f/s of %6.0f/s, ratio %.2f  %s  (%d refused)\n", connections,
			mine.rate(), base.rate(), ratio, aim, mine.refused)
	}
	paced := r.load(r.milepost, 64, 5*time.Second, 500)
	slices.Sort(paced.took)
	fmt.Printf("%-44s %10s\n", "acknowledged at 500/s, p50", paced.took[len(paced.took)/2].Round(100*time.Microsecond))
	report("acknowledged at 500/s, p99", paced.took[len(paced.took)*99/100], 12*time.Millisecond)
	fmt.Printf("peak: %d MiB resident  %s\n", r.memory("VmHWM"), verdict(r.memory("VmHWM") <= 128, "aim 128 MiB"))
	fmt.Println("calls to HighLevel for 1,000 webhooks on one contact: go test -v -run Thousand ./internal/app")
	return nil
}

func report(what string, is, aim time.Duration) {
	fmt.Printf("%-44s %10s  %s\n", what, is.Round(100*time.Microsecond), verdict(is <= aim, "aim "+aim.String()))
}

func verdict(reached bool, aim string) string {
	if reached {
		return aim + ": reached"
	}
	return aim + ": missed"
}

// verifyOnly is the limit: chi, read, verify, answer.
func (r *rig) verifyOnly() (*httptest.Server, error) {
	keys, err := highlevel.ParseKeys(r.hl.PublicKeyPEM())
	if err != nil {
		return nil, err
	}
	router := chi.NewRouter()
	router.Post("/webhooks/highlevel", func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil || keys.Verify(req.Header, body) != nil {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	return httptest.NewServer(router), nil
}

// start builds and runs Milepost, and waits until it is ready.
func (r *rig) start(hl, ch, postgres string) (stop func(), err error) {
	dir, err := os.MkdirTemp("", "milepost-bench-")
	if err != nil {
		return nil, err
	}
	binary := filepath.Join(dir, "milepost")
	build := exec.Command("go", "build", "-o", binary, "./cmd/milepost")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("build milepost: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r.milepost = l.Addr().String()
	l.Close()
	r.serve = exec.Command(binary, "serve")
	r.serve.Stderr = os.Stderr
	r.serve.Env = []string{
		"MILEPOST_LISTEN=" + r.milepost, "MILEPOST_ADMIN_LISTEN=127.0.0.1:0", "MILEPOST_DATA_DIR=" + filepath.Join(dir, "data"), "DATABASE_URL=" + postgres,
		"MILEPOST_HIGHLEVEL_BASE_URL=" + hl, "MILEPOST_HIGHLEVEL_TOKEN=pit-bench", "MILEPOST_HIGHLEVEL_LOCATION_ID=" + location,
		"MILEPOST_HIGHLEVEL_APP_ID=" + app, "MILEPOST_HIGHLEVEL_WEBHOOK_KEYS=" + r.hl.PublicKeyPEM(),
		"MILEPOST_CALENDARHERO_BASE_URL=" + ch, "MILEPOST_CALENDARHERO_TOKEN=ch-bench", "MILEPOST_LOG_LEVEL=error",
	}
	if err := r.serve.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = r.serve.Process.Signal(syscall.SIGTERM)
		_ = r.serve.Wait()
		_ = os.RemoveAll(dir)
	}
	for range 300 {
		res, err := http.Get("http://" + r.milepost + "/readyz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return stop, nil
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	return nil, fmt.Errorf("milepost is not ready after 15 s")
}

// request is a whole signed HTTP request of about 1.5 KB.
func (r *rig) request(contact string) []byte {
	n := r.serial.Add(1)
	body := fmt.Sprintf(`{"type":"ContactUpdate","locationId":%q,"id":%q,"appId":%q,"webhookId":"bench-%d-%d","address1":%q}`,
		location, contact, app, os.Getpid(), n, strings.Repeat("x", 1300))
	return fmt.Appendf(nil, "POST /webhooks/highlevel HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nX-GHL-Signature: %s\r\nContent-Length: %d\r\n\r\n%s",
		r.hl.Sign([]byte(body)), len(body), body)
}

// latency changes the milestone of one contact after the other and times the
// way from the webhook to the call that creates the meeting request.
func (r *rig) latency(times int) ([]time.Duration, error) {
	conn, err := net.Dial("tcp", r.milepost)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	var took []time.Duration
	for i := range times + 1 {
		id := r.ids[i]
		if err := r.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}); err != nil {
			return nil, err
		}
		req := r.request(id)
		time.Sleep(time.Duration(30+i%7*10) * time.Millisecond) // idle, and out of step with any polling
		start := time.Now()
		if _, err := exchange(conn, answers, req); err != nil {
			return nil, err
		}
		select {
		case at := <-r.posted:
			if i > 0 { // the first also reads the location and its fields
				took = append(took, at.Sub(start))
			}
		case <-time.After(10 * time.Second):
			return nil, fmt.Errorf("no meeting request within 10 s")
		}
	}
	slices.Sort(took)
	return took, nil
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

// loaded is the outcome of a load.
type loaded struct {
	ok, refused int
	took        []time.Duration
	elapsed     time.Duration
}

// rate is how many were accepted a second.
func (l loaded) rate() float64 { return float64(l.ok) / l.elapsed.Seconds() }

// load sends pre-signed webhooks for a time. perSecond 0 is as fast as answers
// come; else each has its moment, and waiting for a late one counts.
func (r *rig) load(target string, connections int, length time.Duration, perSecond int) loaded {
	const most = 40000
	count := most
	if perSecond > 0 {
		count = perSecond * int(length/time.Second)
	}
	requests := make([][]byte, count)
	var signing sync.WaitGroup
	var next atomic.Int64
	for range 4 {
		signing.Go(func() {
			for i := int(next.Add(1)) - 1; i < count; i = int(next.Add(1)) - 1 {
				requests[i] = r.request(r.ids[i%contacts])
			}
		})
	}
	signing.Wait()
	next.Store(0)
	var mu sync.Mutex
	var all loaded
	ctx, cancel := context.WithTimeout(context.Background(), length+5*time.Second)
	defer cancel()
	start := time.Now()
	var senders sync.WaitGroup
	for range connections {
		senders.Go(func() {
			conn, err := net.Dial("tcp", target)
			if err != nil {
				return
			}
			defer conn.Close()
			answers := bufio.NewReader(conn)
			var own loaded
			for i := int(next.Add(1)) - 1; i < count && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				due := time.Now()
				if perSecond > 0 {
					due = start.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
					time.Sleep(time.Until(due))
				} else if due.Sub(start) > length {
					break
				}
				status, err := exchange(conn, answers, requests[i])
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

// memory reads a size of the measured process in MiB; 0 where there is no /proc.
func (r *rig) memory(field string) int {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.serve.Process.Pid))
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kb, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			return kb >> 10
		}
	}
	return 0
}

// cpu reads the processor time of the measured process in hundredths of a second.
func (r *rig) cpu() int {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.serve.Process.Pid))
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return user + system
}

func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.Host
}
