package bridge

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"cloudcanvas/shared/broker"
	"cloudcanvas/shared/event"
)

// watch follows the sessions of an intake with the MQTT broker. What it can't see is why the broker
// ends a connection: MQTT 3.1.1 says nothing to a client whose id another one has taken over. So one
// whose connections are ended again and again, while the broker takes the next one, is told of that.
type watch struct {
	log *slog.Logger
	now func() time.Time

	mu       sync.Mutex
	sessions map[string]*watched // by client id
}

// watched is one session.
type watched struct {
	needs  []string        // filters without which it is deaf
	stands map[string]bool // those that the broker has confirmed
	up     bool
	why    error       // of the last loss
	lost   []time.Time // losses that look like a takeover
	told   bool
}

// A takeover looks like this: the broker closes connections, so many within that time, and takes the
// next one at once (within paho's longest wait between tries).
const (
	takeoverLosses = 3
	takeoverWithin = 90 * time.Second
	takeoverGap    = 15 * time.Second
)

func newWatch(log *slog.Logger) *watch {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &watch{log: log, now: time.Now, sessions: map[string]*watched{}}
}

// follow lets a client to be dialled tell of its connections.
func (w *watch) follow(o *broker.MQTTOptions, needs ...string) {
	id := o.ClientID
	w.mu.Lock()
	w.sessions[id] = &watched{needs: needs, stands: map[string]bool{}, why: broker.ErrOffline}
	w.mu.Unlock()
	o.OnUp = func() { w.up(id) }
	o.OnDown = func(err error) { w.down(id, err) }
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
	s := w.sessions[id]
	if s == nil {
		return
	}
	s.up = true
	if n := len(s.lost); n > 0 && w.now().Sub(s.lost[n-1]) > takeoverGap { // the broker was away
		s.lost = nil
	}
}

func (w *watch) down(id string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sessions[id]
	if s == nil {
		return
	}
	s.up, s.why = false, err
	clear(s.stands)
	if !ended(err) {
		return
	}
	s.lost = append(s.lost, w.now())
	s.lost = s.lost[max(0, len(s.lost)-takeoverLosses):]
	if taken := s.taken(w.now()); taken && !s.told {
		w.log.Error(takenOver(id).Error())
		s.told = true
	} else if !taken {
		s.told = false
	}
}

// taken says whether it looks as if another client had taken the session over, again and again.
func (s *watched) taken(now time.Time) bool {
	return len(s.lost) == takeoverLosses && now.Sub(s.lost[0]) < takeoverWithin
}

func takenOver(id string) error {
	return fmt.Errorf("it looks as if another client used the client id %q: the MQTT broker ended %d connections within %v and took the next one each time; look in the broker's log for who connects under it, and bind client ids to identities (firmware-configs/mosquitto)", id, takeoverLosses, takeoverWithin)
}

// ended says whether the other side closed a connection in good order.
func ended(err error) bool {
	return errors.Is(err, io.EOF) || err != nil && strings.HasSuffix(err.Error(), "EOF")
}

// ready says what is wrong with the first session, by name, that hears nothing.
func (w *watch) ready() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sessions) == 0 {
		return fmt.Errorf("the intake has no session with the MQTT broker: %w", broker.ErrOffline)
	}
	deaf := 0
	var first error
	for _, id := range slices.Sorted(maps.Keys(w.sessions)) {
		if err := w.sessions[id].ready(id, w.now()); err != nil {
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

func (s *watched) ready(id string, now time.Time) error {
	switch {
	case s.taken(now):
		return takenOver(id)
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
