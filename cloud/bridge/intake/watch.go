package intake

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
)

// watch follows the sessions of an intake with the MQTT broker.
type watch struct {
	mu       sync.Mutex
	sessions map[string]*watched // by client id
}

// watched is one session.
type watched struct {
	needs     []string        // filters that it must be subscribed to
	confirmed map[string]bool // those that the broker has confirmed
	up        bool
	why       error         // of the last loss
	problem   func() string // what the client itself reports, as that another one took its id
}

func newWatch() *watch { return &watch{sessions: map[string]*watched{}} }

// follow lets a client to be dialled report its connections.
func (w *watch) follow(o *mqtt.Options, needs ...string) {
	id := o.ClientID
	w.mu.Lock()
	w.sessions[id] = &watched{needs: needs, confirmed: map[string]bool{}, why: mqtt.ErrOffline, problem: func() string { return "" }}
	w.mu.Unlock()
	o.OnUp = func() { w.up(id) }
	o.OnDown = func(err error) { w.down(id, err) }
}

// onProblem takes the client's own report of why its connection does not hold.
func (w *watch) onProblem(id string, problem func() string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sessions[id].problem = problem
}

// onSubscribed gives what is to be called when a subscription is confirmed.
func (w *watch) onSubscribed(id, filter string) func() {
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if s := w.sessions[id]; s != nil {
			s.confirmed[filter] = true
		}
	}
}

func (w *watch) up(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.sessions[id]; s != nil {
		s.up = true
	}
}

func (w *watch) down(id string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.sessions[id]; s != nil {
		s.up, s.why = false, err
		clear(s.confirmed)
	}
}

// ready says what is wrong with the first session, by name, that gets nothing.
func (w *watch) ready() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sessions) == 0 {
		return fmt.Errorf("the intake has no session with the MQTT broker: %w", mqtt.ErrOffline)
	}
	silent := 0
	var first error
	for _, id := range slices.Sorted(maps.Keys(w.sessions)) {
		if err := w.sessions[id].ready(id); err != nil {
			silent++
			if first == nil {
				first = err
			}
		}
	}
	if silent > 1 {
		return fmt.Errorf("%d of %d sessions with the MQTT broker get nothing, first of all: %w", silent, len(w.sessions), first)
	}
	return first
}

// subscribed says whether items that the broker is given now come in: else it may drop them. Where
// the user may not read the status of edges, items come in all the same.
func (w *watch) subscribed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.sessions {
		if !s.up || slices.ContainsFunc(s.needs, func(filter string) bool { return filter != event.StatusFilter && !s.confirmed[filter] }) {
			return false
		}
	}
	return len(w.sessions) > 0
}

func (s *watched) ready(id string) error {
	problem := s.problem()
	switch {
	case problem != "":
		return fmt.Errorf("the intake's session %q with the MQTT broker does not hold: %s", id, problem)
	case !s.up:
		return fmt.Errorf("the intake's session %q with the MQTT broker is not connected: %w", id, s.why)
	}
	for _, filter := range s.needs {
		if !s.confirmed[filter] {
			return fmt.Errorf("the intake's session %q with the MQTT broker is not subscribed to %s: may this user read it?", id, filter)
		}
	}
	return nil
}

// leave forgets all sessions: they are closed, in good order.
func (w *watch) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.sessions)
}
