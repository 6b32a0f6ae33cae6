package power

import (
	"fmt"
	"time"

	"cloudcanvas/shared/config"
)

// Config says what heat and power modes mean for the cameras.
type Config struct {
	Enabled    bool          `yaml:"enabled" desc:"watch heat and power modes"`
	Root       string        `yaml:"root" desc:"folder that sys/ and var/ lie in"`
	Every      time.Duration `yaml:"every" desc:"time between two looks" range:"100ms.."`
	Zones      []string      `yaml:"zones" desc:"types of thermal zones that count" default:"all"`
	Steps      []Step        `yaml:"steps" desc:"share of frames from some heat on, by rising heat"`
	Hysteresis float64       `yaml:"hysteresis" desc:"degrees below a step at which it ends" range:"0..50"`
	Modes      []Mode        `yaml:"modes" desc:"share of frames in a power mode of nvpmodel"`
}

// Step is a share of frames from some heat on.
type Step struct {
	Celsius float64 `yaml:"celsius" desc:"degrees Celsius from which on it holds"`
	Share   float64 `yaml:"share" desc:"share of the frames that are looked at; 0.5 is every other one" range:"0..1"`
}

// Mode is a share of frames in a power mode of nvpmodel.
type Mode struct {
	Mode  int     `yaml:"mode" desc:"the mode's number, as nvpmodel -q prints it"`
	Share float64 `yaml:"share" desc:"share of the frames that are looked at; 0.5 is every other one" range:"0..1"`
}

// DefaultConfig is off. Its steps keep clear of 97 °C, where a Jetson Orin's clocks begin to fall by
// themselves.
func DefaultConfig() Config {
	return Config{Root: "/", Every: 5 * time.Second, Hysteresis: 5,
		Steps: []Step{{80, 0.5}, {87, 0.25}, {93, 0.1}}}
}

// Problems names every mistake: add takes the field, what is wrong, and what to do.
func (c Config) Problems(add func(field, message, hint string)) {
	in := func(format string, i int) func(field, message, hint string) {
		return func(field, message, hint string) { add(fmt.Sprintf(format, i)+field, message, hint) }
	}
	if c.Enabled && c.Root == "" {
		add("root", "is missing", "use /")
	}
	config.Limits(c, DefaultConfig(), add)
	for i, s := range c.Steps {
		config.Limits(s, Step{}, in("steps.%d.", i))
		switch {
		case !(s.Celsius > coldest && s.Celsius < hottest):
			add(fmt.Sprintf("steps.%d.celsius", i), fmt.Sprintf("%v °C", s.Celsius), "use the heat from which on fewer frames are looked at, such as 80")
		case i > 0 && !(s.Celsius > c.Steps[i-1].Celsius && s.Share < c.Steps[i-1].Share):
			add(fmt.Sprintf("steps.%d", i), "is not hotter with fewer frames than the step before", "order the steps by rising heat and falling share")
		}
	}
	for i, m := range c.Modes {
		config.Limits(m, Mode{}, in("modes.%d.", i))
	}
}
