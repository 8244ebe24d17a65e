// Package inbox accepts webhooks durably and hands them to the workers.
//
// Guarantees: Accept returns nil only after the webhook is committed and synced to disk. A
// dispatcher moves each stored webhook into the state database exactly once. All webhooks
// that arrive during a commit share the next one, so that many webhooks cost one sync of
// the disk.
//
// The package does not look inside a body, and knows no vendor.
package inbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"milepost/internal/outage"
	"milepost/internal/store"
)

// Webhook is one verified webhook request.
type Webhook struct {
	WebhookID  string // the vendor's delivery id, which identifies duplicates; "" is never a duplicate
	Type       string
	Entity     store.Entity // Kind "" if the webhook concerns no record that Milepost knows
	ContactID  string
	Deleted    bool
	ReceivedAt time.Time
	Body       []byte // as received
}

// ErrNotStored means the webhook is not stored and must be sent again.
var ErrNotStored = errors.New("webhook not stored")

// log is a durable list of webhooks.
type log interface {
	// append stores the webhooks in one commit and reports which of them were already
	// stored.
	append(ctx context.Context, batch []Webhook) (duplicate []bool, err error)
	// claim takes up to limit webhooks that were not dispatched yet, in the transaction
	// that moves them.
	claim(ctx context.Context, tx *store.Tx, limit int) ([]store.Delivery, error)
	// ready fails if append would fail, as far as it can find out without a write.
	ready(ctx context.Context) error
	// probe makes a durable write that stores no webhook.
	probe(ctx context.Context) error
	// check fails if the files are no longer the ones that were opened.
	check() error
	// verify fails if stored data is damaged.
	verify(ctx context.Context) error
	join(ctx context.Context, st *store.Store, cfg JoinConfig) error
	// idsOfContact returns the ids of the webhooks with a body that named a contact. It may
	// read everything, but must not block append.
	idsOfContact(ctx context.Context, locationID, contactID string) ([]int64, error)
	// body returns the body of a webhook by id; ok is false if there is no such webhook.
	body(ctx context.Context, id int64) (body []byte, ok bool, err error)
	// find returns the id of the webhook with a WebhookID.
	find(ctx context.Context, webhookID string) (id int64, ok bool, err error)
	// erase empties the bodies of webhooks by id; duplicates of them are still recognised
	// by WebhookID.
	erase(ctx context.Context, ids []int64) (int64, error)
	// scrub removes from the files what erase and prune left there.
	scrub(ctx context.Context) error
	// prune deletes webhooks that were dispatched and received before a time.
	prune(ctx context.Context, before time.Time) (int64, error)
	close() error
}

// These decide how requests are grouped into commits.
const (
	window     = time.Millisecond // how long a commit waits for more requests
	batchSize  = 256
	queueDepth = 4096 // requests waiting for a commit; beyond it, Accept fails
)

// After a failed commit, the inbox itself tests whether it can store again, because a load
// balancer may send it nothing more.
const (
	probeEvery = time.Second
	probeSize  = 64 << 10 // bytes
)

// unreadableError means that what the inbox stored cannot be read back.
type unreadableError struct{ error }

func (e *unreadableError) Unwrap() error { return e.error }

// Inbox accepts webhooks. Safe for concurrent use.
type Inbox struct {
	log      log
	requests chan request
	stored   chan struct{} // signals the dispatcher
	stopped  chan struct{}
	loops    sync.WaitGroup
	drained  chan struct{} // closed after the last commit

	failing    atomic.Pointer[error] // error of the last commit; nil = it succeeded
	failed     chan struct{}         // signals the prober
	unreadable atomic.Pointer[error] // set while stored webhooks cannot be read back
	halted     atomic.Pointer[error] // set by Halt, for good
	outage     atomic.Pointer[outage.Log]
	joined     atomic.Bool
}

type request struct {
	webhook Webhook
	answer  chan answer
}

type answer struct {
	duplicate bool
	err       error
}

func open(l log, committers int) *Inbox {
	in := &Inbox{
		log: l, requests: make(chan request, queueDepth), stored: make(chan struct{}, 1),
		stopped: make(chan struct{}), drained: make(chan struct{}), failed: make(chan struct{}, 1),
	}
	for range committers {
		in.loops.Go(in.commitLoop)
	}
	in.loops.Go(in.probeLoop)
	return in
}

