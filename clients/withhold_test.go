package clients_test

import (
	"testing"

	"milepost/clients"
)

func TestAnAnswerIsShownWithoutWhatSignsIn(t *testing.T) {
	for in, want := range map[string]string{
		`{"name":"Google","auth":{"x":1},"eAuth":"y","calendar":{"accessToken":"z","id":12345678901234567890}}`: `{"calendar":{"id":12345678901234567890},"name":"Google"}`,
		`[{"refresh_token":"a","apiKey":"b","client_secret":"c","userPassword":"d","tokens":1}]`:                `[{"tokens":1}]`,
		`"text"`: `"text"`, `  `: ``, `null`: `null`,
	} {
		got, err := clients.WithoutSecrets([]byte(in))
		if err != nil || string(got) != want {
			t.Errorf("%s became %s, %v; want %s", in, got, err, want)
		}
	}
	if _, err := clients.WithoutSecrets([]byte(`{"auth":`)); err == nil {
		t.Error("what is no JSON was taken")
	}
}
