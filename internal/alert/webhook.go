package alert

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"milepost/internal/outbound"
)

const secretPrefix = "whsec_"

// Secret signs webhooks. While a secret is rotated there are several.
type Secret [][]byte

// NewSecret makes a secret, as ParseSecret reads it.
func NewSecret() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return secretPrefix + base64.StdEncoding.EncodeToString(key)
}

// ParseSecret reads secrets, separated by commas or blanks. Errors never quote one.
func ParseSecret(text string) (Secret, error) {
	var secret Secret
	for _, one := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		encoded, ok := strings.CutPrefix(one, secretPrefix)
		key, err := base64.StdEncoding.DecodeString(encoded)
		if !ok || err != nil || len(key) < 24 || len(key) > 64 {
			return nil, errors.New("a secret is " + secretPrefix + " and base64 of 24 to 64 bytes; `milepost alerts secret` makes one")
		}
		secret = append(secret, key)
	}
	return secret, nil
}

// Sign returns the header webhook-signature.
func (s Secret) Sign(id string, at time.Time, body []byte) string {
	signatures := make([]string, len(s))
	for i, key := range s {
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%d.%s", id, at.Unix(), body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(signatures, " ")
}

// Webhook sends messages to an address, signed as Standard Webhooks 1.0.0 says
// (https://www.standardwebhooks.com).
type Webhook struct {
	url    *url.URL
	secret Secret
	client *http.Client
	now    func() time.Time
}

// NewWebhook returns the channel to an address. With private, that may be in a private
// network.
func NewWebhook(to *url.URL, secret Secret, private bool, now func() time.Time) *Webhook {
	return &Webhook{url: to, secret: secret, client: outbound.NewClient(private), now: now}
}

// Name is what the channel is called.
func (*Webhook) Name() string { return "webhook" }

// To is the host: the rest of the address may be a secret.
func (w *Webhook) To() string { return w.url.Host }

// Send posts a message. Any answer but a 2xx is an error; ErrGone means never again.
func (w *Webhook) Send(ctx context.Context, m Message) error {
	body, err := json.Marshal(struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      Message   `json:"data"`
	}{"alert." + m.Status, m.At, m})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url.String(), bytes.NewReader(body))
	if err != nil {
		return outbound.WithoutURL(err)
	}
	now := w.now()
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Milepost")
	req.Header.Set("webhook-id", m.ID)
	req.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	req.Header.Set("webhook-signature", w.secret.Sign(m.ID, now, body))
	res, err := w.client.Do(req)
	switch {
	case errors.Is(err, outbound.ErrForbidden):
		return fmt.Errorf("%w; if it is yours, set MILEPOST_ALERT_PRIVATE_NETWORKS=true", outbound.WithoutURL(err))
	case err != nil:
		return outbound.WithoutURL(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // for the next call by the connection
	switch {
	case res.StatusCode == http.StatusGone:
		return ErrGone
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return fmt.Errorf("%s answers %d, and Milepost follows no redirect: set MILEPOST_ALERT_WEBHOOK to the address itself", w.To(), res.StatusCode)
	case res.StatusCode/100 != 2:
		return fmt.Errorf("%s answers %d", w.To(), res.StatusCode)
	}
	return nil
}
