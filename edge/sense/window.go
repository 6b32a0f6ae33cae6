package sense

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Window is what has gathered of one value of one sensor and is not told yet, for whoever keeps it over
// a crash: the readings in it need not come again then.
type Window struct {
	Sensor string    `json:"sensor"`
	Value  string    `json:"value"`
	From   time.Time `json:"from"`
	Last   time.Time `json:"last"`
	Least  float64   `json:"least"`
	Most   float64   `json:"most"`
	Mean   float64   `json:"mean"`
	Count  int       `json:"count"` // 0: it was told
}

// Changed are the windows that readings or their end have changed since the last call.
func (r *Rules) Changed() []Window {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := make([]Window, 0, len(r.changed))
	for p := range r.changed {
		w := Window{Sensor: p.sensor, Value: p.value}
		if v := r.values[p]; v != nil {
			w.From, w.Last, w.Least, w.Most, w.Mean, w.Count = v.from, v.last, v.least, v.most, v.mean, v.count
		}
		changed = append(changed, w)
	}
	clear(r.changed)
	slices.SortFunc(changed, func(a, b Window) int {
		return cmp.Or(strings.Compare(a.Sensor, b.Sensor), strings.Compare(a.Value, b.Value))
	})
	return changed
}

// Resume takes up windows of before a crash. Where no rule gathers them any more they are told at once.
func (r *Rules) Resume(kept []Window, at time.Time) []Finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []Finding
	for _, w := range kept {
		if w.Count <= 0 {
			continue
		}
		p := place{w.Sensor, w.Value}
		v := &value{from: w.From, last: w.Last, least: w.Least, most: w.Most, mean: w.Mean, count: w.Count}
		if v.rule = r.ruleFor(w.Sensor, w.Value); v.rule != nil && v.rule.Window > 0 && len(r.values) < maxValues {
			r.values[p] = v
			continue
		}
		if v.rule == nil {
			v.rule = &Rule{}
		}
		t := telling{sensor: w.Sensor, at: at}
		v.closeWindow(&t, w.Value)
		r.changed[p] = struct{}{}
		found = append(found, t.findings()...)
	}
	return found
}
