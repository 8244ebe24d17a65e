package sync

import (
	"context"

	"milepost/clients"
	"milepost/internal/store"
)

const (
	mostCalls   = 20       // of one sync that are stored
	longestSaid = 2 << 10  // bytes of a request or an answer that are stored
	longestTold = 16 << 10 // bytes of all of them
)

// made returns the calls of a sync as they are stored. If the sync changed nothing, the
// bodies are left out: they say what the record says. So are the answers of reads that may
// show other contacts: an erasure of these would not find them.
func made(ctx context.Context, of store.Entity, contactID string, changed bool, mailed []store.Mailed) []byte {
	heard, more := clients.Logged(ctx)
	out := store.SyncCalls{More: more, Mailed: mailed}
	room := longestTold
	for _, h := range heard {
		if len(out.Calls) == mostCalls {
			out.More++
			continue
		}
		c := store.SyncCall{API: h.API, Operation: h.Operation, Method: h.Method, Path: h.Path, Writes: h.Writes, Began: h.Began.UTC(), Took: h.Took, Queued: h.Queued, Status: h.Status}
		if h.Failed != nil {
			c.Failed = h.Failed.Error()
		}
		own := h.Writes || h.Subject != "" && (h.Subject == of.ID || h.Subject == contactID)
		if own && (changed || h.Failed != nil) {
			for _, body := range []struct {
				from []byte
				to   *string
			}{{h.Request, &c.Request}, {h.Answer, &c.Answer}} {
				text, cut := clients.ForPeople(body.from, min(longestSaid, room))
				*body.to, c.Cut = text, c.Cut || cut
				room -= len(text)
			}
		}
		out.Calls = append(out.Calls, c)
	}
	return out.Packed()
}

// mails notes whom a vendor has just mailed.
func (s *entitySync) mails(what, item string, to ...string) {
	for _, address := range to {
		s.reads.mailed = append(s.reads.mailed, store.Mailed{To: address, What: what, Item: item})
	}
}

// cancelled notes whom the removal of a meeting request has just mailed.
func (s *entitySync) cancelled(ctx context.Context, item, id string) {
	to, err := s.invitees(ctx, id)
	if err != nil {
		to = []string{"its invitees"}
	}
	s.mails("cancellation", item, to...)
}
