package calendarhero_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"milepost/clients"
	"milepost/clients/calendarhero"
	chfake "milepost/internal/sandbox/calendarhero"
)

const hookURL = "https://milepost.example/webhooks/calendarhero/conn/S3cretKey/meeting_started"

func TestAHookIsReadHoweverItIsAnswered(t *testing.T) {
	for _, tc := range []struct {
		status     int
		body       string
		want       calendarhero.Hook
		registered bool
	}{
		{200, ``, calendarhero.Hook{}, false},
		{204, ``, calendarhero.Hook{}, false},
		{200, `null`, calendarhero.Hook{}, false},
		{200, `{}`, calendarhero.Hook{}, false},
		{200, `[]`, calendarhero.Hook{}, false},
		{200, `""`, calendarhero.Hook{}, false},
		{200, `{"data":[]}`, calendarhero.Hook{}, false},
		{200, `{"id":"1","hookUrl":null}`, calendarhero.Hook{}, false},
		{200, `{"hook":{"id":"1","url":""}}`, calendarhero.Hook{}, false},
		{404, `{"statusCode":404,"error":"Not Found"}`, calendarhero.Hook{}, false},
		{404, `404 page not found`, calendarhero.Hook{}, false},
		{405, `Method Not Allowed`, calendarhero.Hook{}, false},
		{200, `{"id":"1","hookUrl":"` + hookURL + `"}`, calendarhero.Hook{ID: "1", URL: hookURL}, true},
		{200, `{"id":7,"hookURL":"` + hookURL + `"}`, calendarhero.Hook{ID: "7", URL: hookURL}, true},
		{200, `{"url":"` + hookURL + `"}`, calendarhero.Hook{URL: hookURL}, true},
		{200, `[{"id":"1","hookUrl":"` + hookURL + `"}]`, calendarhero.Hook{ID: "1", URL: hookURL}, true},
		{200, `{"data":{"webhooks":[{"id":"1","hookUrl":"` + hookURL + `"}]}}`, calendarhero.Hook{ID: "1", URL: hookURL}, true},
		{200, `"` + hookURL + `"`, calendarhero.Hook{URL: hookURL}, true},
		{200, `["` + hookURL + `"]`, calendarhero.Hook{URL: hookURL}, true},
		{200, `{"id":"1","active":true}`, calendarhero.Hook{}, true},
		{200, `{"a":{"a":{"a":{"a":{"a":{"a":{"url":"x"}}}}}}}`, calendarhero.Hook{}, true},
		{200, `[5]`, calendarhero.Hook{URL: "5"}, true},
	} {
		client, seen := setup(t, answer(tc.status, tc.body))
		hook, registered, err := client.Hook(t.Context(), calendarhero.MeetingStarted)
		if err != nil || hook != tc.want || registered != tc.registered {
			t.Errorf("%d %s: got %v, %t, %v", tc.status, tc.body, hook, registered, err)
		}
		if seen.all()[0].Line != "GET /webhook/meeting_started" {
			t.Error(seen.all())
		}
	}
	for status, reason := range map[int]clients.Reason{401: clients.Unauthorized, 500: clients.Unavailable, 400: clients.Invalid} {
		client, _ := setup(t, answer(status, `{"message":"no"}`))
		if _, registered, err := client.Hook(t.Context(), calendarhero.MeetingStarted); clients.ReasonOf(err) != reason || registered {
			t.Errorf("%d: %t, %v", status, registered, err)
		}
	}
}

func TestAHookIsSetAgainAfterALostAnswerAndItsURLIsInNoError(t *testing.T) {
	client, seen := setup(t, answer(500, ``))
	if _, err := client.SetHook(t.Context(), calendarhero.MeetingStarted, hookURL); clients.ReasonOf(err) != clients.Unavailable || len(seen.all()) != 3 {
		t.Errorf("%v after %d tries", err, len(seen.all()))
	}
	if got, want := seen.all()[0], (request{"POST /webhook/meeting_started", token, `{"hookUrl":"` + hookURL + `"}`}); got != want {
		t.Errorf("sent %v, want %v", got, want)
	}
	for _, said := range []string{hookURL, strings.TrimPrefix(hookURL, "https://milepost.example")} {
		client, _ = setup(t, answer(400, `{"message":"child \"hookUrl\" with value `+said+` is none"}`))
		if _, err := client.SetHook(t.Context(), calendarhero.MeetingStarted, hookURL); clients.ReasonOf(err) != clients.Invalid || strings.Contains(err.Error(), "S3cretKey") {
			t.Error(err)
		}
	}
	for body, want := range map[string]string{``: "", `"OK"`: "", `{"id":"1"}`: "1"} {
		client, _ = setup(t, answer(200, body))
		if id, err := client.SetHook(t.Context(), calendarhero.MeetingStarted, hookURL); err != nil || id != want {
			t.Errorf("%s: %q, %v", body, id, err)
		}
	}
}

func TestHooksComeAndGoInTheSandbox(t *testing.T) {
	fake := chfake.New(chfake.Config{Token: token})
	t.Cleanup(fake.Close)
	server := httptest.NewServer(http.HandlerFunc(fake.ServeHTTP))
	t.Cleanup(server.Close)
	client := calendarhero.New(config(server.URL))
	for _, event := range calendarhero.Events {
		if _, registered, err := client.Hook(t.Context(), event); registered || err != nil {
			t.Fatal(event, registered, err)
		}
		id, err := client.SetHook(t.Context(), event, hookURL)
		if err != nil {
			t.Fatal(event, err)
		}
		if hook, registered, err := client.Hook(t.Context(), event); err != nil || !registered || hook != (calendarhero.Hook{ID: id, URL: hookURL}) {
			t.Errorf("%s: %v, %t, %v", event, hook, registered, err)
		}
		if sample, err := client.HookSample(t.Context(), event); err != nil || !strings.Contains(string(sample), `"id"`) {
			t.Errorf("%s: %s, %v", event, sample, err)
		}
	}
	if len(fake.Hooks()) != 8 {
		t.Errorf("hooks: %v", fake.Hooks())
	}
	for _, event := range calendarhero.Events {
		if err := client.DeleteHook(t.Context(), event); err != nil {
			t.Error(err)
		}
	}
	if len(fake.Hooks()) != 0 {
		t.Errorf("hooks are left: %v", fake.Hooks())
	}
}
