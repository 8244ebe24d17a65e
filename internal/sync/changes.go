package sync

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"milepost/clients/calendarhero"
	"milepost/internal/meeting"
	"milepost/internal/store"
	"milepost/mapping"
)

// Changes lists what a sync of a record would change now, one line for each, and changes
// nothing. If the record is a meeting that Milepost made for other records, it lists what
// their syncs would change, because those act on it. contactID is as in Rehearse.
func (r *Syncer) Changes(ctx context.Context, e store.Entity, contactID string) ([]string, error) {
	return r.Rehearser(r.live(), nil).Changes(ctx, e, contactID)
}

// Changes is the Syncer's, with the automations of h.
func (h *Rehearser) Changes(ctx context.Context, e store.Entity, contactID string) (lines []string, err error) {
	records := []store.Entity{e}
	if e.Kind == string(mapping.KindMeeting) {
		owners, err := h.syncer.store.EntitiesWithObject(ctx, e.ID)
		if err != nil {
			return nil, err
		}
		owners = slices.DeleteFunc(owners, func(owner store.Entity) bool { return owner.Kind == e.Kind })
		if len(owners) > 0 {
			records, contactID = owners, ""
		}
	}
	for _, record := range records {
		said, err := h.Rehearse(ctx, record, contactID)
		if err != nil {
			return nil, err
		}
		lines = append(lines, said.Lines()...)
	}
	return lines, nil
}

// Lines says for people what the sync would change, in its order, and what would keep
// it from its end.
func (r *Rehearsal) Lines() (lines []string) {
	for i, call := range r.Calls {
		if call.missing {
			continue
		}
		item := r.planned(call.Item)
		ofItem := func(method string) func(RehearsedCall) bool {
			return func(c RehearsedCall) bool { return c.Item == call.Item && c.ofRequest(method) }
		}
		switch {
		case item.Kind != mapping.ItemCall && call.ofRequest(http.MethodPost):
			line := "create " + r.kindOf(call.Item)
			if slices.ContainsFunc(r.Calls[:i], ofItem(http.MethodDelete)) {
				line = fmt.Sprintf("replace %s %s by", r.kindOf(call.Item), r.was(call.Item))
			}
			lines = append(lines, fmt.Sprintf("%s %q at %s%s", line, item.Title, r.startOf(call.Item), r.mailed(call.Item)))
		case item.Kind != mapping.ItemCall && call.ofRequest(http.MethodDelete):
			if !slices.ContainsFunc(r.Calls[i:], ofItem(http.MethodPost)) {
				lines = append(lines, fmt.Sprintf("remove %s %s", r.kindOf(call.Item), r.was(call.Item))+r.mailed(call.Item))
			}
		default:
			line := fmt.Sprintf("%s in %s (%s %s)", call.Operation, call.API, call.Method, call.Path)
			if len(call.Body) > 0 {
				line += ": " + meeting.Clip(string(call.Body), longestBody)
			}
			lines = append(lines, line+r.mailed(call.Item))
		}
	}
	lines = append(lines, r.kept...)
	switch {
	case r.sync == nil && r.Detail != "": // as of a location that is not connected
		lines = append(lines, r.Detail)
	case r.sync != nil:
		lines = append(lines, r.sync.invalid...)
	}
	if r.Waits != "" {
		lines = append(lines, "wait: "+r.Waits)
	}
	return lines
}

// longestBody bounds what a line says of the body of a call, in bytes.
const longestBody = 1000

// ofRequest reports whether a call creates (POST) or removes (DELETE) a meeting request.
func (c RehearsedCall) ofRequest(method string) bool {
	return !c.missing && c.API == calendarhero.API && c.Method == method && strings.HasPrefix(c.Path, "/meeting/tasks")
}

// planned is the item of a key; zero if the plan has none.
func (r *Rehearsal) planned(key string) mapping.Item {
	if i := slices.IndexFunc(r.Plan.Items, func(item mapping.Item) bool { return item.Key == key }); i >= 0 {
		return r.Plan.Items[i]
	}
	return mapping.Item{}
}

func (r *Rehearsal) kindOf(key string) string {
	if kind := r.planned(key).Kind; kind != "" {
		return string(kind)
	}
	if kind := r.sync.links[key].ItemKind; kind != "" {
		return kind
	}
	return "meeting request"
}

func (r *Rehearsal) startOf(key string) string {
	zone := r.planned(key).Zone
	if zone == nil {
		zone = time.UTC
	}
	return r.sync.wanted[key].Start.In(zone).Format("Mon 2 Jan 2006 15:04 MST")
}

// was is the request of an item as it is now, by its title and day.
func (r *Rehearsal) was(key string) string {
	link := r.sync.links[key]
	if link.Start.IsZero() {
		return "that CalendarHero has" // and the database does not know
	}
	day := link.Start
	if zone := r.Facts.Location.Zone; zone != nil {
		day = day.In(zone)
	}
	return fmt.Sprintf("%q (%s)", link.Title, day.Format(time.DateOnly))
}

// mailed says whom the calls of an item mail.
func (r *Rehearsal) mailed(item string) string {
	var to []string
	for _, m := range r.Mails {
		if m.Item == item && !slices.Contains(to, m.To) {
			to = append(to, m.To)
		}
	}
	if len(to) == 0 {
		return ""
	}
	return ", which mails " + strings.Join(to, ", ")
}
