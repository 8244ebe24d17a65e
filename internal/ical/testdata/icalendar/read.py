"""Reads a calendar from stdin and prints its components as JSON, times as instants."""
import datetime
import json
import sys

import icalendar


def instant(value):
    if value is None:
        return ""
    if not isinstance(value.dt, datetime.datetime):
        return value.dt.isoformat()
    return value.dt.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def trigger(alarm):
    t = alarm["TRIGGER"]
    return t.to_ical().decode() if isinstance(t.dt, datetime.timedelta) else instant(t)


out = []
for c in icalendar.Calendar.from_ical(sys.stdin.buffer.read()).walk():
    if c.name not in ("VEVENT", "VTODO", "VJOURNAL"):
        continue
    text = lambda name: str(c.get(name, ""))
    categories = c.get("CATEGORIES")
    out.append({
        "kind": c.name, "uid": text("UID"), "status": text("STATUS"), "sequence": int(c.get("SEQUENCE", 0)),
        "start": instant(c.get("DTSTART")), "end": instant(c.get("DUE" if c.name == "VTODO" else "DTEND")), "completed": instant(c.get("COMPLETED")),
        "summary": text("SUMMARY"), "text": text("DESCRIPTION"), "location": text("LOCATION"),
        "categories": [str(x) for x in categories.cats] if categories else [],
        "alarms": [trigger(a) for a in c.walk("VALARM")],
    })
print(json.dumps(out))
