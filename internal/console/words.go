package console

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"milepost/internal/store"
)

// tones say how good an outcome is.
var tones = map[string]string{
	store.Done: "good", store.Pending: "wait", store.Waiting: "wait", store.Retry: "bad", store.Auth: "bad",
	store.Invalid: "bad", store.Unclear: "bad", store.Stopped: "bad", store.Conflict: "bad",
}

func outcomeTone(outcome string) string { return cmp.Or(tones[outcome], "calm") }

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
