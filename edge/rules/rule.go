package rules

import (
	"fmt"
	"path"
	"time"

	"cloudcanvas/shared/config"
)

// Rule says what is reported of some values of some sensors. The first rule that fits a value counts.
type Rule struct {
	Sensor string `yaml:"sensor" desc:"a sensor's name, or a pattern such as boiler-*"`
	Value  string `yaml:"value" desc:"a value's name, or a pattern" default:"all"`

	Deadband float64       `yaml:"deadband" desc:"a value is reported when it has moved this far from the last reported one; 0: always" range:"0.."`
	Every    time.Duration `yaml:"every" desc:"and at least this often while readings come; 0: not for that reason" range:"0s.."`
	Window   time.Duration `yaml:"window" desc:"in place of each value: min, mean, max and count of such a time, of which the last one is lost when the power goes; 0: none" range:"0s..24h"`
	Newest   bool          `yaml:"newest" desc:"what still waits when a newer value comes is not sent"`

	Above      *float64 `yaml:"above" desc:"alert from this value upwards"`
	Below      *float64 `yaml:"below" desc:"alert from this value downwards"`
	Rate       float64  `yaml:"rate" desc:"alert when the value moves by so many units a second, up or down; 0: none" range:"0.."`
	Hysteresis float64  `yaml:"hysteresis" desc:"how far back from its limit a value must be before the alert ends" range:"0.."`
	Capture    []string `yaml:"capture" desc:"names of cameras that take a picture, and of watched folders whose next scene goes first, when an alert begins"`
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

// Problems names every mistake: add takes the field, what is wrong, and what to do.
func (r Rule) Problems(add func(field, message, hint string)) {
	if _, err := path.Match(r.Sensor, "x"); r.Sensor == "" || err != nil {
		add("sensor", fmt.Sprintf("%q is not the name of a sensor", r.Sensor), "write its name as in canvas/sensors/<name>/reading, or a pattern such as boiler-*")
	}
	if _, err := path.Match(r.Value, "x"); err != nil {
		add("value", fmt.Sprintf("%q is neither a name nor a pattern", r.Value), "write temperature, or temp*")
	}
	config.Limits(r, Rule{}, add)
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
