// Package sandbox holds strict, stateful fakes of HighLevel and CalendarHero,
// and a small page that shows and changes both.
//
// They are written from the vendors' documents alone and share nothing with
// the rest of the project, so that they catch its mistakes: what a vendor is
// known to refuse is refused here (unknown keys, a missing Version header, a
// foreign tenant, too many requests), what it is known to do oddly is done
// oddly (no TaskUpdate, a TaskCreate without contactId, lower-cased tags), and
// two equal POSTs make two objects. Where the documents are silent, the
// harsher of the plausible answers is given and the comment says so.
//
// Memory is bounded: logs of webhooks and mails keep the newest, and counters
// are kept for a fixed set of operations. Nothing leaves loopback unless a
// caller hands in an http.Client of its own.
package sandbox
