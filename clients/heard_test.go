package clients_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"milepost/clients"
)

func TestCallsAreNotedWithoutSecrets(t *testing.T) {
	transport, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusConflict)
		}
		_, _ = io.WriteString(w, `{"id":"t1","name":"Jane","accessToken":"hidden-1"}`)
	})
	ctx := clients.Logging(t.Context())
	if err := transport.Do(ctx, put); err != nil {
		t.Fatal(err)
	}
	if err := transport.Do(ctx, del); err == nil {
		t.Fatal("a 409 is a success")
	}
	renew := clients.Call{Operation: "renew token", Method: "POST", Path: "/token", Effect: clients.Once, Body: url.Values{"refresh": {"hidden-2"}}}
	if err := transport.Do(ctx, renew); err != nil {
		t.Fatal(err)
	}
	for range 40 {
		_ = transport.Do(ctx, get)
	}
	if err := transport.Do(t.Context(), get); err != nil { // nobody asks for it
		t.Fatal(err)
	}
	list, more := clients.Logged(ctx)
	if len(list) != 30 || more != 13 {
		t.Fatalf("%d calls are noted and %d are not", len(list), more)
	}
	text, cut := clients.ForPeople(list[0].Answer, 1000)
	if text != `{"id":"t1","name":"Jane"}` || cut || list[0].Status != 200 || !list[0].Writes || string(list[0].Request) != `{"name":"Jane Private"}` {
		t.Errorf("the first is %+v, answered by %s", list[0], text)
	}
	if list[1].Status != http.StatusConflict || list[1].Failed == nil {
		t.Errorf("the one that failed is %+v", list[1])
	}
	if list[2].Request != nil || list[2].Answer != nil {
		t.Errorf("the call for a token is %+v", list[2])
	}
	if text, cut := clients.ForPeople([]byte(`{"name":"é"}`), 10); !cut || text != `{"name":"` {
		t.Errorf("cut it is %q", text)
	}
	if text, _ := clients.ForPeople([]byte("token="+strings.Repeat("x", 9)), 100); text != "" {
		t.Errorf("what is no JSON is %q", text)
	}
}
