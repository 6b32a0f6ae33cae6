package contact

import (
	"fmt"
	"slices"
	"time"
)

// Config says when the link may be used. At most one of List, Daily and Orbit is given.
type Config struct {
	List  []Entry `yaml:"list" desc:"windows one by one"`
	Daily []Daily `yaml:"daily" desc:"windows of every day, in UTC"`
	Orbit Orbit   `yaml:"orbit" desc:"the passes of a satellite over a ground station"`
}

// Entry is one window of a list.
type Entry struct {
	From           string  `yaml:"from" json:"from" desc:"its begin: 2026-03-01T10:00:00Z"`
	To             string  `yaml:"to" json:"to" desc:"its end, after from"`
	BytesPerSecond float64 `yaml:"bytes_per_second" json:"bytes_per_second,omitempty" desc:"bytes a second expected; 0: not known" range:"0.."`
}

// Daily is a window of every day, in UTC. One whose To is not after its From ends on the next day.
type Daily struct {
	From           string  `yaml:"from" desc:"its begin: \"02:00\""`
	To             string  `yaml:"to" desc:"its end: \"04:30\"; one that is not after from is of the next day"`
	BytesPerSecond float64 `yaml:"bytes_per_second" desc:"bytes a second expected; 0: not known" range:"0.."`
}

// DefaultConfig uses the link whenever it is there.
func DefaultConfig() Config { return Config{Orbit: DefaultOrbit()} }

// Problems lists every mistake in c, as it stands at now.
func (c Config) Problems(now time.Time, add func(field, message, hint string)) {
	given := 0
	for _, there := range []bool{len(c.List) > 0, len(c.Daily) > 0, c.Orbit.given()} {
		if there {
			given++
		}
	}
	if given > 1 {
		add("", "more than one of list, daily and orbit is given", "keep one of them")
	}
	c.listProblems(now, add)
	c.dailyProblems(add)
	if c.Orbit.given() {
		c.Orbit.Problems(now, func(field, message, hint string) { add("orbit."+field, message, hint) })
	}
}

func (c Config) listProblems(now time.Time, add func(field, message, hint string)) {
	windows := make([]Window, 0, len(c.List))
	for i, e := range c.List {
		at := fmt.Sprintf("list.%d", i)
		w, field, err := e.window()
		switch {
		case err != nil:
			add(at+"."+field, err.Error(), "write times as 2026-03-01T10:00:00Z")
			continue
		case !w.From.Before(w.To):
			add(at, fmt.Sprintf("ends at %s, which is not after its beginning", e.To), "a window runs forward: from before to")
			continue
		}
		rateProblem(at, e.BytesPerSecond, add)
		for j, other := range windows {
			if w.From.Before(other.To) && other.From.Before(w.To) {
				add(at, fmt.Sprintf("overlaps the window of %s to %s", c.List[j].From, c.List[j].To), "join the two, or let one end where the other begins")
				break
			}
		}
		windows = append(windows, w)
	}
	if len(windows) > 0 && len(windows) == len(c.List) && !slices.ContainsFunc(windows, func(w Window) bool { return w.To.After(now) }) {
		add("list", "every window is past: nothing would ever be sent", "add windows to come, or remove the list to send whenever there is a connection")
	}
}

func (c Config) dailyProblems(add func(field, message, hint string)) {
	var taken []daily
	for i, d := range c.Daily {
		at := fmt.Sprintf("daily.%d", i)
		w, field, err := d.parse()
		if err != nil {
			add(at+"."+field, err.Error(), "write times of day as 02:00, in UTC")
			continue
		}
		rateProblem(at, d.BytesPerSecond, add)
		if slices.ContainsFunc(taken, w.overlaps) {
			add(at, "overlaps another window of the day", "join the two, or let one end where the other begins")
		}
		taken = append(taken, w)
	}
}

func rateProblem(at string, rate float64, add func(field, message, hint string)) {
	if rate < 0 {
		add(at+".bytes_per_second", "is negative", "0 where it is not known")
	}
}

// New makes the plan that c asks for; nil: the link may always be used.
func New(c Config) (Plan, error) {
	switch {
	case len(c.List) > 0:
		return newList(c.List)
	case len(c.Daily) > 0:
		return newDaily(c.Daily)
	case c.Orbit.given():
		return NewOrbit(c.Orbit)
	}
	return nil, nil
}
