package e2e_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
)

// crashProxy stands before a fake for one life of Milepost. A crash freezes it: calls
// under way come to their end, later ones hang until the dead process has been
// copied, and then break off.
type crashProxy struct {
	fake   http.Handler
	server *httptest.Server

	mu     sync.RWMutex
	frozen chan struct{} // nil while it is open
}

func newCrashProxy(fake http.Handler) *crashProxy {
	g := &crashProxy{fake: fake}
	g.server = httptest.NewServer(g)
	return g
}

func (g *crashProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.RLock()
	frozen := g.frozen
	if frozen == nil {
		defer g.mu.RUnlock()
		g.fake.ServeHTTP(w, r)
		return
	}
	g.mu.RUnlock()
	select {
	case <-frozen:
	case <-r.Context().Done():
	}
	panic(http.ErrAbortHandler)
}

// freeze returns when no call has an effect any more.
func (g *crashProxy) freeze() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.frozen = make(chan struct{})
}

// cut breaks the calls off that hang.
func (g *crashProxy) cut() { close(g.frozen) }

// A route is what happens to a webhook on its way.
type route string

const (
	normally  route = "normally"
	twice     route = "twice"          // at the same moment, with the same webhookId
	late      route = "late"           // not before release
	unheard   route = "answer unheard" // stored, but the sender is not told and sends again
	slowFirst route = "refused first"  // by the proxy: others overtake it
)

// relay passes webhooks on to the Milepost that runs, each on the route that
// was set when it first came by.
type relay struct {
	server *httptest.Server

	mu      sync.Mutex
	route   route
	routes  map[string]route // by webhookId; normally once it had its way
	to      string           // the webhook URL of the running Milepost; "" = none runs
	life    int              // counts the lives of Milepost
	stored  map[string]bool  // webhookIds that the sender was told are stored
	refused int
}

func newRelay() *relay {
	o := &relay{route: normally, routes: map[string]route{}, stored: map[string]bool{}}
	o.server = httptest.NewServer(o)
	return o
}

func (o *relay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var event struct {
		WebhookID string `json:"webhookId"`
	}
	if err != nil || json.Unmarshal(body, &event) != nil {
		panic(http.ErrAbortHandler)
	}
	id := event.WebhookID
	o.mu.Lock()
	way, known := o.routes[id]
	if !known {
		way = o.route
		o.routes[id] = way
	}
	if way != late {
		o.routes[id] = normally
	}
	to, life := o.to, o.life
	if way == late || way == slowFirst || to == "" {
		o.refused++
		o.mu.Unlock()
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	o.mu.Unlock()
	var copies sync.WaitGroup
	if way == twice {
		copies.Go(func() { _, _ = pass(to, r.Header, body) })
	}
	status, err := pass(to, r.Header, body)
	copies.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadGateway)
	case life != o.life || way == unheard:
		panic(http.ErrAbortHandler)
	default:
		if status == http.StatusOK {
			o.stored[id] = true
		}
		w.WriteHeader(status)
	}
}

// pass posts a webhook and returns the status of the answer.
func pass(url string, header http.Header, body []byte) (int, error) {
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	for _, key := range []string{"Content-Type", "X-Ghl-Signature", "X-Wh-Signature"} {
		req.Header[key] = header[key]
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// take sets the route of the webhooks that come by for the first time from now on.
func (o *relay) take(way route) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.route = way
}

// release lets all that is late go.
func (o *relay) release() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, way := range o.routes {
		if way == late {
			o.routes[id] = normally
		}
	}
}

// serve begins a life of Milepost at a URL; "" ends one: nothing that it
// answers from now on is heard.
func (o *relay) serve(url string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.to = url
	o.life++
}

// counts returns how many webhooks the sender was told are stored, and how
// often one was refused.
func (o *relay) counts() (stored, refused int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.stored), o.refused
}
