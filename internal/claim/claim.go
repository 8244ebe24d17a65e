// Package claim keeps two Mileposts from working on the same pair of accounts, a HighLevel
// location and a CalendarHero account. Each would create everything a second time, and
// people would get mail twice.
//
// There are two signs of another Milepost. On the same machine it holds a lock file
// (here.go). On another machine it renews a custom value of the HighLevel location
// (there.go), the only store that both can reach. Before each write to a vendor, Milepost
// calls Permit, which has checked both signs within the last minute.
//
// Guarantees: of two Mileposts that see the same signs, only one works on a pair. A
// restarted Milepost continues at once. Processes that share a database share their claims.
// If a check is impossible, Milepost logs that and continues.
//
// The package does not know what is written.
package claim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"milepost/clients"
	"milepost/clients/highlevel"
	"milepost/internal/store"
)

// Pair is a HighLevel location and a CalendarHero account, as connection.Connection
// names them.
type Pair struct{ Location, Account string }

// Config is what a Keeper needs.
type Config struct {
	Store *store.Store
	// Pairs lists the pairs that this Milepost works on.
	Pairs func(ctx context.Context) ([]Pair, error)
	// Client returns a client for the pair's location that does not call Permit.
	Client func(ctx context.Context, p Pair) (*highlevel.Client, error)
	// Dir is where the Mileposts on this machine keep their lock files; "" = nowhere.
	Dir string
	// Vendors identifies the two APIs: the same ids at other APIs are other accounts.
	Vendors string
	// Home is the data directory, or "" if the state is in PostgreSQL.
	Home string
	// Place distinguishes the database from copies of it elsewhere; "" = it cannot be
	// distinguished.
	Place string
	// TakeOver lets this Milepost take over pairs that another one holds.
	TakeOver bool
	Logger   zerolog.Logger
}

// How often Milepost checks, and how long a claim at HighLevel lasts. An idle location
// costs two calls every quarter of an hour, a busy one another call every minute.
const (
	listEvery = 15 * time.Second // how soon a new pair is claimed
	hereEvery = time.Second
	idleEvery = 15 * time.Minute
	busyEvery = time.Minute
	soon      = 5 * time.Second // after a check that HighLevel did not answer
	lasts     = 45 * time.Minute
	renewAt   = 35 * time.Minute // renew if less than this is left

	// startLimit is how long a start waits for HighLevel. A pair that is not checked by
	// then is checked before the first write.
	startLimit = 10 * time.Second
	startLanes = 8
	lookLimit  = 4 * time.Second // for one check at HighLevel; a call waits for it
	// unseen is how long Milepost writes nothing if HighLevel has not answered a check
	// since the start.
	unseen = time.Minute

	// After a take-over, Milepost writes nothing until the other one must have noticed and
	// its last calls have ended.
	callLimit  = 10 * time.Second
	quietHere  = hereEvery + callLimit
	quietThere = busyEvery + callLimit
)

// Holder describes a Milepost to others.
type Holder struct {
	Host  string    `json:"host"`
	PID   int       `json:"pid"`
	Home  string    `json:"data,omitempty"` // its data directory; "" = PostgreSQL, or not given
	Since time.Time `json:"since"`
}

func (h Holder) String() string {
	home := ""
	if h.Home != "" {
		home = ", data directory " + h.Home
	}
	return fmt.Sprintf("on host %s since %s (process %d%s)", h.Host, h.Since.UTC().Format("2006-01-02 15:04:05 UTC"), h.PID, home)
}

// Held is the error for a pair that another Milepost works on.
type Held struct {
	Pair  Pair
	By    Holder
	Until time.Time // when its claim at HighLevel expires; zero = it runs on this machine
	Took  bool      // it took the pair over from this one
}

