package edge

import (
	"maps"
	"slices"
	"sync"

	"cloudcanvas/edge/capture"
)

// states are what the device's cameras do and what screening left out, as status displays ask for it.
type states struct {
	mu      sync.Mutex
	cameras map[string]capture.State
	left    map[string]map[string]int64 // by stream and reason
}

// cameraState hears of each change of a camera's phase.
func (a *Agent) cameraState(s capture.State) {
	a.states.mu.Lock()
	defer a.states.mu.Unlock()
	if a.states.cameras == nil {
		a.states.cameras = map[string]capture.State{}
	}
	a.states.cameras[s.Name] = s
}

func (a *Agent) cameraStates() []capture.State {
	a.states.mu.Lock()
	defer a.states.mu.Unlock()
	return slices.SortedFunc(maps.Values(a.states.cameras), func(x, y capture.State) int {
		if x.Name < y.Name {
			return -1
		}
		return 1
	})
}

// screened counts a frame that was left out, by its reason.
func (a *Agent) screened(stream, reason string) {
	a.states.mu.Lock()
	defer a.states.mu.Unlock()
	if a.states.left == nil {
		a.states.left = map[string]map[string]int64{}
	}
	if a.states.left[stream] == nil {
		a.states.left[stream] = map[string]int64{}
	}
	a.states.left[stream][reason]++
}
