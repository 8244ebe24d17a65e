package connection

import (
	"cmp"
	"strings"
)

// Paths of the public listener that people are given.
const (
	InstallPath  = "/oauth/highlevel/install"      // begins an installation by OAuth
	CallbackPath = "/oauth/highlevel/callback"     // ends it
	EventsPath   = "/webhooks/highlevel"           // where the events of the HighLevel app go
	WorkflowPath = "/webhooks/highlevel/workflow/" // where workflow webhooks go; the key follows
	CalendarPath = "/calendars/"                   // where the iCalendar feeds are; the key and ".ics" follow
	unknownHost  = "https://YOUR-HOST"
)

// OwnPath returns the path of the public listener in which the path of an address ends; ""
// if there is none. Milepost adds these to the public URL itself.
func OwnPath(path string) string {
	for _, own := range []string{EventsPath, WorkflowPath, HookPath, InstallPath, CallbackPath} {
		if own = strings.TrimSuffix(own, "/"); strings.HasSuffix(strings.TrimRight(path, "/"), own) {
			return own
		}
	}
	return ""
}

// URL is the address of a path of the public listener. It begins with
// https://YOUR-HOST if the public URL is not set.
func (r *Registry) URL(path string) string {
	return cmp.Or(r.Address(), unknownHost) + path
}
