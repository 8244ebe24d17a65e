//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"milepost/internal/testenv"
	"milepost/internal/testenv/testdb"
)

// proxies are the servers whose settings lie in deploy/. Each gets the file that we
// ship, with nothing changed but addresses and certificates.
var proxies = map[string]func(t *testing.T, p proxied) *exec.Cmd{
	"nginx": func(t *testing.T, p proxied) *exec.Cmd {
		site := p.config(t, "nginx/milepost.conf",
			"127.0.0.1:8080", p.public, "127.0.0.1:8081", p.admin,
			"listen [::]:443 ssl http2;", "", "listen [::]:80;", "", "listen 443 ssl", "listen "+p.https+" ssl", "listen 80;", "listen "+p.http+";",
			"/etc/letsencrypt/live/milepost.example.com/", p.dir+"/", "/etc/letsencrypt/live/console.example.com/", p.dir+"/", "/var/log/nginx/", p.dir+"/")
		conf := filepath.Join(p.dir, "nginx.conf")
		write(t, conf, fmt.Sprintf("daemon off; pid %[1]s/pid; error_log stderr warn; events {} http { client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s; include %[2]s; }", p.dir, site))
		return exec.Command(testenv.Program(t, "nginx"), "-p", p.dir, "-c", conf)
	},
	"caddy": func(t *testing.T, p proxied) *exec.Cmd {
		site := p.config(t, "caddy/Caddyfile", "example.com} {", fmt.Sprintf("example.com} {\n\ttls %[1]s/fullchain.pem %[1]s/privkey.pem", p.dir))
		host, port, _ := net.SplitHostPort(p.https)
		_, plain, _ := net.SplitHostPort(p.http)
		b, err := os.ReadFile(site)
		if err != nil {
			t.Fatal(err)
		}
		write(t, site, fmt.Sprintf("{\n\tadmin off\n\tdefault_bind %s\n\thttps_port %s\n\thttp_port %s\n\tstorage file_system %s\n\tskip_install_trust\n}\n%s", host, port, plain, p.dir, b))
		cmd := exec.Command(testenv.Program(t, "caddy"), "run", "--adapter", "caddyfile", "--config", site)
		cmd.Env = append(os.Environ(), "HOME="+p.dir, "XDG_DATA_HOME="+p.dir, "XDG_CONFIG_HOME="+p.dir,
			"MILEPOST_UPSTREAM="+p.public, "MILEPOST_ADMIN_UPSTREAM="+p.admin)
		return cmd
	},
}

// proxied says where a proxy listens, and what it stands in front of.
type proxied struct {
	dir           string // certificates and scratch files
	https, http   string
	public, admin string // of Milepost
	roots         *x509.CertPool
}

// strangerIP is the address from which the test reaches the proxy.
const strangerIP = "127.9.9.9"

// certify writes a certificate for the hosts of example.com.
func (p *proxied) certify(t *testing.T) {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	pair := s.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(p.dir, "fullchain.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})))
	write(t, filepath.Join(p.dir, "privkey.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	p.roots = x509.NewCertPool()
	p.roots.AddCert(s.Certificate())
}

// config writes a file of deploy/ with what a reader of it would change, changed. It
// fails if something of this is not in the file.
func (p proxied) config(t *testing.T, name string, pairs ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		if !bytes.Contains(b, []byte(pairs[i])) {
			t.Fatalf("deploy/%s has no %q", name, pairs[i])
		}
	}
	path := filepath.Join(p.dir, filepath.Base(name))
	write(t, path, strings.NewReplacer(pairs...).Replace(string(b)))
	return path
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// client reaches the proxy under any host name, and follows no redirect.
func (p proxied) client() *http.Client {
	return &http.Client{
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: p.roots, ServerName: "one.example.com"},
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				_, port, _ := net.SplitHostPort(addr)
				to := p.https
				if port == "80" {
					to = p.http
				}
				return (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(strangerIP)}}).DialContext(ctx, network, to)
			},
		},
	}
}

