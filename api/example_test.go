package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/rs/zerolog"

	"milepost/api"
)

// A load balancer asks /healthz whether the process lives, and /readyz whether it can
// store webhooks now.
func ExamplePublic() {
	surface := api.Public(api.Routes{
		HighLevelWebhooks: http.NotFoundHandler(), WorkflowWebhooks: http.NotFoundHandler(), CalendarHero: http.NotFoundHandler(), Calendars: http.NotFoundHandler(),
		Ready:  func(context.Context) error { return errors.New("the disk is full") },
		Logger: zerolog.Nop(),
	})
	for _, path := range []string{"/healthz", "/readyz"} {
		answer := httptest.NewRecorder()
		surface.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		fmt.Println(path, answer.Code)
	}
	// Output:
	// /healthz 200
	// /readyz 503
}
