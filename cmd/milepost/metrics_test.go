//go:build unix

package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// TestPrometheusReadsTheMetrics works a little and reads what was measured. Each metric
// must stand in docs/metrics.md, and each that the rules and the dashboard use must exist.
func TestPrometheusReadsTheMetrics(t *testing.T) {
	t.Parallel()
	const token = "metrics-admin-token-0123456789"
	admin := freeAddress(t)
	r := setupCommands(t, "MILEPOST_ADMIN_LISTEN="+admin, "MILEPOST_ADMIN_TOKEN="+token)
	r.connect()
	id := r.contact("Ann")
	r.webhook(`{"type":"ContactUpdate","locationId":"` + place + `","id":"` + id + `","webhookId":"m1"}`)
	r.must("backfill", "--location", place, "--since", "7d", "--wait")
	if res, err := http.Post("http://"+r.addr+"/webhooks/highlevel", "application/json", strings.NewReader("{}")); err != nil {
		t.Fatal(err)
	} else {
		res.Body.Close()
	}
	scrape := func(bearer string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+admin+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		if bearer != "" {
			req.Header.Set("Authorization", "Bearer "+bearer)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	if status, _ := scrape(""); status != http.StatusUnauthorized {
		t.Errorf("without the token the metrics are answered %d", status)
	}
	status, text := scrape(token)
	if status != http.StatusOK {
		t.Fatalf("the metrics are answered %d: %s", status, text)
	}
	for _, want := range []string{
		`milepost_webhooks_total{code="200",source="highlevel"} 1`, `milepost_webhooks_total{code="401",source="highlevel"} 1`,
		`milepost_syncs_total{kind="contact",outcome="done"} 1`, `milepost_vendor_requests_total{code="200",operation="highlevel.get_contact",vendor="highlevel"}`,
		"milepost_locations 1\n", "milepost_records_waiting 0\n", "milepost_database_up 1\n", "milepost_webhook_answer_seconds_count{source=\"highlevel\"} 2\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics have no %s", strings.TrimSpace(want))
		}
	}
	if strings.Contains(text, place) || strings.Contains(text, id) {
		t.Error("a label names a customer")
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v %v", problems, err)
	}

	documented := read(t, "docs/metrics.md")
	var names []string
	for _, match := range regexp.MustCompile(`(?m)^# TYPE (milepost_\w+) `).FindAllStringSubmatch(text, -1) {
		names = append(names, match[1])
		if !strings.Contains(documented, "`"+match[1]+"`") {
			t.Errorf("docs/metrics.md does not name %s", match[1])
		}
	}
	optional := []string{"milepost_quota_left_ratio", "milepost_token_age_seconds", "milepost_backup_timestamp_seconds"} // not known at first
	for _, path := range []string{"docs/metrics.md", "deploy/prometheus/rules.yml", "deploy/grafana/milepost.json"} {
		for _, name := range regexp.MustCompile(`\bmilepost_\w+`).FindAllString(read(t, path), -1) {
			base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count"), "_sum")
			if !slices.Contains(names, name) && !slices.Contains(names, base) && !slices.Contains(optional, name) {
				t.Errorf("%s uses %s, which is not measured", path, name)
			}
		}
	}
}

// read reads a file by its path from the root of the project.
func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
