// Package secret encrypts what must not be readable at rest: AES-256-GCM under a
// ring of keys, each with an id. The ring also signs what goes out and must come
// back unchanged.
//
// Guarantee: a sealed secret is bound to its name, so one row's secret does not
// open in another row.
//
// It does not know what the secrets are for.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

const keySize = 32 // AES-256

// ErrUnknownKey means that a secret was sealed under a key that is not in the
// ring: it cannot be read until the key is given back.
var ErrUnknownKey = errors.New("sealed under a key that this process does not have")

// Ring is a list of keys: the first one seals, all of them open. Safe for
// concurrent use.
type Ring struct {
	path string // the file it came from; "" = a setting

	mu   sync.Mutex
	keys []key
	read os.FileInfo // the file as it was read last
}

type key struct {
	id     string
	sealer cipher.AEAD
	signer []byte // derived, so that no key is used for two things
}

// ParseRing reads keys written as kid:base64, separated by commas or white
// space; the base64 holds 32 bytes. Errors never quote a key.
func ParseRing(text string) (*Ring, error) {
	keys, err := parse(text)
	if err != nil {
		return nil, err
	}
	return &Ring{keys: keys}, nil
}

// OpenRing reads the ring in a file, which only its owner may read, and makes
// one with a new key where there is none. The file is read again when it
// changes, so that AddKey reaches a running process.
func OpenRing(path string) (*Ring, error) {
	r := &Ring{path: path}
	err := r.reload()
	if errors.Is(err, os.ErrNotExist) {
		if err = create(path, GenerateKey()+"\n"); err == nil || errors.Is(err, os.ErrExist) { // another process was faster
			err = r.reload()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("encryption keys %s: %w", path, err)
	}
	return r, nil
}

// create writes a new file whole, or fails with os.ErrExist.
func create(path, text string) error {
	beside, err := writeBeside(path, text)
	if err != nil {
		return err
	}
	defer os.Remove(beside)
	return os.Link(beside, path)
}

// writeBeside writes a file in the same folder and syncs it.
func writeBeside(path, text string) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".keys-")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// GenerateKey returns a new key as ParseRing reads it. Its id is the day and
// four random characters.
func GenerateKey() string {
	k := make([]byte, keySize)
	_, _ = rand.Read(k) // it never fails
	id := "k" + time.Now().UTC().Format("20060102") + "-" + strings.ToLower(rand.Text()[:4])
	return id + ":" + base64.StdEncoding.EncodeToString(k)
}

// AddKey puts a new key in front of those of a ring that came from a file. Of
// several processes that do so at once, one does after the other.
func (r *Ring) AddKey() error {
	if r.path == "" {
		return errors.New("the keys come from the setting MILEPOST_ENCRYPTION_KEYS: put the new key in front there")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	lock := flock.New(r.path+".lock", flock.SetPermissions(0o600)) // the file itself is replaced
	if err := lock.Lock(); err != nil {
		return err
	}
	defer lock.Close()
	old, err := os.ReadFile(r.path)
	if err != nil {
		return err
	}
	beside, err := writeBeside(r.path, GenerateKey()+"\n"+string(old))
	if err != nil {
		return err
	}
	if err := os.Rename(beside, r.path); err != nil {
		return errors.Join(err, os.Remove(beside))
	}
	return r.reloadLocked()
}

// FromFile reports whether the ring is a file that AddKey can add to.
func (r *Ring) FromFile() bool { return r.path != "" }

func (r *Ring) reload() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reloadLocked()
}

func (r *Ring) reloadLocked() error {
	info, err := os.Stat(r.path)
	if err != nil {
		return err
	}
	if r.read != nil && os.SameFile(info, r.read) && info.ModTime().Equal(r.read.ModTime()) {
		return nil
	}
	text, err := os.ReadFile(r.path)
	if err != nil {
		return err
	}
	keys, err := parse(string(text))
	if err != nil {
		return err
	}
	r.keys, r.read = keys, info
	return nil
}

