// Package sandbox joins strict, stateful fakes of HighLevel (package highlevel) and
// CalendarHero (package calendarhero) to a small world: a business with people, and
// a page that shows and changes both.
//
// The fakes are written from the vendors' documents alone and share no code with the
// rest of the project, so that they catch its mistakes. They reject what a vendor
// is known to reject (unknown keys, a missing Version header, a foreign tenant,
// too many requests) and copy the vendors' known quirks (no TaskUpdate, a
// TaskCreate without contactId, lower-cased tags). Two equal POSTs make two
// objects. If the documents are silent, a fake gives the harsher of the plausible
// answers, and a comment says so.
//
// Guarantees: memory is bounded, because logs of webhooks and mails keep only the
// newest and counters exist for a fixed set of operations; nothing leaves loopback
// unless a caller passes its own http.Client.
package sandbox
