package capture

import (
	"sync"
	"time"

	"cloudcanvas/shared/telemetry"
)

// Phase is what a camera is doing.
type Phase string

const (
	Starting Phase = "starting" // not a picture yet
	Up       Phase = "up"       // pictures come
	Stalled  Phase = "stalled"  // connected, but no picture within the stall time
	Down     Phase = "down"     // cannot be opened, or ended by itself; will be tried again
	Ended    Phase = "ended"    // finite and finished, or stopped
)

// State is a camera as it stands. It follows the pictures, not the connection: a camera that
// answers but shows nothing is not up.
type State struct {
	Name      string    `json:"name"`
	Address   string    `json:"address"` // without its password
	Phase     Phase     `json:"phase"`
	Since     time.Time `json:"since"`               // of the phase; for stalled and down, when it was lost
	LastFrame time.Time `json:"last_frame,omitzero"` // zero: never
	FPS       float64   `json:"fps"`                 // over about the last two seconds
	Width     int       `json:"width"`
	Height    int       `json:"height"`
	Frames    int64     `json:"frames"`
	Dropped   int64     `json:"dropped"`  // taken, but the pipeline was too slow for them
	Bad       int64     `json:"bad"`      // could not be decoded
	Restarts  int64     `json:"restarts"` // of its decoder
	Problem   string    `json:"problem,omitempty"`
	NextTry   time.Time `json:"next_try,omitzero"` // of one that is lost: when it is tried again; zero: it is being tried
}

// status keeps a State for readers in other goroutines.
type status struct {
	mu       sync.Mutex
	now      func() time.Time
	onChange func(State) // on each change of phase, size and kind of problem; nil allowed
	state    State
	window   time.Time // start of the rate's window
	count    int64     // frames in it
}

func newStatus(name, address string, now func() time.Time, onChange func(State)) *status {
	return &status{now: now, onChange: onChange,
		state: State{Name: name, Address: address, Phase: Starting, Since: now()}}
}

// read is the state; the rate of a camera that gives nothing falls to 0.
func (s *status) read() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.state
	if s.now().Sub(state.LastFrame) > 5*time.Second {
		state.FPS = 0
	}
	return state
}

// frame counts a picture that was taken at that time.
func (s *status) frame(at time.Time) {
	s.mu.Lock()
	s.state.Frames++
	s.state.LastFrame = at
	s.count++
	if d := at.Sub(s.window); d >= 2*time.Second {
		if d < 10*time.Second {
			s.state.FPS = float64(s.count) / d.Seconds()
		}
		s.window, s.count = at, 0
	}
	up := s.state.Phase == Up
	s.mu.Unlock()
	if !up {
		s.phase(Up, nil)
	}
}

// phase changes the phase and says whether it was another one before.
func (s *status) phase(p Phase, problem error) bool {
	s.mu.Lock()
	changed := s.state.Phase != p
	kind := telemetry.FaultKind(s.state.Problem)
	// A camera that is lost stays lost from the same moment, however it fails afterwards.
	lost := (p == Down || p == Stalled) && (s.state.Phase == Down || s.state.Phase == Stalled)
	if changed {
		s.state.Phase = p
		if !lost {
			s.state.Since = s.now()
		}
	}
	s.state.Problem = ""
	if problem != nil {
		s.state.Problem = problem.Error()
	}
	s.state.NextTry = time.Time{}
	state := s.state
	s.mu.Unlock()
	if s.onChange != nil && (changed || telemetry.FaultKind(state.Problem) != kind) {
		s.onChange(state)
	}
	return changed
}

// setNextTry notes when a source that is lost is tried again; zero: now.
func (s *status) setNextTry(until time.Time) {
	s.change(func(st *State) { st.NextTry = until })
	if s.onChange != nil && until.Sub(s.now()) > steadyAfter { // the others come soon enough
		s.onChange(s.read())
	}
}

func (s *status) size(w, h int) {
	s.mu.Lock()
	other := s.state.Phase == Up && (s.state.Width != w || s.state.Height != h)
	s.state.Width, s.state.Height = w, h
	state := s.state
	s.mu.Unlock()
	if other && s.onChange != nil {
		s.onChange(state)
	}
}
func (s *status) restarted() { s.change(func(st *State) { st.Restarts++ }) }
func (s *status) dropped(n int64) {
	if n > 0 {
		s.change(func(st *State) { st.Dropped += n })
	}
}
func (s *status) bad(n int64) {
	if n > 0 {
		s.change(func(st *State) { st.Bad += n })
	}
}

func (s *status) change(f func(*State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.state)
}
