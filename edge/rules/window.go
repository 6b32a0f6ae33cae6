package rules

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Window is what has gathered of one value of one sensor and is not reported yet, for whoever keeps it over
// a crash: the readings in it need not come again then.
type Window struct {
	Sensor string    `json:"sensor"`
	Value  string    `json:"value"`
	From   time.Time `json:"from"`
	Last   time.Time `json:"last"`
	Least  float64   `json:"least"`
	Most   float64   `json:"most"`
	Mean   float64   `json:"mean"`
	Count  int       `json:"count"` // 0: it was reported
}

// Changed are the windows that readings or their end have changed since the last call.
func (s *Set) Changed() []Window {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := make([]Window, 0, len(s.changed))
	for p := range s.changed {
		w := Window{Sensor: p.sensor, Value: p.value}
		if v := s.values[p]; v != nil {
			w.From, w.Last, w.Least, w.Most, w.Mean, w.Count = v.from, v.last, v.least, v.most, v.mean, v.count
		}
		changed = append(changed, w)
	}
	clear(s.changed)
	slices.SortFunc(changed, func(a, b Window) int {
		return cmp.Or(strings.Compare(a.Sensor, b.Sensor), strings.Compare(a.Value, b.Value))
	})
	return changed
}

// Resume takes up windows of before a crash. Where no rule gathers them any more they are reported at once.
func (s *Set) Resume(kept []Window, at time.Time) []Output {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Output
	for _, w := range kept {
		if w.Count <= 0 {
			continue
		}
		p := valueKey{w.Sensor, w.Value}
		v := &value{from: w.From, last: w.Last, least: w.Least, most: w.Most, mean: w.Mean, count: w.Count}
		if v.rule = s.ruleFor(w.Sensor, w.Value); v.rule != nil && v.rule.Window > 0 && len(s.values) < maxValues {
			s.values[p] = v
			continue
		}
		if v.rule == nil {
			v.rule = &Rule{}
		}
		t := report{sensor: w.Sensor, at: at}
		v.closeWindow(&t, w.Value)
		s.changed[p] = struct{}{}
		found = append(found, t.outputs()...)
	}
	return found
}
