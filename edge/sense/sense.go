// Package sense makes of what sensors say what is worth telling: values that moved, or a window's
// least, mean and greatest, alerts at limits, and captures that an alert asks for. It is pure: what
// it gives follows from the readings and their times alone. docs/ladder.md shows rules in use.
package sense

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"cloudcanvas/shared/event"
)

// Alert is the data of an item of kind alert from a sensor: a limit was reached, or left again.
type Alert struct {
	Sensor  string    `json:"sensor"`
	Value   string    `json:"value"`   // which of the sensor's values
	Side    string    `json:"side"`    // above, below or rate
	State   string    `json:"state"`   // begin or end
	Reading float64   `json:"reading"` // that did it; of rate, units a second
	Limit   float64   `json:"limit"`
	Time    time.Time `json:"time"`
}

// Sides and states of an alert.
const (
	Above = "above"
	Below = "below"
	Rate  = "rate"
	Begin = "begin"
	End   = "end"
)

// Finding is something to tell: a reading or an alert.
type Finding struct {
	Sensor  string
	Reading *event.ReadingData
	Newest  string   // of a reading of which only the newest counts: what it replaces is named alike
	Alert   *Alert   // nil for a reading
	Capture []string // sources that an alert wants a picture of
}

// Rules watches sensors by the rules of the configuration. Safe for concurrent use.
type Rules struct {
	rules []Rule

	mu      sync.Mutex
	values  map[place]*value
	changed map[place]struct{} // whose windows are other than Changed said
}

// place is one value of one sensor.
type place struct{ sensor, value string }

// maxValues bounds what is remembered, since names come from outside. Values beyond are told as
// they come.
const maxValues = 65_536

// New makes the watch.
func New(rules []Rule) *Rules {
	return &Rules{rules: rules, values: map[place]*value{}, changed: map[place]struct{}{}}
}

// Take takes a reading. What no rule speaks of is told as it is.
func (r *Rules) Take(sensor string, at time.Time, values map[string]float64) []Finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := telling{sensor: sensor, at: at}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v := values[name]
		if v-v != 0 { // not a number, or infinite: who read the message has counted it
			continue
		}
		rule := r.ruleFor(sensor, name)
		state := r.values[place{sensor, name}]
		if state == nil && rule != nil && len(r.values) < maxValues {
			state = &value{rule: rule}
			r.values[place{sensor, name}] = state
		}
		if state == nil {
			t.put("", time.Time{}, at, name, v)
			continue
		}
		if rule.Window > 0 {
			r.changed[place{sensor, name}] = struct{}{}
		}
		state.take(&t, name, v)
	}
	return t.findings()
}

// Due tells of windows that have ended by then without another reading.
func (r *Rules) Due(at time.Time) []Finding { return r.close(at, false) }

// Close tells of all windows, ended or not.
func (r *Rules) Close(at time.Time) []Finding { return r.close(at, true) }

func (r *Rules) close(at time.Time, all bool) []Finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	bySensor := map[string]*telling{}
	for _, p := range slices.SortedFunc(maps.Keys(r.values), func(a, b place) int {
		return cmp.Or(strings.Compare(a.sensor, b.sensor), strings.Compare(a.value, b.value))
	}) {
		v := r.values[p]
		if v.count == 0 || !all && at.Sub(v.from) < v.rule.Window {
			continue
		}
		t := bySensor[p.sensor]
		if t == nil {
			t = &telling{sensor: p.sensor, at: at}
			bySensor[p.sensor] = t
		}
		v.closeWindow(t, p.value)
		r.changed[p] = struct{}{}
	}
	var found []Finding
	for _, sensor := range slices.Sorted(maps.Keys(bySensor)) {
		found = append(found, bySensor[sensor].findings()...)
	}
	return found
}

// telling gathers what is told of one sensor at once: values under one rule are one reading.
type telling struct {
	sensor   string
	at       time.Time
	readings []Finding
	alerts   []Finding
}

// put tells a value of that time; newest groups those of which only the newest counts, from is a
// window's begin.
func (t *telling) put(newest string, from, at time.Time, name string, v float64) {
	i := slices.IndexFunc(t.readings, func(f Finding) bool { return f.Newest == newest && f.Reading.From.Equal(from) })
	if i < 0 {
		i = len(t.readings)
		t.readings = append(t.readings, Finding{Sensor: t.sensor, Newest: newest,
			Reading: &event.ReadingData{Sensor: t.sensor, Time: at.UTC(), From: from, Values: map[string]float64{}}})
	}
	t.readings[i].Reading.Values[name] = v
}

func (t *telling) alert(a Alert, capture []string) {
	a.Sensor, a.Time = t.sensor, t.at.UTC()
	if a.State == End {
		capture = nil
	}
	t.alerts = append(t.alerts, Finding{Sensor: t.sensor, Alert: &a, Capture: capture})
}

// findings are the alerts, and then the readings.
func (t *telling) findings() []Finding { return append(t.alerts, t.readings...) }
