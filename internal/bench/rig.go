package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"milepost/internal/bench/changes"
	chfake "milepost/internal/sandbox/calendarhero"
	hlfake "milepost/internal/sandbox/highlevel"
)

const (
	location = "benchLocation0000001"
	app      = "6878cec452e7c8d29d4dd3d9"
	contacts = 300

	adminToken = "bench-token-of-the-admin-listener"
)

// rig is the fakes and the two measured processes.
type rig struct {
	*bench
	hl       *hlfake.Server
	ids      []string       // of the contacts
	posted   chan time.Time // when CalendarHero was asked to create a request
	milepost *process
	baseline *process
	admin    string        // host:port of the admin listener
	ready    time.Duration // from the start of the process
	stop     func()        // ends all; more than once is fine
}

// build builds the milepost that is measured.
func (b *bench) build() error {
	build := exec.Command("go", "build", "-o", filepath.Join(b.dir, "milepost"), "./cmd/milepost")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build milepost: %w", err)
	}
	return nil
}

// start runs the fakes and both processes, and waits until Milepost is ready.
func (b *bench) start(on *storage) (_ *rig, err error) {
	r := &rig{bench: b, posted: make(chan time.Time, 1000)}
	var ends []func()
	r.stop = sync.OnceFunc(func() {
		for _, end := range slices.Backward(ends) {
			end()
		}
	})
	defer func() {
		if err != nil {
			r.stop()
		}
	}()
	r.hl = hlfake.New(hlfake.Config{AppID: app, Token: "pit-bench", LocationIDs: []string{location}})
	ends = append(ends, r.hl.Close)
	r.hl.SeedLocation(hlfake.Location{ID: location, Name: "Bench", TimeZone: "Europe/Berlin"}, nil, []hlfake.CustomField{
		{Name: "Milestone", DataType: "TEXT"}, {Name: "Milestone Date", DataType: "DATE"},
	})
	for i := range max(contacts, b.contacts) {
		c, err := r.hl.SeedContact(hlfake.Contact{LocationID: location, FirstName: "Contact", LastName: strconv.Itoa(i), Email: fmt.Sprintf("c%d@example.com", i)})
		if err != nil {
			return nil, err
		}
		r.ids = append(r.ids, c.ID)
	}
	ch := chfake.New(chfake.Config{Token: "ch-bench", User: chfake.User{Email: "owner@example.com", TimeZone: "UTC"}})
	ends = append(ends, ch.Close)
	hlServer := httptest.NewServer(r.hl)
	ends = append(ends, hlServer.Close)
	chServer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodPost && req.URL.Path == "/meeting/tasks" {
			select {
			case r.posted <- time.Now():
			default:
			}
		}
		ch.ServeHTTP(w, req)
	}))
	ends = append(ends, chServer.Close)
	if r.baseline, err = startVerifyOnly(r.hl.PublicKeyPEM()); err != nil {
		return nil, err
	}
	ends = append(ends, r.baseline.end)

	ln, err := listen()
	if err != nil {
		return nil, err
	}
	ln.Close()
	adminLn, err := listen()
	if err != nil {
		return nil, err
	}
	adminLn.Close()
	r.admin = adminLn.Addr().String()
	r.milepost = &process{cmd: exec.Command(filepath.Join(b.dir, "milepost"), "serve"), addr: ln.Addr().String()}
	r.milepost.cmd.Stderr = os.Stderr
	r.milepost.cmd.Env = []string{
		"MILEPOST_LISTEN=" + r.milepost.addr, "MILEPOST_ADMIN_LISTEN=" + r.admin, "MILEPOST_ADMIN_TOKEN=" + adminToken, "MILEPOST_DATA_DIR=" + on.dir, "DATABASE_URL=" + on.url,
		"MILEPOST_HIGHLEVEL_BASE_URL=" + hlServer.URL, "MILEPOST_HIGHLEVEL_TOKEN=pit-bench", "MILEPOST_HIGHLEVEL_LOCATION_ID=" + location,
		"MILEPOST_HIGHLEVEL_APP_ID=" + app, "MILEPOST_HIGHLEVEL_WEBHOOK_KEYS=" + r.hl.PublicKeyPEM(),
		"MILEPOST_CALENDARHERO_BASE_URL=" + chServer.URL, "MILEPOST_CALENDARHERO_TOKEN=ch-bench", "MILEPOST_LOG_LEVEL=error",
	}
	start := time.Now()
	if err := r.milepost.cmd.Start(); err != nil {
		return nil, err
	}
	ends = append(ends, r.milepost.end)
	for time.Since(start) < patience {
		if res, err := http.Get("http://" + r.milepost.addr + "/readyz"); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				r.ready = time.Since(start)
				return r, nil
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil, fmt.Errorf("milepost is not ready after %s", patience)
}

// patience is how long a start may take. The first one on seeded files compares all webhooks
// with their deliveries, as after a restore.
const patience = 5 * time.Minute

func listen() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }

// request is a whole signed HTTP request of about 1.5 KB.
func (r *rig) request(contact string) []byte {
	body := fmt.Sprintf(`{"type":"ContactUpdate","locationId":%q,"id":%q,"appId":%q,"webhookId":%q,"address1":%q}`,
		location, contact, app, uuid.NewString(), strings.Repeat("x", 1300))
	return fmt.Appendf(nil, "POST /webhooks/highlevel HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nX-GHL-Signature: %s\r\nContent-Length: %d\r\n\r\n%s",
		r.hl.Sign([]byte(body)), len(body), body)
}

