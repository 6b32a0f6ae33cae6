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
	needs   []string        // filters without which it is deaf
	stands  map[string]bool // those that the broker has confirmed
	up      bool
	why     error         // of the last loss
	problem func() string // what the client itself has to say, as that another one took its id
}

func newWatch() *watch { return &watch{sessions: map[string]*watched{}} }

// follow lets a client to be dialled tell of its connections.
func (w *watch) follow(o *mqtt.Options, needs ...string) {
	id := o.ClientID
	w.mu.Lock()
	w.sessions[id] = &watched{needs: needs, stands: map[string]bool{}, why: mqtt.ErrOffline, problem: func() string { return "" }}
	w.mu.Unlock()
	o.OnUp = func() { w.up(id) }
	o.OnDown = func(err error) { w.down(id, err) }
}

// listen takes the client's own word of why its connection does not hold.
func (w *watch) listen(id string, problem func() string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sessions[id].problem = problem
}

// stand gives what is to be called when a subscription is confirmed.
func (w *watch) stand(id, filter string) func() {
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if s := w.sessions[id]; s != nil {
			s.stands[filter] = true
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
		clear(s.stands)
	}
}

// ready says what is wrong with the first session, by name, that hears nothing.
func (w *watch) ready() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sessions) == 0 {
		return fmt.Errorf("the intake has no session with the MQTT broker: %w", mqtt.ErrOffline)
	}
	deaf := 0
	var first error
	for _, id := range slices.Sorted(maps.Keys(w.sessions)) {
		if err := w.sessions[id].ready(id); err != nil {
			deaf++
			if first == nil {
				first = err
			}
		}
	}
	if deaf > 1 {
		return fmt.Errorf("%d of %d sessions with the MQTT broker hear nothing, first of all: %w", deaf, len(w.sessions), first)
	}
	return first
}

// hears says whether items that the broker is given now come in: else they may be given to nobody. Where
// the user may not read the status of edges, items come in all the same.
func (w *watch) hears() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.sessions {
		if !s.up || slices.ContainsFunc(s.needs, func(filter string) bool { return filter != event.StatusFilter && !s.stands[filter] }) {
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
		if !s.stands[filter] {
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
