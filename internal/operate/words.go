package operate

import "milepost/internal/store"

// outcomes are the outcomes of a sync in words: what it is called, and what it means
// and what to do.
var outcomes = map[string]struct{ name, means string }{
	store.Done:      {"Done", "Milepost wrote what the record asks for."},
	store.Unchanged: {"Nothing to change", "Everything was as the record asks for already."},
	store.Skipped:   {"Skipped", "No automation asks for anything here."},
	store.Gone:      {"Removed", "The record was deleted, and what Milepost made for it is removed."},
	store.Pending:   {"In the queue", "A worker syncs the record soon. There is nothing to do."},
	store.Waiting:   {"Waiting", "Milepost waits for a rate limit or for an answer to settle, and goes on by itself."},
	store.Retry:     {"Will be retried", "A call failed. Milepost retries by itself. If it keeps failing, its reason says what to look at."},
	store.Auth:      {"Token rejected", "A vendor rejects the token. Connect the location again, or rotate its token. Milepost retries until it works."},
	store.Invalid:   {"Cannot be done", "Milepost cannot do it as the record is. Correct the record or the automation. The sync runs again when the record changes, or if you replay it."},
	store.Unclear:   {"Unclear", "The answer to a request was lost, so Milepost cannot know whether it took effect and does not send it again. Look at the vendor, then settle the request as the detail says."},
	store.Stopped:   {"Stopped", "An automation sent too many requests within an hour for this contact. Change the automation, then release it as the detail says. Otherwise it goes on by itself within an hour."},
	store.Conflict:  {"Both sides changed", "HighLevel and CalendarHero changed the same field. HighLevel's value won. Look at the timeline for the value that lost."},
}

// OutcomeName is what an outcome is called.
func OutcomeName(outcome string) string {
	if o, ok := outcomes[outcome]; ok {
		return o.name
	}
	return outcome
}

// OutcomeMeans is what an outcome means, and what to do; "" if it is not known.
func OutcomeMeans(outcome string) string { return outcomes[outcome].means }
