package console

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"milepost/internal/operate"
	"milepost/internal/store"
)

// chart is a bar for each hour, stacked by how its deliveries ended.
type chart struct {
	Bars          []bar
	Width, Height int
	Top           int64 // the most of an hour
	Start         time.Time
}

type bar struct {
	X, Width int
	Parts    []part
	At       time.Time
	Hour     operate.Hour
	Link     string
}

// part is a piece of a bar or of a line.
type part struct {
	X, Y, Width, Height int
	Tone                string
}

const (
	barWidth    = 20
	barHeight   = 96
	smallestBar = 2 // of a count that is not 0
)

func newChart(o operate.Overview) chart {
	c := chart{Width: operate.Hours * barWidth, Height: barHeight, Start: o.Start}
	for _, h := range o.Hours {
		c.Top = max(c.Top, h.All())
	}
	for i, h := range o.Hours {
		at := o.Start.Add(time.Duration(i) * time.Hour)
		b := bar{X: i*barWidth + 2, Width: barWidth - 4, At: at, Hour: h, Link: Path + "deliveries?" + url.Values{
			"since": {at.Format(time.RFC3339)}, "until": {at.Add(time.Hour).Format(time.RFC3339)},
		}.Encode()}
		y := barHeight
		for _, p := range []struct {
			n    int64
			tone string
		}{{h.Done, "good"}, {h.Other, "calm"}, {h.Open, "wait"}, {h.Failed, "bad"}} {
			if p.n == 0 {
				continue
			}
			height := max(smallestBar, int(p.n*int64(barHeight-4*smallestBar)/c.Top))
			y -= height
			b.Parts = append(b.Parts, part{X: b.X, Y: y, Width: b.Width, Height: height, Tone: p.tone})
		}
		c.Bars = append(c.Bars, b)
	}
	return c
}

// timing is a line from the arrival of a delivery to its end, with its waits.
type timing struct {
	Parts         []part
	Width, Height int
	Steps         []step
	Total         string
	Open          bool // it has not ended
}

// step is a moment of it in words.
type step struct {
	At    time.Time
	After string // how long after the arrival; "" = the page shows the time
	Name  string
	For   string // how long it took from there
	Why   string // may quote the record
	Tone  string
}

const timingWidth = 600

func newTiming(d operate.Delivery, now time.Time) timing {
	end, open := d.FinishedAt, false
	if end.IsZero() {
		end, open = now, true
	}
	if end.Before(d.ReceivedAt) { // the clock was put back
		end = d.ReceivedAt
	}
	total := end.Sub(d.ReceivedAt)
	t := timing{Width: timingWidth, Height: 14, Open: open, Total: took(total)}
	x := func(at time.Time) int {
		if total <= 0 {
			return 0
		}
		return int(timingWidth * min(max(at.Sub(d.ReceivedAt), 0), total) / total)
	}
	t.Parts = append(t.Parts, part{Width: timingWidth, Height: t.Height, Tone: "work"})
	t.Steps = append(t.Steps, step{At: d.ReceivedAt, Name: "Received and stored"})
	t.calls(d.Made.Calls, x)
	for i, w := range d.Waits {
		until := w.Until
		if i+1 < len(d.Waits) && d.Waits[i+1].Began.Before(until) {
			until = d.Waits[i+1].Began
		}
		if until.After(end) && !open {
			until = end
		}
		from := x(w.Began)
		t.Parts = append(t.Parts, part{X: from, Width: max(2, x(until)-from), Height: t.Height, Tone: outcomeTone(w.Outcome)})
		name := waitName(w)
		if w.Tries > 1 {
			name += ", " + plural(w.Tries, "time", "times")
		}
		t.Steps = append(t.Steps, step{At: w.Began, Name: name, For: took(until.Sub(w.Began)), Why: w.Detail, Tone: outcomeTone(w.Outcome)})
	}
	slices.SortStableFunc(t.Steps, func(a, b step) int { return a.At.Compare(b.At) })
	if !open {
		t.Steps = append(t.Steps, step{At: end, Name: operate.OutcomeName(d.Outcome), Tone: outcomeTone(d.Outcome)})
	}
	for i := range t.Steps[1:] {
		t.Steps[i+1].After = took(t.Steps[i+1].At.Sub(d.ReceivedAt))
	}
	if open {
		if next := d.State.NextTry; next.After(now) {
			t.Steps = append(t.Steps, step{At: next, Name: "Next try", Tone: "wait"})
		}
	}
	return t
}

// calls adds the calls to the line: those that read, those that write, and the waits of
// both for a turn. Those of each vendor that follow each other are one step.
func (t *timing) calls(list []store.SyncCall, x func(time.Time) int) {
	mark := func(from time.Time, length time.Duration, tone string) {
		t.Parts = append(t.Parts, part{X: x(from), Width: max(2, x(from.Add(length))-x(from)), Height: t.Height, Tone: tone})
	}
	for i := 0; i < len(list); {
		first, n := list[i], 0
		var lasted, queued time.Duration
		for ; i < len(list) && list[i].API == first.API && list[i].Writes == first.Writes; i++ {
			n, lasted, queued = n+1, lasted+list[i].Took, queued+list[i].Queued
			mark(list[i].Began.Add(list[i].Queued), list[i].Took-list[i].Queued, callTone(first))
			if list[i].Queued >= shownWait {
				mark(list[i].Began, list[i].Queued, "wait")
			}
		}
		name := "Read from " + first.API
		if first.Writes {
			name = "Wrote to " + first.API
		}
		name += ", " + plural(int64(n), "call", "calls")
		if queued >= shownWait {
			name += ", " + took(queued) + " of it waiting for a turn under the rate limit"
		}
		t.Steps = append(t.Steps, step{At: first.Began, Name: name, For: took(lasted), Tone: callTone(first)})
	}
}

// shownWait is how long a call has to wait for its turn before the page says so.
const shownWait = 50 * time.Millisecond

func callTone(c store.SyncCall) string {
	if c.Writes {
		return "write"
	}
	return "read"
}

func waitName(w store.Wait) string {
	switch w.Outcome {
	case store.Waiting:
		if strings.Contains(w.Detail, "429") || strings.Contains(w.Detail, "rate limit") || strings.Contains(w.Detail, "asked to wait") {
			return "Waited for a rate limit"
		}
		return "Waited for an answer to settle"
	case store.Auth:
		return "Waited for a token that works"
	case store.Retry:
		return "A call failed, waited before the next try"
	}
	return "Waited"
}
