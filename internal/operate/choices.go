package operate

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"milepost/clients/highlevel"
	"milepost/internal/automation"
	"milepost/internal/catalog"
	"milepost/internal/connection"
	"milepost/internal/facts"
	"milepost/internal/order"
	"milepost/mapping"
)

// The lists that people pick from, by the operations that give them. CustomFields are
// those of contacts and opportunities.
const (
	CustomFields = "highlevel.list_custom_fields"
	Tags         = "highlevel.list_location_tags"
	Pipelines    = "highlevel.list_pipelines"
	Users        = "highlevel.search_users"
	Calendars    = "highlevel.list_calendars"
	MeetingTypes = "calendarhero.list_meeting_types"
)

// Choices are what a location and its CalendarHero account have, for people to pick
// from.
type Choices struct {
	Fields  []highlevel.CustomField
	Options map[string][]catalog.Option // by operation
	Failed  map[string]error            // lists that could not be read, by operation
	ReadAt  time.Time                   // when the oldest of them was read; zero = none was
}

const (
	choicesHold = 10 * time.Minute
	failureHold = time.Minute // so that a vendor that is down holds up one page a minute
	longestRead = 8 * time.Second
	mostChoices = 500 // lists that are kept
)

type choiceKey struct{ location, what string }

type choice struct {
	at      time.Time
	fields  []highlevel.CustomField
	options []catalog.Option
	example map[string]any
	zone    *time.Location
	err     error
}

// choices are the lists that were read of late.
type choices struct {
	mu   sync.Mutex
	kept map[choiceKey]choice
}

// Choices reads lists of a location: those that were not read of late, or with again
// all of them.
func (d *Desk) Choices(ctx context.Context, locationID string, lists []string, again bool) (Choices, error) {
	out := Choices{Options: map[string][]catalog.Option{}, Failed: map[string]error{}}
	conn, err := d.Connections.Lookup(ctx, locationID)
	if err != nil {
		return out, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestRead)
	defer cancel()
	found := make([]choice, len(lists))
	var wait sync.WaitGroup
	for i, list := range lists {
		wait.Go(func() {
			found[i] = d.choice(choiceKey{locationID, list}, again, func() (c choice) {
				c.fields, c.options, c.err = readList(ctx, conn, locationID, list)
				return c
			})
		})
	}
	wait.Wait()
	for i, list := range lists {
		c := found[i]
		if c.err != nil {
			out.Failed[list] = c.err
			continue
		}
		if out.ReadAt.IsZero() || c.at.Before(out.ReadAt) {
			out.ReadAt = c.at
		}
		out.Options[list] = c.options
		if list == CustomFields {
			out.Fields = c.fields
		}
	}
	return out, nil
}

// choice returns what is kept, or reads and keeps it.
func (d *Desk) choice(key choiceKey, again bool, read func() choice) choice {
	d.choices.mu.Lock()
	c, ok := d.choices.kept[key]
	d.choices.mu.Unlock()
	age := d.Now().Sub(c.at)
	if ok && !again && (age < failureHold || age < choicesHold && c.err == nil) {
		return c
	}
	c = read()
	c.at = d.Now()
	d.choices.mu.Lock()
	defer d.choices.mu.Unlock()
	if d.choices.kept == nil || len(d.choices.kept) >= mostChoices {
		d.choices.kept = map[choiceKey]choice{}
	}
	d.choices.kept[key] = c
	return c
}

func readList(ctx context.Context, conn *connection.Connection, locationID, list string) (fields []highlevel.CustomField, options []catalog.Option, err error) {
	switch list {
	case CustomFields:
		fields, err = conn.HighLevel.CustomFieldsOf(ctx, locationID, highlevel.AllModels)
		order.By(fields, func(a, b highlevel.CustomField) int { return byName(a.Name, b.Name) })
		return fields, nil, err
	case Users:
		users, err := conn.HighLevel.Users(ctx, locationID)
		for _, u := range users {
			options = append(options, catalog.Option{ID: u.ID, Name: u.Name})
		}
		return nil, byNames(options), err
	case MeetingTypes:
		types, err := conn.CalendarHero.MeetingTypes(ctx)
		for _, t := range types {
			options = append(options, catalog.Option{ID: t.Name, Name: t.Name})
		}
		return nil, byNames(options), err
	}
	entry, ok := catalog.Find(list)
	if !ok {
		return nil, nil, fmt.Errorf("the catalogue has no %s", list)
	}
	var answer []byte
	if entry.Vendor == catalog.HighLevel {
		answer, err = conn.HighLevel.Call(ctx, entry, locationID, nil)
	} else {
		answer, err = conn.CalendarHero.Call(ctx, entry, nil)
	}
	if err != nil {
		return nil, nil, err
	}
	if options, err = catalog.Options(answer); err != nil {
		return nil, nil, fmt.Errorf("read what %s lists: %w", list, err)
	}
	return nil, byNames(options), nil
}

func byNames(list []catalog.Option) []catalog.Option {
	order.By(list, func(a, b catalog.Option) int { return byName(a.Name, b.Name) })
	return list
}

func byName(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) }

// Example are the fields of a contact as automations see them, by key. It reads the
// contact in HighLevel, unless it did of late.
func (d *Desk) Example(ctx context.Context, locationID, contactID string, again bool) (map[string]any, error) {
	conn, err := d.Connections.Lookup(ctx, locationID)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestRead)
	defer cancel()
	known, err := d.Choices(ctx, locationID, []string{CustomFields}, false)
	if err != nil {
		return nil, err
	}
	c := d.choice(exampleKey(locationID, contactID), again, func() (c choice) {
		contact, err := conn.HighLevel.Contact(ctx, contactID)
		if c.err = err; err == nil {
			c.example = values(facts.Contact(contact, known.Fields))
		}
		return c
	})
	return c.example, c.err
}

func exampleKey(locationID, contactID string) choiceKey {
	return choiceKey{locationID, "contact " + contactID}
}

// forget drops the values of a contact.
func (c *choices) forget(locationID, contactID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.kept, exampleKey(locationID, contactID))
}

// values are the fields of a contact that have a value.
func values(c mapping.Contact) map[string]any {
	all := maps.Clone(c.Fields)
	for key, f := range c.Custom {
		all[key] = f.Value
	}
	if len(c.Tags) > 0 {
		all["tags"] = c.Tags
	}
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil || v == "" })
	return all
}

// PreviewText says what a text of an automation that is not saved would do with a record.
// It sends nothing.
func (d *Desk) PreviewText(ctx context.Context, text string, of automation.Target) (*automation.Preview, error) {
	return d.Automations.PreviewText(ctx, d.Rehearsals, text, of)
}
