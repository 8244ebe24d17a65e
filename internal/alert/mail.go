package alert

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// mailLimit is for a whole message, from dialing to the server's last answer.
const mailLimit = 30 * time.Second

// Mail sends messages by a mail server.
type Mail struct {
	host, address string
	implicit      bool // TLS from the first byte
	user, pass    string
	from          *mail.Address
	to            []*mail.Address
	roots         *x509.CertPool // nil = those of the machine
}

// NewMail returns the channel by a server, which is written as smtps://user:password@host
// (TLS from the first byte, port 465) or smtp://user:password@host (STARTTLS if the server
// has it, and always before a password is sent; port 587). Errors never quote it.
func NewMail(server, from, to string) (*Mail, error) {
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, errors.New("the server is written as smtps://user:password@mail.example.com or smtp://mail.example.com:587; letters such as @ in the password as %40")
	}
	m := &Mail{host: u.Hostname(), implicit: u.Scheme == "smtps", user: u.User.Username()}
	m.pass, _ = u.User.Password()
	port := cmp.Or(u.Port(), map[bool]string{true: "465", false: "587"}[m.implicit])
	m.address = net.JoinHostPort(m.host, port)
	if m.to, err = mail.ParseAddressList(to); err != nil {
		return nil, errors.New("the receivers are e-mail addresses, separated by commas")
	}
	if m.from, err = mail.ParseAddress(from); err != nil {
		return nil, errors.New("the sender is an e-mail address")
	}
	return m, nil
}

// Name is what the channel is called.
func (*Mail) Name() string { return "e-mail" }

// To lists the receivers.
func (m *Mail) To() string {
	list := make([]string, len(m.to))
	for i, a := range m.to {
		list[i] = a.Address
	}
	return strings.Join(list, ", ")
}

// Send hands a message to the server.
func (m *Mail) Send(ctx context.Context, message Message) (err error) {
	ctx, cancel := context.WithTimeout(ctx, mailLimit)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", m.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	encrypted := &tls.Config{ServerName: m.host, MinVersion: tls.VersionTLS12, RootCAs: m.roots}
	if m.implicit {
		conn = tls.Client(conn, encrypted)
	}
	client, err := smtp.NewClient(conn, m.host)
	if err != nil {
		return err
	}
	host, _ := os.Hostname()
	if err := client.Hello(cmp.Or(host, "localhost")); err != nil {
		return err
	}
	if ok, _ := client.Extension("STARTTLS"); ok && !m.implicit {
		if err := client.StartTLS(encrypted); err != nil {
			return err
		}
	}
	if m.user != "" {
		if err := m.signIn(client); err != nil {
			return err
		}
	}
	if err := client.Mail(m.from.Address); err != nil {
		return err
	}
	for _, to := range m.to {
		if err := client.Rcpt(to.Address); err != nil {
			return fmt.Errorf("a receiver is rejected: %w", err)
		}
	}
	w, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(m.text(message)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_ = client.Quit() // the server has taken it
	return nil
}

// signIn uses PLAIN, or LOGIN with a server that has only that. Neither sends a password
// unencrypted to another machine.
func (m *Mail) signIn(client *smtp.Client) error {
	plain := smtp.PlainAuth("", m.user, m.pass, m.host)
	_, offered := client.Extension("AUTH")
	if words := strings.Fields(strings.ToUpper(offered)); !slices.Contains(words, "PLAIN") && slices.Contains(words, "LOGIN") {
		return client.Auth(&login{Auth: plain, user: m.user, pass: m.pass})
	}
	return client.Auth(plain)
}

// login is the mechanism LOGIN. Its start checks what PLAIN checks.
type login struct {
	smtp.Auth
	user, pass string
}

func (l *login) Start(server *smtp.ServerInfo) (string, []byte, error) {
	_, _, err := l.Auth.Start(server)
	return "LOGIN", nil, err
}

func (l *login) Next(asked []byte, more bool) ([]byte, error) {
	switch {
	case !more:
		return nil, nil
	case strings.HasPrefix(strings.ToLower(string(asked)), "user"):
		return []byte(l.user), nil
	}
	return []byte(l.pass), nil
}

// text is a message as it goes over the wire.
func (m *Mail) text(message Message) []byte {
	var b bytes.Buffer
	header := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	to := make([]string, len(m.to))
	for i, a := range m.to {
		to[i] = a.String()
	}
	header("From", m.from.String())
	header("To", strings.Join(to, ", "))
	header("Subject", mime.QEncoding.Encode("utf-8", "[Milepost] "+message.Subject))
	header("Date", message.At.Format(time.RFC1123Z))
	header("Message-ID", "<"+message.ID+"@"+domain(m.from.Address)+">")
	header("Auto-Submitted", "auto-generated")
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	_, _ = io.WriteString(w, message.Text()) // into memory
	_ = w.Close()
	return b.Bytes()
}

func domain(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

const stamp = "2006-01-02 15:04 UTC"

// Text is the message for people.
func (m Message) Text() string {
	var b strings.Builder
	switch m.Status {
	case Trial:
		b.WriteString("Somebody asked Milepost to send this. Alerts arrive here. Nothing is wrong.\n")
	case Over:
		fmt.Fprintf(&b, "%s. It began at %s and ended by %s.\n", m.Subject, m.Began.Format(stamp), m.At.Format(stamp))
	default:
		fmt.Fprintf(&b, "%s.\n", m.Subject)
	}
	for _, c := range m.Causes {
		fmt.Fprintf(&b, "\n- %s.\n  ", c.What)
		if c.Location != "" {
			fmt.Fprintf(&b, "%s. ", c.Location)
		}
		if c.Count > 0 {
			fmt.Fprintf(&b, "%d affected. ", c.Count)
		}
		fmt.Fprintf(&b, "Since %s.\n", c.Since.Format(stamp))
		if c.Todo != "" {
			fmt.Fprintf(&b, "  What to do: %s\n", c.Todo)
		}
	}
	if m.More > 0 {
		fmt.Fprintf(&b, "\nThere are %d more.\n", m.More)
	}
	if m.Console != "" {
		fmt.Fprintf(&b, "\n%s\n", m.Console)
	}
	if m.Status == Firing {
		b.WriteString("\nThe next message about this comes in an hour at the earliest if there is something new, in a day if there is not, and when it is over. If you acknowledge a cause in the console, Milepost stops repeating it.\n")
	}
	return b.String()
}
