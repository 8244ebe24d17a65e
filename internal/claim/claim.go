// Package claim keeps two Mileposts from working the same pair of accounts, a
// HighLevel location and a CalendarHero account: each would make everything a
// second time and mail people for it.
//
// There are two signs of another Milepost. On one machine it holds a lock file
// (here.go). On others it renews a custom value of the HighLevel location
// (there.go), the only store that both can reach. Before Milepost writes anything
// at a vendor it asks Permit, which has looked for both signs within a minute.
//
// Guarantees: of two Mileposts that see the same signs, one works a pair. A
// restart goes on at once, and what another process of the same database holds is
// ours. What cannot be looked at stops no work: it is logged.
//
// It knows nothing of what is written.
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
	// Pairs lists the pairs that are to be worked.
	Pairs func(ctx context.Context) ([]Pair, error)
	// Client returns a client of the pair's location that needs no permission.
	Client func(ctx context.Context, p Pair) (*highlevel.Client, error)
	// Dir is where the Mileposts of this machine keep their lock files; "" = none.
	Dir string
	// Vendors names the two APIs: the same ids at others are other accounts.
	Vendors string
	// Home is the data directory, or "" where the state is in PostgreSQL.
	Home string
	// Place tells the database from copies of it elsewhere; "" = nothing does.
	Place string
	// TakeOver lets this Milepost take pairs that another one holds.
	TakeOver bool
	Logger   zerolog.Logger
}

// How often it is looked, and for how long a claim at HighLevel holds. Idle, a
// location costs two calls each quarter of an hour; busy, one more a minute.
const (
	listEvery = 15 * time.Second // how soon a new pair is claimed
	hereEvery = time.Second
	idleEvery = 15 * time.Minute
	busyEvery = time.Minute
	soon      = 5 * time.Second // after a look that HighLevel did not answer
	lasts     = 45 * time.Minute
	renewAt   = 35 * time.Minute // of what is left

	// startLimit is how long a start waits for HighLevel. What was not looked at by
	// then is looked at before the first write.
	startLimit = 10 * time.Second
	startLanes = 8
	lookLimit  = 4 * time.Second // for one look at HighLevel: a call waits for it
	// unseen is for how long nothing is written where HighLevel does not answer and
	// was not looked at since the start.
	unseen = time.Minute

	// After a take-over nothing is written until the other must have noticed, and
	// the calls that it had sent have ended.
	callLimit  = 10 * time.Second
	quietHere  = hereEvery + callLimit
	quietThere = busyEvery + callLimit
)

// Holder is a Milepost as it tells others of itself.
type Holder struct {
	Host  string    `json:"host"`
	PID   int       `json:"pid"`
	Home  string    `json:"data,omitempty"` // its data directory; "" = PostgreSQL, or not told
	Since time.Time `json:"since"`
}

func (h Holder) String() string {
	home := ""
	if h.Home != "" {
		home = ", data directory " + h.Home
	}
	return fmt.Sprintf("on host %s since %s (process %d%s)", h.Host, h.Since.UTC().Format("2006-01-02 15:04:05 UTC"), h.PID, home)
}

// Held says that another Milepost works a pair.
type Held struct {
	Pair  Pair
	By    Holder
	Until time.Time // of its claim at HighLevel; zero = it runs on this machine
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
	id   string // of this installation and its home, for lock files
	here string // of this machine's lock files, "" = there are none

	blind atomic.Bool // it is logged of one location that HighLevel cannot be looked at

	mu    sync.Mutex
	known map[Pair]*pair
	names []Pair // those that are to be worked, as last listed
}

// pair is what is known of one pair.
type pair struct {
	Pair
	mu         sync.Mutex // one look at a time
	file       *lockFile  // nil = not locked yet, or it cannot be
	checked    time.Time  // when HighLevel was last looked at
	until      time.Time  // when our claim there ends
	asked      time.Time  // when HighLevel was first asked in vain; zero = it answers
	quiet      time.Time  // nothing is written before
	unreadable bool       // it is logged that HighLevel cannot be looked at
	claimed    bool       // HighLevel showed once that the pair is ours; TakeOver is used up
	noFile     bool       // it is logged that it cannot be locked

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

// Start claims all pairs. It fails with a *Held where another Milepost has one; then
// this one must not start.
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

// list lists the pairs that are to be worked.
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

// Permit returns nil if something may be written for a pair. Otherwise its error is
// a *clients.Error that says when to ask again, or one of the state database.
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

// Elsewhere reports whether a pair was lost to another Milepost. It looks at nothing.
func (k *Keeper) Elsewhere(locationID, account string) bool {
	return k.pair(Pair{locationID, account}).lostTo() != nil
}

// Lost returns to whom the first of the pairs that are lost was lost, or nil.
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

// Keep holds the pairs until ctx ends.
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
			if now, err := k.list(ctx); err == nil { // otherwise every other chore tells
				list, listed = now, time.Now()
				k.drop(list)
			}
		}
		for _, p := range list {
			if ctx.Err() != nil {
				return
			}
			if p.mu.TryLock() { // otherwise Permit is looking
				_ = k.check(ctx, p, idleEvery) // what is lost is logged, and anything else is looked at again
				p.mu.Unlock()
			}
		}
	}
}

// drop unlocks the pairs that are worked no more. Their claims at HighLevel end by
// themselves: the tokens are gone.
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

// Close gives the pairs back, so that another Milepost may claim them at once. What
// cannot be given back in time ends by itself.
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
