package rules

import (
	"math"
	"time"
)

// maxLate is how far behind the newest reading another may come and still be of its time. What lies
// further back is not late: the clock was set back, and time begins anew.
const maxLate = time.Minute

// leastInterval is the least time between readings that a rate is computed from.
const leastInterval = 10 * time.Millisecond

// value is what is remembered of one value of one sensor.
type value struct {
	rule *Rule

	seen bool
	at   time.Time // of the newest reading

	reported   float64 // last, and when
	reportedAt time.Time
	ever       bool

	rateFrom   float64 // the reading that the next rate is computed from, and when
	rateFromAt time.Time

	active map[string]bool // alerts by side

	from, last  time.Time // of the window
	least, most float64
	mean        float64
	count       int
}

// take reports what a reading is worth. One that is late counts in its window and is reported if it is out
// of the deadband, but alters no alert: newer ones have decided that.
func (v *value) take(t *report, name string, x float64) {
	behind := v.seen && t.at.Before(v.at)
	if behind && v.at.Sub(t.at) > maxLate {
		v.closeWindow(t, name)
		v.ever, v.rateFromAt, behind = false, time.Time{}, false
	}
	if !behind {
		v.seen, v.at = true, t.at
		v.watch(t, name, x)
	}
	if v.rule.Window > 0 {
		v.gather(t, name, x)
		return
	}
	if v.ever && math.Abs(x-v.reported) < v.rule.Deadband && (v.rule.Every <= 0 || t.at.Sub(v.reportedAt) < v.rule.Every) {
		return
	}
	t.put(v.rule.newest(), time.Time{}, t.at, name, x)
	if !behind {
		v.reported, v.reportedAt, v.ever = x, t.at, true
	}
}

// watch raises and ends alerts.
func (v *value) watch(t *report, name string, x float64) {
	if limit := v.rule.Above; limit != nil {
		v.limit(t, name, Above, x, *limit, x >= *limit, x < *limit-v.rule.Hysteresis)
	}
	if limit := v.rule.Below; limit != nil {
		v.limit(t, name, Below, x, *limit, x <= *limit, x > *limit+v.rule.Hysteresis)
	}
	if v.rule.Rate <= 0 {
		return
	}
	passed := t.at.Sub(v.rateFromAt)
	if !v.rateFromAt.IsZero() && passed < leastInterval {
		return
	}
	if !v.rateFromAt.IsZero() {
		rate := math.Abs(x/passed.Seconds() - v.rateFrom/passed.Seconds())
		rate = min(rate, math.MaxFloat64)
		v.limit(t, name, Rate, rate, v.rule.Rate, rate >= v.rule.Rate, rate < v.rule.Rate/2)
	}
	v.rateFrom, v.rateFromAt = x, t.at
}

func (v *value) limit(t *report, name, side string, x, limit float64, begins, ends bool) {
	a := Alert{Value: name, Side: side, Reading: x, Limit: limit}
	switch {
	case begins && !v.active[side]:
		a.State = Begin
	case ends && v.active[side]:
		a.State = End
	default:
		return
	}
	if v.active == nil {
		v.active = map[string]bool{}
	}
	v.active[side] = a.State == Begin
	t.alert(a, v.rule.Capture)
}

// gather adds a reading to the window, which it may end first.
func (v *value) gather(t *report, name string, x float64) {
	if v.count > 0 && t.at.Sub(v.from) >= v.rule.Window {
		v.closeWindow(t, name)
	}
	if v.count == 0 {
		v.from, v.last, v.least, v.most, v.mean = t.at, t.at, x, x, 0
	}
	v.count++
	if t.at.After(v.last) {
		v.last = t.at
	}
	v.least, v.most = min(v.least, x), max(v.most, x)
	n := float64(v.count)
	v.mean = v.mean*((n-1)/n) + x/n // no sum that could overflow
}

// closeWindow reports the window, if there is one.
func (v *value) closeWindow(t *report, name string) {
	if v.count == 0 {
		return
	}
	group := v.rule.newest()
	for part, x := range map[string]float64{"min": v.least, "mean": min(max(v.mean, v.least), v.most), "max": v.most, "count": float64(v.count)} {
		t.put(group, v.from.UTC(), v.last, name+"."+part, x)
	}
	v.count = 0
}
