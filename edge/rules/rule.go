package rules

import (
	"fmt"
	"path"
	"time"
)

// Rule says what is reported of some values of some sensors. The first rule that fits a value counts.
type Rule struct {
	Sensor string `yaml:"sensor"` // a name, or a pattern such as boiler-*
	Value  string `yaml:"value"`  // likewise; empty: all

	Deadband float64       `yaml:"deadband"` // told when it is so far from what was told last; 0: always
	Every    time.Duration `yaml:"every"`    // and at least so often, as long as readings come; 0: never for its own sake
	Window   time.Duration `yaml:"window"`   // instead of each: min, mean, max and count of so long; 0: none
	Newest   bool          `yaml:"newest"`   // what still waits when a newer one comes is not sent

	Above      *float64 `yaml:"above"`      // alert from here on
	Below      *float64 `yaml:"below"`      // and from here down
	Rate       float64  `yaml:"rate"`       // and at so many units a second, up or down; 0: none
	Hysteresis float64  `yaml:"hysteresis"` // how far back from a limit the alert ends; of rate: at half of it
	Capture    []string `yaml:"capture"`    // an alert's begin wants a picture of these cameras, the next scene of these folders
}

// newest names the group of readings of which only the newest counts.
func (r *Rule) newest() string {
	if !r.Newest {
		return ""
	}
	return r.Sensor + "/" + r.Value
}

// ruleFor is the rule for a value, or nil.
func (s *Set) ruleFor(sensor, value string) *Rule {
	for i := range s.rules {
		if rule := &s.rules[i]; fits(rule.Sensor, sensor) && (rule.Value == "" || fits(rule.Value, value)) {
			return rule
		}
	}
	return nil
}

func fits(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// maxWindow bounds what is lost of an unfinished window when the power goes.
const maxWindow = 24 * time.Hour

// Problems names every mistake: add takes the field, what is wrong, and what to do.
func (r Rule) Problems(add func(field, message, hint string)) {
	if _, err := path.Match(r.Sensor, "x"); r.Sensor == "" || err != nil {
		add("sensor", fmt.Sprintf("%q is not the name of a sensor", r.Sensor), "write its name as in canvas/sensors/<name>/reading, or a pattern such as boiler-*")
	}
	if _, err := path.Match(r.Value, "x"); err != nil {
		add("value", fmt.Sprintf("%q is neither a name nor a pattern", r.Value), "write temperature, or temp*")
	}
	positive := func(field string, v float64, hint string) {
		if !(v >= 0) || v-v != 0 {
			add(field, fmt.Sprintf("%v", v), hint)
		}
	}
	positive("deadband", r.Deadband, "use 0 for every reading, or how far a value must move")
	positive("rate", r.Rate, "use 0 for none, or units a second")
	positive("hysteresis", r.Hysteresis, "use how far a value must come back before the alert ends")
	if r.Every < 0 {
		add("every", fmt.Sprintf("%s is negative", r.Every), "leave it out, or use such as 10m")
	}
	if r.Window < 0 || r.Window > maxWindow {
		add("window", fmt.Sprintf("%s is not between 0 and %s", r.Window, maxWindow), "use such as 1m")
	}
	if r.Window > 0 && (r.Deadband > 0 || r.Every > 0) {
		add("window", "can't be combined with deadband or every", "a window gives one reading at its end: keep one of them")
	}
	for field, limit := range map[string]*float64{"above": r.Above, "below": r.Below} {
		if limit != nil && *limit-*limit != 0 {
			add(field, fmt.Sprintf("%v is not a limit", *limit), "use a number")
		}
	}
	if r.Above != nil && r.Below != nil && *r.Below >= *r.Above {
		add("below", fmt.Sprintf("%v is not less than above (%v)", *r.Below, *r.Above), "values between the two are the good ones")
	}
	if len(r.Capture) > 0 && r.Above == nil && r.Below == nil && r.Rate <= 0 {
		add("capture", "needs a limit", "set above, below or rate: it is the alert that asks for the picture")
	}
}
