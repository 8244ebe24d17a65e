// Reads a calendar from stdin and prints its components as JSON, times as instants.
import { readFileSync } from "node:fs";
import ICAL from "ical.js";

const calendar = new ICAL.Component(ICAL.parse(readFileSync(0, "utf8")));
const instant = (c, name) => {
  const v = c.getFirstPropertyValue(name);
  if (!v) return "";
  return v.isDate ? v.toString() : new Date(v.toUnixTime() * 1000).toISOString().replace(".000", "");
};
const out = [];
for (const kind of ["vevent", "vtodo", "vjournal"]) {
  for (const c of calendar.getAllSubcomponents(kind)) {
    const text = (name) => c.getFirstPropertyValue(name) ?? "";
    out.push({
      kind: kind.toUpperCase(), uid: text("uid"), status: text("status"), sequence: text("sequence") || 0,
      start: instant(c, "dtstart"), end: instant(c, kind === "vtodo" ? "due" : "dtend"), completed: instant(c, "completed"),
      summary: text("summary"), text: text("description"), location: text("location"),
      categories: c.getFirstProperty("categories")?.getValues() ?? [],
      alarms: c.getAllSubcomponents("valarm").map((a) => {
        const t = a.getFirstPropertyValue("trigger");
        return t.icaltype === "duration" ? t.toString() : new Date(t.toUnixTime() * 1000).toISOString().replace(".000", "");
      }),
    });
  }
}
console.log(JSON.stringify(out));
