package outbound_test

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"milepost/internal/outbound"
)

func TestOnlyAddressesOfTheInternetArePublic(t *testing.T) {
	t.Parallel()
	for _, ip := range []string{"8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "2606:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8"} {
		if !outbound.Public(netip.MustParseAddr(ip)) {
			t.Errorf("%s is not public", ip)
		}
	}
	for _, ip := range []string{
		"127.0.0.1", "127.255.255.255", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.0.192",
		"192.0.2.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "168.63.129.16", "100.100.100.200",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1",
		"64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::1", "2001::1", "2001:db8::1", "100::1",
	} {
		if outbound.Public(netip.MustParseAddr(ip)) {
			t.Errorf("%s is public", ip)
		}
	}
}

// A name that resolves to this machine, and the address in several spellings, are refused
// when they are dialed: a check of the URL alone would not see where they lead.
func TestACallReachesNeitherThisMachineNorALinkLocalAddress(t *testing.T) {
	t.Parallel()
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer server.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	client := outbound.NewClient(false)
	for _, host := range []string{"127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", "[::1]", "127.1.2.3"} {
		res, err := client.Get("http://" + host + ":" + port)
		if err == nil {
			res.Body.Close()
		}
		if !errors.Is(err, outbound.ErrForbidden) {
			t.Errorf("a call to %s is %v", host, err)
		}
	}
	private := outbound.NewClient(true)
	for _, host := range []string{"169.254.169.254", "[fe80::1]", "168.63.129.16", "100.100.100.200", "[fd00:ec2::254]", "0.0.0.0", "[64:ff9b::a9fe:a9fe]"} {
		res, err := private.Get("http://" + host + ":" + port)
		if err == nil {
			res.Body.Close()
		}
		if !errors.Is(err, outbound.ErrForbidden) {
			t.Errorf("with private networks allowed, a call to %s is %v", host, err)
		}
	}
	if asked != 0 {
		t.Errorf("this machine was asked %d times", asked)
	}
	res, err := private.Get(server.URL)
	if err != nil || asked != 1 {
		t.Fatalf("with private networks allowed, this machine was asked %d times, %v", asked, err)
	}
	res.Body.Close()
}

func TestNoRedirectIsFollowed(t *testing.T) {
	t.Parallel()
	followed := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/inside" {
			followed = true
		}
		http.Redirect(w, r, "/inside", http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	res, err := outbound.NewClient(true).Post(server.URL, "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusTemporaryRedirect || followed {
		t.Errorf("a redirect is answered %d, and followed: %v", res.StatusCode, followed)
	}
}

// clients are the files that may open connections by other means, with the reason why no
// address of theirs comes from a page, an API or a record.
var clients = map[string]string{
	"internal/outbound/outbound.go": "this package",
	"clients/transport.go":          "the base URLs of the vendors, which only the environment sets",
	"internal/app/metrics.go":       "the same ones, measured",
	"internal/alert/mail.go":        "the mail server, which only the environment sets: often one of this machine",
	"internal/tracing/export.go":    "the receiver of traces, which only the environment sets",
	"cmd/milepost/health.go":        "the admin listener of this machine",
}

func TestEveryClientForAddressesOfPeopleIsThisOne(t *testing.T) {
	t.Parallel()
	opens := regexp.MustCompile(`http\.((Get|Post|PostForm|Head)\(|DefaultClient|DefaultTransport|Client\{|Transport\{)|net\.(Dial|Dialer)|tls\.(Dial|Dialer)|smtp\.(Dial|SendMail)`)
	found := map[string]bool{}
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if err == nil && (path == "internal/sandbox" || path == "internal/bench" || path == "internal/testenv" || path == "deploy" || path == "bin" || path == "data" || strings.HasPrefix(d.Name(), ".") && path != ".") {
				return fs.SkipDir
			}
			return err
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		source, err := fs.ReadFile(root, path)
		if opens.Match(source) {
			found[path] = true
			if clients[path] == "" {
				t.Errorf("%s opens connections. If a person may type the address, use package outbound; else say here why not", path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for path := range clients {
		if !found[path] {
			t.Errorf("%s opens no connection", path)
		}
	}
}
