package console

import (
	"fmt"
	"strings"
	"time"

	"milepost/internal/store"
)

// outcomes are the outcomes of a sync in words: what it is called, how good it is,
// and what it means and what to do.
var outcomes = map[string]struct{ Name, Tone, Means string }{
	store.Done:      {"Done", "good", "Milepost wrote what the record asks for."},
	store.Unchanged: {"Nothing to change", "calm", "Everything was as the record asks for already."},
	store.Skipped:   {"Skipped", "calm", "No automation asks for anything here."},
	store.Gone:      {"Removed", "calm", "The record was deleted, and what Milepost made for it is removed."},
	store.Pending:   {"In the queue", "wait", "A worker syncs the record soon. There is nothing to do."},
	store.Waiting:   {"Waiting", "wait", "Milepost waits for a rate limit or for an answer to settle, and goes on by itself."},
	store.Retry:     {"Will be retried", "bad", "A call failed. Milepost retries by itself. If it keeps failing, the reason below says what to look at."},
	store.Auth:      {"Token rejected", "bad", "A vendor rejects the token. Connect the location again, or rotate its token. Milepost retries until it works."},
	store.Invalid:   {"Cannot be done", "bad", "Milepost cannot do it as the record is. Correct the record or the automation. The sync runs again when the record changes, or if you replay it."},
	store.Unclear:   {"Unclear", "bad", "The answer to a request was lost, so Milepost cannot know whether it took effect and does not send it again. Look at the vendor, then settle the request as the detail says."},
	store.Stopped:   {"Stopped", "bad", "An automation sent too many requests within an hour for this contact. Change the automation, then release it as the detail says. Otherwise it goes on by itself within an hour."},
	store.Conflict:  {"Both sides changed", "bad", "HighLevel and CalendarHero changed the same field. HighLevel's value won. Look at the timeline for the value that lost."},
}

func outcomeName(outcome string) string {
	if o, ok := outcomes[outcome]; ok {
		return o.Name
	}
	return outcome
}

func outcomeTone(outcome string) string {
	if o, ok := outcomes[outcome]; ok {
		return o.Tone
	}
	return "calm"
}

func outcomeMeans(outcome string) string { return outcomes[outcome].Means }

// took is a length of time, as short as people say it.
func took(d time.Duration) string {
	switch {
	case d < 0:
		return "0 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	}
	return fmt.Sprintf("%.0f days", d.Hours()/24)
}

// kindName is what a kind of record is called.
func kindName(kind string) string {
	switch kind {
	case "":
		return "no record"
	case store.KindWorkflow:
		return "workflow webhook"
	case store.KindInstall:
		return "installation"
	case store.KindCalendarContact:
		return "CalendarHero contact"
	}
	return kind
}

// itemName is what a kind of item is called.
func itemName(kind string) string {
	switch kind {
	case "tags":
		return "Tags in HighLevel"
	case "update_contact", "upsert_contact":
		return "Contact in HighLevel"
	case "reschedule_task":
		return "Moved task in HighLevel"
	case "complete_task":
		return "Completed task in HighLevel"
	case "highlevel_task":
		return "Task in HighLevel"
	case "highlevel_note":
		return "Note in HighLevel"
	case "":
		return "Item"
	}
	return strings.ToUpper(kind[:1]) + kind[1:]
}

// linkState says in words what is known of an object.
func linkState(state store.LinkState) string {
	switch state {
	case store.LinkLive:
		return "exists"
	case store.LinkCreating:
		return "being created"
	case store.LinkUnanswered:
		return "created without an answer"
	case store.LinkDeleting:
		return "being removed"
	case store.LinkGone:
		return "gone"
	}
	return string(state)
}
