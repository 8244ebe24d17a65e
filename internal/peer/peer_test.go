package peer_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5/middleware"

	"milepost/internal/peer"
)

// TestTheAddressIsThatOfChi compares the address with the one that chi's middleware finds.
func TestTheAddressIsThatOfChi(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("::1/128")}
	for name, test := range map[string]struct {
		remote    string
		forwarded []string
		want      string // behind proxies
	}{
		"directly":              {"192.0.2.1:80", nil, "192.0.2.1"},
		"a forged header":       {"192.0.2.1:80", []string{"198.51.100.1"}, "192.0.2.1"},
		"a proxy":               {"10.0.0.1:80", []string{"198.51.100.1"}, "198.51.100.1"},
		"a forged first hop":    {"10.0.0.1:80", []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1"},
		"two proxies":           {"10.0.0.1:80", []string{"203.0.113.9,198.51.100.1 , 10.1.2.3"}, "198.51.100.1"},
		"two headers":           {"10.0.0.1:80", []string{"203.0.113.9", "198.51.100.1", "10.1.2.3,"}, "198.51.100.1"},
		"a header that is none": {"10.0.0.1:80", []string{"198.51.100.1, unknown"}, ""},
		"a port in the header":  {"10.0.0.1:80", []string{"[2001:db8::2]:443, 198.51.100.1:80"}, "198.51.100.1"},
		"a port of a proxy":     {"10.0.0.1:80", []string{"[2001:db8::2]:443, 10.0.0.2:80"}, "2001:db8::2"},
		"no address but a port": {"10.0.0.1:80", []string{"198.51.100.1, unknown:80"}, ""},
		"only proxies":          {"10.0.0.1:80", []string{"10.0.0.2"}, ""},
		"no header":             {"10.0.0.1:80", nil, ""},
		"a mapped proxy":        {"[::ffff:10.0.0.1]:80", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		"a proxy with a zone":   {"[fe80::1%eth0]:80", []string{"fe80::2%eth0, 2001:db8::1%x, ::1"}, "2001:db8::1"},
		"no port":               {"192.0.2.1", nil, "192.0.2.1"},
		"not an address":        {"@", []string{"198.51.100.1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ask := func(find func(http.Handler) http.Handler, get func(*http.Request) string) (got string) {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.RemoteAddr, r.Header["X-Forwarded-For"] = test.remote, test.forwarded
				find(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = get(r) })).ServeHTTP(nil, r)
				return got
			}
			ours := func(r *http.Request) string { return peer.Text(r.Context()) }
			chi := func(r *http.Request) string { return middleware.GetClientIP(r.Context()) }
			var prefixes []string
			for _, p := range trusted {
				prefixes = append(prefixes, p.String())
			}
			got, theirs := ask(peer.Find(trusted), ours), ask(middleware.ClientIPFromXFF(prefixes...), chi)
			if port := strings.Contains(name, "a port"); got != test.want || got != theirs && !port {
				t.Errorf("behind %s the address is %q, and chi's %q", strings.Join(prefixes, " "), got, theirs)
			}
			if got, theirs := ask(peer.Find(nil), ours), ask(middleware.ClientIPFromRemoteAddr, chi); got != theirs {
				t.Errorf("without proxies the address is %q, and chi's %q", got, theirs)
			}
		})
	}
}
