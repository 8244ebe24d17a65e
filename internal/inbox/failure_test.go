package inbox

import (
	"context"
	"errors"
	"testing"
	"time"

	"milepost/internal/store"
)

// brokenLog is a disk that stores nothing.
type brokenLog struct{ log }

var errDiskFull = errors.New("disk full")

func (brokenLog) append(context.Context, []Webhook) ([]bool, error) { return nil, errDiskFull }
func (brokenLog) close() error                                      { return nil }

func TestAFailedCommitFailsEveryRequestInIt(t *testing.T) {
	t.Parallel()
	in := open(brokenLog{}, 1)
	results := make(chan error, 10)
	for range 10 {
		go func() {
			_, err := in.Accept(context.Background(), Webhook{})
			results <- err
		}()
	}
	for range 10 {
		if err := <-results; !errors.Is(err, ErrNotStored) || !errors.Is(err, errDiskFull) {
			t.Errorf("Accept returned %v, want ErrNotStored because of a full disk", err)
		}
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
}

// stuckLog is a disk that does not answer until it is released.
type stuckLog struct {
	brokenLog
	letGo chan struct{}
}

func (l stuckLog) append(_ context.Context, batch []Webhook) ([]bool, error) {
	<-l.letGo
	return make([]bool, len(batch)), nil
}

func (stuckLog) claim(context.Context, *store.Tx, int) ([]store.Delivery, error) { return nil, nil }

func TestAStuckDiskRejectsRequestsAndDoesNotPileThemUp(t *testing.T) {
	t.Parallel()
	l := stuckLog{letGo: make(chan struct{})}
	in := open(l, 1)
	ctx, cancel := context.WithCancel(context.Background())
	const requests = queueDepth + 2*batchSize
	results := make(chan error, requests)
	for range requests {
		go func() {
			_, err := in.Accept(ctx, Webhook{})
			results <- err
		}()
	}
	select {
	case err := <-results:
		if !errors.Is(err, ErrNotStored) {
			t.Errorf("refused with %v, want ErrNotStored", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("no request was refused behind a stuck disk")
	}
	cancel() // the senders give up; if their webhooks are stored later, their next try is a duplicate
	for range requests - 1 {
		<-results
	}
	close(l.letGo)
	if err := in.Close(); err != nil {
		t.Error(err)
	}
}