func (h *Held) Error() string {
	if h.Took {
		return fmt.Sprintf("another Milepost took over location %s and its CalendarHero account: %s", h.Pair.Location, h.By)
	}
	until := ""
	if !h.Until.IsZero() {
		until = fmt.Sprintf(", seen at HighLevel; if it is gone for good, its claim ends %s", h.Until.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	return fmt.Sprintf("another Milepost works location %s and its CalendarHero account: %s%s. Stop that one, or start this one with --take-over and that one stops working them", h.Pair.Location, h.By, until)
}

// Keeper holds the pairs of this Milepost. Safe for concurrent use.
type Keeper struct {
	cfg  Config
	self Holder
	id   string // identifies this installation and its home in lock files
	here string // identifies this machine's lock directory, "" = there is none

	blind atomic.Bool // logged for one location that HighLevel cannot be checked

	mu    sync.Mutex
	known map[Pair]*pair
	names []Pair // the pairs to work on, as last listed
}

// pair is what the keeper knows about one pair.
type pair struct {
	Pair
	mu         sync.Mutex // one check at a time
	file       *lockFile  // nil = not locked yet, or it cannot be
	checked    time.Time  // when HighLevel was last checked
	until      time.Time  // when our claim there ends
	asked      time.Time  // since when HighLevel has not answered; zero = it answers
	quiet      time.Time  // Milepost writes nothing before this time
	unreadable bool       // logged that HighLevel cannot be checked
	claimed    bool       // HighLevel has shown that the pair is ours; TakeOver no longer applies
	noFile     bool       // logged that the pair cannot be locked

	lost struct {
		sync.Mutex
		held *Held
	}
}

func (p *pair) lostTo() *Held {
	p.lost.Lock()
	defer p.lost.Unlock()
	return p.lost.held
}

// New returns a keeper that holds nothing yet.
func New(ctx context.Context, cfg Config) (*Keeper, error) {
	installation, err := cfg.Store.Installation(ctx)
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	k := &Keeper{
		cfg: cfg, known: map[Pair]*pair{}, id: digest(installation, cfg.Home),
		self: Holder{Host: host, PID: os.Getpid(), Home: cfg.Home, Since: time.Now().UTC().Truncate(time.Second)},
	}
	if cfg.Dir != "" {
		if k.here, err = machine(cfg.Dir); err != nil {
			cfg.Logger.Warn().Err(err).Msg("cannot look for other Mileposts on this machine (MILEPOST_LOCK_DIR)")
		}
	}
	return k, nil
}

// Start claims all pairs. If another Milepost holds one of them, Start returns a *Held, and
// this Milepost must not start.
func (k *Keeper) Start(ctx context.Context) error {
	list, err := k.list(ctx)
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	work := make(chan *pair, len(list))
	for _, p := range list {
		work <- p
	}
	close(work)
	held := make(chan error, len(list))
	var lanes sync.WaitGroup
	for range startLanes {
		lanes.Go(func() {
			for p := range work {
				p.mu.Lock()
				err := k.check(bounded, p, 0)
				p.mu.Unlock()
				if _, ok := errors.AsType[*Held](err); ok {
					held <- err
				}
			}
		})
	}
	lanes.Wait()
	select {
	case err := <-held:
		return err
	default:
		return nil
	}
}

// list returns the pairs to work on.
func (k *Keeper) list(ctx context.Context) ([]*pair, error) {
	names, err := k.cfg.Pairs(ctx)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	k.names = names
	k.mu.Unlock()
	list := make([]*pair, len(names))
	for i, name := range names {
		list[i] = k.pair(name)
	}
	return list, nil
}

func (k *Keeper) pair(name Pair) *pair {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known[name] == nil {
		k.known[name] = &pair{Pair: name}
	}
	return k.known[name]
}

// Permit returns nil if Milepost may write for a pair. Otherwise it returns a
// *clients.Error, which says when to ask again, or an error of the state database.
func (k *Keeper) Permit(ctx context.Context, locationID, account string) error {
	p := k.pair(Pair{locationID, account})
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := k.check(ctx, p, busyEvery); err != nil {
		if held, ok := errors.AsType[*Held](err); ok {
			return wait(busyEvery, held.Error())
		}
		return err
	}
	if left := time.Until(p.quiet); left > 0 {
		return wait(left, "this Milepost took over from another one, which may not have noticed yet")
	}
	return nil
}

func wait(d time.Duration, why string) error {
	return &clients.Error{API: "HighLevel", Reason: clients.RateLimited, RetryAfter: d, Message: why}
}

// Elsewhere reports whether another Milepost took the pair over, as far as this process
// knows. It makes no check.
func (k *Keeper) Elsewhere(locationID, account string) bool {
	return k.pair(Pair{locationID, account}).lostTo() != nil
}

// Lost returns who took over the first lost pair, or nil.
func (k *Keeper) Lost() *Held {
	k.mu.Lock()
	names := k.names
	k.mu.Unlock()
	for _, name := range names {
		if held := k.pair(name).lostTo(); held != nil {
			return held
		}
	}
	return nil
}

// Keep renews the claims until ctx ends.
func (k *Keeper) Keep(ctx context.Context) {
	ticker := time.NewTicker(hereEvery)
	defer ticker.Stop()
	var list []*pair
	var listed time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if time.Since(listed) >= listEvery {
			if now, err := k.list(ctx); err == nil { // a failure also stops other tasks, which log it
				list, listed = now, time.Now()
				k.drop(list)
			}
		}
		for _, p := range list {
			if ctx.Err() != nil {
				return
			}
			if p.mu.TryLock() { // otherwise Permit is checking it
				_ = k.check(ctx, p, idleEvery) // check logs a lost pair; other failures are checked again
				p.mu.Unlock()
			}
		}
	}
}

// drop unlocks the pairs that this Milepost no longer works on. Their claims at HighLevel
// expire by themselves, because the tokens to remove them are gone.
func (k *Keeper) drop(list []*pair) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.known {
		if slices.Contains(list, p) || !p.mu.TryLock() {
			continue
		}
		if p.file != nil {
			p.file.close()
		}
		p.file, p.claimed, p.checked, p.until = nil, false, time.Time{}, time.Time{}
		p.mu.Unlock()
	}
}

