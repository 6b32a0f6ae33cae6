// Package rules makes of what sensors say what is worth reporting: values that moved, or a window's
// least, mean and greatest, alerts at limits, and captures that an alert asks for. It is pure: what
// it gives follows from the readings and their times alone. docs/ladder.md shows rules in use.
package rules

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

// Output is what the rules make of readings: a reading or an alert.
type Output struct {
	Sensor  string
	Reading *event.ReadingData
	Newest  string   // of a reading of which only the newest counts: what it replaces is named alike
	Alert   *Alert   // nil for a reading
	Capture []string // sources that an alert wants a picture of
}

// Set watches sensors by the rules of the configuration. Safe for concurrent use.
type Set struct {
	rules []Rule

	mu      sync.Mutex
	values  map[valueKey]*value
	changed map[valueKey]struct{} // whose windows are other than Changed said
}

// valueKey is one value of one sensor.
type valueKey struct{ sensor, value string }

// maxValues bounds what is remembered, since names come from outside. Values beyond are reported as
// they come.
const maxValues = 65_536

// New makes the set of these rules.
func New(rules []Rule) *Set {
	return &Set{rules: rules, values: map[valueKey]*value{}, changed: map[valueKey]struct{}{}}
}

// Take takes a reading. What no rule speaks of is reported as it is.
func (s *Set) Take(sensor string, at time.Time, values map[string]float64) []Output {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := report{sensor: sensor, at: at}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v := values[name]
		if v-v != 0 { // not a number, or infinite: it was counted when the message was read
			continue
		}
		rule := s.ruleFor(sensor, name)
		state := s.values[valueKey{sensor, name}]
		if state == nil && rule != nil && len(s.values) < maxValues {
			state = &value{rule: rule}
			s.values[valueKey{sensor, name}] = state
		}
		if state == nil {
			t.put("", time.Time{}, at, name, v)
			continue
		}
		if rule.Window > 0 {
			s.changed[valueKey{sensor, name}] = struct{}{}
		}
		state.take(&t, name, v)
	}
	return t.outputs()
}

// Due reports windows that have ended by then without another reading.
func (s *Set) Due(at time.Time) []Output { return s.close(at, false) }

// Close reports all windows, ended or not.
func (s *Set) Close(at time.Time) []Output { return s.close(at, true) }

func (s *Set) close(at time.Time, all bool) []Output {
	s.mu.Lock()
	defer s.mu.Unlock()
	bySensor := map[string]*report{}
	for _, p := range slices.SortedFunc(maps.Keys(s.values), func(a, b valueKey) int {
		return cmp.Or(strings.Compare(a.sensor, b.sensor), strings.Compare(a.value, b.value))
	}) {
		v := s.values[p]
		if v.count == 0 || !all && at.Sub(v.from) < v.rule.Window {
			continue
		}
		t := bySensor[p.sensor]
		if t == nil {
			t = &report{sensor: p.sensor, at: at}
			bySensor[p.sensor] = t
		}
		v.closeWindow(t, p.value)
		s.changed[p] = struct{}{}
	}
	var found []Output
	for _, sensor := range slices.Sorted(maps.Keys(bySensor)) {
		found = append(found, bySensor[sensor].outputs()...)
	}
	return found
}

// report gathers what is reported of one sensor at once: values under one rule are one reading.
type report struct {
	sensor   string
	at       time.Time
	readings []Output
	alerts   []Output
}

// put reports a value of that time; newest groups those of which only the newest counts, from is a
// window's begin.
func (t *report) put(newest string, from, at time.Time, name string, v float64) {
	i := slices.IndexFunc(t.readings, func(f Output) bool { return f.Newest == newest && f.Reading.From.Equal(from) })
	if i < 0 {
		i = len(t.readings)
		t.readings = append(t.readings, Output{Sensor: t.sensor, Newest: newest,
			Reading: &event.ReadingData{Sensor: t.sensor, Time: at.UTC(), From: from, Values: map[string]float64{}}})
	}
	t.readings[i].Reading.Values[name] = v
}

func (t *report) alert(a Alert, capture []string) {
	a.Sensor, a.Time = t.sensor, t.at.UTC()
	if a.State == End {
		capture = nil
	}
	t.alerts = append(t.alerts, Output{Sensor: t.sensor, Alert: &a, Capture: capture})
}

// outputs are the alerts, and then the readings.
func (t *report) outputs() []Output { return append(t.alerts, t.readings...) }
