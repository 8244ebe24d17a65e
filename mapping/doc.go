// Package mapping decides what should exist for a HighLevel record, and in
// HighLevel for a meeting or a contact of CalendarHero: it reads automations (a
// trigger, conditions, and actions with field templates) and turns records into
// items. It is pure: the same automations and the same facts always give the same
// plan. It knows no clock, no network and no vendor client.
package mapping
