// Package contact knows when the link may be used: from a list of windows, from a plan that is the
// same every day, or from a satellite's orbit and a ground station. Without any of them the link may
// be used whenever it is there.
package contact

import (
	"slices"
	"time"
)

// Window is a time in which the link may be used: From ≤ t < To, in UTC.
type Window struct {
	From           time.Time `json:"from"`
	To             time.Time `json:"to"`
	BytesPerSecond float64   `json:"bytes_per_second,omitempty"` // what the link is expected to carry; 0: not known
	Elevation      float64   `json:"elevation,omitempty"`        // of a satellite at its highest, in degrees
}

// Holds says whether t lies in the window.
func (w Window) Holds(t time.Time) bool { return !t.Before(w.From) && t.Before(w.To) }

// Plan gives the windows that overlap [from, to), ascending and apart from each other, each whole.
type Plan interface {
	Windows(from, to time.Time) []Window
}

// Calendar answers for the present from a plan, which it reads a day at a time. One caller only.
type Calendar struct {
	plan    Plan
	since   time.Time // the windows from then …
	until   time.Time // … to then are known
	windows []Window
}

// NewCalendar reads from plan; nil: the link may always be used.
func NewCalendar(plan Plan) *Calendar { return &Calendar{plan: plan} }

const (
	chunk = 24 * time.Hour
	kept  = 24 * time.Hour      // past windows that people may ask for
	ahead = 30 * 24 * time.Hour // then a plan without a window counts as one without an end
)

// At is the window that holds t, or with open false the next one; a zero one where none comes within
// a month. Without a plan it is always open, with a zero window.
func (c *Calendar) At(t time.Time) (w Window, open bool) {
	if c.plan == nil {
		return Window{}, true
	}
	if t.Before(c.since) || t.After(c.until.Add(chunk)) { // the first call, or a clock that was set
		c.since, c.until, c.windows = t.Add(-kept), t.Add(-kept), nil
	}
	for {
		for _, w := range c.windows {
			if t.Before(w.To) {
				return w, w.Holds(t)
			}
		}
		if !c.until.Before(t.Add(ahead)) {
			return Window{}, false
		}
		c.read(t)
	}
}

// read adds the windows of one more day, and lets those go that are long past.
func (c *Calendar) read(t time.Time) {
	for _, w := range c.plan.Windows(c.until, c.until.Add(chunk)) {
		if len(c.windows) == 0 || !w.From.Before(c.windows[len(c.windows)-1].To) {
			c.windows = append(c.windows, w)
		}
	}
	c.until = c.until.Add(chunk)
	if long := t.Add(-kept); long.After(c.since) {
		c.since = long
		c.windows = slices.DeleteFunc(c.windows, func(w Window) bool { return w.To.Before(long) })
	}
}

// Around are the windows of the day before t, and those that begin until a day after it.
func (c *Calendar) Around(t time.Time) (past, coming []Window) {
	if c.plan == nil {
		return nil, nil
	}
	c.At(t)
	for c.until.Before(t.Add(chunk)) {
		c.read(t)
	}
	for _, w := range c.windows {
		switch {
		case !t.Before(w.To):
			past = append(past, w)
		case w.From.Before(t.Add(chunk)):
			coming = append(coming, w)
		}
	}
	return past, coming
}