// TestBehindEachProxyThatWeShipSettingsFor plays what the vendors, a stranger, an
// operator and a restart do.
func TestBehindEachProxyThatWeShipSettingsFor(t *testing.T) {
	for name, command := range proxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admin := freeAddress(t)
			p := proxied{dir: testdb.DataDir(t), https: freeAddress(t), admin: admin}
			host, _, _ := net.SplitHostPort(p.https) // a host of this test's own
			p.http = net.JoinHostPort(host, "1080")
			p.certify(t)
			testenv.Program(t, name)
			r := setupCommands(t, "MILEPOST_ADMIN_LISTEN="+admin, "MILEPOST_ADMIN_URL=https://console.example.com", "MILEPOST_ADMIN_TOKEN=proxied-admin-token-0123456789",
				"MILEPOST_PUBLIC_URL=https://milepost.example.com", "MILEPOST_TRUSTED_PROXIES=127.0.0.1")
			p.public = r.addr
			cmd := command(t, p)
			said := filepath.Join(p.dir, "said.log")
			out, err := os.Create(said)
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			cmd.Stdout, cmd.Stderr = out, out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = cmd.Process.Signal(syscall.SIGTERM)
				_ = cmd.Wait()
				if b, _ := os.ReadFile(said); t.Failed() {
					t.Logf("%s said:\n%s", name, b)
				}
			})
			client := p.client()
			ask := func(method, url string, body []byte, headers ...string) (*http.Response, string) {
				t.Helper()
				req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				for i := 0; i < len(headers); i += 2 {
					req.Header.Set(headers[i], headers[i+1])
				}
				res, err := client.Do(req)
				if err != nil {
					t.Fatalf("%s %s: %v", method, url, err)
				}
				defer res.Body.Close()
				text, _ := io.ReadAll(res.Body)
				return res, string(text)
			}
			for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				if c, err := net.Dial("tcp", p.https); err == nil {
					c.Close()
					break
				} else if time.Now().After(deadline) {
					t.Fatalf("%s does not listen: %v", name, err)
				}
			}
			const public, console = "https://milepost.example.com", "https://console.example.com"
			webhook := []byte(`{"type":"ContactUpdate","locationId":"` + place + `","id":"c1","webhookId":"behind-` + name + `"}`)
			signed := []string{"Content-Type", "application/json", "X-GHL-Signature", r.hl.Sign(webhook), "X-Forwarded-For", "198.51.100.9"}
			if res, text := ask("POST", public+"/webhooks/highlevel", webhook, signed...); res.StatusCode != http.StatusOK {
				t.Errorf("a signed webhook is answered %s: %s", res.Status, text)
			}
			large := bytes.Repeat([]byte("x"), 1<<20+1)
			if res, _ := ask("POST", public+"/webhooks/highlevel", large, "Content-Type", "application/json", "X-GHL-Signature", r.hl.Sign(large)); res.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("a body above 1 MiB is answered %s", res.Status)
			}
			if res, _ := ask("GET", public+"/readyz", nil); res.StatusCode != http.StatusOK {
				t.Errorf("/readyz is answered %s", res.Status)
			}
			if res, _ := ask("GET", public+"/console/", nil); res.StatusCode != http.StatusNotFound {
				t.Errorf("the console is at the public host: %s", res.Status)
			}
			if res, _ := ask("GET", "http://milepost.example.com/readyz", nil); res.StatusCode != http.StatusPermanentRedirect || res.Header.Get("Location") != public+"/readyz" {
				t.Errorf("without TLS: %s to %q", res.Status, res.Header.Get("Location"))
			}

			// An operator signs in at the console, from its own origin and not from another.
			form := []byte("token=proxied-admin-token-0123456789")
			if res, _ := ask("POST", console+"/console/sign-in", form, "Content-Type", "application/x-www-form-urlencoded", "Origin", "https://evil.example"); res.StatusCode != http.StatusForbidden {
				t.Errorf("a sign-in from another site is answered %s", res.Status)
			}
			res, text := ask("POST", console+"/console/sign-in", form, "Content-Type", "application/x-www-form-urlencoded", "Origin", console)
			if res.StatusCode != http.StatusSeeOther || len(res.Cookies()) == 0 {
				t.Fatalf("signing in is answered %s: %s", res.Status, text)
			}
			cookie := res.Cookies()[0]
			if !cookie.Secure {
				t.Error("the cookie of the session also goes over plain HTTP")
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			events, _ := http.NewRequestWithContext(ctx, http.MethodGet, console+"/console/events", nil)
			events.AddCookie(cookie)
			stream, err := client.Do(events)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := stream.Body.Read(make([]byte, 1)); n != 1 {
				t.Errorf("the stream of the console is held back: %v", err)
			}
			cancel()
			stream.Body.Close()

			// While Milepost is away, a webhook is to come again; no key stands in a log.
			if err := r.end(syscall.SIGTERM); err != nil {
				t.Errorf("milepost did not stop well: %v", err)
			}
			res, text = ask("POST", public+"/webhooks/highlevel/workflow/secret-key", []byte(`{}`), "Content-Type", "application/json")
			if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
				t.Errorf("without Milepost a webhook is answered %s, Retry-After %q: %s", res.Status, res.Header.Get("Retry-After"), text)
			}
			if res, _ := ask("GET", public+"/readyz", nil); res.StatusCode != http.StatusBadGateway {
				t.Errorf("without Milepost /readyz is answered %s", res.Status)
			}
			log, err := os.Create(filepath.Join(p.dir, "milepost.log"))
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			r.log, r.env = log, append(r.env, "MILEPOST_LOG_LEVEL=debug", "MILEPOST_LOG_FORMAT=json")
			r.start()
			if res, text := ask("POST", public+"/webhooks/highlevel", webhook, signed...); res.StatusCode != http.StatusOK {
				t.Errorf("after the restart a signed webhook is answered %s: %s", res.Status, text)
			}
			logs, _ := filepath.Glob(filepath.Join(p.dir, "*.log")) // of the proxy, and what it said
			for _, path := range logs {
				if b, _ := os.ReadFile(path); bytes.Contains(b, []byte("secret-key")) {
					t.Errorf("%s holds a key:\n%s", filepath.Base(path), b)
				}
			}
			if b, _ := os.ReadFile(log.Name()); bytes.Contains(b, []byte("198.51.100.9")) || !bytes.Contains(b, []byte(`"client":"`+strangerIP)) {
				t.Errorf("Milepost does not know the client by its address:\n%s", b)
			}
		})
	}
}