// Accept stores one webhook and returns after it is safe on disk. duplicate means that its
// WebhookID is already stored, so Milepost does nothing more with it. Every error wraps
// ErrNotStored: the sender must be told to retry.
func (in *Inbox) Accept(ctx context.Context, w Webhook) (duplicate bool, err error) {
	if err := in.refusing(); err != nil {
		in.outage.Load().Failed(err)
		return false, fmt.Errorf("%w: %w", ErrNotStored, err)
	}
	req := request{webhook: w, answer: make(chan answer, 1)}
	select {
	case <-in.stopped:
		return false, fmt.Errorf("%w: shutting down", ErrNotStored)
	case in.requests <- req:
	default:
		err := fmt.Errorf("%w: %d webhooks already wait for the disk", ErrNotStored, queueDepth)
		in.outage.Load().Failed(err)
		return false, err
	}
	select {
	case a := <-req.answer:
		if a.err != nil {
			return false, fmt.Errorf("%w: %w", ErrNotStored, a.err)
		}
		return a.duplicate, nil
	case <-in.drained:
		select {
		case a := <-req.answer: // answered by the last commit
			if a.err == nil {
				return a.duplicate, nil
			}
		default:
		}
		return false, fmt.Errorf("%w: shutting down", ErrNotStored)
	case <-ctx.Done(): // the webhook may still be stored; the sender's retry is then a duplicate
		return false, fmt.Errorf("%w: %w", ErrNotStored, context.Cause(ctx))
	}
}

// Ready returns an error if a webhook could not be stored now.
func (in *Inbox) Ready(ctx context.Context) error {
	select {
	case <-in.stopped:
		return errors.New("the inbox is shutting down")
	default:
	}
	if len(in.requests) == cap(in.requests) {
		return fmt.Errorf("%d webhooks are waiting for the disk", cap(in.requests))
	}
	if err := in.refusing(); err != nil {
		return err
	}
	if err := in.failing.Load(); err != nil {
		return *err
	}
	err := in.log.ready(ctx)
	if err != nil && ctx.Err() == nil {
		in.note(err, 1)
	}
	return err
}

// Halt makes every later Accept fail with the given reason.
func (in *Inbox) Halt(why error) {
	in.halted.Store(&why)
	in.outage.Load().Failed(why)
}

// Verify reads everything that is stored and returns an error if it is damaged.
func (in *Inbox) Verify(ctx context.Context) error { return in.log.verify(ctx) }

// CheckFiles returns an error that wraps store.ErrFileLost if the inbox's files
// were deleted or replaced.
func (in *Inbox) CheckFiles() error { return in.log.check() }

// Salvage writes everything that was stored into the file itself
// (store.SQLiteFile.Salvage).
func (in *Inbox) Salvage(ctx context.Context) error {
	if l, ok := in.log.(*sqliteLog); ok {
		return l.file.Salvage(ctx)
	}
	return nil
}

// refusing returns why Milepost may accept no webhook, although it could store one.
func (in *Inbox) refusing() error {
	if err := in.halted.Load(); err != nil {
		return *err
	}
	if err := in.unreadable.Load(); err != nil {
		return *err
	}
	return nil
}

// note keeps the result of a commit of n webhooks, for Ready and the log.
func (in *Inbox) note(err error, n int) {
	if err == nil {
		in.failing.Store(nil)
		if in.refusing() == nil {
			in.outage.Load().Succeeded()
		}
		return
	}
	in.failing.Store(&err)
	for range n {
		in.outage.Load().Failed(err)
	}
	select {
	case in.failed <- struct{}{}:
	default:
	}
}

// probeLoop writes a probe after a failed commit, again and again until it succeeds.
func (in *Inbox) probeLoop() {
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-in.stopped:
			return
		case <-in.failed:
		}
		for in.failing.Load() != nil {
			ticker.Reset(probeEvery)
			select {
			case <-in.stopped:
				return
			case <-ticker.C:
			}
			ctx, cancel := context.WithTimeout(context.Background(), 10*probeEvery)
			if in.failing.Load() != nil {
				in.note(in.log.probe(ctx), 1)
			}
			cancel()
		}
	}
}

