package contact

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// List is a plan of given windows.
type List []Window

func newList(entries []Entry) (List, error) {
	var l List
	for _, e := range entries {
		w, _, err := e.window()
		if err != nil {
			return nil, fmt.Errorf("contact window: %w", err)
		}
		l = append(l, w)
	}
	slices.SortFunc(l, func(a, b Window) int { return a.From.Compare(b.From) })
	return l, nil
}

// ParseList makes a plan of entries and checks it like a configuration of them, past windows aside.
func ParseList(entries []Entry) (List, error) {
	var first error
	Config{List: entries}.listProblems(time.Time{}, func(field, message, hint string) {
		if first == nil {
			first = fmt.Errorf("%s %s: %s", field, message, hint)
		}
	})
	if first != nil {
		return nil, first
	}
	return newList(entries)
}

// Windows are those that overlap [from, to).
func (l List) Windows(from, to time.Time) []Window {
	begin, _ := slices.BinarySearchFunc(l, from, func(w Window, t time.Time) int {
		if w.To.After(t) {
			return 1
		}
		return -1
	})
	end := begin
	for end < len(l) && l[end].From.Before(to) {
		end++
	}
	return slices.Clone(l[begin:end])
}

func (e Entry) window() (w Window, field string, err error) {
	if w.From, err = time.Parse(time.RFC3339, e.From); err != nil {
		return w, "from", fmt.Errorf("%q is no time", e.From)
	}
	if w.To, err = time.Parse(time.RFC3339, e.To); err != nil {
		return w, "to", fmt.Errorf("%q is no time", e.To)
	}
	w.From, w.To, w.BytesPerSecond = w.From.UTC(), w.To.UTC(), e.BytesPerSecond
	return w, "", nil
}

// daily is a window of every day: so long after midnight UTC, for so long.
type daily struct {
	from, length   time.Duration
	bytesPerSecond float64
}

// dailyPlan is a plan that is the same every day, ascending by from.
type dailyPlan []daily

const day = 24 * time.Hour

func newDaily(entries []Daily) (dailyPlan, error) {
	var p dailyPlan
	for _, e := range entries {
		d, _, err := e.parse()
		if err != nil {
			return nil, fmt.Errorf("daily contact window: %w", err)
		}
		p = append(p, d)
	}
	slices.SortFunc(p, func(a, b daily) int { return cmp.Compare(a.from, b.from) })
	return p, nil
}

func (d Daily) parse() (w daily, field string, err error) {
	from, err := time.Parse("15:04", d.From)
	if err != nil {
		return w, "from", fmt.Errorf("%q is no time of day", d.From)
	}
	to, err := time.Parse("15:04", d.To)
	if err != nil {
		return w, "to", fmt.Errorf("%q is no time of day", d.To)
	}
	w.from = time.Duration(from.Hour())*time.Hour + time.Duration(from.Minute())*time.Minute
	if w.length = to.Sub(from); w.length <= 0 {
		w.length += day
	}
	w.bytesPerSecond = d.BytesPerSecond
	return w, "", nil
}

// overlaps says whether two windows of the day meet, also over midnight.
func (d daily) overlaps(o daily) bool {
	for _, shift := range []time.Duration{-day, 0, day} {
		if d.from < o.from+shift+o.length && o.from+shift < d.from+d.length {
			return true
		}
	}
	return false
}

func (p dailyPlan) Windows(from, to time.Time) []Window {
	var windows []Window
	for midnight := from.UTC().Truncate(day).Add(-day); midnight.Before(to); midnight = midnight.Add(day) {
		for _, d := range p {
			w := Window{From: midnight.Add(d.from), To: midnight.Add(d.from + d.length), BytesPerSecond: d.bytesPerSecond}
			if w.To.After(from) && w.From.Before(to) {
				windows = append(windows, w)
			}
		}
	}
	return windows
}
