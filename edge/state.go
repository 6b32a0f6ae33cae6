package edge

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/detect"
)

// Why frames were left out, besides what screening says of them.
const (
	leftBehind = "behind" // the network could not keep up, and a newer one took its place
	leftPower  = "power"  // heat or the power mode allow fewer frames
)

// states are what became of the frames of each stream, as status displays ask for it.
type states struct {
	mu   sync.Mutex
	left map[string]map[string]int64 // by stream and reason
	lag  map[string]time.Duration    // between taking and looking, of the newest frame

	crossings map[string]func() []detect.Crossed // of lines, by camera
}

// stream is how one stream fares.
type stream struct {
	Name string           `json:"name"`
	Left map[string]int64 `json:"left_out"` // frames by reason, before they could become items
	Lag  float64          `json:"lag"`      // seconds from the lens to the network, of live streams

	Crossings []detect.Crossed `json:"crossings,omitempty"` // of lines, since the agent began
}

// left counts a frame that was left out, by its reason.
func (a *Agent) left(stream, reason string) {
	s := &a.states
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left == nil {
		s.left = map[string]map[string]int64{}
	}
	if s.left[stream] == nil {
		s.left[stream] = map[string]int64{}
	}
	s.left[stream][reason]++
}

func (s *states) lags(stream string, lag time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lag == nil {
		s.lag = map[string]time.Duration{}
	}
	s.lag[stream] = lag
}

// counts takes who knows how often a camera's lines were crossed.
func (s *states) counts(camera string, crossings func() []detect.Crossed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crossings == nil {
		s.crossings = map[string]func() []detect.Crossed{}
	}
	s.crossings[camera] = crossings
}

// streams are all streams of which something is known, by name. What a camera's decoder gave up for
// a busy pipeline counts with what was left behind later.
func (a *Agent) streams() []stream {
	byName := map[string]*stream{}
	of := func(name string) *stream {
		if byName[name] == nil {
			byName[name] = &stream{Name: name, Left: map[string]int64{}}
		}
		return byName[name]
	}
	for _, c := range a.cameraStates() {
		if c.Dropped > 0 {
			of(c.Name).Left[leftBehind] += c.Dropped
		}
	}
	a.states.mu.Lock()
	defer a.states.mu.Unlock()
	for name, reasons := range a.states.left {
		for reason, n := range reasons {
			of(name).Left[reason] += n
		}
	}
	for name, lag := range a.states.lag {
		of(name).Lag = lag.Seconds()
	}
	for name, counted := range a.states.crossings {
		if crossed := counted(); len(crossed) > 0 {
			of(name).Crossings = crossed
		}
	}
	all := make([]stream, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		all = append(all, *byName[name])
	}
	return all
}

// cameraStates are the videos and cameras as they stand now.
func (a *Agent) cameraStates() []capture.State {
	all := make([]capture.State, len(a.videos))
	for i, v := range a.videos {
		all[i] = v.State()
	}
	slices.SortFunc(all, func(x, y capture.State) int { return strings.Compare(x.Name, y.Name) })
	return all
}