// check makes sure that the pair is ours. It always checks the lock file here, and the
// claim at HighLevel if that was not checked within age. It returns a *Held, a
// *clients.Error that says when to check again, or an error of the state database.
func (k *Keeper) check(ctx context.Context, p *pair, age time.Duration) error {
	if held := p.lostTo(); held != nil {
		return held
	}
	held, err := k.checkHere(ctx, p)
	if err == nil && held == nil {
		if since := time.Since(p.checked); !p.checked.IsZero() && since < age {
			return nil
		}
		held, err = k.checkThere(ctx, p)
	}
	if held == nil {
		return err
	}
	held.Took = p.claimed || p.file != nil && held.Until.IsZero()
	p.lost.Lock()
	p.lost.held = held
	p.lost.Unlock()
	if held.Took {
		k.cfg.Logger.Error().Str("location", p.Location).Str("by", held.By.String()).
			Msg("another Milepost took over; this one no longer works the location until you start it with --take-over. It stores webhooks, and /readyz answers 503")
	} else {
		k.cfg.Logger.Error().Str("location", p.Location).Msg(held.Error())
	}
	return held
}

// Close releases the pairs, so that another Milepost may claim them at once. Claims that it
// cannot remove in time expire.
func (k *Keeper) Close(ctx context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.known {
		p.mu.Lock()
		if p.lostTo() == nil && !p.until.IsZero() && ctx.Err() == nil {
			if err := k.release(ctx, p); err != nil {
				k.cfg.Logger.Debug().Err(err).Str("location", p.Location).Msg("could not remove the claim at HighLevel; it expires")
			}
		}
		if p.file != nil {
			p.file.close()
			p.file = nil
		}
		p.mu.Unlock()
	}
}
