package highlevel

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"milepost/internal/sandbox/fakehttp"
	"milepost/internal/sandbox/fakehttp/fakehttptest"
)

func (h *fakeTest) raw(method, path, body string) (*http.Response, error) {
	req, err := http.NewRequest(method, h.url+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for key, value := range h.headers {
		req.Header.Set(key, value)
	}
	return h.client.Do(req)
}

const aTask = `{"title":"t","dueDate":"2026-12-01","completed":false}`

func TestAFaultStrikesItsOperationAsOftenAsTold(t *testing.T) {
	h := setup(t)
	armed := h.Faults().Next("GET /contacts/{contactId}", 2, fakehttp.FailWith(503))
	h.want(200, "GET", "/contacts/"+h.contact.ID+"/tasks", "")
	for range 2 {
		if answer := h.want(503, "GET", "/contacts/"+h.contact.ID, ""); answer["message"] != "Service Unavailable" {
			t.Errorf("answered %v", answer)
		}
	}
	h.want(200, "GET", "/contacts/"+h.contact.ID, "")
	<-armed.Hit()
	if armed.Hits() != 2 {
		t.Errorf("struck %d times", armed.Hits())
	}
}

func TestAFaultCanMatchManyOperationsUntilCleared(t *testing.T) {
	h := setup(t)
	h.Faults().Next("* /contacts/*", -1, fakehttp.RateLimited(1500*time.Millisecond))
	for range 3 {
		status, header, _ := h.exchange("GET", "/contacts/"+h.contact.ID, "")
		if status != 429 || header.Get("Retry-After") != "2" {
			t.Errorf("answered %d, Retry-After %q", status, header.Get("Retry-After"))
		}
	}
	h.want(200, "GET", "/locations/"+testLocation, "")
	h.Faults().Clear()
	h.want(200, "GET", "/contacts/"+h.contact.ID, "")
}

func TestADroppedRequestDoesNothingAndALostAnswerDidItAll(t *testing.T) {
	h := setup(t)
	for _, tc := range []struct {
		fault fakehttp.Fault
		tasks int
	}{{fakehttp.DropBefore(), 0}, {fakehttp.ResetBefore(), 0}, {fakehttp.LoseAnswer(), 1}} {
		armed := h.Faults().Next("POST /contacts/{contactId}/tasks", 1, tc.fault)
		if res, err := h.raw("POST", "/contacts/"+h.contact.ID+"/tasks", aTask); err == nil {
			t.Errorf("an answer came: %d", res.StatusCode)
		}
		if got := len(h.Tasks("")); got != tc.tasks || armed.Hits() != 1 {
			t.Errorf("%d tasks after %d strikes, want %d", got, armed.Hits(), tc.tasks)
		}
	}
}

func TestAHeldRequestGoesOnWhenReleased(t *testing.T) {
	h := setup(t)
	release := make(chan struct{})
	armed := h.Faults().Next("POST *", 1, fakehttp.HoldUntil(release))
	status := make(chan int)
	go func() {
		res, err := h.raw("POST", "/contacts/"+h.contact.ID+"/tasks", aTask)
		if err != nil {
			status <- 0
			return
		}
		res.Body.Close()
		status <- res.StatusCode
	}()
	<-armed.Hit()
	if len(h.Tasks("")) != 0 {
		t.Error("a held request was handled")
	}
	close(release)
	if got := <-status; got != 201 || len(h.Tasks("")) != 1 {
		t.Errorf("after the release: %d, %d tasks", got, len(h.Tasks("")))
	}
}

func TestAMalformedAnswerIsNoJSON(t *testing.T) {
	h := setup(t)
	h.Faults().Next("*", 1, fakehttp.MalformedAnswer())
	res, err := h.raw("POST", "/contacts/"+h.contact.ID+"/tasks", aTask)
	fakehttptest.Must(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	fakehttptest.Must(t, err)
	if res.StatusCode != 201 || json.Valid(body) || len(h.Tasks("")) != 1 {
		t.Errorf("answered %d %s", res.StatusCode, body)
	}
}

func TestAFaultSaysWhatItIsTold(t *testing.T) {
	h := setup(t)
	h.Faults().Next("*", 1, fakehttp.Say(418, "<p>").WithHeader("Content-Type", "text/html").WithHeader("X-RateLimit-Daily-Remaining", "0"))
	res, err := h.raw("GET", "/contacts/"+h.contact.ID, "")
	fakehttptest.Must(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	fakehttptest.Must(t, err)
	if res.StatusCode != 418 || string(body) != "<p>" || res.Header.Get("Content-Type") != "text/html" || res.Header.Get("X-RateLimit-Daily-Remaining") != "0" {
		t.Errorf("answered %d %v %s", res.StatusCode, res.Header, body)
	}
}

func TestAGatewayAnswersEverythingUntilItIsDisarmed(t *testing.T) {
	h := setup(t)
	other := h.Faults().Next("GET /locations/{locationId}", 1, fakehttp.FailWith(503))
	gateway := h.Faults().Gateway(404, "")
	res, err := h.raw("GET", "/contacts/"+h.contact.ID, "")
	fakehttptest.Must(t, err)
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 404 || len(body) != 0 {
		t.Errorf("answered %d %s %v", res.StatusCode, body, err)
	}
	h.Faults().Disarm(gateway)
	h.want(200, "GET", "/contacts/"+h.contact.ID, "")
	h.want(503, "GET", "/locations/"+testLocation, "")
	if gateway.Hits() != 1 || other.Hits() != 1 {
		t.Errorf("struck %d and %d times", gateway.Hits(), other.Hits())
	}
}
