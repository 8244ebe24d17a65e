package fakehttp

import (
	"context"
	"sync"
)

// A Notice tells any number of waiters that something changed.
type Notice struct {
	mu sync.Mutex
	ch chan struct{} // nil while nobody waits
}

// Next returns a channel that is closed at the next change.
func (n *Notice) Next() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch == nil {
		n.ch = make(chan struct{})
	}
	return n.ch
}

func (n *Notice) Changed() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch != nil {
		close(n.ch)
		n.ch = nil
	}
}

// WaitFor blocks until cond holds, asking again after each change of any of
// the notices. It returns the context's error if that ends first.
func WaitFor(ctx context.Context, cond func() bool, notices ...*Notice) error {
	for {
		// Take the channels before asking, so that no change falls between.
		wake := make(chan struct{}, len(notices))
		stop := make(chan struct{})
		for _, n := range notices {
			go func(ch <-chan struct{}) {
				select {
				case <-ch:
					wake <- struct{}{}
				case <-stop:
				}
			}(n.Next())
		}
		if cond() {
			close(stop)
			return nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			close(stop)
			return ctx.Err()
		}
		close(stop)
	}
}
