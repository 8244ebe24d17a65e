// Package meeting holds the rules of CalendarHero's meetings: what its lists say
// about a meeting request, whose change wins if both sides changed, and what to do
// with the request of an event or task.
//
// Guarantee: it is pure, so the same arguments give the same result. It must not know
// vendors, the clock or the database. docs/meetings.md has the states for users.
package meeting
