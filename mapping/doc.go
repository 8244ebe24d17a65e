// Package mapping decides which items should exist: in CalendarHero for a
// HighLevel record, and in HighLevel for a CalendarHero meeting or contact. It
// reads automations (a trigger, conditions, and actions with field templates) and
// turns records into items.
//
// Guarantee: the same automations and the same facts always give the same plan.
//
// It knows no clock, no network, no store and no vendor client.
package mapping
