// Package meeting holds the rules of CalendarHero's meetings: what its lists say
// about a meeting request, whose change wins if both sides changed, and what to do
// with the request of an event or task.
//
// It is pure: the same arguments give the same result. It calls no vendor, reads no
// clock and writes nothing. docs/meetings.md has the states for users.
package meeting
