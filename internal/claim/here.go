package claim

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// On one machine, each pair has a directory, and in it one file for each installation that
// works on the pair. All processes of an installation hold a shared lock on its file. So a
// file that can be locked belongs to a dead installation.
const (
	lockSuffix  = ".json"
	takenSuffix = ".taken" // next to a lock file; it names who took over
	mutexWait   = 5 * time.Second
)

// DefaultDir returns the user's directory for lock files, or "" if there is none.
func DefaultDir() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return filepath.Join(os.TempDir(), fmt.Sprintf("milepost-locks-%d", os.Getuid()))
	}
	return filepath.Join(cache, "milepost", "locks")
}

// machine creates the directory, and returns a random name for the Mileposts that use it.
// If a claim at HighLevel has this name and nobody holds its lock here, the Milepost that
// made it is dead.
func machine(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "machine")
	f, err := os.CreateTemp(dir, "machine-")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(rand.Text())
	if err = errors.Join(err, f.Close()); err == nil {
		if err = os.Link(f.Name(), path); errors.Is(err, os.ErrExist) {
			err = nil // another process wrote the name first; that one stays
		}
	}
	if err := errors.Join(err, os.Remove(f.Name())); err != nil {
		return "", err
	}
	name, err := os.ReadFile(path)
	return string(name), err
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:12])
}

// lockFile is this installation's locked file for a pair.
type lockFile struct {
	path string
	lock *flock.Flock
}

// checkHere locks the pair on this machine, or finds out whether another Milepost has taken
// it over. If locking fails, checkHere logs that and work continues.
func (k *Keeper) checkHere(ctx context.Context, p *pair) (*Held, error) {
	switch {
	case k.here == "", p.noFile:
		return nil, nil
	case p.file != nil:
		return p.file.taken(p.Pair), nil
	}
	held, err := k.lockHere(ctx, p)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		k.cfg.Logger.Warn().Err(err).Msg("cannot look for other Mileposts on this machine (MILEPOST_LOCK_DIR)")
		p.noFile = true
	}
	return held, nil
}

func (k *Keeper) lockHere(ctx context.Context, p *pair) (*Held, error) {
	mutex := flock.New(filepath.Join(k.cfg.Dir, "mutex"))
	bounded, cancel := context.WithTimeout(ctx, mutexWait)
	defer cancel()
	if _, err := mutex.TryLockContext(bounded, 10*time.Millisecond); err != nil {
		return nil, err
	}
	defer mutex.Unlock() //nolint:errcheck // it ends with the process at the latest
	dir := filepath.Join(k.cfg.Dir, digest(k.cfg.Vendors, p.Location, p.Account))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	others, err := filepath.Glob(filepath.Join(dir, "*"+lockSuffix))
	if err != nil {
		return nil, err
	}
	own := filepath.Join(dir, k.id+lockSuffix)
	for _, path := range others {
		if path == own {
			continue
		}
		if held, err := k.passOther(p, path); held != nil || err != nil {
			return held, err
		}
	}
	file := &lockFile{path: own, lock: flock.New(own)}
	if err := os.Remove(own + takenSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	locked, err := file.lock.TryRLock()
	if err == nil && !locked {
		err = fmt.Errorf("%s is locked", own)
	}
	if err != nil {
		return nil, err
	}
	p.file = file
	return nil, k.write(own)
}

// passOther checks the lock file of another Milepost, which may be dead. It returns the
// holder of the pair, unless this Milepost may take the pair over.
func (k *Keeper) passOther(p *pair, path string) (*Held, error) {
	lock := flock.New(path)
	dead, err := lock.TryLock()
	if err != nil {
		return nil, err
	}
	if dead {
		_ = os.Remove(path + takenSuffix)
		return nil, errors.Join(os.Remove(path), lock.Unlock())
	}
	if holderIn(path+takenSuffix) != (Holder{}) {
		return nil, nil // it no longer works on the pair
	}
	held := &Held{Pair: p.Pair, By: holderIn(path)}
	if !k.cfg.TakeOver {
		return held, nil
	}
	if err := k.write(path + takenSuffix); err != nil {
		return nil, err
	}
	p.quiet = time.Now().Add(quietHere)
	k.cfg.Logger.Warn().Str("location", p.Location).Str("from", held.By.String()).Msg("took over from another Milepost on this machine")
	return nil, nil
}

// write writes this Milepost's Holder to a file.
func (k *Keeper) write(path string) error {
	text, err := json.Marshal(k.self)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// holderIn reads the Holder from a file, or returns the zero Holder.
func holderIn(path string) (h Holder) {
	text, err := os.ReadFile(path)
	if err == nil {
		_ = json.Unmarshal(text, &h) // a partly written file has no holder
	}
	return h
}

// taken returns who has taken over on this machine, or nil.
func (f *lockFile) taken(name Pair) *Held {
	if info, _ := os.Stat(f.path + takenSuffix); info == nil {
		return nil
	}
	return &Held{Pair: name, By: holderIn(f.path + takenSuffix)}
}

// close releases the lock; the last process of the installation removes the file.
func (f *lockFile) close() {
	_ = f.lock.Unlock() // the end of the process unlocks it, too
	last := flock.New(f.path)
	if locked, err := last.TryLock(); err == nil && locked {
		_ = os.Remove(f.path)
		_ = os.Remove(f.path + takenSuffix)
		_ = last.Unlock()
		_ = os.Remove(filepath.Dir(f.path)) // succeeds only if it is empty
	}
}
