package secret_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"milepost/internal/secret"
)

func ring(t *testing.T, text string) *secret.Ring {
	t.Helper()
	r, err := secret.ParseRing(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func seal(t *testing.T, r *secret.Ring, plain, name string) string {
	t.Helper()
	sealed, err := r.Seal([]byte(plain), name)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestWhatIsSealedOpensUnderItsOwnNameOnly(t *testing.T) {
	r := ring(t, secret.GenerateKey())
	sealed := seal(t, r, "token", "grant/a")
	if again := seal(t, r, "token", "grant/a"); again == sealed {
		t.Error("the same secret was sealed twice to the same text")
	}
	if plain, err := r.Open(sealed, "grant/a"); err != nil || string(plain) != "token" {
		t.Errorf("opened %q, %v", plain, err)
	}
	if _, err := r.Open(sealed, "grant/b"); err == nil {
		t.Error("a secret opened under another row's name")
	}
	bit := sealed[:len(sealed)-3] + "A" + sealed[len(sealed)-2:]
	if bit != sealed {
		if _, err := r.Open(bit, "grant/a"); err == nil {
			t.Error("a changed secret opened")
		}
	}
	if strings.Contains(sealed, "token") {
		t.Error("the secret is readable")
	}
}

func TestTheFirstKeySealsAndAllOpen(t *testing.T) {
	old, young := secret.GenerateKey(), secret.GenerateKey()
	before := seal(t, ring(t, old), "token", "n")
	both := ring(t, young+","+old)
	if plain, err := both.Open(before, "n"); err != nil || string(plain) != "token" {
		t.Errorf("opened %q, %v", plain, err)
	}
	if id := secret.KeyID(seal(t, both, "token", "n")); id != both.Primary() || id == secret.KeyID(before) {
		t.Errorf("sealed under %s, want the first key", id)
	}
	_, err := ring(t, young).Open(before, "n")
	if !errors.Is(err, secret.ErrUnknownKey) || !strings.Contains(err.Error(), secret.KeyID(before)) {
		t.Errorf("without the old key: %v, want ErrUnknownKey that names it", err)
	}
}

func TestABadKeyIsRefusedWithoutShowingIt(t *testing.T) {
	good := secret.GenerateKey()
	for name, text := range map[string]string{
		"empty": " ", "no id": "QUJDREVGR0g=", "short": "k1:QUJDREVGR0g=", "no base64": "k1:%%%%SECRET%%%%",
		"bad id": "k/1:" + strings.Repeat("A", 43) + "=", "twice": good + "," + good,
	} {
		_, err := secret.ParseRing(text)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		for _, part := range []string{"SECRET", "QUJDREVGR0g"} {
			if strings.Contains(err.Error(), part) {
				t.Errorf("%s: the error shows the key: %v", name, err)
			}
		}
	}
}

func TestAFileIsMadeOnceAndAnAddedKeyReachesARunningProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "encryption.keys")
	rings := make([]*secret.Ring, 8)
	var wg sync.WaitGroup
	for i := range rings {
		wg.Go(func() {
			var err error
			if rings[i], err = secret.OpenRing(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the key file: %v, %v", info.Mode(), err)
	}
	for _, r := range rings {
		if r.Primary() != rings[0].Primary() {
			t.Fatal("two processes made two keys")
		}
	}
	before := seal(t, rings[1], "token", "n")
	if err := rings[0].AddKey(); err != nil {
		t.Fatal(err)
	}
	after := seal(t, rings[0], "token", "n")
	if secret.KeyID(after) == secret.KeyID(before) {
		t.Error("the new key does not seal")
	}
	for _, sealed := range []string{before, after} {
		if plain, err := rings[1].Open(sealed, "n"); err != nil || string(plain) != "token" {
			t.Errorf("a process that was running opened %q, %v", plain, err)
		}
	}
	if id := secret.KeyID(seal(t, rings[2], "token", "n")); id != rings[0].Primary() {
		t.Errorf("a process that was running seals under %s, want the new key %s", id, rings[0].Primary())
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 2 || entries[1].Name() != "encryption.keys.lock" {
		t.Errorf("left behind: %v", entries)
	}
}

func TestKeysThatAreAddedAtOnceAreAllKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "encryption.keys")
	var wg sync.WaitGroup
	for range 8 {
		r, err := secret.OpenRing(path) // a process
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for range 4 {
				if err := r.AddKey(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	text, err := os.ReadFile(path)
	if n := len(strings.Fields(string(text))); err != nil || n != 33 {
		t.Errorf("%d keys, %v; want the first and 32", n, err)
	}
}

func TestAddKeyOfASettingSaysWhereToPutIt(t *testing.T) {
	if err := ring(t, secret.GenerateKey()).AddKey(); err == nil || !strings.Contains(err.Error(), "MILEPOST_ENCRYPTION_KEYS") {
		t.Errorf("%v", err)
	}
}

func TestOfManyRotationsAtOnceNoKeyIsLost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "encryption.keys")
	const processes, rotations = 8, 5
	var mu sync.Mutex
	var all []string
	var wg sync.WaitGroup
	for range processes {
		wg.Go(func() {
			r, err := secret.OpenRing(path)
			if err != nil {
				t.Error(err)
				return
			}
			for range rotations {
				if err := r.AddKey(); err != nil {
					t.Error(err)
					return
				}
				sealed, err := r.Seal([]byte("token"), "n")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				all = append(all, sealed)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	r, err := secret.OpenRing(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, sealed := range all {
		if _, err := r.Open(sealed, "n"); err != nil {
			t.Errorf("%v", err)
		}
	}
	if len(all) != processes*rotations {
		t.Errorf("%d sealings, want %d", len(all), processes*rotations)
	}
}

func TestASignatureHoldsForItsTextItsPurposeAndKeysOfTheRing(t *testing.T) {
	old, young := secret.GenerateKey(), secret.GenerateKey()
	r := ring(t, old)
	signature, err := r.Sign("text", "state")
	if err != nil {
		t.Fatal(err)
	}
	if !r.Signed("text", signature, "state") || !ring(t, young+","+old).Signed("text", signature, "state") {
		t.Error("a good signature was not recognised")
	}
	for name, signed := range map[string]bool{
		"another text":          r.Signed("test", signature, "state"),
		"another purpose":       r.Signed("text", signature, "other"),
		"another ring":          ring(t, young).Signed("text", signature, "state"),
		"no signature":          r.Signed("text", "", "state"),
		"a key id alone":        r.Signed("text", strings.SplitAfter(signature, "~")[0], "state"),
		"a changed signature":   r.Signed("text", signature[:len(signature)-5]+"AAAAA", "state"),
		"a shortened one":       r.Signed("text", signature[:len(signature)-1], "state"),
		"one with a tail":       r.Signed("text", signature+"A", "state"),
		"text moved to purpose": r.Signed("ext", signature, "state\x00t"),
	} {
		if signed {
			t.Errorf("%s passes for signed", name)
		}
	}
}

func TestAShortCheckHoldsForItsTextItsPurposeAndKeysOfTheRing(t *testing.T) {
	old, young := secret.GenerateKey(), secret.GenerateKey()
	of := ring(t, old).Checks("text", "note")
	both := ring(t, young+","+old).Checks("text", "note")
	if len(of) != 1 || len(of[0]) != 4 || !slices.Equal(both, append(ring(t, young).Checks("text", "note"), of[0])) {
		t.Errorf("the checks of the old key are %q, those of both %q", of, both)
	}
	for name, checks := range map[string][]string{
		"another text":          ring(t, old).Checks("test", "note"),
		"another purpose":       ring(t, old).Checks("text", "state"),
		"another ring":          ring(t, young).Checks("text", "note"),
		"text moved to purpose": ring(t, old).Checks("ext", "note\x00t"),
	} {
		if slices.Contains(checks, of[0]) { // once in a million
			t.Errorf("%s has the same check", name)
		}
	}
}