// Prune deletes webhooks received before a time. Duplicates of deleted webhooks are no
// longer recognised, so keep webhooks for longer than the vendor retries.
func (in *Inbox) Prune(ctx context.Context, before time.Time) (int64, error) {
	return in.log.prune(ctx, before)
}

// Body returns the body of a webhook as it was received, by the id of its delivery. The
// body is empty if it was erased. ok is false if the inbox no longer holds the webhook.
func (in *Inbox) Body(ctx context.Context, id int64) (body []byte, ok bool, err error) {
	if body, ok, err = in.log.body(ctx, id); err != nil {
		return nil, false, fmt.Errorf("read the body of webhook %d: %w", id, err)
	}
	return body, ok, nil
}

// Find returns the id of a webhook's delivery, by the vendor's WebhookID.
func (in *Inbox) Find(ctx context.Context, webhookID string) (id int64, ok bool, err error) {
	if id, ok, err = in.log.find(ctx, webhookID); err != nil {
		return 0, false, fmt.Errorf("look for a webhook by its id: %w", err)
	}
	return id, ok, nil
}

// Erase empties the bodies of the webhooks that named a contact, and of the webhooks with
// the given ids. It returns how many bodies it emptied. Duplicates are still recognised. It
// reads the whole inbox.
func (in *Inbox) Erase(ctx context.Context, locationID, contactID string, others []int64) (erased int64, err error) {
	const chunk = 100
	ids, err := in.log.idsOfContact(ctx, locationID, contactID)
	if err != nil {
		return 0, fmt.Errorf("look for the webhooks of contact %s: %w", contactID, err)
	}
	ids = append(ids, others...)
	for len(ids) > 0 {
		n := min(len(ids), chunk)
		some, err := in.log.erase(ctx, ids[:n])
		if err != nil {
			return erased, fmt.Errorf("erase the bodies of webhooks: %w", err)
		}
		erased += some
		ids = ids[n:]
	}
	return erased, nil
}

// Scrub removes from the inbox's files what Erase and Prune left there, as store.Scrub
// does. Call it after store.Scrub, which on PostgreSQL does both.
func (in *Inbox) Scrub(ctx context.Context) error {
	if err := in.log.scrub(ctx); err != nil {
		return fmt.Errorf("remove erased data from the files of the inbox: %w", err)
	}
	return nil
}

// Close commits the accepted webhooks and closes the files. From then on, Accept fails.
func (in *Inbox) Close() error {
	close(in.stopped)
	in.loops.Wait()
	close(in.drained)
	return in.log.close()
}

// commitLoop commits groups of requests until the inbox is closed.
func (in *Inbox) commitLoop() {
	batch := make([]request, 0, batchSize)
	webhooks := make([]Webhook, 0, batchSize)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		batch, webhooks = batch[:0], webhooks[:0]
		select {
		case r := <-in.requests:
			batch = append(batch, r)
		case <-in.stopped:
			select {
			case r := <-in.requests: // arrived before Close
				batch = append(batch, r)
			default:
				return
			}
		}
		timer.Reset(window)
		batch = in.fill(batch, timer.C)
		for _, r := range batch {
			webhooks = append(webhooks, r.webhook)
		}
		// A commit must not use a request's context: a caller that gives up would undo the
		// others.
		duplicate, err := in.log.append(context.Background(), webhooks)
		in.note(err, len(batch))
		in.answer(batch, duplicate, err)
	}
}

// fill adds requests until the batch is full or its time has passed.
func (in *Inbox) fill(batch []request, over <-chan time.Time) []request {
	for len(batch) < batchSize {
		select {
		case r := <-in.requests:
			batch = append(batch, r)
		case <-over:
			return batch
		}
	}
	return batch
}

// answer sends the result of a batch to its callers, and wakes the dispatcher.
func (in *Inbox) answer(batch []request, duplicate []bool, err error) {
	for i, r := range batch {
		a := answer{err: err}
		if err == nil {
			a.duplicate = duplicate[i]
		}
		r.answer <- a
	}
	if err == nil {
		select {
		case in.stored <- struct{}{}:
		default:
		}
	}
}
