// Package deploy tests the files of this folder: that the programs that read them
// take them, and that they agree with Milepost. The proxies are tested in front of
// Milepost itself, in cmd/milepost.
package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

// program returns the path of a program, or skips the test; in CI it fails it.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("MILEPOST_REQUIRE_PROGRAMS") != "" {
			t.Fatalf("%s is not installed, and MILEPOST_REQUIRE_PROGRAMS is set", name)
		}
		t.Skipf("skipped: %s is not installed", name)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSystemdTakesTheUnitAndFindsItHardened(t *testing.T) {
	analyze := program(t, "systemd-analyze")
	unit := filepath.Join(t.TempDir(), "milepost.service")
	installed := strings.Replace(read(t, "systemd/milepost.service"), "/usr/bin/milepost", os.Args[0], 1) // a program that exists
	if err := os.WriteFile(unit, []byte(installed), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"verify", "--man=no", unit}, {"security", "--offline=yes", "--threshold=15", unit}} {
		if out, err := exec.CommandContext(t.Context(), analyze, args...).CombinedOutput(); err != nil {
			t.Errorf("systemd-analyze %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

func TestKubernetesTakesTheManifests(t *testing.T) {
	kinds := map[string]func() any{
		"ConfigMap": func() any { return &corev1.ConfigMap{} }, "ServiceAccount": func() any { return &corev1.ServiceAccount{} },
		"Deployment": func() any { return &appsv1.Deployment{} }, "Service": func() any { return &corev1.Service{} },
		"PodDisruptionBudget": func() any { return &policyv1.PodDisruptionBudget{} }, "NetworkPolicy": func() any { return &networkingv1.NetworkPolicy{} },
	}
	found := map[string]any{}
	for document := range strings.SplitSeq(read(t, "kubernetes/milepost.yaml"), "\n---\n") {
		var head struct{ Kind string }
		if err := yaml.Unmarshal([]byte(document), &head); err != nil {
			t.Fatal(err)
		}
		decode := kinds[head.Kind]
		if decode == nil {
			t.Fatalf("nothing checks a %q", head.Kind)
		}
		object := decode()
		if err := yaml.UnmarshalStrict([]byte(document), object); err != nil {
			t.Errorf("%s: %v", head.Kind, err)
		}
		found[head.Kind] = object
	}
	deployment, ok := found["Deployment"].(*appsv1.Deployment)
	if !ok || len(found) != len(kinds) {
		t.Fatalf("of %d kinds %d are there", len(kinds), len(found))
	}
	pod := deployment.Spec.Template.Spec
	c := pod.Containers[0]
	if c.ReadinessProbe.HTTPGet.Path != "/readyz" || c.LivenessProbe.HTTPGet.Path != "/healthz" || c.StartupProbe.HTTPGet.Path != "/healthz" {
		t.Error("the probes ask for other paths than Milepost has")
	}
	ports := map[string]int32{}
	for _, p := range c.Ports {
		ports[p.Name] = p.ContainerPort
	}
	if ports["http"] != 8080 || ports["admin"] != 8081 {
		t.Errorf("the ports are %v", ports)
	}
	labels := deployment.Spec.Template.Labels
	for kind, selector := range map[string]map[string]string{
		"Service": found["Service"].(*corev1.Service).Spec.Selector, "PodDisruptionBudget": found["PodDisruptionBudget"].(*policyv1.PodDisruptionBudget).Spec.Selector.MatchLabels,
		"NetworkPolicy": found["NetworkPolicy"].(*networkingv1.NetworkPolicy).Spec.PodSelector.MatchLabels, "Deployment": deployment.Spec.Selector.MatchLabels,
	} {
		for key, value := range selector {
			if labels[key] != value {
				t.Errorf("the %s selects %s=%s, which no pod has", kind, key, value)
			}
		}
	}
	if *pod.TerminationGracePeriodSeconds < 5+22 {
		t.Error("a pod is killed before it may have stopped")
	}
}

func TestComposeTakesTheFile(t *testing.T) {
	details := types.ConfigDetails{
		WorkingDir:  ".",
		ConfigFiles: []types.ConfigFile{{Filename: "compose.yaml", Content: []byte(read(t, "compose.yaml"))}},
		Environment: types.Mapping{"MILEPOST_HOST": "milepost.example.com", "MILEPOST_CONSOLE_HOST": "console.example.com", "POSTGRES_PASSWORD": "p"},
	}
	project, err := loader.LoadWithContext(t.Context(), details, func(o *loader.Options) { o.SkipResolveEnvironment = true })
	if err != nil {
		t.Fatal(err)
	}
	if len(project.Services) != 3 {
		t.Errorf("the services are %v", project.ServiceNames())
	}
	caddyfile := read(t, "caddy/Caddyfile")
	for name := range project.Services["caddy"].Environment {
		if !strings.Contains(caddyfile, "{$"+name+":") {
			t.Errorf("the Caddyfile does not read %s", name)
		}
	}
	for _, missing := range []string{"MILEPOST_HOST", "POSTGRES_PASSWORD"} {
		bad := details
		bad.Environment = details.Environment.Clone()
		delete(bad.Environment, missing)
		if _, err := loader.LoadWithContext(t.Context(), bad, func(o *loader.Options) { o.SkipResolveEnvironment = true }); err == nil {
			t.Errorf("it starts without %s", missing)
		}
	}
}

// TestTheSettingsExist looks for each setting that a file of this folder names in the
// code that reads it.
func TestTheSettingsExist(t *testing.T) {
	config := read(t, "../internal/app/config.go")
	settings := regexp.MustCompile(`(?m)^[ #]*-? ?"?(MILEPOST_[A-Z_]+|DATABASE_URL)"?[:=]`)
	own := map[string]bool{"MILEPOST_HOST": true, "MILEPOST_CONSOLE_HOST": true, "MILEPOST_UPSTREAM": true, "MILEPOST_ADMIN_UPSTREAM": true} // of the Caddyfile
	for _, path := range []string{"milepost.env.example", "compose.yaml", "kubernetes/milepost.yaml", "caddy/Caddyfile", "nginx/milepost.conf"} {
		found := settings.FindAllStringSubmatch(read(t, path), -1)
		if len(found) == 0 {
			t.Errorf("%s names no setting", path)
		}
		for _, match := range found {
			if !own[match[1]] && !strings.Contains(config, `env:"`+match[1]+`"`) {
				t.Errorf("%s names %s, which Milepost does not read", path, match[1])
			}
		}
	}
}

func TestThePackageBringsTheSettingsThatTheUnitReads(t *testing.T) {
	const settings = "/etc/milepost/milepost.env"
	for path, text := range map[string]string{
		"systemd/milepost.service": "EnvironmentFile=-" + settings + "\n", "debian/milepostctl": ". " + settings + "\n", "debian/nfpm.yaml": "dst: " + settings + ",",
	} {
		if !strings.Contains(read(t, path), text) {
			t.Errorf("%s has no %q", path, text)
		}
	}
}

func TestPrometheusTakesTheRulesAndEachAlertFires(t *testing.T) {
	promtool := program(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "prometheus/rules.yml"}, {"test", "rules", "prometheus/rules_test.yml"}} {
		if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	rules, tests, documented := read(t, "prometheus/rules.yml"), read(t, "prometheus/rules_test.yml"), read(t, "../docs/metrics.md")
	for _, match := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(rules, -1) {
		if !strings.Contains(tests, "alertname: "+match[1]+"\n") || !strings.Contains(tests, "alertname: "+match[1]+", ") || !strings.Contains(documented, "### "+match[1]+"\n") {
			t.Errorf("%s has no test in which it fires, none in which it does not, or no words in docs/metrics.md", match[1])
		}
	}
}

// TestTheBinaryIsSmall looks at the binary for linux/amd64 that the package brings. All must
// be below 30 MiB, and those for Windows and macOS are half a MiB larger. If it fails, find
// out what came in: docs/decisions/16-small-binary.md says how.
func TestTheBinaryIsSmall(t *testing.T) {
	binary := os.Getenv("MILEPOST_TEST_BINARY")
	if binary == "" {
		t.Skip("skipped: MILEPOST_TEST_BINARY names no binary; `make deploy-check` builds one")
	}
	const limit = 29.5
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	if size := float64(info.Size()) / (1 << 20); size > limit {
		t.Errorf("%s has %.2f MiB, more than %.1f", binary, size, limit)
	}
}
