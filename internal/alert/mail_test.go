package alert_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"milepost/internal/alert"
)

// postOffice is a mail server that takes one message a connection.
type postOffice struct {
	net.Listener
	offers   []string // extensions before STARTTLS
	implicit bool
	tls      *tls.Config

	certificate *x509.Certificate // for example.com and 127.0.0.1
	mu          sync.Mutex
	to          []string
	text        string
	password    string
	encrypted   bool // when the message came
}

// openPostOffice starts one.
func openPostOffice(t *testing.T, implicit bool, offers ...string) *postOffice {
	t.Helper()
	https := httptest.NewUnstartedServer(nil)
	https.StartTLS()
	t.Cleanup(https.Close)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &postOffice{Listener: ln, offers: offers, implicit: implicit, certificate: https.Certificate(), tls: &tls.Config{Certificates: https.TLS.Certificates, MinVersion: tls.VersionTLS12}}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	return p
}

func (p *postOffice) serve(conn net.Conn) {
	defer conn.Close()
	encrypted := p.implicit
	if p.implicit {
		conn = tls.Server(conn, p.tls)
	}
	r := bufio.NewReader(conn)
	say := func(line string) { fmt.Fprintf(conn, "%s\r\n", line) }
	hear := func() string {
		line, err := r.ReadString('\n')
		if err != nil {
			return "QUIT"
		}
		return strings.TrimSpace(line)
	}
	decode := func(s string) string { b, _ := base64.StdEncoding.DecodeString(s); return string(b) }
	say("220 office")
	for {
		line := hear()
		p.mu.Lock()
		switch word, rest, _ := strings.Cut(line, " "); strings.ToUpper(word) {
		case "EHLO":
			say("250-office")
			for _, o := range p.offers {
				if o != "STARTTLS" || !encrypted {
					say("250-" + o)
				}
			}
			say("250 SIZE 1000000")
		case "STARTTLS":
			say("220 go on")
			conn = tls.Server(conn, p.tls)
			r, encrypted = bufio.NewReader(conn), true
		case "AUTH":
			if rest == "LOGIN" {
				say("334 " + base64.StdEncoding.EncodeToString([]byte("Username:")))
				user := decode(hear())
				say("334 " + base64.StdEncoding.EncodeToString([]byte("Password:")))
				p.password = user + ":" + decode(hear())
			} else {
				p.password = strings.ReplaceAll(strings.TrimPrefix(decode(strings.TrimPrefix(rest, "PLAIN ")), "\x00"), "\x00", ":")
			}
			say("235 welcome")
		case "RCPT":
			p.to = append(p.to, rest)
			say("250 ok")
		case "DATA":
			say("354 go on")
			var text strings.Builder
			for {
				line, err := r.ReadString('\n')
				if err != nil || line == ".\r\n" {
					break
				}
				text.WriteString(line)
			}
			p.text, p.encrypted = text.String(), encrypted
			say("250 taken")
		case "QUIT":
			say("221 bye")
			p.mu.Unlock()
			return
		default:
			say("250 ok")
		}
		p.mu.Unlock()
	}
}

var firing = alert.Message{
	ID: "msg_1", Status: alert.Firing, Kind: "connection", Subject: "A location is not served", Console: "https://milepost.internal/console/attention",
	At: time.Date(2026, 11, 20, 12, 30, 0, 0, time.UTC), More: 3,
	Causes: []alert.Cause{{What: "HighLevel rejects the token", Todo: "Connect the location again.", Location: "Zoë’s Realty", Count: 12, Since: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}},
}

func TestAMessageArrivesByMail(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, scheme string
		implicit     bool
		offers       []string
		encrypted    bool
	}{
		{"TLS from the first byte", "smtps", true, []string{"AUTH PLAIN LOGIN"}, true},
		{"STARTTLS", "smtp", false, []string{"STARTTLS", "AUTH PLAIN"}, true},
		{"a server that has only LOGIN", "smtp", false, []string{"STARTTLS", "AUTH LOGIN XOAUTH2"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			office := openPostOffice(t, c.implicit, c.offers...)
			m, err := alert.NewMail(c.scheme+"://olivia:pa%40ss@"+office.Addr().String(), "Milepost <milepost@agency.example>", "olivia@agency.example, Pat <pat@agency.example>")
			if err != nil {
				t.Fatal(err)
			}
			m.Trust(office.certificate)
			if err := m.Send(t.Context(), firing); err != nil {
				t.Fatal(err)
			}
			office.mu.Lock()
			defer office.mu.Unlock()
			if office.password != "olivia:pa@ss" || office.encrypted != c.encrypted || len(office.to) != 2 || office.to[1] != "TO:<pat@agency.example>" {
				t.Errorf("it was sent to %q by %q, encrypted: %v", office.to, office.password, office.encrypted)
			}
			got, err := mail.ReadMessage(strings.NewReader(office.text))
			if err != nil {
				t.Fatal(err)
			}
			subject, _ := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
			text, _ := io.ReadAll(quotedprintable.NewReader(got.Body))
			if subject != "[Milepost] A location is not served" || got.Header.Get("Message-Id") != "<msg_1@agency.example>" || got.Header.Get("Auto-Submitted") != "auto-generated" {
				t.Errorf("the headers are %v", got.Header)
			}
			for _, want := range []string{"Zoë’s Realty", "12 affected", "Since 2026-11-20 12:00 UTC", "What to do: Connect the location again.", "There are 3 more.", "https://milepost.internal/console/attention"} {
				if !strings.Contains(string(text), want) {
					t.Errorf("the text has no %q:\n%s", want, text)
				}
			}
		})
	}
}

// On this machine net/smtp lets a password go out in the clear, so the server's name is another.
func TestNoPasswordIsSentInTheClearOrToAStranger(t *testing.T) {
	t.Parallel()
	plain := openPostOffice(t, false, "AUTH PLAIN LOGIN")
	_, port, _ := net.SplitHostPort(plain.Addr().String())
	m, err := alert.NewMail("smtp://olivia:hush@127.0.0.2:"+port, "milepost@agency.example", "olivia@agency.example")
	if err != nil {
		t.Fatal(err)
	}
	m.Trust(plain.certificate)
	m.DialInstead(plain.Addr().String())
	if err := m.Send(t.Context(), firing); err == nil || plain.password != "" || strings.Contains(err.Error(), "hush") {
		t.Errorf("without encryption it is sent by %q, %v", plain.password, err)
	}
	stranger := openPostOffice(t, false, "STARTTLS", "AUTH PLAIN")
	_, port, _ = net.SplitHostPort(stranger.Addr().String())
	if m, err = alert.NewMail("smtp://olivia:hush@mail.agency.example:"+port, "milepost@agency.example", "olivia@agency.example"); err != nil {
		t.Fatal(err)
	}
	m.Trust(stranger.certificate)
	m.DialInstead(stranger.Addr().String())
	if err := m.Send(t.Context(), firing); err == nil || stranger.password != "" {
		t.Errorf("to a server with another's certificate it is sent by %q, %v", stranger.password, err)
	}
}

func TestAMailServerMustBeOne(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{"mail.example.com:25", "a@example.com", "b@example.com"},
		{"https://hush@example.com", "a@example.com", "b@example.com"},
		{"smtp://olivia:hush@example.com", "nobody", "b@example.com"},
		{"smtp://olivia:hush@example.com", "a@example.com", ""},
		{"smtp://olivia:hush@example.com/%zz", "a@example.com", "b@example.com"},
	} {
		if _, err := alert.NewMail(c[0], c[1], c[2]); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v", c, err)
		}
	}
}