func parse(text string) ([]key, error) {
	var keys []key
	for _, entry := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' }) {
		id, encoded, ok := strings.Cut(entry, ":")
		if !ok || id == "" || strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			return nil, fmt.Errorf("key %d is not written as id:base64 (make one with `milepost keys generate`)", len(keys)+1)
		}
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(raw) != keySize {
			return nil, fmt.Errorf("key %q is not base64 of %d bytes (make one with `milepost keys generate`)", id, keySize)
		}
		if slices.ContainsFunc(keys, func(k key) bool { return k.id == id }) {
			return nil, fmt.Errorf("two keys have the id %q", id)
		}
		block, err := aes.NewCipher(raw)
		if err != nil {
			return nil, err
		}
		sealer, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
		signer, err := hkdf.Key(sha256.New, raw, nil, "milepost signing", keySize)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key{id, sealer, signer})
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no key (make one with `milepost keys generate`)")
	}
	return keys, nil
}

// Primary is the id of the key that seals.
func (r *Ring) Primary() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys[0].id
}

// Has reports whether the ring holds a key; a ring from a file is read again first.
func (r *Ring) Has(id string) bool {
	_, err := r.find(id)
	return err == nil
}

func (r *Ring) find(id string) (key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range 2 {
		if i := slices.IndexFunc(r.keys, func(k key) bool { return k.id == id }); i >= 0 {
			return r.keys[i], nil
		}
		if r.path == "" || r.reloadLocked() != nil {
			break
		}
	}
	return key{}, fmt.Errorf("%w: key id %q; put it back into MILEPOST_ENCRYPTION_KEYS or the key file", ErrUnknownKey, id)
}

// Seal encrypts a secret and binds it to its name. No two results are equal.
func (r *Ring) Seal(plain []byte, name string) (string, error) {
	k, err := r.first()
	if err != nil {
		return "", err
	}
	return k.id + ":" + base64.StdEncoding.EncodeToString(k.sealer.Seal(nil, nil, plain, []byte(name))), nil //nolint:gosec // the sealer makes the nonce
}

// first is the key that seals and signs; a ring from a file is read again first.
func (r *Ring) first() (key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.path != "" {
		if err := r.reloadLocked(); err != nil {
			return key{}, fmt.Errorf("encryption keys %s: %w", r.path, err)
		}
	}
	return r.keys[0], nil
}

// Open decrypts what Seal returned for the same name.
func (r *Ring) Open(sealed, name string) ([]byte, error) {
	id, encoded, _ := strings.Cut(sealed, ":")
	k, err := r.find(id)
	if err != nil {
		return nil, fmt.Errorf("open the secret %s: %w", name, err)
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err == nil {
		raw, err = k.sealer.Open(nil, nil, raw, []byte(name))
	}
	if err != nil {
		return nil, fmt.Errorf("open the secret %s: it was changed, or belongs to another row", name)
	}
	return raw, nil
}

// Sign returns a signature that shows that a text was written by a holder of
// the ring, for this purpose. It has no ".", and needs no escaping in a URL.
func (r *Ring) Sign(text, purpose string) (signature string, err error) {
	k, err := r.first()
	if err != nil {
		return "", err
	}
	return k.id + "~" + base64.RawURLEncoding.EncodeToString(k.sign(text, purpose)), nil
}

// Signed reports whether Sign returned the signature for this text and purpose.
// If the key has left the ring since, it did not.
func (r *Ring) Signed(text, signature, purpose string) bool {
	id, encoded, _ := strings.Cut(signature, "~")
	k, err := r.find(id)
	if err != nil {
		return false
	}
	sum, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	return err == nil && hmac.Equal(sum, k.sign(text, purpose))
}

// Checks returns four characters for each key, of base32 in lower case, which show that a
// holder of the key wrote a text, for this purpose. The first four are for what is written
// now. They serve where a signature is too long: one guess in a million is right.
func (r *Ring) Checks(text, purpose string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.path != "" {
		_ = r.reloadLocked() // else the keys are as they were
	}
	var checks []string
	for _, k := range r.keys {
		checks = append(checks, strings.ToLower(base32.StdEncoding.EncodeToString(k.sign(text, purpose))[:4]))
	}
	return checks
}

func (k key) sign(text, purpose string) []byte {
	mac := hmac.New(sha256.New, k.signer)
	_, _ = fmt.Fprintf(mac, "%s\x00%s", purpose, text) // it never fails
	return mac.Sum(nil)
}

// KeyID is the id of the key under which something was sealed.
func KeyID(sealed string) string {
	id, _, _ := strings.Cut(sealed, ":")
	return id
}
