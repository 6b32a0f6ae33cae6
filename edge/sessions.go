package edge

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"cloudcanvas/edge/outbox"
	"cloudcanvas/shared/telemetry"
)

// sessions notices that the device's own broker has forgotten the session of a client for which it was to
// keep messages: what was published while the client was away, and not handed on, is lost, and nobody
// else would say so.
type sessions struct {
	box       recorder
	log       *slog.Logger
	ownBroker bool         // it dies with the agent, and acknowledges only what is safe: nothing is lost with its sessions
	forgotten atomic.Int64 // since the agent's start
}

const (
	sessionPrefix   = "session/"
	sessionPatience = 5 * time.Second
)

// watch gives what hears at each connection of a client whether its session was kept; then, if it is not nil,
// hears the same.
func (s *sessions) watch(id string, then func(kept bool)) func(kept bool) {
	if s.ownBroker {
		return then
	}
	before := false // there was a connection in this life
	return func(kept bool) {
		if then != nil {
			then(kept)
		}
		switch {
		case kept:
		case before || s.known(id):
			s.log.Warn("the local broker has forgotten this client's session: what cameras or sensors published while the agent was away, and had not been handed on, may be lost. "+
				"Does it keep sessions over its restart (mosquitto: persistence true), and long enough (persistent_client_expiration)?", "client", id, "since_start", s.forgotten.Add(1))
			before = true
			return
		}
		if !before {
			before = true
			s.note(id)
		}
	}
}

// known says whether a life before this one had the session.
func (s *sessions) known(id string) bool {
	marks, err := s.box.Marks(sessionPrefix + id)
	if err != nil {
		s.log.Warn("the list of sessions with the local broker can't be read: it can't be told whether the broker forgot this one", "client", id, telemetry.Err, err)
	}
	for _, m := range marks {
		if m.Name == sessionPrefix+id && len(m.Value) > 0 {
			return true
		}
	}
	return false
}

// note keeps that there is a session, for the next life. Its loss costs a warning at most.
func (s *sessions) note(id string) {
	if s.known(id) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), sessionPatience)
	defer cancel()
	if err := s.box.Record(ctx, nil, []outbox.Mark{{Name: sessionPrefix + id, Value: []byte{1}}}); err != nil {
		s.log.Debug("the session with the local broker is not written down", "client", id, telemetry.Err, err)
	}
}
