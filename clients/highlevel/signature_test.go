package highlevel_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"net/http"
	"strings"
	"testing"

	"milepost/clients/highlevel"
	"milepost/internal/testenv"
)

// signer has a key pair of each kind, and both public keys as PEM.
type signer struct {
	private ed25519.PrivateKey
	rsa     *rsa.PrivateKey
	ed, old string
}

func newSigner(t testing.TB) signer {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	legacy, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return signer{private, legacy, spki(t, public), spki(t, &legacy.PublicKey)}
}

func spki(t testing.TB, public any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func (s signer) sign(body string) string {
	return base64.StdEncoding.EncodeToString(ed25519.Sign(s.private, []byte(body)))
}

func (s signer) signRSA(t testing.TB, body string) string {
	t.Helper()
	digest := sha256.Sum256([]byte(body))
	signature, err := rsa.SignPKCS1v15(nil, s.rsa, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(signature)
}

func mustParse(t testing.TB, text string) highlevel.Keys {
	t.Helper()
	keys, err := highlevel.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestVerifyTrustsTheRightHeaderOnly(t *testing.T) {
	testenv.Long(t)
	s, other := newSigner(t), newSigner(t)
	const body = `{"type":"ContactUpdate"}`
	good, legacy := s.sign(body), s.signRSA(t, body)
	ed, both := mustParse(t, s.ed), mustParse(t, other.ed+s.ed+s.old)
	oldOnly := mustParse(t, s.old)
	for _, tc := range []struct {
		name   string
		keys   highlevel.Keys
		header http.Header
		want   error
	}{
		{"a good signature", ed, http.Header{"X-Ghl-Signature": {good}}, nil},
		{"a good signature of the second key", both, http.Header{"X-Ghl-Signature": {good}}, nil},
		{"blanks around it", ed, http.Header{"X-Ghl-Signature": {" " + good + "\t"}}, nil},
		{"no header", both, http.Header{}, highlevel.ErrNoSignature},
		{"N/A in both", both, http.Header{"X-Ghl-Signature": {"N/A"}, "X-Wh-Signature": {"N/A"}}, highlevel.ErrNoSignature},
		{"empty", both, http.Header{"X-Ghl-Signature": {""}}, highlevel.ErrNoSignature},
		{"another key's", ed, http.Header{"X-Ghl-Signature": {other.sign(body)}}, highlevel.ErrBadSignature},
		{"another body's", ed, http.Header{"X-Ghl-Signature": {s.sign(body + " ")}}, highlevel.ErrBadSignature},
		{"no base64", ed, http.Header{"X-Ghl-Signature": {"!" + good[1:]}}, highlevel.ErrBadSignature},
		{"without padding", ed, http.Header{"X-Ghl-Signature": {strings.TrimRight(good, "=")}}, highlevel.ErrBadSignature},
		{"a line break inside", ed, http.Header{"X-Ghl-Signature": {good[:8] + "\n" + good[8:]}}, highlevel.ErrBadSignature},
		{"too short", ed, http.Header{"X-Ghl-Signature": {"AAAA"}}, highlevel.ErrBadSignature},
		{"endless", ed, http.Header{"X-Ghl-Signature": {strings.Repeat("A", 1<<20)}}, highlevel.ErrBadSignature},
		{"two values, one good", ed, http.Header{"X-Ghl-Signature": {good, good}}, highlevel.ErrBadSignature},
		{"the legacy one, switched on", both, http.Header{"X-Wh-Signature": {legacy}}, nil},
		{"the legacy one beside N/A", both, http.Header{"X-Ghl-Signature": {"N/A"}, "X-Wh-Signature": {legacy}}, nil},
		{"the legacy one, switched off", ed, http.Header{"X-Wh-Signature": {legacy}}, highlevel.ErrNoSignature},
		{"a bad one never falls back", both, http.Header{"X-Ghl-Signature": {s.sign(body + " ")}, "X-Wh-Signature": {legacy}}, highlevel.ErrBadSignature},
		{"an Ed25519 one without such a key never falls back", oldOnly, http.Header{"X-Ghl-Signature": {good}, "X-Wh-Signature": {legacy}}, highlevel.ErrBadSignature},
		{"a bad legacy one", both, http.Header{"X-Wh-Signature": {other.signRSA(t, body)}}, highlevel.ErrBadSignature},
		{"a legacy one of the wrong length", both, http.Header{"X-Wh-Signature": {good}}, highlevel.ErrBadSignature},
		{"no keys", highlevel.Keys{}, http.Header{"X-Ghl-Signature": {good}}, highlevel.ErrBadSignature},
	} {
		if err := tc.keys.Verify(tc.header, []byte(body)); !errors.Is(err, tc.want) || (tc.want == nil && err != nil) {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
	}
}

// The digest comes from HighLevel's documentation, because nothing else would notice a
// wrong key.
func TestThePublishedKeyIsThePublishedOne(t *testing.T) {
	testenv.Long(t)
	s := newSigner(t)
	if err := highlevel.PublishedKeys().Verify(http.Header{"X-Wh-Signature": {s.signRSA(t, "x")}}, []byte("x")); err != highlevel.ErrNoSignature {
		t.Errorf("the legacy signature is on by default: %v", err)
	}
	block, _ := pem.Decode([]byte(highlevel.PublishedKey))
	digest := sha256.Sum256(block.Bytes)
	if got, want := hex.EncodeToString(digest[:]), "5a2c1b2749d3efcc233fb27d4ab43d56b8d20818c42cd226f6c9a3ff20d3097c"; got != want {
		t.Errorf("the digest is %s, want %s", got, want)
	}
}

func TestParseKeysSaysWhatIsWrong(t *testing.T) {
	testenv.Long(t)
	s := newSigner(t)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(s.private)
	if err != nil {
		t.Fatal(err)
	}
	private := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip("this Go makes no weak keys: ", err)
	}
	for text, want := range map[string]string{
		"":                                "no public key",
		" \n ":                            "no public key",
		"MCowBQYDK2VwAyEA":                "not PEM",
		s.ed + "tail":                     "public key 2: not PEM",
		private:                           "private key",
		strings.Replace(s.ed, "M", "", 1): "public key 1",
		strings.Replace(s.ed, "MCow", "MCo*", 1) + s.ed: "damaged PEM",
		strings.ReplaceAll(s.ed, "PUBLIC KEY", "CERT"):  `"CERT"`,
		spki(t, &weak.PublicKey):                        "too weak",
	} {
		if _, err := highlevel.ParseKeys(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q…: got %v, want something with %q", text, err, want)
		}
	}
	for _, text := range []string{
		s.ed, "\n" + s.ed + s.old + "\n", strings.ReplaceAll(s.ed, "\n", `\n`), strings.ReplaceAll(s.ed, "\n", "\r\n"),
	} {
		keys := mustParse(t, text)
		if err := keys.Verify(http.Header{"X-Ghl-Signature": {s.sign("x")}}, []byte("x")); err != nil {
			t.Errorf("%.40q…: %v", text, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	testenv.Long(f)
	s := newSigner(f)
	keys := mustParse(f, s.ed+s.old)
	f.Add(s.sign("body"), "", "body")
	f.Add("N/A", "AAAA", "body")
	f.Add("", "", "")
	f.Fuzz(func(t *testing.T, signature, legacy, body string) {
		err := keys.Verify(http.Header{"X-Ghl-Signature": {signature}, "X-Wh-Signature": {legacy}}, []byte(body))
		if err == nil && strings.Trim(signature, " \t") != s.sign(body) && strings.Trim(legacy, " \t") != s.signRSA(t, body) {
			t.Errorf("%q and %q passed for %q", signature, legacy, body)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	s := newSigner(b)
	keys := mustParse(b, s.ed)
	body := strings.Repeat("x", 1500)
	header := http.Header{"X-Ghl-Signature": {s.sign(body)}}
	b.ReportAllocs()
	for b.Loop() {
		if err := keys.Verify(header, []byte(body)); err != nil {
			b.Fatal(err)
		}
	}
}
