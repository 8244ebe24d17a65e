package highlevel_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"milepost/clients"
	"milepost/clients/highlevel"
)

// Every failure is a *clients.Error. Its Reason says what the caller can do.
func ExampleClient_Contact() {
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"statusCode":401,"message":"Invalid JWT"}`)
	}))
	defer vendor.Close()
	client := highlevel.New(highlevel.Config{BaseURL: vendor.URL, Tokens: highlevel.StaticTokens("pit-expired")})

	_, err := client.Contact(context.Background(), "ocQHyuzHvysMo5N5VsXc")
	var failed *clients.Error
	if errors.As(err, &failed) {
		fmt.Println(failed.Reason, failed.Status)
	}
	fmt.Println(err)
	// Output:
	// unauthorized 401
	// HighLevel: get contact ocQHyuzHvysMo5N5VsXc: 401: Invalid JWT: the token is wrong or has expired: make a new one or connect the location again
}
