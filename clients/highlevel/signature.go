package highlevel

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

var (
	// ErrNoSignature means that the request has no signature that these keys could verify.
	ErrNoSignature = errors.New("the request is not signed by HighLevel")
	// ErrBadSignature means that the request has a signature that does not match the body
	// and the keys.
	ErrBadSignature = errors.New("HighLevel's signature does not fit the body")
)

const (
	headerEd25519 = "X-Ghl-Signature" // canonical form of X-GHL-Signature
	headerRSA     = "X-Wh-Signature"  // canonical form of X-WH-Signature
)

// publishedKey signs X-GHL-Signature for every HighLevel app (HighLevel's
// webhook integration guide).
const publishedKey = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=
-----END PUBLIC KEY-----
`

// Keys are the public keys that may sign webhooks. The zero value accepts nothing.
type Keys struct {
	ed25519 []ed25519.PublicKey
	rsa     []*rsa.PublicKey
}

// PublishedKeys returns HighLevel's Ed25519 key. It leaves out the RSA key, whose end
// HighLevel announced for 2026-09-01.
func PublishedKeys() Keys {
	keys, err := ParseKeys(publishedKey)
	if err != nil {
		panic(err) // a constant, checked by a test
	}
	return keys
}

// ParseKeys reads one or more PEM blocks of Ed25519 and RSA public keys. A literal \n
// counts as a line break, because environment variables often contain it.
func ParseKeys(text string) (Keys, error) {
	rest := bytes.TrimSpace([]byte(strings.NewReplacer(`\r`, "", `\n`, "\n", "\r", "").Replace(text)))
	if len(rest) == 0 {
		return Keys{}, errors.New("no public key is given")
	}
	var keys Keys
	for n := 1; len(rest) > 0; n++ {
		if !bytes.HasPrefix(rest, []byte("-----BEGIN ")) {
			return Keys{}, fmt.Errorf("public key %d: not PEM: it must begin with -----BEGIN PUBLIC KEY-----", n)
		}
		block, after := pem.Decode(rest)
		// pem.Decode skips a block that it cannot read, so a later good block could hide
		// it.
		if block == nil || bytes.Count(rest[:len(rest)-len(after)], []byte("-----BEGIN ")) != 1 {
			return Keys{}, fmt.Errorf("public key %d: damaged PEM: the BEGIN and END lines must stand alone, with base64 between them", n)
		}
		if err := keys.add(block); err != nil {
			return Keys{}, fmt.Errorf("public key %d: %w", n, err)
		}
		rest = bytes.TrimSpace(after)
	}
	return keys, nil
}

func (k *Keys) add(block *pem.Block) error {
	if strings.Contains(block.Type, "PRIVATE") {
		return errors.New("this is a private key; HighLevel's public key is needed")
	}
	var key any
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	default:
		return fmt.Errorf("a PEM block of type %q where PUBLIC KEY was expected", block.Type)
	}
	if err != nil {
		return errors.New("the key is damaged")
	}
	switch key := key.(type) {
	case ed25519.PublicKey:
		k.ed25519 = append(k.ed25519, key)
	case *rsa.PublicKey:
		if key.N.BitLen() < 2048 {
			return fmt.Errorf("an RSA key of %d bits is too weak; HighLevel's has 4096", key.N.BitLen())
		}
		k.rsa = append(k.rsa, key)
	default:
		return errors.New("neither an Ed25519 nor an RSA key")
	}
	return nil
}

// Verify checks that HighLevel signed body, the bytes as received. If X-GHL-Signature is
// present, it alone decides. Verify uses X-WH-Signature only if the other is absent and k
// has an RSA key. A header that is empty or "N/A" counts as absent. The error is
// ErrNoSignature or ErrBadSignature.
//
// One key signs for all apps and all tenants. So a valid signature does not prove that the
// event is ours: compare AppID and LocationID too.
func (k Keys) Verify(h http.Header, body []byte) error {
	signature, legacy, err := k.signature(h)
	if err != nil {
		return err
	}
	if !legacy {
		for _, key := range k.ed25519 {
			if ed25519.Verify(key, body, signature) {
				return nil
			}
		}
		return ErrBadSignature
	}
	digest := sha256.Sum256(body)
	for _, key := range k.rsa {
		if rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil {
			return nil
		}
	}
	return ErrBadSignature
}

// Check fails as Verify does if the header alone shows that no body could match. It is
// cheap, and needs no body.
func (k Keys) Check(h http.Header) error {
	_, _, err := k.signature(h)
	return err
}

// signature returns the deciding signature, and whether it needs an RSA key.
func (k Keys) signature(h http.Header) (signature []byte, legacy bool, err error) {
	signature, present, err := signatureOf(h, headerEd25519)
	switch {
	case err != nil:
		return nil, false, err
	case present && (len(signature) != ed25519.SignatureSize || len(k.ed25519) == 0):
		return nil, false, ErrBadSignature
	case present:
		return signature, false, nil
	case len(k.rsa) == 0:
		return nil, false, ErrNoSignature
	}
	signature, present, err = signatureOf(h, headerRSA)
	switch {
	case err != nil:
		return nil, false, err
	case !present:
		return nil, false, ErrNoSignature
	case !slices.ContainsFunc(k.rsa, func(key *rsa.PublicKey) bool { return key.Size() == len(signature) }):
		return nil, false, ErrBadSignature
	}
	return signature, true, nil
}

// longestSignature is the length of the base64 of an RSA signature of 16384 bits. A longer
// text is not a signature.
const longestSignature = 2732

// signatureOf decodes a signature header. It rejects two values instead of choosing one.
func signatureOf(h http.Header, name string) (signature []byte, present bool, err error) {
	values := h[name]
	if len(values) > 1 {
		return nil, true, ErrBadSignature
	}
	if len(values) == 0 {
		return nil, false, nil
	}
	value := strings.Trim(values[0], " \t")
	if value == "" || value == "N/A" {
		return nil, false, nil
	}
	// encoding/base64 skips line breaks even in strict mode.
	if len(value) > longestSignature || strings.ContainsAny(value, "\r\n") {
		return nil, true, ErrBadSignature
	}
	signature, err = base64.StdEncoding.Strict().DecodeString(value)
	if err != nil {
		return nil, true, ErrBadSignature
	}
	return signature, true, nil
}
