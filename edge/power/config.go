package power

import (
	"fmt"
	"time"
)

// Config says what heat and power modes mean for the cameras.
type Config struct {
	Enabled    bool          `yaml:"enabled"`
	Root       string        `yaml:"root"`       // folder that sys/ and var/ lie in
	Every      time.Duration `yaml:"every"`      // between two looks
	Zones      []string      `yaml:"zones"`      // types of thermal zones that count; none: all
	Steps      []Step        `yaml:"steps"`      // by rising heat
	Hysteresis float64       `yaml:"hysteresis"` // degrees below a step at which it ends
	Modes      []Mode        `yaml:"modes"`
}

// Step is a share of frames from some heat on.
type Step struct {
	Celsius float64 `yaml:"celsius"`
	Share   float64 `yaml:"share"` // 0 … 1
}

// Mode is a share of frames in a power mode of nvpmodel.
type Mode struct {
	Mode  int     `yaml:"mode"`  // its number, as nvpmodel -q tells it
	Share float64 `yaml:"share"` // 0 … 1
}

// DefaultConfig is off. Its steps keep clear of 97 °C, where a Jetson Orin's clocks begin to fall by
// themselves.
func DefaultConfig() Config {
	return Config{Root: "/", Every: 5 * time.Second, Hysteresis: 5,
		Steps: []Step{{80, 0.5}, {87, 0.25}, {93, 0.1}}}
}

// Problems names every mistake: add takes the field, what is wrong, and what to do.
func (c Config) Problems(add func(field, message, hint string)) {
	share := func(field string, v float64) {
		if !(v >= 0 && v <= 1) {
			add(field, fmt.Sprintf("%v is not a share", v), "use 0 to 1: 0.5 is every other frame")
		}
	}
	if c.Enabled && c.Root == "" {
		add("root", "is missing", "use /")
	}
	if c.Every < 100*time.Millisecond {
		add("every", fmt.Sprintf("%s between two looks", c.Every), "use about 5s")
	}
	if !(c.Hysteresis >= 0 && c.Hysteresis <= 50) {
		add("hysteresis", fmt.Sprintf("%v degrees", c.Hysteresis), "use about 5")
	}
	for i, s := range c.Steps {
		share(fmt.Sprintf("steps.%d.share", i), s.Share)
		switch {
		case !(s.Celsius > coldest && s.Celsius < hottest):
			add(fmt.Sprintf("steps.%d.celsius", i), fmt.Sprintf("%v °C", s.Celsius), "use the heat from which on fewer frames are looked at, such as 80")
		case i > 0 && !(s.Celsius > c.Steps[i-1].Celsius && s.Share < c.Steps[i-1].Share):
			add(fmt.Sprintf("steps.%d", i), "is not hotter with fewer frames than the step before", "order the steps by rising heat and falling share")
		}
	}
	for i, m := range c.Modes {
		share(fmt.Sprintf("modes.%d.share", i), m.Share)
	}
}