// requests signs n requests for the contacts in turn.
func (r *rig) requests(n int, contacts []string) [][]byte {
	out := make([][]byte, n)
	var signing sync.WaitGroup
	for worker := range 4 {
		signing.Go(func() {
			for i := worker; i < n; i += 4 {
				out[i] = r.request(contacts[i%len(contacts)])
			}
		})
	}
	signing.Wait()
	return out
}

// atRest prints what Milepost takes without load, how fast one change arrives,
// and what bursts on one contact cost.
func (r *rig) atRest() error {
	const idle = 2 * time.Second
	r.settledCalls() // the first reconciliation
	before := r.milepost.cpu()
	time.Sleep(idle)
	fmt.Printf("  idle: %d MiB resident, %.1f %% of a core\n", r.milepost.memory("VmRSS"),
		100*(r.milepost.cpu()-before).Seconds()/idle.Seconds())
	took, err := r.latency(40)
	if err != nil {
		return err
	}
	fmt.Printf("  webhook to CalendarHero call: p50 %s, p95 %s  %s\n", tenths(took[len(took)/2]), tenths(took[len(took)*95/100]),
		verdict(took[len(took)/2] <= 100*time.Millisecond, "aim p50 100 ms"))
	calls := r.settledCalls()
	sent := load{target: r.milepost.addr, connections: 32, requests: r.requests(1000, r.ids[:1]), length: 30 * time.Second}.run()
	calls = r.settledCalls() - calls
	fmt.Printf("  calls to HighLevel for %d webhooks on one contact within %s: %d  %s\n", sent.ok, tenths(sent.elapsed), calls, verdict(calls <= 5, "aim 5"))
	return r.changes()
}

// changes prints what changes of a contact cost, each a burst of HighLevel's webhooks.
func (r *rig) changes() error {
	r.hl.SetWebhookURL("http://" + r.milepost.addr + "/webhooks/highlevel")
	defer r.hl.SetWebhookURL("")
	fmt.Println("  calls to HighLevel for a change of a contact that has ten tasks and three notes in the end:")
	calls := r.settledCalls()
	for _, c := range changes.All() {
		if err := c.Happens(r.hl, r.ids[1]); err != nil {
			return err
		}
		all := r.settledCalls()
		fmt.Printf("    %-20s %2d  %s\n", c.Name, all-calls, verdict(all-calls <= c.Most, fmt.Sprintf("aim %d", c.Most)))
		calls = all
	}
	return nil
}

// settledCalls counts the calls to HighLevel once none has come for 3 s, or
// 15 s have passed.
func (r *rig) settledCalls() (n int) {
	for quiet, all := 0, 0; quiet < 30 && all < 150; all++ {
		last := n
		n = changes.Calls(r.hl)
		if quiet++; n != last {
			quiet = 0
		}
		time.Sleep(100 * time.Millisecond)
	}
	return n
}

// latency changes the milestone of one contact after the other and times the
// way from the webhook to the call that creates the meeting request, sorted.
func (r *rig) latency(times int) ([]time.Duration, error) {
	conn, err := net.Dial("tcp", r.milepost.addr)
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

// ingest loads both processes in turn and prints the medians, for each number
// of connections. It returns the ratio of rates at 64, the one that is aimed at.
func (r *rig) ingest(connections ...int) (at64 float64, err error) {
	verified := r.requests(2000, r.ids)
	for _, n := range connections {
		var base, mine, ratios, baseCPU, mineCPU []float64
		refused := 0
		for range r.rounds {
			b := r.baseline.under(load{connections: n, requests: verified, again: true, length: r.length})
			m := r.milepost.under(load{connections: n, requests: r.requests(int(15000*r.length.Seconds()), r.ids), length: r.length})
			if b.ok == 0 || m.ok == 0 {
				return 0, fmt.Errorf("of %d connections none was answered 200", n)
			}
			base, mine, ratios = append(base, b.rate()), append(mine, m.rate()), append(ratios, m.rate()/b.rate())
			baseCPU, mineCPU = append(baseCPU, b.cpuEach()), append(mineCPU, m.cpuEach())
			refused += m.refused
		}
		ratio, aim := median(ratios), ""
		if n == 64 {
			at64, aim = ratio, "  "+verdict(ratio >= 0.6, "aim 0.6")
		}
		fmt.Printf("  ingest, %3d connections: %.0f/s of %.0f/s, ratio %.2f%s; CPU %.0f us each of %.0f us; %d refused\n",
			n, median(mine), median(base), ratio, aim, median(mineCPU), median(baseCPU), refused)
	}
	return at64, nil
}

// paced prints the time to the acknowledgement at 500 webhooks a second.
func (r *rig) paced() error {
	const perSecond = 500
	var p50, p99, base []time.Duration
	for range r.rounds {
		l := load{connections: 64, requests: r.requests(2*perSecond, r.ids), perSecond: perSecond, length: time.Minute}
		b, m := r.baseline.under(l), r.milepost.under(l)
		if len(b.took) == 0 || len(m.took) == 0 {
			return fmt.Errorf("no paced webhook was answered 200")
		}
		p50, p99, base = append(p50, m.quantile(50)), append(p99, m.quantile(99)), append(base, b.quantile(99))
	}
	fmt.Printf("  acknowledged at %d/s: p50 %s, p99 %s  %s; verified only: p99 %s\n", perSecond, tenths(median(p50)), tenths(median(p99)),
		verdict(median(p99) <= 12*time.Millisecond, "aim p99 12 ms"), tenths(median(base)))
	return nil
}
