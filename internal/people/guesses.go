package people

import (
	"fmt"
	"sync"
	"time"
)

// How often one may guess before a lock, and how long the locks are: the first
// shortestLock, each next one twice as long, up to longestLock.
const (
	freeGuesses  = 5
	shortestLock = 30 * time.Second
	longestLock  = 15 * time.Minute
	forgetAfter  = time.Hour // without another guess
	mostGuessed  = 4096      // names and clients that are told apart; those beyond share one lock
)

// Locked means that there were too many wrong guesses.
type Locked struct{ Wait time.Duration }

func (e *Locked) Error() string {
	return fmt.Sprintf("too many wrong guesses; wait %s", e.Wait.Round(time.Second))
}

// guesses counts the wrong guesses at each name and of each client.
type guesses struct {
	mu sync.Mutex
	of map[string]*guessed
}

type guessed struct {
	wrong int
	last  time.Time
	until time.Time // no guess before
}

// begin counts a guess as wrong before it is looked at, so that guesses side by
// side count too. It fails with *Locked, and then counts nothing.
func (g *guesses) begin(now time.Time, about ...string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var list []*guessed
	for _, key := range about {
		v := g.get(now, key)
		if wait := v.until.Sub(now); 0 < wait && wait <= longestLock { // longer: the clock was put back
			return &Locked{wait}
		}
		list = append(list, v)
	}
	for _, v := range list {
		v.wrong++
		v.last = now
		if over := v.wrong - freeGuesses; over >= 0 {
			v.until = now.Add(min(shortestLock<<min(over, 10), longestLock))
		}
	}
	return nil
}

// right takes back what begin counted of a guess that was right, and what was
// guessed before.
func (g *guesses) right(about ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, key := range about {
		delete(g.of, key)
	}
}

func (g *guesses) get(now time.Time, key string) *guessed {
	if g.of == nil {
		g.of = map[string]*guessed{}
	}
	v, known := g.of[key]
	if !known && len(g.of) >= mostGuessed {
		for k, v := range g.of {
			if now.Sub(v.last) > forgetAfter {
				delete(g.of, k)
			}
		}
		if len(g.of) >= mostGuessed {
			key = ""
			v, known = g.of[key]
		}
	}
	if !known || now.Sub(v.last) > forgetAfter {
		v = &guessed{}
		g.of[key] = v
	}
	return v
}
