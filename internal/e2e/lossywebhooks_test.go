package e2e_test

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"
)

// lossyProxy carries the webhooks of a day, badly: some are lost, some come twice,
// some come late so that others overtake them. Their sender is told that all
// arrived, so nothing but Milepost itself makes up for it.
type lossyProxy struct {
	server *httptest.Server
	to     string                            // Milepost's webhook URL
	real   func(time.Duration) time.Duration // how long a wait of the day really takes
	ended  chan struct{}

	mu    sync.Mutex
	rand  *rand.Rand
	ways  sync.WaitGroup // copies under way
	sent  map[string]int // webhooks of records, by type
	lost  map[string]int
	twice int
	late  int
}

// The fates of a webhook, in per cent.
const (
	lostWebhooks  = 5
	twiceWebhooks = 20
	lateWebhooks  = 20
)

func newLossyProxy(real func(time.Duration) time.Duration, seed uint64) *lossyProxy {
	c := &lossyProxy{
		real: real, ended: make(chan struct{}), rand: rand.New(rand.NewPCG(seed, 1)),
		sent: map[string]int{}, lost: map[string]int{},
	}
	c.server = httptest.NewServer(c)
	return c
}

// close ends what is under way.
func (c *lossyProxy) close() {
	close(c.ended)
	c.ways.Wait()
	c.server.Close()
}

func (c *lossyProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var event struct {
		Type string `json:"type"`
	}
	if err != nil || json.Unmarshal(body, &event) != nil {
		panic(http.ErrAbortHandler)
	}
	if slices.Contains([]string{"INSTALL", "UNINSTALL"}, event.Type) {
		status, err := pass(c.to, r.Header, body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(status)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	percent := func(n int) bool { return c.rand.IntN(100) < n }
	wait := func(longest time.Duration) time.Duration { return time.Duration(c.rand.Int64N(int64(longest))) }
	c.sent[event.Type]++
	if percent(lostWebhooks) {
		c.lost[event.Type]++
		return
	}
	copies := []time.Duration{0}
	if percent(lateWebhooks) {
		c.late++
		copies[0] = wait(15 * time.Minute)
	}
	if percent(twiceWebhooks) {
		c.twice++
		copies = append(copies, wait(20*time.Minute))
	}
	for _, after := range copies {
		c.ways.Go(func() { c.carry(after, r.Header, body) })
	}
}

// carry brings one copy after a while, again until it is taken.
func (c *lossyProxy) carry(after time.Duration, header http.Header, body []byte) {
	for {
		select {
		case <-time.After(c.real(after)):
		case <-c.ended:
			return
		}
		if status, err := pass(c.to, header, body); err == nil && status == http.StatusOK {
			return
		}
		after = time.Minute
	}
}

func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}
