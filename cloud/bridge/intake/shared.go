package intake

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
)

// runShared takes what the edges of some slots send. Each slot has a session of its own with the
// MQTT broker, which moves with the slot: whoever owns it connects under its name and finds what
// waits, what was not acknowledged, and the subscriptions; an owner before that is still connected
// is thrown out by the broker. MQTT has no filter for slots, so each edge is subscribed to by its
// name, known from its retained status or from Kafka.
func (m *MQTT) runShared(ctx context.Context, slots slots.Set, known []string, take func(mqtt.Message)) error {
	s := sessions{take: take, edges: map[string]*subscription{}}
	watch := m.sessionWatch()
	defer watch.leave()
	defer s.close()
	for slot := range slots.All() {
		o := m.Options
		o.ClientID = fmt.Sprintf("%s-%d", m.Options.ClientID, slot)
		o.Persistent, o.ManualAck, o.Will, o.Log = true, true, nil, onlyErrors(m.Options.Log)
		watch.follow(&o)
		client, err := mqtt.Dial(ctx, o)
		if err != nil {
			return err
		}
		watch.onProblem(o.ClientID, client.Problem)
		s.of[slot] = client
	}
	for _, edge := range known {
		s.subscribe(edge, nil)
	}
	o := m.Options
	o.ClientID, o.Persistent, o.Will = "canvas-"+rand.Text(), false, nil
	watch.follow(&o, event.StatusFilter)
	listener, err := mqtt.Dial(ctx, o)
	if err != nil {
		return err
	}
	defer listener.Close()
	watch.onProblem(o.ClientID, listener.Problem)
	listener.SubscribeThen(event.StatusFilter, 0, func(m mqtt.Message) {
		if edge, err := event.ParseStatusTopic(m.Topic); err == nil && slots.Carries(edge) {
			s.subscribe(edge, &m)
		}
	}, watch.onSubscribed(o.ClientID, event.StatusFilter))
	<-ctx.Done()
	return ctx.Err()
}

// onlyErrors leaves it to the listener to log that the broker came or went: once, not 64 times.
func onlyErrors(log *slog.Logger) *slog.Logger {
	if log == nil {
		return nil
	}
	return slog.New(errorsOf{log.Handler()})
}

type errorsOf struct{ slog.Handler }

func (e errorsOf) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelError && e.Handler.Enabled(ctx, level)
}

func (e errorsOf) WithAttrs(attrs []slog.Attr) slog.Handler {
	return errorsOf{e.Handler.WithAttrs(attrs)}
}
func (e errorsOf) WithGroup(name string) slog.Handler { return errorsOf{e.Handler.WithGroup(name)} }

// sessions are the connections of the slots that are owned.
type sessions struct {
	take    func(mqtt.Message)
	of      [slots.Count]*mqtt.Client
	handing sync.WaitGroup
	mu      sync.Mutex
	edges   map[string]*subscription
}

// subscription is an edge that is subscribed to.
type subscription struct {
	confirmed bool          // the broker has confirmed it
	status    *mqtt.Message // its latest
}

// subscribe subscribes to an edge, once, and hands on its status when the subscription stands: an edge
// that is greeted begins to send.
func (s *sessions) subscribe(edge string, status *mqtt.Message) {
	s.mu.Lock()
	h := s.edges[edge]
	fresh := h == nil
	if fresh {
		h = &subscription{}
		s.edges[edge] = h
	}
	if status != nil {
		h.status = status
	}
	stands := h.confirmed
	s.mu.Unlock()
	switch {
	case fresh:
		s.of[slots.Of(edge)].SubscribeThen(upFilterOf(edge), 1, s.take, func() { s.confirm(h) })
	case stands && status != nil:
		s.take(*status)
	}
}

// confirm hands on the status that came before the edge was subscribed to, also after a connection was lost.
func (s *sessions) confirm(h *subscription) {
	s.mu.Lock()
	h.confirmed = true
	status := h.status
	s.mu.Unlock()
	if status != nil {
		s.handing.Go(func() { s.take(*status) }) // it may wait for room
	}
}

// upFilterOf is what one edge sends up.
func upFilterOf(edge string) string { return strings.Replace(event.UpFilter, "+", edge, 1) }

// close leaves the broker, which keeps the sessions.
func (s *sessions) close() {
	var all sync.WaitGroup
	for _, client := range s.of {
		if client != nil {
			all.Go(client.Close)
		}
	}
	all.Wait()
	s.handing.Wait()
}
